"""Across a restart of the process the session goes on, and where it cannot, a fresh one reads what was missed."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.discord.incoming.places import LIMIT_MESSAGES, LIMIT_SECONDS
from bot.discord.serve import serve_discord
from bot.discord.session import YOUNG_SECONDS, Journal
from bot.discord.shelf import open_shelf
from bot.theseus import Bot
from policies.load import load_rules
from selfedit import protocol as say
from tests.discord.clients import Clock
from tests.discord.crew import aboard, no_author
from tests.fakes.brain import ScriptedBrain
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, User
from tests.fakes.plans import echo
from tests.fakes.steward import FakeSteward, linked

OWNER = "1:token:gateway"


def said(server: DiscordServer, room: Channel) -> list[str]:
    """What the bot said in a place, in order."""
    return [one.content for one in room.messages if one.author is server.bot]


async def once(server: DiscordServer, room: Channel, author: User, home: Path) -> None:
    """One process that answers one question, and ends in good order."""
    async with aboard(server, home=home):
        there = len(said(server, room))
        server.say(author, room, f"<@{server.bot.id}> one")
        await server.until(lambda: len(said(server, room)) > there)
    await server.until(lambda: not server.gateway.links)


async def test_the_next_process_goes_on_with_the_session(
    server: DiscordServer, guild: Guild, room: Channel, ann: User, tmp_path: Path
) -> None:
    """It resumes, knows servers, channels and threads without being told, and answers what was said in between, once."""
    thread = server.thread(room, ann, "aside")
    await once(server, room, ann, tmp_path)
    server.say(ann, room, f"<@{server.bot.id}> two")
    server.say(ann, thread, f"<@{server.bot.id}> three")
    async with aboard(server, home=tmp_path) as crew:
        await server.until(lambda: len(said(server, room)) == 2 and said(server, thread))
        [known] = crew.client.guilds
        assert (known.name, known.me.id) == (guild.name, int(server.bot.id))
        assert [one.name for one in known.text_channels] == [room.name]
        assert [one.name for one in known.threads] == [thread.name]
    assert said(server, room) == ["ahoy one", "ahoy two"]
    assert said(server, thread) == ["ahoy three"]
    assert (server.gateway.identifies, server.gateway.resumes) == (1, 1)
    assert 1000 not in server.gateway.closes
    assert not server.rest.made("GET", "/channels/{channel_id}/messages")


async def test_what_changed_on_a_server_is_handed_over_too(
    server: DiscordServer, guild: Guild, room: Channel, ann: User, tmp_path: Path
) -> None:
    """A channel that was made while the last process ran is known to the next two."""
    async with aboard(server, home=tmp_path):
        new = server.room(guild, "new")
        server.say(ann, room, f"<@{server.bot.id}> one")
        await server.until(lambda: said(server, room))
    for told in (["ahoy two"], ["ahoy two", "ahoy two"]):
        async with aboard(server, home=tmp_path) as crew:
            assert crew.client.get_channel(int(new.id)) is not None
            server.say(ann, new, f"<@{server.bot.id}> two")
            await server.until(lambda told=told: said(server, new) == told)  # type: ignore[misc]
    assert (server.gateway.identifies, server.gateway.resumes) == (1, 2)


@pytest.mark.parametrize("how", ["invalid", "forgotten"])
async def test_a_session_that_is_gone_is_followed_by_a_fresh_one(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path, how: str
) -> None:
    """Where Discord has forgotten the session, before or after the resume, what was said is read and answered once."""
    await once(server, room, ann, tmp_path)
    server.say(ann, room, f"<@{server.bot.id}> two")
    if how == "forgotten":
        server.gateway.sessions.clear()
    async with aboard(server, home=tmp_path):
        await server.until(lambda: server.gateway.connected)
        if how == "invalid":
            server.gateway.invalidate(resumable=False)
            await server.until(lambda: server.gateway.identifies == 2)
        server.say(ann, room, f"<@{server.bot.id}> three")
        await server.until(lambda: len(said(server, room)) == 3)
    assert said(server, room) == ["ahoy one", "ahoy two", "ahoy three"]
    assert server.gateway.identifies == 2


async def test_what_was_not_read_yet_is_read_by_the_next_process(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """Where a process ends while it reads what was missed, the next one goes on with the session and reads it, in order."""
    history = "GET /channels/{channel_id}/messages"
    await once(server, room, ann, tmp_path)
    server.gateway.sessions.clear()
    server.say(ann, room, f"<@{server.bot.id}> two")
    async with aboard(server, home=tmp_path):
        server.faults.hold(history)
        await server.until(lambda: server.rest.made(*history.split()))
        server.say(ann, room, f"<@{server.bot.id}> three")
    await server.until(lambda: not server.gateway.links)
    async with aboard(server, home=tmp_path):
        server.say(ann, room, f"<@{server.bot.id}> four")
        await server.until(lambda: len(said(server, room)) == 4)
    assert said(server, room) == ["ahoy one", "ahoy two", "ahoy three", "ahoy four"]
    assert (server.gateway.identifies, server.gateway.resumes) == (2, 1)


async def test_a_resumed_session_is_resumed_again(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """Every fault after which a session goes on is met by one that the last process began, too."""
    await once(server, room, ann, tmp_path)
    gateway = server.gateway
    faults: list[Callable[[], None]] = [
        gateway.drop,
        gateway.ask_reconnect,
        lambda: gateway.close(4000),
        lambda: gateway.invalidate(resumable=True),
    ]
    async with aboard(server, home=tmp_path):
        await server.until(lambda: gateway.connected)
        for number, fault in enumerate(faults):
            before = gateway.resumes
            fault()
            server.say(ann, room, f"<@{server.bot.id}> {number}")
            await server.until(lambda before=before: gateway.resumes > before)  # type: ignore[misc]
    await server.until(lambda: not gateway.links)
    async with aboard(server, home=tmp_path):
        await server.until(lambda: len(said(server, room)) == 1 + len(faults))
    assert said(server, room) == ["ahoy one", *(f"ahoy {number}" for number in range(len(faults)))]
    assert gateway.identifies == 1


@pytest.mark.parametrize("how", ["damaged", "without a beginning", "of another gateway"])
async def test_a_journal_that_is_no_good_is_left(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path, how: str
) -> None:
    """Where the journal cannot be used the process begins anew, and nothing is missed."""
    await once(server, room, ann, tmp_path)
    change = {
        "damaged": "UPDATE structure SET data = '{' WHERE name = 'GUILD_CREATE'",
        "without a beginning": "DELETE FROM structure WHERE name = 'READY'",
        "of another gateway": "UPDATE session SET owner = owner || 'x'",
    }
    open_shelf(tmp_path).execute(change[how])
    server.say(ann, room, f"<@{server.bot.id}> two")
    async with aboard(server, home=tmp_path):
        await server.until(lambda: len(said(server, room)) == 2)
    assert said(server, room) == ["ahoy one", "ahoy two"]
    assert (server.gateway.identifies, server.gateway.resumes) == (2, 0)


async def test_the_shelf_holds_no_word_and_no_token(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """What outlives the process holds neither what people said, nor who they are by name, nor the token."""
    async with aboard(server, home=tmp_path):
        server.say(ann, room, f"<@{server.bot.id}> a secret")
        server.say(ann, direct := server.direct(ann), "another secret")
        await server.until(lambda: said(server, room) and said(server, direct))
    dump = "\n".join(open_shelf(tmp_path).iterdump())
    assert "GUILD_CREATE" in dump
    assert [text for text in ("secret", server.token, '"ann"') if text in dump] == []


def event(name: str, sequence: int, **data: object) -> str:
    """An event as it comes over the wire."""
    return json.dumps({"t": name, "s": sequence, "op": 0, "d": data})


def test_an_old_session_is_not_tried(tmp_path: Path) -> None:
    """A session is gone on with while it is young, by its owner, from the last event that was accepted."""
    now = Clock()
    journal = Journal(open_shelf(tmp_path), now)
    assert journal.left(OWNER) is None
    journal.hear(event("READY", 1, session_id="s", resume_gateway_url="wss://g"), OWNER)
    journal.hear(event("MESSAGE_CREATE", 2, content='{"t":"GUILD_DELETE"}'), OWNER)
    journal.hear(event("CHANNEL_UPDATE", 3, id="7", guild_id="8", topic="what people say"), OWNER)
    journal.hear(event("CHANNEL_UPDATE", 4, id="7", guild_id="8"), OWNER)
    journal.keep("another", 9)
    journal.keep("s", 4)
    left = Journal(open_shelf(tmp_path), now).left(OWNER)
    assert left is not None
    assert (left.id, left.sequence) == ("s", 4)
    assert [name for name, _ in left.events] == ["READY", "CHANNEL_UPDATE"]
    assert journal.left("2:token:gateway") is None
    now.seconds += YOUNG_SECONDS + 1
    assert journal.left(OWNER) is None


async def test_a_new_process_knows_how_much_the_last_one_has_said(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """Where the last process has said as much as Discord takes, the next one waits instead of running into the limit."""
    server.faults.keep("POST /channels/{channel_id}/messages", LIMIT_MESSAGES + 1, LIMIT_SECONDS)
    async with aboard(server, home=tmp_path):
        for number in range(LIMIT_MESSAGES + 1):
            server.say(ann, room, f"<@{server.bot.id}> {number}")
        await server.until(lambda: len(said(server, room)) == LIMIT_MESSAGES + 1)
    async with aboard(server, home=tmp_path):
        server.say(ann, room, f"<@{server.bot.id}> more")
        await server.until(lambda: said(server, room)[-1] == "ahoy more", 2 * LIMIT_SECONDS)
    assert server.faults.exceeded == 0


async def test_two_are_never_on_discord_with_one_home(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who finds another one with its home waits until that has ended, says so, and then goes on with its session."""
    bot = Bot(load_rules(), ScriptedBrain("none"), no_author)
    async with linked(FakeSteward({}), bot.hear) as bot.peer:
        await bot.hear(say.Load(plan=echo("ahoy")))
        first, second = (
            asyncio.create_task(serve_discord(bot, server.token, None, home=tmp_path)) for _ in range(2)
        )
        server.say(ann, room, "not meant for it")
        await server.until(lambda: server.gateway.connected)
        server.say(ann, room, f"<@{server.bot.id}> one")
        await server.until(lambda: said(server, room))
        assert "this one waits" in caplog.text
        assert (server.gateway.identifies, len(server.gateway.links)) == (1, 1)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        server.say(ann, room, f"<@{server.bot.id}> two")
        await server.until(lambda: len(said(server, room)) == 2)
        assert (server.gateway.identifies, server.gateway.resumes) == (1, 1)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
    assert said(server, room) == ["ahoy one", "ahoy two"]
