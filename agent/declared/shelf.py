"""Where tools that people made are kept: the newest version of each, in a SQLite file of the bot's own."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agent.declared.document import Document
from agent.declared.judging import read_document
from policies.decision import Decision
from policies.load import WebRules

OPEN_SECONDS = 5.0
BUSY_MS = 200
"""So long the event loop may stand still for another process that has the file, once it is open."""
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
class Broken:
    """A tool that is kept but not offered: who made it, and why it is not."""

    maker: str
    why: str


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
        self.broken: dict[str, Broken] = {}
        """Tools that are kept but not offered, by name."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, timeout=OPEN_SECONDS, isolation_level=None)
            path.chmod(0o600)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma secure_delete=on")
            self._db.executescript(_SCHEMA)
            # What an earlier version of this program kept of versions that nobody can use any more.
            self._db.execute(
                "delete from made where number < (select max(number) from made as one where one.name = made.name)"
            )
            self._db.execute("update made set document = '', place = '' where removed = 1 and document <> ''")
            rows = self._db.execute(
                "select name, number, document, maker, place, at, shared_by from made as one where removed = 0"
                " and number = (select max(number) from made where name = one.name)"
            ).fetchall()
            self._db.execute(f"pragma busy_timeout={BUSY_MS}")
        except (sqlite3.Error, OSError) as error:
            raise ShelfProblem(f"tools that people make cannot be kept in {path}: {error}") from error
        for name, number, text, maker, place, at, shared_by in rows:
            document = read_document(text, rules)
            if isinstance(document, Decision):
                self.broken[name] = Broken(maker, document.why)
            else:
                self._entries[name] = Entry(document, number, maker, place, at, shared_by)

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Every tool that can be offered, by name."""
        return self._entries

    def maker(self, name: str) -> str:
        """Who made the tool of that name, whether it can be offered or not; empty where there is none."""
        held = self._entries.get(name)
        broken = self.broken.get(name)
        return held.maker if held else broken.maker if broken else ""

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
            # The number alone is needed of those before, and the newest has it.
            db.execute("delete from made where name = ? and number <= ?", (document.name, newest))
        self._scrub()
        entry = Entry(document, newest + 1, maker, place, at)
        self._entries[document.name] = entry
        self.broken.pop(document.name, None)
        return entry

    def share(self, name: str, number: int, by: str) -> bool:
        """Open one version of a tool to everybody; False where it is not there any more, as another took its place.

        Raises:
            ShelfProblem: It cannot be written.
        """
        entry = self._entries.get(name)
        if entry is None or entry.number != number:
            return False
        with self._writing() as db:
            shared = db.execute(
                "update made set shared_by = ? where name = ? and number = ? and removed = 0",
                (by, name, number),
            ).rowcount
        if shared:
            self._entries[name] = replace(entry, shared_by=by)
        return shared == 1

    def remove(self, name: str) -> None:
        """Offer a tool no longer. Its name and number are kept, so that none is counted twice, and nothing else.

        Raises:
            ShelfProblem: It cannot be written.
        """
        with self._writing() as db:
            db.execute("update made set removed = 1, document = '', place = '' where name = ?", (name,))
        self._scrub()
        self._entries.pop(name, None)
        self.broken.pop(name, None)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _scrub(self) -> None:
        """Empty the log beside the file, where what was just taken out stands as well; at the latest closing does."""
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("pragma wal_checkpoint(truncate)")

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
