"""Which models are asked, in which order: one table, from the settings that are there.

Nothing here connects or loads an SDK; that happens at the first question.
"""

import functools
import tomllib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from agent.ports import ModelProvider, ProviderFailed
from agent.providers.anthropic import Anthropic
from agent.providers.compatible import Compatible
from agent.providers.openai import OpenAI
from agent.providers.wire import Vendor
from agent.types import Completion, Message, Prices, ToolSpec

_TABLE = Path(__file__).with_name("models.toml")


class Keys(BaseModel):
    """What the settings say about models. An empty text counts as not set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    openai_model: str | None = None
    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str | None = None
    anthropic_model: str | None = None
    local_model_url: str | None = None
    local_model: str | None = None


class _Defaults(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    openai: str
    anthropic: str


class Models(BaseModel):
    """`models.toml`: which model is asked unless a setting names one, and what is known of prices."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    defaults: _Defaults
    prices: dict[str, Prices]

    def price(self, model: str) -> Prices:
        """What a model's tokens cost; a dated name (`gpt-6-sol-2026-09-22`) costs what its family does."""
        families = [name for name in self.prices if model == name or model.startswith(f"{name}-20")]
        return self.prices[max(families, key=len)] if families else Prices()


@functools.cache
def models() -> Models:
    """The table of models, read once."""
    return Models.model_validate(tomllib.loads(_TABLE.read_text(encoding="utf-8")))


def choose(keys: Keys) -> list[ModelProvider]:
    """Every model that the settings give access to, the one to ask first in front.

    | set                                    | asked                                             |
    |----------------------------------------|---------------------------------------------------|
    | LOCAL_MODEL_URL                        | that server, over Chat Completions                |
    | ANTHROPIC_API_KEY                      | Anthropic (at ANTHROPIC_BASE_URL), over Messages  |
    | OPENAI_API_KEY                         | OpenAI, over Responses                            |
    | OPENAI_BASE_URL at another host        | that server, over Chat Completions, key or no key |

    One's own server comes first: whoever runs one wants it used, and it costs nothing.
    """
    table = models()
    chosen: list[ModelProvider] = []
    if keys.local_model_url:
        chosen.append(Compatible(keys.local_model_url, model=keys.local_model or ""))
    if _given(keys.anthropic_api_key):
        model = keys.anthropic_model or table.defaults.anthropic
        key = cast("SecretStr", keys.anthropic_api_key)
        chosen.append(Anthropic(model, table.price(model), key, keys.anthropic_base_url or None))
    model = keys.openai_model or table.defaults.openai
    if keys.openai_base_url and not _official(keys.openai_base_url):
        vendor = Vendor(
            f"The model at {_bare(keys.openai_base_url)}", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"
        )
        chosen.append(
            Compatible(
                keys.openai_base_url,
                model=model,
                prices=table.price(model),
                key=keys.openai_api_key if _given(keys.openai_api_key) else None,
                vendor=vendor,
            )
        )
    elif _given(keys.openai_api_key):
        key = cast("SecretStr", keys.openai_api_key)
        chosen.append(OpenAI(model, table.price(model), key, keys.openai_base_url or None))
    return chosen


def missing(keys: Keys) -> str | None:
    """Why no model can be asked, and what works without one; None where one can."""
    if choose(keys):
        return None
    return (
        "No language model is set up: set OPENAI_API_KEY, ANTHROPIC_API_KEY or LOCAL_MODEL_URL "
        "(in the environment or in .env) and start again. Without one, commands work (/help lists them), "
        "/improve without a goal finds improvements by itself, and edits by hand go through the same gate."
    )


def open_model(keys: Keys) -> ModelProvider | None:
    """The model to talk to, others standing in for it where there are more; None where there is none."""
    chosen = choose(keys)
    return chosen[0] if len(chosen) == 1 else Fallback(chosen) if chosen else None


class Fallback:
    """Asks the first provider, and the next one where it fails."""

    def __init__(self, providers: Sequence[ModelProvider]) -> None:
        self._providers = tuple(providers)

    @property
    def model(self) -> str:
        """The model that is asked first."""
        return self._providers[0].model

    @property
    def prices(self) -> Prices:
        """The dearest of each: what an answer costs at most, whoever gives it."""
        known = [provider.prices for provider in self._providers]
        return Prices(input=max(p.input for p in known), output=max(p.output for p in known))

    async def complete(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec] = (), max_tokens: int = 4096
    ) -> Completion:
        """One whole answer, from the first that gives one."""
        failures: list[ProviderFailed] = []
        for provider in self._providers:
            try:
                return await provider.complete(messages, tools, max_tokens)
            except ProviderFailed as failure:
                failures.append(failure)
        raise _all_failed(failures)

    async def stream(self, messages: Sequence[Message], max_tokens: int = 4096) -> AsyncGenerator[str, None]:
        """The answer in pieces. Once a piece is out, another provider's answer would not fit: failing is final."""
        failures: list[ProviderFailed] = []
        for provider in self._providers:
            begun = False
            try:
                async with aclosing(provider.stream(messages, max_tokens)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
            except ProviderFailed as failure:
                if begun:
                    raise
                failures.append(failure)
            else:
                return
        raise _all_failed(failures)

    async def close(self) -> None:
        """Close them all."""
        for provider in self._providers:
            await provider.close()


def _all_failed(failures: Sequence[ProviderFailed]) -> ProviderFailed:
    return ProviderFailed(
        " ".join(map(str, failures)), retryable=any(failure.retryable for failure in failures)
    )


def _given(key: SecretStr | None) -> bool:
    return key is not None and bool(key.get_secret_value().strip())


def _official(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    return host == "openai.com" or host.endswith(".openai.com")


def _bare(address: str) -> str:
    """An address without the user and password that it may carry."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
