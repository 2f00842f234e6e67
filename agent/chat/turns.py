"""What was said and done, on disk: turns that can be replayed part by part, an audit row for each call, what was spent.

One SQLite file of the bot's own. It is written when something has happened, never read in a hot path.
"""

import contextlib
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from agent.chat import usage
from agent.chat.calls import Answered, Place
from agent.types import Message
from policies.limits import DAY, Spent, day_of

KEPT_DAYS = 90
"""What is older than this is let go of when the file is opened, and with each day that begins."""
OPEN_SECONDS = 5.0
BUSY_MS = 200
"""So long the event loop may stand still for another process that writes; what comes too late for it is let go of."""
_SCHEMA = """
create table if not exists turns (
    id integer primary key, at real not null, conversation text not null, caller text not null,
    question text not null, answer text not null, outside integer not null, model text not null,
    tokens integer not null, dollars real not null, seconds real not null, sources text not null default '[]',
    provider text not null default ''
);
create index if not exists turns_of_place on turns (conversation, id);
create table if not exists parts (
    turn integer not null references turns (id), place integer not null, message text not null,
    primary key (turn, place)
) without rowid;
create table if not exists calls (
    id integer primary key, at real not null, caller text not null, conversation text not null, agent text not null,
    call text not null, tool text not null, outcome text not null, arguments text not null, note text not null,
    seconds real not null, dollars real not null, stages text not null default '', error text not null default '',
    model text not null default ''
);
create index if not exists calls_of_tool on calls (tool, id);
create index if not exists calls_of_person on calls (caller, tool, at);
create index if not exists calls_of_place on calls (conversation, at);
create table if not exists met (
    tool text not null, version text not null, at real not null, primary key (tool, version)
) without rowid;
create table if not exists spent (
    day integer not null, whose text not null, tokens integer not null, dollars real not null,
    primary key (day, whose)
) without rowid;
"""
_FORGET = (
    "delete from parts where turn in (select id from turns where conversation = ?1 and (?2 is null or caller = ?2))",
    "update calls set arguments = '{}', note = '' where conversation = ?1 and (?2 is null or caller = ?2)",
    "delete from turns where conversation = ?1 and (?2 is null or caller = ?2)",
)
"""The last says how many questions are gone."""
_LATER = (
    ("turns", "sources", "[]"),
    ("turns", "provider", ""),
    ("calls", "stages", ""),
    ("calls", "error", ""),
    ("calls", "model", ""),
)
"""Columns that a file from an earlier version lacks: table, name, what older rows hold."""
T = TypeVar("T")
_SOURCES: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])

log = logging.getLogger("theseus.turns")


class TurnsProblem(Exception):
    """What was said cannot be kept or read. Its text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One question and its answer.

    Attributes:
        outside: Text from outside had a part in it.
        parts: Every message of the turn in order, the question first; empty where only the outline was asked for.
        caller: Who asked, as `surface:name`.
        sources: Addresses that its tools found; they may be visited and shown later on.
    """

    question: str
    answer: str
    outside: bool = False
    parts: tuple[Message, ...] = ()
    model: str = ""
    tokens: int = 0
    dollars: float = 0.0
    seconds: float = 0.0
    at: float = 0.0
    caller: str = ""
    sources: tuple[str, ...] = ()


