"""Order in a place: who waits for whom, and for whom nobody waits."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import discord
import pytest

from bot.discord.incoming import places
from bot.discord.incoming.catchup import CatchUp
from bot.discord.incoming.inbox import SUSPECT_TRIES, Inbox, Item, Kind, State
from bot.discord.incoming.places import FULL, Places, Question, item_of
from bot.discord.shelf import open_shelf
from selfedit import protocol as say
from tests.discord.clients import SECONDS, Listener, connected
from tests.discord.crew import aboard
from tests.fakes.brain import ScriptedBrain
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, Message, User
from tests.fakes.plans import plan
from tests.fakes.steward import STATUS

FEW = 20
"""So many questions may wait here: with as many as in earnest a test would take long."""

POST = "POST /channels/{channel_id}/messages"
THINKS = plan(
    {
        "bot/live/think/feature.py": """
            from bot.feature import Registry, Turn

            async def think(turn: Turn) -> str:
                if turn.brain is None:
                    return "nothing"
                return "".join([piece async for piece in turn.brain.answer("", turn.text, "")])

            def setup(registry: Registry) -> None:
                registry.chat(think)
        """
    }
)


class Thinker(ScriptedBrain):
    """Says a text back when it may; what it may not answer yet waits."""

    def __init__(self, *slow: str) -> None:
        super().__init__()
        self.slow = {text: asyncio.Event() for text in slow}
        self.begun: asyncio.Queue[str] = asyncio.Queue()

    async def answer(self, conversation: str, text: str, instructions: str) -> AsyncIterator[str]:
        """The same text."""
        del conversation, instructions
        self.begun.put_nowait(text)
        if text in self.slow:
            await self.slow[text].wait()
        yield text

    async def begins(self) -> str:
        """The next question on which work begins."""
        return await asyncio.wait_for(self.begun.get(), SECONDS)


def said(server: DiscordServer, room: Channel) -> list[str]:
    """What the bot said in a place, in order."""
    return [one.content for one in room.messages if one.author is server.bot]


async def test_answers_come_in_the_order_of_their_questions(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """While an answer is being worked on none to a later question is shown, but a control command is carried out at once."""
    bob = server.user("bob", guild)
    mind = Thinker("one")
    async with aboard(server, ann.id, answers={say.Status: lambda _: STATUS}, live=THINKS, mind=mind):
        server.say(ann, room, f"<@{server.bot.id}> one")
        server.say(bob, room, f"<@{server.bot.id}> two")
        assert [await mind.begins(), await mind.begins()] == ["one", "two"]
        server.say(ann, room, "/status")
        await server.until(lambda: said(server, room))
        assert said(server, room) not in (["one"], ["two"])
        mind.slow["one"].set()
        await server.until(lambda: len(said(server, room)) == 3)
    assert said(server, room)[1:] == ["one", "two"]


async def test_nobody_is_answered_twice_at_once(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """Work on somebody's second question begins after the first is answered; others are worked on meanwhile."""
    bob = server.user("bob", guild)
    mind = Thinker("one")
    async with aboard(server, live=THINKS, mind=mind):
        for author, text in ((ann, "one"), (ann, "two"), (bob, "three")):
            server.say(author, room, f"<@{server.bot.id}> {text}")
        assert [await mind.begins(), await mind.begins()] == ["one", "three"]
        mind.slow["one"].set()
        assert await mind.begins() == "two"
        await server.until(lambda: len(said(server, room)) == 3)
    assert said(server, room) == ["one", "two", "three"]


