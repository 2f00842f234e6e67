"""Two models, one answer."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from agent.models.catalogue import Row
from agent.models.offers import Offer
from agent.models.router import Router
from agent.ports import ProviderFailed
from agent.providers.scripted import ScriptedModel, Turn
from agent.types import Ask, Completion, Message, Needs, Prices, Routed, ToolCall
from tests.fakes.models import WEATHER

ASK = Ask(messages=(Message(role="user", text="Is it cold in Oslo?"),))
MERGES = "Put their answers together"


def router_of(**turns: list[Turn]) -> Router:
    """A router over scripted models by vendor."""
    return Router(
        [
            Offer(vendor, ScriptedModel(*said, prices=Prices(input=1, output=1)), Row(context=100_000))
            for vendor, said in turns.items()
        ]
    )


async def combined(router: Router) -> list[str | Routed | Completion]:
    """All that comes of a question to two."""
    return [piece async for piece in router.stream(ASK, Needs(combine=True))]


async def text_of(router: Router) -> str:
    """The text of the answer."""
    last = (await combined(router))[-1]
    assert isinstance(last, Completion)
    return last.text


async def test_two_answers_become_one_that_names_both() -> None:
    """The merged answer carries both names, saw both answers, and is billed for all three questions."""
    merge = Turn(text="Cold, both say.", when=MERGES)
    router = router_of(one=[merge, Turn(text="Very cold.")], two=[Turn(text="Rather cold.")])
    events = await combined(router)
    last = events[-1]
    assert isinstance(last, Completion)
    assert last.text == "Cold, both say.\n\n(Put together from one/scripted and two/scripted.)"
    assert "".join(event for event in events if isinstance(event, str)) == last.text
    assert [event.vendor for event in events if isinstance(event, Routed)] == ["one", "two"]
    assert last.cost == pytest.approx(3 * 120 / 1_000_000)
    assert last.usage.output == 60
    first = router.catalogue[0].provider
    assert isinstance(first, ScriptedModel)
    shown = first.script.requests[-1]["messages"][-1]["text"]
    assert "Very cold." in shown
    assert "Rather cold." in shown


async def test_where_one_fails_the_other_answers_alone_and_says_so() -> None:
    """With one of the two out of order the answer of the other stands, without pretending to be two."""
    router = router_of(one=[Turn(text="Very cold.", times=0)], two=[Turn(status=400, times=0)])
    last = (await combined(router))[-1]
    assert isinstance(last, Completion)
    assert last.text == "Very cold.\n\n(Only one/scripted answered.)"


async def test_where_nobody_can_merge_both_answers_are_shown() -> None:
    """Two answers that nobody puts together are shown one below the other."""
    broken = Turn(status=400, when=MERGES, times=0)
    router = router_of(one=[broken, Turn(text="Very cold.")], two=[broken, Turn(text="Rather cold.")])
    last = (await combined(router))[-1]
    assert isinstance(last, Completion)
    assert "one/scripted wrote:\nVery cold." in last.text
    assert "two/scripted wrote:\nRather cold." in last.text


async def test_where_both_fail_the_question_fails() -> None:
    """No answer at all is a failure with every reason."""
    trouble = Turn(status=400, message="no", times=0)
    with pytest.raises(ProviderFailed, match="The scripted model failed"):
        await combined(router_of(one=[trouble], two=[trouble]))


async def test_with_one_model_there_is_nothing_to_combine() -> None:
    """Where only one may be asked, as with what is private, its answer stands, and people read that it is one."""
    assert (await text_of(router_of(one=[Turn(text="Very cold.")]))).endswith("(Only one/scripted answered.)")


async def test_a_merge_that_breaks_off_is_billed_with_both_answers() -> None:
    """Where the merged answer broke off in the middle, the failure carries what all three questions have cost."""
    merge = Turn(text="Cold, both say, as far as one can tell.", when=MERGES, break_after=1)
    router = router_of(one=[merge, Turn(text="Very cold.")], two=[Turn(text="Rather cold.")])
    with pytest.raises(ProviderFailed, match="broke off") as failure:
        await combined(router)
    assert failure.value.cost > 2 * 120 / 1_000_000
    assert failure.value.tokens > 2 * 120


class Slow(ScriptedModel):
    """Each answer takes ten seconds on a clock of its own."""

    now = 0.0

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Completion, None]:
        """Answer late."""
        Slow.now += 10
        async with aclosing(super().stream(ask)) as pieces:
            async for piece in pieces:
                yield piece


async def test_one_deadline_holds_over_both_answers_and_their_merge() -> None:
    """What the answers took is missing when they are put together: nothing begins anew."""
    merge = Turn(text="Cold.", when=MERGES)
    one, two = Slow(merge, Turn(text="Very cold.")), Slow(Turn(text="Rather cold."))
    offers = [Offer(name, model, Row(context=100_000)) for name, model in (("one", one), ("two", two))]
    router = Router(offers, clock=lambda: Slow.now)
    ask = ASK.model_copy(update={"seconds": 60.0})
    last = [piece async for piece in router.stream(ask, Needs(combine=True))][-1]
    assert isinstance(last, Completion)
    assert last.text.startswith("Cold.")
    answered, merged = (request["seconds"] for request in one.script.requests)
    assert answered == pytest.approx(40)
    assert merged == pytest.approx(40)


async def test_calls_in_the_conversation_keep_their_tools() -> None:
    """Where calls stand in the conversation, vendors see the tools again, and none is called."""
    called = Message(role="assistant", calls=(ToolCall(id="c1", name="weather", arguments="{}"),))
    result = Message(role="tool", text="cold", call_id="c1")
    ask = Ask(messages=(*ASK.messages, called, result), tools=(WEATHER,))
    merge = Turn(text="Cold.", when=MERGES)
    router = router_of(one=[merge, Turn(text="Very cold.")], two=[Turn(text="Rather cold.")])
    async for _ in router.stream(ask, Needs(combine=True)):
        pass
    model = router.catalogue[0].provider
    assert isinstance(model, ScriptedModel)
    assert [(len(sent["tools"]), sent["choice"]) for sent in model.script.requests] == [
        (1, "none"),
        (1, "none"),
    ]
