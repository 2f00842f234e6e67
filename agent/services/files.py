"""Lets tools read files of one folder, and nothing that lies outside of it, by whatever name.

Each part of a path is opened below the one before it and never followed if it is a link, so that nobody can put
another thing in its place between a look and the opening.
"""

import asyncio
import codecs
import io
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

from agent.services.cleaning import plain
from agent.tool import Part, ToolRefused

MOST_BYTES = 100 * 1024 * 1024
"""No file larger than this is read, whatever is asked for."""
MOST_CHARS = 100_000
"""Characters that are handed out at once; models are shown less of them."""
CHUNK = 64 * 1024
"""Bytes that are held at once."""
_PART = re.compile(r"[^/\\\x00-\x1f\ud800-\udfff]{1,255}")


class Folder:
    """A folder whose text files may be read, none of them larger than `most_bytes`."""

    def __init__(self, root: Path, most_bytes: int = MOST_BYTES) -> None:
        self._root = root
        self._most_bytes = most_bytes

    async def read(self, path: str, most_bytes: int, first: int = 1, lines: int = 400) -> Part:
        """Lines of a file's text, which is never held as a whole.

        Args:
            path: Relative to the folder, with `/`.
            most_bytes: A file larger than this is refused, and one above 100 MiB in any case.
            first: The number of the first line, from 1.
            lines: How many; fewer come where they are long.

        Raises:
            ToolRefused: The path leads out of the folder or to no file, or the file is too large or no text.
        """
        return await asyncio.to_thread(
            self._read, path, min(most_bytes, self._most_bytes), range(first, first + lines)
        )

    def _read(self, path: str, most: int, wanted: range) -> Part:
        parts = path.split("/")
        if any(part in ("", ".", "..") or not _PART.fullmatch(part) for part in parts):
            raise ToolRefused(
                f"{path[:200]!r} leads out of the folder that may be read; name a file inside of it"
            )
        descriptor = self._open(path, parts)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise ToolRefused(f"{path} is no file; name a file inside of the folder")
        with os.fdopen(descriptor, "rb") as file:
            try:
                part = _lines(file, most, wanted) if found.st_size <= most else None
            except UnicodeDecodeError as error:
                raise ToolRefused(f"{path} is no text in UTF-8, so it cannot be read") from error
        if part is None:
            raise ToolRefused(
                f"{path} has more than the {most:,} bytes that may be read; name a smaller file"
            )
        return part

    def _open(self, path: str, parts: list[str]) -> int:
        opened: list[int] = []
        try:
            opened.append(os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            for part in parts[:-1]:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                opened.append(os.open(part, flags, dir_fd=opened[-1]))
            # Not to wait where the name turns out to be a pipe.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            return os.open(parts[-1], flags, dir_fd=opened[-1])
        except OSError as error:
            raise ToolRefused(f"there is no file {path} in the folder that may be read") from error
        finally:
            for descriptor in opened:
                os.close(descriptor)


def _lines(file: BinaryIO, most: int, wanted: range) -> Part | None:
    """Some lines of a text, read piece by piece; None where there is more of it than may be read."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    texts: list[str] = []
    room, size, number, last, ended = MOST_CHARS, 0, 1, wanted.start - 1, True
    while raw := file.read(CHUNK):
        size += len(raw)
        if size > most:
            return None
        text = decoder.decode(raw)
        after = number + text.count("\n")
        if after >= wanted.start and number < wanted.stop:
            for at, piece in enumerate(io.StringIO(text), number):
                if at in wanted and room > 0:
                    texts.append(piece if len(piece) <= room else f"{piece[:room]}…")
                    room -= len(piece)
                    last = at
        number, ended = after, raw.endswith(b"\n")
    decoder.decode(b"", final=True)
    return Part(plain("".join(texts)), last - wanted.start + 1, number - 1 if ended else number)
