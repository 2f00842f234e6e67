"""The one file in which this package keeps what has to outlive the process: ids, never what anybody said."""

import sqlite3
from pathlib import Path

_WAIT_SECONDS = 5.0


def open_shelf(home: Path) -> sqlite3.Connection:
    """Open `discord.sqlite3` of a home, for this user alone; each part makes the tables that are its own.

    What is written is on disk when the call returns, so that a process that is killed forgets nothing it promised.

    Raises:
        OSError: It cannot be made.
        sqlite3.Error: It is no such file, or damaged.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = home / "discord.sqlite3"
    path.touch(0o600)
    shelf = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
    shelf.execute("PRAGMA journal_mode = WAL")
    shelf.execute("PRAGMA synchronous = NORMAL")
    return shelf
