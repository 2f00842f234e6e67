"""The router: who is asked, how often, who stands in, and what is remembered."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest
from pydantic import SecretStr

from agent.models.catalogue import Row, builtin
from agent.models.health import FAILURES, OPEN_SECONDS, Breaker, wait_before
from agent.models.offers import Keys, Offer, choose
from agent.models.router import RETRIES, RETRIES_WITH_OTHERS, Router
from agent.ports import ModelProvider, ProviderFailed
from agent.providers.compatible import Compatible
from agent.providers.scripted import ScriptedModel
from agent.types import (
    RECKONED,
    Ask,
    Completion,
    Image,
    Message,
    Needs,
    Prices,
    Routed,
    ToolCall,
    ToolSpec,
    Usage,
)
from tests.fakes.models import WIRED, opened
from tests.fakes.scripted import Script, Turn, Use, serving

HELLO = Ask(messages=(Message(role="user", text="hello"),))
WEATHER = ToolSpec(
    name="weather",
    description="Tells the weather.",
    parameters={"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
)
TOOLED = HELLO.model_copy(update={"tools": (WEATHER,)})
TROUBLE = Turn(status=500, times=0, retry_after=None)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Read it."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Wait without waiting."""
        self.slept.append(seconds)
        self.now += seconds


def routed_over(*providers: ModelProvider, time: Time | None = None, rows: Sequence[Row] = ()) -> Router:
    """A router over some models, each of a vendor of its own."""
    time = time or Time()
    given = [*rows, *[Row(tools="yes", vision="yes", context=100_000)] * (len(providers) - len(rows))]
    offers = [
        Offer(f"vendor{at}", provider, row)
        for at, (provider, row) in enumerate(zip(providers, given, strict=True))
    ]
    return Router(offers, clock=time, sleep=time.sleep, chance=lambda: 0.0)


async def all_of(
    router: Router, ask: Ask = HELLO, needs: Needs | None = None
) -> list[str | Routed | Completion]:
    """Everything that a stream brings."""
    return [piece async for piece in router.stream(ask, needs or Needs())]


async def text_of(router: Router, ask: Ask = HELLO) -> str:
    """The text of the answer."""
    last = (await all_of(router, ask))[-1]
    assert isinstance(last, Completion)
    return last.text


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


@pytest.mark.parametrize("kind", list(WIRED))
async def test_a_rate_limit_is_waited_out(kind: str) -> None:
    """Through each SDK, a 429 is asked again after exactly what `retry-after` says, and by nobody else."""
    time = Time()
    async with opened(kind, Turn(status=429, times=2, retry_after=1.5), Turn(text="Cold.")) as bench:
        assert await text_of(routed_over(bench.provider, time=time)) == "Cold."
        assert len(bench.script.requests) == 3
    assert time.slept == [1.5, 1.5]


@pytest.mark.parametrize("status", [429, 500, 529])
async def test_without_a_word_delays_grow(status: int) -> None:
    """Where nobody says when to come back, each wait is longer than the one before."""
    time = Time()
    model = ScriptedModel(Turn(status=status, times=2, retry_after=None), Turn(text="Cold."))
    assert await text_of(routed_over(model, time=time)) == "Cold."
    assert len(time.slept) == 2
    assert time.slept[0] < time.slept[1]


async def test_retries_end() -> None:
    """A model that keeps failing is asked a small number of times."""
    model = ScriptedModel(TROUBLE)
    with pytest.raises(ProviderFailed):
        await all_of(routed_over(model))
    assert len(model.script.requests) == RETRIES + 1


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_what_is_wrong_stays_wrong(status: int) -> None:
    """A request that the vendor refuses, or a key that it does not know, is not sent again."""
    model = ScriptedModel(Turn(status=status, times=0))
    time = Time()
    with pytest.raises(ProviderFailed):
        await all_of(routed_over(model, time=time))
    assert len(model.script.requests) == 1
    assert time.slept == []


