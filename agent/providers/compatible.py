"""Any server that speaks OpenAI's Chat Completions: a local model, a gateway, another vendor.

Chat Completions is what all of them speak. No key is needed; no model name either, where the server
lists what it has.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from agent.ports import ProviderFailed
from agent.providers.connection import Connection
from agent.providers.openai import limits, posted, sdk
from agent.providers.wire import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    Measure,
    Until,
    Vendor,
    arguments_of,
    bare,
    broke_off,
    counted,
    data_url,
    due,
    faults,
    no_model,
    numbered,
    patience,
    price,
    unfinished,
    whole,
)
from agent.types import Ask, Completion, Message, Prices, ToolCall, Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream

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
            f"The model at {bare(address)}", "OPENAI_API_KEY", "LOCAL_MODEL_URL", "LOCAL_MODEL"
        )
        self._connection = Connection(sdk, key or SecretStr("none"), address)
        self._limit = "max_tokens"
        self._counts = True
        """It may be asked to count tokens at the end of a stream."""

    @property
    def model(self) -> str:
        """The model's name; `local` until the server has been asked for it."""
        return self._named or "local"

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Completion, None]:
        """The answer in pieces, then whole; see `ModelProvider.stream`."""
        deadline = due(ask)
        with faults(self._vendor, self.model, self._key, ask, self.prices) as measure:
            async with asyncio.timeout_at(deadline):
                client = await self._connected()
                chunks = await self._create(client, ask)
            answer = _Answer()
            async with chunks:
                async for chunk in Until(aiter(chunks), deadline):
                    if piece := answer.take(chunk, measure):
                        yield piece
            if not answer.begun:
                if "html" in chunks.response.headers.get("content-type", ""):
                    raise no_model(self._vendor, retryable=True)  # a gateway in trouble sends such pages
                raise ProviderFailed(f"{self._vendor.name} gave an empty answer; ask again.", retryable=True)
            if not answer.finish:
                raise broke_off(self._vendor)
            if answer.finish == "error":
                raise unfinished(self._vendor)
            yield self._completion(answer, price(self.prices, answer.usage, ask, measure.chars))

    async def complete(self, ask: Ask) -> Completion:
        """One whole answer; see `ModelProvider.complete`."""
        return await whole(self.stream(ask))

    def other(self, model: str, prices: Prices) -> "Compatible":
        """Another model behind the same address, over the same connections: closing either closes both."""
        other = Compatible(self._address, model=model, prices=prices, key=self._key, vendor=self._vendor)
        other._connection = self._connection
        return other

    async def described(self) -> dict[str, Any]:
        """What the server's list says of this model, as it says it; empty where it is not listed.

        Raises:
            ProviderFailed: The list cannot be had.
        """
        ask = Ask(messages=(), seconds=CONNECT_SECONDS)
        with faults(self._vendor, self.model, self._key, ask, self.prices):
            async with asyncio.timeout(patience(ask)):
                client = await self._connected()
                listed = await client.models.list(timeout=limits(CONNECT_SECONDS))
            return next((dict(one.model_dump()) for one in listed.data if one.id == self._named), {})

    async def close(self) -> None:
        """Let go of connections."""
        await self._connection.close()

    async def _connected(self) -> "AsyncOpenAI":
        client = await self._connection.client()
        if not self._named:
            offered = (await client.models.list(timeout=limits(ANSWER_SECONDS))).data
            if not offered:
                raise ProviderFailed(f"{self._vendor.name} lists no model; set {self._vendor.model}.")
            self._named = offered[0].id
        return client

    async def _create(self, client: "AsyncOpenAI", ask: Ask) -> "AsyncStream[Any]":
        """Ask, in the server's own words: what it says it does not know is left out, from then on."""
        from openai import BadRequestError, UnprocessableEntityError

        for _ in range(3):
            try:
                return await posted(client, "/chat/completions", self._request(ask), patience(ask))
            except (BadRequestError, UnprocessableEntityError) as error:
                if self._limit == "max_tokens" and "max_completion_tokens" in str(error):
                    self._limit = "max_completion_tokens"
                elif self._counts and "stream_options" in str(error):
                    self._counts = False
                else:
                    raise
        raise ProviderFailed(f"{self._vendor.name} does not take our requests; check {self._vendor.url}.")

    def _request(self, ask: Ask) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.model,
            "messages": [_plain(message) for message in ask.messages],
            "stream": True,
            self._limit: ask.max_tokens,
        }
        if self._counts:
            request["stream_options"] = {"include_usage": True}
        if ask.tools:
            request["tools"] = [{"type": "function", "function": dict(tool)} for tool in ask.tools]
            if ask.choice != "auto":
                named = {"type": "function", "function": {"name": ask.choice}}
                request["tool_choice"] = ask.choice if ask.choice in ("none", "required") else named
        if ask.format:
            shape = {"name": "answer", "schema": ask.format}
            request["response_format"] = {"type": "json_schema", "json_schema": shape}
        return request

    def _completion(self, answer: "_Answer", cost: float) -> Completion:
        calls = numbered(answer.calls)
        stop = _STOPS.get(answer.finish, "tools" if calls else "end")
        return Completion.model_validate(
            {
                "text": answer.text,
                "calls": calls,
                "usage": answer.usage,
                "stop": "refused" if answer.refused else stop,
                "model": answer.model or self.model,
                "cost": cost,
            }
        )


class _Answer:
    """An answer as its chunks put it together."""

    def __init__(self) -> None:
        self.begun = False
        self.finish = ""
        self.refused = False
        self.model = ""
        self.usage = Usage()
        self._text: list[str] = []
        self._calls: list[tuple[int | None, str, str, list[str]]] = []

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._text)

    @property
    def calls(self) -> list[ToolCall]:
        """The calls so far."""
        return [
            ToolCall(id=identity, name=name, arguments="".join(pieces) or "{}")
            for _, identity, name, pieces in self._calls
        ]

    def take(self, chunk: dict[str, Any], measure: Measure) -> str:
        """Take one chunk; the text that it brought."""
        self.model = chunk.get("model") or self.model
        if told := chunk.get("usage"):
            self.usage = counted(told.get("prompt_tokens"), told.get("completion_tokens"))
        said = ""
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue  # one of several answers, of which nobody asked for more than the first
            self.begun = True
            self.finish = choice.get("finish_reason") or self.finish
            # Some servers end without one, and some send all at once.
            delta = choice.get("delta") or choice.get("message") or {}
            self.refused = self.refused or bool(delta.get("refusal"))
            said = measure.take(delta.get("content") or delta.get("refusal") or "")
            self._text.append(said)
            for part in delta.get("tool_calls") or ():
                self._grow(part, measure)
        return said

    def _grow(self, part: dict[str, Any], measure: Measure) -> None:
        """Some servers send each call whole and all under one index; a new name under it begins a new call."""
        function = part.get("function") or {}
        identity, name = part.get("id") or "", function.get("name") or ""
        arguments = measure.take(arguments_of(function.get("arguments") or ""))
        known = [call for call in self._calls if call[0] == part.get("index")]
        if known and not (name and identity and known[-1][1] != identity):
            known[-1][3].append(arguments)
        else:
            self._calls.append((part.get("index"), identity, name, [arguments]))


def _plain(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id or "", "content": message.text}
    plain: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.images:
        plain["content"] = [{"type": "text", "text": message.text}] if message.text else []
        plain["content"] += [
            {"type": "image_url", "image_url": {"url": data_url(image)}} for image in message.images
        ]
    if message.calls:
        plain["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.calls
        ]
    return plain
