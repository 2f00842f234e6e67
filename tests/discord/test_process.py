"""The bot as a process of its own, on Discord from its settings alone."""

from pathlib import Path

from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, User
from tests.fakes.plans import echo
from tests.fakes.process import running


async def test_a_token_is_all_it_takes(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """With a token and an address the process talks on Discord, goes on through new live code, and ends when told to."""
    settings = {"DISCORD_TOKEN": server.token, "THESEUS_DISCORD_API": server.api}
    async with running(tmp_path, settings) as bot:
        await bot.load(echo("ahoy"))
        await server.until(lambda: server.gateway.connected, 30)
        server.say(ann, room, f"<@{server.bot.id}> hello")
        await server.until(lambda: room.messages[-1].author is server.bot)
        await bot.load(echo("avast", commit="ad"))
        used = server.slash(ann, room, "say")
        await server.until(lambda: used.done)
        bot.process.terminate()
        assert await bot.ended() == 0
    await server.until(lambda: not server.gateway.links)
    assert [room.messages[1].content, used.text] == ["ahoy hello", "avast"]
    assert server.gateway.identifies == 1
    assert server.token not in (tmp_path / "bot.log").read_text()
