"""Limits, errors and broken answers on demand, and what the unmodified client makes of them."""

import asyncio
import logging
from itertools import pairwise

import aiohttp
import discord
import pytest

from tests.discord.clients import Listener, connected
from tests.fakes.discord.faults import Scope
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, User

SEND = "POST /channels/{channel_id}/messages"
WAIT = 0.2
"""Seconds that a limit lasts."""


@pytest.mark.parametrize("told", ["in headers", "in the body alone"])
@pytest.mark.parametrize("scope", ["user", "shared"])
async def test_a_limit_is_waited_out_in_order(
    server: DiscordServer, room: Channel, scope: Scope, told: str
) -> None:
    """What is sent while a route is limited arrives after it, once and in the order in which it was sent."""
    async with connected(server, Listener()) as client:
        place = client.get_partial_messageable(int(room.id))
        server.faults.limit(SEND, WAIT, scope=scope, headers=told == "in headers")
        await asyncio.gather(*(place.send(str(at)) for at in range(4)))
    assert [one.content for one in room.messages] == ["0", "1", "2", "3"]
    first, second, *_ = server.rest.made(*SEND.split())
    assert (first.status, second.status) == (429, 200)
    assert second.at - first.at >= WAIT


async def test_a_global_limit_stops_every_route(server: DiscordServer, room: Channel, ann: User) -> None:
    """While it lasts, no other operation is called either."""
    said = server.say(ann, room, "hello")
    async with connected(server, Listener()) as client:
        place = client.get_partial_messageable(int(room.id))
        server.faults.limit(SEND, WAIT, scope="global")
        known = logged("Global rate limit has been hit")
        sending = asyncio.create_task(place.send("late"))
        await asyncio.wait_for(known.wait(), 5)
        await place.fetch_message(int(said.id))
        await sending
    limited = server.rest.made(*SEND.split())[0]
    assert all(call.at - limited.at >= WAIT for call in server.rest.calls if call.at > limited.at)


async def test_a_limit_that_is_known_is_never_exceeded(server: DiscordServer, room: Channel) -> None:
    """The client reads from each answer how much is left, and waits by itself."""
    server.faults.keep(SEND, 2, WAIT)
    async with connected(server, Listener()) as client:
        place = client.get_partial_messageable(int(room.id))
        for at in range(5):
            await place.send(str(at))
    assert [one.content for one in room.messages] == ["0", "1", "2", "3", "4"]
    assert server.faults.exceeded == 0


async def test_a_limit_is_kept_against_those_who_do_not_wait(server: DiscordServer, room: Channel) -> None:
    """Who asks too often is answered 429 with everything that says when to come back, and nothing is done."""
    server.faults.keep(SEND, 1, 60.0)
    sign = {"Authorization": f"Bot {server.token}"}
    address = f"{server.api}/channels/{room.id}/messages"
    async with aiohttp.ClientSession(headers=sign) as session:
        await session.post(address, json={"content": "one"})
        async with session.post(address, json={"content": "two"}) as answer:
            assert answer.status == 429
            assert answer.headers["X-RateLimit-Remaining"] == "0"
            assert 0 < (await answer.json())["retry_after"] <= 60
    assert [one.content for one in room.messages] == ["one"]
    assert server.faults.exceeded == 1


@pytest.mark.parametrize("status", [429, 403])
async def test_the_page_of_the_network_before_discord_is_an_error(
    server: DiscordServer, room: Channel, status: int
) -> None:
    """A page instead of JSON is reported at once, and the next request is served."""
    async with connected(server, Listener()) as client:
        place = client.get_partial_messageable(int(room.id))
        server.faults.cloudflare(SEND, status)
        with pytest.raises(discord.HTTPException) as refused:
            await place.send("lost")
        assert refused.value.status == status
        assert "Cloudflare" in refused.value.text
        await place.send("found")
    assert [one.content for one in room.messages] == ["found"]


async def test_a_server_error_is_tried_again(server: DiscordServer, room: Channel) -> None:
    """After 502 the client comes back by itself; what it sent is there once."""
    async with connected(server, Listener()) as client:
        server.faults.fail(SEND, 502)
        await client.get_partial_messageable(int(room.id)).send("twice tried")
    assert [one.content for one in room.messages] == ["twice tried"]


async def test_a_refusal_has_its_code(server: DiscordServer, room: Channel) -> None:
    """A right that is missing is reported as such."""
    async with connected(server, Listener()) as client:
        server.faults.fail(SEND, 403, code=50013, text="Missing Permissions")
        with pytest.raises(discord.Forbidden) as refused:
            await client.get_partial_messageable(int(room.id)).send("no")
    assert refused.value.code == 50013


@pytest.mark.parametrize("when", ["after", "before"])
async def test_a_connection_can_be_cut(server: DiscordServer, room: Channel, when: str) -> None:
    """Cut in mid answer the work is done and the client cannot know; cut before, nothing is done."""
    async with connected(server, Listener()) as client:
        place = client.get_partial_messageable(int(room.id))
        server.faults.cut(SEND, done=when == "after")
        with pytest.raises((aiohttp.ClientError, OSError)):
            await place.send("cut")
        await place.send("whole")
    assert [one.content for one in room.messages] == (["cut", "whole"] if when == "after" else ["whole"])


async def test_a_slow_answer_keeps_its_place(server: DiscordServer, room: Channel, ann: User) -> None:
    """While an answer is held back other operations are served, and nothing overtakes it on its own route."""
    async with connected(server, Listener()) as client:
        place = client.get_partial_messageable(int(room.id))
        go_on = server.faults.hold(SEND)
        sending = [asyncio.create_task(place.send(text)) for text in ("one", "two")]
        await server.until(lambda: server.rest.made(*SEND.split()))
        said = server.say(ann, room, "meanwhile")
        assert (await place.fetch_message(int(said.id))).content == "meanwhile"
        go_on.set()
        await asyncio.gather(*sending)
    assert [one.content for one in room.messages] == ["meanwhile", "one", "two"]


async def test_every_answer_can_take_its_time(server: DiscordServer) -> None:
    """A latency holds for every request."""
    server.faults.latency = 0.05
    async with connected(server, Listener()):
        calls = server.rest.calls
        assert all(later.at - earlier.at >= 0.05 for earlier, later in pairwise(calls))
        assert len(calls) == 2


def logged(text: str) -> asyncio.Event:
    """Set when the client's log says something; there is no other way to see that it has read an answer."""
    event, log = asyncio.Event(), logging.getLogger("discord.http")

    def watch(record: logging.LogRecord) -> bool:
        if text in record.getMessage():
            event.set()
            log.removeFilter(watch)
        return True

    log.addFilter(watch)
    return event
