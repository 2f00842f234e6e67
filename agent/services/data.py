"""Lets tools read SQLite files: those that the rules name, by SELECT alone, and only for a short while.

Three things keep a query from writing, each sufficient: the files are opened read-only, the connection is told so, and
SQLite asks us about every action that a statement wants to take.
"""

import asyncio
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from agent.services.cleaning import line
from agent.tool import ToolRefused
from policies.load import ServiceRules

MOST_SQL = 10_000
MOST_CELL = 500
"""Characters that are shown of one value."""
MOST_BYTES = 1_000_000
"""Size of the largest value that a query may make."""
MOST_COLUMNS = 100
"""Columns of a result; together with the size of a value, what one row can take."""
MOST_CHARS = 100_000
"""Characters of a whole table; models are shown less of it."""
STEPS = 1000
"""Instructions of SQLite's machine between two looks at the clock."""

_READS = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_NO_FUNCTION = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"})


class Databases:
    """The databases that the rules name, by name; in a query a table is `name.table`."""

    def __init__(self, files: Mapping[str, Path], rules: ServiceRules) -> None:
        self._files = dict(files)
        self._rules = rules

    async def tables(self) -> str:
        """Each table with its columns, one a line.

        Raises:
            ToolRefused: A file cannot be opened.
        """
        return await asyncio.to_thread(self._tables)

    async def query(self, sql: str, most: int) -> str:
        """The rows of one SELECT as a table with the columns' names on top.

        Args:
            sql: One statement.
            most: How many rows; never more than the rules allow.

        Raises:
            ToolRefused: It does more than reading, is wrong, or takes too long.
        """
        if len(sql) > MOST_SQL:
            raise ToolRefused(f"a query has at most {MOST_SQL:,} characters; send a shorter one")
        return await asyncio.to_thread(self._query, sql, max(1, min(most, self._rules.query_rows)))

    def _tables(self) -> str:
        with closing(self._open()) as connection:
            lines = [
                f"{name}.{table} ({', '.join(columns)})"
                for name in self._files
                for table, columns in _columns(connection, name)
            ]
        return "\n".join(lines) or "There is no table."

    def _query(self, sql: str, most: int) -> str:
        with closing(self._open()) as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
            # From here on: tables that are wider were read with their schemas, and some of their columns can be asked for.
            connection.setlimit(sqlite3.SQLITE_LIMIT_COLUMN, MOST_COLUMNS)
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200)
            connection.text_factory = _beginning
            connection.set_authorizer(_authorize)
            end = time.monotonic() + self._rules.query_seconds
            connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
            try:
                with closing(connection.execute(sql)) as cursor:
                    if cursor.description is None:
                        raise ToolRefused("that reads nothing; send one SELECT")
                    return _table([column[0] for column in cursor.description], cursor, most)
            except sqlite3.Error as error:
                raise ToolRefused(self._problem(error)) from error
            except (ValueError, OverflowError, MemoryError) as error:
                raise ToolRefused(f"that query cannot be read: {error}") from error

    def _open(self) -> sqlite3.Connection:
        if not self._files:
            raise ToolRefused("no database may be queried here; the operator can name some in the rules")
        connection = sqlite3.connect(":memory:", uri=True, isolation_level=None)
        try:
            for name, path in self._files.items():
                connection.execute(f"ATTACH ? AS {name}", (f"file:{quote(str(path))}?mode=ro",))
                connection.execute(f"SELECT 1 FROM {name}.sqlite_schema").fetchone()  # noqa: S608 - a name of the rules, as their pattern allows
        except sqlite3.Error as error:
            connection.close()
            raise ToolRefused(f"the databases cannot be opened: {error}") from error
        return connection

    def _problem(self, error: sqlite3.Error) -> str:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return f"the query took longer than {self._rules.query_seconds:g} s; ask for less"
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH:
            return "only reading is allowed; send one SELECT"
        return f"SQLite does not take that: {error}"


def _columns(connection: sqlite3.Connection, name: str) -> Iterator[tuple[str, list[str]]]:
    asked = (
        f"SELECT name FROM {name}.sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"  # noqa: S608 - as above
    )
    for (table,) in connection.execute(asked).fetchall():
        columns = connection.execute("SELECT name, type FROM pragma_table_info(?, ?)", (table, name))
        yield table, [f"{column} {kind}".strip() for column, kind in columns]


def _authorize(
    action: int, _first: str | None, second: str | None, _database: str | None, _inner: str | None
) -> int:
    if action not in _READS or (action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _NO_FUNCTION):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _beginning(raw: bytes) -> str:
    """What of a text is shown at most, so that a row of long ones is never held as a whole."""
    return raw[: 4 * (MOST_CELL + 1)].decode(errors="replace")


def _table(names: list[str], rows: Iterable[tuple[object, ...]], most: int) -> str:
    """The first rows, each cut before the next is read."""
    lines = [" | ".join(line(name) for name in names)]
    room = MOST_CHARS
    for number, row in enumerate(rows):
        shown = " | ".join(_cell(value) for value in row)
        room -= len(shown)
        if number == most or room < 0:
            lines.append(f"[there are more than these {number} rows]")
            break
        lines.append(shown)
    return "\n".join(lines if len(lines) > 1 else [*lines, "[no rows]"])


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    text = line(str(value)[: MOST_CELL + 1])
    return f"{text[:MOST_CELL]}…" if len(text) > MOST_CELL else text
