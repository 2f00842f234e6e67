"""Any server that speaks OpenAI's Chat Completions: a local model, a gateway, another vendor.

Chat Completions is what all of them speak. No key is needed; no model name either, where the server
lists what it has.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from agent.ports import ProviderFailed
from agent.providers.openai import limits, sdk
from agent.providers.wire import ANSWER_SECONDS, RETRIES, Vendor, answering, faults, numbered, patience
from agent.types import Completion, Message, Prices, ToolCall, ToolSpec, Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletion

_STOPS = {"length": "length", "content_filter": "refused"}


class Compatible:
    """A model behind an OpenAI-compatible address. Connects, and loads the SDK, at the first question."""

    def __init__(
        self,
        address: str,
        *,
        model: str = "",
        prices: Prices | None = None,
        key: SecretStr | None = None,
        vendor: Vendor | None = None,
    ) -> None:
        """Name the server.

        Args:
            address: Base address, with its `/v1` where it has one.
            model: Empty: the first that the server lists.
            prices: What its tokens cost; nothing for a model of one's own.
            key: For servers that want one.
            vendor: How to speak of it in errors; a local model by default.
        """
        self._named = model
        self.prices = prices or Prices()
        self._address = address
        self._key = key
        self._vendor = vendor or Vendor(
            f"The model at {address}", "OPENAI_API_KEY", "LOCAL_MODEL_URL", "LOCAL_MODEL"
        )
        self._client: AsyncOpenAI | None = None
        self._limit = "max_tokens"

    @property
    def model(self) -> str:
        """The model's name; `local` until the server has been asked for it."""
        return self._named or "local"

    async def complete(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec] = (), max_tokens: int = 4096
    ) -> Completion:
        """One whole answer; see `ModelProvider.complete`."""
        seconds = patience(max_tokens)
        async with answering(self._vendor, self.model, self._key, seconds):
            client = await self._connected()
            request = self._request(messages, tools)
            return self._completion(await self._create(client, request, max_tokens, seconds))

    async def stream(self, messages: Sequence[Message], max_tokens: int = 4096) -> AsyncGenerator[str, None]:
        """The answer's text in pieces; see `ModelProvider.stream`."""
        clock = asyncio.get_running_loop()
        deadline = clock.time() + patience(max_tokens)
        with faults(self._vendor, self.model, self._key):
            client = await self._connected()
            request = self._request(messages, ()) | {"stream": True}
            chunks = await self._create(client, request, max_tokens, patience(max_tokens))
            ended = False
            async with chunks:
                async for chunk in chunks:
                    for choice in chunk.choices or ():
                        ended = ended or choice.finish_reason is not None
                        if choice.delta.content:
                            yield choice.delta.content
                    if clock.time() > deadline:
                        raise TimeoutError
            if not ended:
                raise ProviderFailed(
                    f"{self._vendor.name} broke off in the middle of its answer.", retryable=True
                )

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.close()

    async def _connected(self) -> "AsyncOpenAI":
        make = await asyncio.to_thread(sdk)
        if self._client is None:
            key = self._key.get_secret_value() if self._key else "none"
            self._client = make(api_key=key, base_url=self._address, max_retries=RETRIES)
        if not self._named:
            offered = (await self._client.models.list(timeout=limits(ANSWER_SECONDS))).data
            if not offered:
                raise ProviderFailed(f"{self._vendor.name} lists no model; set {self._vendor.model}.")
            self._named = offered[0].id
        return self._client

    async def _create(
        self, client: "AsyncOpenAI", request: dict[str, Any], max_tokens: int, seconds: float
    ) -> Any:
        """Ask, in the server's own word for the limit: old servers know only one, new models only the other."""
        from openai import BadRequestError

        # Which overload of the SDK's method is meant is decided by data here.
        ask: Any = client.chat.completions.create
        try:
            return await ask(**request, **{self._limit: max_tokens}, timeout=limits(seconds))
        except BadRequestError as error:
            if self._limit != "max_tokens" or "max_completion_tokens" not in str(error):
                raise
            self._limit = "max_completion_tokens"
        return await ask(**request, **{self._limit: max_tokens}, timeout=limits(seconds))

    def _request(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> dict[str, Any]:
        request: dict[str, Any] = {"model": self.model, "messages": [_plain(message) for message in messages]}
        if tools:
            request["tools"] = [{"type": "function", "function": tool.model_dump()} for tool in tools]
        return request

    def _completion(self, answer: "ChatCompletion") -> Completion:
        choice = answer.choices[0]
        calls = numbered(
            [
                ToolCall(id=call.id or "", name=call.function.name, arguments=call.function.arguments or "{}")
                for call in choice.message.tool_calls or ()
                if call.type == "function"
            ]
        )
        usage = Usage()
        if answer.usage is not None:
            usage = Usage(input=answer.usage.prompt_tokens, output=answer.usage.completion_tokens)
        stop = _STOPS.get(choice.finish_reason, "tools" if calls else "end")
        return Completion.model_validate(
            {
                "text": choice.message.content or choice.message.refusal or "",
                "calls": calls,
                "usage": usage,
                "stop": "refused" if choice.message.refusal else stop,
                "model": answer.model or self.model,
                "cost": self.prices.cost(usage),
            }
        )


def _plain(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id or "", "content": message.text}
    plain: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.calls:
        plain["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.calls
        ]
    return plain
