"""Runs the calls that models make: looked at, paid for, timed, remembered, written down, whatever comes of them."""

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from agent.calling.answered import Answered, Outcome, Place
from agent.calling.attempt import Failure, attempt
from agent.calling.confirm import needs_a_person
from agent.calling.schema import Wrong
from agent.calling.stretch import bounded
from agent.calling.toolbox import Tool, Toolbox
from agent.guardrails.redaction import redacted, whereabouts
from agent.tool import Context, Result
from agent.types import ToolCall
from policies.access import may_use
from policies.limits import DAY, Over, day_of
from policies.load import Rules

KEPT_RESULTS = 256
_OUTSIDE = frozenset({"web", "runner", "data", "files", "vision"})
"""Services by which text from outside comes in: pages, rows, files and pictures are written by anybody, and a program
may print what its author was talked into. Whatever a tool says of its answer, it is marked when the tool uses one."""
Lend = Callable[[], Awaitable[Mapping[str, Any]]]
"""Opens what tools can be lent, by service; asked when a tool uses something."""

log = logging.getLogger("theseus.tools")


class Calls:
    """Runs calls. What it keeps is the answers that may be given again, and how often who used what."""

    def __init__(
        self,
        rules: Rules,
        services: Lend | None = None,
        note: Callable[[Place, Answered], None] = lambda _place, _answered: None,
        clock: Callable[[], float] = time.time,
        before: Callable[[int, str, str], int] = lambda _day, _caller, _tool: 0,
    ) -> None:
        """Put it together.

        Args:
            rules: Who may do what, and how much of it.
            services: Opens what tools can be lent.
            note: Hears of every call and what came of it.
            clock: Seconds since the epoch.
            before: How often somebody used a tool on a day (of UTC, by number), before this process.
        """
        self._rules = rules
        self._note = note
        self._lend = services
        self._clock = clock
        self._before = before
        self._kept: OrderedDict[tuple[str, ...], tuple[float, Answered]] = OrderedDict()
        self._used: dict[tuple[int, str, str], int] = {}
        self._forgotten: dict[tuple[str, str | None], int] = {}
        """How often that was asked for, by place and person; None: everybody."""

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
        place = place if place.since else replace(place, since=self.forgotten(place))
        try:
            answered = await self._run(toolbox, call, place, outside, lent or {})
        except asyncio.CancelledError:
            name = call.name[:80]
            self._written(place, Answered(call, name, "cancelled", "", arguments=redacted(call.arguments)))
            raise
        self._written(place, answered)
        return answered

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def not_run(self, call: ToolCall, place: Place, outcome: Outcome, why: str) -> Answered:
        """Answer a call that is not made, and write that down as well."""
        answered = Answered(call, call.name[:80], outcome, why, arguments=redacted(call.arguments))
        self._written(place, answered)
        return answered

    def _written(self, place: Place, answered: Answered) -> None:
        """Write down what came of a call; without its words where they were to be forgotten meanwhile."""
        forgotten = place.since and place.since != self.forgotten(place)
        self._note(replace(place, private=True) if forgotten else place, answered)

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
            text = f"Not done: {decision.why}"
            return replace(answered, outcome="denied", text=text, stopped="permission")
        arguments = tool.signature.read(call.arguments)
        if isinstance(arguments, Wrong):
            return replace(answered, outcome="wrong", text=f"Not done: {arguments.why}.")
        if outside is not None and (why := needs_a_person(tool, call.arguments, outside)):
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
        day = (day_of(now), place.caller, tool.name)
        if self.used(day) >= self.most_a_day(tool):
            over = Over(tool.name, f"{tool.name} was used {self.used(day)} times today.", (day[0] + 1) * DAY)
            return replace(answered, outcome="denied", text=f"Not done: {over.told(now)}")
        self._used[day] = self.used(day) + 1
        uses = tool.manifest.uses
        try:
            services = await self._lend() if self._lend is not None and uses else {}
        except Exception as error:
            log.warning("%s cannot be lent what it uses", tool.name, exc_info=error)
            text = f"{tool.name} failed: what it needs cannot be opened; the operator finds the reason in the log."
            name = type(error).__name__
            return replace(answered, outcome="failed", text=text, stopped="access", error=name)
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
        if done.outcome == "ok" and tool.manifest.cache_seconds > 0 and place.since == self.forgotten(place):
            self._kept[key] = (now + tool.manifest.cache_seconds, done)
            while len(self._kept) > KEPT_RESULTS:
                self._kept.popitem(last=False)
        return done

    def most_a_day(self, tool: Tool) -> int:
        """How often one person may have a tool run in a day: the least that rules and tool allow."""
        rules = self._rules.tools
        own = tool.manifest.calls_a_day or rules.calls_a_day
        return min(rules.calls_a_day, own, rules.each_a_day.get(tool.name, own))

    def used(self, day: tuple[int, str, str]) -> int:
        """How often somebody used a tool on a day (of UTC, by number)."""
        if day not in self._used:
            if day[0] != next(iter(self._used), day)[0]:
                self._used = {}  # a new day; to look through them at each call would take longer with each person
            self._used[day] = self._before(*day)
        return self._used[day]

    def forgotten(self, place: Place) -> int:
        """A number that is another one after somebody had forgotten what this person said here."""
        here = place.conversation
        return 1 + self._forgotten.get((here, None), 0) + self._forgotten.get((here, place.caller), 0)

    def forget(self, conversation: str, caller: str | None = None) -> None:
        """Let go of answers that may be given again, in a conversation; of one person's alone, or of everybody's.

        What is under way there is not kept either, once it is done.
        """
        self._forgotten[conversation, caller] = self._forgotten.get((conversation, caller), 0) + 1
        self._kept = OrderedDict(
            (key, kept)
            for key, kept in self._kept.items()
            if key[4] != conversation or caller not in (None, key[3])
        )

    async def _timed(
        self, tool: Tool, context: Context, arguments: dict[str, Any], answered: Answered
    ) -> Answered:
        began = time.monotonic()
        outside = bool(_OUTSIDE.intersection(tool.manifest.uses))
        result = await attempt(tool, context, arguments)
        if not isinstance(result, Failure):
            try:
                answered = await bounded(partial(self._read, tool, result, answered))
                answered = replace(answered, untrusted=answered.untrusted or outside)
            except BaseException as error:  # noqa: BLE001 - so is what a tool returns, and nothing is waited for
                log.warning("%s answered with what cannot be read: %s", tool.name, whereabouts(error))
                text = f"{tool.name} failed: its answer cannot be read."
                answered = replace(answered, outcome="failed", text=text, error=type(error).__name__)
        else:
            # What went wrong may be told in words from outside, where the tool can reach there.
            untrusted = outside and result.outcome != "late"
            answered = replace(
                answered, outcome=result.outcome, text=result.text, untrusted=untrusted, error=result.error
            )
        return replace(answered, seconds=time.monotonic() - began, cost=tool.manifest.cost)

    def _read(self, tool: Tool, result: object, answered: Answered) -> Answered:
        if isinstance(result, str):
            result = Result(text=result)
        if not isinstance(result, Result):
            text = f"{tool.name} failed: it answered with {type(result).__name__}, not with text."
            return replace(answered, outcome="failed", text=text, error="TypeError")
        text = str.__str__(result.text)
        if not text.strip() and result.data is not None:
            # Without indents, which would make what is nested deeply many times longer.
            text = json.dumps(result.data, ensure_ascii=False, default=str, separators=(",", ":"))
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
