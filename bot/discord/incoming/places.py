"""Order in each place: who waits for whom, and what of an answer may be shown when.

Questions in one place are worked on side by side, a few at a time and one of each author, but what answers them is shown
in the order in which they were asked. Control commands wait for nobody.

A suspect, which was being answered when the process ended twice, is answered when the process has been up for a while, so
that it cannot bring it down for good, and no other suspect beside it, so that the guilty one is known. What was asked after
it in its place is worked on afterwards.
"""

import asyncio
import io
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import discord
from discord.utils import snowflake_time, time_snowflake, utcnow

from bot.discord.incoming.inbox import Inbox, Item, Kind
from bot.discord.patience import UNREACHABLE, patiently

SIDE_BY_SIDE = 3
"""Questions of one place that are worked on at once."""
MOST_WAITING = 250
"""Questions of one place that are worked on or wait; whoever asks then is asked to come back."""
LIMIT_SECONDS, LIMIT_MESSAGES = 5.0, 4
"""Discord takes one message more than that in a channel in so long; a new process knows only from the inbox what the last one
has said there."""
FULL = "Many questions are waiting here, so this one is not taken; ask again when some of them are answered."
FAILED = "Sorry, that failed, and it is written down; try again."

log = logging.getLogger("theseus.discord")


class Question:
    """A message that is being answered, and its answer as far as it is out."""

    def __init__(
        self,
        message: discord.Message,
        where: discord.PartialMessageable,
        inbox: Inbox,
        answers: Mapping[int, int] | None = None,
        not_before: float = 0.0,
        *,
        suspect: bool = False,
    ) -> None:
        self._not_before, self.suspect = not_before, suspect
        self.message = copy(message)
        """What was asked, as it was accepted: the library changes its own when the message is edited."""
        self._where, self._inbox = where, inbox
        self._again, self._answers = answers is not None, dict(answers or {})
        self._first = asyncio.Event()
        self._lost = ""
        self.done = asyncio.Event()
        """Set when the work on it has ended, however."""

    @property
    def answers(self) -> Mapping[int, int]:
        """The messages that answer it, by piece."""
        return dict(self._answers)

    def let_speak(self) -> None:
        """All that was asked earlier in this place is answered."""
        self._first.set()

    async def turn(self) -> None:
        """Wait until the answers to what was asked earlier in this place are out."""
        await self._first.wait()

    def lose(self, why: str) -> None:
        """Say that this will not be answered, and why."""
        self._lost = why

    def end(self) -> None:
        """The work has returned."""
        if self._lost:
            self._inbox.lost(self.message.id, self._lost)
        else:
            self._inbox.answered(self.message.id)

    async def post(
        self, at: int, text: str | None, *, files: Sequence[tuple[str, bytes]] = (), **more: Any
    ) -> discord.Message:
        """Show a piece of the answer, or change it; limits and outages of Discord are waited out.

        Args:
            at: Which piece, from 0 on; the first is a reply to the question.
            text: What it says.
            files: What goes along with it, as names and contents.
            more: What else the library takes for sending and editing, as `embeds` or `view`.

        Raises:
            discord.HTTPException: It is refused; or there is no way through for too long.
        """
        await self.turn()

        async def send() -> discord.Message:
            if at == 0:
                more["reference"] = self.message.to_reference(fail_if_not_exists=False)
            # What is linked in a text is not visited for a preview, nor do invitations show their card.
            plain = not more.keys() & {"embed", "embeds", "view"}
            nonce = f"{self.message.id}-{at}"
            return await self._where.send(
                text, files=as_files(files), nonce=nonce, suppress_embeds=plain, **more
            )

        async def edit() -> discord.Message:
            there = self._where.get_partial_message(self._answers[at])
            # A piece has the files of its last state alone: what went along with an earlier one goes with that.
            return await there.edit(content=text, attachments=as_files(files), **more)

        if at in self._answers:
            return await patiently(edit)
        await asyncio.sleep(min(self._not_before - time.time(), LIMIT_SECONDS))
        made = await patiently(send)
        more.pop("reference", None)
        self._answers[at] = made.id
        self._inbox.sent(self.message.id, at, made.id)
        if not self._again or made.content.strip() == (text or "").strip():
            return made
        return await patiently(edit)  # an earlier process had sent it, with what was to be said then

    async def withdraw(self, first: int) -> None:
        """Take back pieces of an earlier try that this answer does not need.

        Raises:
            discord.HTTPException: It is refused.
        """
        for at in [at for at in self._answers if at >= first]:
            there = self._where.get_partial_message(self._answers.pop(at))
            self._inbox.withdrawn(self.message.id, at)
            with suppress(discord.NotFound):  # somebody was quicker
                await patiently(there.delete)


Work = Callable[[Question], Awaitable[None]]
"""Answers a question; what it raises is written down."""


