"""In which order models are asked, and why: a pure function of what a question needs and what models are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent.models.capability import Facts
from agent.models.offers import Offer
from agent.types import Needs

MOST = 4
"""So many models are asked for one question at most."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model, what it takes, and for how many seconds it is still left alone after failures."""

    offer: Offer
    facts: Facts
    rests: float = 0.0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """A model to ask, and the reason in words that follow "because"."""

    candidate: Candidate
    why: str


@dataclass(frozen=True, slots=True)
class Nobody:
    """Why no model can be asked, as a sentence, and the seconds after which one can; None: never, as it stands."""

    why: str
    seconds: float | None = None
    refused: Literal["", "images"] = ""
    """What no model takes, where that is the reason."""


def ranked(candidates: Sequence[Candidate], needs: Needs) -> list[Choice] | Nobody:
    """The models to ask, best first, or the sentence that says why there is none.

    What cannot do it is left out: one that sends it elsewhere where it must stay here, one that sees nothing where
    there is a picture, one that is too small. Of the rest, first the one asked for by name, then those that are
    good at what is needed, then (where it has to be cheap) by price, then as the settings have them.
    """
    wanted = [one for one in candidates if named(one.offer, needs.model)]
    if needs.model and not wanted:
        there = ", ".join(one.offer.name for one in candidates[:8])
        return Nobody(f'There is no model "{needs.model}" here; there are {there}.')
    stays = needs.private or (bool(wanted) and wanted[0].offer.private)
    open_to = [
        one for one in candidates if one.offer.offered or one in wanted or (stays and one.offer.private)
    ]
    if stays:
        open_to = [one for one in open_to if one.offer.private]
        if not open_to:
            return Nobody(
                "This must not leave this machine, and no model runs here; set LOCAL_MODEL_URL to one."
            )
        if wanted and wanted[0] not in open_to:
            return Nobody(
                f"This must not leave this machine, and {needs.model} does not run here; leave one of the two out."
            )
    if needs.vision:
        open_to = [one for one in open_to if one.facts.vision != "no"]
        if not open_to or (wanted and wanted[0] not in open_to):
            who = needs.model or f"No model {'on this machine' if stays else 'that is set up'}"
            sees = "sees no pictures" if needs.model else "sees pictures"
            return Nobody(
                f"{who} {sees}; choose one that does (/models lists them), or describe it in words.",
                refused="images",
            )
    large = [one for one in open_to if not one.facts.context or one.facts.context >= needs.context]
    if not large:
        most = max(one.facts.context for one in open_to)
        return Nobody(
            f"This is too long for every model here ({needs.context:,} tokens of at most {most:,}); say less at once."
        )
    awake = [one for one in large if one.rests <= 0]
    if not awake:
        soonest = min(large, key=lambda one: one.rests)
        return Nobody(
            f"{soonest.offer.name} failed {soonest.failures} times in a row and is left alone; "
            f"it is asked again in {soonest.rests:.0f} seconds.",
            soonest.rests,
        )
    order = sorted(awake, key=lambda one: _key(one, needs, first=one in wanted))
    return [Choice(one, _why(one, awake, large, needs)) for one in _mixed(order)][:MOST]


def named(offer: Offer, name: str) -> bool:
    """Whether a model was asked for by a name."""
    return bool(name) and name in (offer.name, offer.provider.model, offer.model)


def _key(one: Candidate, needs: Needs, *, first: bool) -> tuple[float, ...]:
    """Smaller is better; sorting keeps the settings' order among equals."""
    price = _price(one) if needs.cheap else 0.0
    return (
        not first,
        needs.vision and one.facts.vision != "yes",
        needs.tools and one.facts.tools == "no",
        -len(_skills(one, needs)),
        price,
    )


def _mixed(order: list[Candidate]) -> list[Candidate]:
    """The first, then the best of each other vendor: who stands in should not fail for the same reason."""
    met = {order[0].offer.vendor}
    others: list[Candidate] = []
    same: list[Candidate] = []
    for one in order[1:]:
        (same if one.offer.vendor in met else others).append(one)
        met.add(one.offer.vendor)
    return [order[0], *others, *same]


def _skills(one: Candidate, needs: Needs) -> list[str]:
    """What is needed and the model is good at."""
    wanted = [name for name in ("complex", "code", "safety", "moderation") if getattr(needs, name)]
    return [name for name in wanted if name in one.offer.row.good_at]


def _price(one: Candidate) -> float:
    """What a question and an answer of usual lengths cost; a price that nobody knows is not cheap."""
    prices = one.offer.provider.prices
    free = one.offer.private or one.offer.vendor == "local"
    if not prices.known or (prices.output == 0 and not free):
        return 1e6
    return 3 * prices.input + prices.output


def _why(one: Candidate, awake: Sequence[Candidate], fits: Sequence[Candidate], needs: Needs) -> str:
    reasons = []
    if named(one.offer, needs.model):
        reasons.append("it was asked for by name")
    if needs.private:
        reasons.append("what was said must stay on this machine")
    if needs.vision:
        reasons.append(
            "it sees pictures" if one.facts.vision == "yes" else "nothing says that it sees no pictures"
        )
    if skills := _skills(one, needs):
        reasons.append(f"it is good at {' and '.join(_WORDS.get(skill, skill) for skill in skills)}")
    able = [
        other for other in awake if _key(other, needs, first=False)[:-1] == _key(one, needs, first=False)[:-1]
    ]
    if needs.cheap and _price(one) == min(map(_price, able)):
        reasons.append("it costs least")
    if needs.tools and one.facts.tools == "no":
        reasons.append("nothing better is there, although it has no tools of its own")
    if resting := [other.offer.name for other in fits if other.rests > 0]:
        reasons.append(f"{', '.join(resting)} failed too often just now")
    return " and ".join(reasons) or "it comes first in the settings"


_WORDS = {"complex": "hard questions", "safety": "delicate questions"}
