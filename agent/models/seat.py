"""A model that is asked, with how it has been doing; and what failed answers to a question have cost."""

from dataclasses import dataclass, field
from typing import Self

from agent.models.capability import Facts
from agent.models.health import Breaker
from agent.models.offers import Offer
from agent.models.ranking import Candidate
from agent.ports import ProviderFailed
from agent.providers.constrained import Constrained
from agent.types import Completion


@dataclass(slots=True)
class Seat:
    """An offer, and how it has been doing."""

    offer: Offer
    bare: Constrained
    """The same model, with tools that it does not have by itself."""
    breaker: Breaker = field(default_factory=Breaker)

    @classmethod
    def of(cls, offer: Offer) -> Self:
        """A seat that nobody has asked yet."""
        return cls(offer, Constrained(offer.provider))

    def candidate(self, facts: Facts, now: float) -> Candidate:
        """How it stands when it is chosen among."""
        # A trial is out: others wait for what comes of it.
        rests = max(self.breaker.left(now), 1.0) if self.breaker.refuses(now) else 0.0
        return Candidate(self.offer, facts, rests, self.breaker.failures)


@dataclass(slots=True)
class Lost:
    """What the failed answers to one question have cost; whoever asked pays for them, too."""

    tokens: int = 0
    cost: float = 0.0

    def count(self, failure: ProviderFailed) -> None:
        """One more answer failed."""
        self.tokens += failure.tokens
        self.cost += failure.cost

    def onto(self, completion: Completion) -> Completion:
        """An answer with them on its bill."""
        return (
            completion.model_copy(update={"cost": completion.cost + self.cost}) if self.cost else completion
        )
