"""What people made, said and spent outlives the bot's process: its console, this tree's live code, a real SDK."""

import json
import re
from pathlib import Path

from bot.trial import plan_of
from selfedit import protocol as say
from tests.fakes import web_server
from tests.fakes.process import running
from tests.fakes.scripted import Script, Turn, Use, serving
from tests.fakes.world import FAST, World, clone

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTION = """/tool create {
  "name": "weather_now",
  "description": "Say what the weather is like in a place.",
  "url": "https://weather.example/{place}",
  "parameters": {"place": {}}
}"""


async def test_another_process_knows_what_was_made_and_said(tmp_path: Path) -> None:
    """A tool pasted over several lines is offered, history stands in order, uses are counted; what is forgotten is gone."""
    use = Use(name="calculate", arguments={"expression": "6 * 7"})
    script = Script([Turn(calls=(use,)), Turn(text="It is 42.", when="42")])
    async with serving("openai", script) as address:
        settings = {"OPENAI_API_KEY": "sk-made-up-for-this-test", "OPENAI_BASE_URL": address}
        async with running(tmp_path, settings) as bot:
            await bot.load(plan_of(ROOT))
            for line in DESCRIPTION.splitlines():
                bot.type(line)
            await bot.until("Made: weather_now, version 1.0.0")
            bot.type("What is six times seven?")
            await bot.until("It is 42.")
            bot.type("/cost")
            await bot.until("Your last one here came to 240 tokens")
        async with running(tmp_path, settings) as bot:
            await bot.load(plan_of(ROOT))
            bot.type("/tools")
            await bot.until("weather_now")
            bot.type("/history")
            await bot.until("asked: What is six times seven?")
            lines: list[str] = []
            await bot.collect(lines, "240 tokens")
            bot.type("/tools calculate")
            await bot.until("once, 1 of them well")
            bot.type("/cost")
            await bot.until("you: 240 of")
            bot.type("/calls")
            await bot.until("execution=ok audit=written")
            bot.type("/forget")
            await bot.until("one question with answers")
            bot.type("/history")
            await bot.until("Nothing has been said here that is kept.")
    shown = [re.sub(r"[^a-z0-9].*", "", line.strip()) for line in lines]
    assert shown[:3] == ["called", "result", "answered"]
    assert script.faults == []


async def test_the_operator_halts_from_another_terminal(tmp_path: Path, caches: Path) -> None:
    """While the console waits for a tool that never answers, a halt on the operator's socket ends it, and lines go on."""
    async with web_server.serving() as site:
        site.pages["/slow"] = web_server.Reply("{", kind="application/json", stalls=True)
        rules = f'{FAST}\n[web]\nexempt = ["127.0.0.1:{site.port}"]\n'
        home = tmp_path / "home"
        home.mkdir()
        (home / "caches").symlink_to(caches)
        tool = {"name": "slow_one", "description": "Ask for what never comes.", "url": site.url("/slow")}
        async with World(clone(tmp_path / "repo", rules), home) as world:
            world.type(f"/tool create {json.dumps(tool)}")
            await world.read("Made: slow_one")
            world.type("/tool try slow_one {}")
            await site.came.wait()
            assert isinstance(await world.ask(say.Halt(by="console:ann")), say.Done)
            await world.read("This was stopped by /halt")
            world.type("/calls 1")
            await world.read("execution=cancelled")
