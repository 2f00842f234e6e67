"""The witness that runs pytest inside the sandbox and tells, over a pipe of its own, what became of each test.

It shares an interpreter with the code under test, which is why the judge plants a test that must fail, and
why it compares what it hears with the exit code. Its wish comes as one line of JSON on stdin.
"""

import json
import os
import sys
from typing import Any

import pytest

LONGEST = 3000
"""Characters of a failure that are told."""


class Teller:
    """The pytest plugin that tells the judge."""

    def __init__(self, fd: int, wanted: list[str] | None) -> None:
        self._fd = fd
        self._write = os.write
        self._dumps = json.dumps
        self._wanted = None if wanted is None else frozenset(wanted)

    def _tell(self, **line: Any) -> None:
        data = self._dumps(line).encode() + b"\n"
        while data:
            data = data[self._write(self._fd, data) :]

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

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell how a test ended: its call, and its set-up and tear-down if they went wrong."""
        if report.when == "call" or not report.passed:
            outcome = "xfailed" if report.skipped and hasattr(report, "wasxfail") else report.outcome
            why = "" if report.passed else report.longreprtext[-LONGEST:]
            line = report.location[1]
            self._tell(id=report.nodeid, outcome=outcome, why=why, line=None if line is None else line + 1)


def main() -> int:
    """Run pytest as wished; returns its exit code."""
    wish = json.loads(sys.stdin.readline())
    # At the end, where nothing of the repository can stand in for a module of Python's.
    sys.path.extend(wish["path"])
    sys.argv = ["pytest"]
    os.set_inheritable(wish["fd"], False)
    code = int(pytest.main(wish["arguments"], plugins=[Teller(wish["fd"], wish["wanted"])]))
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
