"""Reviewing in chat: what happens when somebody uses a component, and what the steward's notices do to the cards.

Whoever presses is judged at that moment, by the roles that Discord names with the click. What is pressed holds for the
head that was shown beside it, and the steward has the last word on all of it.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import discord
from pydantic import BaseModel

from agent.incoming.attached import Attachment
from bot.control.commands import Asked, needs, parse
from bot.discord.commands.slash import FAILED, tell_alone
from bot.discord.incoming.inbox import Inbox
from bot.discord.incoming.places import Question
from bot.discord.patience import UNREACHABLE, patiently, promptly
from bot.discord.person import Who
from bot.discord.review.board import PAUSE, Board
from bot.discord.review.commands import Commands
from bot.discord.review.fits import NEEDS, NOT_YOURS, discord_id, moved, said, unfit
from bot.discord.review.following import Following
from bot.discord.review.parts import Pointed, WhyForm
from bot.discord.review.points import Act, Point
from bot.discord.review.sending import Asker, ByChannel, ByMessage, BySlash, Shown
from bot.discord.review.threads import Threads
from bot.discord.setup.news import NewsPlaces
from bot.discord.setup.panel import NOT_EVERYONE, read_name
from bot.surface import Theseus
from policies.decision import Decision
from policies.rights import Person
from selfedit import protocol as say
from selfedit.types import Proposal

HALT = "halt"
"""The command that is carried out even where nobody can be promised an answer."""

log = logging.getLogger("theseus.discord")


class Review:
    """The whole of it, for one session."""

    def __init__(
        self,
        client: discord.Client,
        theseus: Theseus,
        shelf: sqlite3.Connection,
        inbox: Inbox,
        who: Who,
        *,
        pause: float = PAUSE,
    ) -> None:
        """Put it together.

        Args:
            client: The session.
            theseus: Asks the steward, and judges who may do what.
            shelf: Where is kept what outlives the process.
            inbox: Keeps what was used, so that nothing is carried out twice.
            who: Somebody in the terms of rights, at this moment.
            pause: Seconds between two edits of one card.
        """
        self._client, self._theseus, self._inbox, self._who = client, theseus, inbox, who
        self.board = Board(shelf, client, theseus.ask, pause)
        self.threads = Threads(theseus, self.board, client)
        self._commands = Commands(theseus, self.board)
        self.news = NewsPlaces(shelf)
        """Where news go."""
        self._following = Following(client, theseus, self.board, self._commands, self.news)
        self._busy: dict[int, str] = {}
        self._uses: set[asyncio.Task[Any]] = set()
        client.add_dynamic_items(Pointed)

    def listen(self) -> None:
        """From now on hear what the steward says; the session has to be logged in."""
        self._theseus.hear_notice = self._following.hear

    def catch_up(self) -> None:
        """A session has begun: bring every card up to date of which the proposal has moved meanwhile."""
        self._following.catch_up()

    async def settled(self) -> None:
        """Wait until everything is answered that was used, every notice followed, and every card up to date."""
        await self._following.settled()
        while self._uses:
            await asyncio.wait([*self._uses])
        await self.board.settled()

    async def close(self) -> None:
        """Stop: cards are brought up to date by the next session."""
        self._theseus.hear_notice = _unheard
        await self._following.close()
        await self.board.close()

    # Commands

    async def control(self, used: discord.Interaction, asked: Asked, person: Person) -> None:
        """Answer a slash command that is understood, of somebody who may use it."""
        try:
            alone = self._commands.alone(asked)
            await promptly(lambda: used.response.defer(thinking=True, ephemeral=alone))
        except UNREACHABLE as error:
            self._inbox.lost(used.id, "Discord did not take a first answer in time")
            if asked.name != HALT:
                log.warning("a command was not answered in time, so it is not carried out: %s", error)
                return
            log.warning("a halt was not answered in time, and is carried out all the same: %s", error)
            asker: Asker = ByChannel(used)
        else:
            asker = BySlash(used, self._inbox, alone=alone)
        with self._at_work():
            await self._answer(asked, person, asker)

    async def typed(self, question: Question, text: str, person: Person) -> bool:
        """Answer the same where somebody typed it; whether it was such a command."""
        asked = parse(text, person.id, files=False, roles=person.roles)
        if not isinstance(asked, Asked) or asked.name == "quit":
            return False
        if not self._theseus.may(needs(text), person).allowed:
            return False
        await self._answer(asked, person, ByMessage(question, self._inbox))
        return True

    async def _answer(self, asked: Asked, person: Person, asker: Asker) -> None:
        kind, number = read_name(asked.message.to) if isinstance(asked.message, say.Grant) else ("", 0)
        if kind == "role" and self._client.get_guild(number) is not None:
            # The role of everybody on a server has its id, and counts for nobody.
            await asker.show(Shown(NOT_EVERYONE, alone=True))
            return
        await self._commands.answer(asked, person, asker)

    def asked_in(self, message: discord.Message) -> bool:
        """Whether a message is a question in a thread about a proposal, and not said to somebody else there."""
        to_others = bool(message.mentions) or message.reference is not None
        return not to_others and self.threads.about(message.channel.id) is not None

    async def known(self, channel: int, person: Person) -> tuple[Attachment, ...] | str:
        """What goes along with a question in a thread about a proposal, or what is said in place of an answer.

        Nothing goes along with questions in other places.
        """
        number = self.threads.about(channel)
        if number is None:
            return ()
        decision = self._theseus.may("see", person)
        if not decision.allowed:
            return decision.why
        if self._theseus.missing is not None:
            return await self.threads.without_model(number)
        return await self.threads.known(number)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Something that somebody used is being answered."""
        task = asyncio.current_task()
        if task is not None:
            self._uses.add(task)
        try:
            yield
        finally:
            if task is not None:
                self._uses.discard(task)

    # Components

    async def pressed(self, used: discord.Interaction, point: Point) -> None:
        """Somebody pressed a button."""
        with self._inbox.use(used) as fresh, self._at_work():
            if fresh:
                await self._use(used, point)

    async def chosen(self, used: discord.Interaction, point: Point, value: str) -> None:
        """Somebody chose a file."""
        at = int(value) if value.isdecimal() else 0
        with self._inbox.use(used) as fresh, self._at_work():
            if fresh:
                await self._use(used, Point(Act.FILE, point.number, point.head, point.who, at))

    async def _use(self, used: discord.Interaction, point: Point) -> None:
        try:
            person = await self._who(used.user)
            needed = NEEDS.get(point.act)
            decision = self._theseus.may(needed, person) if needed is not None else Decision()
            if not decision.allowed:
                await promptly(lambda: used.response.send_message(decision.why, ephemeral=True))
            elif point.who and point.who != used.user.id:
                await promptly(lambda: used.response.send_message(NOT_YOURS, ephemeral=True))
            elif point.act is Act.LEAVE:
                await promptly(lambda: used.response.edit_message(content="Nothing was done.", view=None))
            elif point.act in (Act.PAGE, Act.FILE):
                await promptly(used.response.defer)
                shown = await self._commands.pages(point.number, person, point.file, point.page, point.head)
                await patiently(lambda: used.edit_original_response(**shown.edit))
            elif point.act in (Act.REJECT, Act.REASON):
                await promptly(lambda: used.response.send_modal(WhyForm(point, used.id, self._said_why)))
            elif point.act in (Act.SURE_APPROVE, Act.SURE_ROLLBACK):
                await self._carry_out(used, point, person)
            else:
                await promptly(lambda: used.response.defer(ephemeral=True, thinking=True))
                shown = await self._ask(point, person)
                await patiently(lambda: used.edit_original_response(**shown.edit))
        except UNREACHABLE as error:
            log.warning("a click could not be answered: %s", error)
            await self._failed(used, error)
        except Exception as error:
            log.exception("a click could not be carried out")
            await self._failed(used, error)

    async def _failed(self, used: discord.Interaction, error: Exception) -> None:
        """Leave nobody waiting for an answer that does not come, and its row not as answered."""
        if self._client.is_closed():
            return  # the next process says so
        self._inbox.lost(used.id, f"it failed: {type(error).__name__}")
        await tell_alone(used, FAILED)

    async def _ask(self, point: Point, person: Person, why: str = "") -> Shown:
        """What is shown to who pressed a button of a card, or said why something is to be taken back."""
        if point.act is Act.DIFF:
            return self._stale(point, await self._commands.pages(point.number, person, 0, 0, point.head))
        if point.act is Act.ASK:
            return await self.threads.open(point.number)
        sure = Act.SURE_APPROVE if point.act is Act.APPROVE else Act.SURE_ROLLBACK
        asked = self._commands.ask_sure(point.number, sure, person, point.head, why or say.NO_REASON)
        return self._stale(point, await asked)

    def _stale(self, point: Point, shown: Shown) -> Shown:
        """A card that people press in vain shows something old."""
        if shown.view is None:
            self.board.changed(point.number)
        return shown

    async def _carry_out(self, used: discord.Interaction, point: Point, person: Person) -> None:
        """Do what somebody is sure of, once."""
        approves = point.act is Act.SURE_APPROVE
        does, judged = ("approved", "") if approves else ("taken back", "; what runs then is judged first")
        if other := self._busy.get(point.number):
            await promptly(lambda: used.response.edit_message(content=other, view=None))
            return
        self._busy[point.number] = (
            f"Proposal {point.number} is being {does} by {used.user.mention} at this moment."
        )
        try:
            try:
                now = f"Proposal {point.number} is being {does}{judged}…"
                await promptly(lambda: used.response.edit_message(content=now, view=None))
            except UNREACHABLE as error:  # they were sure of it, and the card shows what comes of it
                log.warning("it could not be said that a click is carried out: %s", error)
            text = await self._do(point, person)
        finally:
            del self._busy[point.number]
        await patiently(lambda: used.edit_original_response(content=text, view=None))

    async def _do(self, point: Point, person: Person) -> str:
        one = await self._now(point)
        if not isinstance(one, Proposal):
            return one
        by, roles = person.id, tuple(sorted(person.roles))
        message: BaseModel
        if point.act is Act.SURE_APPROVE:
            message = say.Approve(number=one.number, by=by, roles=roles, head=one.head)
        else:
            why = self._commands.why(one.number, person)
            message = say.Rollback(number=one.number, by=by, roles=roles, why=why)
        answer = await self._theseus.ask(message)
        if isinstance(answer, say.ProposalIs) and point.act is Act.SURE_ROLLBACK:
            self.board.pressed(one.number, Act.ROLLBACK, discord_id(person))
        self.board.done(one.number)
        self.board.changed(one.number)
        return (
            await self._commands.told(answer.proposal) if isinstance(answer, say.ProposalIs) else said(answer)
        )

    async def _said_why(self, used: discord.Interaction, point: Point, why: str) -> None:
        """Somebody filled in the form: to reject, or for the question whether they are sure of a rollback."""
        with self._inbox.use(used) as fresh:
            if not fresh:
                return
            try:
                person = await self._who(used.user)
                decision = self._theseus.may("approve", person)
                rejects = point.act is Act.REJECT  # else what is answered takes the question's place
                await promptly(lambda: used.response.defer(ephemeral=rejects, thinking=rejects))
                if not decision.allowed:
                    shown = Shown(decision.why)
                elif rejects:
                    shown = Shown(await self._turn_down(point, person, why))
                else:
                    shown = await self._ask(point, person, " ".join(why.split()))
                await patiently(lambda: used.edit_original_response(**shown.edit))
            except UNREACHABLE as error:
                log.warning("a form could not be answered: %s", error)
                await self._failed(used, error)
            except Exception as error:
                log.exception("a form could not be carried out")
                await self._failed(used, error)

    async def _turn_down(self, point: Point, person: Person, why: str) -> str:
        if other := self._busy.get(point.number):
            return other
        self._busy[point.number] = f"Proposal {point.number} is being rejected at this moment."
        try:
            one = await self._now(point)
            if not isinstance(one, Proposal):
                return one
            roles = tuple(sorted(person.roles))
            answer = await self._theseus.ask(
                say.Reject(number=one.number, by=person.id, roles=roles, why=why.strip())
            )
        finally:
            del self._busy[point.number]
        if isinstance(answer, say.ProposalIs):
            self.board.pressed(one.number, Act.REJECT, discord_id(person))
        self.board.changed(one.number)
        return (
            await self._commands.told(answer.proposal) if isinstance(answer, say.ProposalIs) else said(answer)
        )

    async def _now(self, point: Point) -> Proposal | str:
        """The proposal, if it is still what was shown and this can be done with it; else a sentence."""
        answer = await self._theseus.ask(say.Show(number=point.number))
        if not isinstance(answer, say.ProposalIs):
            return said(answer)
        one = answer.proposal
        why = unfit(one, point.act) if point.shows(one.head) else moved(one.number, one.head, point.head)
        if why:
            self.board.changed(one.number)
        return why or one


def _unheard(_notice: BaseModel) -> None:
    """Nobody is there to hear it."""
