"""OpenAI's own models, over the Responses interface.

Why not Chat Completions: the current reasoning models refuse function tools there. Stateless: nothing is
stored at the vendor (`store=False`), the whole conversation goes along each time, and the encrypted
reasoning that belongs to tool calls travels back in `native`.
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
    from openai import AsyncOpenAI
    from openai.types.responses import Response

ADDRESS = "https://api.openai.com/v1"


class OpenAI:
    """One of OpenAI's models. Connects, and loads the SDK, at the first question."""

    def __init__(self, model: str, prices: Prices, key: SecretStr, address: str | None = None) -> None:
        self.model = model
        self.prices = prices
        self._key = key
        self._address = address or ADDRESS
        self._vendor = Vendor("OpenAI", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL")
        self._client: AsyncOpenAI | None = None

    async def complete(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec] = (), max_tokens: int = 4096
    ) -> Completion:
        """One whole answer; see `ModelProvider.complete`."""
        seconds = patience(max_tokens)
        request = self._request(messages, tools, max_tokens)
        async with answering(self._vendor, self.model, self._key, seconds):
            client = await self._connected()
            return self._completion(await client.responses.create(**request, timeout=limits(seconds)))

    async def stream(self, messages: Sequence[Message], max_tokens: int = 4096) -> AsyncGenerator[str, None]:
        """The answer's text in pieces; see `ModelProvider.stream`."""
        clock = asyncio.get_running_loop()
        deadline = clock.time() + patience(max_tokens)
        request = self._request(messages, (), max_tokens)
        with faults(self._vendor, self.model, self._key):
            client = await self._connected()
            events = await client.responses.create(
                **request, stream=True, timeout=limits(patience(max_tokens))
            )
            async with events:
                async for event in events:
                    if event.type in ("response.output_text.delta", "response.refusal.delta"):
                        yield event.delta
                    if event.type in ("response.completed", "response.incomplete"):
                        return
                    if event.type in ("response.failed", "error"):
                        raise ProviderFailed("OpenAI could not finish its answer; try again.", retryable=True)
                    if clock.time() > deadline:
                        raise TimeoutError
            raise ProviderFailed("OpenAI broke off in the middle of its answer.", retryable=True)

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.close()

    async def _connected(self) -> "AsyncOpenAI":
        make = await asyncio.to_thread(sdk)
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
            "input": [item for message in messages for item in self._items(message)],
            "max_output_tokens": max_tokens,
            "store": False,
        }
        if system := "\n\n".join(message.text for message in messages if message.role == "system"):
            request["instructions"] = system
        if tools:
            # Strict schemas know no optional fields; what comes back is validated here anyway.
            request["tools"] = [{"type": "function", **tool.model_dump(), "strict": False} for tool in tools]
        return request

    def _items(self, message: Message) -> list[dict[str, Any]]:
        if message.role == "system":
            return []
        if message.role == "user":
            return [{"role": "user", "content": message.text}]
        if message.role == "tool":
            return [
                {"type": "function_call_output", "call_id": message.call_id or "", "output": message.text}
            ]
        if message.native:
            record = json.loads(message.native)
            if record.get("by") == self._signature:
                return list(record["items"])
        items: list[dict[str, Any]] = [{"role": "assistant", "content": message.text}] if message.text else []
        return items + [
            {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
            for call in message.calls
        ]

    def _completion(self, answer: "Response") -> Completion:
        if answer.status == "failed" or answer.error is not None:
            raise ProviderFailed("OpenAI could not finish its answer; try again.", retryable=True)
        calls = numbered(
            [
                ToolCall(id=item.call_id, name=item.name, arguments=item.arguments)
                for item in answer.output
                if item.type == "function_call"
            ]
        )
        parts = [part for item in answer.output if item.type == "message" for part in item.content]
        refused = any(part.type == "refusal" for part in parts)
        usage = Usage()
        if answer.usage is not None:
            usage = Usage(input=answer.usage.input_tokens, output=answer.usage.output_tokens)
        native = ""
        if any(item.type == "reasoning" for item in answer.output):
            items = [item.model_dump(mode="json", exclude_none=True) for item in answer.output]
            native = json.dumps({"by": self._signature, "items": items})
        stop = "tools" if calls else "end"
        if answer.status == "incomplete":
            reason = answer.incomplete_details.reason if answer.incomplete_details else None
            stop = "refused" if reason == "content_filter" else "length"
        return Completion.model_validate(
            {
                "text": "".join(part.text if part.type == "output_text" else part.refusal for part in parts),
                "calls": calls,
                "usage": usage,
                "stop": "refused" if refused else stop,
                "model": answer.model,
                "cost": self.prices.cost(usage),
                "native": native,
            }
        )

    @property
    def _signature(self) -> str:
        return f"openai {self.model}"


def sdk() -> "type[AsyncOpenAI]":
    """The SDK's client class; the first call loads the SDK, which takes a second."""
    from openai import AsyncOpenAI  # not before the first question

    return AsyncOpenAI


def limits(seconds: float) -> Any:
    """The SDK's own time limits for one attempt."""
    from openai import Timeout  # loaded by now

    return Timeout(seconds, connect=CONNECT_SECONDS)