@dataclass(slots=True)
class _Place:
    """What waits and is worked on in one place, in the order in which it was asked."""

    line: list[Question] = field(default_factory=list)
    working: dict[int, Question] = field(default_factory=dict)
    """By author."""
    told: set[int] = field(default_factory=set)
    """Who was told that too much is waiting."""


class Places:
    """All places."""

    def __init__(
        self,
        inbox: Inbox,
        work: Work,
        where: Callable[[Item], discord.PartialMessageable],
        calm_seconds: float = 0.0,
    ) -> None:
        """Put it together.

        Args:
            inbox: Where what is accepted is kept.
            work: Answers a question.
            where: The place of an item, to speak there.
            calm_seconds: So long from now on no suspect is worked on.
        """
        self._inbox, self._work, self._where = inbox, work, where
        self._calm, self._one_suspect = time.monotonic() + calm_seconds, asyncio.Lock()
        lately = time_snowflake(utcnow() - timedelta(seconds=LIMIT_SECONDS))
        self._not_before = {
            channel: snowflake_time(newest).timestamp() + LIMIT_SECONDS
            for channel, many, newest in inbox.sent_since(lately)
            if many >= LIMIT_MESSAGES
        }
        """When something may be said again where the last process has said much, in seconds since the epoch."""
        self._places: dict[int, _Place] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def take(self, message: discord.Message, *, control: bool) -> None:
        """Accept a message, unless it was accepted before, and see to it that it is answered."""
        item = item_of(message, Kind.CONTROL if control else Kind.CHAT)
        if self._inbox.accept(item) and not self._closed:
            self.work_on(message, item)

    def work_on(
        self,
        message: discord.Message,
        item: Item,
        answers: Mapping[int, int] | None = None,
        *,
        suspect: bool = False,
    ) -> Question:
        """See to it that an accepted message is answered.

        Args:
            message: What is asked.
            item: As it was accepted.
            answers: The messages that answer it already, by piece.
            suspect: Whether it may be what ended the process.
        """
        not_before = self._not_before.get(item.channel, 0.0)
        question = Question(message, self._where(item), self._inbox, answers, not_before, suspect=suspect)
        if item.kind is Kind.CONTROL:
            question.let_speak()
            self._begin(self._answer(question))
            return question
        place = self._places.setdefault(item.channel, _Place())
        if len(place.line) >= MOST_WAITING:
            self._inbox.lost(item.id, "too many questions were waiting in that place")
            if item.author not in place.told:
                place.told.add(item.author)
                question.let_speak()
                self._begin(say(question, FULL))
            return question
        place.line.append(question)
        self._advance(item.channel, place)
        return question

    async def idle(self) -> None:
        """Wait until nothing is worked on."""
        while self._tasks:
            await asyncio.wait([*self._tasks])

    async def close(self) -> None:
        """Stop: what is not answered is left to the next process."""
        self._closed = True
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _advance(self, channel: int, place: _Place) -> None:
        """Begin what may be begun, and let the first speak."""
        if not place.line:
            del self._places[channel]
            return
        place.line[0].let_speak()
        for question in place.line:
            author = question.message.author.id
            if len(place.working) >= SIDE_BY_SIDE:
                return
            if author not in place.working:
                place.working[author] = question
                self._begin(self._answer_in(channel, place, question))
            if question.suspect:
                return

    async def _answer_in(self, channel: int, place: _Place, question: Question) -> None:
        try:
            if question.suspect:
                await question.turn()
                await asyncio.sleep(self._calm - time.monotonic())
                async with self._one_suspect:
                    await self._answer(question)
            else:
                await self._answer(question)
        finally:
            place.line.remove(question)
            del place.working[question.message.author.id]
            place.told.clear()
            if not self._closed:
                self._advance(channel, place)

    async def _answer(self, question: Question) -> None:
        """Have a question answered, and keep its row."""
        asked = question.message.id
        self._inbox.begin(asked)
        try:
            await self._work(question)
        except asyncio.CancelledError:
            self._inbox.put_back(asked)
            raise
        except UNREACHABLE as error:
            log.warning("an answer could not be sent", exc_info=error)
            self._inbox.lost(asked, f"Discord did not take the answer: {type(error).__name__}")
        except Exception as error:
            log.exception("a message could not be answered")
            self._inbox.lost(asked, f"it failed: {type(error).__name__}")
            await say(question, FAILED)
        else:
            question.end()
        finally:
            question.done.set()


async def say(question: Question, text: str) -> None:
    """Say a sentence in place of an answer; where that cannot be, it is written down."""
    try:
        await question.post(0, text)
    except UNREACHABLE as error:
        log.warning("that could not be said: %s", error)


def as_files(files: Sequence[tuple[str, bytes]]) -> list[discord.File]:
    """Names and contents as files that go along; good for sending once."""
    return [discord.File(io.BytesIO(data), name) for name, data in files]


def item_of(message: discord.Message, kind: Kind) -> Item:
    """A message as the inbox keeps it."""
    guild = message.guild.id if message.guild else None
    return Item(message.id, message.channel.id, guild, message.author.id, kind)
