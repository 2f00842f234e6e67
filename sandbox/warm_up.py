"""Makes a mypy cache of third-party types. Runs inside, by itself, where only mypy is at hand.

    warm_up.py RECIPE_JSON CACHE_FOLDER

With `-` for the folder the cache comes out over stdout, as a tar file.
`from package import submodule` looks like any other name, so modules that are not there are left out.
"""

import importlib.util
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any


def main(recipe: str, cache: str) -> int:
    """Make the cache; returns mypy's trouble (2), else 0."""
    if cache != "-":
        return _make(recipe, cache)
    with tempfile.TemporaryDirectory() as folder:
        code = _make(recipe, folder)
        with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
            tar.add(folder, arcname=".")
    return code


def _make(recipe: str, cache: str) -> int:
    wanted = json.loads(recipe)
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "third_party.py"
        module.write_text("".join(f"import {name}\n" for name in wanted["modules"] if _is_there(name)))
        config = Path(folder) / "mypy.ini"
        config.write_text("".join(_ini(wanted["mypy"])))
        command = [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            str(config),
            "--cache-dir",
            cache,
            str(module),
        ]
        done = subprocess.run(command, cwd=folder, stdout=sys.stderr, check=False)
    return 2 if done.returncode == 2 else 0  # noqa: PLR2004 - 1 means findings, which do not matter here


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, AttributeError, ValueError):
        return False


def _ini(table: dict[str, Any]) -> list[str]:
    lines = ["[mypy]\n", *_settings(table)]
    for override in table.get("overrides", []):
        modules = override.get("module", [])
        for name in [modules] if isinstance(modules, str) else modules:
            lines += [f"[mypy-{name}]\n", *_settings(override)]
    return lines


def _settings(table: dict[str, Any]) -> list[str]:
    plain = {key: value for key, value in table.items() if key not in ("overrides", "module")}
    return [
        f"{key} = {', '.join(map(str, value)) if isinstance(value, list) else value}\n"
        for key, value in plain.items()
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
