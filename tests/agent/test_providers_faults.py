"""Every provider fails as the port says: in a sentence for people, once, and never with half an answer."""

import contextlib

import pytest
from pydantic import SecretStr

from agent.ports import ProviderFailed
from agent.providers.openai import OpenAI
from agent.types import Ask, Prices
from tests.fakes.models import ASK, EVERY, KEY, TALK, WIRED, opened, streamed, with_tools
from tests.fakes.scripted import Script, Turn, Use, serving


@pytest.mark.parametrize("kind", EVERY)
async def test_a_stream_that_breaks_off_fails(kind: str) -> None:
    """A connection that closes in the middle of an answer is a failure, not a short answer."""
    async with opened(kind, Turn(text="It is cold, and it will stay so.", break_after=2)) as bench:
        with pytest.raises(ProviderFailed, match="broke off"):
            await streamed(bench.provider)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("after", [0, 1])
async def test_a_call_that_breaks_off_never_comes_out(kind: str, after: int) -> None:
    """A connection that closes within a call's arguments is a failure: half a call is no call."""
    asks = Turn(
        calls=(Use(name="weather", arguments={"town": "Oslo", "country": "Norway"}),), break_after=after
    )
    async with opened(kind, asks) as bench:
        with pytest.raises(ProviderFailed) as failure:
            await bench.provider.complete(with_tools())
    assert failure.value.retryable


@pytest.mark.parametrize("kind", EVERY)
async def test_an_answer_with_nothing_in_it_fails(kind: str) -> None:
    """An answer without any choice, or that ends before it says why, may be asked for again."""
    async with opened(kind, Turn(hollow=True)) as bench:
        with pytest.raises(ProviderFailed) as failure:
            await bench.provider.complete(ASK)
    assert failure.value.retryable


@pytest.mark.parametrize("kind", list(WIRED))
async def test_an_answer_beyond_all_measure_is_given_up(kind: str) -> None:
    """Ten million characters are no answer; the provider stops listening instead of keeping them."""
    async with opened(kind, Turn(text="x" * 10_000_000)) as bench:
        with pytest.raises(ProviderFailed, match="far more than was asked for") as failure:
            await bench.provider.complete(ASK)
    assert not failure.value.retryable


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("status", [429, 500, 529])
@pytest.mark.parametrize("after", [None, 7.0])
async def test_a_provider_asks_once_and_says_when_to_come_back(
    kind: str, status: int, after: float | None
) -> None:
    """No SDK repeats a request by itself; what `retry-after` said is handed on to who decides about that."""
    async with opened(kind, Turn(status=status, times=0, retry_after=after)) as bench:
        with pytest.raises(ProviderFailed) as failure:
            await bench.provider.complete(ASK)
        assert len(bench.script.requests) == 1
    assert failure.value.retryable
    assert failure.value.retry_after == after


@pytest.mark.parametrize("kind", list(WIRED))
@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "does not accept the key"),
        (404, "has no model"),
        (500, "trouble of its own"),
    ],
)
async def test_a_fault_is_one_sentence_without_the_key(kind: str, status: int, says: str) -> None:
    """What people read says what is wrong and which setting to look at, and never shows the key."""
    trouble = Turn(status=status, times=0, message=f"Incorrect API key provided: {KEY}")
    async with opened(kind, trouble) as bench:
        with pytest.raises(ProviderFailed, match=says) as failure:
            await bench.provider.complete(ASK)
        with pytest.raises(ProviderFailed, match=says):
            await streamed(bench.provider)
    assert failure.value.retryable is (status == 500)
    assert KEY not in str(failure.value)
    assert failure.value.__cause__ is None
    assert bench.script.keys[0] == KEY


@pytest.mark.parametrize("kind", list(WIRED))
async def test_a_refused_request_quotes_the_vendor_without_the_key(kind: str) -> None:
    """The vendor's own words about a bad request are passed on, with anything like a key blotted out."""
    async with opened(kind, Turn(status=400, message=f"temperature is unknown here, {KEY}")) as bench:
        with pytest.raises(ProviderFailed, match="temperature is unknown here") as failure:
            await bench.provider.complete(ASK)
    assert KEY not in str(failure.value)


@pytest.mark.parametrize("kind", list(WIRED))
async def test_an_address_where_nobody_listens_is_named_by_its_setting(kind: str) -> None:
    """When nothing answers at the address, the sentence says which setting holds it."""
    async with opened(kind) as bench:
        script = bench.script
    wire, make = WIRED[kind]
    async with serving(wire, script) as gone:
        pass
    provider = make(gone)
    try:
        with pytest.raises(ProviderFailed, match="_URL") as failure:
            await provider.complete(ASK)
    finally:
        await provider.close()
    assert failure.value.retryable


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("after", [0, 2])
async def test_an_answer_that_takes_too_long_is_given_up(kind: str, after: int) -> None:
    """A model that falls silent, at once or midway, has failed when its time is over, and may be asked again."""
    async with opened(kind, Turn(text="It is cold, and it will stay so.", stall_after=after)) as bench:
        with pytest.raises(ProviderFailed, match="did not answer in time") as failure:
            await bench.provider.complete(Ask(messages=TALK, seconds=0.1))
    assert failure.value.retryable


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("begins", [True, False])
async def test_an_answer_that_breaks_off_is_charged_as_reckoned(kind: str, begins: bool) -> None:  # noqa: FBT001 - a column of the table above
    """A failure tells what had come in by then and was paid for; one that comes before the answer costs nothing."""
    turn = Turn(text="It is cold, and it will stay so.", break_after=2) if begins else Turn(status=500)
    async with opened(kind, turn) as bench:
        with pytest.raises(ProviderFailed) as failure:
            await bench.provider.complete(ASK)
    assert (failure.value.cost > 0, failure.value.tokens > 0) == (begins, begins)


@pytest.mark.parametrize("kind", EVERY)
async def test_a_server_that_counts_nothing_is_paid_by_estimate(kind: str) -> None:
    """Where an answer comes without its usage, its price is that of an estimate, not nothing."""
    async with opened(kind, Turn(text="It is cold.", input_tokens=0, output_tokens=0)) as bench:
        answer = await bench.provider.complete(ASK)
    assert answer.usage.input == 0
    assert 0 < answer.cost < 0.01


async def test_no_other_key_of_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """An organisation's key, which the SDK would pick up by itself, goes to nobody, also where there is no other."""
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin-0123456789")
    script = Script([Turn(text="Cold.", times=0)])
    async with serving("openai", script) as address:
        for key in (KEY, ""):
            provider = OpenAI("gpt-6.1-sol", Prices(), SecretStr(key), address)
            with contextlib.suppress(ProviderFailed):
                await provider.complete(ASK)
            await provider.close()
    assert set(script.keys) <= {KEY, ""}
    assert KEY in script.keys


async def test_what_stays_on_this_machine_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model on this machine is reached as it is, whatever proxy the environment names."""
    async with serving("openai", Script([])) as nobody:
        pass
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, nobody.removesuffix("/v1"))
    async with opened("compatible", Turn(text="I am here.")) as bench:
        assert (await bench.provider.complete(ASK)).text == "I am here."