class Turns:
    """The file."""

    def __init__(self, path: Path) -> None:
        """Open it, creating it on first use.

        Raises:
            TurnsProblem: It cannot be opened.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, timeout=OPEN_SECONDS, isolation_level=None)
            path.chmod(0o600)
            self._db.execute("pragma journal_mode=wal")
            # A turn lost to a power cut is no harm; waiting for the disk in the middle of a chat is.
            self._db.execute("pragma synchronous=off")
            self._db.execute("pragma secure_delete=on")
            self._db.executescript(_SCHEMA)
            for table, column, default in _LATER:
                if column not in {row[1] for row in self._db.execute(f"pragma table_info({table})")}:
                    self._db.execute(
                        f"alter table {table} add column {column} text not null default '{default}'"
                    )
            self._let_go(time.time() - KEPT_DAYS * DAY)
            self._db.execute(f"pragma busy_timeout={BUSY_MS}")
        except (sqlite3.Error, OSError) as error:
            raise TurnsProblem(f"what is said cannot be kept in {path}: {error}") from error

    def begin_day(self, now: float) -> None:
        """Let go of what is too old by a moment, in seconds since the epoch."""
        with self._writing():
            self._let_go(now - KEPT_DAYS * DAY)

    def _let_go(self, oldest: float) -> None:
        self._db.execute("delete from parts where turn in (select id from turns where at < ?)", (oldest,))
        self._db.execute("delete from turns where at < ?", (oldest,))
        self._db.execute("delete from calls where at < ?", (oldest,))
        self._db.execute("delete from spent where day < ?", (day_of(oldest),))

    def keep(self, place: Place, kept: Kept) -> None:
        """Write a whole turn down, or nothing of it."""
        with self._writing():
            row = (
                kept.at, place.conversation, place.caller, kept.question, kept.answer, kept.outside, kept.model,
                kept.tokens, kept.dollars, kept.seconds, json.dumps([_storable(each) for each in kept.sources]),
                place.model.partition("/")[0] if "/" in place.model else "",
            )  # fmt: skip
            turn = self._db.execute(
                "insert into turns (at, conversation, caller, question, answer, outside, model, tokens, dollars,"
                " seconds, sources, provider) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            ).lastrowid
            self._db.executemany(
                "insert into parts values (?, ?, ?)",
                [(turn, number, part.model_dump_json()) for number, part in enumerate(kept.parts)],
            )

    def newest(self, conversation: str, most: int, *, parts: bool = False) -> list[Kept]:
        """The newest turns of a conversation, oldest first; none where the file cannot be read.

        Args:
            conversation: Where they were said.
            most: So many of them.
            parts: Also with all their parts in order, for who replays them.
        """
        return self._read(partial(self._newest, conversation, most, parts=parts), [])

    def _newest(self, conversation: str, most: int, *, parts: bool) -> list[Kept]:
        rows = self._db.execute(
            "select id, at, caller, question, answer, outside, model, tokens, dollars, seconds, sources from turns"
            " where conversation = ? order by id desc limit ?",
            (conversation, most),
        ).fetchall()
        return [
            Kept(
                question=question,
                answer=answer,
                outside=bool(outside),
                parts=self._parts(turn) if parts else (),
                model=model,
                tokens=tokens,
                dollars=dollars,
                seconds=seconds,
                at=at,
                caller=caller,
                sources=_SOURCES.validate_json(sources),
            )
            for turn, at, caller, question, answer, outside, model, tokens, dollars, seconds, sources in rows[
                ::-1
            ]
        ]

    def _parts(self, turn: int) -> tuple[Message, ...]:
        rows = self._db.execute("select message from parts where turn = ? order by place", (turn,))
        return tuple(Message.model_validate_json(message) for (message,) in rows)

    def forget(self, conversation: str, caller: str | None = None) -> int:
        """Let go of what was said in a conversation, and of what tools were given there, so that no trace is in the file.

        The audit keeps who called what, and what came of it.

        Args:
            conversation: Where it was said.
            caller: Only what this person asked, with its answers; None: what anybody did.

        Returns:
            How many questions with their answers are gone.

        Raises:
            TurnsProblem: Nothing could be let go of.
        """
        gone = 0
        try:
            with self._db:
                self._db.execute("begin")
                for statement in _FORGET:
                    gone = self._db.execute(statement, (conversation, caller)).rowcount
            self._db.execute("pragma wal_checkpoint(truncate)")  # what was deleted stands in the log as well
        except sqlite3.Error as error:
            raise TurnsProblem(f"what was said cannot be let go of just now ({error}); try again") from error
        return gone

    def note(self, place: Place, answered: Answered) -> None:
        """Write down what came of one call."""
        why = "" if place.private or answered.outcome in ("ok", "cached") else answered.text[:300]
        arguments = "{}" if place.private else answered.arguments
        row = (
            time.time(), place.caller, place.conversation, place.agent, answered.call.id, answered.tool,
            answered.outcome, arguments, why, answered.seconds, answered.cost, answered.stages,
            answered.error, place.model,
        )  # fmt: skip
        with self._writing():
            self._db.execute(
                "insert into calls (at, caller, conversation, agent, call, tool, outcome, arguments, note, seconds,"
                " dollars, stages, error, model) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                tuple(_storable(each) for each in row),
            )

    def cached(self, conversation: str, kept: Kept) -> frozenset[str]:
        """The ids of those calls of an exchange whose answer was given again."""
        within = (kept.at - kept.seconds - 1, kept.at + 1)
        return self._read(partial(usage.cached, self._db, conversation, within), frozenset())

    def calls(self, most: int = 100) -> list[dict[str, Any]]:
        """The newest audit rows, newest first; none where the file cannot be read."""
        return self._read(partial(usage.newest_calls, self._db, most), [])

    def used(self, tool: str) -> usage.Used:
        """How a tool has been used, in all; as if never, where the file cannot be read."""
        return self._read(partial(usage.used, self._db, tool), usage.UNUSED)

    def used_on(self, day: int, caller: str, tool: str) -> int:
        """How often somebody had a tool run on a day (of UTC, by number)."""
        return self._read(partial(usage.used_on, self._db, day, caller, tool), 0)

    def usage(self, since: float) -> usage.Usage:
        """Who and what was used since a moment (seconds since the epoch); nothing where the file cannot be read."""
        return self._read(partial(usage.usage_since, self._db, since), usage.Usage())

    def meet(self, tool: str, version: str) -> None:
        """Write down that a version of a tool is offered, the first time that it is."""
        with self._writing():
            self._db.execute("insert or ignore into met values (?, ?, ?)", (tool, version, time.time()))

    def met(self, tool: str) -> float:
        """Since when a tool is known, in seconds since the epoch; 0 where nobody wrote it down."""
        return self._read(partial(usage.met, self._db, tool), 0.0)

    def spend(self, day: int, whose: Sequence[str], spent: Spent) -> None:
        """Add to what was spent on a day, in each of several names."""
        with self._writing():
            self._db.executemany(
                "insert into spent values (?, ?, ?, ?) on conflict (day, whose)"
                " do update set tokens = tokens + excluded.tokens, dollars = dollars + excluded.dollars",
                [(day, each, spent.tokens, spent.dollars) for each in whose],
            )

    def spent(self, day: int) -> dict[str, Spent]:
        """What was spent on a day, by whose budget it was; nothing where the file cannot be read."""
        return self._read(partial(self._spent, day), {})

    def _spent(self, day: int) -> dict[str, Spent]:
        rows = self._db.execute("select whose, tokens, dollars from spent where day = ?", (day,))
        return {whose: Spent(tokens, dollars) for whose, tokens, dollars in rows}

    def _read(self, read: Callable[[], T], otherwise: T) -> T:
        """Read, or go on without: a damaged file, or a row that another version wrote, is no fault of who asks."""
        try:
            return read()
        except (sqlite3.Error, ValueError):
            log.exception("what was said or spent cannot be read")
            return otherwise

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Write all of it or nothing. What cannot be written is logged and does not end a chat."""
        try:
            with self._db:
                self._db.execute("begin")
                yield
        except (sqlite3.Error, ValueError):  # halves of characters are no text for a database
            log.exception("what was said or spent could not be written down")

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _storable(value: float | str) -> float | str:
    """Halves of characters, which a model may send, cannot be written."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
