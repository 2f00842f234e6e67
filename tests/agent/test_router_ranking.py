"""In which order models are asked, and why: tables of what is needed, and who comes first."""

import pytest

from agent.models.capability import Facts
from agent.models.catalogue import Row, Skill
from agent.models.offers import Offer
from agent.models.ranking import MOST, Candidate, Nobody, ranked
from agent.providers.scripted import ScriptedModel
from agent.types import Needs, Prices


class Named(ScriptedModel):
    """A model with a name of its own."""

    def __init__(self, name: str, prices: Prices) -> None:
        super().__init__(prices=prices)
        self._name = name

    @property
    def model(self) -> str:
        """Its name."""
        return self._name


def candidate(
    name: str, facts: Facts, *skills: Skill, price: float = 1.0, private: bool = False, rests: float = 0.0
) -> Candidate:
    """A model as `vendor/model`."""
    vendor, _, model = name.partition("/")
    provider = Named(model, Prices(input=price, output=price))
    offer = Offer(vendor, provider, Row(good_at=skills), private=private)
    return Candidate(offer, facts, rests, failures=3 if rests else 0)


EVERYTHING = Facts("yes", "yes", 200_000)
THERE = [
    candidate("openai/usual", EVERYTHING),
    candidate("openai/coder", EVERYTHING, "code", price=2),
    candidate("anthropic/thinker", EVERYTHING, "complex", "safety", price=5),
    candidate("anthropic/small", EVERYTHING, "cheap", "moderation", price=0.1),
    candidate("local/own", Facts("no", "no", 8_000), price=0, private=True),
]


@pytest.mark.parametrize(
    ("needs", "first", "because"),
    [
        (Needs(), "openai/usual", "first in the settings"),
        (Needs(complex=True), "anthropic/thinker", "hard questions"),
        (Needs(code=True), "openai/coder", "good at code"),
        (Needs(safety=True), "anthropic/thinker", "delicate"),
        (Needs(moderation=True), "anthropic/small", "moderation"),
        (Needs(private=True), "local/own", "must stay on this machine"),
        (Needs(cheap=True, tools=True), "anthropic/small", "costs least"),
        (Needs(cheap=True), "local/own", "costs least"),
        (Needs(vision=True), "openai/usual", "sees pictures"),
        (Needs(model="local/own"), "local/own", "by name"),
        (Needs(model="small"), "anthropic/small", "by name"),
        (Needs(code=True, cheap=True), "openai/coder", "good at code"),
    ],
)
def test_what_is_needed_decides_who_is_first(needs: Needs, first: str, because: str) -> None:
    """Each kind of question goes to the model that suits it, with the reason in words."""
    order = ranked(THERE, needs)
    assert not isinstance(order, Nobody)
    assert order[0].candidate.offer.name == first
    assert because in order[0].why


def test_who_stands_in_is_another_vendor() -> None:
    """After the first choice comes another vendor's model, which will not fail for the same reason; and not all are asked."""
    order = ranked(THERE, Needs())
    assert not isinstance(order, Nobody)
    vendors = [choice.candidate.offer.vendor for choice in order]
    assert vendors[:3] == ["openai", "anthropic", "local"]
    assert len(order) == MOST


@pytest.mark.parametrize("needs", [Needs(private=True), Needs(model="local/own")])
def test_nothing_private_leaves_the_machine(needs: Needs) -> None:
    """Where it must stay here, or was asked of a model here, nobody elsewhere stands in."""
    order = ranked(THERE, needs)
    assert not isinstance(order, Nobody)
    assert [choice.candidate.offer.private for choice in order] == [True]


@pytest.mark.parametrize(
    ("needs", "says"),
    [
        (Needs(model="nobody"), "There is no model"),
        (Needs(model="local/own", vision=True), "sees no pictures"),
        (Needs(private=True, vision=True), "No model on this machine sees pictures"),
        (Needs(private=True, model="openai/usual"), "openai/usual does not run here"),
        (Needs(context=10_000_000), "too long"),
    ],
)
def test_what_nobody_can_do_is_said(needs: Needs, says: str) -> None:
    """An unknown name, a picture for a model that sees none, and a text too long for all are answered in words."""
    assert says in str(ranked(THERE, needs))


@pytest.mark.parametrize(
    ("needs", "says"),
    [(Needs(private=True), "LOCAL_MODEL_URL"), (Needs(vision=True), "sees pictures")],
)
def test_what_is_not_there_is_named(needs: Needs, says: str) -> None:
    """Without a model on this machine, or one that sees, the sentence says what is missing."""
    assert says in str(ranked([candidate("server/blind", Facts("yes", "no"))], needs))


def test_unknown_is_not_no() -> None:
    """Of a model that nothing is known of, pictures and tools are tried; one that is known to see goes before it."""
    dark = candidate("server/dark", Facts())
    only = ranked([dark], Needs(vision=True, tools=True, context=10_000))
    assert not isinstance(only, Nobody)
    assert "nothing says that it sees no pictures" in only[0].why
    both = ranked([dark, THERE[0]], Needs(vision=True))
    assert not isinstance(both, Nobody)
    assert both[0].candidate is THERE[0]


def test_one_that_failed_too_often_rests() -> None:
    """A model with an open circuit is left out, and the reason says so; if all rest, it says for how long."""
    resting = candidate("openai/usual", EVERYTHING, rests=20)
    order = ranked([resting, THERE[2]], Needs())
    assert not isinstance(order, Nobody)
    assert [choice.candidate for choice in order] == [THERE[2]]
    assert "openai/usual failed too often" in order[0].why
    nobody = ranked([resting], Needs())
    assert isinstance(nobody, Nobody)
    assert "again in 20 seconds" in nobody.why
    assert nobody.seconds == 20


def test_a_price_that_nobody_knows_is_not_cheap() -> None:
    """Under a tight budget, a model elsewhere without a known price does not count as free."""
    order = ranked([candidate("server/dark", Facts(), price=0), THERE[0]], Needs(cheap=True))
    assert not isinstance(order, Nobody)
    assert order[0].candidate is THERE[0]
