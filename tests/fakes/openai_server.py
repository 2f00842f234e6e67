"""A stand-in for OpenAI's interfaces on loopback: Chat Completions, Responses, and the list of models."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from tests.fakes.scripted import Script, Turn

_FINISH = {"end": "stop", "tools": "tool_calls", "length": "length", "refused": "content_filter"}
_PARTS = frozenset({"input_text", "input_image"})
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def application(script: Script) -> web.Application:
    """The stand-in, playing a script."""
    app = web.Application()
    server = _Server(script)
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_post("/v1/responses", server.responses)
    app.router.add_get("/v1/models", server.models)
    return app


class _Server:
    def __init__(self, script: Script) -> None:
        self._script = script
        self._reasoning: dict[str, str] = {}
        self._reasoned_before: dict[str, str] = {}
        """Id of the reasoning that led to a call, by the call's id."""

    async def models(self, _request: web.Request) -> web.Response:
        """The models that there are."""
        self._script.lookups += 1
        if self._script.listed is None:
            return _error(500, "the list is lost")
        data = [{"object": "model", **one} for one in self._script.listed]
        return web.json_response({"object": "list", "data": data})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Chat Completions."""
        body = await request.json()
        turn = await self._turn(request, body, list(_chat_faults(body)))
        if isinstance(turn, web.Response):
            return turn
        base = {"id": self._script.identity("chatcmpl"), "created": 1, "model": body["model"]}
        if not body.get("stream"):
            return _error(400, "this stand-in only streams")
        chunks = list(self._chunks(base, turn))
        if (body.get("stream_options") or {}).get("include_usage"):
            usage = {
                "prompt_tokens": turn.input_tokens,
                "completion_tokens": turn.output_tokens,
                "total_tokens": turn.input_tokens + turn.output_tokens,
            }
            chunks.append({**base, "object": "chat.completion.chunk", "choices": [], "usage": usage})
        return await stream(request, turn, chunks, end="data: [DONE]\n\n")

    def _chunks(self, base: dict[str, Any], turn: Turn) -> Iterator[dict[str, Any]]:
        def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
            choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
            return {**base, "object": "chat.completion.chunk", "choices": [choice]}

        if turn.hollow:
            return
        for piece in turn.pieces:
            yield chunk({"role": "assistant", "content": piece})
        for at, use in enumerate(turn.calls):
            identity = self._script.identity("call") if use.id is None else use.id
            begun = {"index": 0 if turn.one_index else at, "id": identity, "type": "function"}
            if turn.one_index:
                whole = {**begun, "function": {"name": use.name, "arguments": use.text}}
                yield chunk({"tool_calls": [whole]})
                continue
            yield chunk({"tool_calls": [{**begun, "function": {"name": use.name, "arguments": ""}}]})
            for piece in use.pieces:
                yield chunk({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
        yield chunk({}, _FINISH[turn.stopped])

    async def responses(self, request: web.Request) -> web.StreamResponse:
        """Responses."""
        body = await request.json()
        turn = await self._turn(request, body, list(self._responses_faults(body)))
        if isinstance(turn, web.Response):
            return turn
        output: list[dict[str, Any]] = []
        if turn.thinks:
            identity = self._script.identity("rs")
            self._reasoning[identity] = f"sealed-{identity}"
            sealed = {"encrypted_content": self._reasoning[identity], "summary": []}
            output.append({"type": "reasoning", "id": identity, **sealed})
        if turn.text:
            kind = "refusal" if turn.stopped == "refused" else "output_text"
            part: dict[str, Any] = {"type": kind, ("refusal" if kind == "refusal" else "text"): turn.text}
            if kind == "output_text":
                part["annotations"] = []
            identity = self._script.identity("msg")
            message: dict[str, Any] = {"role": "assistant", "status": "completed", "content": [part]}
            output.append({"type": "message", "id": identity, **message})
        for use in turn.calls:
            call_id = self._script.identity("call") if use.id is None else use.id
            call = {"call_id": call_id, "name": use.name, "arguments": use.text, "status": "completed"}
            output.append({"type": "function_call", "id": self._script.identity("fc"), **call})
            if turn.thinks:
                self._reasoned_before[call_id] = output[0]["id"]
        short = turn.stopped == "length"
        answer = {
            "id": self._script.identity("resp"),
            "object": "response",
            "created_at": 1,
            "status": "incomplete" if short else "completed",
            "incomplete_details": {"reason": "max_output_tokens"} if short else None,
            "error": None,
            "model": body["model"],
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": body.get("tools", []),
            "usage": {
                "input_tokens": turn.input_tokens,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": turn.output_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": turn.input_tokens + turn.output_tokens,
            },
        }
        if not body.get("stream"):
            return _error(400, "this stand-in only streams")
        where: dict[str, Any] = {"item_id": "msg_1", "output_index": 0}
        spoken = "refusal" if turn.stopped == "refused" else "output_text"
        events = [
            {"type": f"response.{spoken}.delta", "delta": piece, "content_index": 0, "logprobs": [], **where}
            for piece in turn.pieces
        ]
        for use in turn.calls:
            events += [
                {"type": "response.function_call_arguments.delta", "delta": piece, **where}
                for piece in use.pieces
            ]
        if not turn.hollow:
            events.append(
                {"type": "response.incomplete" if short else "response.completed", "response": answer}
            )
        numbered = [{**event, "sequence_number": at} for at, event in enumerate(events)]
        return await stream(request, turn, numbered, named=True)

    async def _turn(
        self, request: web.Request, body: dict[str, Any], faults: list[str]
    ) -> Turn | web.Response:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        turn = self._script.next(body, key)
        await asyncio.sleep(turn.seconds)
        if not key:
            faults.append("there is no key in the Authorization header")
        for fault in faults:
            self._script.fault(fault)
        if faults:
            return _error(400, "; ".join(faults))
        if turn.status != 200:
            return _error(turn.status, turn.message, turn.retry_after)
        return turn

    def _responses_faults(self, body: dict[str, Any]) -> Iterator[str]:
        if body.get("store") is not False:
            yield "store is not false: the vendor would keep the conversation"
        items = body.get("input")
        if not isinstance(items, list) or not items:
            yield "input is no list of items"
            return
        yield from _order_faults(items)
        reasoning = {
            item["id"]: item.get("encrypted_content") for item in items if item.get("type") == "reasoning"
        }
        if any(self._reasoning.get(identity) != sealed for identity, sealed in reasoning.items()):
            yield "reasoning came back changed"
        called = {item["call_id"] for item in items if item.get("type") == "function_call"}
        if any(self._reasoned_before.get(identity) not in (None, *reasoning) for identity in called):
            yield "the reasoning before a call is missing from the conversation"
        yield from _choice_faults(body.get("tool_choice", "auto"), nested=False)
        for tool in body.get("tools", []):
            yield from _tool_faults(tool)
            if tool.get("strict") is not False:
                yield "the tool does not say that its schema is not strict"


def _order_faults(items: list[dict[str, Any]]) -> Iterator[str]:
    waiting: set[str] = set()
    for item in items:
        match item.get("type", "message"):
            case "function_call":
                waiting.add(item["call_id"])
            case "function_call_output":
                if item["call_id"] not in waiting:
                    yield f"output for a call that is not there: {item['call_id']}"
                waiting.discard(item["call_id"])
            case "message":
                if item.get("role") not in ("user", "assistant"):
                    yield f"unknown role {item.get('role')!r}"
                parts = item.get("content")
                if isinstance(parts, list) and any(part["type"] not in _PARTS for part in parts):
                    yield "a message has a part of an unknown kind"
                if waiting and item["role"] == "user":
                    yield f"no output for calls {sorted(waiting)}"
            case "reasoning":
                pass
            case kind:
                yield f"unknown item {kind!r}"
    if waiting:
        yield f"no output for calls {sorted(waiting)}"


def _chat_faults(body: dict[str, Any]) -> Iterator[str]:
    if not any(isinstance(body.get(name), int) for name in ("max_tokens", "max_completion_tokens")):
        yield "no limit of tokens"
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        yield "messages is no list of messages"
        return
    yield from _message_faults(messages)
    yield from _choice_faults(body.get("tool_choice", "auto"), nested=True)
    for tool in body.get("tools", []):
        if tool.get("type") != "function":
            yield "a tool is no function"
        yield from _tool_faults(tool.get("function", {}))


def _message_faults(messages: list[dict[str, Any]]) -> Iterator[str]:
    waiting: list[str] = []
    for at, message in enumerate(messages):
        role = message.get("role")
        if role == "tool":
            if message.get("tool_call_id") not in waiting:
                yield f"message {at} answers a call that is not there: {message.get('tool_call_id')}"
            else:
                waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            yield f"calls without an answer before message {at}: {waiting}"
        if role not in ("system", "user", "assistant"):
            yield f"message {at} has the unknown role {role!r}"
        if not message.get("content") and not message.get("tool_calls"):
            yield f"message {at} has no content"
        waiting = [call["id"] for call in message.get("tool_calls", ())]
        if len(set(waiting)) != len(waiting):
            yield f"message {at} has two calls of one id"
    if waiting:
        yield f"calls without an answer at the end: {waiting}"


def _choice_faults(choice: Any, *, nested: bool) -> Iterator[str]:
    """The one interface has a tool's name one level deeper than the other."""
    if choice in ("auto", "none", "required"):
        return
    where = choice.get("function", {}) if nested else choice
    if choice.get("type") != "function" or not where.get("name"):
        yield f"tool_choice is {choice}"


