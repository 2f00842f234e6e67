"""A stand-in for Anthropic's Messages interface on loopback."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from tests.fakes.openai_server import later, stream
from tests.fakes.scripted import Script, Turn

_STOP = {"end": "end_turn", "tools": "tool_use", "length": "max_tokens", "refused": "refusal"}
_KINDS = {
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_FIELDS = frozenset(
    {"model", "max_tokens", "messages", "system", "tools", "tool_choice", "output_config", "stream"}
)
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def application(script: Script) -> web.Application:
    """The stand-in, playing a script."""
    app = web.Application()
    app.router.add_post("/v1/messages", _Server(script).messages)
    return app


class _Server:
    def __init__(self, script: Script) -> None:
        self._script = script
        self._signed: dict[str, str] = {}
        self._thought_before: dict[str, str] = {}
        """Signature of the thinking that led to a call, by the call's id."""

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """One answer, whole or streamed."""
        body = await request.json()
        # The current SDK sends the key as a bearer token, older ones in a header of its own.
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        key = request.headers.get("x-api-key", bearer)
        turn = self._script.next(body, key)
        await asyncio.sleep(turn.seconds)
        faults = list(self._faults(body))
        if not key or "anthropic-version" not in request.headers:
            faults.append("the key or anthropic-version is missing from the headers")
        for fault in faults:
            self._script.fault(fault)
        if faults:
            return _error(400, "; ".join(faults))
        if turn.status != 200:
            return _error(turn.status, turn.message, turn.retry_after)
        content = self._content(turn)
        usage = {"input_tokens": turn.input_tokens, "output_tokens": turn.output_tokens}
        answer = {
            "id": self._script.identity("msg"),
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": _STOP[turn.stopped],
            "stop_sequence": None,
            "usage": usage,
        }
        if not body.get("stream"):
            return _error(400, "this stand-in only streams")
        return await stream(request, turn, list(_events(answer, turn)), named=True)

    def _content(self, turn: Turn) -> list[dict[str, Any]]:
        content: list[dict[str, Any]] = []
        signature = ""
        if turn.thinks:
            signature = self._script.identity("signature")
            self._signed[signature] = f"thought {signature}"
            content.append({"type": "thinking", "thinking": self._signed[signature], "signature": signature})
        if turn.text:
            content.append({"type": "text", "text": turn.text})
        for use in turn.calls:
            identity = self._script.identity("toolu") if use.id is None else use.id
            content.append({"type": "tool_use", "id": identity, "name": use.name, "input": {}})
            if turn.thinks:
                self._thought_before[identity] = signature
        return content

    def _faults(self, body: dict[str, Any]) -> Iterator[str]:
        if unknown := set(body) - _FIELDS:
            yield f"unknown fields: {sorted(unknown)}"
        if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1:
            yield "max_tokens is no positive number"
        if "system" in body and not body["system"]:
            yield "system is empty"
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            yield "messages is no list of messages"
            return
        yield from _order_faults(messages)
        blocks = [block for message in messages for block in message["content"]]
        sent = {block.get("signature") for block in blocks}
        called = {block["id"] for block in blocks if block["type"] == "tool_use"}
        if any(self._thought_before.get(identity, None) not in (None, *sent) for identity in called):
            yield "the thinking before a call is missing from the conversation"
        for block in blocks:
            yield from self._block_faults(block)
        for tool in body.get("tools", ()):
            yield from _tool_faults(tool)
        choice = body.get("tool_choice", {"type": "auto"})
        if choice.get("type") not in ("auto", "any", "none", "tool") or ("name" in choice) != (
            choice["type"] == "tool"
        ):
            yield f"tool_choice is {choice}"

    def _block_faults(self, block: dict[str, Any]) -> Iterator[str]:
        kind = block["type"]
        if kind == "text" and not block["text"].strip():
            yield "a text block is empty"
        if kind == "tool_use" and not isinstance(block["input"], dict):
            yield "the input of a call is no object"
        if kind == "thinking" and self._signed.get(block["signature"]) != block["thinking"]:
            yield "thinking was changed"
        if kind not in ("text", "tool_use", "tool_result", "thinking", "image"):
            yield f"a block is of the unknown kind {kind!r}"


def _order_faults(messages: list[dict[str, Any]]) -> Iterator[str]:
    waiting: list[str] = []
    for at, message in enumerate(messages):
        if message["role"] != ("assistant" if at % 2 else "user"):
            yield f"message {at}: roles do not alternate from user"
        content = message["content"]
        if not isinstance(content, list) or not content:
            yield f"message {at} is empty"
            continue
        results = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
        if sorted(results) != sorted(waiting):
            yield f"message {at} answers {results} where {waiting} was called"
        if any(block["type"] != "tool_result" for block in content[: len(results)]):
            yield f"message {at} does not begin with its tool results"
        waiting = [block["id"] for block in content if block["type"] == "tool_use"]
    if messages[-1]["role"] != "user":
        yield "the last message is not the user's"


def _tool_faults(tool: dict[str, Any]) -> Iterator[str]:
    if not _NAME.fullmatch(tool.get("name", "")):
        yield f"a tool's name is not allowed: {tool.get('name')!r}"
    schema = tool.get("input_schema", {})
    if schema.get("type") != "object" or any(word in schema for word in ("oneOf", "anyOf", "allOf")):
        yield f"the schema of {tool.get('name')} is no plain object"


def _events(answer: dict[str, Any], turn: Turn) -> Iterator[dict[str, Any]]:
    start = {**answer, "content": [], "stop_reason": None, "usage": {**answer["usage"], "output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    uses = iter(turn.calls)
    for at, block in enumerate(answer["content"]):
        match block["type"]:
            case "text":
                empty = {"text": ""}
                deltas = [{"type": "text_delta", "text": piece} for piece in turn.pieces]
            case "thinking":
                empty = {"thinking": "", "signature": ""}
                deltas = [
                    {"type": "thinking_delta", "thinking": block["thinking"]},
                    {"type": "signature_delta", "signature": block["signature"]},
                ]
            case _:
                empty = {}
                deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in next(uses).pieces]
        yield {"type": "content_block_start", "index": at, "content_block": block | empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": at, "delta": delta}
        yield {"type": "content_block_stop", "index": at}
    if turn.hollow:
        return
    why = {"stop_reason": answer["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": why, "usage": {"output_tokens": turn.output_tokens}}
    yield {"type": "message_stop"}


def _error(status: int, message: str, retry_after: float | None = None) -> web.Response:
    kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return web.json_response(body, status=status, headers=later(retry_after))
