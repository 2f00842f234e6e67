"""The embedded model, with its real weights, through everything that a conversation goes through."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import aiohttp
import pytest
from pydantic import Field

from agent.chat.brain import Brain
from agent.incoming.wish import Wish
from agent.models.offers import Keys
from agent.models.router import Router
from agent.ports import ProviderFailed
from agent.providers.constrained import Constrained
from agent.providers.local import NAME, Local, weights
from agent.records.turns import Turns
from agent.tool import Context
from agent.types import Ask, Completion, Message, ToolSpec
from policies.load import load_rules
from tests.fakes.plans import plan
from tests.fakes.process import Process, running
from tests.fakes.tools import box
from tests.fakes.typed_tools import TOOLS

pytestmark = pytest.mark.skipif(
    weights() is None, reason="the embedded model is not installed: scripts/setup local"
)
ROOT = Path(__file__).resolve().parents[2]
WEATHER = ToolSpec(
    name="weather",
    description="Tells the weather of a town.",
    parameters={
        "type": "object",
        "properties": {
            "town": {"type": "string", "maxLength": 40},  # without an end, it may go on until it is cut off
            "days": {"type": "integer", "minimum": 1, "maximum": 9},
        },
        "required": ["town", "days"],
        "additionalProperties": False,
    },
)
WEATHER_TALK = (Message(role="user", text="How is Oslo?"),)


def children(pid: int) -> set[int]:
    """The processes that a process has started."""
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


@asynccontextmanager
async def opened() -> AsyncIterator[Local]:
    provider = Local()
    try:
        yield provider
    finally:
        await provider.close()


async def test_it_holds_a_conversation_through_the_whole_loop(tmp_path: Path) -> None:
    """Whatever it says, each turn ends well: an answer and a bill of nothing, or the sentence that it calls no tools."""
    called: list[tuple[str, int]] = []

    async def remember(context: Context, what: Annotated[str, Field(max_length=60)], times: int = 1) -> str:
        """Remember something."""
        assert context.caller == "console:ann"
        called.append((what, times))
        return f"remembered {what[:40]}"

    turns = Turns(tmp_path / "turns.sqlite3")
    brain = Brain(Router.of(Keys(embedded_model=True)), load_rules(), turns=turns)
    toolbox = box(remember)
    answered, refused = 0, []
    try:
        for text, tools in (
            ("Hello! Who are you?", "auto"),
            ("Remember that I like bread.", "force"),
            ("Remember \u2603 {} [] \n\n ``` </s> <|im_end|>", "remember"),
            ("Goodbye! " + "So long! " * 400, "off"),
        ):
            wish = Wish(tools=tools)
            asked = brain.answer("here", text, "Be brief.", caller="console:ann", toolbox=toolbox, wish=wish)
            try:
                said = "".join([piece async for piece in asked])
                answered += 1
            except ProviderFailed as failure:  # it may say nothing at all, which is told in a sentence
                said = str(failure)
                refused += [said] if "calls no tools" in said else []
            assert said.strip()
    finally:
        await brain.close()
    kept = Turns(tmp_path / "turns.sqlite3")
    told = kept.newest("here", 10, parts=True)
    kept.close()
    assert len(told) == answered >= 1
    assert {one.dollars for one in told} == {0.0}
    assert not [call for one in told for message in one.parts for call in message.calls]
    assert not called
    assert len(refused) == 2


@pytest.mark.parametrize("choice", ["required", "weather"])
async def test_a_call_through_the_constrained_reply_is_well_formed(choice: str) -> None:
    """Held to the form, so small a model still calls a tool that is there, with what the schema asks for."""
    ask = Ask(messages=WEATHER_TALK, tools=(WEATHER,), choice=choice)
    async with opened() as provider:
        for _ in range(3):
            answer = await Constrained(provider).complete(ask)
            (call,) = answer.calls
            arguments = json.loads(call.arguments)
            assert call.name == "weather"
            assert (type(arguments["town"]), answer.stop) == (str, "tools")
            assert arguments["days"] in range(1, 10)


async def test_its_server_can_be_held_to_every_schema() -> None:
    """Of the kinds of arguments that are hardest to hold somebody to, each is one by which an answer can be made."""
    async with opened() as provider:
        for name in ("day", "trip", "either_place", "pair", "tags", "places", "one_of", "code", "ratio"):
            spec = ToolSpec(name=name, description="Take it.", parameters=TOOLS[name].parameters)
            ask = Ask(messages=WEATHER_TALK, tools=(spec,), choice="required", max_tokens=4)
            assert (await Constrained(provider).complete(ask)).stop == "length"


async def test_its_text_streams_and_is_counted() -> None:
    """An answer comes in pieces, with its tokens counted, and no longer than was asked for."""
    ask = Ask(messages=(Message(role="user", text="Tell a long story."),), max_tokens=30)
    async with opened() as provider:
        *pieces, last = [piece async for piece in provider.stream(ask)]
    assert isinstance(last, Completion)
    assert "".join(map(str, pieces)) == last.text
    assert len(pieces) > 3
    assert (last.model, last.stop, last.usage.output) == (NAME, "length", 30)


async def test_nobody_else_on_this_machine_can_ask_it() -> None:
    """Its port answers questions only with the key of this process."""
    async with opened() as provider:
        await provider.complete(Ask(messages=(Message(role="user", text="Hi"),), max_tokens=2))
        address = await provider._started()
        async with aiohttp.ClientSession() as session:
            body = {"messages": [{"role": "user", "content": "Hi"}]}
            async with session.post(f"{address}/chat/completions", json=body) as answer:
                assert answer.status == 401
    with pytest.raises(ProviderFailed):
        await provider.complete(Ask(messages=()))


async def test_a_process_that_was_killed_is_started_again() -> None:
    """One question may fail with it; the next is answered by a new process."""
    ask = Ask(messages=(Message(role="user", text="Hi"),), max_tokens=2)
    async with opened() as provider:
        await provider.complete(ask)
        first = provider._process
        assert first is not None
        first.kill()
        await first.wait()
        assert (await provider.complete(ask)).model == NAME
        assert provider._process is not first


async def talked(bot: Process) -> int:
    """Have a whole bot answer a line of chat with it; the process that holds the model."""
    files = ("bot/live/chat/feature.py", "agent/live/prompts/chat.md")
    await bot.load(plan({name: (ROOT / name).read_text() for name in files}))
    async with asyncio.timeout(120):
        await bot.until(f"embedded/{NAME}")
        bot.type("Hello! Say something, please.")
        await bot.until("> Hello! Say something")
        bot.type("/why")
        await bot.until(f"embedded/{NAME}: asked first")
    (model,) = children(bot.process.pid)
    return model


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_bot_without_any_key_talks_and_leaves_nothing_behind(
    tmp_path: Path, how: signal.Signals
) -> None:
    """A line at the console is answered; when the bot ends, in order or not, the model's process ends too."""
    async with running(tmp_path, {"EMBEDDED_MODEL": "true"}) as bot:
        model = await talked(bot)
        held = os.pidfd_open(model)
        bot.process.send_signal(how)
        assert await bot.ended() == (0 if how is signal.SIGTERM else -signal.SIGKILL)
        gone = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(held, gone.set_result, None)
        await asyncio.wait_for(gone, 60)
        asyncio.get_running_loop().remove_reader(held)
        os.close(held)
