"""The router: who is asked, who stands in, and what is told of it."""

import asyncio
from contextlib import aclosing

import pytest
from pydantic import SecretStr

from agent.models.catalogue import Row
from agent.models.health import FAILURES
from agent.models.offers import Keys, choose
from agent.models.router import Router
from agent.ports import ProviderFailed
from agent.providers.scripted import ScriptedModel
from agent.types import (
    Ask,
    Completion,
    Message,
    Needs,
    Prices,
    Routed,
    ToolCall,
)
from tests.agent.routing import HELLO, TOOLED, TROUBLE, Time, all_of, routed_over, text_of
from tests.fakes.scripted import Script, Turn, Use, serving


async def test_a_route_is_told_with_its_reason_and_kept() -> None:
    """Who is asked comes first and says why; then the pieces, then the whole; and the route can be read later."""
    router = routed_over(ScriptedModel(Turn(text="Good day to you.")))
    first, *pieces, last = await all_of(router)
    assert isinstance(first, Routed)
    assert first.why.startswith("asked first because")
    assert isinstance(last, Completion)
    assert "".join(map(str, pieces)) == last.text == "Good day to you."
    assert list(router.why()) == [first]


async def test_another_vendor_stands_in_and_says_for_whom() -> None:
    """Where the first fails for good, the second answers, and its route names the failure."""
    router = routed_over(ScriptedModel(TROUBLE), ScriptedModel(Turn(text="from the second")))
    events = await all_of(router)
    routes = [event for event in events if isinstance(event, Routed)]
    assert [route.vendor for route in routes] == ["vendor0", "vendor1"]
    assert "stands in for vendor0/scripted: The scripted model failed" in routes[1].why
    assert [route.vendor for route in router.why()] == ["vendor1", "vendor0"]


async def test_with_openai_gone_claude_answers() -> None:
    """By settings alone, with nobody at OpenAI's address, Anthropic's model answers over its own wire, and says for whom."""
    async with serving("openai", Script([])) as gone:
        pass
    script = Script([Turn(text="Claude here.", times=0)])
    async with serving("anthropic", script) as url:
        key = SecretStr("sk-something")
        keys = Keys(openai_base_url=gone, openai_model="m", anthropic_api_key=key, anthropic_base_url=url)
        time = Time()
        router = Router(choose(keys), clock=time, sleep=time.sleep)
        events = await all_of(router)
        await router.close()
    routes = [event for event in events if isinstance(event, Routed)]
    assert [route.vendor for route in routes] == ["server", "anthropic"]
    assert "stands in for server/m" in routes[1].why
    assert isinstance(events[-1], Completion)
    assert events[-1].text == "Claude here."


async def test_when_all_fail_every_reason_is_told() -> None:
    """Only when nobody answers does the question fail, with what each of them said."""
    last = Turn(status=400, message="no such thing", times=0)
    router = routed_over(ScriptedModel(TROUBLE), ScriptedModel(last))
    with pytest.raises(ProviderFailed, match=r"scripted trouble.*no such thing") as failure:
        await all_of(router)
    assert failure.value.retryable


async def test_once_text_was_shown_a_failure_is_final() -> None:
    """Nobody continues another's sentence, and people hear that the answer is not whole."""
    second = ScriptedModel(Turn(text="something else"))
    router = routed_over(ScriptedModel(Turn(text="It breaks off here.", break_after=1)), second)
    with pytest.raises(ProviderFailed, match=r"broke off.*not the whole answer"):
        await all_of(router)
    assert second.script.requests == []


async def test_a_reader_that_goes_away_leaves_no_circuit_open() -> None:
    """An answer that nobody waits for counts neither for nor against the model."""
    router = routed_over(ScriptedModel(Turn(text="A long answer, in pieces.", times=0)))
    for _ in range(FAILURES + 1):
        async with aclosing(router.stream(HELLO, Needs())) as pieces:
            await anext(pieces)
            await anext(pieces)
    assert await text_of(router) == "A long answer, in pieces."


async def test_the_table_holds_a_models_tools() -> None:
    """Calls are switched off where the table says so, or after as many rounds as it allows; a job is not held."""
    call = Message(role="assistant", calls=(ToolCall(id="c1", name="weather", arguments="{}"),))
    result = Message(role="tool", text="cold", call_id="c1")
    second = TOOLED.model_copy(update={"messages": (*TOOLED.messages, call, result)})

    async def choices(row: Row) -> list[str]:
        model = ScriptedModel(Turn(text="yes", times=0))
        router = routed_over(model, rows=[row])
        job = router.provider(Needs())
        assert job is not None
        for ask in (TOOLED, second, TOOLED.model_copy(update={"choice": "required"})):
            await all_of(router, ask)
        await job.complete(second)
        return [request["choice"] for request in model.script.requests]

    assert await choices(Row(tools="yes")) == ["auto", "auto", "required", "auto"]
    assert await choices(Row(tools="yes", max_iterations=1)) == ["auto", "none", "required", "auto"]
    assert await choices(Row(tools="yes", default_enabled=False)) == ["none", "none", "required", "auto"]


async def test_an_answer_is_held_to_its_room() -> None:
    """A small model is asked for no longer an answer than fits beside the question; for too long a question it is not asked."""
    model = ScriptedModel(Turn(text="yes", times=0))
    router = routed_over(model, rows=[Row(context=4096)])
    assert await text_of(router, HELLO.model_copy(update={"max_tokens": 8192})) == "yes"
    assert 3500 < model.script.requests[0]["max_tokens"] < 4096
    long = Ask(messages=(Message(role="user", text="word " * 4000),))
    with pytest.raises(ProviderFailed, match="too long for every model"):
        await all_of(router, long)


async def test_as_one_provider_it_keeps_the_port() -> None:
    """For the author it is one provider: calls come through, and its price is the dearest of those that may answer."""
    cheap = ScriptedModel(TROUBLE, prices=Prices(input=1, output=2))
    dear = ScriptedModel(Turn(calls=(Use(name="weather"),)), prices=Prices(input=3, output=15))
    router = routed_over(cheap, dear)
    provider = router.provider(Needs(code=True))
    assert provider is not None
    assert provider.prices == Prices(input=3, output=15)
    assert [call.name for call in (await provider.complete(TOOLED)).calls] == ["weather"]
    await provider.close()
    assert cheap.closed
    assert dear.closed


async def test_without_a_model_the_settings_are_named() -> None:
    """A router without models says what to set, and asking it raises the same sentence."""
    router = Router([], missing="Set OPENAI_API_KEY.")
    assert router.missing == "Set OPENAI_API_KEY."
    with pytest.raises(ProviderFailed, match="Set OPENAI_API_KEY"):
        await all_of(router)


async def test_many_questions_at_once_do_not_get_into_each_others_way() -> None:
    """A hundred questions at a time are each answered once."""
    model = ScriptedModel(Turn(text="yes", times=0))
    router = routed_over(model)
    answers = await asyncio.gather(*(text_of(router) for _ in range(100)))
    assert answers == ["yes"] * 100
    assert len(model.script.requests) == 100
