"""How a question is to be answered: which model, which tools, two models together; and what cannot be is a sentence."""

from typing import Any

import pytest

from agent.calling.toolbox import Toolbox
from agent.chat.brain import Brain
from agent.chat.turn import Turn as LoopTurn
from agent.chat.window import Exchange, shown
from agent.guardrails.spoken import MAX_QUESTION
from agent.incoming.wish import Wish
from agent.models.catalogue import Row
from agent.models.offers import Offer
from agent.models.router import Router
from agent.models.single import OneModel
from agent.ports import ProviderFailed
from agent.providers.scripted import ScriptedModel
from agent.tool import Manifest
from agent.types import Needs, Prices
from policies.load import load_rules
from tests.fakes.scripted import Turn, Use
from tests.fakes.tools import HERE, box, echo

RULES = load_rules()


async def said(brain: Brain, text: str = "hello you", toolbox: Toolbox | None = None, **wish: Any) -> str:
    """A whole answer."""
    voice = brain.voice(toolbox or box(echo), "console:ann", "here", Wish(**wish))
    return "".join([piece async for piece in voice.answer("", text, "Be kind.")])


@pytest.mark.parametrize(("tools", "choice"), [("force", "required"), ("echo", "echo"), ("auto", "auto")])
async def test_a_tool_can_be_forced_in_the_first_round(tools: str, choice: str) -> None:
    """Some tool, or the one that is named, has to be called first, and after that the model does as it likes."""
    model = ScriptedModel(Turn(calls=(Use(name="echo"),)), Turn(text="done"))
    await said(Brain(OneModel(model)), tools=tools)
    assert [request["choice"] for request in model.script.requests] == [choice, "auto"]


async def test_a_tool_can_be_forced_by_another_name_that_still_works() -> None:
    """A vendor is told the name that it was offered, not the alias by which somebody asked."""
    model = ScriptedModel(Turn(calls=(Use(name="echo"),)), Turn(text="done"))
    await said(
        Brain(OneModel(model)), toolbox=box(echo, echo=Manifest(aliases=("say_again",))), tools="say_again"
    )
    assert model.script.requests[0]["choice"] == "echo"


async def test_tools_can_be_left_out() -> None:
    """With `off` no model is told of any tool."""
    model = ScriptedModel(Turn(text="plain"))
    assert await said(Brain(OneModel(model)), tools="off") == "plain"
    assert model.script.requests[0]["tools"] == []


@pytest.mark.parametrize(
    ("wish", "toolbox", "why"),
    [
        ({"tools": "force"}, Toolbox(), "no tools that you may use here"),
        ({"tools": "gone"}, box(echo), "no tool 'gone'"),
        ({"combine": True, "tools": "force"}, box(echo), "leave out one of the two wishes"),
    ],
)
async def test_what_cannot_be_is_said_and_nothing_is_asked(
    wish: dict[str, Any], toolbox: Toolbox, why: str
) -> None:
    """A tool that is not there, and wishes that exclude each other, cost nothing."""
    model = ScriptedModel(Turn(text="never"))
    assert why in await said(Brain(OneModel(model)), toolbox=toolbox, **wish)
    assert model.script.requests == []


async def test_nothing_at_all_is_no_question() -> None:
    """A message in which nothing is left to read reaches no model."""
    model = ScriptedModel(Turn(text="never"))
    assert "nothing in that" in await said(Brain(OneModel(model)), "\x00 \x01\n")
    assert model.script.requests == []


def two(one: Turn, other: Turn, merged: Turn, price: float = 0.0) -> tuple[Router, list[ScriptedModel]]:
    """Two models, of which the first puts both answers together."""
    prices = Prices(input=price, output=price)
    models = [ScriptedModel(one, merged, prices=prices), ScriptedModel(other, prices=prices)]
    offers = [Offer(f"v{at}", model, Row(context=100_000)) for at, model in enumerate(models)]
    return Router(offers), models