def _tool_faults(tool: dict[str, Any]) -> Iterator[str]:
    if not _NAME.fullmatch(tool.get("name", "")):
        yield f"a tool's name is not allowed: {tool.get('name')!r}"
    if tool.get("parameters", {}).get("type") != "object":
        yield f"the parameters of {tool.get('name')} are no object"


async def stream(
    request: web.Request, turn: Turn, events: list[dict[str, Any]], *, named: bool = False, end: str = ""
) -> web.StreamResponse:
    """Send events, as far as the turn wants them to go."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    pieces = 0
    for event in events:
        if _is_piece(event):
            if pieces == turn.break_after and request.transport is not None:
                request.transport.close()
                return response
            if pieces == turn.stall_after:
                await asyncio.Event().wait()
            await asyncio.sleep(turn.pace if pieces else 0)
            pieces += 1
        name = f"event: {event['type']}\n" if named else ""
        await response.write(f"{name}data: {json.dumps(event)}\n\n".encode())
    await response.write(end.encode())
    await response.write_eof()
    return response


def _is_piece(event: dict[str, Any]) -> bool:
    """An event that brings text or arguments."""
    if event.get("choices"):
        delta = event["choices"][0]["delta"]
        return "content" in delta or any(
            "name" not in call["function"] for call in delta.get("tool_calls", ())
        )
    return str(event.get("type", "")).endswith("delta")


def _error(status: int, message: str, retry_after: float | None = None) -> web.Response:
    error = {"message": message, "type": "scripted", "param": None, "code": None}
    return web.json_response({"error": error}, status=status, headers=later(retry_after))


def later(retry_after: float | None) -> dict[str, str]:
    """The header that says when to come back."""
    return {} if retry_after is None else {"retry-after": str(retry_after)}
