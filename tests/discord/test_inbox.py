"""The inbox: what was accepted is answered once, or marked lost with its reason, by this process or the next."""

import sqlite3
from pathlib import Path

import discord
import pytest
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.discord.incoming.catchup import ENDED, GONE, INTERRUPTED, SAID_ENDED, SAID_INTERRUPTED, TOO_OLD
from bot.discord.incoming.inbox import KEPT_SECONDS, MOST_TRIES, Inbox, Item, Kind, State
from bot.discord.shelf import open_shelf
from tests.discord.clients import Clock
from tests.discord.crew import aboard
from tests.fakes.discord.server import DiscordServer, serving
from tests.fakes.discord.things import Channel, Message, User

POST = "POST /channels/{channel_id}/messages"


def said(server: DiscordServer, room: Channel) -> list[str]:
    """What the bot said in a place, in order."""
    return [one.content for one in room.messages if one.author is server.bot]


def left(home: Path, message: Message, *, tries: int = 0, kind: Kind = Kind.CHAT) -> Inbox:
    """The inbox of a process that ended without a word while it answered a message so often."""
    inbox = Inbox(open_shelf(home))
    guild = message.channel.guild
    inbox.accept(
        Item(
            int(message.id),
            int(message.channel.id),
            int(guild.id) if guild else None,
            int(message.author.id),
            kind,
        )
    )
    for _ in range(tries):
        inbox.begin(int(message.id))
    return inbox


