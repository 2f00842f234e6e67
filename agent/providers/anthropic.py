"""Claude over Anthropic's Messages interface.

Stateless: the whole conversation goes along each time. Claude's signed thinking must come back unchanged
and only to the model that thought it; it travels in `native`.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from pydantic import SecretStr

from agent.providers.connection import Connection
from agent.providers.wire import (
    CONNECT_SECONDS,
    Until,
    Vendor,
    base64_of,
    broke_off,
    due,
    faults,
    numbered,
    patience,
    price,
    tls,
    whole,
)
from agent.types import Ask, Completion, Message, Prices, ToolCall, Usage

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic, AsyncStream

ADDRESS = "https://api.anthropic.com"
_STOPS = {
    "tool_use": "tools",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refused",
}
_GROWS = {
    "text_delta": "text",
    "input_json_delta": "partial_json",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
}
"""What each kind of piece makes longer, by the name of the field that it comes in."""
_CHOICES = {"none": {"type": "none"}, "required": {"type": "any"}}


class Anthropic:
    """A Claude model. Connects, and loads the SDK, at the first question."""

    def __init__(self, model: str, prices: Prices, key: SecretStr, address: str | None = None) -> None:
        self.model = model
        self.prices = prices
        self._key = key
        self._vendor = Vendor("Anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL")
        self._connection = Connection(_sdk, key, address or ADDRESS)

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Completion, None]:
        """The answer in pieces, then whole; see `ModelProvider.stream`."""
        deadline = due(ask)
        with faults(self._vendor, self.model, self._key, ask, self.prices) as measure:
            request = self._request(ask)
            async with asyncio.timeout_at(deadline):
                client = await self._connection.client()
                events = await _posted(client, request, patience(ask))
            answer = _Answer()
            async with events:
                async for event in Until(aiter(events), deadline):
                    piece = answer.take(event)
                    measure.take(piece)
                    if piece and answer.speaking:
                        yield piece
                    if answer.ended:
                        yield self._completion(answer, price(self.prices, answer.usage, ask, measure.chars))
                        return
            raise broke_off(self._vendor)

    async def complete(self, ask: Ask) -> Completion:
        """One whole answer; see `ModelProvider.complete`."""
        return await whole(self.stream(ask))

    async def close(self) -> None:
        """Let go of connections."""
        await self._connection.close()

    def _request(self, ask: Ask) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.model,
            "max_tokens": ask.max_tokens,
            "messages": self._turns(ask.messages),
            "stream": True,
        }
        if system := "\n\n".join(message.text for message in ask.messages if message.role == "system"):
            request["system"] = system
        if ask.tools:
            request["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
                for tool in ask.tools
            ]
            if ask.choice != "auto":
                request["tool_choice"] = _CHOICES.get(ask.choice) or {"type": "tool", "name": ask.choice}
        if ask.format:
            request["output_config"] = {"format": {"type": "json_schema", "schema": ask.format}}
        return request

    def _turns(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Roles alternate, and all results of one answer's calls stand in the one message after it."""
        turns: list[dict[str, Any]] = []
        for message in messages:
            if message.role == "system":
                continue
            role = "assistant" if message.role == "assistant" else "user"
            blocks = self._blocks(message)
            if turns and turns[-1]["role"] == role:
                turns[-1]["content"].extend(blocks)
            elif blocks:
                turns.append({"role": role, "content": blocks})
        return turns

    def _blocks(self, message: Message) -> list[dict[str, Any]]:
        if message.role == "tool":
            return [{"type": "tool_result", "tool_use_id": message.call_id or "", "content": message.text}]
        if message.native:
            record = json.loads(message.native)
            if record.get("by") == self._signature:
                return list(record["blocks"])
        blocks: list[dict[str, Any]] = (
            [{"type": "text", "text": message.text}] if message.text.strip() else []
        )
        blocks += [
            {
                "type": "image",
                "source": {"type": "base64", "media_type": image.kind, "data": base64_of(image)},
            }
            for image in message.images
        ]
        return blocks + [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": _object(call.arguments)}
            for call in message.calls
        ]

    def _completion(self, answer: "_Answer", cost: float) -> Completion:
        blocks = answer.whole()
        calls = [
            ToolCall(id=block["id"], name=block["name"], arguments=answer.arguments(at))
            for at, block in blocks.items()
            if block["type"] == "tool_use"
        ]
        native = ""
        if any(block["type"] in ("thinking", "redacted_thinking") for block in blocks.values()):
            record = [
                block | {"input": _object(answer.arguments(at))} if block["type"] == "tool_use" else block
                for at, block in blocks.items()
            ]
            native = json.dumps({"by": self._signature, "blocks": record})
        return Completion.model_validate(
            {
                "text": "".join(block["text"] for block in blocks.values() if block["type"] == "text"),
                "calls": numbered(calls),
                "usage": answer.usage,
                "stop": _STOPS.get(answer.stop, "tools" if calls else "end"),
                "model": answer.model or self.model,
                "cost": cost,
                "native": native,
            }
        )

    @property
    def _signature(self) -> str:
        return f"anthropic {self.model}"