async def test_who_says_to_come_back_late_is_stood_in_for() -> None:
    """With somebody to stand in, nobody waits half a minute; alone, the wait is kept as long as the deadline allows."""
    late = Turn(status=429, retry_after=30)
    time = Time()
    assert (
        await text_of(routed_over(ScriptedModel(late), ScriptedModel(Turn(text="at once")), time=time))
        == "at once"
    )
    assert time.slept == []
    assert await text_of(routed_over(ScriptedModel(late, Turn(text="later")), time=time)) == "later"
    assert time.slept == [30]


async def test_no_wait_goes_beyond_the_deadline() -> None:
    """Told to come back after the whole deadline, the router fails at once and says when it may work."""
    time = Time()
    model = ScriptedModel(Turn(status=429, retry_after=90, times=0))
    with pytest.raises(ProviderFailed) as failure:
        await all_of(routed_over(model, time=time), HELLO.model_copy(update={"seconds": 60}))
    assert failure.value.retry_after == 90
    assert time.slept == []


async def test_a_model_that_stays_silent_is_stood_in_for() -> None:
    """One that does not begin leaves time for another within the one deadline."""
    async with opened("compatible", Turn(text="never", stall_after=0)) as silent:
        router = routed_over(silent.provider, ScriptedModel(Turn(text="I am here")))
        assert await text_of(router, HELLO.model_copy(update={"seconds": 0.3})) == "I am here"


async def test_a_model_that_stays_silent_is_not_waited_for_twice() -> None:
    """What is left after one silence belongs to whoever stands in."""
    silent = ScriptedModel(Turn(text="never", stall_after=0, times=0))
    router = routed_over(silent, ScriptedModel(Turn(text="I am here")))
    assert await text_of(router, HELLO.model_copy(update={"seconds": 0.3})) == "I am here"
    assert len(silent.script.requests) == 1


async def test_a_failed_answer_is_on_the_bill_of_the_one_that_came() -> None:
    """What broke off before anything was shown is paid for with the answer that stands in, or with the failure."""
    breaks = Turn(
        calls=(Use(name="weather", arguments={"town": "Oslo", "country": "Norway"}),), break_after=1, times=0
    )
    prices = Prices(input=2, output=10)
    plain = prices.cost(Usage(input=100, output=20))
    both = routed_over(ScriptedModel(breaks, prices=prices), ScriptedModel(Turn(text="Cold."), prices=prices))
    last = (await all_of(both, TOOLED))[-1]
    assert isinstance(last, Completion)
    assert last.cost > plain
    with pytest.raises(ProviderFailed, match="broke off") as failure:
        await all_of(routed_over(ScriptedModel(breaks, prices=prices)), TOOLED)
    lost = (last.cost - plain) / (RETRIES_WITH_OTHERS + 1)
    assert failure.value.cost == pytest.approx(lost * (RETRIES + 1))
    assert failure.value.tokens > 0


async def test_the_circuit_opens_and_closes() -> None:
    """After some failed questions a model is left alone; when its time is over one trial decides."""
    time = Time()
    broken = ScriptedModel(
        Turn(status=500, times=FAILURES * (RETRIES_WITH_OTHERS + 1)), Turn(text="well again", times=0)
    )
    other = ScriptedModel(Turn(text="stands in", times=0))
    router = routed_over(broken, other, time=time)
    for _ in range(FAILURES):
        assert await text_of(router) == "stands in"
    asked = len(broken.script.requests)
    assert await text_of(router) == "stands in"
    assert len(broken.script.requests) == asked
    assert "vendor0/scripted failed too often" in router.why()[0].why
    time.now += OPEN_SECONDS + 1
    assert await text_of(router) == "well again"


