"""What comes over the wire and is no answer, each vendor's real SDK before it: pages of gateways, torn lines, new words."""

import asyncio
import json
import re
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from anthropic.resources.messages.messages import DEPRECATED_MODELS
from pydantic import SecretStr

from agent.models.offers import Keys
from agent.models.router import Router
from agent.ports import ProviderFailed
from agent.types import Ask, Completion
from tests.agent.wires import EVENTS, answering, behind, events, every_sdk
from tests.fakes.models import ASK, KEY, TALK, opened, with_tools
from tests.fakes.scripted import Turn, Use


@every_sdk
@pytest.mark.parametrize("calls", [False, True])
async def test_a_reason_to_stop_that_nobody_knows_still_ends_the_answer(kind: str, *, calls: bool) -> None:
    """A vendor's new word for why it stopped neither raises nor loses what was said or called."""
    async with behind(kind, answering(events(kind, stop="a_new_reason", calls=calls))) as provider:
        answer = await provider.complete(with_tools())
    assert answer.stop in ("end", "tools", "length")
    assert (answer.text, [call.name for call in answer.calls]) == (
        ("", ["weather"]) if calls else ("Cold.", [])
    )
    assert calls or answer.stop != "tools"
    assert not calls or answer.stop != "end"


@every_sdk
@pytest.mark.parametrize("status", [200, 403, 502])
async def test_a_page_in_place_of_an_answer_is_a_failure(kind: str, status: int) -> None:
    """What a gateway or a captive portal shows is no answer, and its markup is not passed on whole."""
    page = "<html><head><title>Sign in</title></head><body>" + "<p>Sign in</p>" * 200 + "</body></html>"
    async with behind(kind, answering(page, status, {"Content-Type": "text/html"})) as provider:
        with pytest.raises(ProviderFailed, match=r"^[A-Z]") as failure:
            await provider.complete(ASK)
    assert len(str(failure.value)) < 400
    assert failure.value.retryable is (status != 403)


@every_sdk
@pytest.mark.parametrize(
    "body", ['{"choices": null}', "[]", "null", '"text"', "data: {broken\n\n", "event: x\ndata: 7\n\n", ""]
)
async def test_an_answer_of_the_wrong_kind_is_a_failure(kind: str, body: str) -> None:
    """JSON of another shape, broken events and nothing at all end in the port's own failure, whatever they are called."""
    for content in ("application/json", "text/event-stream", "application/octet-stream"):
        async with behind(kind, answering(body, headers={"Content-Type": content})) as provider:
            with pytest.raises(ProviderFailed, match=r"^[A-Z]"):
                await provider.complete(ASK)


@every_sdk
async def test_a_connection_that_is_reset_before_the_first_byte_may_be_tried_again(kind: str) -> None:
    """Nothing was said, so nothing is charged, the request is made once, and another may work."""
    asked: list[str] = []

    async def reset(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with behind(kind, reset) as provider:
        with pytest.raises(ProviderFailed, match="cannot be reached") as failure:
            await provider.complete(ASK)
    assert (failure.value.retryable, failure.value.cost, len(asked)) == (True, 0.0, 1)


@every_sdk
async def test_an_answer_that_drips_is_given_up_when_its_time_is_over(kind: str) -> None:
    """A server that sends a sign of life again and again, and never an end, holds nobody longer than the whole may take."""

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=EVENTS)
        await response.prepare(request)
        while True:
            await response.write(b": still here\n\n")
            await asyncio.sleep(0.01)

    async with behind(kind, drip) as provider:
        with pytest.raises(ProviderFailed, match="did not answer in time") as failure:
            await provider.complete(Ask(messages=TALK, seconds=0.2))
    assert failure.value.retryable


@every_sdk
async def test_a_day_to_come_back_on_is_read_as_seconds(kind: str) -> None:
    """`retry-after` may hold a date; one that nobody can read is as good as none."""
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    for said, least, most in ((later, 3500.0, 3600.0), ("soon", None, None), ("-5", 0.0, 0.0)):
        refusal = answering('{"error": {"message": "slow down"}}', 429, {"Retry-After": said})
        async with behind(kind, refusal) as provider:
            with pytest.raises(ProviderFailed, match="takes no more requests") as failure:
                await provider.complete(ASK)
        after = failure.value.retry_after
        assert (after is None) if least is None else (after is not None and least <= after <= (most or 0.0))


@every_sdk
async def test_no_request_says_how_warm_a_model_is_to_be(kind: str) -> None:
    """`temperature` and its kin are unknown to some vendors by now, so none is sent to any."""
    async with opened(kind, Turn(text="Cold.", times=2)) as bench:
        await bench.provider.complete(ASK)
        await bench.provider.complete(with_tools(choice="required"))
    sent = {name for request in bench.script.requests for name in request}
    assert not {"temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty"} & sent


@every_sdk
async def test_choices_that_are_empty_are_passed_over(kind: str) -> None:
    """An event that brings nothing, before the answer or amid it, changes nothing of it."""
    whole = events(kind, stop="stop" if kind == "compatible" else "end_turn")
    nothing = {
        "compatible": 'data: {"id": "x", "model": "m", "created": 1, "object": "chat.completion.chunk", "choices": []}\n\n',
        "anthropic": 'event: ping\ndata: {"type": "ping"}\n\n',
        "openai": 'event: response.in_progress\ndata: {"type": "response.in_progress", "sequence_number": 0}\n\n',
    }[kind]
    head, gap, rest = whole.partition("\n\n")
    for body in (nothing + whole, head + gap + nothing + rest):
        async with behind(kind, answering(body)) as provider:
            *pieces, last = [piece async for piece in provider.stream(ASK)]
        assert isinstance(last, Completion)
        assert "".join(map(str, pieces)) == last.text == "Cold."


@pytest.mark.parametrize(("model", "day"), DEPRECATED_MODELS.items())
def test_a_model_that_ends_is_told_of_once(model: str, day: str) -> None:
    """Each model whose end the vendor's SDK knows is told of to the operator who sets it, once, and with the same day."""
    keys = Keys(anthropic_api_key=SecretStr(KEY), anthropic_model=model)
    (notice,) = Router.of(keys).notices
    ends = datetime.strptime(re.sub(r"(?<=\d)(st|nd|rd|th)", "", day), "%B %d, %Y").replace(tzinfo=UTC)
    assert model in notice
    assert ends.date().isoformat() in notice
    assert "ANTHROPIC_MODEL" in notice


@every_sdk
async def test_a_name_of_a_tool_that_nobody_offered_comes_out_as_it_was_said(kind: str) -> None:
    """What is not there is for the loop to answer; the provider neither hides it nor makes it up."""
    use = Use(name="rm_rf", arguments={"path": "/"})
    async with opened(kind, Turn(calls=(use,))) as bench:
        (call,) = (await bench.provider.complete(with_tools())).calls
    assert (call.name, json.loads(call.arguments)) == ("rm_rf", {"path": "/"})


@every_sdk
async def test_a_refusal_that_repeats_the_key_in_a_header_does_not_show_it(kind: str) -> None:
    """A gateway that sends back what it was sent tells people nothing of the key."""

    async def mirror(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": str(dict(request.headers))}}, status=418)

    async with behind(kind, mirror) as provider:
        with pytest.raises(ProviderFailed) as failure:
            await provider.complete(ASK)
    assert KEY not in str(failure.value)
    assert KEY not in "".join(traceback.format_exception(failure.value))
