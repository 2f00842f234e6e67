"""Answers chat: the window of a conversation, the limits, one turn of the loop, and what is kept of it."""

import re
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from agent.chat import telling
from agent.chat.accounts import Accounts
from agent.chat.agents import Consultation
from agent.chat.calls import Calls, Lend, Place
from agent.chat.loop import Loop, Turn, fenced
from agent.chat.outgoing import Outgoing
from agent.chat.toolbox import Tool, Toolbox
from agent.chat.turns import UNUSED, Kept, Turns
from agent.ports import Models, ProviderFailed
from agent.types import Message
from policies.access import tools_allowed
from policies.load import Rules, load_rules

WINDOW_MESSAGES = 50
WINDOW_CHARS = 48_000
CONVERSATIONS = 500
"""Conversations that are remembered; the one not heard of for longest goes first."""
MAX_QUESTION = 16_000
"""Characters of one message that a model is shown."""
_MENTION = re.compile(r"<(@[!&]?|#)\d{1,20}>|(?<!\w)@(everyone|here)\b")
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_NO_TOOLS = Toolbox()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer.

    Attributes:
        caller: Who asked, as `surface:name`.
        outside: Text from outside had a part in it.
        sources: Addresses that were shown below the answer.
    """

    question: str
    answer: str
    caller: str
    outside: bool = False
    sources: tuple[str, ...] = ()


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
        tools_on: bool | None = None,
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
            tools_on: What the operator's setting says of tools; None where it is not set.
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
        self._calls = Calls(self.rules, services, note, clock)
        self._said: OrderedDict[str, deque[Exchange]] = OrderedDict()

    @property
    def missing(self) -> str | None:
        """Why no model can answer, as a sentence that says what to set; None when one can."""
        if self._models is None:
            return self._missing or "No language model is set up."
        return self._models.missing

    def voice(self, toolbox: Toolbox, caller: str, conversation: str) -> Voice:
        """The brain for one request of somebody in a place."""

        # Functions, so that live code is handed no attribute that leads to the brain itself.
        def missing() -> str | None:
            return self.missing

        def answer(text: str, instructions: str) -> AsyncGenerator[str, None]:
            return self.answer(conversation, text, instructions, caller=caller, toolbox=toolbox)

        return Voice(missing, answer)

    def tools(self, toolbox: Toolbox, caller: str, conversation: str) -> list[Tool]:
        """The tools that a model is offered when somebody asks in a place."""
        if not tools_allowed(caller, self.rules, enabled=self._tools_on).allowed:
            return []
        return toolbox.allowed(caller, conversation, "partner", self.rules)

    async def answer(
        self,
        conversation: str,
        text: str,
        instructions: str,
        *,
        caller: str,
        toolbox: Toolbox = _NO_TOOLS,
        force: str = "",
        model: str = "",
    ) -> AsyncGenerator[str, None]:
        """Stream a model's answer to `text`, with the window of the conversation before it.

        Args:
            conversation: Where it was said.
            text: What was said.
            instructions: How to answer.
            caller: Who said it, as `surface:name`.
            toolbox: The tools of the generation that answers.
            force: `required`, or the name of a tool that is to be called first.
            model: The model to ask, by name; empty: any.

        Raises:
            Exception: The class given as `failed`, when no model answered; its text is for people.
        """
        if self._models is None:
            raise self._failed(self.missing)
        if (over := self.accounts.ask(caller)) is not None:
            yield over.told(self._clock())
            return
        question = cleaned(text)
        mark = secrets.token_hex(8)
        window = self._window(conversation)
        system = [Message(role="system", text=instructions)] if instructions else []
        tools = self.tools(toolbox, caller, conversation)
        turn = Turn(
            messages=[
                *system,
                *_shown(window, caller, mark),
                Message(role="user", text=question),
            ],
            toolbox=toolbox if tools else _NO_TOOLS,
            place=Place(caller, conversation),
            specs=tuple(tool.spec for tool in tools),
            # What others said is text from outside, and so is what had a part in an earlier answer.
            outside=any(each.outside or each.caller != caller for each in window),
            # Earlier answers went out through the same filter, so what they show may be visited and shown again.
            given=[
                *(text for each in window for text in (each.question, each.answer, *each.sources)),
                question,
            ],
            mark=mark,
            force=force if tools else "",
            model=model,
        )
        first = len(turn.messages) - 1
        purse = self.accounts.purse(caller, conversation)
        loop = Loop(
            self._models,
            self._calls,
            self.rules.tools,
            partial(self.accounts.reserve, purse),
            partial(self.accounts.settle, purse),
            partial(Consultation, rules=self.rules.tools),
        )
        outgoing = Outgoing(lambda: turn.given if turn.outside else None)
        heard: list[str] = []
        began = time.monotonic()
        try:
            async with aclosing(loop.run(turn)) as pieces:
                async for piece in pieces:
                    if shown := outgoing.feed(piece):
                        heard.append(shown)
                        yield shown
        except ProviderFailed as failure:
            raise self._failed(str(failure)) from None
        if rest := outgoing.end():
            heard.append(rest)
            yield rest
        answer = "".join(heard)
        if not answer.strip():
            raise self._failed("The model gave an empty answer; ask again, or in other words.")
        seconds = time.monotonic() - began
        sources = telling.sources(turn)
        self._remember(conversation, Exchange(question, answer, caller, turn.outside, sources))
        if self.turns is not None:
            kept = Kept(
                question,
                answer,
                turn.outside,
                tuple(turn.messages[first:]),
                turn.answered_by,
                turn.tokens,
                turn.dollars,
                seconds,
                self._clock(),
                caller,
                sources,
            )
            self.turns.keep(turn.place, kept)
        if below := telling.footer(turn, seconds, sources, self.rules.tools.footer):
            yield f"\n\n{below}"

    def forget(self, conversation: str) -> None:
        """Let go of all that was said in a conversation; for whoever answers for people's data."""
        self._said.pop(conversation, None)
        if self.turns is not None:
            self.turns.forget(conversation)

    def inform(self, name: str, rest: str, toolbox: Toolbox, caller: str, conversation: str) -> str:
        """Answer `/tools [NAME]` or `/cost` for somebody in a place."""
        if name == "cost":
            return telling.cost(self.accounts.today(self.accounts.purse(caller, conversation)))
        offered = self.tools(toolbox, caller, conversation)
        if not rest:
            return telling.tools(offered)
        one = toolbox.find(rest.strip())
        if one is None or one not in offered:
            return f"There is no tool {rest.strip()[:48]!r} that you may use here; /tools lists them."
        return telling.tool(one, self.turns.used(one.name) if self.turns is not None else UNUSED)

    def routes(self) -> str:
        """Which models were asked lately, and why, for people."""
        return telling.routes(self._models.why(5) if self._models is not None else ())

    async def close(self) -> None:
        """Let go of connections and files."""
        if self._models is not None:
            await self._models.close()
        if self.turns is not None:
            self.turns.close()

    def _window(self, conversation: str) -> list[Exchange]:
        """The newest exchanges, oldest first, within both bounds."""
        room = WINDOW_CHARS
        kept: list[Exchange] = []
        for exchange in reversed(self._before(conversation)):
            room -= len(exchange.question) + len(exchange.answer) + sum(map(len, exchange.sources))
            if room < 0:
                break
            kept.insert(0, exchange)
        return kept

    def _before(self, conversation: str) -> deque[Exchange]:
        if (said := self._said.get(conversation)) is None:
            said = deque(maxlen=WINDOW_MESSAGES // 2)
            if self.turns is not None:
                newest = self.turns.newest(conversation, WINDOW_MESSAGES // 2)
                said.extend(
                    Exchange(kept.question, kept.answer, kept.caller, kept.outside, kept.sources)
                    for kept in newest
                )
                self._said[conversation] = said
        return said

    def _remember(self, conversation: str, exchange: Exchange) -> None:
        self._said.setdefault(conversation, deque(maxlen=WINDOW_MESSAGES // 2)).append(exchange)
        self._said.move_to_end(conversation)
        while len(self._said) > CONVERSATIONS:
            self._said.popitem(last=False)


def _shown(window: Sequence[Exchange], caller: str, mark: str) -> Iterator[Message]:
    """Earlier exchanges as a model reads them: others' questions between marks, sources where they can be asked for."""
    for each in window:
        mine = each.caller == caller
        question = each.question if mine else f"Somebody else said:\n{fenced(each.question, mark)}"
        listed = telling.numbered(each.sources)
        answer = f"{each.answer}\n\n(sources:\n{listed})" if listed else each.answer
        yield Message(role="user", text=question)
        yield Message(role="assistant", text=answer)


def cleaned(text: str) -> str:
    """A message as a model may be shown it: no mentions that would ring, nothing unwritable, not endless."""

    def spoken(found: re.Match[str]) -> str:
        named = {"@&": "(a role)", "#": "(a channel)"}
        return found[2] or named.get(found[1], "(somebody)")

    return _UNWRITABLE.sub("", _MENTION.sub(spoken, text))[:MAX_QUESTION]
