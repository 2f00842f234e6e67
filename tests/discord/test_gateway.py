"""Sessions at the gateway, and everything that goes wrong with them, with the unmodified client."""

from collections.abc import Callable

import discord
import pytest

from tests.discord.clients import Clock, Listener, Sharded, connected
from tests.fakes.discord.gateway import ALL_INTENTS, MESSAGE_CONTENT
from tests.fakes.discord.server import TOKEN, DiscordServer
from tests.fakes.discord.things import Channel, Guild, User


async def test_a_client_connects_and_knows_the_server(
    server: DiscordServer, guild: Guild, room: Channel
) -> None:
    """It identifies once, compressed, and knows itself, its servers and their channels."""
    async with connected(server, Listener()) as client:
        assert client.user is not None
        assert client.user.id == int(server.bot.id)
        assert [one.name for one in client.guilds] == [guild.name]
        assert [one.name for one in client.guilds[0].text_channels] == [room.name]
        assert server.gateway.links[0].request.query["compress"] == "zlib-stream"
    assert [one["op"] for one in server.gateway.received] == [2]
    assert server.gateway.beats == 1


async def test_a_wrong_token_is_refused(server: DiscordServer) -> None:
    """Who signs in with another token is told so at once."""
    server.token = "another"
    with pytest.raises(discord.LoginFailure):
        async with connected(server, Listener()):
            raise AssertionError("it was let in")
    server.token = TOKEN


@pytest.mark.parametrize("how", ["cut", "asked", "closed", "invalid"])
async def test_a_session_goes_on_and_loses_nothing(
    server: DiscordServer, room: Channel, ann: User, how: str
) -> None:
    """Whatever ends the connection, what was said meanwhile arrives once and in order after the resume."""
    async with connected(server, Listener()) as client:
        assert await client.session() == "ready"
        server.say(ann, room, "0")
        assert (await client.next()).content == "0"
        gateway = server.gateway
        ends: dict[str, Callable[[], None]] = {
            "cut": gateway.drop,
            "asked": gateway.ask_reconnect,
            "closed": lambda: gateway.close(4000),
            "invalid": lambda: gateway.invalidate(resumable=True),
        }
        server.say(ann, room, "1")
        ends[how]()
        server.say(ann, room, "2")
        await server.until(lambda: not gateway.links)
        server.say(ann, room, "3")
        assert await client.session() == "resumed"
        server.say(ann, room, "4")
        assert [(await client.next()).content for _ in range(4)] == ["1", "2", "3", "4"]
    assert (gateway.identifies, gateway.resumes) == (1, 1)
    assert client.heard.empty()


@pytest.mark.parametrize("how", ["told", "forgotten"])
async def test_an_invalid_session_is_begun_anew(
    server: DiscordServer, room: Channel, ann: User, how: str
) -> None:
    """A session that cannot be resumed is followed by a fresh one, in which messages are heard as before."""
    async with connected(server, Listener()) as client:
        assert await client.session() == "ready"
        if how == "told":
            server.gateway.invalidate(resumable=False)
        else:
            server.gateway.forget()
        assert await client.session() == "ready"
        server.say(ann, room, "anew")
        assert (await client.next()).content == "anew"
    assert server.gateway.identifies == 2
    assert server.gateway.resumes == 0


async def test_a_dead_connection_is_noticed(server: DiscordServer, room: Channel, ann: User) -> None:
    """A connection through which nothing comes any more is given up, and the session resumed on another."""
    server.gateway.heartbeat_ms = 100
    async with connected(server, Listener(heartbeat_timeout=0.5)) as client:
        assert await client.session() == "ready"
        server.gateway.silent = True
        server.say(ann, room, "into the void")
        await server.until(lambda: server.gateway.closes == [4000])
        server.gateway.silent = False
        assert await client.session() == "resumed"
        assert (await client.next()).content == "into the void"
    assert server.gateway.beats > 1


async def test_heartbeats_without_answer_are_noticed(server: DiscordServer) -> None:
    """Where only the acknowledgements stay away and nothing else is said, the connection is given up too."""
    server.gateway.heartbeat_ms = 100
    server.gateway.acknowledges = False
    async with connected(server, Listener(heartbeat_timeout=0.5)) as client:
        assert await client.session() == "ready"
        await server.until(lambda: server.gateway.closes == [4000])
        server.gateway.acknowledges = True
        assert await client.session() == "resumed"


