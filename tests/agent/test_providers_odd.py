"""Servers that nearly keep to their interface: what they meant is understood, and what they did not say is not made up."""

import gzip
import json
from typing import Any

import pytest
from aiohttp import web

from agent.ports import ProviderFailed
from tests.agent.wires import (
    EVENTS,
    Handler,
    answering,
    behind,
    chunk,
    events,
    every_sdk,
    message,
    reply,
    told,
)
from tests.fakes.models import ASK, KEY, with_tools

WORDS = "K\u00e4lt\u2028 \U0001f9ca."
TEXT = {"type": "text", "text": "Cold."}
SAID = {"type": "message", "content": [{"type": "output_text", "text": "Cold."}]}
USED = {"input_tokens": 100, "output_tokens": None}


def called(arguments: object, name: str = "weather", identity: str = "c") -> dict[str, Any]:
    function = {"name": name} if arguments is ... else {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": 0, "id": identity, "function": function}]}


def sending(body: bytes, piece: int = 0, packed: str = "identity") -> Handler:
    """Answers every request with the same bytes, so many at a time."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={**EVENTS, "Content-Encoding": packed})
        await response.prepare(request)
        for at in range(0, len(body), piece or len(body)):
            await response.write(body[at : at + (piece or len(body))])
        return response

    return answer


@every_sdk
@pytest.mark.parametrize("written", ["crlf", "cr", "no space", "comments", "bytewise", "gzip"])
async def test_events_are_read_however_they_are_written(kind: str, written: str) -> None:
    """Line ends, blanks, comments, packing and where the bytes are cut make no difference to what was said."""
    body = events(kind, stop="stop").replace('"Cold."', json.dumps(WORDS, ensure_ascii=False)).encode()
    match written:
        case "crlf" | "cr":
            handler = sending(body.replace(b"\n", b"\r\n" if written == "crlf" else b"\r"))
        case "no space":
            handler = sending(body.replace(b"data: ", b"data:").replace(b"event: ", b"event:"))
        case "comments":
            handler = sending(b": ping\n\n" + body.replace(b"\n\n", b"\n\n: still here\n\n"))
        case "bytewise":
            handler = sending(body, 1)
        case _:
            handler = sending(gzip.compress(body), packed="gzip")
    async with behind(kind, handler) as provider:
        assert (await provider.complete(ASK)).text == WORDS


@every_sdk
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_takes_neither_words_nor_key_elsewhere(kind: str, status: int) -> None:
    """Who sends callers on is not followed: what was said went to the address that somebody chose, and to no other."""
    reached: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        reached.append(await request.text())
        return web.Response(text=events(kind, stop="stop"), headers=EVENTS)

    async def here(request: web.Request) -> web.StreamResponse:
        assert KEY in str(request.headers) or kind == "compatible"
        return web.Response(status=status, headers={"Location": there})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", elsewhere)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there = f"http://localhost:{runner.addresses[0][1]}/v1"
    try:
        async with behind(kind, here) as provider:
            with pytest.raises(ProviderFailed, match="sends callers to another address") as failure:
                await provider.complete(ASK)
    finally:
        await runner.cleanup()
    assert (reached, failure.value.retryable) == ([], False)


@every_sdk
@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
        ({"retry-after-ms": "soon", "Retry-After": "9"}, 9.0),
        ({"Retry-After": "Sun, 22 Nov 2099 07:00:00 GMT"}, 86_400.0),
        ({"Retry-After": "Sun, 22 Nov 1999 07:00:00 GMT"}, 0.0),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({"Retry-After": "tomorrow"}, None),
    ],
)
async def test_a_wait_is_what_somebody_can_wait_for(
    kind: str, headers: dict[str, str], after: float | None
) -> None:
    """When to come back is read from any of its headers; what is no time, or beyond a day, holds nobody up."""
    async with behind(
        kind, answering("{}", 429, {"Content-Type": "application/json", **headers})
    ) as provider:
        with pytest.raises(ProviderFailed) as failure:
            await provider.complete(ASK)
    assert (failure.value.retryable, failure.value.retry_after) == (True, after)


@every_sdk
@pytest.mark.parametrize("begun", [False, True])
async def test_an_error_among_the_events_is_no_answer(kind: str, *, begun: bool) -> None:
    """A vendor that gives up midway, under a status that says all is well, has failed for the moment."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    first = events(kind, stop="stop").split("\n\n")[0] + "\n\n" if begun else ""
    async with behind(kind, answering(f"{first}event: error\ndata: {json.dumps(error)}\n\n")) as provider:
        with pytest.raises(ProviderFailed, match="could not finish its answer") as failure:
            await provider.complete(ASK)
    assert failure.value.retryable


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("compatible", told("compatible", [chunk(called({"town": "Oslo"}), "tool_calls")])),
        (
            "openai",
            reply(
                {"type": "function_call", "call_id": "c", "name": "weather", "arguments": {"town": "Oslo"}}
            ),
        ),
        (
            "anthropic",
            message(
                {"type": "tool_use", "id": "c", "name": "weather", "input": {"town": "Oslo"}}, stop="tool_use"
            ),
        ),
    ],
)
async def test_arguments_that_are_no_text_are_understood(kind: str, body: str) -> None:
    """A call whose arguments come as an object is the call that it would be as text."""
    async with behind(kind, answering(body)) as provider:
        (call,) = (await provider.complete(with_tools())).calls
    assert (call.name, json.loads(call.arguments)) == ("weather", {"town": "Oslo"})


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("compatible", told("compatible", [chunk(called(None), "tool_calls")])),
        ("compatible", told("compatible", [chunk(called(...), "tool_calls")])),
        ("openai", reply({"type": "function_call", "call_id": "c", "name": "weather", "arguments": None})),
        ("openai", reply({"type": "function_call", "call_id": "c", "name": "weather"})),
        (
            "anthropic",
            message({"type": "tool_use", "id": "c", "name": "weather", "input": None}, stop="tool_use"),
        ),
        ("anthropic", message({"type": "tool_use", "id": "c", "name": "weather"}, stop="tool_use")),
    ],
)
async def test_a_call_without_arguments_is_one_with_none(kind: str, body: str) -> None:
    """Where arguments are null or left out, none are meant."""
    async with behind(kind, answering(body)) as provider:
        (call,) = (await provider.complete(with_tools())).calls
    assert call.arguments == "{}"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (
            "compatible",
            told(
                "compatible",
                [chunk({"content": "Cold."}, "stop"), {"choices": [], "usage": {"prompt_tokens": 100}}],
            ),
        ),
        (
            "compatible",
            told(
                "compatible",
                [
                    {
                        **chunk({"content": "Cold."}, "stop"),
                        "usage": {"prompt_tokens": 9, "completion_tokens": 0},
                    }
                ],
            ),
        ),
        ("openai", reply(SAID, usage=USED)),
        ("openai", reply(SAID, usage={})),
        ("anthropic", message(TEXT, stop="end_turn", usage=None)),
        ("anthropic", message(TEXT, stop="end_turn")),
        ("anthropic", message(TEXT, stop="end_turn", usage=USED)),
    ],
)
async def test_half_a_count_is_not_half_a_bill(kind: str, body: str) -> None:
    """Where a server counts nothing, or the question alone, the answer is paid by estimate, and stands."""
    async with behind(kind, answering(body)) as provider:
        answer = await provider.complete(ASK)
        prices = provider.prices
    assert answer.text == "Cold."
    assert answer.cost >= prices.output / 1_000_000


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("openai", reply({"type": "web_search_call", "id": "w"}, SAID)),
        ("openai", reply({"type": "message", "content": [{"type": "output_audio", "data": "x"}, *SAID["content"]]})),
        ("anthropic", message({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, TEXT, stop="end_turn")),
        ("anthropic", message({"type": "web_search_tool_result", "tool_use_id": "s", "content": []}, TEXT, stop="pause_turn")),
        ("anthropic", message({"type": "unheard_of"}, TEXT, stop="end_turn")),
        ("compatible", told("compatible", [chunk({"reasoning_content": "hm"}), chunk({"content": "Cold."}, "stop")])),
        ("compatible", told("compatible", [chunk(None, "stop", message={"content": "Cold."})])),
    ],
)  # fmt: skip
async def test_parts_of_unknown_kinds_are_passed_over(kind: str, body: str) -> None:
    """Thoughts, the vendor's own tools and kinds of which nobody has heard leave the words as they are."""
    async with behind(kind, answering(body)) as provider:
        answer = await provider.complete(ASK)
    assert (answer.text, answer.calls, answer.stop) == ("Cold.", (), "end")


