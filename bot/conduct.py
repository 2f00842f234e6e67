"""How live code behaves beside what it answers: what it does to the system, what it leaves behind, how long it holds up.

For processes that exist for this alone: the watching, once begun, ends with the process.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
import typing
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from types import FrameType, FunctionType
from typing import Any

from bot.texts import CODE

MOST_DEEDS = 20
"""So many are told; the rest would say the same."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_DEEDS: Mapping[str, str] = {
    "_thread.start_new_thread": "starts a thread",
    "os.chmod": "changes the mode of",
    "os.exec": "starts the program",
    "os.fork": "starts a process",
    "os.kill": "sends a signal",
    "os.link": "writes",
    "os.mkdir": "makes the folder",
    "os.posix_spawn": "starts the program",
    "os.putenv": "sets the variable",
    "os.remove": "removes",
    "os.rename": "renames",
    "os.rmdir": "removes the folder",
    "os.symlink": "writes",
    "os.system": "runs the command",
    "os.truncate": "cuts",
    "socket.bind": "opens a port",
    "socket.connect": "connects",
    "socket.getaddrinfo": "looks up",
    "sqlite3.connect": "opens the database",
    "subprocess.Popen": "starts the program",
}
"""What counts as a deed, by the name of the interpreter's audit event."""


class HeldUp(Exception):
    """Raised inside code that has held everything else up for too long."""


class Watch:
    """Notes what code does to the system, as the interpreter's own audit events tell it."""

    def __init__(self) -> None:
        """Begin; a process can have one, and has it to its end."""
        self._deeds: list[str] | None = None
        self._forbidden = False
        sys.addaudithook(self._hear)

    @contextlib.contextmanager
    def noting(self, *, forbid: bool = False) -> Iterator[list[str]]:
        """While this lasts, deeds are noted, in the words of the list that it gives; `forbid`: and fail."""
        noted: list[str] = []
        before = self._deeds, self._forbidden
        self._deeds, self._forbidden = noted, forbid
        try:
            yield noted
        finally:
            self._deeds, self._forbidden = before

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        if self._deeds is None or (event != "open" and event not in _DEEDS):
            return
        if event == "open" and not (isinstance(given[2], int) and given[2] & _WRITES):
            return
        deed = f"{_place()}it {_DEEDS.get(event, 'writes')}{_subject(given)}"
        if len(self._deeds) < MOST_DEEDS and deed not in self._deeds:
            self._deeds.append(deed)
        if self._forbidden:
            raise PermissionError("live code may not do that while it is loaded")


def _subject(given: tuple[Any, ...]) -> str:
    named = next((each for each in given[:2] if type(each) in (str, bytes)), None)
    return "" if named is None else f" {named!r:.200}"


def _place() -> str:
    frame = sys._getframe(2)  # noqa: SLF001 - the documented way to the caller's frame, and the only cheap one
    found: FrameType | None = frame
    while found is not None:
        path, at, _ = found.f_code.co_filename.rpartition("@")
        if at and path.startswith(CODE):
            return f"{path}:{found.f_lineno}: "
        found = found.f_back
    return ""


@contextlib.contextmanager
def held_to(seconds: float) -> Iterator[None]:
    """Raise `HeldUp` in what runs here once the seconds are over, and again each second. Main thread only.

    On an event loop that has `hold_only_what_blocks`, only while the loop stands still are seconds counted.
    """

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise HeldUp(f"it held everything else up for {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def hold_only_what_blocks(seconds: float) -> None:
    """Begin the seconds of `held_to` anew each time the running loop gets a turn."""
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    asyncio.get_running_loop().call_later(seconds / 4, hold_only_what_blocks, seconds)


def census() -> Counter[str]:
    """What there is in this process of all that a load could add to, by what people call it."""
    found: Counter[str] = Counter()
    for name, logger in [("root", logging.root), *logging.root.manager.loggerDict.items()]:
        if isinstance(logger, logging.Logger):
            found[f"handlers and filters of the logger {name}"] += len(logger.handlers) + len(logger.filters)
    found["import hooks"] = len(sys.meta_path) + len(sys.path_hooks) + len(sys.path)
    found["callbacks of the garbage collector"] = len(gc.callbacks)
    found["warning filters"] = len(warnings.filters)
    found["signal handlers"] = sum(callable(signal.getsignal(number)) for number in signal.valid_signals())
    found.update(f"the open file {name}" for name in _open_files())
    found.update(f"the thread {thread.name}" for thread in threading.enumerate())
    return +found


def grown(before: Counter[str], after: Counter[str]) -> list[str]:
    """What there is more of, in words."""
    return [name if number == 1 else f"{name} ({number} more)" for name, number in (after - before).items()]


def _open_files() -> list[str]:
    files = []
    with contextlib.suppress(OSError):
        for descriptor in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are wanted, thousands of times
            with contextlib.suppress(OSError):
                files.append(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115 - as above
    return [file for file in files if "/proc/" not in file]


def left_tasks() -> list[str]:
    """Tasks of the running loop beside the current one, in words."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    return [f"{task.get_name()} ({getattr(task.get_coro(), '__qualname__', '?')})" for task in tasks]


def reachable(package: str) -> list[str]:
    """Functions, classes and objects of a package that are still there, though its generation has gone."""
    for forget in getattr(typing, "_cleanups", ()):
        forget()  # typing remembers the last hundred or so forms that were built of any class
    gc.collect()
    ours: dict[type, bool] = {}
    found = set()
    for thing in gc.get_objects():
        kind = type(thing)
        if kind not in ours:
            ours[kind] = _is_of(vars(kind).get("__module__"), package)
        if issubclass(kind, FunctionType | type):  # an instance may lie about its class, or raise
            if _is_of(thing.__module__, package):
                found.add(f"{thing.__module__.removeprefix(f'{package}.')}.{thing.__qualname__}")
        elif ours[kind]:
            found.add(f"{kind.__module__.removeprefix(f'{package}.')}.{kind.__qualname__} (an object)")
    return sorted(found)


def _is_of(module: object, package: str) -> bool:
    return isinstance(module, str) and f"{module}.".startswith(f"{package}.")