async def test_what_is_answered_is_marked_with_its_answer(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """The row of a message says which messages answer it, and nothing of what was said."""
    async with aboard(server) as crew:
        asked = server.say(ann, room, f"<@{server.bot.id}> hello")
        await server.until(lambda: said(server, room))
        await crew.client.idle()
        row = crew.client.inbox.row(int(asked.id))
        dump = "\n".join(crew.client.shelf.iterdump())
    assert row is not None
    assert (row.state, row.tries) == (State.ANSWERED, 1)
    assert row.answers == {0: int(room.messages[-1].id)}
    assert "hello" not in dump


async def test_what_the_last_process_accepted_is_answered_by_the_next(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """A message that was accepted is read again and answered, before what is said then, in a server and between two."""
    direct = server.direct(ann)
    inboxes = [
        left(tmp_path, server.say(ann, room, f"<@{server.bot.id}> one"), tries=1),
        left(tmp_path, server.say(ann, direct, "two")),
    ]
    async with aboard(server, home=tmp_path) as crew:
        server.say(ann, room, f"<@{server.bot.id}> three")
        await server.until(lambda: len(said(server, room)) == 2 and said(server, direct))
        await crew.client.idle()
    assert said(server, room) == ["ahoy one", "ahoy three"]
    assert said(server, direct) == ["ahoy two"]
    assert inboxes[0].unfinished() == []


async def test_an_end_in_good_order_is_no_failed_try(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """Work that is broken off by an orderly end goes on in the next process, as if it had not begun."""
    async with aboard(server, home=tmp_path) as crew:
        server.faults.hold(POST)
        server.say(ann, room, f"<@{server.bot.id}> hello")
        await server.until(lambda: server.rest.made(*POST.split()))
        [row] = crew.client.inbox.unfinished()
        assert (row.state, row.tries) == (State.ANSWERING, 1)
    [row] = Inbox(open_shelf(tmp_path)).unfinished()
    assert (row.state, row.tries) == (State.ACCEPTED, 0)
    async with aboard(server, home=tmp_path):
        await server.until(lambda: said(server, room))
    assert said(server, room) == ["ahoy hello"]


@pytest.mark.parametrize("tries", [0, 1])
async def test_an_answer_that_was_out_is_not_given_again(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path, tries: int
) -> None:
    """Where the last process had sent an answer and could not write that down, the next finds it and changes that one."""
    asked = server.say(ann, room, f"<@{server.bot.id}> hello")
    server.say(server.bot, room, "aho", reply_to=asked)
    left(tmp_path, asked, tries=tries)
    async with aboard(server, home=tmp_path) as crew:
        await server.until(lambda: said(server, room) == ["ahoy hello"])
        await crew.client.idle()
    assert len(server.rest.made(*POST.split())) == 0


@pytest.mark.parametrize("kind", [Kind.CHAT, Kind.CONTROL])
async def test_what_ended_the_process_again_and_again_is_left(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path, kind: Kind
) -> None:
    """Neither a message that ended the process that often nor a control command is tried again; its author is told."""
    asked = server.say(ann, room, f"<@{server.bot.id}> hello")
    inbox = left(tmp_path, asked, tries=MOST_TRIES if kind is Kind.CHAT else 1, kind=kind)
    async with aboard(server, home=tmp_path) as crew:
        await server.until(lambda: said(server, room))
        await crew.client.idle()
    row = inbox.row(int(asked.id))
    assert row is not None
    told = (SAID_ENDED, ENDED) if kind is Kind.CHAT else (SAID_INTERRUPTED, INTERRUPTED)
    assert (said(server, room)[0], row.reason) == told
    assert row.state is State.LOST


async def test_what_was_deleted_meanwhile_is_lost(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """A message that its author took away before the next process could read it is marked so."""
    asked = server.say(ann, room, f"<@{server.bot.id}> hello")
    inbox = left(tmp_path, asked)
    server.delete(asked)
    async with aboard(server, home=tmp_path):
        server.say(ann, room, f"<@{server.bot.id}> there")
        await server.until(lambda: said(server, room))
    row = inbox.row(int(asked.id))
    assert row is not None
    assert (row.state, row.reason) == (State.LOST, GONE)


@pytest.mark.usefixtures("server")
async def test_what_was_said_long_ago_is_lost(tmp_path: Path) -> None:
    """What was said more than an hour before the bot came back is marked so, and what is newer is answered."""
    now = Clock()
    now.seconds = discord.utils.utcnow().timestamp() - 7200
    async with serving(clock=now) as past:
        guild = past.guild("Harbour")
        room, ann = past.room(guild, "general"), past.user("ann", guild)
        first = past.say(ann, room, "before")
        old = past.say(ann, room, f"<@{past.bot.id}> one")
        now.seconds += 7200
        past.say(ann, room, f"<@{past.bot.id}> two")
        inbox = Inbox(open_shelf(tmp_path))
        inbox.heard(int(room.id), int(guild.id), int(first.id))
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = past.api, yarl.URL(past.gateway.url)
        async with aboard(past, home=tmp_path):
            await past.until(lambda: said(past, room))
    row = inbox.row(int(old.id))
    assert row is not None
    assert (row.state, row.reason) == (State.LOST, TOO_OLD)
    assert said(past, room) == ["ahoy two"]


@pytest.mark.parametrize("minutes", [1, 20])
async def test_an_interrupted_command_is_told_and_not_carried_out_again(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path, minutes: int
) -> None:
    """Who used a command when the process ended is told so: in its place while that can be done, later in the channel."""
    server.world.clock = now = Clock()
    now.seconds = discord.utils.utcnow().timestamp()
    async with aboard(server, ann.id, home=tmp_path) as crew:
        server.faults.hold("PATCH /webhooks/*")
        used = server.slash(ann, room, "say")
        await server.until(lambda: any(call.method == "PATCH" for call in server.rest.calls))
        assert crew.client.inbox.unfinished()
        server.gateway.sessions.clear()
    now.seconds += minutes * 60
    inbox = Inbox(open_shelf(tmp_path))
    async with aboard(server, ann.id, home=tmp_path) as crew:
        await crew.client.idle()
    row = inbox.row(int(used.id))
    assert row is not None
    assert (row.state, row.reason, row.item.token) == (State.LOST, INTERRUPTED, "")
    if minutes < 15:
        assert used.text == SAID_INTERRUPTED
        assert said(server, room) in ([SAID_INTERRUPTED], [])
    else:
        assert SAID_INTERRUPTED in said(server, room)[-1]
    assert all(one.pings == frozenset() for one in room.messages)


@pytest.mark.parametrize(("tries", "then"), [(2, (2, 2)), (3, (3, 1))])
def test_only_a_suspect_is_to_blame(tries: int, then: tuple[int, int]) -> None:
    """Where the process ended while a suspect was being answered, what was answered beside it is no try older."""
    shelf = sqlite3.connect(":memory:", isolation_level=None)
    inbox = Inbox(shelf)
    for thing, times in ((1, tries), (2, 2), (3, 0)):
        inbox.accept(Item(thing, 10, None, 20))
        for _ in range(times):
            inbox.begin(thing)
    found = [(row.state, row.tries) for row in Inbox(shelf).left()]
    assert found == [(State.ACCEPTED, each) for each in (*then, 0)]
    assert [row.tries for row in Inbox(shelf).left()] == [*then, 0]


def test_old_rows_are_forgotten_and_unfinished_ones_kept() -> None:
    """A process that begins forgets what was finished two days ago, with its answers; what is not finished stays."""
    now, shelf = Clock(), sqlite3.connect(":memory:", isolation_level=None)
    inbox = Inbox(shelf, now)
    for thing in (1, 2):
        assert inbox.accept(Item(thing, 10, None, 20))
        inbox.begin(thing)
        inbox.sent(thing, 0, 100 + thing)
    assert not inbox.accept(Item(1, 10, None, 20))
    inbox.answered(1)
    now.seconds += KEPT_SECONDS + 1
    inbox = Inbox(shelf, now)
    assert inbox.row(1) is None
    assert [row.item.id for row in inbox.unfinished()] == [2]
    assert inbox.counts() == {
        State.ACCEPTED: 0,
        State.ANSWERING: 1,
        State.ANSWERED: 0,
        State.LOST: 0,
    }
