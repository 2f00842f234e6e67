"""What a turn may cost is set aside before it is spent, and settled whatever comes."""

import asyncio
from contextlib import aclosing, nullcontext

import pytest

from agent.calling.executor import Calls
from agent.chat.brain import Brain
from agent.chat.loop import Loop
from agent.models.single import OneModel
from agent.models.tokens import IMAGE_TOKENS
from agent.ports import ProviderFailed
from agent.tool import Context, Manifest
from agent.types import Image, Prices
from policies.limits import Over, Spent
from tests.agent.turning import RULES, loop_of, ran, turn_of, uses
from tests.fakes.scripted import ScriptedModel, Use
from tests.fakes.scripted import Turn as Says
from tests.fakes.tools import HERE, box, echo


async def test_nothing_is_asked_when_there_is_no_room() -> None:
    """A question that is too long for the turn's tokens is answered without asking any model."""
    model = ScriptedModel(Says(text="never", times=0))
    answer = await ran(loop_of(model, turn_tokens=1000), turn_of(text="x" * 10_000))
    assert "too long" in answer
    assert model.script.requests == []


async def test_a_turn_never_costs_more_than_it_may() -> None:
    """Tokens and money are looked at before each question, so that even the longest answers stay below both."""
    says = Says(calls=uses("echo"), input_tokens=60, output_tokens=200, times=0)
    for bound in ({"turn_tokens": 5000}, {"turn_dollars": 0.05}):
        model = ScriptedModel(says, prices=Prices(input=5, output=25))
        turn = turn_of(box(echo))
        answer = await ran(loop_of(model, repeats=100, **bound), turn, rounds=100)
        assert answer
        assert turn.tokens <= bound.get("turn_tokens", 10**9)
        assert turn.dollars <= bound.get("turn_dollars", 10**9)
        assert 0 < len(model.script.requests) < 20


async def test_a_purse_that_is_empty_asks_nobody() -> None:
    """Where nothing can be set aside, no model is asked, and the answer says when it works again."""
    model = ScriptedModel(Says(text="never"))
    rules = RULES.tools
    over = Over("you", "Sorry, it is used up.", 2e9)
    loop = Loop(OneModel(model), Calls(RULES), rules, lambda _wanted: over)
    answer = await ran(loop, turn_of())
    assert "works again in" in answer
    assert model.script.requests == []


async def test_what_is_set_aside_is_settled_also_when_it_fails() -> None:
    """Every reservation is settled once: an answer at its price, a failure at none, one broken off as was reckoned."""
    held: list[Spent] = []
    reserved: list[Spent] = []
    booked: list[Spent] = []

    def reserve(wanted: Spent) -> None:
        held.append(wanted)
        reserved.append(wanted)

    def settle(wanted: Spent, actual: Spent) -> None:
        held.remove(wanted)
        booked.append(actual)

    model = ScriptedModel(
        Says(text="A long answer in pieces."),
        Says(status=500),
        Says(text="Gone midway."),
        prices=Prices(input=2, output=10),
    )
    loop = Loop(OneModel(model), Calls(RULES), RULES.tools, reserve, settle)
    await ran(loop, turn_of())
    with pytest.raises(Exception, match="scripted"):
        await ran(loop, turn_of())
    async with aclosing(loop.run(turn_of())) as pieces:
        await anext(pieces)
    assert held == []
    assert booked[0].dollars == pytest.approx((100 * 2 + 20 * 10) / 1e6)
    assert booked[1] == Spent()
    assert booked[2].tokens == reserved[2].tokens
    # At the prices of the model that was asked, not at those of the dearest.
    most = booked[2].tokens * 10 / 1e6
    assert 0 < booked[2].dollars <= most < reserved[2].dollars


