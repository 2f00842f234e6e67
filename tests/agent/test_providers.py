"""Every provider keeps the port's contract: the scripted one, and the real SDKs against wire-level stand-ins."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent.ports import ModelProvider, ProviderFailed
from agent.providers.compatible import Compatible
from agent.providers.wire import Vendor, answering, numbered
from agent.types import Message, ToolCall, ToolSpec
from tests.fakes.models import EVERY, KEY, WIRED, opened
from tests.fakes.scripted import Script, Turn, Use, serving

ROOT = Path(__file__).resolve().parents[2]
WEATHER = ToolSpec(
    name="weather",
    description="Tells the weather.",
    parameters={"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
)
ASK = [Message(role="system", text="Be brief."), Message(role="user", text="How is Oslo?")]


async def streamed(provider: ModelProvider) -> list[str]:
    """All pieces of an answer."""
    return [piece async for piece in provider.stream(ASK)]


@pytest.mark.parametrize("kind", EVERY)
async def test_text_comes_with_usage_cost_and_stop(kind: str) -> None:
    """An answer carries its text, what was counted, what that costs at list price, and why it stopped."""
    async with opened(kind, Turn(text="Cold.", input_tokens=1000, output_tokens=200)) as bench:
        completion = await bench.provider.complete(ASK)
    assert (completion.text, completion.calls, completion.stop) == ("Cold.", (), "end")
    assert (completion.usage.input, completion.usage.output) == (1000, 200)
    assert completion.cost == pytest.approx(0.004)
    assert completion.model


@pytest.mark.parametrize("kind", EVERY)
async def test_a_tool_call_and_its_answer_make_a_round_trip(kind: str) -> None:
    """Calls come out with ids, and their results go back in the vendor's shape, errors included."""
    asks = Turn(
        text="Let me see.", calls=(Use(name="weather", arguments={"town": "Oslo"}), Use(name="weather"))
    )
    async with opened(kind, asks, Turn(text="Cold.")) as bench:
        first = await bench.provider.complete(ASK, [WEATHER])
        assert [call.name for call in first.calls] == ["weather", "weather"]
        assert json.loads(first.calls[0].arguments) == {"town": "Oslo"}
        assert first.stop == "tools"
        results = [
            Message(role="tool", text=f"result {n}", call_id=call.id) for n, call in enumerate(first.calls)
        ]
        last = await bench.provider.complete([*ASK, first.message, *results], [WEATHER])
    assert last.text == "Cold."
    assert all(f"result {n}" in json.dumps(bench.script.requests[-1]) for n in (0, 1))


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_reasoning_goes_back_unchanged(kind: str) -> None:
    """Signed reasoning before a call returns in the next request, or the stand-in would refuse it."""
    asks = Turn(thinks=True, calls=(Use(name="weather", arguments={"town": "Oslo"}),))
    async with opened(kind, asks, Turn(text="Cold.")) as bench:
        first = await bench.provider.complete(ASK, [WEATHER])
        result = Message(role="tool", text="-3", call_id=first.calls[0].id)
        last = await bench.provider.complete([*ASK, first.message, result], [WEATHER])
        assert first.native
        assert last.text == "Cold."


@pytest.mark.parametrize("kind", list(WIRED))
async def test_another_models_reasoning_stays_at_home(kind: str) -> None:
    """A message that another model thought up goes out as plain text and calls."""
    foreign = Message(
        role="assistant",
        text="Let me see.",
        calls=(ToolCall(id="c1", name="weather", arguments='{"town": "Oslo"}'),),
        native=json.dumps({"by": "somebody else", "blocks": [{"secret": 1}], "items": [{"secret": 1}]}),
    )
    async with opened(kind, Turn(text="Cold.")) as bench:
        answer = Message(role="tool", text="-3", call_id="c1")
        assert (await bench.provider.complete([*ASK, foreign, answer], [WEATHER])).text == "Cold."
        assert "secret" not in json.dumps(bench.script.requests)


