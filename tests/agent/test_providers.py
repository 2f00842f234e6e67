"""Every provider keeps the port's contract: the scripted one, and the real SDKs against wire-level stand-ins."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from agent.providers.anthropic import Anthropic
from agent.providers.compatible import Compatible
from agent.providers.wire import numbered
from agent.types import Ask, Completion, Image, Message, Prices, ToolCall
from tests.fakes.models import ASK, EVERY, KEY, TALK, WIRED, opened, streamed, with_tools
from tests.fakes.scripted import Script, Turn, Use, serving

ROOT = Path(__file__).resolve().parents[2]


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
        first = await bench.provider.complete(with_tools())
        assert [call.name for call in first.calls] == ["weather", "weather"]
        assert json.loads(first.calls[0].arguments) == {"town": "Oslo"}
        assert first.stop == "tools"
        results = [
            Message(role="tool", text=f"result {n}", call_id=call.id) for n, call in enumerate(first.calls)
        ]
        last = await bench.provider.complete(with_tools(first.message, *results))
    assert last.text == "Cold."
    assert all(f"result {n}" in json.dumps(bench.script.requests[-1]) for n in (0, 1))


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_reasoning_goes_back_unchanged(kind: str) -> None:
    """Signed reasoning before a call returns in the next request, or the stand-in would refuse it."""
    asks = Turn(thinks=True, calls=(Use(name="weather", arguments={"town": "Oslo"}),))
    async with opened(kind, asks, Turn(text="Cold.")) as bench:
        first = await bench.provider.complete(with_tools())
        result = Message(role="tool", text="-3", call_id=first.calls[0].id)
        last = await bench.provider.complete(with_tools(first.message, result))
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
        assert (await bench.provider.complete(with_tools(foreign, answer))).text == "Cold."
        assert "secret" not in json.dumps(bench.script.requests)


@pytest.mark.parametrize("kind", EVERY)
async def test_malformed_arguments_are_handed_on(kind: str) -> None:
    """Arguments that are no JSON reach the caller, and the conversation can still go on after them."""
    async with opened(
        kind, Turn(calls=(Use(name="weather", arguments='{"town": '),)), Turn(text="Sorry.")
    ) as bench:
        first = await bench.provider.complete(with_tools())
        assert '{"town": ' in first.calls[0].arguments.replace('\\"', '"')
        answer = Message(role="tool", text="no JSON", call_id=first.calls[0].id)
        assert (await bench.provider.complete(with_tools(first.message, answer))).text == "Sorry."


@pytest.mark.parametrize("kind", EVERY)
async def test_a_stream_brings_the_same_text_in_pieces(kind: str) -> None:
    """Streaming gives the text in more than one piece, none lost."""
    async with opened(kind, Turn(text="It is cold, and it will stay so.")) as bench:
        pieces = await streamed(bench.provider)
    assert "".join(pieces) == "It is cold, and it will stay so."
    assert len(pieces) > 1


@pytest.mark.parametrize("kind", EVERY)
async def test_the_whole_answer_comes_last(kind: str) -> None:
    """A stream ends with one completion that holds what its pieces said, its calls, and its bill."""
    asks = Turn(text="Let me see, one moment.", calls=(Use(name="weather", arguments={"town": "Oslo"}),))
    async with opened(kind, asks) as bench:
        *pieces, last = [piece async for piece in bench.provider.stream(with_tools())]
    assert isinstance(last, Completion)
    assert "".join(map(str, pieces)) == last.text == "Let me see, one moment."
    assert json.loads(last.calls[0].arguments) == {"town": "Oslo"}
    assert (last.usage.input, last.usage.output) == (100, 20)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("identity", ["same", ""])
async def test_calls_of_one_id_can_be_answered_one_by_one(kind: str, identity: str) -> None:
    """Servers that send no ids, or one twice, still give calls that differ, and their results find the way back."""
    uses = tuple(Use(name="weather", arguments={"town": town}, id=identity) for town in ("Oslo", "Rome"))
    async with opened(kind, Turn(calls=uses), Turn(text="Cold and warm.")) as bench:
        first = await bench.provider.complete(with_tools())
        assert [json.loads(call.arguments)["town"] for call in first.calls] == ["Oslo", "Rome"]
        assert len({call.id for call in first.calls}) == 2
        results = [Message(role="tool", text="?", call_id=call.id) for call in first.calls]
        assert (await bench.provider.complete(with_tools(first.message, *results))).text == "Cold and warm."


@pytest.mark.parametrize("kind", EVERY)
async def test_a_call_cut_for_length_says_so(kind: str) -> None:
    """Arguments that end because the answer may be no longer come with the reason, so that nobody runs them."""
    cut = Turn(calls=(Use(name="weather", arguments='{"town": "Os'),), stop="length")
    async with opened(kind, cut) as bench:
        assert (await bench.provider.complete(with_tools())).stop == "length"


@pytest.mark.parametrize("kind", EVERY)
async def test_a_large_answer_within_measure_is_whole(kind: str) -> None:
    """A long answer comes out as it went in, calls included."""
    text, word = "All about Oslo. " * 20_000, "y" * 300_000
    async with opened(kind, Turn(text=text, calls=(Use(name="weather", arguments={"town": word}),))) as bench:
        completion = await bench.provider.complete(with_tools())
    assert completion.text == text
    assert json.loads(completion.calls[0].arguments) == {"town": word}


@pytest.mark.parametrize("kind", list(WIRED))
@pytest.mark.parametrize("choice", ["none", "required", "weather"])
async def test_how_tools_are_chosen_goes_over_the_wire(kind: str, choice: str) -> None:
    """None, some, or a named tool is said in each vendor's words; the stand-in refuses any other."""
    async with opened(kind, Turn(text="Cold."), Turn(text="Cold.")) as bench:
        await bench.provider.complete(with_tools(choice=choice))
        await bench.provider.complete(with_tools())
    said, unsaid = (json.dumps(request.get("tool_choice")) for request in bench.script.requests)
    assert unsaid == "null"
    assert ("any" if (kind, choice) == ("anthropic", "required") else choice) in said


