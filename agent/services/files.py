"""Lets tools read files of one folder, and nothing that lies outside of it, by whatever name.

Each part of a path is opened below the one before it and never followed if it is a link, so that nobody can put
another thing in its place between a look and the opening.
"""

import asyncio
import os
import re
import stat
from pathlib import Path

from agent.services.cleaning import plain
from agent.tool import ToolRefused

MOST_BYTES = 100 * 1024 * 1024
"""No file larger than this is read, whatever is asked for."""
_PART = re.compile(r"[^/\\\x00-\x1f\ud800-\udfff]{1,255}")


class Folder:
    """A folder whose text files may be read, none of them larger than `most_bytes`."""

    def __init__(self, root: Path, most_bytes: int = MOST_BYTES) -> None:
        self._root = root
        self._most_bytes = most_bytes

    async def read(self, path: str, most_bytes: int) -> str:
        """A file's text.

        Args:
            path: Relative to the folder, with `/`.
            most_bytes: A file larger than this is refused, and one above 100 MiB in any case.

        Raises:
            ToolRefused: The path leads out of the folder or to no file, or the file is too large or no text.
        """
        return await asyncio.to_thread(self._read, path, min(most_bytes, self._most_bytes))

    def _read(self, path: str, most: int) -> str:
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
            data = file.read(most + 1) if found.st_size <= most else b""
            if found.st_size > most or len(data) > most:  # it may have grown meanwhile
                raise ToolRefused(
                    f"{path} has more than the {most:,} bytes that may be read; name a smaller file"
                )
        try:
            return plain(data.decode())
        except UnicodeDecodeError as error:
            raise ToolRefused(f"{path} is no text in UTF-8, so it cannot be read") from error

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
