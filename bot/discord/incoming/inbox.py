"""The inbox: a row for each thing that was accepted, so that none is forgotten and none is answered twice.

A row is written before the work on it begins, holds ids and never what was said, and ends in one of two states:
`answered`, or `lost` with the reason. What is in neither when the process ends is taken up by the next process: a
message is read again from Discord by its id and answered, a command or button is not carried out a second time, and who
used it is told so.

How other modules take part:

- **Messages** come to their work as a `bot.discord.incoming.places.Question`, which keeps the row. Show every piece of the answer by
  `await question.post(at, text, ...)`: piece 0 is a reply, each call for the same piece changes it, and however often the
  process dies or the network fails there is one message for each piece. A call waits until the answers to what was said
  earlier in that place are out. `question.lose(why)` marks it lost; when the work returns it is marked answered; when the
  work raises it is marked lost, and its author is told.
- **Commands, buttons, forms** run inside `with client.inbox.use(interaction) as fresh:`, entered before anything else is
  awaited; where `fresh` is false it was accepted before, and nothing is to be done.
"""

import logging
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from enum import StrEnum

import discord

KEPT_SECONDS = 2 * 86_400.0
"""How long a finished row is kept; what is older cannot come again, as it is too old to be answered."""
MOST_PLACES = 100
"""In so many places, those where people spoke last, it is known what was seen last."""
SUSPECT_TRIES, MOST_TRIES = 2, 4
"""After so many failed tries a message is a suspect, and is left.

The first two may be the fault of whatever else was being answered when the process ended. An answer that is out counts as under
way for as long as the library then waits for Discord's limit, seconds, so even the third may be nobody's fault here.
"""
MOST_UNWRITTEN = 10_000
"""Of so many things that could not be written down it is known that they were accepted."""
_PURGE_EVERY = 500
"""Rows between two looks for old ones."""
_TABLES = """
CREATE TABLE IF NOT EXISTS inbox (
    id INTEGER PRIMARY KEY, channel INTEGER NOT NULL, guild INTEGER, author INTEGER NOT NULL, kind TEXT NOT NULL,
    state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', token TEXT NOT NULL DEFAULT '',
    at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS inbox_answer (
    question INTEGER NOT NULL, piece INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (question, piece)
);
CREATE TABLE IF NOT EXISTS heard (
    channel INTEGER PRIMARY KEY, guild INTEGER, message INTEGER NOT NULL, at REAL NOT NULL,
    missed INTEGER NOT NULL DEFAULT 0
);
"""


log = logging.getLogger("theseus.discord")


class State(StrEnum):
    """How far a row is."""

    ACCEPTED = "accepted"
    ANSWERING = "answering"
    ANSWERED = "answered"
    LOST = "lost"


class Kind(StrEnum):
    """What a row is about: chat can be answered again by the next process, the others are not carried out twice."""

    CHAT = "chat"
    CONTROL = "control"
    INTERACTION = "interaction"


