"""One turn: a model is asked, what it calls is run, and it is asked again, until it answers or may go on no longer."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from agent.calling.answered import Answered
from agent.calling.executor import Calls, same
from agent.chat.turn import Run, Turn
from agent.ports import Models, ProviderFailed
from agent.types import Ask, Completion, Message, Needs, Routed, ToolCall
from policies.limits import Over, Spent
from policies.load import ToolRules

SHORTEST_ANSWER = 256
"""Tokens; with room for less, a model is not asked."""
_SECTION = "\n\n"


LendTurn = Callable[[Turn, Run], Mapping[str, Any]]
Reserve = Callable[[Spent], Over | None]
Settle = Callable[[Spent, Spent], None]


@dataclass(frozen=True, slots=True)
class Loop:
    """What every turn needs: models, calls, rules, and a purse to pay from."""

    models: Models
    calls: Calls
    rules: ToolRules
    reserve: Reserve = lambda _wanted: None
    settle: Settle = lambda _wanted, _actual: None
    lend: LendTurn = lambda _turn, _run: {}
    """Makes what only this turn lends to its tools, by service."""

    async def run(self, turn: Turn, rounds: int | None = None) -> AsyncGenerator[str, None]:
        """Answer in pieces. Tools are used for at most so many rounds; then one last answer is given without.

        Raises:
            ProviderFailed: No model answered.
        """
        rounds = self.rules.rounds if rounds is None else rounds
        until = time.monotonic() + self.rules.turn_seconds
        said = False
        for number in range(rounds + 1):
            last = number == rounds or time.monotonic() > until
            room, last = self._room(turn, last=last)
            wanted = turn.wanted(room, self.models.reckoned(turn.needs))
            over = self.reserve(wanted.plus(turn.kept_back)) if room else None
            if not room or over is not None:
                yield self._ended(turn, over, said=said)
                return
            if last and turn.calls:
                turn.say_that_it_ends()
            completion: Completion | None = None
            async with aclosing(self._stream(turn, wanted, turn.asked(room, number, last=last))) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Completion):
                        completion = piece
                    elif piece:
                        yield _SECTION + piece if said else piece
                        said = False
            if completion is None:
                return
            if turn.routes:
                by = turn.routes[-1]
                turn.place = replace(turn.place, model=f"{by.vendor}/{by.model}".strip("/"))
            told = bool(completion.text.strip())
            said = said or told
            calls = () if last else completion.calls
            turn.messages.append(completion.message.model_copy(update={"calls": calls}))
            turn.context = completion.usage.input + completion.usage.output
            turn.counted = len(turn.messages) if turn.context else 0
            if not calls:
                if not told:
                    yield _nothing_said(completion, turn)
                return
            for answered in await self._answer_all(turn, calls, cut=completion.stop == "length"):
                turn.take(answered)

    async def _stream(
        self, turn: Turn, wanted: Spent, asked: tuple[Ask, Needs]
    ) -> AsyncGenerator[str | Completion, None]:
        """Ask a model once, and book what it came to in place of what was set aside."""
        before = Spent(turn.tokens, turn.dollars)
        completion: Completion | None = None
        begun = False
        failure: ProviderFailed | None = None
        try:
            async with aclosing(self.models.stream(*asked)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Routed):
                        turn.routes.append(piece)
                        continue
                    begun = True
                    completion = piece if isinstance(piece, Completion) else None
                    yield piece
        except asyncio.CancelledError:
            begun = True
            raise
        except ProviderFailed as error:
            failure = error
            raise
        finally:
            # Who went away midway has had the question answered as far as the vendor is concerned; a failure says
            # what it came to, which is nothing where the answer did not begin.
            if failure is not None and (failure.tokens or not begun):
                turn.tokens += failure.tokens
                turn.dollars += failure.cost
            elif begun:
                turn.count(completion, wanted)
            self.settle(wanted.plus(turn.kept_back), Spent(turn.tokens, turn.dollars).minus(before))

    def _room(self, turn: Turn, *, last: bool) -> tuple[int, bool]:
        """Tokens for the next answer, so that the turn's budget holds even if all are used; and if it is the last.

        When there is room for two such questions no more, this one is the last.
        """
        rules, prices, kept = self.rules, self.models.reckoned(turn.needs), turn.kept_back
        asked = turn.wanted(0, prices)
        tokens = rules.turn_tokens - kept.tokens - turn.tokens
        room = min(turn.longest, (tokens - asked.tokens) // (turn.times + turn.read_again))
        each = turn.times * prices.output + turn.read_again * prices.input
        dollars = rules.turn_dollars - kept.dollars - turn.dollars - asked.dollars
        room = min(room, int(dollars * 1_000_000 / each)) if each else room
        if room < SHORTEST_ANSWER:
            return 0, True
        again = 2 * turn.size + room + SHORTEST_ANSWER > tokens
        return room, last or (again and bool(turn.calls))

    async def _answer_all(self, turn: Turn, calls: Sequence[ToolCall], *, cut: bool) -> list[Answered]:
        """Answer every call, in their order. Side by side, but for tools that want to be alone."""
        made = Counter(same(answered.call, turn.toolbox) for answered in turn.calls)
        known = turn.known.of(turn.given) if turn.outside else None
        lent = self.lend(turn, self.run)
        answers: list[asyncio.Task[Answered] | Answered] = []

        async with asyncio.TaskGroup() as group:
            for number, call in enumerate(calls):
                this = same(call, turn.toolbox)
                made[this] += 1
                if cut:
                    why = "Not done: your answer was cut off before it was complete. Send a shorter one."
                    answers.append(self.calls.not_run(call, turn.place, "wrong", why))
                elif number >= self.rules.calls:
                    why = f"Not done: more than {self.rules.calls} calls in one answer."
                    answers.append(self.calls.not_run(call, turn.place, "repeated", why))
                elif made[this] > self.rules.repeats:
                    why = "Not done: you have made exactly this call before; its answer stands above."
                    answers.append(self.calls.not_run(call, turn.place, "repeated", why))
                else:
                    tool = turn.toolbox.find(call.name)
                    alone = tool is not None and (tool.manifest.sequential or tool.manifest.writes)
                    cost = tool.manifest.cost if tool is not None else 0.0
                    under_way = [
                        each for each in answers if isinstance(each, asyncio.Task) and not each.done()
                    ]
                    if alone and under_way:
                        await asyncio.wait(under_way)
                    # From here on nothing waits until it runs, so that what is set aside is given back for certain.
                    if cost and (why := self._cannot_pay(turn, cost)):
                        answers.append(self.calls.not_run(call, turn.place, "denied", f"Not done: {why}"))
                        continue
                    turn.held += cost
                    running = group.create_task(self._paid(turn, call, known, lent, cost))
                    answers.append(running)
                    if alone:
                        await asyncio.wait({running})
        return [each.result() if isinstance(each, asyncio.Task) else each for each in answers]

    def _cannot_pay(self, turn: Turn, cost: float) -> str:
        """Why a call of that price is not made; empty where the price is set aside."""
        if turn.dollars + turn.held + cost > self.rules.turn_dollars - turn.kept_back.dollars:
            return "what one answer may cost is used up. Answer with what you have found."
        over = self.reserve(Spent(0, cost))
        return "" if over is None else over.told(self.calls.now)

    async def _paid(
        self, turn: Turn, call: ToolCall, known: Collection[str] | None, lent: Mapping[str, Any], cost: float
    ) -> Answered:
        """Run a call whose price is set aside, and book what it came to."""
        actual = cost  # of one that was cancelled nobody knows how far it got
        try:
            answered = await self.calls.run(turn.toolbox, call, turn.place, known, lent)
            actual = answered.cost
        finally:
            turn.held -= cost
            turn.dollars += actual
            if cost:
                self.settle(Spent(0, cost), Spent(0, actual))
        return answered

    def _ended(self, turn: Turn, over: Over | None, *, said: bool) -> str:
        if over is not None:
            text = over.told(self.calls.now, marked=turn.marked)
        elif turn.calls:
            text = "I have to stop here: what one answer may cost is used up. Ask me to go on, or for something smaller."
        else:
            text = "That is too long for me to answer at once; ask about a part of it."
        turn.messages.append(Message(role="assistant", text=text))
        return _SECTION + text if said else text


async def within(asker: Turn, turn: Turn, run: Run, rounds: int) -> str:
    """What a turn answers that is a part of another one: all that is left of the asker's budget is all that there is.

    Raises:
        ProviderFailed: No model answered.
    """
    turn.tokens, turn.dollars = tokens, dollars = asker.tokens, asker.dollars + asker.held
    try:
        async with aclosing(run(turn, rounds)) as answer:
            return "".join([piece async for piece in answer])
    finally:
        asker.tokens += turn.tokens - tokens
        asker.dollars += turn.dollars - dollars
        asker.routes += turn.routes


def _nothing_said(completion: Completion, turn: Turn) -> str:
    if completion.stop == "refused":
        return "The model declined to answer that."
    if turn.calls:
        return "I used tools but came to no answer; ask again, or in other words."
    return ""
