"""The one file in which this package keeps what has to outlive the process: ids, and the names of places; never what anybody said."""

import asyncio
import fcntl
import logging
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from bot.keeping import open_file

_LOOK_SECONDS = 0.1
"""Between two looks whether another process has let go of a home."""
_SOON_SECONDS = 5.0
"""A process whose steward was killed is gone by then; when it takes longer the operator is told."""

log = logging.getLogger("theseus.discord")


class ShelfProblem(Exception):
    """The home cannot be used. Its text is a sentence for the operator."""


@asynccontextmanager
async def alone(home: Path) -> AsyncIterator[None]:
    """Be the only process that is on Discord with a home; where another one is, wait until it has ended, however it ends.

    Raises:
        ShelfProblem: The home cannot be held.
    """
    with _lock_file(home) as file:
        if not _held(file):
            log.warning("another process is on Discord with this home; this one waits until it has ended")
            clock, told = asyncio.get_running_loop().time, False
            begun = clock()
            while not _held(file):
                await asyncio.sleep(_LOOK_SECONDS)
                if not told and clock() - begun > _SOON_SECONDS:
                    told = True
                    said = f"Another Theseus is on Discord with {home}; this one waits until it has ended."
                    sys.stderr.write(f"{said}\n")
            log.warning("the other process has ended; this one goes on")
        yield


def _lock_file(home: Path) -> IO[str]:
    path = home / "discord.lock"
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(0o600)
        return path.open("a")
    except OSError as error:
        raise _problem(path, error) from error


def _held(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_shelf(home: Path) -> sqlite3.Connection:
    """Open `discord.sqlite3` of a home, for this user alone; each part makes the tables that are its own.

    It is kept as `bot.keeping` says.

    Raises:
        ShelfProblem: It cannot be made.
    """
    path = home / "discord.sqlite3"
    try:
        return open_file(path)
    except (OSError, sqlite3.Error) as error:
        raise _problem(path, error) from error


def _problem(path: Path, error: Exception) -> ShelfProblem:
    return ShelfProblem(f"{path} cannot be used ({error}); make room, or set THESEUS_HOME to another folder")
