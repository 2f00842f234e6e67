"""Makes a mypy cache of third-party types. Runs inside, by itself, where only mypy is at hand.

    warm_up.py RECIPE_JSON CACHE_FOLDER

With `-` for the folder the cache comes out over stdout, as a tar file.
"""

import importlib.metadata
import importlib.util
import json
import keyword
import os
import pkgutil
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
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
        module.write_text("".join(f"import {name}\n" for name in _modules(wanted["packages"])))
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


def _modules(packages: list[str]) -> list[str]:
    """What people import of a package: itself and its public modules; nothing of it is run."""
    found: set[str] = set()
    for top, owners in importlib.metadata.packages_distributions().items():
        if {_plain(owner) for owner in owners} & {_plain(package) for package in packages} and _public(top):
            spec = importlib.util.find_spec(top)
            found.add(top)
            found.update(_below(top, list(spec.submodule_search_locations or ()) if spec else []))
    return sorted(found)


def _below(package: str, places: list[str]) -> Iterator[str]:
    for module in pkgutil.iter_modules(places):
        if _public(module.name):
            yield f"{package}.{module.name}"
    for place in places:
        for entry in os.scandir(place):
            # A folder of packages that is none itself, as discord.ext, is not a level of its own.
            if _public(entry.name) and entry.is_dir() and not (Path(entry) / "__init__.py").exists():
                yield from _below(f"{package}.{entry.name}", [entry.path])


def _public(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith(("_", "test"))


def _plain(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


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
