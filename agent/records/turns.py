"""What was said and done, on disk: turns that can be replayed part by part, an audit row for each call, what was spent.

One SQLite file of the bot's own. It is written when something has happened, never read in a hot path.
"""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from agent.calling.answered import Answered, Place
from agent.guardrails.redaction import whereabouts
from agent.records import exchanges, tables, usage
from agent.records.exchanges import Kept, writable
from agent.types import Message
from policies.limits import Spent

T = TypeVar("T")
_TRACES = "it is forgotten, but there may still be traces of it in the file beside `turns.sqlite3`"

log = logging.getLogger("theseus.turns")


class TurnsProblem(Exception):
    """What was said cannot be kept or read. Its text is a sentence for people."""


class TurnsUnreadable(TurnsProblem):
    """What is there is no file of turns, or one that is damaged beyond reading."""


class Turns:
    """The file."""

    def __init__(self, path: Path) -> None:
        """Open it, creating it on first use.

        Raises:
            TurnsProblem: It cannot be opened.
            TurnsUnreadable: Nor ever will be, as it stands.
        """
        try:
            self._db = tables.opened(path)
        except (sqlite3.Error, OSError) as error:
            # Damage has no class of its own; what a later try may mend (a lock, a full disk) has one.
            problem = TurnsUnreadable if type(error) is sqlite3.DatabaseError else TurnsProblem
            raise problem(f"what is said cannot be kept in {path}: {error}") from error

    def begin_day(self, now: float) -> None:
        """Let go of what is too old by a moment, in seconds since the epoch."""
        with self._writing():
            tables.let_go_of_old(self._db, now)

    def keep(self, place: Place, kept: Kept) -> None:
        """Write a whole turn down, or nothing of it."""
        with self._writing():
            exchanges.write(self._db, place, kept)

    def newest(self, conversation: str, most: int, *, parts: bool = False) -> list[Kept]:
        """The newest turns of a conversation, oldest first; none where the file cannot be read.

        Args:
            conversation: Where they were said.
            most: So many of them.
            parts: Also with all their parts in order, for who replays them.
        """
        read = partial(exchanges.newest, self._db, conversation, most, parts=parts)
        return self._read(read, [])

    def of(self, conversation: str, source: str) -> Kept | None:
        """The newest exchange whose question stands in one message; None where nothing is known of it."""
        if not source:
            return None
        return self._read(partial(exchanges.of, self._db, conversation, source), None)

    def forget(self, conversation: str, caller: str | None = None) -> int:
        """Let go of what was said in a conversation, and of what tools were given there; `scrub` takes the last traces.

        Who asked and who called what when, what came of it and what it cost stays, without a word of it.

        Args:
            conversation: Where it was said.
            caller: Only what this person asked, with its answers; None: what anybody did.

        Returns:
            How many questions with their answers are gone.

        Raises:
            TurnsProblem: Nothing could be let go of.
        """
        try:
            return tables.forget(self._db, conversation, caller)
        except sqlite3.Error as error:
            raise TurnsProblem(f"what was said cannot be let go of just now ({error}); try again") from error

    def forget_one(self, conversation: str, source: str) -> int:
        """Let go of the question that stands in one message, with its answer; see `forget`.

        Raises:
            TurnsProblem: It could not be let go of.
        """
        try:
            return tables.forget_one(self._db, conversation, source)
        except sqlite3.Error as error:
            raise TurnsProblem(f"what was said cannot be let go of just now ({error}); try again") from error

    def conversations(self, place: str) -> list[str]:
        """The conversations of a place and of what is below it of which there are words."""
        return self._read(partial(tables.conversations, self._db, place), [])

    def amend(self, conversation: str, source: str, question: str) -> None:
        """Put other words in the place of the question that stands in one message."""
        question = str(writable(question))
        asked = Message(role="user", text=question).model_dump_json()
        try:
            tables.amend(self._db, conversation, source, question, asked)
        except sqlite3.Error:
            log.exception("what was said could not be changed")

    def scrub(self) -> None:
        """Empty the log beside the file, in which what was let go of stands as well.

        Raises:
            TurnsProblem: Somebody else reads the file just now.
        """
        try:
            gone = tables.emptied(self._db)
        except sqlite3.Error as error:
            raise TurnsProblem(f"{_TRACES} ({error}); say it again") from error
        if not gone:
            raise TurnsProblem(f"{_TRACES}, since another program reads it; say it again")

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
                tuple(writable(each) for each in row),
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

    def hold(self, day: int, held: Mapping[str, Spent]) -> None:
        """Write down what is set aside, by whose budget it is; who opens the file next, books what is still there."""
        with self._writing():
            tables.hold(self._db, day, held)

    def settle(self, day: int, held: Mapping[str, Spent], actual: Spent) -> None:
        """Book what a question came to in each of these budgets, and write down what stays set aside there."""
        with self._writing():
            tables.spend(self._db, day, tuple(held), actual)
            tables.hold(self._db, day, held)

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
        except sqlite3.Error:
            log.exception("what was said or spent cannot be read")
            return otherwise
        except ValueError as error:  # its text would quote the row
            log.error("what was said or spent cannot be read: %s", whereabouts(error))  # noqa: TRY400 - see above
            return otherwise

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Write all of it or nothing. What cannot be written is logged and does not end a chat."""
        try:
            with self._db:
                self._db.execute("begin")
                yield
        # Halves of characters are no text for a database, and a number may be too large for one.
        except (sqlite3.Error, ValueError, OverflowError):
            log.exception("what was said or spent could not be written down")

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def open_turns(path: Path) -> Turns:
    """Open the file; one that cannot be read any more is set aside under another name, never thrown away.

    What was spent today is not known then, so budgets of the day begin anew; the log says so.

    Raises:
        TurnsProblem: It cannot be opened.
    """
    try:
        return Turns(path)
    except TurnsUnreadable as problem:
        aside = path.with_name(f"{path.name}.unreadable-{time.time_ns()}")
        path.replace(aside)
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        log.error("%s; it stands in %s now, and today's budgets begin anew", problem, aside.name)  # noqa: TRY400 - all said
    return Turns(path)