async def test_a_heartbeat_that_is_asked_for_comes(server: DiscordServer) -> None:
    """The gateway can ask for a heartbeat between two."""
    async with connected(server, Listener()):
        before = server.gateway.beats
        server.gateway.ask_heartbeat()
        await server.until(lambda: server.gateway.beats == before + 1)


async def test_a_gateway_that_is_down_is_tried_again(server: DiscordServer, room: Channel, ann: User) -> None:
    """While connections are turned away the client keeps trying, and then hears what it missed."""
    async with connected(server, Listener()) as client:
        assert await client.session() == "ready"
        server.gateway.down = True
        server.gateway.drop()
        await server.until(lambda: server.gateway.turned_away)
        server.say(ann, room, "anybody?")
        server.gateway.down = False
        assert await client.session() in ("resumed", "ready")


@pytest.mark.parametrize("code", [4004, 4010, 4011, 4012, 4013])
async def test_some_closes_are_for_good(server: DiscordServer, code: int) -> None:
    """Codes after which trying again is useless end the client with the code."""
    async with connected(server, Listener()) as client:
        server.gateway.close(code)
        with pytest.raises(discord.ConnectionClosed) as closed:
            await client.connection
    assert closed.value.code == code


@pytest.mark.parametrize("code", [4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009])
async def test_other_closes_are_not(server: DiscordServer, code: int) -> None:
    """After every other code the client comes back."""
    async with connected(server, Listener()) as client:
        assert await client.session() == "ready"
        server.gateway.close(code)
        assert await client.session() == "resumed"


async def test_intents_that_are_not_granted_close_the_connection(server: DiscordServer) -> None:
    """Asking for the content of messages without having it switched on is refused with a clear error."""
    server.gateway.allowed_intents = ALL_INTENTS & ~MESSAGE_CONTENT
    with pytest.raises(discord.PrivilegedIntentsRequired):
        async with connected(server, Listener()):
            raise AssertionError("it was let in")


async def test_without_the_intent_messages_are_empty(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """Without it the text comes only in direct messages and where the bot is named; without others, nothing comes."""
    intents = discord.Intents(guilds=True, messages=True)
    async with connected(server, Listener(intents)) as client:
        server.say(ann, room, "secret")
        server.say(ann, room, f"<@{server.bot.id}> hello")
        server.say(ann, server.direct(ann), "psst")
        told = [(await client.next()).content for _ in range(3)]
    assert told == ["", f"<@{server.bot.id}> hello", "psst"]
    async with connected(server, Listener(discord.Intents(guilds=True, dm_messages=True))) as client:
        server.say(ann, room, "unheard")
        server.say(ann, server.direct(ann), "heard")
        assert (await client.next()).content == "heard"
        assert [one.name for one in client.guilds] == [guild.name]


async def test_identifying_too_often_is_put_off(server: DiscordServer) -> None:
    """An identify that comes too soon finds its session invalid, and is repeated until it is time."""
    server.world.clock = now = Clock()
    server.gateway.identify_every = 5.0
    async with connected(server, Listener()) as client:
        assert await client.session() == "ready"
        server.gateway.invalidate(resumable=False)
        await server.until(lambda: server.gateway.put_off >= 2)
        now.seconds += 5.0
        assert await client.session() == "ready"


async def test_shards_share_the_servers(server: DiscordServer) -> None:
    """The client begins as many sessions as it is told to; each is told of its own servers."""
    made = [server.guild(name) for name in ("one", "two", "three", "four")]
    expected = {guild.id: (int(guild.id) >> 22) % 2 for guild in made}
    server.world.shards = 2
    async with connected(server, Sharded()) as client:
        assert {str(one.id): one.shard_id for one in client.guilds} == expected
    assert [one["d"]["shard"] for one in server.gateway.received if one["op"] == 2] == [[0, 2], [1, 2]]
    assert server.rest.made("GET", "/gateway/bot")[0].answer["session_start_limit"]["remaining"] == 1000
