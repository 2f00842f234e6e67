"""Asks models: in the order that the question suggests, and the next one where an answer does not come.

One deadline holds over all of it. How one of them is asked, and asked again, is `agent.models.patience`.
"""

import asyncio
import logging
import random
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Self

from agent.models.as_one import AsOne
from agent.models.capability import Capabilities, held
from agent.models.catalogue import Catalogue, builtin
from agent.models.combine import combined
from agent.models.offers import Keys, Offer, choose, endings, limits, missing
from agent.models.patience import Patience
from agent.models.ranking import Choice, Nobody, named, ranked
from agent.models.seat import Lost, Seat
from agent.models.tokens import size
from agent.ports import ModelProvider, ProviderFailed
from agent.providers.compatible import Compatible
from agent.providers.wire import patience
from agent.types import Ask, Completion, Needs, Prices, Routed, dearest

SHORT_ANSWER = 512
"""Tokens; a model with room for so many beside the question is large enough, and its answer is held to its room."""
_TOTAL = 1.5
"""The whole deadline, as a multiple of what one answer may take."""
_ROUTES = 200
_OTHERS = 32

log = logging.getLogger("theseus.router")


class Router:
    """Every model that the settings give access to, as one. Implements `agent.ports.Models`."""

    def __init__(
        self,
        offers: Sequence[Offer],
        *,
        catalogue: Catalogue | None = None,
        missing: str | None = None,
        notices: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Put the models together.

        Args:
            offers: The models, the one to ask first in front.
            catalogue: What is known of models beside their rows.
            missing: What to say where there are none.
            notices: What the operator has to know of them.
            clock: Seconds, for circuits and for what is remembered.
            sleep: Waits so many seconds.
            chance: A number in [0, 1), for delays that differ.
        """
        self._seats = [Seat.of(offer) for offer in offers]
        self._missing = missing
        self.notices = tuple(notices)
        """What the operator has to be told once: models that are going to end, a file that is not used."""
        self._clock = clock
        self._table = catalogue or builtin()
        self._capabilities = Capabilities(self._table, clock)
        self._patience = Patience(self._capabilities.learn, clock, sleep, chance)
        self._routes: deque[Routed] = deque(maxlen=_ROUTES)
        self._others: dict[str, Seat] = {}

    @classmethod
    def of(cls, keys: Keys, catalogue: Catalogue | None = None, notices: Sequence[str] = ()) -> Self:
        """The models that the settings give access to."""
        offers = choose(keys, catalogue)
        notices = [*notices, *limits(offers), *endings(offers, datetime.now(UTC).date())]
        return cls(offers, catalogue=catalogue, missing=missing(keys), notices=notices)

    @property
    def missing(self) -> str | None:
        """Why no model can answer, as a sentence that says what to set; None when one can."""
        return None if self._seats else self._missing or "No language model is set up."

    @property
    def catalogue(self) -> Sequence[Offer]:
        """What models there are, the one asked first in front."""
        return tuple(seat.offer for seat in self._seats)

    def reckoned(self, needs: Needs) -> Prices:
        """The prices of the dearest model that may be asked; where it has to be cheap, dear ones are not reckoned with."""
        return dearest(
            seat.offer.provider.prices
            for seat in (*self._seats, *self._asked_for(needs.model))
            if (seat.offer.offered and not needs.cheap) or named(seat.offer, needs.model)
        )

    def stays(self, needs: Needs) -> bool:
        """Whether it is private, or asked of a model on this machine; see `Models.stays`."""
        seats = (*self._seats, *self._asked_for(needs.model))
        first = next((seat.offer for seat in seats if named(seat.offer, needs.model)), None)
        return needs.private or (first is not None and first.private)

    def why(self, most: int = 10) -> Sequence[Routed]:
        """The newest routes with their reasons, newest first."""
        return tuple(self._routes)[::-1][:most]

    def provider(self, needs: Needs) -> ModelProvider | None:
        """All of them as one provider, for questions that need the same; None where no model can do it."""
        if not self._seats or (
            needs.code and all(seat.offer.row.only_talks for seat in self._seats if seat.offer.offered)
        ):
            return None
        return AsOne(self.catalogue, lambda ask: self.stream(ask, needs, job=True), self.close)

    async def close(self) -> None:
        """Let go of connections."""
        for seat in self._seats:  # the others share their connections
            await seat.offer.provider.close()

    async def stream(
        self, ask: Ask, needs: Needs, *, job: bool = False
    ) -> AsyncGenerator[str | Routed | Completion, None]:
        """Who is asked, the answer's pieces, and the whole answer; see `Models.stream`.

        In a job, what the table says of tools in conversations does not count.
        """
        deadline = self._clock() + (ask.seconds or _TOTAL * patience(ask))
        order = await self._order(ask, needs)
        if needs.combine:  # also where there is one alone, so that people hear of it
            names = [seat.offer.name for seat, _ in order[:2]]
            one = needs.model_copy(update={"combine": False})
            async with aclosing(combined(self, names, ask, one, lambda: deadline - self._clock())) as pieces:
                async for piece in pieces:
                    yield piece
            return
        failures: list[ProviderFailed] = []
        instead_of = ""
        lost = Lost()
        for at, (seat, choice) in enumerate(order):
            # The order is from before the first was asked: since then others may have gone out to try this one.
            if at and seat.breaker.refuses(self._clock()):
                continue
            last = all(other.breaker.refuses(self._clock()) for other, _ in order[at + 1 :])
            trial = seat.breaker.asked()  # at once, so that nobody else takes it for free
            begun = False
            try:
                yield self._route(choice, instead_of, needs)
                mine = ask if job else held(ask, seat.offer.row)
                asked = self._patience.answer(
                    seat, choice.candidate.facts, mine, deadline, lost, last=last, trial=trial
                )
                async with aclosing(asked) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
            except ProviderFailed as failure:
                if begun:
                    raise ProviderFailed(
                        f"{failure} What came before is not the whole answer.",
                        retryable=failure.retryable,
                        tokens=lost.tokens,
                        cost=lost.cost,
                    ) from None
                failures.append(failure)
                instead_of = f"{seat.offer.name}: {failure}"
                log.info("%s did not answer: %s", seat.offer.name, failure)
            else:
                return
            finally:
                seat.breaker.dropped(trial=trial)
        raise ProviderFailed(
            " ".join(dict.fromkeys(map(str, failures))),
            retryable=any(failure.retryable for failure in failures),
            retry_after=min((f.retry_after for f in failures if f.retry_after is not None), default=None),
            refused="images" if failures and all(f.refused == "images" for f in failures) else "",
            tokens=lost.tokens,
            cost=lost.cost,
        )

    async def _order(self, ask: Ask, needs: Needs) -> list[tuple[Seat, Choice]]:
        if self.missing:
            raise ProviderFailed(self.missing)
        pictures = any(message.images for message in ask.messages)
        seats = [*self._seats, *self._asked_for(needs.model)]
        facts = await asyncio.gather(*(self._capabilities.of(seat.offer) for seat in seats))
        now = self._clock()
        # Where nobody's room is known, a bound does.
        smallest = min((known.context for known in facts if known.context), default=sys.maxsize)
        least = min(ask.max_tokens, SHORT_ANSWER)
        needs = needs.model_copy(
            update={
                "context": max(needs.context, size(ask, smallest - least)) + least,
                "vision": needs.vision or pictures,
                "tools": needs.tools or bool(ask.tools),
            }
        )
        there = [seat.candidate(known, now) for seat, known in zip(seats, facts, strict=True)]
        order = ranked(there, needs)
        if isinstance(order, Nobody):
            again = order.seconds
            raise ProviderFailed(
                order.why, retryable=again is not None, retry_after=again, refused=order.refused
            )
        offers = [choice.candidate.offer for choice in order]
        if ask.tools and ask.choice not in ("auto", "none") and all(offer.row.only_talks for offer in offers):
            raise ProviderFailed(
                f"{offers[0].name} only talks and calls no tools; ask without naming or forcing one."
            )
        by_offer = {id(seat.offer): seat for seat in seats}
        return [(by_offer[id(choice.candidate.offer)], choice) for choice in order]

    def _asked_for(self, name: str) -> list[Seat]:
        """A server that has many models has also those that no setting names."""
        vendor, _, model = name.partition("/")
        if not model or any(name in (seat.offer.name, seat.offer.provider.model) for seat in self._seats):
            return []
        for seat in self._seats:
            if seat.offer.vendor == vendor and isinstance(seat.offer.provider, Compatible):
                other = self._others.pop(name, None)
                if other is None:
                    row = self._table.row(model)
                    # One's own server costs nothing, whatever a model of that name costs elsewhere.
                    free = vendor == "local" or seat.offer.private
                    if not (free or row.prices.output):
                        return []  # anybody can name it, and no budget would hold if it is dearer than reckoned
                    prices = Prices() if free else row.paid
                    provider = seat.offer.provider.other(model, prices)
                    other = Seat.of(Offer(vendor, provider, row, private=seat.offer.private, offered=False))
                self._others[name] = other
                if len(self._others) > _OTHERS:
                    del self._others[next(iter(self._others))]
                return [other]
        return []

    def _route(self, choice: Choice, instead_of: str, needs: Needs) -> Routed:
        offer = choice.candidate.offer
        why = f"stands in for {instead_of}" if instead_of else f"asked first because {choice.why}"
        why = f"{why} ({needs.why})" if needs.why else why
        routed = Routed(vendor=offer.vendor, model=offer.model, why=why, prices=offer.provider.prices)
        self._routes.append(routed)
        log.info("%s: %s", offer.name, why)
        return routed
