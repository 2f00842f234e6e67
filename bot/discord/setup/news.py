"""Where news go on each server: one channel, chosen in `/setup` and kept on the shelf."""

import sqlite3

_TABLE = "CREATE TABLE IF NOT EXISTS news (guild INTEGER PRIMARY KEY, channel INTEGER NOT NULL)"


class NewsPlaces:
    """The channel for news of each server that has one."""

    def __init__(self, shelf: sqlite3.Connection) -> None:
        self._shelf = shelf
        shelf.execute(_TABLE)

    def of(self, guild: int) -> int | None:
        """The channel of a server, by ids; None where none was chosen."""
        row = self._shelf.execute("SELECT channel FROM news WHERE guild = ?", (guild,)).fetchone()
        return int(row[0]) if row else None

    def all(self) -> dict[int, int]:
        """The channel of each server that has one, by ids."""
        rows = self._shelf.execute("SELECT guild, channel FROM news ORDER BY guild").fetchall()
        return {int(guild): int(channel) for guild, channel in rows}

    def choose(self, guild: int, channel: int | None) -> None:
        """From now on news of a server go there; None: nowhere."""
        if channel is None:
            self._shelf.execute("DELETE FROM news WHERE guild = ?", (guild,))
        else:
            self._shelf.execute("INSERT OR REPLACE INTO news VALUES (?, ?)", (guild, channel))