@dataclass(frozen=True, slots=True)
class Item:
    """What is accepted.

    Attributes:
        id: Of the message or interaction.
        channel: Where it came.
        guild: The server of that place; None for direct messages.
        author: Who wrote or used it.
        kind: What it is.
        token: By which an interaction can still be answered; empty for others, and once it is finished.
    """

    id: int
    channel: int
    guild: int | None
    author: int
    kind: Kind = Kind.CHAT
    token: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of an item.

    Attributes:
        item: What was accepted.
        state: How far it is.
        tries: How often work on it began in a process that did not end in good order.
        reason: Why it is lost.
        answers: The messages that answer it, by piece.
    """

    item: Item
    state: State
    tries: int
    reason: str
    answers: dict[int, int]


@dataclass(frozen=True, slots=True)
class Heard:
    """A place where somebody spoke, and the last message that was seen there."""

    channel: int
    guild: int | None
    message: int


class Inbox:
    """All rows, in the shelf of the home."""

    def __init__(self, shelf: sqlite3.Connection, clock: Callable[[], float] = time.time) -> None:
        """Open it.

        Args:
            shelf: Where the rows are kept.
            clock: Seconds since 1970.

        Raises:
            sqlite3.Error: The shelf cannot be used.
        """
        self._shelf, self._clock = shelf, clock
        self._written, self._ending = 0, False
        self._unwritten: OrderedDict[int, None] = OrderedDict()
        """What was accepted though nothing could be written."""
        shelf.executescript(_TABLES)
        self.purge()

    def accept(self, item: Item) -> bool:
        """Write a row; False when there is one, so that this was accepted before."""
        self._written += 1
        if self._written % _PURGE_EVERY == 0:
            self.purge()
        done = self._write(
            "INSERT OR IGNORE INTO inbox (id, channel, guild, author, kind, token, state, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*astuple(item), State.ACCEPTED, self._clock()),
        )
        if done is not None:
            return done.rowcount == 1
        fresh = item.id not in self._unwritten
        self._unwritten[item.id] = None
        if len(self._unwritten) > MOST_UNWRITTEN:
            self._unwritten.popitem(last=False)
        return fresh

    def _write(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor | None:
        """Write something down; None where that cannot be: then people are answered all the same, as long as this process lives."""
        try:
            return self._shelf.execute(statement, values)
        except sqlite3.Error:
            log.exception(
                "the inbox cannot be written to; what is being answered is forgotten if the process ends"
            )
            return None

    def begin(self, thing: int) -> None:
        """Work on it begins."""
        self._write("UPDATE inbox SET state = ?, tries = tries + 1 WHERE id = ?", (State.ANSWERING, thing))

    def put_back(self, thing: int) -> None:
        """The process ends in good order before the work was done: for the next one that is no failed try."""
        self._write(
            "UPDATE inbox SET state = ?, tries = tries - 1 WHERE id = ? AND state = ?",
            (State.ACCEPTED, thing, State.ANSWERING),
        )

    def sent(self, thing: int, piece: int, message: int) -> None:
        """A piece of its answer is out, as this message."""
        self._write("INSERT OR REPLACE INTO inbox_answer VALUES (?, ?, ?)", (thing, piece, message))

    def sent_since(self, message: int) -> list[tuple[int, int, int]]:
        """Where answers were sent since a message: the channel, how many, and the newest of them."""
        return self._shelf.execute(
            "SELECT channel, COUNT(*), MAX(message) FROM inbox_answer JOIN inbox ON inbox.id = question "
            "WHERE message > ? GROUP BY channel",
            (message,),
        ).fetchall()

    def withdrawn(self, thing: int, piece: int) -> None:
        """A piece of its answer was taken back."""
        self._write("DELETE FROM inbox_answer WHERE question = ? AND piece = ?", (thing, piece))

    def used_for(self, message: int, *, first: bool = False) -> Item | None:
        """The command that a message answers, for as long as its row is kept; `first`: only its first message counts."""
        row = self._shelf.execute(
            "SELECT question FROM inbox_answer WHERE message = ? AND (piece = 0 OR NOT ?)", (message, first)
        ).fetchone()
        found = self.row(row[0]) if row is not None else None
        return found.item if found is not None and found.item.kind is Kind.INTERACTION else None

    def answered(self, thing: int) -> None:
        """All of its answer is out."""
        self._finish(thing, State.ANSWERED, "")

    def lost(self, thing: int, why: str) -> None:
        """It will not be answered, and why."""
        self._finish(thing, State.LOST, why)

    def _finish(self, thing: int, state: State, why: str) -> None:
        self._write(
            "UPDATE inbox SET state = ?, reason = ?, token = '' WHERE id = ? AND state IN (?, ?)",
            (state, why, thing, State.ACCEPTED, State.ANSWERING),
        )

    @contextmanager
    def use(self, used: discord.Interaction) -> Iterator[bool]:
        """Keep the row of a command, button or form while it is carried out; whether it is new."""
        place = used.channel_id or 0
        fresh = self.accept(Item(used.id, place, used.guild_id, used.user.id, Kind.INTERACTION, used.token))
        if not fresh:
            yield False
            return
        self.begin(used.id)
        try:
            yield True
        except Exception as error:
            if not self._ending:
                self.lost(used.id, f"it failed: {type(error).__name__}")
            raise
        if not self._ending:  # else the way to Discord was closed under it, and the next process says so
            self.answered(used.id)

    def end(self) -> None:
        """The process ends: what is being carried out is left unfinished."""
        self._ending = True

    def row(self, thing: int) -> Row | None:
        """The row of a message or interaction."""
        return next(iter(self._rows("id = ?", (thing,))), None)

    def left(self) -> list[Row]:
        """What the last process left unfinished, oldest first. Call it once, before work on anything begins.

        Where it ended over a suspect that alone was the cause: for what it was answering beside it that was no try.
        """
        working = (State.ANSWERING, SUSPECT_TRIES)
        found = self._shelf.execute("SELECT COUNT(*) FROM inbox WHERE state = ? AND tries > ?", working)
        self._shelf.execute(
            "UPDATE inbox SET state = ?, tries = tries - (? AND tries <= ?) WHERE state = ?",
            (State.ACCEPTED, found.fetchone()[0] > 0, SUSPECT_TRIES, State.ANSWERING),
        )
        return self.unfinished()

    def unfinished(self) -> list[Row]:
        """What is neither answered nor lost, oldest first."""
        return self._rows("state IN (?, ?)", (State.ACCEPTED, State.ANSWERING))

    def _rows(self, where: str, values: Sequence[object]) -> list[Row]:
        columns = "id, channel, guild, author, kind, token, state, tries, reason"
        found = self._shelf.execute(
            f"SELECT {columns} FROM inbox WHERE {where} ORDER BY id",  # noqa: S608 - constants of this class
            values,
        ).fetchall()
        rows = []
        for thing, channel, guild, author, kind, token, state, tries, reason in found:
            pieces = self._shelf.execute(
                "SELECT piece, message FROM inbox_answer WHERE question = ?", (thing,)
            )
            item = Item(thing, channel, guild, author, Kind(kind), token)
            rows.append(Row(item, State(state), tries, reason, dict(pieces.fetchall())))
        return rows

    def counts(self) -> dict[State, int]:
        """How many rows are in each state."""
        found = self._shelf.execute("SELECT state, COUNT(*) FROM inbox GROUP BY state").fetchall()
        return {state: dict(found).get(state, 0) for state in State}

    def heard(self, channel: int, guild: int | None, message: int) -> None:
        """A message was seen in a place; where something was missed before it, that stays to be read."""
        self._write(
            "INSERT INTO heard (channel, guild, message, at) VALUES (?, ?, ?, ?) ON CONFLICT (channel) DO UPDATE"
            " SET message = CASE WHEN missed THEN message ELSE MAX(message, excluded.message) END, at = excluded.at",
            (channel, guild, message, self._clock()),
        )

    def places(self) -> list[Heard]:
        """Where somebody spoke last, the liveliest first."""
        return self._heard("1")

    def missed(self, elsewhere: Sequence[Heard] = ()) -> list[Heard]:
        """Where something may have been missed and is not read yet; with more places, those from now on as well."""
        for place in elsewhere:
            self._shelf.execute(
                "INSERT OR IGNORE INTO heard (channel, guild, message, at, missed) VALUES (?, ?, ?, ?, 1)",
                (place.channel, place.guild, place.message, self._clock()),
            )
        return self._heard("missed")

    def _heard(self, where: str) -> list[Heard]:
        found = self._shelf.execute(
            f"SELECT channel, guild, message FROM heard WHERE {where} ORDER BY at DESC LIMIT ?",  # noqa: S608 - constants
            (MOST_PLACES,),
        )
        return [Heard(*each) for each in found.fetchall()]

    def miss(self) -> None:
        """A session was lost: anywhere something may have been missed, until it is read."""
        self._write("UPDATE heard SET missed = 1")

    def read(self, channel: int, message: int) -> None:
        """What was missed in a place is accepted up to a message."""
        self._write("UPDATE heard SET message = MAX(message, ?) WHERE channel = ?", (message, channel))

    def caught_up(self, channel: int) -> None:
        """All that was missed in a place is accepted."""
        self._write("UPDATE heard SET missed = 0 WHERE channel = ?", (channel,))

    def purge(self) -> None:
        """Forget finished rows that are old, and places where nobody spoke for long."""
        old = self._clock() - KEPT_SECONDS
        finished = (old, State.ANSWERED, State.LOST)
        self._shelf.execute("DELETE FROM inbox WHERE at < ? AND state IN (?, ?)", finished)
        self._shelf.execute("DELETE FROM inbox_answer WHERE question NOT IN (SELECT id FROM inbox)")
        places = "DELETE FROM heard WHERE channel NOT IN (SELECT channel FROM heard ORDER BY at DESC LIMIT ?)"
        self._shelf.execute(places, (MOST_PLACES,))
