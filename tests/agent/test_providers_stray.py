"""Servers send what they like: every stream that is no answer ends in one sentence for people."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from agent.ports import ProviderFailed
from agent.providers.compatible import Compatible
from tests.fakes.models import ASK, KEY, WIRED

STRAY: list[Any] = [
    None,
    7,
    "text",
    [],
    {},
    {"choices": None},
    {"choices": [None]},
    {"choices": [{"delta": {"content": 7}}]},
    {"choices": [{"delta": {"content": ["a", "b"]}, "finish_reason": "stop"}]},
    {"choices": [{"delta": {"tool_calls": [{}]}}]},
    {
        "choices": [
            {"delta": {"tool_calls": [{"index": 0, "function": {"name": 7}}]}, "finish_reason": "stop"}
        ]
    },
    {"usage": "none", "choices": []},
    {"error": "no"},
    {"type": "response.output_text.delta"},
    {"type": "response.output_text.delta", "delta": None},
    {"type": "response.completed"},
    {"type": "response.completed", "response": {"output": [{"type": "function_call"}], "model": "m"}},
    {"type": "response.completed", "response": {"output": [], "usage": "none", "model": "m"}},
    {"type": "response.failed", "response": {"status": "failed"}},
    {"type": "message_start"},
    {"type": "message_start", "message": {"model": "m", "usage": []}},
    {"type": "content_block_start", "index": 0, "content_block": {}},
    {"type": "content_block_delta", "index": 9, "delta": {"type": "text_delta", "text": "x"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
    {"type": "message_stop"},
    {"type": "error", "message": "no"},
]
"""Events that are no answer in any of the three interfaces."""


@asynccontextmanager
async def sending(values: list[str], page: str = "") -> AsyncIterator[str]:
    """A server that answers each request with the next value as its only event, or with a page; its base address."""
    left = iter(values)

    async def answer(_request: web.Request) -> web.Response:
        if page:
            return web.Response(text=page, content_type="text/html")
        value = next(left)
        known = value.startswith('{"type')
        event = json.loads(value)["type"] if known else "message_start"
        return web.Response(text=f"event: {event}\ndata: {value}\n\n", content_type="text/event-stream")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("kind", list(WIRED))
async def test_a_stray_event_is_a_failure_told_in_one_sentence(kind: str) -> None:
    """Whatever an event holds, an answer that makes no sense never comes out, and nobody sees the SDK's words for it."""
    values = [*map(json.dumps, STRAY), '{"choices": [', "text"]
    async with sending(values) as address:
        provider = WIRED[kind][1](address)
        try:
            for value in values:
                with pytest.raises(ProviderFailed) as failure:
                    await provider.complete(ASK)
                said = str(failure.value)
                assert said.endswith("."), value
                assert "\n" not in said, value
                assert not any(word in said for word in (KEY, "Traceback", "object has no")), value
        finally:
            await provider.close()


@pytest.mark.parametrize("model", ["", "some-model"])
async def test_a_page_is_no_model(model: str) -> None:
    """Where a page for people comes from the address of a model, the setting is named, and nothing of the library."""
    async with sending([], "<html><body>Welcome</body></html>") as address:
        provider = Compatible(f"{address}/v1", model=model)
        with pytest.raises(ProviderFailed, match="check that LOCAL_MODEL_URL is the address") as failure:
            await provider.complete(ASK)
        await provider.close()
    assert "Error" not in str(failure.value)
