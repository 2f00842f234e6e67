"""One message a proposal, edited in place as the proposal goes its way, wherever that is decided.

Where the messages are stands in the shelf, so that the next process goes on editing them. What was said while nobody
listened is made up for at each new session: a card shows what the steward says now, not what was heard.
"""

import asyncio
import hashlib
import logging
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import discord
from pydantic import BaseModel

from bot.discord.patience import UNREACHABLE, patiently
from bot.discord.review.cards import Around, Press, card
from bot.discord.review.parts import card_view
from bot.discord.review.points import Act
from selfedit import protocol as say
from selfedit.answers.telling import Changed, counted
from selfedit.types import Proposal, Stage

PAUSE = 1.5
"""Seconds between two edits of one card; Discord takes five edits in five seconds in one channel."""
AGAIN, LONGEST = 30.0, 3_600.0
"""Seconds after which a card is tried again that could not be brought up to date, and at most; each time twice as many."""
_MOST = 1000
"""Proposals that are looked at when a session begins; the protocol hands out no more at once."""
_KEPT = 200
"""Changes of which it is remembered how large they are."""
_TABLES = """
CREATE TABLE IF NOT EXISTS cards (
    number INTEGER PRIMARY KEY, guild INTEGER, channel INTEGER NOT NULL, message INTEGER NOT NULL,
    seen TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS card_news (number INTEGER NOT NULL, stage TEXT NOT NULL, PRIMARY KEY (number, stage));
CREATE TABLE IF NOT EXISTS card_threads (thread INTEGER PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS card_presses (number INTEGER NOT NULL, act TEXT NOT NULL, who INTEGER NOT NULL, at REAL NOT NULL);
"""

Ask = Callable[[BaseModel], Awaitable[BaseModel]]
"""Asks the steward."""

log = logging.getLogger("theseus.discord")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message is; `guild` is None between two people."""

    guild: int | None
    channel: int
    message: int

    @property
    def link(self) -> str:
        """The address at which people find it."""
        return f"https://discord.com/channels/{self.guild or '@me'}/{self.channel}/{self.message}"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A proposal as its card shows it."""

    one: Proposal
    embed: discord.Embed
    view: discord.ui.View

    @property
    def stamp(self) -> str:
        """The same for what looks the same."""
        return repr((self.embed.to_dict(), self.view.to_components()))


