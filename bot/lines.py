"""Lines of a pipe, each read only when it is asked for, so that the rest stays for whoever reads next."""

import os
from dataclasses import dataclass, field

from bot.control.commands import MAX_EDITS_BYTES
from bot.thread import in_thread

MAX_LINE = MAX_EDITS_BYTES + 64 * 1024
"""Longest line in bytes."""
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line that was dropped; its length in bytes."""

    size: int


@dataclass(slots=True)
class Lines:
    """Reads a descriptor byte by byte: a bot that is started again goes on where the last one stopped."""

    descriptor: int = 0
    limit: int = MAX_LINE
    _carried: bytes = field(default=b"", init=False)

    async def next(self) -> str | TooLong | None:
        """The next line without its end; None at the end of input."""
        return await in_thread(self._read)

    def _read(self) -> str | TooLong | None:
        line = bytearray()
        while byte := self._take(1):
            if byte == b"\n":
                break
            line += byte
            if len(line) > self.limit:
                return self._drop(len(line))
        if not line and not byte:
            return None
        return line.decode(errors="replace").removesuffix("\r")

    def _drop(self, size: int) -> TooLong:
        """Skip the rest of a line, in large steps; what is read beyond its end is kept for the next call."""
        while chunk := self._take(_CHUNK):
            before, end, after = chunk.partition(b"\n")
            size += len(before)
            if end:
                self._carried = after + self._carried
                break
        return TooLong(size)

    def _take(self, size: int) -> bytes:
        if self._carried:
            taken, self._carried = self._carried[:size], self._carried[size:]
            return taken
        try:
            return os.read(self.descriptor, size)
        except OSError:
            return b""  # closed, or a terminal that is gone: the end of input
