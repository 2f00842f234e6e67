"""Asks one model: again where that may help, for as long as there is time, and no longer where another can stand in.

All waiting and repeating is here; the providers ask once.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from agent.models.capability import Facts
from agent.models.health import wait_before
from agent.models.offers import Offer
from agent.models.seat import Lost, Seat
from agent.models.tokens import size
from agent.ports import ModelProvider, ProviderFailed
from agent.providers.wire import Until
from agent.types import Ask, Completion

RETRIES = 2
"""So often the same model is asked again for one question."""
RETRIES_WITH_OTHERS = 1
"""The same where another model can stand in."""
SHORT_WAIT = 2.0
"""Seconds; who says to come back later than that is stood in for, if there is somebody."""
_SHARE = 2 / 3
"""Of the time that is left, what one model may take to begin, as long as there is another."""


class _Silent(ProviderFailed):
    """It did not begin. Asked again it would take as long, which is what whoever stands in has left."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often one model is asked."""

    learn: Callable[[Offer, Literal["tools", "images"]], None]
    """Hears what a model says that it does not take."""
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    chance: Callable[[], float]
    """A number in [0, 1), for delays that differ."""

    async def answer(
        self, seat: Seat, facts: Facts, ask: Ask, deadline: float, lost: Lost, *, last: bool, trial: bool
    ) -> AsyncGenerator[str | Completion, None]:
        """One model's answer; it is asked again, as long as nothing was shown, where that may help.

        Args:
            seat: The model.
            facts: What is known of it.
            ask: What is asked.
            deadline: When the answer has to be there, on the clock.
            lost: Takes what failed answers have cost, and puts it on the bill of the one that comes.
            last: Nobody can stand in for it.
            trial: It rested before, and this question finds out whether it works again.

        Raises:
            ProviderFailed: It did not answer, or broke off.
        """
        bare = bool(ask.tools) and facts.tools == "no"
        if facts.context:
            fits = facts.context - ask.max_tokens
            room = max(1, facts.context - size(ask, fits, seat.offer.provider.model))
            ask = ask.model_copy(update={"max_tokens": min(ask.max_tokens, room)})
        attempt = 0
        while True:
            attempt += 1
            begun = False
            try:
                who = seat.bare if bare else seat.offer.provider
                async with aclosing(self._timed(who, ask, deadline, last=last)) as pieces:
                    async for piece in pieces:
                        begun = True
                        if isinstance(piece, Completion):
                            seat.breaker.worked()
                        yield lost.onto(piece) if isinstance(piece, Completion) else piece
            except ProviderFailed as failure:
                lost.count(failure)
                if failure.refused:
                    self.learn(seat.offer, failure.refused)
                if failure.refused == "tools" and not bare and not begun:
                    bare = True
                    continue
                wait = wait_before(attempt, failure.retry_after, self.chance)
                often = RETRIES if last else RETRIES_WITH_OTHERS
                silent = isinstance(failure, _Silent) and not last
                useless = begun or silent or not failure.retryable or attempt > often
                if useless or (wait > SHORT_WAIT and not last) or self.clock() + wait >= deadline:
                    if failure.retryable:
                        seat.breaker.failed(self.clock(), trial=trial)
                    raise
                await self.sleep(wait)
            else:
                return

    async def _timed(
        self, provider: ModelProvider, ask: Ask, deadline: float, *, last: bool
    ) -> AsyncGenerator[str | Completion, None]:
        left = deadline - self.clock()
        if left <= 0:
            raise ProviderFailed("The models did not answer in time; try again in a minute.", retryable=True)
        now = asyncio.get_running_loop().time()
        begin = now + (left if last else left * _SHARE)
        async with aclosing(provider.stream(ask.model_copy(update={"seconds": left}))) as pieces:
            try:
                yield await anext(Until(pieces, begin))
            except TimeoutError:
                raise _Silent(
                    f"{provider.model} did not begin to answer in time; try again in a minute.",
                    retryable=True,
                ) from None
            async for piece in pieces:
                yield piece
