"""Every kind of model provider, each with a script behind it: what the contract tests run over."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from agent.ports import ModelProvider
from agent.providers.anthropic import Anthropic
from agent.providers.compatible import Compatible
from agent.providers.openai import OpenAI
from agent.types import Ask, Message, Prices, ToolSpec
from tests.fakes.scripted import Script, ScriptedModel, Turn, Vendor, serving

KEY = "sk-proj-0123456789abcdefghij"
PRICES = Prices(input=2.0, output=10.0)

WEATHER = ToolSpec(
    name="weather",
    description="Tells the weather.",
    parameters={"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
)
TALK = (Message(role="system", text="Be brief."), Message(role="user", text="How is Oslo?"))
ASK = Ask(messages=TALK)


def with_tools(*more: Message, **changes: Any) -> Ask:
    """The question, with what was said after it and a tool at hand."""
    return Ask(messages=(*TALK, *more), tools=(WEATHER,), **changes)


WIRED: dict[str, tuple[Vendor, Callable[[str], ModelProvider]]] = {
    "openai": ("openai", lambda url: OpenAI("gpt-6.1-sol", PRICES, SecretStr(KEY), url)),
    "compatible": (
        "openai",
        lambda url: Compatible(url, model="some-model", prices=PRICES, key=SecretStr(KEY)),
    ),
    "anthropic": ("anthropic", lambda url: Anthropic("claude-sonnet-5-5", PRICES, SecretStr(KEY), url)),
}
EVERY = ["scripted", *WIRED]


@dataclass(frozen=True)
class Played:
    """A provider, and the script behind it."""

    provider: ModelProvider
    script: Script


@asynccontextmanager
async def opened(kind: str, *turns: Turn) -> AsyncIterator[Played]:
    """A provider of a kind whose model plays the turns; at the end no request was ill-formed."""
    if kind == "scripted":
        scripted = ScriptedModel(*turns, prices=PRICES)
        yield Played(scripted, scripted.script)
        return
    wire, make = WIRED[kind]
    script = Script(turns)
    async with serving(wire, script) as url:
        provider = make(url)
        try:
            yield Played(provider, script)
        finally:
            await provider.close()
    assert script.faults == []


async def streamed(provider: ModelProvider) -> list[str]:
    """All pieces of an answer."""
    return [piece async for piece in provider.stream(ASK) if isinstance(piece, str)]
