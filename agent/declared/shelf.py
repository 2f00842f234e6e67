"""Where tools that people made are kept: every version of them, in a SQLite file of the bot's own."""

import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agent.declared.document import Document, read_document
from policies.decision import Decision
from policies.load import WebRules

OPEN_SECONDS = 5.0
_SCHEMA = """
create table if not exists made (
    name text not null, number integer not null, document text not null, maker text not null, place text not null,
    at real not null, shared_by text not null default '', removed integer not null default 0,
    primary key (name, number)
) without rowid;
"""


class ShelfProblem(Exception):
    """What people made cannot be kept or read. Its text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The newest version of a tool that somebody made.

    Attributes:
        number: Its version, counted from 1.
        maker: Who wrote this version, as `surface:name`.
        place: Where it was made.
        at: When, in seconds since the epoch.
        shared_by: The maintainer who opened this version to everybody; empty: only its maker has it, there.
    """

    document: Document
    number: int
    maker: str
    place: str
    at: float
    shared_by: str = ""

    @property
    def version(self) -> str:
        """As a tool says it of itself."""
        return f"{self.number}.0.0"


class Shelf:
    """The file. What it holds is judged again each time it is opened, since the rules may have changed."""

    def __init__(self, path: Path, rules: WebRules, clock: Callable[[], float] = time.time) -> None:
        """Open it, creating it on first use.

        Raises:
            ShelfProblem: It cannot be opened.
        """
        self._clock = clock
        self._entries: dict[str, Entry] = {}
        self.broken: dict[str, str] = {}
        """Tools that are kept but not offered, with the reason, by name."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, timeout=OPEN_SECONDS, isolation_level=None)
            path.chmod(0o600)
            self._db.execute("pragma journal_mode=wal")
            self._db.executescript(_SCHEMA)
            rows = self._db.execute(
                "select name, number, document, maker, place, at, shared_by from made as one where removed = 0"
                " and number = (select max(number) from made where name = one.name)"
            ).fetchall()
        except (sqlite3.Error, OSError) as error:
            raise ShelfProblem(f"tools that people make cannot be kept in {path}: {error}") from error
        for name, number, text, maker, place, at, shared_by in rows:
            document = read_document(text, rules)
            if isinstance(document, Decision):
                self.broken[name] = document.why
            else:
                self._entries[name] = Entry(document, number, maker, place, at, shared_by)

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Every tool that can be offered, by name."""
        return self._entries

    def put(self, document: Document, maker: str, place: str) -> Entry:
        """Keep a new tool, or a new version of one; nobody has shared that.

        Raises:
            ShelfProblem: It cannot be written.
        """
        at = self._clock()
        with self._writing() as db:
            (newest,) = db.execute(
                "select coalesce(max(number), 0) from made where name = ?", (document.name,)
            ).fetchone()
            row = (
                document.name,
                newest + 1,
                document.model_dump_json(exclude_defaults=True),
                maker,
                place,
                at,
            )
            db.execute(
                "insert into made (name, number, document, maker, place, at) values (?, ?, ?, ?, ?, ?)", row
            )
        entry = Entry(document, newest + 1, maker, place, at)
        self._entries[document.name] = entry
        self.broken.pop(document.name, None)
        return entry

    def share(self, name: str, by: str) -> None:
        """Open the newest version of a tool to everybody.

        Raises:
            ShelfProblem: It cannot be written.
        """
        entry = self._entries[name]
        with self._writing() as db:
            db.execute(
                "update made set shared_by = ? where name = ? and number = ?", (by, name, entry.number)
            )
        self._entries[name] = replace(entry, shared_by=by)

    def remove(self, name: str) -> None:
        """Offer a tool no longer. Its versions are kept, so that none is counted twice.

        Raises:
            ShelfProblem: It cannot be written.
        """
        with self._writing() as db:
            db.execute("update made set removed = 1 where name = ?", (name,))
        self._entries.pop(name, None)
        self.broken.pop(name, None)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _writing(self) -> "_Writing":
        return _Writing(self._db)


class _Writing:
    """Writes all of it or nothing."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._db.execute("begin immediate")
        except sqlite3.Error as error:
            raise _unwritten(error) from error
        return self._db

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        try:
            self._db.execute("commit" if kind is None else "rollback")
        except sqlite3.Error as problem:
            raise _unwritten(problem) from problem
        if isinstance(error, sqlite3.Error):
            raise _unwritten(error) from error


def _unwritten(error: sqlite3.Error) -> ShelfProblem:
    return ShelfProblem(f"it could not be written down ({error}); try again")
