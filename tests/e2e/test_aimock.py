"""Our providers, with the real SDKs in them, against a stand-in for vendors' interfaces that others wrote."""

import asyncio
import json
import re
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from agent.models.offers import Offer
from agent.models.router import Router
from agent.ports import ModelProvider, ProviderFailed
from agent.providers.anthropic import Anthropic
from agent.providers.compatible import Compatible
from agent.providers.openai import OpenAI
from agent.types import Ask, Completion, Message, Needs
from tests.fakes.models import ASK, KEY, PRICES, TALK, WEATHER, with_tools
from tests.fakes.node import MISSING, MODULES, node

pytestmark = pytest.mark.skipif(node() is None, reason=MISSING)

CLI = MODULES / "@copilotkit" / "aimock" / "dist" / "cli.js"
LONG = "It is cold, it will stay so, and there is nothing that anybody here can do about that."
FIXTURES: list[dict[str, Any]] = [
    {
        "match": {"userMessage": "weather", "hasToolResult": False},
        "response": {"toolCalls": [{"name": "weather", "arguments": '{"town": "Oslo"}'}]},
    },
    {"match": {"userMessage": "weather", "hasToolResult": True}, "response": {"content": "Minus three."}},
    {
        "match": {"userMessage": "both", "hasToolResult": False},
        "response": {
            "toolCalls": [
                {"name": "weather", "arguments": '{"town": "Oslo"}'},
                {"name": "weather", "arguments": '{"town": "Rome"}'},
            ]
        },
    },
    {"match": {"userMessage": "both", "hasToolResult": True}, "response": {"content": "Cold and warm."}},
    {"match": {"userMessage": "How is Oslo?"}, "response": {"content": LONG}},
]
Make = Callable[[str], ModelProvider]
MAKES: dict[str, Make] = {
    "openai": lambda url: OpenAI("gpt-6.1-sol", PRICES, SecretStr(KEY), f"{url}/v1"),
    "compatible": lambda url: Compatible(f"{url}/v1", model="gpt-6-sol", prices=PRICES, key=SecretStr(KEY)),
    "anthropic": lambda url: Anthropic("claude-sonnet-5-5", PRICES, SecretStr(KEY), url),
}
every_provider = pytest.mark.parametrize("kind", list(MAKES))


