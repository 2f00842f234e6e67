"""What console and Discord share: what they need of the bot, and how a control command is carried out."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from pydantic import BaseModel
from rich.console import RenderableType
from rich.text import Text

from agent.incoming.wish import PLAIN, Wish
from bot.asking import Question
from bot.control.commands import Asked
from bot.feature import CommandInfo
from bot.telemetry import Met
from policies.decision import Decision
from policies.rights import Capability, Person
from selfedit import protocol as say
from selfedit.answers import render
from selfedit.types import Stage

Hear = Callable[[BaseModel], None]
"""Hears notices of the steward: progress and news."""
Show = Callable[[str], None]
"""Hears the next piece of an answer that is still being written."""


def unseen(_piece: str) -> None:
    """Show nothing of an answer before it is whole."""


class Recall(Protocol):
    """What chat remembers of messages, by their ids; for who follows what becomes of them."""

    def knows(self, conversation: str, source: str) -> bool:
        """Whether the question that stands in one message is remembered, with its answer."""

    def forget_one(self, conversation: str, source: str) -> int:
        """Let go of the question that stands in one message, and of its answer; how many those were."""

    def forget_place(self, place: str) -> int:
        """Let go of all that was said in a place and below it; how many questions that were."""

    def amend(self, conversation: str, source: str, question: str) -> None:
        """Remember other words as the question that stands in one message."""

    def refuses(self, caller: str, conversation: str) -> str:
        """Why somebody's next question would not be asked; empty where it would."""


class Theseus(Protocol):
    """The bot, as a surface sees it."""

    hear_notice: Hear
    """Is told what the steward has to say."""

    ready: asyncio.Event
    """Set when live code has been loaded for the first time, or was refused."""

    @property
    def commands(self) -> Sequence[CommandInfo]:
        """Every command that works now."""

    met: Met
    """Counts what the chat service answers to requests."""

    @property
    def kept(self) -> bool:
        """Whether the live code that serves has proved itself, so that it is not taken back by itself."""

    @property
    def missing(self) -> str | None:
        """Why there is no language model; None when there is one."""

    @property
    def models(self) -> Sequence[str]:
        """The models that can be asked by name."""

    @property
    def routes(self) -> str:
        """Which models were asked lately, and why."""

    @property
    def recall(self) -> Recall:
        """What is remembered of messages."""

    async def ask(self, message: BaseModel) -> BaseModel:
        """Ask the steward."""

    async def respond(
        self,
        line: str,
        author: str,
        conversation: str,
        wish: Wish = PLAIN,
        show: Show = unseen,
        *,
        hidden: Collection[str] = (),
    ) -> str:
        """Answer a line that is no control command, as it is wished for; pieces are shown where they come early.

        What answers it is not told of the commands that are `hidden`.
        """

    async def chat(self, question: Question, author: str, conversation: str, show: Show = unseen) -> str:
        """Answer a question whose wishes are known: nothing in its words is read as a command or an option."""

    def tools(self, author: str, conversation: str) -> Sequence[str]:
        """The tools that somebody may use in a place, by name."""

    def discreet(self, text: str) -> str:
        """A text without this process's own keys, and without what looks like a credential."""

    @property
    def somebody_approves(self) -> bool:
        """Whether a person or a role is named who approves, beside the operator."""

    def may(self, capability: Capability, person: Person) -> Decision:
        """Whether somebody may do something here."""


class Control:
    """Carries control commands out for one person, and remembers which heads that person was shown."""

    def __init__(self, theseus: Theseus) -> None:
        self._theseus = theseus
        self._shown: dict[int, str] = {}

    async def carry_out(self, asked: Asked) -> list[RenderableType]:
        """Put one command to the steward, and what belongs beside its answer."""
        message = asked.message
        if isinstance(message, say.Approve):
            # Only what was looked at is approved: a head that has moved since is refused.
            message = message.model_copy(update={"head": self._shown.get(message.number)})
        answer = await self._theseus.ask(message)
        match answer:
            case say.ProposalIs(proposal=one):
                full = isinstance(message, say.Improve | say.Show)
                parts = [render.proposal(one) if full else render.brief(one)]
                if isinstance(message, say.Improve) and one.stage is Stage.OPENED:
                    parts += await self._diff(one.number)
                if one.stage is Stage.OPENED and (full or isinstance(message, say.Approve)):
                    self._shown[one.number] = one.head
                return [*parts, *_hint(render.next_step(one))]
            case say.DiffIs(number=number, head=head):
                self._shown[number] = head
        if isinstance(message, say.Why):
            return [render.answer(answer), Text(render.shown(self._theseus.routes))]
        return [render.answer(answer)]

    async def _diff(self, number: int) -> list[RenderableType]:
        answer = await self._theseus.ask(say.Diff(number=number))
        return [Text("Diff", "bold"), render.answer(answer)]


def _hint(text: str) -> list[RenderableType]:
    return [Text(text, "cyan")] if text else []
