"""What a request may cost holds whatever the model does, and each way to end says why."""

import pytest

from agent.author.author import ModelAuthor
from agent.types import Prices
from policies.load import AuthorRules
from selfedit.types import Draft, NoDraft
from tests.agent.drafting import BROKEN_TEST, FAULTY, GOOD, REQUEST, RULES, Bench, drafted, use
from tests.fakes.scripted import ScriptedModel, Turn, Use


@pytest.mark.parametrize(
    ("rules", "prices"),
    [
        (RULES.model_copy(update={"max_tokens": 4000}), Prices()),
        (RULES.model_copy(update={"max_dollars": 0.01}), Prices(input=2, output=10)),
        (RULES.model_copy(update={"steps": 3}), Prices()),
    ],
)
async def test_the_budget_stops_it_before_it_is_overspent(rules: AuthorRules, prices: Prices) -> None:
    """No answer is asked for that could cost more than what is left, in answers, tokens or dollars."""
    turns = [
        Turn(
            calls=(Use(name="search", arguments={"text": f"word {n}"}),), input_tokens=500, output_tokens=100
        )
        for n in range(50)
    ]
    model = ScriptedModel(*turns, prices=prices)
    ended = await drafted(model, Bench(), rules)
    assert isinstance(ended, NoDraft)
    assert "used up" in ended.why
    asked = model.script.requests
    assert len(asked) <= rules.steps
    assert 600 * len(asked) <= rules.max_tokens
    worst = sum((500 * prices.input + 100 * prices.output) / 1e6 for _ in asked[:-1])
    worst += sum((500 * prices.input + request["max_tokens"] * prices.output) / 1e6 for request in asked[-1:])
    assert worst <= rules.max_dollars


async def test_a_server_that_counts_nothing_is_charged_by_estimate() -> None:
    """Where no usage is told, the token budget holds all the same."""
    turns = [
        Turn(calls=(Use(name="search", arguments={"text": f"w{n}"}),), input_tokens=0, output_tokens=0)
        for n in range(50)
    ]
    model = ScriptedModel(*turns)
    ended = await drafted(model, Bench(), RULES.model_copy(update={"max_tokens": 20_000, "steps": 50}))
    assert isinstance(ended, NoDraft)
    assert 0 < len(model.script.requests) < 50


async def test_a_server_that_counts_nothing_keeps_to_the_dollars() -> None:
    """Where no usage is told but a price is known, the budget in dollars holds, too."""
    turns = [
        Turn(calls=(Use(name="search", arguments={"text": f"w{n}"}),), input_tokens=0, output_tokens=0)
        for n in range(50)
    ]
    model = ScriptedModel(*turns, prices=Prices(input=2, output=10))
    rules = RULES.model_copy(update={"max_dollars": 0.05, "max_tokens": 10_000_000, "steps": 50})
    ended = await drafted(model, Bench(), rules)
    assert isinstance(ended, NoDraft)
    assert "used up" in ended.why
    assert 0 < len(model.script.requests) < 50


async def test_an_answer_that_failed_is_on_the_bill() -> None:
    """What broke off was paid for: it counts against the budget, in the sentence and in the rounds after."""
    breaks = Turn(text="I think that it may be done by a comma.", break_after=2)
    model = ScriptedModel(
        use("search", text="x"),
        breaks,
        use("propose", title="T", reason="R", edits=[GOOD]),
        prices=Prices(input=1000, output=1000),
    )
    author = ModelAuthor(model, RULES.model_copy(update={"max_dollars": 1000.0}))
    failed = await author.draft(REQUEST, Bench(), (), lambda _: None)
    assert isinstance(failed, NoDraft)
    assert "1 answer, 120 tokens" not in failed.why
    draft = await author.draft(REQUEST, Bench(), [BROKEN_TEST], lambda _: None)
    assert isinstance(draft, Draft)
    assert draft.tokens > 2 * 120
    assert draft.cost > 2 * 0.12


async def test_going_round_in_circles_is_cut_short() -> None:
    """The same call again and again is not carried out again, and then ended."""
    bench = Bench()
    model = ScriptedModel(*[use("try_edits", edits=[FAULTY])] * 12)
    ended = await drafted(model, bench)
    assert isinstance(ended, NoDraft)
    assert "circles" in ended.why
    assert len(bench.trials) == 1


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        ([use("give_up", reason="It is done already.")], "It is done already."),
        ([Turn(text="I would rather talk.", times=0)], "I would rather talk."),
        ([Turn(text="I will not.", stop="refused")], "I will not."),
        ([Turn(status=401, message="bad key")], "bad key"),
        ([use("search", text="x"), Turn(status=500)], "1 answer, 120 tokens"),
    ],
)
async def test_other_ends_say_why(turns: list[Turn], says: str) -> None:
    """Giving up, talking without acting, declining and a provider's failure each end in a sentence."""
    ended = await drafted(ScriptedModel(*turns), Bench())
    assert isinstance(ended, NoDraft)
    assert says in ended.why
