"""Answers control commands on Discord with cards in place of a console's text."""

import asyncio
import contextlib
from dataclasses import dataclass

from pydantic import BaseModel

from bot.control.commands import Asked
from bot.discord.conversation.layout import LONGEST
from bot.discord.review import sheets
from bot.discord.review.board import Board, Place
from bot.discord.review.cards import asked_for
from bot.discord.review.facts import facts
from bot.discord.review.fits import DANGER, SUCCESS, discord_id, moved, said, unfit
from bot.discord.review.pages import page
from bot.discord.review.parts import sure_view
from bot.discord.review.points import Act, Point
from bot.discord.review.sending import Asker, Shown
from bot.discord.setup.panel import changed, table
from bot.discord.text import clean, fenced, named, one_line
from bot.surface import Theseus
from policies.merge import OWN_CHANGE
from policies.rights import Person
from selfedit import protocol as say
from selfedit.answers import render
from selfedit.answers.telling import SHORT
from selfedit.types import Proposal

ALONE = frozenset(
    {"diff", "approve", "reject", "rollback", "proposals", "status", "why", "rights", "grant", "withdraw"}
)
"""Commands whose answers only who asked sees, where that can be; a halt is for everybody to see."""


@dataclass(slots=True)
class _Waiting:
    """Somebody asked for a change, and its number is not known yet."""

    message: say.Improve
    number: asyncio.Future[int]


