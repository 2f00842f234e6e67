"""Every connection that this process tries to make, as the interpreter itself reports it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_watching: list[list[Any]] = []


def _look(event: str, args: tuple[Any, ...]) -> None:
    if _watching and event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        for seen in _watching:
            seen.append(args[1] if event != "socket.getaddrinfo" else args[:2])


sys.addaudithook(
    _look
)  # it cannot be taken back, so it is made once and looks only when somebody wants it to


@contextmanager
def watched() -> Iterator[list[Any]]:
    """What is connected to, or looked up, within the block, in order."""
    seen: list[Any] = []
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)
