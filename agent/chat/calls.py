"""Runs the calls that models make: looked at, paid for, timed, remembered, written down, whatever comes of them."""

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from agent.chat.attempt import Failure, attempt
from agent.chat.outgoing import visits_stranger
from agent.chat.redaction import looks_secret, redacted
from agent.chat.schema import Wrong
from agent.chat.toolbox import Tool, Toolbox
from agent.tool import Context, Result
from agent.types import ToolCall
from policies.access import Role, may_use
from policies.load import Rules

Outcome = Literal[
    "ok",
    "cached",
    "unknown",
    "wrong",
    "denied",
    "refused",
    "unconfirmed",
    "repeated",
    "late",
    "failed",
    "cancelled",
]
KEPT_RESULTS = 256
_OUTSIDE = frozenset({"web", "runner", "data", "files", "vision"})
"""Services by which text from outside comes in: pages, rows, files and pictures are written by anybody, and a program
may print what its author was talked into. Whatever a tool says of its answer, it is marked when the tool uses one."""
Lend = Callable[[], Awaitable[Mapping[str, Any]]]
"""Opens what tools can be lent, by service; asked when a tool uses something."""

log = logging.getLogger("theseus.tools")


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one call. `text` is what the model reads."""

    call: ToolCall
    tool: str
    outcome: Outcome
    text: str
    seconds: float = 0.0
    cost: float = 0.0
    sources: tuple[str, ...] = ()
    untrusted: bool = False
    file: str = ""
    arguments: str = "{}"
    """As they are kept: secrets and long texts taken out."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where calls come from: who asks, where, and by which agents."""

    caller: str
    conversation: str
    role: Role = "partner"
    asked: tuple[str, ...] = ()
    """The agents that asked each other, the one that calls last; empty for the chat itself."""

    @property
    def agent(self) -> str:
        """Which agent calls; empty for the chat itself."""
        return self.asked[-1] if self.asked else ""


