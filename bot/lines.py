"""Lines of a pipe, each read only when it is asked for, so that the rest stays for whoever reads next."""

import asyncio
import os
import select
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.control.commands import MAX_EDITS_BYTES

MAX_LINE = MAX_EDITS_BYTES + 64 * 1024
"""Longest line in bytes."""
_CHUNK = 64 * 1024
_TURN = 4096
"""Bytes that are read before others on the loop get their turn."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line that was dropped; its length in bytes."""

    size: int


@dataclass(slots=True)
class Lines:
    """Reads a descriptor byte by byte: a bot that is started again goes on where the last one stopped.

    It waits on the event loop, and never within a read, so that ending the wait takes no byte along.
    """

    descriptor: int = 0
    limit: int = MAX_LINE
    begun: bytes = b""
    """The beginning of a line whose end an earlier reader still awaited."""
    keep: Callable[[bytes], None] = field(default=lambda _part: None)
    """Keeps the beginning of a line while its end is awaited, and forgets it when it is given nothing."""
    _carried: bytes = field(default=b"", init=False)
    _poll: select.poll = field(default_factory=select.poll, init=False)

    def __post_init__(self) -> None:
        self._poll.register(self.descriptor, select.POLLIN)

    async def next(self) -> str | TooLong | None:
        """The next line without its end; None at the end of input."""
        line, self.begun = bytearray(self.begun), b""
        while byte := await self._take(1, line):
            if byte == b"\n":
                break
            line += byte
            if len(line) > self.limit:
                return await self._drop(len(line))
            if len(line) % _TURN == 0:
                await asyncio.sleep(0)
        self.keep(b"")
        if not line and not byte:
            return None
        return line.decode(errors="replace").removesuffix("\r")

    async def _drop(self, size: int) -> TooLong:
        """Skip the rest of a line, in large steps; what is read beyond its end is kept for the next call."""
        self.keep(b"")
        while chunk := await self._take(_CHUNK):
            before, end, after = chunk.partition(b"\n")
            size += len(before)
            if end:
                self._carried = after + self._carried
                break
        return TooLong(size)

    async def _take(self, size: int, line: bytes | bytearray = b"") -> bytes:
        if self._carried:
            taken, self._carried = self._carried[:size], self._carried[size:]
            return taken
        try:
            if not self._poll.poll(0):
                if line:
                    self.keep(bytes(line))
                await self._readable()
            return os.read(self.descriptor, size)
        except OSError:
            return b""  # closed, or a terminal that is gone: the end of input

    async def _readable(self) -> None:
        loop, there = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.descriptor, there.set)
        try:
            await there.wait()
        finally:
            loop.remove_reader(self.descriptor)
