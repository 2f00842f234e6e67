"""The witness that runs pytest inside the sandbox and tells, over a pipe of its own, what became of each test.

It shares an interpreter with the code under test, which is why the judge plants a test that must fail, and
why it compares what it hears with the exit code. Before its wish comes, as one line of JSON on stdin, it imports
what the tests of base need of the kernel: no code that a proposal may change.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from selfedit.gate.inside import warm

LONGEST = 3000
"""Characters of a failure that are told."""


class Teller:
    """The pytest plugin that tells the judge."""

    def __init__(self, fd: int, wanted: list[str] | None, pool: "Pool") -> None:
        self._fd = fd
        self._pool = pool
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
        own, files = self._pool.apart(session.items)
        self._tell(collected=[item.nodeid for item in own])
        if files:
            self._tell(pooled={path: [item.nodeid for item in items] for path, items in files.items()})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell of a file that cannot be loaded."""
        if report.failed:
            self._tell(broken=report.nodeid, why=report.longreprtext[-LONGEST:])

    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run the tests of one's own, and of those that are for whoever has time what one gets."""
        if session.config.option.collectonly:
            return None
        coming = self._coming(session.items)
        item = next(coming, None)
        while item is not None:
            following = next(coming, None)  # which decides what is torn down in between
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
            item = following
        return True

    def _coming(self, items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
        """The tests in the order in which they are to be run."""
        own, files = self._pool.apart(items)
        yield from own[:-1]
        for path in self._pool.draw():
            self._tell(drawn=path, collected=[item.nodeid for item in files[path]])
            yield from files[path]
        yield from own[-1:]  # the judge's, which tells that all came to its end

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
            seconds, idle = self._lasting.so_far()
            self._tell(id=report.nodeid, outcome=outcome, why=why, line=line, seconds=seconds, idle=idle)

    def pytest_unconfigure(self) -> None:
        """Leave pytest's own end little to do."""
        warm.tidy()


class Pool:
    """Files of tests for whichever of several witnesses is done: each is run by the one that draws it.

    Their numbers come over a pipe that all witnesses read from, so that each gets others. One is drawn when the test
    before it begins, because what comes next decides what is torn down in between.
    """

    def __init__(self, fd: int, paths: Sequence[str]) -> None:
        self._fd = fd
        self._paths = paths
        self._read = os.read

    def apart(self, items: Sequence[pytest.Item]) -> tuple[list[pytest.Item], dict[str, list[pytest.Item]]]:
        """The tests that are in none of these files, and those that are, by file."""
        own: list[pytest.Item] = []
        files: dict[str, list[pytest.Item]] = {path: [] for path in self._paths}
        for item in items:
            files.get(item.nodeid.partition("::")[0], own).append(item)
        return own, files

    def draw(self) -> Iterator[str]:
        """One file after the other, until none is left."""
        while self._paths and (number := self._read(self._fd, 1)):
            yield self._paths[number[0]]


class Lasting:
    """How long a test lasts, but for the time in which others had the processor: that says nothing of the test."""

    def __init__(self) -> None:
        self._pread, self._now, self._times = os.pread, time.monotonic, os.times
        try:
            self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # not every kernel says
            self._file = -1
        self.begin()

    def begin(self) -> None:
        """From here on."""
        self._began, self._worked = self._now() - self._waited(), self._work()

    def so_far(self) -> tuple[float, float]:
        """Seconds, and those of them in which neither this process worked nor one that it has waited for."""
        seconds = max(0.0, self._now() - self._waited() - self._began)
        idle = max(0.0, seconds - (self._work() - self._worked))
        return round(seconds, 4), round(idle, 4)

    def _work(self) -> float:
        return sum(self._times()[:4])  # of threads and of children, too

    def _waited(self) -> float:
        # Nanoseconds on a processor, and ready for one without having it (the kernel's scheduler/sched-stats.rst).
        try:
            return int(self._pread(self._file, 100, 0).split()[1]) / 1e9 if self._file >= 0 else 0.0
        except (OSError, IndexError, ValueError):
            return 0.0


def main() -> int:
    """Get ready as the argument says, wait for a wish, and run pytest as that says; returns its exit code."""
    ready = json.loads(sys.argv[1])
    warm.get_ready(ready["path"], ready["ahead"])
    wish = json.loads(sys.stdin.readline())
    sys.argv = ["pytest"]
    for fd in (wish["fd"], wish["pool_fd"]):
        os.set_inheritable(fd, False)
    teller = Teller(wish["fd"], wish["wanted"], Pool(wish["pool_fd"], wish["pool"]))
    code = int(pytest.main(wish["arguments"], plugins=[teller]))
    if wish["collect"]:
        teller.tell_modules()
    return code