async def test_two_models_answer_together_and_both_are_named() -> None:
    """Both are asked without tools, one answer comes out that names them, and all three questions are paid for."""
    router, models = two(Turn(text="Left."), Turn(text="Right."), Turn(text="Left or right."), price=10.0)
    brain = Brain(router)
    answer = await said(brain, combine=True)
    assert answer == "Left or right.\n\n(Put together from v0/scripted and v1/scripted.)"
    assert not any(request["tools"] for model in models for request in model.script.requests)
    spent = brain.accounts.today(brain.accounts.purse("console:ann", "here"))[0][1]
    assert spent.tokens == 3 * 120
    assert spent.dollars == pytest.approx(3 * 120 * 10 / 1e6)


async def test_two_models_are_reckoned_with_three_times() -> None:
    """What is left for a turn has to be enough for all three questions, or none is asked."""
    tools = RULES.tools.model_copy(update={"turn_dollars": 0.02, "footer": "never"})
    rules = RULES.model_copy(update={"tools": tools})
    router, models = two(Turn(text="Left."), Turn(text="Right."), Turn(text="Both."))
    await said(Brain(router, rules), combine=True)
    rooms = [request["max_tokens"] for model in models for request in model.script.requests]
    assert sum(rooms) * 25 / 1e6 <= 0.02
    tools = tools.model_copy(update={"turn_dollars": 0.015})
    router, models = two(Turn(text="Left."), Turn(text="Right."), Turn(text="Both."))
    assert "too long" in await said(Brain(router, rules.model_copy(update={"tools": tools})), combine=True)
    assert models[0].script.requests == []


async def test_what_puts_answers_together_reads_them_and_that_is_reckoned_with() -> None:
    """Two of the longest answers, read once more and put together in a third one, stay within what a turn may use."""
    room = 1_000
    turn = LoopTurn(messages=[], toolbox=Toolbox(), place=HERE, needs=Needs(combine=True))
    assert turn.wanted(room, Prices(input=1, output=1)).tokens == 3 * turn.size + 5 * room
    tools = RULES.tools.model_copy(update={"turn_tokens": 6_000, "footer": "never"})
    router, models = two(Turn(text="Left."), Turn(text="Right."), Turn(text="Both."))
    await said(Brain(router, RULES.model_copy(update={"tools": tools})), combine=True)
    (longest,) = {request["max_tokens"] for model in models for request in model.script.requests}
    assert 1_000 < longest <= 6_000 / 5


async def test_one_model_alone_puts_nothing_together() -> None:
    """Where only one model is set up, the wish for two is answered with a sentence."""
    model = ScriptedModel(Turn(text="never"))
    answer = await said(Brain(Router([Offer("own", model, Row())])), combine=True)
    assert "only own/scripted here" in answer
    assert model.script.requests == []


async def test_a_model_that_is_not_there_is_a_sentence() -> None:
    """A name that nobody has says which there are."""
    router, _ = two(Turn(), Turn(), Turn())
    with pytest.raises(ProviderFailed, match='no model "x/y" here; there are v0/scripted, v1/scripted'):
        await said(Brain(router), model="x/y")


async def test_the_models_are_listed_for_people() -> None:
    """`/models` names each as it is asked for."""
    router, _ = two(Turn(), Turn(), Turn())
    listed = await Brain(router).inform("models", "", Toolbox(), "console:ann", "here")
    assert [line.split()[0] for line in listed.splitlines()[1:]] == ["v0/scripted", "v1/scripted"]
    assert "no choice" in await Brain(None).inform("models", "", Toolbox(), "console:ann", "here")


def test_what_is_shown_of_before_is_fit_to_be_shown() -> None:
    """Empty, endless and ringing messages of earlier turns, whoever kept them, are left out, cut, and spoken out."""
    window = [
        Exchange("", "an answer to nothing", "console:ann"),
        Exchange("a question", " \x00 ", "console:ann"),
        Exchange("hi <@123>", "hello @everyone \ud800\x07", "console:ann"),
        Exchange("x" * 90_000, "y" * 90_000, "console:ann"),
    ]
    messages = list(shown(window, "console:ann", "00", 100))
    assert [message.role for message in messages] == ["user", "assistant"] * 2
    assert [message.text for message in messages[:2]] == ["hi (somebody)", "hello everyone "]
    assert [len(message.text) for message in messages[2:]] == [MAX_QUESTION] * 2
