"""OpenAI's own models, over the Responses interface.

Why not Chat Completions: the current reasoning models refuse function tools there. Stateless: nothing is
stored at the vendor (`store=False`), the whole conversation goes along each time, and the encrypted
reasoning that belongs to tool calls travels back in `native`.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any, cast

from pydantic import SecretStr

from agent.providers.connection import Connection
from agent.providers.wire import (
    CONNECT_SECONDS,
    Until,
    Vendor,
    arguments_of,
    broke_off,
    counted,
    data_url,
    due,
    faults,
    numbered,
    on_this_machine,
    patience,
    price,
    tls,
    unfinished,
    whole,
)
from agent.types import Ask, Completion, Message, Prices, ToolCall

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream

ADDRESS = "https://api.openai.com/v1"


class OpenAI:
    """One of OpenAI's models. Connects, and loads the SDK, at the first question."""

    def __init__(self, model: str, prices: Prices, key: SecretStr, address: str | None = None) -> None:
        self.model = model
        self.prices = prices
        self._key = key
        self._vendor = Vendor("OpenAI", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL")
        self._connection = Connection(sdk, key, address or ADDRESS)

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Completion, None]:
        """The answer in pieces, then whole; see `ModelProvider.stream`."""
        deadline = due(ask)
        with faults(self._vendor, self.model, self._key, ask, self.prices) as measure:
            request = self._request(ask)
            async with asyncio.timeout_at(deadline):
                client = await self._connection.client()
                events = await posted(client, "/responses", request, patience(ask))
            said = False
            async with events:
                async for event in Until(aiter(events), deadline):
                    kind = event["type"]
                    if kind in ("response.output_text.delta", "response.refusal.delta"):
                        said = True
                        yield measure.take(event["delta"])
                    elif kind == "response.function_call_arguments.delta":
                        measure.take(event["delta"])
                    elif kind in ("response.completed", "response.incomplete", "response.failed"):
                        completion = self._completion(event["response"], ask)
                        if completion.text and not said:
                            yield completion.text
                        yield completion
                        return
                    elif kind == "error":
                        raise unfinished(self._vendor)
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
            "input": [item for message in ask.messages for item in self._items(message)],
            "max_output_tokens": ask.max_tokens,
            "store": False,
            "stream": True,
        }
        if system := "\n\n".join(message.text for message in ask.messages if message.role == "system"):
            request["instructions"] = system
        if ask.tools:
            # Strict schemas know no optional fields; what comes back is validated here anyway.
            request["tools"] = [{"type": "function", **dict(tool), "strict": False} for tool in ask.tools]
            if ask.choice != "auto":
                named = {"type": "function", "name": ask.choice}
                request["tool_choice"] = ask.choice if ask.choice in ("none", "required") else named
        if ask.format:
            shape = {"type": "json_schema", "name": "answer", "schema": ask.format, "strict": False}
            request["text"] = {"format": shape}
        return request

    def _items(self, message: Message) -> list[dict[str, Any]]:
        if message.role == "system":
            return []
        if message.role == "user":
            if not message.images:
                return [{"role": "user", "content": message.text}]
            parts = [{"type": "input_text", "text": message.text}] if message.text else []
            parts += [
                {"type": "input_image", "image_url": data_url(image), "detail": "auto"}
                for image in message.images
            ]
            return [{"role": "user", "content": parts}]
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

    def _completion(self, answer: dict[str, Any], ask: Ask) -> Completion:
        if answer.get("status") == "failed" or answer.get("error") is not None:
            raise unfinished(self._vendor)
        output = answer["output"]
        calls = numbered(
            [
                ToolCall(id=item["call_id"], name=item["name"], arguments=arguments_of(item.get("arguments")))
                for item in output
                if item["type"] == "function_call"
            ]
        )
        said = [part for item in output if item["type"] == "message" for part in item["content"]]
        parts = [part for part in said if part["type"] in ("output_text", "refusal")]
        refused = any(part["type"] == "refusal" for part in parts)
        told = answer.get("usage") or {}
        usage = counted(told.get("input_tokens"), told.get("output_tokens"))
        text = "".join(part["text"] if part["type"] == "output_text" else part["refusal"] for part in parts)
        written = len(text) + sum(len(call.arguments) for call in calls)
        native = ""
        if any(item["type"] == "reasoning" for item in output):
            native = json.dumps({"by": self._signature, "items": _without_nulls(output)})
        stop = "tools" if calls else "end"
        if answer.get("status") == "incomplete":
            reason = (answer.get("incomplete_details") or {}).get("reason")
            stop = "refused" if reason == "content_filter" else "length"
        return Completion.model_validate(
            {
                "text": text,
                "calls": calls,
                "usage": usage,
                "stop": "refused" if refused else stop,
                "model": answer["model"],
                "cost": price(self.prices, usage, ask, written),
                "native": native,
            }
        )

    @property
    def _signature(self) -> str:
        return f"openai {self.model}"


def sdk() -> "Callable[[str, str], AsyncOpenAI]":
    """Makes a client of a key and an address. The first call loads the SDK, which takes a second."""
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient  # not before the first question

    verify = tls()

    def make(key: str, address: str) -> "AsyncOpenAI":
        # What is said to a model on this machine goes to it alone: no proxy that the environment names is asked.
        client = DefaultAsyncHttpxClient(
            verify=verify, trust_env=not on_this_machine(address), follow_redirects=False
        )
        return AsyncOpenAI(api_key=key, base_url=address, max_retries=0, http_client=client)

    return make


async def posted(
    client: "AsyncOpenAI", path: str, request: dict[str, Any], seconds: float
) -> "AsyncStream[Any]":
    """The events that answer a request, as plain JSON.

    The SDK's own methods make a typed object of each event and look through every part of the request for what they
    might have to rename; that takes longer than everything else in a turn, and is for those who use the types.
    """
    from openai import AsyncStream  # loaded by now

    events = await client.post(
        path,
        body=request,
        cast_to=object,
        # As the SDK's own methods have it: an organisation's key in the environment is not for this.
        options={"timeout": limits(seconds), "security": {"bearer_auth": True}},
        stream=True,
        stream_cls=AsyncStream[object],
    )
    return cast("AsyncStream[Any]", events)


def _without_nulls(value: Any) -> Any:
    """The same without what is not set: what comes in as null is not always taken so."""
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


def limits(seconds: float) -> Any:
    """The SDK's own time limits for one attempt."""
    from openai import Timeout  # loaded by now

    return Timeout(seconds, connect=CONNECT_SECONDS)
