"""Runs tests in a child of a lane, and tells of each what became of it, and which lines it ran.

It shares an interpreter with the code under test: what it tells is believed of this one run, and of nothing else.
Standard library and pytest.
"""

import ctypes
import json
import linecache
import math
import os
import resource
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from selfedit.gate.inside import warm

Lines = dict[str, list[int]]
"""Numbers of lines by path."""
ANY = 0
"""Stands for whatever line of a file."""


def run(root: str, ask: dict[str, Any], fd: int) -> int:
    """Run pytest as asked, in a process made for that; returns its exit code.

    Args:
        root: The repository's root, which is the current folder.
        ask: `arguments` for pytest, the tests that are `wanted` in their order (None: all), the lines `watched` by
            file, and how many `processor_seconds` it may take (None: any number).
        fd: Where to tell.
    """
    os.setsid()
    dumpable = 4
    ctypes.CDLL(None).prctl(
        dumpable, 1, 0, 0, 0
    )  # what the lane hides is not here, and code may look at itself
    if ask["processor_seconds"] is not None:
        most = math.ceil(ask["processor_seconds"])
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    os.set_inheritable(fd, False)
    tracer = Tracer(root, ask["watched"])
    sys.argv = ["pytest"]
    return int(pytest.main(ask["arguments"], plugins=[Teller(fd, ask["wanted"], tracer)]))


class Tracer:
    """Notes which watched lines run, wherever their code was loaded from, and which file runs at all.

    Being traced makes code several times slower, so a test is traced until it ran all that is watched, and no longer.
    """

    def __init__(self, root: str, watched: Mapping[str, Sequence[int]]) -> None:
        self._known: dict[str, str | None] = {f"{root}/{path}": path for path in watched}
        self._texts = {path: _text(Path(root) / path) for path in watched}
        self._watched = {(path, line) for path, lines in watched.items() for line in (ANY, *lines)}
        self._seen: set[tuple[str, int]] = set()

    def on(self) -> None:
        """Begin, or begin again where code under test put its own tracer in."""
        sys.settrace(self._entered)
        threading.settrace(self._entered)

    @property
    def watches(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self._texts)

    def taken(self) -> Lines:
        """What was seen since the last time."""
        seen, self._seen = self._seen, set()
        lines: Lines = {}
        for path, line in sorted(seen):
            lines.setdefault(path, []).append(line)
        return lines

    def _entered(self, frame: FrameType, _event: str, _argument: object) -> Any:
        if self._seen == self._watched:
            sys.settrace(None)
            return None
        name = frame.f_code.co_filename
        try:
            path = self._known[name]
        except KeyError:
            path = self._known[name] = self._found(name)
        return None if path is None else self._follow(path)

    def _follow(self, path: str) -> Any:
        def ran(frame: FrameType, event: str, _argument: object) -> Any:
            if event == "line" and (path, frame.f_lineno) in self._watched:
                self._seen.add((path, frame.f_lineno))
            return ran

        self._seen.add((path, ANY))
        return ran

    def _found(self, name: str) -> str | None:
        """Code loaded from a text has another file name, as `bot/live/roll/feature.py@1234567`: the text decides."""
        plain = name.partition("@")[0]
        for path, text in self._texts.items():
            if plain == path or plain.endswith(f"/{path}"):
                return path if "".join(linecache.getlines(name)).rstrip("\n") == text else None
        return None


def _text(path: Path) -> str:
    return path.read_text("utf-8").rstrip("\n") if path.is_file() else ""


class Teller:
    """The pytest plugin that tells the lane."""

    def __init__(self, fd: int, wanted: Sequence[str] | None, tracer: Tracer) -> None:
        self._fd = fd
        self._order = None if wanted is None else {name: at for at, name in enumerate(wanted)}
        self._tracer = tracer
        self._outcome = "passed"
        self._seconds = 0.0

    def _tell(self, **line: Any) -> None:
        data = json.dumps({**line, "reached": self._tracer.taken()}).encode() + b"\n"
        while data:
            data = data[os.write(self._fd, data) :]

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self) -> None:
        """Here the repository's own code begins to be loaded."""
        if self._tracer.watches:
            self._tracer.on()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what nobody asked for."""
        order = self._order
        if order is not None:
            config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in order])
            items[:] = sorted(
                (item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid]
            )

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell which tests there are."""
        self._tell(collected=[item.nodeid for item in session.items])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Tell of a test when it has ended."""
        self._outcome, self._seconds = "passed", 0.0
        if self._tracer.watches:
            self._tracer.on()
        result = yield
        self._tell(id=item.nodeid, outcome=self._outcome, seconds=round(self._seconds, 4))
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count set-up, call and tear-down together."""
        self._seconds += report.duration
        if report.failed:
            self._outcome = "failed"
        elif report.skipped and self._outcome == "passed":
            self._outcome = "left out"

    def pytest_unconfigure(self) -> None:
        """Leave pytest's own end little to do."""
        warm.tidy()
