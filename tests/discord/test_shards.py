"""Several sessions at once, where Discord wants a bot on many servers to have them."""

from functools import partial
from pathlib import Path

from bot.discord.client import Sharded
from bot.theseus import Bot
from policies.load import load_rules
from selfedit import protocol as say
from tests.discord.clients import READY_SECONDS, Clock, connected
from tests.discord.crew import LIVE, no_author
from tests.fakes.brain import ScriptedBrain
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel


class _Sharded(Sharded):
    """The bot's client; it does not wait the five seconds between sessions that Discord asks for."""

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Go on at once."""


def said(server: DiscordServer, room: Channel) -> list[str]:
    """What the bot said in a place, in order."""
    return [one.content for one in room.messages if one.author is server.bot]


def enough(server: DiscordServer, rooms: list[Channel], count: int) -> bool:
    """Whether so much was said in every place."""
    return all(len(said(server, room)) >= count for room in rooms)


async def test_each_session_is_answered_and_none_is_handed_over(
    server: DiscordServer, tmp_path: Path
) -> None:
    """With two sessions every server is answered; the next process begins two more and reads what was missed."""
    server.world.shards = 2
    server.world.clock = now = Clock()
    ann, rooms = server.user("ann"), []
    for name in ("one", "two", "three", "four"):
        now.seconds += 0.001  # Discord counts servers to sessions by the millisecond in which they were made
        rooms.append(server.room(server.guild(name, ann), "general"))
    for number in range(2):
        bot = Bot(load_rules(), ScriptedBrain("none"), no_author)
        await bot.hear(say.Load(plan=LIVE))
        client = _Sharded(bot, home=tmp_path)
        client._connection.guild_ready_timeout = READY_SECONDS
        async with connected(server, client):
            for room in rooms:
                server.say(ann, room, f"<@{server.bot.id}> {2 * number}")
            await server.until(partial(enough, server, rooms, 2 * number + 1))
        await server.until(lambda: not server.gateway.links)
        for room in rooms if not number else ():
            server.say(ann, room, f"<@{server.bot.id}> 1")
    for room in rooms:
        assert said(server, room) == ["ahoy 0", "ahoy 1", "ahoy 2"]
    assert (server.gateway.identifies, server.gateway.resumes) == (4, 0)