class Calls:
    """Runs calls. What it keeps is the answers that may be given again, and how often who used what."""

    def __init__(
        self,
        rules: Rules,
        services: Lend | None = None,
        note: Callable[[Place, Answered], None] = lambda _place, _answered: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Put it together.

        Args:
            rules: Who may do what, and how much of it.
            services: Opens what tools can be lent.
            note: Hears of every call and what came of it.
            clock: Seconds since the epoch.
        """
        self._rules = rules
        self._note = note
        self._lend = services
        self._clock = clock
        self._kept: OrderedDict[tuple[str, ...], tuple[float, Answered]] = OrderedDict()
        self._used: dict[tuple[int, str, str], int] = {}

    async def run(
        self,
        toolbox: Toolbox,
        call: ToolCall,
        place: Place,
        outside: Collection[str] | None = None,
        lent: Mapping[str, Any] | None = None,
    ) -> Answered:
        """Run one call. Raises nothing but a cancellation: what goes wrong is what the model reads.

        Args:
            toolbox: The tools of the generation on which the turn began.
            call: What the model wishes.
            place: Who asks, and where.
            outside: The `addresses` that people and the net gave, where text from outside is in the turn; None where none
                is. From then on nothing is changed without a person, and no other address is visited.
            lent: What this turn lends beside the services of the process.
        """
        try:
            answered = await self._run(toolbox, call, place, outside, lent or {})
        except asyncio.CancelledError:
            name = call.name[:80]
            self._note(place, Answered(call, name, "cancelled", "", arguments=redacted(call.arguments)))
            raise
        self._note(place, answered)
        return answered

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def not_run(self, call: ToolCall, place: Place, outcome: Outcome, why: str) -> Answered:
        """Answer a call that is not made, and write that down as well."""
        answered = Answered(call, call.name[:80], outcome, why, arguments=redacted(call.arguments))
        self._note(place, answered)
        return answered

    async def _run(
        self,
        toolbox: Toolbox,
        call: ToolCall,
        place: Place,
        outside: Collection[str] | None,
        lent: Mapping[str, Any],
    ) -> Answered:
        answered = Answered(call, call.name[:80], "unknown", "", arguments=redacted(call.arguments))
        tool = toolbox.find(call.name)
        if tool is None:
            near = ", ".join(each.name for each in self._allowed(toolbox, place)) or "none"
            return replace(answered, text=f"There is no such tool. There are: {near}.")
        answered = replace(answered, tool=tool.name)
        decision = may_use(tool.wanted, place.caller, place.conversation, place.role, self._rules)
        if not decision.allowed:
            return replace(answered, outcome="denied", text=f"Not done: {decision.why}")
        arguments = tool.signature.read(call.arguments)
        if isinstance(arguments, Wrong):
            return replace(answered, outcome="wrong", text=f"Not done: {arguments.why}.")
        if outside is not None and (why := _needs_a_person(tool, call.arguments, outside)):
            return replace(answered, outcome="unconfirmed", text=why)
        return await self._allowed_call(tool, arguments, place, answered, lent)

    def _allowed(self, toolbox: Toolbox, place: Place) -> list[Tool]:
        return toolbox.allowed(place.caller, place.conversation, place.role, self._rules)

    async def _allowed_call(
        self, tool: Tool, arguments: dict[str, Any], place: Place, answered: Answered, lent: Mapping[str, Any]
    ) -> Answered:
        # What one person was told is not told to another, and what one generation's code said not by another's.
        key = (
            tool.name,
            tool.manifest.version,
            tool.run.__module__,
            place.caller,
            place.conversation,
            _canonical(answered.call.arguments),
        )
        now = self._clock()
        kept = self._kept.get(key)
        if kept is not None and kept[0] > now:
            return replace(kept[1], call=answered.call, outcome="cached", seconds=0.0, cost=0.0)
        day = (int(now // 86_400), place.caller, tool.name)
        if self._used.get(day, 0) >= self._rules.tools.calls_a_day:
            text = f"Not done: {tool.name} was used {self.used(day)} times today, which is all there is in a day."
            return replace(answered, outcome="denied", text=text)
        self._used = {each: number for each, number in self._used.items() if each[0] == day[0]}
        self._used[day] = self.used(day) + 1
        uses = tool.manifest.uses
        try:
            services = await self._lend() if self._lend is not None and uses else {}
        except Exception as error:
            log.warning("%s cannot be lent what it uses", tool.name, exc_info=error)
            text = f"{tool.name} failed: what it needs cannot be opened; the operator finds the reason in the log."
            return replace(answered, outcome="failed", text=text)
        services = {name: each for name, each in {**services, **lent}.items() if name in uses}
        context = Context(
            caller=place.caller,
            conversation=place.conversation,
            call=answered.call.id,
            depth=len(place.asked),
            agent=place.agent,
            now=now,
            lent=services,
        )
        done = await self._timed(tool, context, arguments, answered)
        if done.outcome == "ok" and tool.manifest.cache_seconds > 0:
            self._kept[key] = (now + tool.manifest.cache_seconds, done)
            while len(self._kept) > KEPT_RESULTS:
                self._kept.popitem(last=False)
        return done

    def used(self, day: tuple[int, str, str]) -> int:
        """How often somebody used a tool on a day (of UTC, by number)."""
        return self._used.get(day, 0)

    async def _timed(
        self, tool: Tool, context: Context, arguments: dict[str, Any], answered: Answered
    ) -> Answered:
        began = time.monotonic()
        outside = bool(_OUTSIDE.intersection(tool.manifest.uses))
        result = await attempt(tool, context, arguments)
        if not isinstance(result, Failure):
            try:
                answered = self._read(tool, result, answered)
                answered = replace(answered, untrusted=answered.untrusted or outside)
            except Exception as error:
                log.warning("%s answered with what cannot be read", tool.name, exc_info=error)
                answered = replace(
                    answered, outcome="failed", text=f"{tool.name} failed: its answer cannot be read."
                )
        else:
            # What went wrong may be told in words from outside, where the tool can reach there.
            untrusted = outside and result.outcome != "late"
            answered = replace(answered, outcome=result.outcome, text=result.text, untrusted=untrusted)
        return replace(answered, seconds=time.monotonic() - began, cost=tool.manifest.cost)

    def _read(self, tool: Tool, result: object, answered: Answered) -> Answered:
        if isinstance(result, str):
            result = Result(text=result)
        if not isinstance(result, Result):
            text = f"{tool.name} failed: it answered with {type(result).__name__}, not with text."
            return replace(answered, outcome="failed", text=text)
        text = str.__str__(result.text)
        if not text.strip() and result.data is not None:
            text = json.dumps(result.data, ensure_ascii=False, default=str, indent=1)
        most = self._rules.tools.result_chars
        if len(text) > most:
            text = f"{text[:most]}\n(cut: {len(text):,} characters in all, of which {most:,} are shown)"
        sources = tuple(str(each) for each in result.sources)
        return replace(
            answered,
            outcome="ok",
            text=text or "(nothing)",
            sources=sources,
            untrusted=bool(result.untrusted),
            file=str(result.file),
        )


def _needs_a_person(tool: Tool, arguments: str, outside: Collection[str]) -> str:
    """Why a call is not made while text from outside is in the turn; empty where it is."""
    if tool.manifest.writes:
        return (
            f"Not done: text from outside was read in this conversation, so {tool.name}, which changes something, "
            "needs a person. Tell the person what you would do, and let them do it."
        )
    if "web" not in tool.manifest.uses:
        return ""
    texts = list(_texts(json.loads(arguments.strip() or "{}")))
    if any(looks_secret(text) for text in texts):
        return "Not done: there is something in it that looks like a secret."
    # An address that a model puts together may carry away what it has read.
    if any(visits_stranger(text, outside) for text in texts):
        return "Not done: nobody gave that address. Visit addresses exactly as they were given."
    return ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _canonical(arguments: str) -> str:
    return json.dumps(json.loads(arguments.strip() or "{}"), sort_keys=True)


def same(call: ToolCall, toolbox: Toolbox) -> tuple[str, str]:
    """What makes two calls the same: the tool by whichever name, and the arguments however they are written."""
    tool = toolbox.find(call.name)
    name = call.name if tool is None else tool.name
    try:
        return name, _canonical(call.arguments)
    except (ValueError, RecursionError):
        return name, call.arguments
