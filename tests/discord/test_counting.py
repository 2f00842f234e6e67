"""What Discord answered to requests is counted, and told."""

from tests.discord.crew import aboard
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, User


async def test_limits_and_failures_are_counted(server: DiscordServer, room: Channel, ann: User) -> None:
    """Each answer counts as the stand-in counts it, by what it says, and `/status` shows how many there were."""
    async with aboard(server, ann.id) as crew:
        server.faults.limit("POST /channels/*/messages", 0.01)
        server.faults.fail("POST /channels/*/messages", 500, times=1)
        server.say(ann, room, f"<@{server.bot.id}> hello")
        await server.until(lambda: bool(room.messages) and room.messages[-1].content == "ahoy hello")
        used = server.slash(ann, room, "status")
        await server.until(lambda: bool(used.original and used.original.data["embeds"]))
        met = crew.bot.met
    statuses = [call.status for call in server.rest.calls]
    assert met.limited == statuses.count(429) == 1
    assert met.failed == statuses.count(500) == 1
    assert used.original is not None
    shown = {one["name"]: one["value"].replace("\\", "") for one in used.original.data["embeds"][0]["fields"]}
    assert "too many at once (429): 1; failures (5xx): 1; refused: 0" in shown["Discord"]


async def test_nothing_is_met_where_nothing_happens(server: DiscordServer, room: Channel, ann: User) -> None:
    """An ordinary talk with commands meets no limit, no failure and no refusal, by the bot's count and the stand-in's."""
    async with aboard(server, ann.id) as crew:
        for at in range(10):
            server.say(ann, room, f"<@{server.bot.id}> hello {at}")
        used = server.slash(ann, room, "chat", prompt="hello")
        await server.until(lambda: used.done and len(room.messages) == 21)
        met = crew.bot.met
    assert (met.limited, met.failed, met.refused) == (0, 0, 0)
    assert not [call for call in server.rest.calls if call.status >= 400]
    assert server.faults.exceeded == 0
