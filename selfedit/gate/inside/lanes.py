"""Runs tests again and again from one process that has imported what a change cannot touch. Standard library and pytest.

A lane has a folder of its own with the repository's files. Each run of tests happens in a forked child, which tells
over a pipe what became of each test, and which watched lines it ran; the lane itself never imports code under test.
"""

import contextlib
import json
import os
import select
import signal
import socket
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selfedit.gate.inside import tracing, warm
from selfedit.gate.inside.programs import end_strays
from selfedit.gate.inside.report import hide
from selfedit.gate.inside.tracing import Lines

MOST_TOLD = 64_000_000
"""Bytes that one run may tell."""


@dataclass
class Ran:
    """What became of one run of tests.

    Attributes:
        passed: Whether pytest came to its end and had nothing to complain of.
        ended: Whether it ended by itself, in time.
        seconds: How long it took.
        collected: The tests that were found.
        outcomes: `passed`, `failed` or `left out`, by test.
        durations: Seconds, by test.
        reached: Watched lines that each test ran, and `ANY` for each watched file of which it ran something.
        loaded: The same for what ran while tests were collected.
    """

    passed: bool = False
    ended: bool = False
    seconds: float = 0.0
    collected: list[str] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)
    reached: dict[str, Lines] = field(default_factory=dict)
    loaded: Lines = field(default_factory=dict)

    @property
    def good(self) -> list[str]:
        """The tests that passed."""
        return [name for name, outcome in self.outcomes.items() if outcome == "passed"]


class Lane:
    """The parent's end of a lane."""

    def __init__(self, root: str, path: Sequence[str], ahead: dict[str, Any] | None) -> None:
        """Start it.

        Args:
            root: Its folder.
            path: Where modules are looked for below that, after Python's own places.
            ahead: What to do while there is nothing else to do, as `warm.get_ready` takes it.
        """
        self.root = Path(root)
        ours, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                ours.detach()
                os.dup2(theirs.detach(), 3)
                os.closerange(4, 1024)
                _serve(root, [str(Path(root) / each) for each in path], ahead)
            except BaseException:  # noqa: BLE001 - the parent learns of it by the silence; people read why
                traceback.print_exc()
            finally:
                os._exit(1)
        theirs.close()
        self._line = ours.makefile("rwb")
        ours.close()

    def run(
        self,
        arguments: Sequence[str],
        seconds: float,
        *,
        wanted: Sequence[str] | None = None,
        watched: Mapping[str, Sequence[int]] | None = None,
        processor_seconds: float | None = None,
    ) -> Ran:
        """Run tests.

        Args:
            arguments: Pytest's.
            seconds: When they are ended, if they do not end.
            wanted: The only ones to run, in this order; None: all that are found.
            watched: Lines, by file, of which is told whether a test runs them; of each file, too, whether any of it runs.
            processor_seconds: When they are ended, if they do not end, by how long they have worked.
        """
        if seconds <= 0:
            return Ran()
        ask = {
            "arguments": [*arguments],
            "seconds": seconds,
            "processor_seconds": processor_seconds,
            "wanted": wanted,
            "watched": watched or {},
        }
        self._line.write(json.dumps(ask).encode() + b"\n")
        self._line.flush()
        ran = Ran()
        while (line := json.loads(self._line.readline())).get("last") is None:
            # What a child told is no more than what code under test may have written: nonsense is left out.
            with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
                _take(ran, line)
        ran.ended, ran.passed, ran.seconds = line["ended"], line["passed"], line["seconds"]
        return ran

    def end(self) -> None:
        """End it, and what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _take(ran: Ran, line: dict[str, Any]) -> None:
    if "collected" in line:
        ran.collected = [str(name) for name in line["collected"]]
        ran.loaded = _lines(line["reached"])
    else:
        name, reached = str(line["id"]), _lines(line["reached"])
        ran.durations[name] = max(0.0, float(line["seconds"]))
        ran.outcomes[name] = str(line["outcome"])
        ran.reached[name] = reached


def _lines(told: dict[str, Any]) -> Lines:
    return {str(path): [int(line) for line in lines] for path, lines in told.items()}


# The lane's own process


def _serve(root: str, path: Sequence[str], ahead: dict[str, Any] | None) -> None:
    hide()
    os.chdir(root)
    with contextlib.suppress(ImportError):
        _calm()
    warm.get_ready(path, ahead)
    with socket.socket(fileno=3) as line, line.makefile("rwb") as wishes:
        for text in wishes:
            ask = json.loads(text)
            began = time.monotonic()
            told, code = _forked(root, ask)
            for each in told.splitlines(keepends=True):
                if _is_object(each):
                    wishes.write(each)
            seconds = round(time.monotonic() - began, 3)
            last = {"last": True, "ended": code is not None, "passed": code == 0, "seconds": seconds}
            wishes.write(json.dumps(last).encode() + b"\n")
            wishes.flush()


def _is_object(line: bytes) -> bool:
    try:
        value = json.loads(line)
    except ValueError:
        return False
    return line.endswith(b"\n") and isinstance(value, dict) and "last" not in value


def _calm() -> None:
    """A failing property needs no smallest example here, and no example of another run; a slow machine is no failure."""
    from hypothesis import Phase, settings

    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("calm", deadline=None, database=None, derandomize=True, phases=phases)
    settings.load_profile("calm")


def _forked(root: str, ask: dict[str, Any]) -> tuple[bytes, int | None]:
    """What a child told, and its exit code; None where it had to be ended."""
    reading, writing = os.pipe()
    until = time.monotonic() + ask["seconds"]
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            fd = os.dup2(writing, 3)
            os.closerange(fd + 1, 1024)
            code = tracing.run(root, ask, fd)
        finally:
            os._exit(code)
    os.close(writing)
    try:
        return _listen(pid, reading, until)
    finally:
        os.close(reading)
        end_strays()


def _listen(pid: int, fd: int, until: float) -> tuple[bytes, int | None]:
    said, at_end = bytearray(), False
    while (left := until - time.monotonic()) > 0 and len(said) < MOST_TOLD:
        # The other end may stay open in a process that was left behind, so that end of file alone is not waited for.
        if select.select([] if at_end else [fd], [], [], min(left, 0.005 if at_end else 0.1))[0]:
            data = os.read(fd, 65536)
            said += data
            at_end = not data
            continue
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return bytes(said), os.waitstatus_to_exitcode(status)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return bytes(said), None