async def test_of_several_answers_only_the_first_is_heard() -> None:
    """Two choices that come interleaved are not read as one text."""
    said = [
        chunk({"content": "Co"}),
        chunk({"content": "Wa"}, at=1),
        chunk({"content": "ld."}),
        chunk({"content": "rm."}, at=1),
    ]
    ends = [chunk({}, "stop", at=1), chunk({}, "stop")]
    async with behind("compatible", answering(told("compatible", [*said, *ends]))) as provider:
        assert (await provider.complete(ASK)).text == "Cold."


async def test_a_gateway_that_gives_up_has_not_answered() -> None:
    """`error` as the reason to stop means that what came before is not the whole answer."""
    said = told("compatible", [chunk({"content": "Co"}), chunk({}, "error")])
    async with behind("compatible", answering(said)) as provider:
        with pytest.raises(ProviderFailed, match="could not finish its answer"):
            await provider.complete(ASK)


@pytest.mark.parametrize(
    ("name", "read"), [("wetter \u00fc", "wetter__"), ("", "unnamed"), ("x" * 99, "x" * 64)]
)
async def test_what_a_model_calls_can_be_told_to_every_vendor(name: str, read: str) -> None:
    """Odd names and ids of calls would have the next request refused, whoever is asked: they come out in plain signs."""
    said = told("compatible", [chunk(called("{}", name, "functions.weather:0"), "tool_calls")])
    async with behind("compatible", answering(said)) as provider:
        (call,) = (await provider.complete(with_tools())).calls
    assert (call.name, call.id) == (read, "functions_weather_0")
