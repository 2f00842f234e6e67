"""Gets a process that will run pytest ready for that, while there is no candidate yet. Standard library and pytest.

What it imports is the kernel's, or a package's: no code that a proposal may change.
"""

import contextlib
import gc
import importlib
import io
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import CodeType
from typing import Any, cast

import pytest
from _pytest.assertion import rewrite as rewriting

from selfedit.gate.inside import ourselves

RARELY = (50_000, 20, 100)
"""When garbage is looked for: tests leave little behind, and looking again and again took a twelfth of their time."""


def get_ready(path: Sequence[str], ahead: dict[str, Any] | None) -> None:
    """Set up where modules are looked for, and do what there is time for.

    Args:
        path: Where modules are looked for, after Python's own places.
        ahead: `modules` to import, pytest's `plugins` by name, and folders and files with `tests` to make ready;
            None where there is no time for that.
    """
    ourselves.forget()
    # At the end, where nothing of the repository can stand in for a module of Python's.
    sys.path.extend(path)
    if ahead is not None:
        for name in ahead["modules"]:
            with contextlib.suppress(Exception):  # a test that needs it will say what is wrong with it
                importlib.import_module(name)
        _run_nothing(ahead["plugins"])
        _rewrite_ahead(ahead["tests"])
    if "hypothesis" in sys.modules:
        _try_a_property()  # else each process that is forked from here would pay for that
    gc.set_threshold(*RARELY)
    gc.freeze()  # what is imported by now stays: no collection has to look at it again


def tidy() -> None:
    """Do at a run's end what pytest does there, twice: have finalizers speak up. What is alive then is gone through once."""
    gc.collect()
    gc.freeze()


def _try_a_property() -> None:
    """Hypothesis reads every module for its constants, and makes a table of characters, at the first example."""
    with contextlib.suppress(Exception):
        from hypothesis import given, settings, strategies  # where the tests need it

        calm = settings(database=None, derandomize=True, deadline=None)
        calm(given(strategies.text(), strategies.integers())(lambda _text, _number: None))()


def _run_nothing(plugins: Sequence[str]) -> None:
    """Have pytest import, through its own hooks, what it imports at its first run; each run has its own settings."""
    named = [part for name in plugins for part in ("-p", name)]
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as empty, contextlib.chdir(empty):
        where = ["-c", os.devnull, "--rootdir", empty, "--noconftest", "-p", "no:cacheprovider"]
        with (
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
            contextlib.suppress(Exception),
        ):
            pytest.main([*where, *named, "-q", empty])


def _rewrite_ahead(tests: Sequence[str]) -> None:
    """Have the assertions of test files rewritten that are there by now; a file that differs later is read anew."""
    rewrite = rewriting._rewrite_test  # noqa: SLF001 - pytest keeps such code on disk or not at all, and here is no disk
    known: dict[Path, tuple[bytes, tuple[bytes, CodeType]]] = {}
    for place in map(Path.absolute, map(Path, tests)):
        for file in place.rglob("test_*.py") if place.is_dir() else [place]:
            with contextlib.suppress(Exception):  # whoever runs it will say what is wrong with it
                known[file] = file.read_bytes(), rewrite(file, cast("pytest.Config", _Plain()))

    def rewritten(fn: Path, config: pytest.Config) -> tuple[bytes, CodeType]:
        text, ready = known.get(fn, (b"", None))
        if ready is None or config.getini("enable_assertion_pass_hook") or fn.read_bytes() != text:
            return rewrite(fn, config)
        return ready

    rewriting._rewrite_test = rewritten  # noqa: SLF001 - see above


class _Plain:
    """Settings without any."""

    def getini(self, _name: str) -> bool:
        """None is set."""
        return False
