"""Answers chat: the window of a conversation, the limits, one turn of the loop, and what is kept of it."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

from agent.calling.answered import Answered, Place
from agent.calling.executor import Calls, Lend
from agent.calling.toolbox import Tool, Toolbox
from agent.chat import telling
from agent.chat.agents import Consultation
from agent.chat.desk import Desk
from agent.chat.leaving import leaving
from agent.chat.loop import Loop
from agent.chat.moderation import SHARE, judged
from agent.chat.question import NO_TOOLS, turn_of
from agent.chat.recall import Recall
from agent.chat.sight import Sight, answered
from agent.chat.turn import Run, Turn
from agent.chat.voice import Voice, told_to
from agent.chat.window import Memory, with_names
from agent.declared.made import Made
from agent.guardrails.redaction import HIDDEN, storable
from agent.guardrails.screen import Screen
from agent.guardrails.spoken import cleaned
from agent.incoming.wish import PLAIN, Wish
from agent.ports import Models, ProviderFailed
from agent.records.accounts import Accounts, Purse
from agent.records.exchanges import Kept
from agent.records.turns import Turns
from agent.types import ToolCall
from policies.access import tools_allowed
from policies.credentials import without_credentials
from policies.limits import nearly_spent
from policies.load import Rules, load_rules


class Brain:
    """Answers chat with language models and the tools of a generation, and remembers what was said.

    Only whole exchanges are remembered: after an answer that failed or that nobody waited for, the
    conversation stands as before.
    """

    def __init__(
        self,
        models: Models | None,
        rules: Rules | None = None,
        *,
        missing: str | None = None,
        failed: type[Exception] = ProviderFailed,
        turns: Turns | None = None,
        services: Lend | None = None,
        made: Made | None = None,
        tools_on: bool | None = None,
        hidden: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Put a brain together.

        Args:
            models: The models; None where there is none.
            rules: What may be spent, and who may use which tool.
            missing: The sentence that says what to set where there is no model.
            failed: What is raised, with a sentence for people, when no model answers.
            turns: Where turns, audit and bills are kept; None: nowhere but in memory.
            services: Opens what tools can be lent.
            made: Tools that people made of data; None: there are none.
            tools_on: What the operator's setting says of tools; None where it is not set.
            hidden: The process's own keys, which no answer may hold.
            clock: Seconds since the epoch.
        """
        self.rules = rules or load_rules()
        self.accounts = Accounts(self.rules, turns, clock)
        self.turns = turns
        self._models = models
        self._missing = missing
        self._failed = failed
        self._tools_on = tools_on
        self._clock = clock
        note = turns.note if turns is not None else lambda _place, _answered: None
        before = turns.used_on if turns is not None else lambda _day, _caller, _tool: 0
        self._calls = Calls(self.rules, services, note, clock, before)
        self._made = made
        self._hidden = tuple(hidden)
        self._memory = Memory(turns, self.rules.attachments.kept_bytes)
        self._recall = Recall(
            self._memory, turns, self._calls, hidden=hidden, file_chars=self.rules.attachments.text_chars
        )
        self._desk = Desk(
            self.rules,
            models=models,
            accounts=self.accounts,
            calls=self._calls,
            turns=turns,
            made=made,
            memory=self._memory,
            recall=self._recall,
            hidden=hidden,
        )

    @property
    def missing(self) -> str | None:
        """Why no model can answer, as a sentence that says what to set; None when one can."""
        if self._models is None:
            return self._missing or "No language model is set up."
        return self._models.missing

    def voice(self, toolbox: Toolbox, caller: str, conversation: str, wish: Wish = PLAIN) -> Voice:
        """The brain for one request of somebody in a place, with what they want beside the words."""

        # Functions, so that live code is handed no attribute that leads to the brain itself.
        def answer(text: str, instructions: str) -> AsyncGenerator[str, None]:
            return self.answer(conversation, text, instructions, caller=caller, toolbox=toolbox, wish=wish)

        return Voice(lambda: told_to(caller, self.missing), answer)

    def tools(self, toolbox: Toolbox, caller: str, conversation: str) -> list[Tool]:
        """The tools that a model is offered when somebody asks in a place."""
        if not tools_allowed(caller, self.rules, enabled=self._tools_on).allowed:
            return []
        offered = toolbox.allowed(caller, conversation, "partner", self.rules)
        self._desk.meet(offered)
        return offered

    def usable(self, toolbox: Toolbox, caller: str, conversation: str) -> Sequence[str]:
        """The tools that somebody may use in a place, by name; those that people made of data among them."""
        offered = self.tools(self._beside(toolbox, caller, conversation), caller, conversation)
        return [tool.name for tool in offered]

    def _beside(self, toolbox: Toolbox, caller: str, conversation: str) -> Toolbox:
        """The tools of a generation, with those beside them that people made of data."""
        return toolbox if self._made is None else self._made.beside(toolbox, caller, conversation)

    async def answer(
        self,
        conversation: str,
        text: str,
        instructions: str,
        *,
        caller: str,
        toolbox: Toolbox = NO_TOOLS,
        wish: Wish = PLAIN,
    ) -> AsyncGenerator[str, None]:
        """Stream a model's answer to `text`, with the window of the conversation before it.

        Args:
            conversation: Where it was said.
            text: What was said.
            instructions: How to answer.
            caller: Who said it, as `surface:name`.
            toolbox: The tools of the generation that answers.
            wish: How it is to be answered, and what came along.

        Raises:
            Exception: The class given as `failed`, when no model answered; its text is for people.
        """
        if self._models is None:
            raise self._failed(self.missing)
        again = " None of your files is kept; attach them again then." if wish.attachments else ""
        if (over := self.accounts.ask(caller)) is not None:
            yield over.told(self._clock(), marked=wish.marked) + again
            return
        purse = self.accounts.purse(caller, conversation)
        toolbox = self._beside(toolbox, caller, conversation)
        place = Place(caller, conversation)
        place = replace(place, since=self._calls.forgotten(place))
        turn = self._turn(place, cleaned(text), instructions, toolbox, wish)
        if isinstance(turn, str):
            yield turn + again
            return
        turn.stays = self._models.stays(turn.needs)
        if self.rules.answers.moderation:
            turn.kept_back = SHARE
        self._memory.see(
            conversation, caller, wish.attachments, private=turn.needs.private, source=wish.source
        )
        first = len(turn.messages) - 1
        heard: list[str] = []
        began = time.monotonic()
        answering = self._screened(self._loop(self._models, purse), turn, instructions)
        try:
            with self._recall.under_way(place):
                async with aclosing(answering) as pieces:
                    async for piece in pieces:
                        heard.append(piece)
                        yield piece
        except ProviderFailed as failure:
            raise self._failed(str(failure)) from None
        answer = "".join(heard)
        if not answer.strip():
            raise self._failed("The model gave an empty answer; ask again, or in other words.")
        seconds = time.monotonic() - began
        sources = telling.sources(turn)
        kept = Kept(
            without_credentials(with_names(cleaned(text), wish), HIDDEN, self._hidden),
            answer,
            turn.outside,
            tuple(storable(part, self._hidden) for part in turn.messages[first:]),
            turn.answered_by,
            turn.tokens,
            turn.dollars,
            seconds,
            self._clock(),
            caller,
            sources,
            wish.source,
            turn.reply_to,
        )
        self._recall.keep(turn, kept, wish)
        if below := telling.footer(turn, seconds, sources, self.rules.tools.footer):
            yield f"\n\n{below}"

    def knows(self, conversation: str, source: str) -> bool:
        """Whether the question that stands in one message is remembered, with its answer."""
        return self._recall.knows(conversation, source)

    def forget(self, conversation: str, caller: str | None = None) -> int:
        """Let go of what was said in a conversation; see `Recall.forget`."""
        return self._recall.forget(conversation, caller)

    def forget_one(self, conversation: str, source: str) -> int:
        """Let go of the question that stands in one message, and of its answer; see `Recall.forget_one`."""
        return self._recall.forget_one(conversation, source)

    def forget_place(self, place: str) -> int:
        """Let go of all that was said in a place and below it; see `Recall.forget_place`."""
        return self._recall.forget_place(place)

    def amend(self, conversation: str, source: str, question: str) -> None:
        """Remember other words as the question that stands in one message; see `Recall.amend`."""
        self._recall.amend(conversation, source, question)

    def refuses(self, caller: str, conversation: str) -> str:
        """Why somebody's next question would not be asked, with moments marked; empty where it would. Counts nothing."""
        over = self.accounts.over(caller, conversation)
        return "" if over is None else over.told(self._clock(), marked=True)

    async def inform(self, name: str, rest: str, toolbox: Toolbox, caller: str, conversation: str) -> str:
        """Answer a command about tools, costs, or what was said, for somebody in a place; see `Desk`."""
        offered = self.tools(self._beside(toolbox, caller, conversation), caller, conversation)
        return await self._desk.answer(name, rest.strip(), Place(caller, conversation), toolbox, offered)

    @property
    def models(self) -> Sequence[str]:
        """The models that can be asked by name."""
        return [offer.name for offer in self._models.catalogue] if self._models is not None else []

    def routes(self) -> str:
        """Which models were asked lately, and why, for people."""
        return telling.routes(self._models.why(5) if self._models is not None else ())

    async def close(self) -> None:
        """Let go of connections and files."""
        if self._models is not None:
            await self._models.close()
        if self._made is not None:
            self._made.close()
        if self.turns is not None:
            self.turns.close()

    def _turn(
        self, place: Place, question: str, instructions: str, toolbox: Toolbox, wish: Wish
    ) -> Turn | str:
        if wish.combine and len(self.models) == 1:
            return (
                f"There is only {self.models[0]} here, so there is nothing to put together; ask without that."
            )
        purse = self.accounts.purse(place.caller, place.conversation)
        budgets = [(spent, quota) for _, spent, quota in self.accounts.today(purse)]
        return turn_of(
            place,
            question,
            instructions,
            wish,
            toolbox=toolbox,
            tools=lambda box: self.tools(box, place.caller, place.conversation),
            memory=self._memory,
            rules=self.rules.attachments,
            pressed=nearly_spent(budgets, self.rules.limits.cheap_from),
        )

    def _loop(self, models: Models, purse: Purse) -> Loop:
        def lend(turn: Turn, run: Run) -> Mapping[str, Any]:
            place = turn.place
            pictures = self._memory.pictures(place.conversation, place.caller, private=turn.needs.private)
            return {
                "agents": Consultation(turn, run, self.rules.tools),
                "vision": Sight(turn, run, pictures),
            }

        return Loop(
            models,
            self._calls,
            self.rules.tools,
            partial(self.accounts.reserve, purse),
            partial(self.accounts.settle, purse),
            lend,
        )

    def _screened(self, loop: Loop, turn: Turn, instructions: str) -> AsyncGenerator[str, None]:
        def note(found: str) -> None:
            if self.turns is not None:
                call = ToolCall(id="", name="(answer)", arguments="{}")
                self.turns.note(turn.place, Answered(call, call.name, "denied", found))

        screen = Screen(self._hidden, instructions, self.rules.answers.quoted_words)
        judge = partial(judged, turn=turn, run=loop.run) if self.rules.answers.moderation else None
        return leaving(answered(loop.run, turn), turn, screen, judge, note)
