"""The witness that runs pytest inside the sandbox and tells, over a pipe of its own, what became of each test.

It shares an interpreter with the code under test, which is why the judge plants a test that must fail, and
why it compares what it hears with the exit code. Before its wish comes, as one line of JSON on stdin, it imports
what the tests of base need of the kernel: no code that a proposal may change.
"""

import contextlib
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import CodeType
from typing import Any, cast

import pytest
from _pytest.assertion import rewrite as rewriting

LONGEST = 3000
"""Characters of a failure that are told."""
RARELY = (50_000, 20, 100)
"""When garbage is looked for: tests leave little behind, and looking again and again took a twelfth of their time."""


class Teller:
    """The pytest plugin that tells the judge."""

    def __init__(self, fd: int, wanted: list[str] | None) -> None:
        self._fd = fd
        self._write = os.write
        self._dumps = json.dumps
        self._wanted = None if wanted is None else frozenset(wanted)
        self._lasting = Lasting()

    def _tell(self, **line: Any) -> None:
        data = self._dumps(line).encode() + b"\n"
        while data:
            data = data[self._write(self._fd, data) :]

    def tell_modules(self) -> None:
        """Tell what is imported by now, and from which file: what the next witness may import ahead."""
        found = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
        self._tell(modules={name: str(file) for name, file in found.items() if file})

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what nobody asked for."""
        if self._wanted is not None:
            left_out = [item for item in items if item.nodeid not in self._wanted]
            items[:] = [item for item in items if item.nodeid in self._wanted]
            config.hook.pytest_deselected(items=left_out)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell which tests there are."""
        self._tell(collected=[item.nodeid for item in session.items])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell of a file that cannot be loaded."""
        if report.failed:
            self._tell(broken=report.nodeid, why=report.longreprtext[-LONGEST:])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell what begins, so that it is known what hangs."""
        self._tell(begun=nodeid)
        self._lasting.begin()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell how a test ended, and after how long: its call, and its set-up and tear-down if they went wrong."""
        if report.when == "call" or not report.passed:
            outcome = "xfailed" if report.skipped and hasattr(report, "wasxfail") else report.outcome
            why = "" if report.passed else report.longreprtext[-LONGEST:]
            line = report.location[1]
            line = None if line is None else line + 1
            seconds = self._lasting.seconds()
            self._tell(id=report.nodeid, outcome=outcome, why=why, line=line, seconds=seconds)


class Lasting:
    """How long a test lasts, but for the time in which others had the processor: that says nothing of the test."""

    def __init__(self) -> None:
        self._pread, self._now = os.pread, time.monotonic
        try:
            self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # not every kernel says
            self._file = -1
        self.begin()

    def begin(self) -> None:
        """From here on."""
        self._began = self._now() - self._waited()

    def seconds(self) -> float:
        """So far."""
        return round(max(0.0, self._now() - self._waited() - self._began), 4)

    def _waited(self) -> float:
        # Nanoseconds on a processor, and ready for one without having it (the kernel's scheduler/sched-stats.rst).
        try:
            return int(self._pread(self._file, 100, 0).split()[1]) / 1e9 if self._file >= 0 else 0.0
        except (OSError, IndexError, ValueError):
            return 0.0


def main(path: Sequence[str], modules: Sequence[str], tests: Sequence[str]) -> int:
    """Run pytest as wished; returns its exit code.

    Args:
        path: Where modules are looked for, after Python's own places.
        modules: What to import while there is nothing else to do.
        tests: Folders and files with tests, to make ready meanwhile.
    """
    # At the end, where nothing of the repository can stand in for a module of Python's.
    sys.path.extend(path)
    for name in modules:
        with contextlib.suppress(Exception):  # a test that needs it will say what is wrong with it
            importlib.import_module(name)
    if "hypothesis" in sys.modules:
        _warm_up()
    _rewrite_ahead(tests)
    gc.set_threshold(*RARELY)
    gc.freeze()  # what is imported by now stays: no collection has to look at it again
    wish = json.loads(sys.stdin.readline())
    sys.argv = ["pytest"]
    os.set_inheritable(wish["fd"], False)
    teller = Teller(wish["fd"], wish["wanted"])
    code = int(pytest.main(wish["arguments"], plugins=[teller]))
    if wish["collect"]:
        teller.tell_modules()
    sys.stdout.flush()
    return code


def _warm_up() -> None:
    """Hypothesis reads every module for its constants, and makes a table of characters, at the first example."""
    with contextlib.suppress(Exception):
        from hypothesis import given, settings, strategies  # where the tests need it

        calm = settings(database=None, derandomize=True, deadline=None)
        calm(given(strategies.text(), strategies.integers())(lambda _text, _number: None))()


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


if __name__ == "__main__":
    sys.exit(main(*map(json.loads, sys.argv[1:])))
