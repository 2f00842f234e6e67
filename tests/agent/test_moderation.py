"""Where answers are judged nothing goes out before a model has called it safe."""

import pytest

from agent.chat.brain import Brain
from agent.chat.moderation import LONGEST, SHARE, UNSAFE
from agent.models.single import OneModel
from agent.providers.scripted import ScriptedModel
from agent.records.turns import Turns
from agent.types import Prices, Usage
from tests.agent.screened import MODERATED, RULES, said
from tests.fakes.scripted import Turn


@pytest.mark.parametrize(
    ("verdict", "shown"),
    [
        ('{"unsafe": false, "why": ""}', "I said it."),
        ('```json\n{"unsafe": false}\n```', "I said it."),
        ('{"unsafe": true, "why": "threatens"}', UNSAFE),
        ("It looks safe to me.", UNSAFE),
        ('{"unsafe": "no"}', UNSAFE),
        ("", UNSAFE),
    ],
)
async def test_a_model_reads_the_answer_first(turns: Turns, verdict: str, shown: str) -> None:
    """Where the rules say so, nothing is shown until a model for moderation finds it safe; no clear word means no."""
    model = ScriptedModel(Turn(text="I said it."), Turn(text=verdict), prices=Prices(input=2, output=10))
    brain = Brain(OneModel(model), MODERATED, turns=turns)
    assert await said(brain) == [shown]
    assert [kept.answer for kept in turns.newest("here", 1)] == [shown]
    assert [row["tool"] for row in turns.calls(5)] == (["(answer)"] if shown == UNSAFE else [])
    spent = brain.accounts.today(brain.accounts.purse("discord:7", "here"))[0][1]
    assert spent.dollars == pytest.approx(2 * model.prices.cost(Usage(input=100, output=20)))


async def test_what_is_too_long_to_be_judged_is_not_shown(turns: Turns) -> None:
    """An answer of which a part would go unread is left out, and no model is asked about it."""
    model = ScriptedModel(Turn(text="word " * (LONGEST // 5 + 1)), Turn(text='{"unsafe": false}'))
    assert await said(Brain(OneModel(model), MODERATED, turns=turns)) == [UNSAFE]
    assert len(model.script.requests) == 1


async def test_where_nobody_can_judge_nothing_is_shown(turns: Turns) -> None:
    """A model for moderation that fails is no permission."""
    model = ScriptedModel(Turn(text="I said it."), Turn(status=500))
    assert await said(Brain(OneModel(model), MODERATED, turns=turns)) == [UNSAFE]
    assert "could not be judged" in turns.calls(1)[0]["note"]


async def test_a_sentence_of_the_bots_own_is_not_judged() -> None:
    """Where a budget is used up that is what people read, and no model is asked about it."""
    nothing = RULES.limits.everyone.model_copy(update={"dollars": 0.0})
    rules = MODERATED.model_copy(update={"limits": MODERATED.limits.model_copy(update={"everyone": nothing})})
    model = ScriptedModel(Turn(text="never"))
    assert "budget" in "".join(await said(Brain(OneModel(model), rules)))
    assert model.script.requests == []


async def test_what_judging_costs_is_kept_back() -> None:
    """A turn that uses up all that one answer may has its answer judged all the same."""
    tools = MODERATED.tools.model_copy(update={"turn_tokens": SHARE.tokens + 1_000})
    rules = MODERATED.model_copy(update={"tools": tools})
    model = ScriptedModel(
        Turn(text="I said it.", input_tokens=100, output_tokens=900), Turn(text='{"unsafe": false}')
    )
    assert await said(Brain(OneModel(model), rules)) == ["I said it."]
    assert 256 <= model.script.requests[0]["max_tokens"] < 1_000
