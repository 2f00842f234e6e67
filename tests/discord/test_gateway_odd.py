"""A gateway that repeats itself, skips, or speaks at the wrong time: every message is answered once, and nothing breaks."""

import logging
from collections.abc import Callable, Iterator

import pytest

from tests.discord.clients import SECONDS
from tests.discord.crew import aboard
from tests.discord.test_streaming import AT_ONCE, asked, says
from tests.fakes.discord.gateway import DISPATCH
from tests.fakes.discord.link import Session
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Event, Guild, Json, User
from tests.fakes.discord.welcome import whole


def said(server: DiscordServer, room: Channel) -> list[str]:
    """What the bot said in a place, in order."""
    return [one.content for one in room.messages if one.author is server.bot]


def session(server: DiscordServer) -> Session:
    """The session of the bot."""
    (one,) = server.gateway.sessions.values()
    return one


def tell(server: DiscordServer, *events: Json) -> None:
    """Send events once more, as they are."""
    for link in server.gateway.links:
        for event in events:
            link.send(event)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing of it is a fault of ours."""
    yield
    wrong = [one.getMessage() for one in caplog.get_records("call") if one.levelno >= logging.ERROR]
    assert wrong == []


def skipped(server: DiscordServer) -> None:
    """A number is left out: an event that was sent to nobody."""
    there = session(server)
    there.sent.append({"op": DISPATCH, "t": "TYPING_START", "s": len(there.sent) + 1, "d": {}})


def begun_again(server: DiscordServer) -> None:
    """The session begins a second time on the same connection, and tells of its servers."""
    tell(server, *(one for one in session(server).sent if one["t"] in ("READY", "GUILD_CREATE")))


def begun_again_without_servers(server: DiscordServer) -> None:
    """It begins a second time and tells of no server for now."""
    tell(server, session(server).sent[0])


def all_again(server: DiscordServer) -> None:
    """Everything that was ever sent comes again."""
    tell(server, *session(server).sent)


def spoken_again(server: DiscordServer) -> None:
    """Each message comes again, twice."""
    tell(server, *[one for one in session(server).sent if one["t"] == "MESSAGE_CREATE"] * 2)


def beats(server: DiscordServer) -> None:
    """A heartbeat is asked for again and again."""
    for _ in range(5):
        server.gateway.ask_heartbeat()


def resumed_again(server: DiscordServer) -> None:
    """It says that the session goes on, without being asked."""
    there = session(server)
    tell(server, {"op": DISPATCH, "t": "RESUMED", "s": len(there.sent), "d": {"_trace": []}})


def unheard_of(server: DiscordServer) -> None:
    """An event that nobody knows."""
    tell(server, {"op": DISPATCH, "t": "NEVER_HEARD_OF", "s": len(session(server).sent), "d": {}})


ODD: list[Callable[[DiscordServer], None]] = [
    skipped,
    begun_again,
    begun_again_without_servers,
    all_again,
    spoken_again,
    beats,
    resumed_again,
    unheard_of,
]


@pytest.mark.parametrize("odd", ODD, ids=[one.__name__ for one in ODD])
async def test_what_is_odd_costs_no_message_and_doubles_none(
    server: DiscordServer, room: Channel, ann: User, odd: Callable[[DiscordServer], None]
) -> None:
    """What was said before, after, and after a break of the connection is answered once each, on one connection."""
    async with aboard(server) as crew:
        server.say(ann, room, f"<@{server.bot.id}> one")
        await server.until(lambda: said(server, room))
        odd(server)
        server.say(ann, room, f"<@{server.bot.id}> two")
        await server.until(lambda: len(said(server, room)) == 2)
        server.gateway.drop()
        await server.until(lambda: server.gateway.resumes)
        used = server.slash(ann, room, "say")
        await server.until(lambda: used.done)
        server.say(ann, room, f"<@{server.bot.id}> three")
        await server.until(lambda: "ahoy three" in said(server, room))
        await crew.client.idle()
        assert len(server.gateway.links) == 1
    assert said(server, room) == ["ahoy one", "ahoy two", "ahoy", "ahoy three"]
    assert server.gateway.identifies == 1


@pytest.mark.parametrize("how", ["as available", "as new"])
async def test_a_server_that_is_known_is_told_of_again(
    server: DiscordServer, guild: Guild, room: Channel, ann: User, how: str
) -> None:
    """It is no new server: nobody is greeted, and people are answered there as before."""
    async with aboard(server) as crew:
        again = whole(guild, server.bot, 0) | ({"unavailable": False} if how == "as available" else {})
        server.gateway.hear(Event("GUILD_CREATE", again, 1, guild))
        server.say(ann, room, f"<@{server.bot.id}> one")
        await server.until(lambda: "ahoy one" in said(server, room))
        await crew.client.idle()
        assert len(crew.client.guilds) == 1
    assert said(server, room) == ["ahoy one"]


@pytest.mark.parametrize("how", ["asked", "cut", "begun anew", "told again"])
async def test_an_answer_that_grows_outlives_its_connection(
    server: DiscordServer, room: Channel, ann: User, how: str
) -> None:
    """While it is being shown the session goes on elsewhere, or begins anew: it ends as one message, whole."""
    gateway = server.gateway
    ends: dict[str, Callable[[], None]] = {
        "asked": gateway.ask_reconnect,
        "cut": gateway.drop,
        "begun anew": lambda: gateway.invalidate(resumable=False),
        "told again": lambda: all_again(server),
    }
    async with asked(server, room, ann, AT_ONCE) as (brain, crew):
        brain.say("Hello th")
        await server.until(lambda: said(server, room))
        ends[how]()
        if how == "told again":
            gateway.ask_heartbeat()
            await server.until(lambda: gateway.beats > 1)
        else:
            await server.until(lambda: gateway.resumes + gateway.identifies == 2)
        brain.say("ere, ann", None)
        await server.until(lambda: says(server, room, "Hello there, ann"))
        await crew.client.idle()
    assert len(brain.asked) == 1


async def test_a_session_that_ends_as_it_begins_tells_nobody(server: DiscordServer) -> None:
    """The library says for a while that a session is ready; where the client has ended meanwhile, no part of it hears that."""
    async with aboard(server) as crew:
        state = crew.client._connection
        state.guild_ready_timeout = 0.5
        begun = crew.client.wait_for("connect", timeout=SECONDS)
        server.gateway.invalidate(resumable=False)
        await begun
        under_way = state._ready_task
    assert under_way is not None
    await under_way
    assert server.gateway.identifies == 2