@pytest.mark.parametrize("kind", list(WIRED))
async def test_a_picture_goes_along(kind: str) -> None:
    """A picture arrives beside its text, as the vendor wants it."""
    seen = Message(role="user", text="What is this?", images=(Image(kind="image/png", data=b"\x89PNG"),))
    async with opened(kind, Turn(text="A dot.")) as bench:
        assert (await bench.provider.complete(Ask(messages=(seen,)))).text == "A dot."
    sent = json.dumps(bench.script.requests)
    assert base64.b64encode(b"\x89PNG").decode() in sent
    assert "image/png" in sent


@pytest.mark.parametrize("kind", list(WIRED))
async def test_a_schema_for_the_answer_goes_along(kind: str) -> None:
    """A reply that has to satisfy a schema is asked for in each vendor's field."""
    schema = {"type": "object", "properties": {"mood": {"type": "string"}}}
    async with opened(kind, Turn(text='{"mood": "fine"}')) as bench:
        await bench.provider.complete(Ask(messages=TALK, format=schema))
    (request,) = bench.script.requests
    where = {"openai": "text", "anthropic": "output_config", "compatible": "response_format"}[kind]
    assert schema["properties"] == find(request[where], "properties")


def find(value: Any, name: str) -> Any:
    """The first value of that name, however deep."""
    if not isinstance(value, dict):
        return None
    return value.get(name) or next((found for one in value.values() if (found := find(one, name))), None)


async def test_a_model_that_ends_does_not_warn_at_each_request() -> None:
    """What the vendor's SDK has to say of a model's end does not reach people in the middle of an answer."""
    script = Script([Turn(text="Cold.")])
    async with serving("anthropic", script) as url:
        provider = Anthropic("claude-sonnet-4-5", Prices(), SecretStr(KEY), url)
        assert (await provider.complete(ASK)).text == "Cold."
        await provider.close()


async def test_calls_sent_whole_under_one_index_are_told_apart() -> None:
    """Some servers send each call in one piece and all under the same index: they stay two calls."""
    uses = tuple(Use(name="weather", arguments={"town": town}) for town in ("Oslo", "Rome"))
    async with opened("compatible", Turn(calls=uses, one_index=True)) as bench:
        completion = await bench.provider.complete(with_tools())
    assert [json.loads(call.arguments) for call in completion.calls] == [{"town": "Oslo"}, {"town": "Rome"}]


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("stop", ["length", "refused"])
async def test_why_it_stopped_is_told(kind: str, stop: str) -> None:
    """An answer cut off for length and a refusal are told apart from an end."""
    async with opened(kind, Turn.model_validate({"text": "Well, ", "stop": stop})) as bench:
        assert (await bench.provider.complete(ASK)).stop == stop


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
    code = "import sys, agent.chat.loop, agent.models.router; print(sorted({'openai', 'anthropic', 'httpx2'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