async def test_alone_an_open_circuit_says_when() -> None:
    """The only model, left alone, is not asked, and people hear when it is again."""
    model = ScriptedModel(TROUBLE)
    router = routed_over(model)
    for _ in range(FAILURES):
        with pytest.raises(ProviderFailed, match="scripted trouble"):
            await all_of(router)
    asked = len(model.script.requests)
    with pytest.raises(ProviderFailed, match="failed 3 times in a row") as failure:
        await all_of(router)
    assert failure.value.retryable
    assert failure.value.retry_after == OPEN_SECONDS
    assert len(model.script.requests) == asked


def test_only_one_trial_at_a_time() -> None:
    """While a trial is out nobody else asks; a failed one puts the next twice as far off."""
    breaker = Breaker()
    for _ in range(FAILURES):
        assert not breaker.asked()
        breaker.failed(0.0, trial=False)
    assert breaker.refuses(OPEN_SECONDS - 1)
    assert not breaker.refuses(OPEN_SECONDS)
    assert breaker.asked()
    assert not breaker.asked()
    assert breaker.refuses(OPEN_SECONDS)
    breaker.failed(OPEN_SECONDS, trial=True)
    assert breaker.left(OPEN_SECONDS) == 2 * OPEN_SECONDS
    assert breaker.asked()
    breaker.dropped(trial=True)
    assert not breaker.refuses(10 * OPEN_SECONDS)
    breaker.worked()
    assert not breaker.refuses(0.0)


def test_what_was_asked_before_is_no_trial() -> None:
    """A request older than the opening that ends or fails while a trial is out neither ends it nor counts as it."""
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker.failed(0.0, trial=False)
    assert breaker.asked()
    breaker.failed(OPEN_SECONDS, trial=False)
    breaker.dropped(trial=False)
    assert breaker.refuses(OPEN_SECONDS)
    breaker.dropped(trial=True)
    assert breaker.left(OPEN_SECONDS) == 0


async def test_two_questions_at_once_make_one_trial() -> None:
    """Whoever comes second, when a circuit's time is over, goes to another model, and the reason names the first."""
    time = Time()
    broken = ScriptedModel(
        Turn(status=500, times=FAILURES * (RETRIES_WITH_OTHERS + 1)), Turn(text="well", times=0)
    )
    router = routed_over(broken, ScriptedModel(Turn(text="stands in", times=0)), time=time)
    for _ in range(FAILURES):
        await text_of(router)
    time.now += OPEN_SECONDS + 1
    async with aclosing(router.stream(HELLO, Needs())) as one, aclosing(router.stream(HELLO, Needs())) as two:
        first, second = await anext(one), await anext(two)
    assert isinstance(first, Routed)
    assert isinstance(second, Routed)
    assert (first.vendor, second.vendor) == ("vendor0", "vendor1")
    assert await text_of(router) == "well"


async def test_who_is_stood_in_for_is_who_failed() -> None:
    """A model that was passed over because somebody tries it just now is not named in the place of the one that failed."""
    time = Time()
    first = ScriptedModel(Turn(text="for now", times=FAILURES), TROUBLE)
    router = routed_over(first, ScriptedModel(TROUBLE), ScriptedModel(Turn(text="third")), time=time)
    second = Needs(model="vendor1/scripted")
    for _ in range(FAILURES):
        await all_of(router, needs=second)
    time.now += OPEN_SECONDS + 1
    async with (
        aclosing(router.stream(HELLO, Needs())) as one,
        aclosing(router.stream(HELLO, second)) as trial,
    ):
        await anext(one)
        await anext(trial)
        routed = [piece async for piece in one if isinstance(piece, Routed)]
    assert [route.vendor for route in routed] == ["vendor2"]
    assert "stands in for vendor0/scripted: The scripted model failed" in routed[0].why


def test_what_a_provider_said_is_never_undercut() -> None:
    """Jitter only ever adds to `retry-after`; without it, delays stay under a bound."""
    assert 5 <= wait_before(1, 5, lambda: 0.999) <= 5.5
    assert wait_before(30, None, lambda: 0.999) <= 20


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
