"""Claude over Anthropic's Messages interface.

Stateless: the whole conversation goes along each time. Claude's signed thinking must come back unchanged
and only to the model that thought it; it travels in `native`.
"""

import asyncio
import json
import warnings
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

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
    from anthropic import AsyncAnthropic
    from anthropic.types import MessageDeltaUsage, RawContentBlockDelta, RawMessageStreamEvent
    from anthropic.types import Usage as Counted

ADDRESS = "https://api.anthropic.com"
_STOPS = {
    "tool_use": "tools",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refused",
}
_CHOICES = {"none": {"type": "none"}, "required": {"type": "any"}}


class Anthropic:
    """A Claude model. Connects, and loads the SDK, at the first question."""

    def __init__(self, model: str, prices: Prices, key: SecretStr, address: str | None = None) -> None:
        self.model = model
        self.prices = prices
        self._key = key
        self._address = address or ADDRESS
        self._vendor = Vendor("Anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL")
        self._client: AsyncAnthropic | None = None

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Completion, None]:
        """The answer in pieces, then whole; see `ModelProvider.stream`."""
        deadline = due(ask)
        with faults(self._vendor, self.model, self._key, ask, self.prices) as measure:
            request = self._request(ask)
            async with asyncio.timeout_at(deadline):
                client = await self._connected()
                events = await client.messages.create(**request, stream=True, timeout=_limits(patience(ask)))
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
        if self._client is not None:
            await self._client.close()

    async def _connected(self) -> "AsyncAnthropic":
        make = await asyncio.to_thread(_sdk)
        if self._client is None:
            # Which models end is told once, by models.toml; the SDK would tell it at each request.
            warnings.filterwarnings("ignore", r"The model '.*' is deprecated", DeprecationWarning)
            self._client = make(self._key.get_secret_value(), self._address)
        return self._client

    def _request(self, ask: Ask) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.model,
            "max_tokens": ask.max_tokens,
            "messages": self._turns(ask.messages),
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
        blocks = answer.blocks
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
                "stop": _STOPS.get(answer.stop, "end"),
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
        self._pieces: dict[int, list[str]] = {}

    @property
    def usage(self) -> Usage:
        """Tokens as Anthropic counted them."""
        return Usage(input=self.input, output=self.output)

    def take(self, event: "RawMessageStreamEvent") -> str:
        """Take one event; the text or arguments that it brought."""
        self.speaking = False
        match event.type:
            case "message_start":
                self.model = event.message.model
                self._count(event.message.usage)
            case "content_block_start":
                block = event.content_block.model_dump(mode="json", exclude_unset=True)
                self.blocks[event.index] = block
                self.speaking = block["type"] == "text"
                return str(block["text"]) if self.speaking else ""
            case "content_block_delta":
                return self._grow(event.index, event.delta)
            case "message_delta":
                self.stop = event.delta.stop_reason or ""
                self._count(event.usage)
            case "message_stop":
                self.ended = bool(self.stop)
        return ""

    def arguments(self, at: int) -> str:
        """The arguments of the call in that block."""
        return "".join(self._pieces.get(at, ())) or json.dumps(self.blocks[at].get("input") or {})

    def _grow(self, at: int, delta: "RawContentBlockDelta") -> str:
        block = self.blocks[at]
        match delta.type:
            case "text_delta":
                self.speaking = True
                block["text"] += delta.text
                return delta.text
            case "input_json_delta":
                self._pieces.setdefault(at, []).append(delta.partial_json)
                return delta.partial_json
            case "thinking_delta":
                block["thinking"] += delta.thinking
                return delta.thinking
            case "signature_delta":
                block["signature"] = block.get("signature", "") + delta.signature
        return ""

    def _count(self, usage: "Counted | MessageDeltaUsage") -> None:
        cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        self.input = max(self.input, (usage.input_tokens or 0) + cached)
        self.output = max(self.output, usage.output_tokens)


def _sdk() -> "Callable[[str, str], AsyncAnthropic]":
    """Makes a client of a key and an address. The first call loads the SDK, which takes a second."""
    from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient  # not before the first question

    verify = tls()
    return lambda key, address: AsyncAnthropic(
        api_key=key, base_url=address, max_retries=0, http_client=DefaultAsyncHttpxClient(verify=verify)
    )


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
