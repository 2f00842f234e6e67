"""The types of third-party packages, worked out once by mypy, so that judging a small change is quick.

Mypy needs some 20 s to read the SDKs' types for the first time. `WARM_UP` is run once, inside, where
the cache is to be used: for Docker while the image is built, for bubblewrap in a run of its own.
Mypy writes to its cache folder also when nothing has changed, so a user copies the (read-only) cache
to a folder of its own first; that is some 80 MB in 16 files and takes less than 0.1 s.
"""

import ast
import hashlib
import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WARM_UP = Path(__file__).with_name("warm_up.py")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the cache is made from: mypy's settings and the modules whose types are wanted."""

    settings: str
    """A `pyproject.toml` that holds nothing but `[tool.mypy]`, as JSON text of that table."""
    modules: tuple[str, ...]

    @property
    def text(self) -> str:
        """One JSON text, the input of `WARM_UP`."""
        return json.dumps({"mypy": json.loads(self.settings), "modules": self.modules}, sort_keys=True)

    @property
    def key(self) -> str:
        """Short hash of it all."""
        return hashlib.sha256(self.text.encode() + WARM_UP.read_bytes()).hexdigest()[:16]


def recipe_for(root: Path) -> Recipe:
    """The recipe for the repository at `root`.

    Live code does not count: a proposal that imports one more module must not cost a new cache.
    """
    config = _mypy_table(root)
    files = config.pop("files", [])
    own = {path.stem for path in root.iterdir() if path.is_dir() or path.suffix == ".py"}
    found: set[str] = set()
    for name in [files] if isinstance(files, str) else files:
        for path in sorted((root / name).rglob("*.py")):
            if "live" not in path.relative_to(root).parts:
                found |= _imports(path)
    third_party = sorted(
        module
        for module in found
        if (top := module.partition(".")[0]) not in own and top not in sys.stdlib_module_names
    )
    return Recipe(settings=json.dumps(config, sort_keys=True), modules=tuple(third_party))


def _mypy_table(root: Path) -> dict[str, Any]:
    try:
        read = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return {}  # the gate says what is wrong with it; a cache is only about speed
    table = read.get("tool", {}).get("mypy", {})
    return dict(table) if isinstance(table, dict) else {}


def _imports(path: Path) -> set[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found
