"""A SQLite file in the bot's home: for this user alone, and set aside where it is damaged."""

import logging
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

_WAIT_SECONDS, _OPENING_SECONDS = 0.5, 5.0
"""Nobody else writes there; whoever holds it up must not hold up everybody, but may hold up the beginning."""

log = logging.getLogger("theseus.keeping")


def open_file(path: Path) -> sqlite3.Connection:
    """Open a file, and make it where it is not there; the tables are the caller's.

    What was written outlives the process, however that ends; after a power cut the last of it may be missing. A file that is
    damaged is set aside, and a new one begun.

    Raises:
        OSError: The file cannot be made or moved.
        sqlite3.Error: It cannot be opened, or somebody else holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(0o600)
    try:
        return _opened(path)
    except sqlite3.OperationalError:
        raise  # somebody else holds it, or there is no room: it is not damaged
    except sqlite3.DatabaseError as error:
        aside = path.with_suffix(f".damaged-{time.time():.0f}")
        log.error("%s is damaged (%s); it is set aside as %s", path.name, error, aside.name)  # noqa: TRY400 - the sentence says it all
        for end in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{path}{end}").replace(f"{aside}{end}")
        path.touch(0o600)
        return _opened(path)


def _opened(path: Path) -> sqlite3.Connection:
    kept = sqlite3.connect(path, timeout=_OPENING_SECONDS, isolation_level=None)
    try:
        kept.execute("PRAGMA journal_mode = WAL")
        kept.execute("PRAGMA synchronous = NORMAL")
        kept.execute("SELECT COUNT(*) FROM sqlite_master")
        kept.execute(f"PRAGMA busy_timeout = {_WAIT_SECONDS * 1000:.0f}")
    except BaseException:
        kept.close()
        raise
    return kept