@asynccontextmanager
async def serving(folder: Path, *options: str) -> AsyncIterator[str]:
    """The stand-in on a port of its own choice; gives its address."""
    file = folder / "fixtures.json"
    file.write_text(json.dumps({"fixtures": FIXTURES}))
    process = await asyncio.create_subprocess_exec(
        *(str(node()), str(CLI), "--port", "0", "--fixtures", str(file), "--strict", *options),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield await _address(process)
    finally:
        process.kill()
        await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(60):
        while line := (await process.stdout.readline()).decode():
            said += line
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                return found[0]
    raise AssertionError(said)


@asynccontextmanager
async def opened(kind: str, folder: Path, *options: str) -> AsyncIterator[tuple[ModelProvider, str]]:
    async with serving(folder, *options) as url:
        provider = MAKES[kind](url)
        try:
            yield provider, url
        finally:
            await provider.close()


def asked(text: str, *more: Message) -> Ask:
    return Ask(messages=(Message(role="user", text=text), *more), tools=(WEATHER,))


@every_provider
async def test_it_chats_and_streams(kind: str, tmp_path: Path) -> None:
    """Over each vendor's wire an answer comes in pieces that are the whole, with an end and a model."""
    async with opened(kind, tmp_path) as (provider, _):
        *pieces, last = [piece async for piece in provider.stream(ASK)]
    assert isinstance(last, Completion)
    assert len(pieces) > 1
    assert "".join(map(str, pieces)) == last.text == LONG
    assert (last.stop, bool(last.model)) == ("end", True)
    assert last.cost > 0


@every_provider
@pytest.mark.parametrize(("wish", "towns"), [("weather", ["Oslo"]), ("both", ["Oslo", "Rome"])])
async def test_calls_and_their_results_go_round(
    kind: str, wish: str, towns: list[str], tmp_path: Path
) -> None:
    """A tool is called, one or two at once, and what it said leads to the answer."""
    async with opened(kind, tmp_path) as (provider, url):
        first = await provider.complete(asked(wish))
        assert [json.loads(call.arguments)["town"] for call in first.calls] == towns
        assert {call.name for call in first.calls} == {"weather"}
        assert first.stop == "tools"
        results = [Message(role="tool", text="-3", call_id=call.id) for call in first.calls]
        last = await provider.complete(asked(wish, first.message, *results))
        assert last.text in ("Minus three.", "Cold and warm.")
        async with aiohttp.ClientSession() as session, session.get(f"{url}/__aimock/journal") as answer:
            journal = await answer.text()
    assert KEY not in journal
    path = {"openai": "/v1/responses", "compatible": "/v1/chat/completions", "anthropic": "/v1/messages"}
    assert journal.count(path[kind]) >= 2


@every_provider
async def test_a_question_that_nobody_foresaw_is_a_sentence(kind: str, tmp_path: Path) -> None:
    """What the stand-in does not know it refuses, and that comes out as a failure for people."""
    ask = Ask(messages=(Message(role="user", text="Something else?"),))
    async with opened(kind, tmp_path) as (provider, _):
        with pytest.raises(ProviderFailed, match=r"^[A-Z].*\S$") as failure:
            await provider.complete(ask)
    assert KEY not in str(failure.value)


@every_provider
async def test_the_router_comes_through_a_limit_of_rates(kind: str, tmp_path: Path) -> None:
    """Refused twice with 429, a question is asked again, no sooner than it was told, and answered the third time."""
    slept: list[float] = []
    async with opened(kind, tmp_path, "--chaos-ratelimit", "1") as (provider, url):

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 2:
                calm = {"rateLimitRate": 0}
                async with aiohttp.ClientSession() as session:
                    await session.post(f"{url}/__aimock/chaos", json=calm)

        with pytest.raises(ProviderFailed, match="takes no more requests") as refused:
            await provider.complete(ASK)
        router = Router([Offer(kind, provider)], sleep=sleep)
        pieces = [piece async for piece in router.stream(ASK, Needs())]
    assert isinstance(pieces[-1], Completion)
    assert pieces[-1].text == LONG
    assert len(slept) == 2
    assert refused.value.retry_after is not None
    assert min(slept) >= refused.value.retry_after > 0


@every_provider
@pytest.mark.parametrize("chaos", ["--chaos-drop", "--chaos-malformed", "--chaos-disconnect"])
async def test_what_breaks_is_a_failure_and_never_half_an_answer(
    kind: str, chaos: str, tmp_path: Path
) -> None:
    """An error, an answer that is no JSON and a connection that is torn each end as the port says."""
    async with opened(kind, tmp_path, chaos, "1") as (provider, _):
        with pytest.raises(ProviderFailed, match=r"^[A-Z].*\S$"):
            await provider.complete(with_tools())
        with pytest.raises(ProviderFailed):
            assert [piece async for piece in provider.stream(Ask(messages=TALK))] == []


async def test_one_vendor_stands_in_for_another_that_is_broken(tmp_path: Path) -> None:
    """While the first tears every connection the second answers, and the route says for whom it stands in."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with (
        opened("openai", tmp_path / "a", "--chaos-disconnect", "1") as (broken, _),
        opened("anthropic", tmp_path / "b") as (sound, _),
    ):
        router = Router([Offer("openai", broken), Offer("anthropic", sound)])
        pieces = [piece async for piece in router.stream(ASK, Needs())]
    assert isinstance(pieces[-1], Completion)
    assert pieces[-1].text == LONG
    assert "stands in for openai" in router.why()[0].why
