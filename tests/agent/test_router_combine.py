"""Two models, one answer."""

import pytest

from agent.models.catalogue import Row
from agent.models.offers import Offer
from agent.models.router import Router
from agent.ports import ProviderFailed
from agent.providers.scripted import ScriptedModel, Turn
from agent.types import Ask, Completion, Message, Needs, Prices, Routed

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
    """The only model answers as it always does."""
    last = (await combined(router_of(one=[Turn(text="Very cold.")])))[-1]
    assert isinstance(last, Completion)
    assert last.text == "Very cold."
