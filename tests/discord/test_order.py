"""Order in a place: who waits for whom, and for whom nobody waits."""

import asyncio
from collections.abc import AsyncIterator

from bot.discord.incoming.places import FULL, MOST_WAITING
from selfedit import protocol as say
from tests.discord.clients import SECONDS
from tests.discord.crew import aboard
from tests.fakes.brain import ScriptedBrain
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, User
from tests.fakes.plans import plan
from tests.fakes.steward import STATUS

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


async def test_a_place_that_is_full_says_so(server: DiscordServer, room: Channel, ann: User) -> None:
    """More questions than may wait are not taken; their author is told once, and all the others are answered."""
    mind = Thinker("0")
    async with aboard(server, live=THINKS, mind=mind) as crew:
        asked = [server.say(ann, room, f"<@{server.bot.id}> {number}") for number in range(MOST_WAITING + 2)]
        await server.until(lambda: said(server, room))
        mind.slow["0"].set()
        await server.until(lambda: len(said(server, room)) == MOST_WAITING + 1)
        row = crew.client.inbox.row(int(asked[-1].id))
    assert said(server, room) == [FULL, *map(str, range(MOST_WAITING))]
    assert row is not None
    assert row.reason == "too many questions were waiting in that place"
