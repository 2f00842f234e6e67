"""When Discord hears of commands, and that nothing is left behind by generations that came and went."""

import asyncio
import gc

import discord
import pytest

from bot.discord.commands import registration
from selfedit import protocol as say
from selfedit.types import LoadPlan, Stage
from tests.discord.crew import aboard
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, User
from tests.fakes.plans import echo

SYNC = ("PUT", "/applications/{application_id}/commands")


def shout(commit: str = "ad", provisional: int = 0) -> LoadPlan:
    """Live code with one command of another name."""
    return echo("ahoy", commit=commit, name="shout").model_copy(update={"provisional": provisional})


def names(server: DiscordServer, where: str = "") -> set[str]:
    """What is registered, for all servers or for one."""
    return {one["name"] for one in server.world.commands.get(where, [])}


async def test_what_may_be_taken_back_is_not_registered(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Discord does not hear of a command that is on probation; typed, it works already, and once kept it is registered."""
    async with aboard(server) as crew:
        await crew.load(shout(provisional=7))
        await crew.client.tree.register()
        assert "shout" not in names(server)
        server.say(ann, room, f"<@{server.bot.id}> /shout hello")
        await server.until(lambda: bool(room.messages) and room.messages[-1].content == "ahoy hello")
        await crew.bot.hear(say.Progress(number=6, stage=Stage.KEPT, text="kept"))
        await crew.client.tree.register()
        assert "shout" not in names(server)
        await crew.bot.hear(say.Progress(number=7, stage=Stage.KEPT, text="kept"))
        await crew.client.tree.register()
    assert "shout" in names(server)
    assert "again" not in names(server)


async def test_what_is_taken_back_never_gets_there(server: DiscordServer) -> None:
    """A generation that did not prove itself was never known to Discord."""
    async with aboard(server) as crew:
        before = len(server.rest.made(*SYNC))
        kept = crew.bot.generations.current
        assert kept is not None
        await crew.load(shout(provisional=7))
        await crew.client.tree.register()
        crew.bot.generations.swap(kept)
        crew.bot._provisional = 0
        await crew.client.tree.register()
    assert len(server.rest.made(*SYNC)) == before


async def test_the_test_server_hears_at_once(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """One server is shown what is on probation, and only that; once kept, everybody sees it and that server no second one."""
    async with aboard(server, test_server=int(guild.id)) as crew:
        assert names(server, guild.id) == set()
        await crew.load(shout(provisional=7))
        await crew.client.tree.register()
        assert names(server, guild.id) == {"shout"}
        assert "shout" not in names(server)
        used = server.slash(ann, room, "shout")
        await server.until(lambda: used.done)
        await crew.bot.hear(say.Progress(number=7, stage=Stage.KEPT, text="kept"))
        await crew.client.tree.register()
    assert used.text == "ahoy"
    assert names(server, guild.id) == set()
    assert "shout" in names(server)


async def test_a_test_server_that_is_closed_holds_nothing_up(
    server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the test server takes no commands, the log says so once, and everybody else is told all the same."""
    server.faults.fail("* /applications/*/guilds/*", 403, code=50001, text="Missing Access", times=9)
    async with aboard(server, test_server=1) as crew:
        await crew.load(shout())
        await crew.client.tree.register()
    assert "shout" in names(server)
    assert caplog.text.count("takes no commands of the bot") == 1


async def test_a_day_has_only_so_many_new_commands(
    server: DiscordServer,
    room: Channel,
    ann: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What would be more than Discord takes in a day waits, and goes on working where it is typed."""
    monkeypatch.setattr(registration, "MOST_MADE", 40)
    async with aboard(server) as crew:
        for at in range(40):
            await crew.load(echo("ahoy", commit=f"{at + 16:x}", name=f"shout{at}"))
            await crew.client.tree.register()
        registered = names(server)
        assert len([name for name in registered if name.startswith("shout")]) == 1
        assert "shout39" not in registered
        server.say(ann, room, f"<@{server.bot.id}> /shout39")
        await server.until(lambda: bool(room.messages) and room.messages[-1].content == "ahoy")
    assert caplog.text.count("no more new commands today") == 1


async def test_a_failure_is_not_repeated_at_once(server: DiscordServer) -> None:
    """Where commands cannot be registered it is tried again later, not at each look."""
    server.faults.fail("PUT /applications/*", 403, code=50001, text="Missing Access")
    async with aboard(server) as crew:
        for _ in range(5):
            await crew.client.tree.register()
    assert len(server.rest.made(*SYNC)) == 1


async def test_nothing_is_left_of_a_hundred_generations(
    server: DiscordServer, room: Channel, ann: User, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a hundred swaps there are as many commands, listeners, views and tasks as after the first ones."""

    def counted(client: discord.Client) -> dict[str, int]:
        gc.collect()
        tree, views = crew.client.tree, client._connection._view_store
        return {
            "commands": len(tree.get_commands()),
            "menus": len(tree.get_commands(type=discord.AppCommandType.message)),
            "listeners": sum(map(len, client._listeners.values())) if hasattr(client, "_listeners") else 0,
            "views": len(views._views) + len(views._modals) + len(views._synced_message_views),
            "tasks": len(asyncio.all_tasks()),
            "objects": sum(type(one) is discord.app_commands.Command for one in gc.get_objects()),
        }

    async with aboard(server) as crew:

        async def swap(at: int) -> None:
            await crew.load(echo("ahoy", commit=f"{at + 16:x}", name=f"shout{at % 3}"))
            if at % 4 == 0:
                await crew.client.tree.register()
                used = server.slash(ann, room, f"shout{at % 3}")
                await server.until(lambda: used.done)
                assert used.text == "ahoy"

        for at in range(6):
            await swap(at)
        before = counted(crew.client)
        for at in range(6, 106):
            await swap(at)
        after = counted(crew.client)
        with capsys.disabled():
            print(f"\nafter 6 generations: {before}\nafter 106:           {after}")  # noqa: T201 - the numbers are the point
    # What was used last may not have ended to its last step.
    assert after.pop("tasks") <= before.pop("tasks") + 2
    assert after == before