class _Answer:
    """An answer as its events put it together. Arguments stay the text that they are, malformed or not."""

    def __init__(self) -> None:
        self.blocks: dict[int, dict[str, Any]] = {}
        self.model = ""
        self.stop = ""
        self.input = 0
        self.output = 0
        self.ended = False
        self.speaking = False
        """The last piece was text for people."""
        self._pieces: dict[int, dict[str, list[str]]] = {}
        """By block and by what they make longer. Joined at the end: a text that is made longer piece by piece is copied
        as often."""

    @property
    def usage(self) -> Usage:
        """Tokens as Anthropic counted them."""
        return Usage(input=self.input, output=self.output)

    def take(self, event: dict[str, Any]) -> str:
        """Take one event; the text or arguments that it brought."""
        self.speaking = False
        match event["type"]:
            case "message_start":
                self.model = event["message"]["model"]
                self._count(event["message"].get("usage"))
            case "content_block_start":
                block = self.blocks[event["index"]] = event["content_block"]
                self._pieces[event["index"]] = {}
                self.speaking = block["type"] == "text"
                return str(block["text"]) if self.speaking else ""
            case "content_block_delta":
                return self._grow(event["index"], event["delta"])
            case "message_delta":
                self.stop = event["delta"].get("stop_reason") or ""
                self._count(event.get("usage"))
            case "message_stop":
                self.ended = bool(self.stop)
        return ""

    def whole(self) -> dict[int, dict[str, Any]]:
        """The blocks with all that came after each had begun, but for arguments."""
        return {
            at: block
            | {
                name: block.get(name, "") + "".join(pieces)
                for name, pieces in self._pieces[at].items()
                if name != "partial_json"
            }
            for at, block in self.blocks.items()
        }

    def arguments(self, at: int) -> str:
        """The arguments of the call in that block."""
        said = "".join(self._pieces[at].get("partial_json", ()))
        return said or json.dumps(self.blocks[at].get("input") or {})

    def _grow(self, at: int, delta: dict[str, Any]) -> str:
        kind = delta["type"]
        if kind not in _GROWS:
            return ""
        piece = str(delta[_GROWS[kind]])
        self._pieces[at].setdefault(_GROWS[kind], []).append(piece)
        self.speaking = kind == "text_delta"
        return "" if kind == "signature_delta" else piece

    def _count(self, usage: dict[str, Any] | None) -> None:
        """Take a count; gateways leave it out at times."""
        usage = usage or {}
        names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        self.input = max(self.input, sum(usage.get(name) or 0 for name in names))
        self.output = max(self.output, usage.get("output_tokens") or 0)


def _sdk() -> "Callable[[str, str], AsyncAnthropic]":
    """Makes a client of a key and an address. The first call loads the SDK, which takes a second."""
    from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient  # not before the first question

    verify = tls()
    return lambda key, address: AsyncAnthropic(
        api_key=key,
        base_url=address,
        max_retries=0,
        http_client=DefaultAsyncHttpxClient(verify=verify, follow_redirects=False),
    )


async def _posted(client: "AsyncAnthropic", request: dict[str, Any], seconds: float) -> "AsyncStream[Any]":
    """The events that answer a request, as plain JSON: see `agent.providers.openai.posted`."""
    from anthropic import AsyncStream  # loaded by now

    events = await client.post(
        "/v1/messages",
        body=request,
        cast_to=object,
        options={"timeout": _limits(seconds)},
        stream=True,
        stream_cls=AsyncStream[object],
    )
    return cast("AsyncStream[Any]", events)


def _limits(seconds: float) -> Any:
    from anthropic import Timeout  # loaded by now

    return Timeout(seconds, connect=CONNECT_SECONDS)


def _object(arguments: str) -> dict[str, Any]:
    """A call's arguments as the object that this interface insists on, also where they were malformed."""
    try:
        value = json.loads(arguments)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"INVALID_JSON": arguments}