async def test_places_do_not_wait_for_each_other(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """What is stuck in one place holds up no other, not even for the same person."""
    other = server.room(guild, "other")
    mind = Thinker("one")
    async with aboard(server, live=THINKS, mind=mind):
        server.say(ann, room, f"<@{server.bot.id}> one")
        server.say(ann, other, f"<@{server.bot.id}> two")
        await server.until(lambda: said(server, other))
        assert said(server, room) == []
        mind.slow["one"].set()
        await server.until(lambda: said(server, room))


async def test_a_place_that_is_full_says_so(
    server: DiscordServer, room: Channel, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More questions than may wait are not taken; their author is told once, and all the others are answered."""
    monkeypatch.setattr(places, "MOST_WAITING", FEW)
    mind = Thinker("0")
    async with aboard(server, live=THINKS, mind=mind) as crew:
        asked = [server.say(ann, room, f"<@{server.bot.id}> {number}") for number in range(FEW + 2)]
        await server.until(lambda: said(server, room))
        mind.slow["0"].set()
        await server.until(lambda: len(said(server, room)) == FEW + 1)
        row = crew.client.inbox.row(int(asked[-1].id))
    assert said(server, room) == [FULL, *map(str, range(FEW))]
    assert row is not None
    assert row.reason == "too many questions were waiting in that place"


async def test_what_waited_comes_before_what_is_heard_in_the_moment_a_place_is_read(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Where a message arrives while the last of what was left is restored, those that were waiting are taken first."""
    texts = ["left", "early", "late"]
    async with connected(server, Listener()) as client:
        for text in texts:
            server.say(ann, room, f"<@{server.bot.id}> {text}")
        left, early, late = [await client.next() for _ in texts]
        inbox, answered = Inbox(sqlite3.connect(":memory:", isolation_level=None)), list[int]()
        inbox.accept(item_of(left, Kind.CHAT))
        hearing: list[asyncio.Task[None]] = []

        async def answer(question: Question) -> None:
            answered.append(question.message.id)

        async def hear(message: discord.Message) -> None:
            catch_up.hear(message)

        def where(item: Item) -> discord.PartialMessageable:
            if item.id == left.id:  # the last step of reading: whoever waits is woken after this one is heard
                hearing.append(asyncio.create_task(hear(late)))
            return client.get_partial_messageable(item.channel, guild_id=item.guild)

        places = Places(inbox, answer, where)
        catch_up = CatchUp(client, inbox, places, lambda _: Kind.CHAT)
        catch_up.begin(missed=False)
        hearing.append(asyncio.create_task(hear(early)))
        await catch_up.idle()
        await asyncio.gather(*hearing)
        await places.idle()
    assert answered == [left.id, early.id, late.id]


def suspect(home: Path, message: Message) -> int:
    """Leave a message as processes do that ended while they answered it; its id."""
    channel, inbox, asked = message.channel, Inbox(open_shelf(home)), int(message.id)
    guild = int(channel.guild.id) if channel.guild else None
    inbox.accept(Item(asked, int(channel.id), guild, int(message.author.id)))
    for _ in range(SUSPECT_TRIES):
        inbox.begin(asked)
    return asked


async def test_what_may_have_ended_the_process_is_tried_one_at_a_time(
    server: DiscordServer, guild: Guild, room: Channel, ann: User, tmp_path: Path
) -> None:
    """While one suspect is worked on another waits, also elsewhere, and others are answered; in the end all are."""
    direct, other = server.direct(ann), server.room(guild, "other")
    suspect(tmp_path, server.say(ann, room, f"<@{server.bot.id}> one"))
    suspect(tmp_path, server.say(ann, direct, "two"))
    mind = Thinker("one", "two")
    async with aboard(server, home=tmp_path, live=THINKS, mind=mind) as crew:
        first = await mind.begins()
        server.say(ann, other, f"<@{server.bot.id}> three")
        await server.until(lambda: said(server, other) == ["three"])
        assert [await mind.begins(), mind.begun.qsize()] == ["three", 0]
        mind.slow[first].set()
        second = await mind.begins()
        assert {first, second} == {"one", "two"}
        mind.slow[second].set()
        await crew.client.idle()
    assert (said(server, room), said(server, direct)) == (["one"], ["two"])


async def test_what_may_have_ended_the_process_waits_until_it_is_steady(
    server: DiscordServer, guild: Guild, room: Channel, ann: User, tmp_path: Path
) -> None:
    """Until the process has been up for a while a suspect is not begun, nor what comes after it, and counts no try."""
    bob, other = server.user("bob", guild), server.room(guild, "other")
    first = suspect(tmp_path, server.say(ann, room, f"<@{server.bot.id}> one"))
    mind = Thinker()
    async with aboard(server, home=tmp_path, live=THINKS, mind=mind, calm_seconds=3_600.0):
        server.say(bob, room, f"<@{server.bot.id}> two")
        server.say(bob, other, f"<@{server.bot.id}> three")
        await server.until(lambda: said(server, other))
        assert [await mind.begins(), mind.begun.qsize()] == ["three", 0]
    left = Inbox(open_shelf(tmp_path)).unfinished()
    one, two = (row for row in left if row.item.channel == int(room.id))
    assert (one.item.id, one.state, one.tries) == (first, State.ACCEPTED, SUSPECT_TRIES)
    assert (two.state, two.tries) == (State.ACCEPTED, 0)
    async with aboard(server, home=tmp_path, live=THINKS, mind=mind):
        await server.until(lambda: len(said(server, room)) == 2)
    assert said(server, room) == ["one", "two"]
