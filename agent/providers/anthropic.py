"""Claude over Anthropic's Messages interface.

Stateless: the whole conversation goes along each time. Claude's signed thinking must come back unchanged
and only to the model that thought it; it travels in `native`.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from agent.ports import ProviderFailed
from agent.providers.wire import CONNECT_SECONDS, RETRIES, Vendor, answering, faults, numbered, patience
from agent.types import Completion, Message, Prices, ToolCall, ToolSpec, Usage

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types import Message as Answer

ADDRESS = "https://api.anthropic.com"
_STOPS = {
    "tool_use": "tools",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refused",
}


class Anthropic:
    """A Claude model. Connects, and loads the SDK, at the first question."""

    def __init__(self, model: str, prices: Prices, key: SecretStr, address: str | None = None) -> None:
        self.model = model
        self.prices = prices
        self._key = key
        self._address = address or ADDRESS
        self._vendor = Vendor("Anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL")
        self._client: AsyncAnthropic | None = None

    async def complete(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec] = (), max_tokens: int = 4096
    ) -> Completion:
        """One whole answer; see `ModelProvider.complete`."""
        seconds = patience(max_tokens)
        request = self._request(messages, tools, max_tokens)
        async with answering(self._vendor, self.model, self._key, seconds):
            client = await self._connected()
            return self._completion(await client.messages.create(**request, timeout=_limits(seconds)))

    async def stream(self, messages: Sequence[Message], max_tokens: int = 4096) -> AsyncGenerator[str, None]:
        """The answer's text in pieces; see `ModelProvider.stream`."""
        clock = asyncio.get_running_loop()
        deadline = clock.time() + patience(max_tokens)
        request = self._request(messages, (), max_tokens)
        with faults(self._vendor, self.model, self._key):
            client = await self._connected()
            async with client.messages.stream(**request, timeout=_limits(patience(max_tokens))) as pieces:
                async for piece in pieces.text_stream:
                    yield piece
                    if clock.time() > deadline:
                        raise TimeoutError
                if pieces.current_message_snapshot.stop_reason is None:
                    raise ProviderFailed("Anthropic broke off in the middle of its answer.", retryable=True)

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.close()

    async def _connected(self) -> "AsyncAnthropic":
        make = await asyncio.to_thread(_sdk)
        if self._client is None:
            self._client = make(
                api_key=self._key.get_secret_value(), base_url=self._address, max_retries=RETRIES
            )
        return self._client

    def _request(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], max_tokens: int
    ) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.model,
            "max_tokens": max_tokens,
            "messages": self._turns(messages),
        }
        if system := "\n\n".join(message.text for message in messages if message.role == "system"):
            request["system"] = system
        if tools:
            request["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
                for tool in tools
            ]
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
        return blocks + [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": _object(call.arguments)}
            for call in message.calls
        ]

    def _completion(self, answer: "Answer") -> Completion:
        text = "".join(block.text for block in answer.content if block.type == "text")
        calls = [
            ToolCall(id=block.id, name=block.name, arguments=json.dumps(block.input))
            for block in answer.content
            if block.type == "tool_use"
        ]
        counted = answer.usage
        cached = (counted.cache_creation_input_tokens or 0) + (counted.cache_read_input_tokens or 0)
        usage = Usage(input=counted.input_tokens + cached, output=counted.output_tokens)
        native = ""
        if any(block.type in ("thinking", "redacted_thinking") for block in answer.content):
            blocks = [block.model_dump(mode="json", exclude_unset=True) for block in answer.content]
            native = json.dumps({"by": self._signature, "blocks": blocks})
        return Completion.model_validate(
            {
                "text": text,
                "calls": numbered(calls),
                "usage": usage,
                "stop": _STOPS.get(answer.stop_reason or "", "end"),
                "model": answer.model,
                "cost": self.prices.cost(usage),
                "native": native,
            }
        )

    @property
    def _signature(self) -> str:
        return f"anthropic {self.model}"


def _sdk() -> "type[AsyncAnthropic]":
    from anthropic import AsyncAnthropic  # takes a second: not before the first question

    return AsyncAnthropic


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
