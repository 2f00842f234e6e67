"""What becomes of a change's tests, tried in plain processes with code that the test itself wrote: nothing is isolated."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from policies.load import ZoneRules
from selfedit.gate import change
from selfedit.gate.evidence import Step
from tests.fakes.small_repo import FILES, text

ZONES = ZoneRules(live=("app/live/", "tests/live/"), tests=("tests/live/",))
SETTINGS = ("-c", "pyproject.toml", "--rootdir", ".", "-o", "pythonpath=", "-p", "no:cacheprovider", "-q")
SMALL = {path: text(source).encode() for path, source in FILES.items()}
"""The small repository's files."""


def wished(
    changes: Mapping[str, str | None],
    base: Mapping[str, bytes] = SMALL,
    *,
    zones: ZoneRules = ZONES,
    tests: Sequence[str] = ("tests",),
    pytest: Sequence[str] = SETTINGS,
    seconds: float = 60.0,
    most: int = 40,
) -> tuple[change.Wish | None, dict[str, bytes]]:
    """What is to be tried for a change (None: the file is taken away), and the files with the change."""
    data = {path: None if new is None else text(new).encode() for path, new in changes.items()}
    files = {path: new for path, new in {**base, **data}.items() if new is not None}
    asked = change.wish(base, files, zones, pytest=pytest, tests=tests, seconds=seconds, most=most)
    return asked, files


def tried(
    folder: Path,
    asked: change.Wish,
    files: Mapping[str, bytes],
    base: Mapping[str, bytes] = SMALL,
    modules: Sequence[str] | None = None,
) -> Step:
    """What the program inside says, run in folders of its own; `modules`: imported while it has no wish yet."""
    for name, content in (("tree", files), ("base", base)):
        for path, data in content.items():
            (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / path).write_bytes(data)
    tree = folder / "tree"
    ahead = None if modules is None else {"modules": [*modules], "plugins": [], "tests": ["tests"]}
    ended = subprocess.run(
        change.argv(sys.executable, str(tree), str(folder / "base"), ["."], ahead),
        input=asked.line() + "\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=tree,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "LANG": "C.UTF-8",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "GIT_PYTHON_REFRESH": "quiet",
        },
    )
    return Step(
        exit=ended.returncode,
        timed_out=False,
        seconds=1.0,
        out=ended.stdout,
        err=ended.stderr,
        dropped=False,
    )
