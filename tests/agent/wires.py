"""What comes over the wire as a test has it, each vendor's real SDK before it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from agent.ports import ModelProvider
from tests.fakes.models import WIRED

every_sdk = pytest.mark.parametrize("kind", list(WIRED))
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
EVENTS = {"Content-Type": "text/event-stream"}


@asynccontextmanager
async def behind(kind: str, handler: Handler) -> AsyncIterator[ModelProvider]:
    """A provider whose vendor answers each request as a function does."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    provider = WIRED[kind][1](url if kind == "anthropic" else f"{url}/v1")
    try:
        yield provider
    finally:
        await provider.close()
        await runner.cleanup()


def events(kind: str, *, stop: str, calls: bool = False) -> str:
    """A whole answer, "Cold.", or a call, that stops for a reason of which nobody has heard."""
    base = {"id": "x", "model": "m", "created": 1, "object": "chat.completion.chunk"}
    function = {"name": "weather", "arguments": "{}"}
    usage = {"input_tokens": 1, "output_tokens": 1}
    said: list[dict[str, Any]]
    if kind == "compatible":
        delta: dict[str, Any] = {"content": "Cold."}
        if calls:
            delta = {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": function}]}
        said = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": stop}]}]
    elif kind == "anthropic":
        head = {
            "id": "x",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [],
            "usage": usage,
        }
        block = {"type": "tool_use", "id": "c", "name": "weather", "input": {}}
        block = block if calls else {"type": "text", "text": "Cold."}
        said = [
            {"type": "message_start", "message": {**head, "stop_reason": None, "stop_sequence": None}},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage},
            {"type": "message_stop"},
        ]
    else:
        text = {"type": "output_text", "text": "Cold.", "annotations": []}
        item: dict[str, Any] = {"type": "message", "id": "m", "role": "assistant", "content": [text]}
        if calls:
            item = {"type": "function_call", "id": "f", "call_id": "c", **function}
        reply = {
            "id": "x",
            "object": "response",
            "created_at": 1,
            "model": "m",
            "output": [item],
            "tools": [],
        }
        reply |= {"status": "incomplete", "incomplete_details": {"reason": stop}, "error": None}
        delta = {"delta": "Cold.", "item_id": "m", "output_index": 0, "content_index": 0, "logprobs": []}
        said = [] if calls else [{"type": "response.output_text.delta", "sequence_number": 0, **delta}]
        said.append({"type": "response.incomplete", "sequence_number": 1, "response": reply})
    return told(kind, said)


def answering(body: str, status: int = 200, headers: Mapping[str, str] = EVENTS) -> Handler:
    """Answers every request with the same text."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=body, status=status, headers=headers)

    return answer


def told(kind: str, said: Sequence[dict[str, Any]]) -> str:
    """Events as they come in, named where the vendor names them."""
    lines = [
        (f"event: {each['type']}\n" if kind != "compatible" else "") + f"data: {json.dumps(each)}\n\n"
        for each in said
    ]
    return "".join(lines) + ("data: [DONE]\n\n" if kind == "compatible" else "")


def chunk(
    delta: dict[str, Any] | None, finish: str | None = None, at: int = 0, **more: object
) -> dict[str, Any]:
    """One chunk of Chat Completions."""
    return {"model": "m", "choices": [{"index": at, "delta": delta, "finish_reason": finish, **more}]}


def reply(*output: dict[str, Any], **more: object) -> str:
    """A whole answer of Responses."""
    answer = {"model": "m", "status": "completed", "error": None, "output": output, "usage": None, **more}
    return told("openai", [{"type": "response.completed", "response": answer}])


def message(*blocks: dict[str, Any], stop: str, **more: object) -> str:
    """A whole answer of Messages, each block at once; `more` is beside the model's name and the reason to stop."""
    begun = [
        {"type": "content_block_start", "index": at, "content_block": block}
        for at, block in enumerate(blocks)
    ]
    ends = {"type": "message_delta", "delta": {"stop_reason": stop}, **more}
    starts = {"type": "message_start", "message": {"model": "m", **more}}
    return told("anthropic", [starts, *begun, ends, {"type": "message_stop"}])
