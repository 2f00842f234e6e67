"""What a model takes is learnt from its server, from the table and from its refusals; names lead where they say."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from pydantic import SecretStr

from agent.models.catalogue import Row, builtin
from agent.models.offers import Keys, Offer
from agent.models.router import Router
from agent.ports import ProviderFailed
from agent.providers.compatible import Compatible
from agent.providers.scripted import ScriptedModel
from agent.types import (
    RECKONED,
    Ask,
    Completion,
    Image,
    Message,
    Needs,
    Routed,
    Usage,
)
from tests.agent.routing import TOOLED, Time, all_of, routed_over, text_of
from tests.fakes.models import opened
from tests.fakes.scripted import Script, Turn, serving


class NoTools(ScriptedModel):
    """A model whose server refuses tools."""

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Completion, None]:
        """Refuse them, as several servers do, in the middle of nothing."""
        if ask.tools:
            self.script.requests.append(ask.model_dump(mode="json"))
            raise ProviderFailed("It does not support tools.", refused="tools")
        async with aclosing(super().stream(ask)) as pieces:
            async for piece in pieces:
                yield piece


async def test_a_model_that_refuses_tools_is_asked_without_and_that_is_remembered() -> None:
    """Its answer comes all the same; the next question goes out without tools at once; after a while they are tried."""
    time = Time()
    model = NoTools(Turn(text='{"text": "no need"}', times=0))
    router = routed_over(model, time=time, rows=[Row(context=100_000)])
    assert await text_of(router, TOOLED) == "no need"
    assert [bool(request["tools"]) for request in model.script.requests] == [True, False]
    assert await text_of(router, TOOLED) == "no need"
    assert [bool(request["tools"]) for request in model.script.requests] == [True, False, False]
    time.now += 7200
    await text_of(router, TOOLED)
    assert bool(model.script.requests[3]["tools"])


@pytest.mark.parametrize(
    "words",
    [
        "registry.ollama.ai/library/gemma:2b does not support tools",
        "No endpoints found that support tool use",
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
    ],
)
async def test_the_ways_in_which_servers_refuse_tools_are_known(words: str) -> None:
    """What Ollama, OpenRouter and vLLM answer leads to the same question without tools."""
    refusal = Turn(status=400, message=words, when='"tools"')
    async with opened("compatible", refusal, Turn(text='{"text": "Cold."}')) as bench:
        router = routed_over(bench.provider, rows=[Row(context=100_000)])
        assert await text_of(router, TOOLED) == "Cold."
        assert ["tools" in request for request in bench.script.requests] == [True, False]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "this model does not support image input"),
        (404, "No endpoints found that support image input"),
        (500, "failed to process inputs: this model is missing data required for image input"),
        (400, "Model does not support images. Please use a model that does."),
    ],
)
async def test_a_model_that_refuses_pictures_is_stood_in_for(status: int, message: str) -> None:
    """A picture that a server refuses, in its own words, goes to the next, and next time to that one first."""
    refusal = Turn(status=status, message=message, times=0)
    seen = Message(role="user", text="What is this?", images=(Image(kind="image/png", data=b"x"),))
    sees = ScriptedModel(Turn(text="A dot.", times=0))
    async with opened("compatible", refusal) as blind:
        router = routed_over(blind.provider, sees, rows=[Row(tools="yes", context=100_000)] * 2)
        for _ in range(2):
            assert await text_of(router, Ask(messages=(seen,))) == "A dot."
        assert len(blind.script.requests) == 1


async def test_a_table_that_says_no_spares_the_attempt() -> None:
    """A model that is known to have no tools gets them as a form to fill in, and its call comes out like any other."""
    said = '{"tool": "weather", "arguments": {"town": "Oslo"}}'
    async with opened("compatible", Turn(text=said)) as bench:
        router = routed_over(bench.provider, rows=[Row(tools="no", context=100_000)])
        last = (await all_of(router, TOOLED))[-1]
        (request,) = bench.script.requests
    assert isinstance(last, Completion)
    assert [(call.name, call.arguments) for call in last.calls] == [("weather", '{"town": "Oslo"}')]
    assert "tools" not in request
    assert request["response_format"]["type"] == "json_schema"


async def test_a_server_is_asked_what_its_model_takes_and_not_too_often() -> None:
    """What a server lists of a model counts as long as it is fresh; a picture does not go to one that sees nothing."""
    time = Time()
    script = Script([Turn(text="{}", times=0)])
    script.listed = [
        {"id": "m", "supported_parameters": ["max_tokens"], "architecture": {"input_modalities": ["text"]}}
    ]
    async with serving("openai", script) as url:
        provider = Compatible(url, model="m")
        router = routed_over(provider, time=time, rows=[Row()])
        seen = Message(role="user", text="What is this?", images=(Image(kind="image/png", data=b"x"),))
        await text_of(router, TOOLED)
        with pytest.raises(ProviderFailed, match="No model that is set up sees pictures"):
            await all_of(router, Ask(messages=(seen,)))
        assert script.lookups == 1
        assert "tools" not in script.requests[0]
        time.now += 7200
        await text_of(router, TOOLED)
        assert script.lookups == 2
        await router.close()


async def test_a_lookup_that_failed_is_no_no() -> None:
    """Where the server's list cannot be had, tools are tried; soon after, the list is asked for again."""
    time = Time()
    script = Script([Turn(text="Cold.", times=0)])
    script.listed = None
    async with serving("openai", script) as url:
        router = routed_over(Compatible(url, model="m"), time=time, rows=[Row()])
        assert await text_of(router, TOOLED) == "Cold."
        assert "tools" in script.requests[0]
        script.listed = [{"id": "m", "supported_parameters": []}]
        time.now += 120
        await text_of(router, TOOLED)
        assert "tools" not in script.requests[1]
        await router.close()