class Commands:
    """Carries control commands out for people on Discord."""

    def __init__(self, theseus: Theseus, board: Board) -> None:
        self._theseus, self._board = theseus, board
        self._waiting: list[_Waiting] = []
        self._whys: dict[tuple[int, int], str] = {}
        """Why somebody wants a proposal taken back, by its number and their id, until they are sure of it."""

    def alone(self, asked: Asked) -> bool:
        """Whether only who asked sees the answer."""
        if isinstance(asked.message, say.Show):
            return self._board.place(asked.message.number) is not None
        return asked.name in ALONE

    async def answer(self, asked: Asked, person: Person, asker: Asker) -> None:
        """Carry one out, and show what came of it."""
        message = asked.message
        if isinstance(message, say.Improve):
            await self._improve(message, asker)
        elif isinstance(message, say.Show):
            await self._show(message, asker)
        else:
            await asker.show(await self._answer(message, person))

    async def began(self, number: int) -> None:
        """A request has got its number: whoever waits for it has its card from now on."""
        if not self._waiting:
            return
        answer = await self._theseus.ask(say.Show(number=number))
        if not isinstance(answer, say.ProposalIs):
            return
        one = answer.proposal
        for each in self._waiting:
            wish = each.message.request
            if wish.requested_by == one.requested_by and wish.goal == one.goal and not each.number.done():
                each.number.set_result(number)
                return

    async def _answer(self, message: BaseModel, person: Person) -> Shown:
        match message:
            case say.Diff(number=number):
                return await self.pages(number, person, 0, 0)
            case say.Approve(number=number):
                return await self.ask_sure(number, Act.SURE_APPROVE, person)
            case say.Rollback(number=number, why=why):
                return await self.ask_sure(number, Act.SURE_ROLLBACK, person, why=why)
        answer = await self._theseus.ask(message)
        match answer:
            case say.ProposalsAre(proposals=several):
                return Shown(embed=sheets.proposals(several, self._link))
            case say.StatusIs():
                return Shown(embed=sheets.status(answer, str(self._theseus.met)))
            case say.WhyIs():
                return Shown(embed=sheets.why(answer, self._theseus.routes))
            case say.Done() if isinstance(message, say.Halt | say.Resume):
                return Shown(embed=sheets.done(person.id, halted=isinstance(message, say.Halt)))
            case say.RightsAre():
                return _rights(message, answer)
            case say.ProposalIs(proposal=one):
                if isinstance(message, say.Reject):
                    self._board.pressed(one.number, Act.REJECT, discord_id(person))
                self._board.changed(one.number)
                return Shown(await self.told(one))
            case say.Refused():
                return Shown(said(answer), alone=True)
        return Shown(fenced(render.plain(render.answer(answer), width=90).split("\n"), LONGEST))

    async def told(self, one: Proposal) -> str:
        """Where a proposal stands, in a sentence or two, with the way to its card."""
        link = self._link(one.number)
        lines = render.plain(render.brief(one)).split("\n")
        brief = "\n".join(named(one_line(line, 300)) for line in lines[:4])
        return f"{brief}\n{link}" if link else brief

    async def pages(self, number: int, person: Person, file: int, turn: int, head: str = "") -> Shown:
        """A page of what a proposal changes; with a head, only while it is that one."""
        answer = await self._theseus.ask(say.Diff(number=number))
        if not isinstance(answer, say.DiffIs):
            return Shown(said(answer))
        if head and not Point(Act.PAGE, number, head).shows(answer.head):
            return Shown(moved(number, answer.head, head))
        if not answer.files:
            return Shown(f"Proposal {number} changes no file.")
        made = page(answer, discord_id(person), file, turn)
        whole = () if made.whole is None else ((made.name, made.whole),)
        there = await self._theseus.ask(say.Show(number=number))
        facts = (_facts(there.proposal),) if isinstance(there, say.ProposalIs) else ()
        return Shown(made.text, view=made.view, along=(*whole, *facts))

    def why(self, number: int, person: Person) -> str:
        """Why somebody who is sure of it wants a proposal taken back, as they said when they asked."""
        return self._whys.pop((number, discord_id(person)), say.NO_REASON)

    async def ask_sure(
        self, number: int | None, act: Act, person: Person, head: str = "", why: str = say.NO_REASON
    ) -> Shown:
        """The question whether somebody is sure, which only they can answer; it names the head that it is about."""
        one = await self._one(number, act)
        if not isinstance(one, Proposal):
            return one
        if head and not Point(act, one.number, head).shows(one.head):
            return Shown(moved(one.number, one.head, head))
        if no := unfit(one, act):
            return Shown(no)
        if act is Act.SURE_APPROVE and person.id == one.requested_by:
            return Shown(f"{OWN_CHANGE[:1].upper()}{OWN_CHANGE[1:]}.")
        point = Point(act, one.number, one.head, discord_id(person))
        title = one_line(one.title, 150)
        if act is Act.SURE_ROLLBACK:
            self._whys[one.number, discord_id(person)] = why
            text = f"Take back proposal {one.number}, {title} (`{one.merge[:SHORT]}`)? Only this change is taken back; later ones stay."
            if one.pull:
                text += " What ran before it serves at once; main on GitHub follows by a pull request."
            if why != say.NO_REASON:
                text += f"\nReason: {one_line(why, 800)}"
            return Shown(text, view=sure_view(point, "Roll back", DANGER))
        after = (
            (
                "It comes to life when GitHub has merged it."
                if one.pull
                else "It is merged and comes to life at once."
            )
            if one.approvals_missing <= 1
            else "Somebody else has to approve it as well."
        )
        text = f"Approve proposal {one.number}, {title}, at `{one.head[:SHORT]}`? {after}"
        return Shown(text, view=sure_view(point, "Approve", SUCCESS))

    async def _one(self, number: int | None, act: Act) -> Proposal | Shown:
        """A proposal by its number; without one, the newest that can be taken back."""
        if number is not None:
            answer = await self._theseus.ask(say.Show(number=number))
            return answer.proposal if isinstance(answer, say.ProposalIs) else Shown(said(answer))
        answer = await self._theseus.ask(say.Proposals(limit=1000))
        if not isinstance(answer, say.ProposalsAre):
            return Shown(said(answer))
        newest = next((one for one in answer.proposals if not unfit(one, act)), None)
        return newest or Shown("There is nothing to take back.")

    async def _show(self, message: say.Show, asker: Asker) -> None:
        """Show a proposal: as its card where it has none yet, else as a copy with the way to it."""
        answer = await self._theseus.ask(message)
        if not isinstance(answer, say.ProposalIs):
            await asker.show(Shown(said(answer), alone=True))
            return
        there = self._board.place(message.number)
        drawn = await self._board.draw(answer.proposal, there.link if there else "")
        # The card itself is for everybody and edited later; whoever wants all that the gate says presses Diff.
        along = (_facts(answer.proposal),) if there else ()
        place = await asker.show(Shown(embed=drawn.embed, view=drawn.view, along=along))
        if there is None and place is not None:
            self._board.put(message.number, place, drawn)

    async def _improve(self, message: say.Improve, asker: Asker) -> None:
        """Ask for a change, and show its card at once; it is edited as things go on."""
        wish = message.request
        edits = len(wish.edits or ())
        waiting = _Waiting(message, asyncio.get_running_loop().create_future())
        place = await asker.show(Shown(embed=asked_for(wish.goal or "", wish.requested_by, edits)))
        # Nobody waits whose first sign could not be shown: another request of theirs would take its number for theirs.
        self._waiting.append(waiting)
        binding = asyncio.create_task(self._bind(waiting, place, asker))
        try:
            answer = await self._theseus.ask(message)
            if isinstance(answer, say.ProposalIs) and not waiting.number.done():
                waiting.number.set_result(answer.proposal.number)
            if waiting.number.done():
                number = await binding
                self._board.done(number)
                self._board.changed(number)
            else:
                await asker.show(Shown(said(answer), alone=True))
        finally:
            self._waiting.remove(waiting)
            binding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await binding

    async def _bind(self, waiting: _Waiting, place: Place | None, asker: Asker) -> int:
        number = await waiting.number
        if place is not None:
            self._board.put(number, place)
            asker.settle()
        return number

    def _link(self, number: int) -> str:
        place = self._board.place(number)
        return place.link if place else ""


def _rights(message: BaseModel, now: say.RightsAre) -> Shown:
    """Who may do what; after a change, what has changed."""
    if isinstance(message, say.Grant | say.Withdraw):
        return Shown(changed(message.to, message.capability, allowed=isinstance(message, say.Grant)))
    return Shown(embed=table(now))


def _facts(one: Proposal) -> tuple[str, bytes]:
    """All that is known of a proposal, every finding of the gate too, as a file."""
    return f"proposal-{one.number}.txt", clean(facts(one)).encode()