class Board:
    """The cards of all proposals that have one."""

    def __init__(
        self, shelf: sqlite3.Connection, client: discord.Client, ask: Ask, pause: float = PAUSE
    ) -> None:
        """Open what is known of them.

        Args:
            shelf: Where their places are kept.
            client: Edits the messages.
            ask: Asks the steward.
            pause: Seconds between two edits of one card.
        """
        shelf.executescript(_TABLES)
        self._shelf, self._client, self._ask = shelf, client, ask
        self.pause, self.again = pause, AGAIN
        self.shut_out: Callable[[int, Place], None] = _left_there
        """Hears of a card that the bot may not change any more, and which is the proposal's no longer."""
        self._failed: dict[int, int] = {}
        self._later: dict[int, asyncio.TimerHandle] = {}
        self._doing: dict[int, tuple[Stage, str]] = {}
        self._drawn: dict[int, str] = {}
        self._changed: OrderedDict[str, tuple[Changed, ...]] = OrderedDict()
        self._stale: set[int] = set()
        self._work: dict[int, asyncio.Task[None]] = {}

    # Where they are

    def place(self, number: int) -> Place | None:
        """Where a proposal's card is; None while it has none."""
        row = self._shelf.execute(
            "SELECT guild, channel, message FROM cards WHERE number = ?", (number,)
        ).fetchone()
        return Place(*row) if row else None

    def put(self, number: int, place: Place, shows: Drawn | None = None) -> None:
        """From now on a message is the card of a proposal; what has moved since it was drawn is made up for."""
        self._shelf.execute(
            "INSERT OR REPLACE INTO cards (number, guild, channel, message) VALUES (?, ?, ?, ?)",
            (number, place.guild, place.channel, place.message),
        )
        self._drawn.pop(number, None)
        if shows is not None:
            self._is_drawn(place, shows)
        self.changed(number)

    def let_go(self, message: int) -> None:
        """A message is gone, and the proposal has no card until somebody wants to see it."""
        self._shelf.execute("DELETE FROM cards WHERE message = ?", (message,))

    def left(self, guild: int) -> None:
        """The bot is on a server no more: the proposals that had their card there have none."""
        mine = "SELECT number FROM cards WHERE guild = ?"
        self._shelf.execute(f"DELETE FROM card_threads WHERE number IN ({mine})", (guild,))  # noqa: S608 - a constant
        self._shelf.execute("DELETE FROM cards WHERE guild = ?", (guild,))

    def pressed(self, number: int, act: Act, who: int) -> None:
        """Somebody did something to a proposal, which is said on its card."""
        self._shelf.execute("INSERT INTO card_presses VALUES (?, ?, ?, ?)", (number, act, who, time.time()))

    def first_told(self, number: int, stage: Stage) -> bool:
        """Whether it was not told yet, anywhere, that a proposal came to a stage; from now on it was."""
        found = self._shelf.execute("INSERT OR IGNORE INTO card_news VALUES (?, ?)", (number, stage.value))
        return found.rowcount > 0

    def thread(self, number: int) -> int:
        """The thread in which a proposal is asked about; 0 while there is none."""
        row = self._shelf.execute("SELECT thread FROM card_threads WHERE number = ?", (number,)).fetchone()
        return int(row[0]) if row else 0

    def thread_is(self, number: int, thread: int) -> None:
        """A thread was opened about a proposal."""
        self._shelf.execute("INSERT OR REPLACE INTO card_threads VALUES (?, ?)", (thread, number))

    def thread_is_gone(self, number: int) -> None:
        """The thread about a proposal was deleted."""
        self._shelf.execute("DELETE FROM card_threads WHERE number = ?", (number,))

    def about(self, thread: int) -> int | None:
        """Which proposal a thread is about; None for other places."""
        row = self._shelf.execute("SELECT number FROM card_threads WHERE thread = ?", (thread,)).fetchone()
        return int(row[0]) if row else None

    # What they show

    async def draw(self, one: Proposal, link: str = "") -> Drawn:
        """A proposal as it is shown now; a copy has a link to the card itself."""
        return Drawn(one, card(one, await self._around(one)), card_view(one, link))

    async def _around(self, one: Proposal) -> Around:
        rows = self._shelf.execute(
            "SELECT act, who, at FROM card_presses WHERE number = ? ORDER BY at", (one.number,)
        ).fetchall()
        presses = [Press(Act(act), who, datetime.fromtimestamp(at, UTC)) for act, who, at in rows]
        stage, doing = self._doing.get(one.number, (one.stage, ""))
        return Around(await self._changes(one), presses, doing if stage is one.stage else "")

    def doing(self, number: int, stage: Stage, text: str) -> None:
        """Something is being done with a proposal, for as long as it is at this stage."""
        self._doing[number] = stage, text

    def done(self, number: int) -> None:
        """Nothing is being done with it any more."""
        self._doing.pop(number, None)

    def changed(self, number: int) -> None:
        """Something is new about a proposal: its card is brought up to date, soon."""
        self._stale.add(number)
        if number not in self._work:
            self._work[number] = asyncio.create_task(self._update(number))

    async def catch_up(self) -> None:
        """Bring every card up to date of which the proposal has moved while nobody listened."""
        rows = self._shelf.execute("SELECT number, seen FROM cards").fetchall()
        if not rows:
            return
        answer = await self._ask(say.Proposals(limit=_MOST))
        if not isinstance(answer, say.ProposalsAre):
            return
        now = {one.number: _seen(one) for one in answer.proposals}
        for number, seen in rows:
            if now.get(number, seen) != seen:
                self.changed(number)

    async def settled(self) -> None:
        """Wait until every card is up to date."""
        while self._work:
            await asyncio.wait([*self._work.values()])

    async def close(self) -> None:
        """Stop editing."""
        for timer in self._later.values():
            timer.cancel()
        working = list(self._work.values())
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    async def _update(self, number: int) -> None:
        try:
            while number in self._stale:
                self._stale.discard(number)
                if await self._show(number):
                    self._failed.pop(number, None)
                else:
                    self._try_later(number)
                await asyncio.sleep(self.pause)
        except Exception:
            log.exception("the card of proposal %d could not be brought up to date", number)
        finally:
            del self._work[number]

    def _try_later(self, number: int) -> None:
        times = self._failed.get(number, 0)
        self._failed[number] = times + 1
        if (timer := self._later.pop(number, None)) is not None:
            timer.cancel()
        wait = min(self.again * 2.0 ** min(times, 20), LONGEST)
        self._later[number] = asyncio.get_running_loop().call_later(wait, self.changed, number)

    async def _show(self, number: int) -> bool:
        """Bring a card up to date; False where that could not be done."""
        place = self.place(number)
        if place is None:
            return True
        answer = await self._ask(say.Show(number=number))
        if not isinstance(answer, say.ProposalIs):
            return False
        drawn = await self.draw(answer.proposal)
        if drawn.stamp == self._drawn.get(number):
            return True
        channel = self._client.get_partial_messageable(place.channel, guild_id=place.guild)
        message = channel.get_partial_message(place.message)
        try:
            await patiently(lambda: message.edit(content=None, embed=drawn.embed, view=drawn.view))
        except discord.NotFound:
            log.info("the card of proposal %d is gone", number)
            self.let_go(place.message)
        except discord.Forbidden:
            log.warning(
                "the card of proposal %d stands where the bot may not change it any more: %s",
                number,
                place.link,
            )
            self.let_go(place.message)
            self.shut_out(number, place)
        except UNREACHABLE as error:
            log.warning("the card of proposal %d could not be changed: %s", number, error)
            return False
        else:
            self._is_drawn(place, drawn)
        return True

    def _is_drawn(self, place: Place, drawn: Drawn) -> None:
        self._drawn[drawn.one.number] = drawn.stamp
        self._shelf.execute("UPDATE cards SET seen = ? WHERE message = ?", (_seen(drawn.one), place.message))

    async def _changes(self, one: Proposal) -> tuple[Changed, ...]:
        if not one.head:
            return ()
        if one.head not in self._changed:
            answer = await self._ask(say.Diff(number=one.number))
            if not isinstance(answer, say.DiffIs):
                return ()
            self._changed[answer.head] = counted(answer.files)
            while len(self._changed) > _KEPT:
                self._changed.popitem(last=False)
        return self._changed.get(one.head, ())


def _left_there(_number: int, _place: Place) -> None:
    """Nobody shows it anew."""


def _seen(one: Proposal) -> str:
    """What a card was made of, in a few letters."""
    return hashlib.sha256(one.model_dump_json().encode()).hexdigest()[:16]
