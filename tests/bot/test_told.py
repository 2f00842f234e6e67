"""The kernel's commands about tools, through the bot: descriptions from a paste or a file, and a halt while one runs."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.chat.brain import Brain
from agent.declared.made import Made
from agent.declared.shelf import Shelf
from agent.models.single import OneModel
from agent.ports import Api
from agent.services.api import Calling
from agent.services.pages import Pages
from agent.services.web import Client
from bot.control.pasted import begins_edits, described
from bot.theseus import Bot
from policies.load import load_rules
from selfedit import protocol as say
from selfedit.types import NoDraft
from tests.fakes.plans import plan
from tests.fakes.scripted import ScriptedModel, Turn, Use
from tests.fakes.steward import FakeSteward, linked
from tests.fakes.web_server import Reply, Site, serving

ANN = "console:ann"
FETCH = "agent/live/tools/fetch_page.py"
CHAT = """
    async def answer(turn):
        if turn.brain is None: return "canary"
        return "".join([piece async for piece in turn.brain.answer("", turn.text, "")])
    def setup(registry): registry.chat(answer)
"""


class Net:
    """Only pages, as far as tools are lent it here."""

    def __init__(self, pages: Pages) -> None:
        self.fetch = pages.fetch


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A small web whose one page never comes."""
    async with serving() as opened:
        opened.pages["/slow"] = Reply("{", kind="application/json", stalls=True)
        yield opened


RULES = load_rules()


class World:
    """A bot with a model that fetches a page, and tools made of data."""

    def __init__(self, site: Site, folder: Path) -> None:
        tools = RULES.tools.model_copy(update={"trusted": ("discord:8",)})
        self.rules = RULES.model_copy(update={"web": site.rules(robots=False), "tools": tools})
        self.client = Client(self.rules.web)
        use = Use(name="fetch_page", arguments={"url": site.url("/slow")})
        made = Made(Shelf(folder / "tools.sqlite3", self.rules.web), self.rules, self.api)
        self.brain = Brain(
            OneModel(ScriptedModel(Turn(calls=(use,)))), self.rules, services=self.lend, made=made
        )
        self.bot = Bot(self.rules, self.brain, self.no_author)
        self.document = json.dumps(
            {"name": "slow_one", "description": "Ask for what never comes.", "url": site.url("/slow")}
        )

    async def api(self) -> Api:
        """The way to the net for tools of data."""
        return Calling(self.client, self.rules.web)

    async def lend(self) -> Mapping[str, Any]:
        """The way to the net for the others."""
        return {"web": Net(Pages(self.client, self.rules.web))}

    async def no_author(self) -> NoDraft:
        """Nobody drafts here."""
        return NoDraft(why="none here")

    async def say(self, line: str, who: str = ANN) -> str:
        """What is answered."""
        return await self.bot.respond(line, who, "here")

    async def halted(self, site: Site, line: str) -> str:
        """What is answered to a line, when a halt comes while the page is awaited."""
        answering = asyncio.create_task(self.say(line))
        waiting = asyncio.create_task(site.came.wait())
        await asyncio.wait({answering, waiting}, return_when=asyncio.FIRST_COMPLETED)
        assert waiting.done(), answering.result()
        await self.bot.ask(say.Halt(by=ANN))
        return await answering


@pytest.fixture
async def world(site: Site, tmp_path: Path) -> AsyncIterator[World]:
    """All of it, with live code that chats and fetches."""
    opened = World(site, tmp_path)
    text = (Path(__file__).parents[2] / FETCH).read_text(encoding="utf-8")
    loaded = await opened.bot.hear(say.Load(plan=plan({"bot/live/a/feature.py": CHAT, FETCH: text})))
    assert isinstance(loaded, say.Loaded)
    yield opened
    await opened.client.close()
    await opened.brain.close()


async def test_a_halt_ends_a_fetch(world: World, site: Site) -> None:
    """While a page is awaited for a chat, a halt ends the answer, and the person is told so."""
    assert "/halt" in await world.halted(site, "read it")
    assert world.bot._under_way == set()


async def test_a_halt_from_the_steward_ends_a_fetch(world: World, site: Site) -> None:
    """While the console waits for an answer, the operator halts from another terminal: the bot hears it on its link."""
    steward = FakeSteward({})
    async with linked(steward, world.bot.hear) as world.bot.peer:
        assert steward.peer is not None
        answering = asyncio.create_task(world.say("read it"))
        waiting = asyncio.create_task(site.came.wait())
        await asyncio.wait({answering, waiting}, return_when=asyncio.FIRST_COMPLETED)
        assert waiting.done(), answering.result()
        await steward.peer.notify(say.Halt(by=ANN))
        assert "/halt" in await answering


async def test_a_halt_ends_a_tool_that_is_tried_by_hand(world: World, site: Site) -> None:
    """What `/tool try` waits for is ended by a halt as well, and does not count as a failure of live code."""
    assert "Made" in await world.say(f"/tool create {world.document}")
    assert "/halt" in await world.halted(site, "/tool try slow_one {}")
    assert world.bot.telemetry.heartbeat().errors == 0


async def test_a_description_may_come_from_a_file_at_the_console_only(world: World, tmp_path: Path) -> None:
    """`/tool create @FILE` reads the operator's file; from elsewhere, no file of this machine is looked at."""
    path = tmp_path / "tool.json"
    path.write_text(world.document, encoding="utf-8")
    assert "Made: slow_one" in await world.say(f"/tool create @{path}")
    assert "version 2.0.0" in await world.say(f"/tool create slow_one @{path}")
    elsewhere = world.document.replace("slow_one", "their_one")
    assert "Made: their_one" in await world.say(f"/tool create {elsewhere}", "discord:8")
    path.write_text(elsewhere, encoding="utf-8")
    assert "Made" not in await world.say(f"/tool create @{path}", "discord:8")
    assert described(f"create @{tmp_path / 'gone'}") == f"create @{tmp_path / 'gone'}"
    assert "/tool template" in await world.say(f"/tool create @{tmp_path / 'gone'}")


@pytest.mark.parametrize(
    ("line", "goes_on"),
    [
        ("/tool create {", True),
        ('/tool create weather {"url": ', True),
        ("/improve [", True),
        ("/tool create weather", False),
        ("/tool try weather {", False),
        ("/tool show {", False),
        ("hello {", False),
    ],
)
def test_a_description_may_go_over_several_lines(line: str, *, goes_on: bool) -> None:
    """At the console a pasted description is one command until its brackets close; other lines stand alone."""
    assert begins_edits(line) == goes_on
