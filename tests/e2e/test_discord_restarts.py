"""The bot as a real process on Discord, ended in good order or killed at any moment: each question is answered once."""

import signal
from functools import partial
from pathlib import Path

import pytest

from bot.discord.incoming.inbox import MOST_TRIES, Inbox, State
from bot.discord.shelf import open_shelf
from selfedit.types import LoadPlan
from tests.fakes.discord.server import DiscordServer, serving
from tests.fakes.discord.things import Channel, User
from tests.fakes.plans import plan
from tests.fakes.process import Process, running

SECONDS = 60.0
POST = "POST /channels/{channel_id}/messages"
HELD = plan(
    {
        "bot/live/held/feature.py": """
            import asyncio

            from bot.feature import Registry, Turn

            async def reply(turn: Turn) -> str:
                if turn.text == "end":
                    raise SystemExit(1)
                if turn.text == "wait":
                    await asyncio.sleep(3600)
                return "ahoy " + turn.text

            def setup(registry: Registry) -> None:
                registry.chat(reply)
                registry.command("wait", reply, usage="wait", summary="waits")
        """
    }
)
QUICK = plan(
    {
        "bot/live/held/feature.py": """
            from bot.feature import Registry, Turn

            async def reply(turn: Turn) -> str:
                return "ahoy " + turn.text

            def setup(registry: Registry) -> None:
                registry.chat(reply)
                registry.command("wait", reply, usage="wait", summary="waits")
        """
    },
    commit="ad",
)


def said(server: DiscordServer, room: Channel) -> list[str]:
    """What the bot said in a place, in order."""
    return [one.content for one in room.messages if one.author is server.bot]


class Town:
    """A Discord with one server, and the bot's home."""

    def __init__(self, server: DiscordServer, home: Path) -> None:
        self.server, self.home = server, home
        self.guild = server.guild("Harbour")
        self.room, self.ann = server.room(self.guild, "general"), server.user("ann", self.guild)
        self.settings = {"DISCORD_TOKEN": server.token, "THESEUS_DISCORD_API": server.api}

    def ask(self, text: str, author: User | None = None) -> int:
        """Let somebody ask something; the id of the question."""
        said = self.server.say(author or self.ann, self.room, f"<@{self.server.bot.id}> {text}")
        return int(said.id)

    def state(self, question: int) -> State | None:
        """How far the bot is with a question."""
        row = Inbox(open_shelf(self.home)).row(question)
        return row.state if row else None

    def tried(self, question: int, times: int) -> bool:
        """Whether work on a question has begun so often."""
        row = Inbox(open_shelf(self.home)).row(question)
        return row is not None and row.tries == times

    async def up(self, bot: Process, live: LoadPlan) -> None:
        """Wait until it is connected and serves."""
        await bot.load(live)
        await self.server.until(lambda: self.server.gateway.connected, SECONDS)

    async def gone(self, bot: Process, how: signal.Signals) -> None:
        """End the bot, and wait until Discord has noticed."""
        bot.process.send_signal(how)
        await bot.ended()
        await self.server.until(lambda: not self.server.gateway.links, SECONDS)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["idle", "working", "sending", "sent"])
async def test_nothing_is_lost_or_doubled(tmp_path: Path, how: signal.Signals, moment: str) -> None:
    """Whenever the process ends, and however, the next goes on with its session and answers what was asked, once, in order."""
    async with serving() as server:
        town = Town(server, tmp_path)
        async with running(tmp_path, town.settings) as bot:
            await town.up(bot, HELD)
            town.ask("one")
            await server.until(lambda: len(said(server, town.room)) == 1, SECONDS)
            if moment == "working":
                town.ask("wait")
                await server.until(lambda: server.rest.made("POST", "/channels/{channel_id}/typing"), SECONDS)
            elif moment == "sending":
                server.faults.hold(POST)
                town.ask("two")
                await server.until(lambda: len(server.rest.made(*POST.split())) == 2, SECONDS)
            elif moment == "sent":
                server.faults.cut(POST, done=True)
                town.ask("two")
                await server.until(lambda: len(said(server, town.room)) == 2, SECONDS)
            await town.gone(bot, how)
        town.ask("away")
        async with running(tmp_path, town.settings) as bot:
            await town.up(bot, QUICK)
            expected = {"idle": [], "working": ["ahoy wait"], "sending": ["ahoy two"], "sent": ["ahoy two"]}
            wanted = ["ahoy one", *expected[moment], "ahoy away"]
            await server.until(lambda: len(said(server, town.room)) >= len(wanted), SECONDS)
            town.ask("last")
            await server.until(lambda: "ahoy last" in said(server, town.room), SECONDS)
        assert said(server, town.room) == [*wanted, "ahoy last"]
        assert (server.gateway.identifies, server.gateway.resumes) == (1, 1)


async def test_a_command_that_was_interrupted_is_told(tmp_path: Path) -> None:
    """Who used a command when the process was killed is told so in its place, and it is not carried out again."""
    async with serving() as server:
        town = Town(server, tmp_path)
        async with running(tmp_path, town.settings) as bot:
            await town.up(bot, HELD)
            await server.until(lambda: server.world.commands.get(""), SECONDS)
            used = server.slash(town.ann, town.room, "chat", prompt="wait")
            await server.until(lambda: used.answered, SECONDS)
            await town.gone(bot, signal.SIGKILL)
        async with running(tmp_path, town.settings) as bot:
            await town.up(bot, QUICK)
            await server.until(lambda: used.done, SECONDS)
    assert "restarted" in used.text
    assert town.state(int(used.id)) is State.LOST


async def test_a_message_that_ends_the_process_is_left_in_the_end(tmp_path: Path) -> None:
    """What kills the process twice is tried only when it has been up for a while, and not for ever; then its author is told.

    Whoever asked beside it is answered.
    """
    async with serving() as server:
        town = Town(server, tmp_path)
        question = 0
        for number in range(MOST_TRIES):
            async with running(tmp_path, town.settings) as bot:
                await town.up(bot, HELD)
                if number == 0:
                    question = town.ask("wait")
                    town.ask("two", server.user("bob", town.guild))
                await server.until(partial(town.tried, question, number + 1), SECONDS)
                await town.gone(bot, signal.SIGKILL)
        async with running(tmp_path, town.settings) as bot:
            await town.up(bot, HELD)
            await server.until(lambda: len(said(server, town.room)) == 2, SECONDS)
            await bot.steward.beats.get()
    told, answered = said(server, town.room)
    assert "ended each time" in told
    assert answered == "ahoy two"
    assert town.state(question) is State.LOST
