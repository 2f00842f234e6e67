"""What the gateway closes a connection for; the unmodified client never does any of it."""

import zlib
from typing import Any

import aiohttp
import pytest

from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Guild

QUERY = "?v=10&encoding=json"


def identify(token: str, **more: Any) -> dict[str, Any]:
    """The first word of a client."""
    return {"op": 2, "d": {"token": token, "properties": {}, "intents": 1, **more}}


def resume(token: str, session: str, seq: int) -> dict[str, Any]:
    """The first word of a client that was here before."""
    return {"op": 6, "d": {"token": token, "session_id": session, "seq": seq}}


async def closed_with(server: DiscordServer, *sent: dict[str, Any] | str, query: str = QUERY) -> int | None:
    """With which code a connection ends on which this is sent."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.gateway.url + query) as socket,
    ):
        for one in sent:
            await (socket.send_str(one) if isinstance(one, str) else socket.send_json(one))
        async for _ in socket:
            pass
        return socket.close_code


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        (4001, [identify("T"), {"op": 99, "d": None}]),
        (4002, ["no json"]),
        (4002, [{"d": 1}]),
        (4003, [{"op": 8, "d": {}}]),
        (4004, [identify("wrong")]),
        (4005, [identify("T"), identify("T")]),
        (4008, [identify("T"), *({"op": 3, "d": {}} for _ in range(120))]),
        (4010, [identify("T", shard=[2, 2])]),
        (4011, [identify("T", shard=[0, 1])]),
        (4013, [identify("T", intents=1 << 30)]),
        (4014, [identify("T"), {"op": 8, "d": {"guild_id": "G", "query": "", "limit": 0}}]),
    ],
    ids=lambda value: value if isinstance(value, int) else "",
)
async def test_a_rule_that_is_broken_has_its_code(
    server: DiscordServer, guild: Guild, code: int, sent: list[Any]
) -> None:
    """Unknown, unreadable, unauthenticated, too many, wrong shards and intents: each ends with Discord's code."""
    if code == 4011:
        server.gateway.guilds_a_shard = 0
    for one in sent:
        data = one.get("d") if isinstance(one, dict) else None
        if isinstance(data, dict):
            data.update({"token": server.token} if data.get("token") == "T" else {})
            data.update({"guild_id": guild.id} if "guild_id" in data else {})
    assert await closed_with(server, *sent) == code


async def test_another_version_is_refused(server: DiscordServer) -> None:
    """Versions of which nothing is known end at once."""
    assert await closed_with(server, query="?v=3&encoding=json") == 4012


async def test_a_sequence_that_was_never_sent_is_refused(server: DiscordServer, guild: Guild) -> None:
    """Nobody can have seen more of a session than there was."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(server.gateway.url + QUERY) as socket,
    ):
        await socket.receive_json()
        await socket.send_json(identify(server.token))
        ready = await socket.receive_json()
        assert (await socket.receive_json())["d"]["id"] == guild.id
        session = ready["d"]["session_id"]
        assert await closed_with(server, resume(server.token, session, 99)) == 4007


async def test_an_unknown_session_is_invalid(server: DiscordServer) -> None:
    """Resuming what is not there is answered with an invalid session, on a connection that stays open."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(server.gateway.url + QUERY) as socket,
    ):
        await socket.receive_json()
        await socket.send_json(resume(server.token, "never", 1))
        assert (await socket.receive_json())["op"] == 9
        await socket.send_json(identify(server.token))
        assert (await socket.receive_json())["t"] == "READY"


async def test_a_stream_is_compressed_as_one(server: DiscordServer) -> None:
    """Each message ends with a flush, and all of them are one stream."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(server.gateway.url + QUERY + "&compress=zlib-stream") as socket,
    ):
        unpack = zlib.decompressobj()
        for wanted in ('"op": 10', '"op": 11'):
            data = await socket.receive_bytes()
            assert data.endswith(b"\x00\x00\xff\xff")
            assert wanted in unpack.decompress(data).decode()
            await socket.send_json({"op": 1, "d": None})
