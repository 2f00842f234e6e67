"""Answers chat: the window of a conversation, the limits, one turn of the loop, and what is kept of it."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from agent.calling.executor import Answered, Calls, Lend, Place
from agent.calling.toolbox import Tool, Toolbox
from agent.chat import telling
from agent.chat.agents import Consultation
from agent.chat.desk import Desk, may_forget_all
from agent.chat.leaving import leaving
from agent.chat.loop import Loop, Run, Turn
from agent.chat.moderation import SHARE, judged
from agent.chat.question import ATTACHED, NO_TOOLS, turn_of, with_names
from agent.chat.reports import Estimate, forgotten
from agent.chat.sight import Sight, answered
from agent.chat.window import Exchange, Memory
from agent.declared.made import Made
from agent.guardrails.redaction import HIDDEN, storable
from agent.guardrails.screen import Screen
from agent.guardrails.spoken import cleaned
from agent.incoming.wish import PLAIN, Wish
from agent.ports import Models, ProviderFailed
from agent.records.accounts import Accounts, Purse
from agent.records.turns import Kept, Turns, TurnsProblem
from agent.types import CHARS_A_TOKEN, RECKONED, ToolCall
from policies.access import tools_allowed
from policies.credentials import without_credentials
from policies.limits import nearly_spent
from policies.load import Rules, load_rules

NOT_SET_UP = "whoever runs me has to set up a language model."
"""What people elsewhere than at the console hear where there is no model, after a colon."""


@dataclass(frozen=True, slots=True)
class Voice:
    """The brain as one person's request meets it: who asks, where, and with which tools, is not for live code to say."""

    _missing: Callable[[], str | None]
    _answer: Callable[[str, str], AsyncGenerator[str, None]]

    @property
    def missing(self) -> str | None:
        """Why no model can answer; None when one can."""
        return self._missing()

    def answer(self, conversation: str, text: str, instructions: str) -> AsyncGenerator[str, None]:
        """Stream an answer in the conversation of the request, whichever is named; see `Brain.answer`."""
        del conversation
        return self._answer(text, instructions)


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
        self._under_way: list[Place] = []
        """Where a question is being answered, and whose."""
        self._desk = Desk(self.rules, self.accounts, self._calls, turns, made, hidden=hidden)
        self._hidden = tuple(hidden)
        self._memory = Memory(turns, self.rules.attachments.kept_bytes)

    @property
    def missing(self) -> str | None:
        """Why no model can answer, as a sentence that says what to set; None when one can."""
        if self._models is None:
            return self._missing or "No language model is set up."
        return self._models.missing

    def voice(self, toolbox: Toolbox, caller: str, conversation: str, wish: Wish = PLAIN) -> Voice:
        """The brain for one request of somebody in a place, with what they want beside the words."""

        # Functions, so that live code is handed no attribute that leads to the brain itself.
        def missing() -> str | None:
            # What to set is for the operator alone, who reads it at the start too.
            return self.missing if caller.startswith("console:") or not self.missing else NOT_SET_UP

        def answer(text: str, instructions: str) -> AsyncGenerator[str, None]:
            return self.answer(conversation, text, instructions, caller=caller, toolbox=toolbox, wish=wish)

        return Voice(missing, answer)

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
        self._under_way.append(place)
        try:
            async with aclosing(
                self._screened(self._loop(self._models, purse), turn, instructions)
            ) as pieces:
                async for piece in pieces:
                    heard.append(piece)
                    yield piece
        except ProviderFailed as failure:
            raise self._failed(str(failure)) from None
        finally:
            self._under_way.remove(place)
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
        self._keep(turn, kept, wish)
        if below := telling.footer(turn, seconds, sources, self.rules.tools.footer):
            yield f"\n\n{below}"

    def forget(self, conversation: str, caller: str | None = None) -> int:
        """Let go of what was said in a conversation, by one person or by all; how many questions that were.

        What is still being answered counts, and is not kept when it is done.

        Raises:
            TurnsProblem: Nothing could be let go of, or there may be traces left; it says which.
        """
        written = 0 if self.turns is None else self.turns.forget(conversation, caller)
        under_way = [
            each
            for each in self._under_way
            if each.conversation == conversation
            and caller in (None, each.caller)
            and each.since == self._calls.forgotten(each)
        ]
        self._calls.forget(conversation, caller)
        gone = written + len(under_way) + self._memory.forget(conversation, caller)
        if self.turns is not None:
            self.turns.scrub()
        return gone

    def knows(self, conversation: str, source: str) -> bool:
        """Whether the question that stands in one message is remembered, with its answer."""
        return self._memory.exchange(conversation, source) is not None

    def forget_one(self, conversation: str, source: str) -> int:
        """Let go of the question that stands in one message, and of its answer; how many those were.

        Raises:
            TurnsProblem: Nothing could be let go of, or there may be traces left; it says which.
        """
        written = 0 if self.turns is None else self.turns.forget_one(conversation, source)
        gone = written + self._memory.forget_one(conversation, source)
        if gone and self.turns is not None:
            self.turns.scrub()
        return gone

    def forget_place(self, place: str) -> int:
        """Let go of all that was said in a place and below it, by its id; how many questions that were.

        Raises:
            TurnsProblem: As for `forget`.
        """
        written = [] if self.turns is None else self.turns.conversations(place)
        under_way = [
            each.conversation
            for each in self._under_way
            if each.conversation == place or each.conversation.startswith(f"{place}/")
        ]
        every = dict.fromkeys([*written, *self._memory.conversations(place), *under_way])
        return sum(map(self.forget, every))

    def amend(self, conversation: str, source: str, question: str) -> None:
        """Remember other words as the question that stands in one message, since its author changed them."""
        exchange = self._memory.exchange(conversation, source)
        if exchange is None:
            return
        clean = without_credentials(cleaned(question), HIDDEN, self._hidden)
        files = [line for line in exchange.question.split("\n") if line.startswith(ATTACHED)]
        said = "\n".join([clean, *files]).strip()
        self._memory.amend(conversation, source, said)
        if self.turns is not None and not exchange.private:
            self.turns.amend(conversation, source, said)

    def refuses(self, caller: str, conversation: str) -> str:
        """Why somebody's next question would not be asked, with moments marked; empty where it would. Counts nothing."""
        over = self.accounts.over(caller, conversation)
        return "" if over is None else over.told(self._clock(), marked=True)

    async def inform(self, name: str, rest: str, toolbox: Toolbox, caller: str, conversation: str) -> str:
        """Answer a command about tools, costs, or what was said, for somebody in a place; see `Desk`."""
        if name == "models":
            return telling.models(self._models.catalogue if self._models is not None else ())
        if name == "forget":
            everybody = may_forget_all(rest.strip(), caller, self.rules)
            if isinstance(everybody, str):
                return everybody
            try:
                gone = self.forget(conversation, None if everybody else caller)
            except TurnsProblem as problem:
                return f"Not done: {problem}."
            return forgotten(gone, everybody=everybody)
        offered = self.tools(self._beside(toolbox, caller, conversation), caller, conversation)
        estimate = partial(self._estimate, offered, conversation)
        answer = await self._desk.answer(
            name,
            rest.strip(),
            Place(caller, conversation),
            toolbox=toolbox,
            offered=offered,
            estimate=estimate,
        )
        guessed = (
            telling.guessed(self._models.why(100)) if name == "cost" and self._models is not None else ""
        )
        return f"{answer}\n{guessed}".rstrip()

    def _estimate(self, offered: Sequence[Tool], conversation: str) -> Estimate:
        """What the next question in a place may come to, by what would be sent and by who was asked last."""
        window = sum(each.size for each in self._memory.window(conversation, private=False))
        told = sum(len(tool.spec.description) + len(str(tool.spec.parameters)) for tool in offered)
        newest = self._models.why(1) if self._models is not None else ()
        model, prices = (f"{newest[0].vendor}/{newest[0].model}", newest[0].prices) if newest else ("", None)
        tokens = (window + told) // CHARS_A_TOKEN
        return Estimate(tokens, model.strip("/"), prices or RECKONED, self.rules.tools.turn_dollars)

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

    def _keep(self, turn: Turn, kept: Kept, wish: Wish) -> None:
        """Remember an exchange; what was private is not written down, what was to be forgotten meanwhile not kept at all."""
        if turn.place.since != self._calls.forgotten(turn.place):
            return
        most = self.rules.attachments.text_chars
        files = tuple(replace(each, text=each.text[:most]) for each in wish.attachments if each.image is None)
        private = turn.needs.private
        exchange = Exchange(
            kept.question,
            kept.answer,
            kept.caller,
            kept.outside,
            kept.sources,
            files,
            private,
            kept.source,
            kept.reply_to,
        )
        self._memory.remember(turn.place.conversation, exchange)
        if self.turns is not None and not private:
            self.turns.keep(turn.place, kept)