@pytest.mark.parametrize("broken", [True, False])
async def test_a_free_model_that_breaks_off_costs_no_money(*, broken: bool) -> None:
    """Whether it broke off or nobody waited, an answer of a model that costs nothing is booked in tokens alone."""
    booked: list[Spent] = []
    model = ScriptedModel(Says(text="A long answer in pieces.", break_after=1 if broken else None))
    loop = Loop(
        OneModel(model), Calls(RULES), RULES.tools, settle=lambda _wanted, actual: booked.append(actual)
    )
    turn = turn_of()
    with pytest.raises(ProviderFailed) if broken else nullcontext():
        async with aclosing(loop.run(turn)) as pieces:
            await anext(pieces)
            if broken:
                await anext(pieces)
    assert (turn.dollars, booked[0].dollars) == (0, 0)
    assert booked[0].tokens == turn.tokens > 0


def test_a_picture_counts_in_the_size_of_a_question() -> None:
    """What a vendor reckons for a picture is set aside before it is sent."""
    turn = turn_of()
    before = turn.size
    image = Image(kind="image/png", data=b"x")
    turn.messages[-1] = turn.messages[-1].model_copy(update={"images": (image, image)})
    assert turn.size == before + 2 * IMAGE_TOKENS


async def test_what_a_tool_costs_is_booked() -> None:
    """The price that a tool's manifest names is paid by the turn and from the purse."""
    booked: list[Spent] = []
    loop = Loop(
        OneModel(ScriptedModel(Says(calls=uses("echo")), Says(text="done"))),
        Calls(RULES),
        RULES.tools,
        settle=lambda _wanted, actual: booked.append(actual),
    )
    turn = turn_of(box(echo, echo=Manifest(cost=0.25)))
    await ran(loop, turn)
    assert turn.dollars == 0.25
    assert turn.held == 0
    assert sum(spent.dollars for spent in booked) == 0.25


@pytest.mark.parametrize("purse", [True, False])
async def test_what_a_tool_costs_is_set_aside_before_it_runs(*, purse: bool) -> None:
    """Calls side by side are made for as long as their price is there, in the turn and in the purse, and no further."""
    left = [0.7 if purse else 100.0]

    def reserve(wanted: Spent) -> Over | None:
        if wanted.tokens:
            return None
        left[0] -= wanted.dollars
        return Over("you", "Sorry.", 2e9) if left[0] < 0 else None

    calls = tuple(Use(name="echo", arguments={"text": str(number)}) for number in range(4))
    loop = Loop(
        OneModel(ScriptedModel(Says(calls=calls), Says(text="done"))),
        Calls(RULES),
        RULES.tools.model_copy(update={"turn_dollars": 100.0 if purse else 0.7}),
        reserve,
    )
    turn = turn_of(box(echo, echo=Manifest(cost=0.3)))
    await ran(loop, turn)
    assert [answered.outcome for answered in turn.calls] == ["ok", "ok", "denied", "denied"]
    assert turn.dollars == pytest.approx(0.6)


@pytest.mark.parametrize("manifest", [Manifest(cost=0.1, sequential=True), Manifest(cost=0.1, writes=True)])
async def test_what_waits_for_others_has_nothing_set_aside(manifest: Manifest) -> None:
    """A turn that is ended while a call waits for those before it leaves no money set aside that nobody gives back."""
    begun = asyncio.Event()

    async def endless(context: Context) -> str:
        """Never end."""
        begun.set()
        await asyncio.Event().wait()
        return context.caller

    rules = RULES.model_copy(
        update={"tools": RULES.tools.model_copy(update={"trusted": (HERE.caller,), "footer": "never"})}
    )
    tools = box(endless, echo, endless=Manifest(cost=0.2), echo=manifest)
    brain = Brain(OneModel(ScriptedModel(Says(calls=uses("endless", "echo")))), rules)
    purse = brain.accounts.purse(HERE.caller, HERE.conversation)

    async def ask() -> str:
        answer = brain.answer(HERE.conversation, "go", "", caller=HERE.caller, toolbox=tools)
        async with aclosing(answer):
            return "".join([piece async for piece in answer])

    asking = asyncio.create_task(ask())
    await begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert brain.accounts._held == {}
    assert brain.accounts.today(purse)[0][1].dollars == pytest.approx(0.2)