async def test_a_server_with_many_models_has_those_that_no_setting_names() -> None:
    """`local/any/name` is asked of that server under that name."""
    script = Script([Turn(text="Hello.")])
    async with serving("openai", script) as url:
        router = Router([Offer("local", Compatible(url, model="m"))])
        first, *_ = await all_of(router, needs=Needs(model="local/some/other"))
        await router.close()
    assert isinstance(first, Routed)
    assert (first.model, script.requests[0]["model"]) == ("some/other", "some/other")


async def test_nobody_names_a_model_whose_price_nobody_knows() -> None:
    """A paid gateway is asked by name only for models with a price in the table, since no budget holds over the others."""
    async with serving("openai", Script([Turn(text="never")])) as url:
        router = Router([Offer("server", Compatible(url, model="m"))])
        with pytest.raises(ProviderFailed, match='no model "server/openai/o1-pro" here'):
            await all_of(router, needs=Needs(model="server/openai/o1-pro"))
        await router.close()


def test_a_dear_model_is_reckoned_with_its_own_prices() -> None:
    """Who names a model that costs more than is reckoned with otherwise has that much set aside; so has a dear setting."""
    key = SecretStr("sk-something")
    router = Router.of(Keys(openai_api_key=key))
    assert router.reckoned(Needs()) == RECKONED.model_copy(update={"known": True})
    assert (
        router.reckoned(Needs(model="openai/gpt-6-astra")).output
        == builtin().row("gpt-6-astra").prices.output
    )
    dear = Router.of(Keys(openai_api_key=key, openai_model="gpt-6-astra"))
    assert dear.reckoned(Needs()).input == builtin().row("gpt-6-astra").prices.input
    assert dear.reckoned(Needs(cheap=True)).output == RECKONED.output


@pytest.mark.parametrize(("vendor", "paid"), [("server", True), ("local", False)])
async def test_a_model_that_no_setting_names_has_its_price(vendor: str, paid: bool) -> None:  # noqa: FBT001 - a column of the table above
    """At a gateway it costs what the table says, also where its vendor stands before its name; one's own server is free."""
    async with serving("openai", Script([Turn(text="Hello.")])) as url:
        router = Router([Offer(vendor, Compatible(url, model="m"))])
        last = (await all_of(router, needs=Needs(model=f"{vendor}/openai/gpt-6-sol")))[-1]
        await router.close()
    assert isinstance(last, Completion)
    price = builtin().models["gpt-6-sol"].prices.cost(Usage(input=100, output=20))
    assert last.cost == (pytest.approx(price) if paid else 0)


async def test_names_that_do_not_exist_keep_nobody_from_others() -> None:
    """After any number of made-up models, one that is there can still be asked for."""
    unknown = Turn(status=404, when="made-up", times=0)
    async with serving("openai", Script([unknown, Turn(text="Hello.", times=0)])) as url:
        router = Router([Offer("local", Compatible(url, model="m"))])
        for number in range(33):
            await all_of(router, needs=Needs(model=f"local/made-up-{number}"))
        first, *_ = await all_of(router, needs=Needs(model="local/real"))
        await router.close()
    assert isinstance(first, Routed)
    assert first.model == "real"
