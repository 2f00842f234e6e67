"""Which webhooks were heard already, on disk: what comes again has no effect, also in the next process.

Nothing of what they say is kept. A delivery is known by its id, and by what its body hashes to: the id stands outside of what
is signed, so that somebody who copied a webhook could send it again under another.
"""

import hashlib
import time
from collections.abc import Callable, Collection
from pathlib import Path

from bot.keeping import open_file

KEPT_SECONDS = 7 * 86_400.0
"""How long; GitHub offers to send again what is up to three days old."""
MOST = 20_000
"""How many, the newest; a busy repository has some thousand events a day."""
_PURGE_EVERY = 200
"""Rows between two looks for old ones."""
_TABLES = """
CREATE TABLE IF NOT EXISTS heard (name TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS heard_at ON heard (at);
"""

Names = tuple[str, str]
"""By what one delivery is known."""


def names(delivery: str, body: bytes) -> Names:
    """By what a delivery is known: its id, and its body."""
    return f"id {delivery.lower()}", f"body {hashlib.sha256(body).hexdigest()}"


class Deliveries:
    """The file."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        """Open it.

        Raises:
            OSError: It cannot be made.
            sqlite3.Error: It cannot be opened.
        """
        self._kept = open_file(path)
        self._kept.executescript(_TABLES)
        self._now, self._written = now, 0
        self._purge()

    def heard(self, known: Names) -> bool:
        """Whether this was heard before."""
        found = self._kept.execute("SELECT 1 FROM heard WHERE name IN (?, ?)", known).fetchone()
        return found is not None

    def remember(self, several: Collection[Names]) -> None:
        """These were heard, and what was to be done is done.

        Raises:
            sqlite3.Error: It cannot be written down.
        """
        rows = [(name, self._now()) for known in several for name in known]
        self._kept.execute("BEGIN IMMEDIATE")
        try:
            self._kept.executemany("INSERT OR REPLACE INTO heard VALUES (?, ?)", rows)
        except BaseException:
            self._kept.execute("ROLLBACK")
            raise
        self._kept.execute("COMMIT")
        self._written += len(rows)
        if self._written >= _PURGE_EVERY:
            self._purge()

    def close(self) -> None:
        """Let go of the file."""
        self._kept.close()

    def _purge(self) -> None:
        self._written = 0
        self._kept.execute("DELETE FROM heard WHERE at < ?", (self._now() - KEPT_SECONDS,))
        newest = "SELECT name FROM heard ORDER BY at DESC LIMIT ?"
        self._kept.execute(f"DELETE FROM heard WHERE name NOT IN ({newest})", (2 * MOST,))  # noqa: S608 - a constant