@pytest.mark.parametrize("kind", EVERY)
async def test_malformed_arguments_are_handed_on(kind: str) -> None:
    """Arguments that are no JSON reach the caller, and the conversation can still go on after them."""
    async with opened(
        kind, Turn(calls=(Use(name="weather", arguments='{"town": '),)), Turn(text="Sorry.")
    ) as bench:
        first = await bench.provider.complete(ASK, [WEATHER])
        assert '{"town": ' in first.calls[0].arguments.replace('\\"', '"')
        answer = Message(role="tool", text="no JSON", call_id=first.calls[0].id)
        assert (await bench.provider.complete([*ASK, first.message, answer], [WEATHER])).text == "Sorry."


@pytest.mark.parametrize("kind", EVERY)
async def test_a_stream_brings_the_same_text_in_pieces(kind: str) -> None:
    """Streaming gives the text in more than one piece, none lost."""
    async with opened(kind, Turn(text="It is cold, and it will stay so.")) as bench:
        pieces = await streamed(bench.provider)
    assert "".join(pieces) == "It is cold, and it will stay so."
    assert len(pieces) > 1


@pytest.mark.parametrize("kind", EVERY)
async def test_a_stream_that_breaks_off_fails(kind: str) -> None:
    """A connection that closes in the middle of an answer is a failure, not a short answer."""
    async with opened(kind, Turn(text="It is cold, and it will stay so.", break_after=2)) as bench:
        with pytest.raises(ProviderFailed, match="broke off"):
            await streamed(bench.provider)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("stop", ["length", "refused"])
async def test_why_it_stopped_is_told(kind: str, stop: str) -> None:
    """An answer cut off for length and a refusal are told apart from an end."""
    async with opened(kind, Turn.model_validate({"text": "Well, ", "stop": stop})) as bench:
        assert (await bench.provider.complete(ASK)).stop == stop


@pytest.mark.parametrize("kind", list(WIRED))
async def test_a_rate_limit_is_waited_out(kind: str) -> None:
    """Two 429 answers in a row are retried, as `retry-after` says."""
    async with opened(kind, Turn(status=429, times=2), Turn(text="Cold.")) as bench:
        assert (await bench.provider.complete(ASK)).text == "Cold."
    assert len(bench.script.requests) == 3


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


async def test_an_answer_that_takes_too_long_is_given_up() -> None:
    """Past its time, an answer counts as failed and may be asked for again."""
    vendor = Vendor("OpenAI", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL")
    with pytest.raises(ProviderFailed, match="did not answer in time") as failure:
        async with answering(vendor, "m", None, 0.0):
            await asyncio.Event().wait()
    assert failure.value.retryable


async def test_a_server_without_a_named_model_is_asked_for_one() -> None:
    """Where no setting names the model of one's own server, the first that it lists is used; no key is needed."""
    script = Script([Turn(text="Cold.")])
    async with serving("openai", script) as url:
        provider = Compatible(url)
        try:
            assert (await provider.complete(ASK)).text == "Cold."
        finally:
            await provider.close()
    assert provider.model == "scripted-1"
    assert script.requests[0]["model"] == "scripted-1"


async def test_the_limit_is_said_in_the_servers_word() -> None:
    """A server that knows only the new name of the token limit is asked again with it, and from then on."""
    refusal = Turn(
        status=400, message="max_tokens is not supported, use max_completion_tokens", when='"max_tokens"'
    )
    async with opened("compatible", refusal, Turn(text="Cold.", times=2)) as bench:
        await bench.provider.complete(ASK)
        await bench.provider.complete(ASK)
    assert ["max_completion_tokens" in request for request in bench.script.requests] == [False, True, True]


def test_calls_get_ids_that_differ() -> None:
    """Servers that send no ids, or one twice, still give calls that can be answered one by one."""
    calls = [ToolCall(id=identity, name="weather", arguments="{}") for identity in ("", "", "a", "a")]
    assert len({call.id for call in numbered(calls)}) == 4


def test_no_sdk_is_loaded_before_the_first_question() -> None:
    """Importing what the bot imports at start loads neither SDK."""
    code = "import sys, agent.loop, agent.router; print(sorted({'openai', 'anthropic', 'httpx2'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
