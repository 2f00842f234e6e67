"""An answer on Discord while it is written, and when it is done."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from bot.discord.conversation.answering import UNFINISHED, Pace, unfinished
from bot.discord.conversation.layout import LONGEST
from tests.discord.crew import Crew, aboard
from tests.fakes.brain import ScriptedBrain
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Message, User
from tests.fakes.plans import plan

EDIT = "PATCH /channels/{channel_id}/messages/{message_id}"
SEND = "POST /channels/{channel_id}/messages"
AT_ONCE, NEVER = Pace(0.0, 0.0), Pace(0.0, 3_600.0)
LIVE = plan(
    {
        "bot/live/chat/feature.py": """
            from bot.feature import Registry, Turn

            async def reply(turn: Turn) -> str:
                if turn.brain is None:
                    return "no brain"
                pieces = []
                async for piece in turn.brain.answer(turn.conversation, turn.text, ""):
                    pieces.append(piece)
                    turn.show(piece)
                text = "".join(pieces)
                return "in the end something else" if "changes" in text else text

            def setup(registry: Registry) -> None:
                registry.chat(reply)
        """
    }
)
LINK = "That [is it](https://example.org/a) then. "
CODE = "Look:\n\n```py\n" + "".join(f"line_{at} = {at}\n" for at in range(250)) + "```\n\n" + LINK * 9
TABLES = (
    "| name | number |\n|---|---|\n" + "".join(f"| cell {at} | {at} |\n" for at in range(30)) + "\n" + LINK
) * 5
STEP = 331
"""Characters that the model says at once."""


class SlowBrain(ScriptedBrain):
    """A model that says a piece whenever the test hands it one; None ends the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self.begun = asyncio.Event()

    async def answer(self, conversation: str, text: str, instructions: str) -> AsyncIterator[str]:
        """What the test says."""
        self.asked.append((conversation, text, instructions))
        self.begun.set()
        while (piece := await self.pieces.get()) is not None:
            yield piece

    def say(self, *pieces: str | None) -> None:
        """Say these pieces next."""
        for piece in pieces:
            self.pieces.put_nowait(piece)


@asynccontextmanager
async def asked(
    server: DiscordServer, room: Channel, ann: User, pace: Pace = AT_ONCE, secrets: tuple[str, ...] = ()
) -> AsyncIterator[tuple[SlowBrain, Crew]]:
    """The bot, asked something by ann, and the model that is to answer."""
    brain = SlowBrain()
    async with aboard(server, live=LIVE, mind=brain, pace=pace, secrets=secrets) as crew:
        server.say(ann, room, f"<@{server.bot.id}> tell me")
        await brain.begun.wait()
        yield brain, crew


def ours(server: DiscordServer, room: Channel) -> list[Message]:
    """What the bot says in a place."""
    return [one for one in room.messages if one.author is server.bot]


def says(server: DiscordServer, room: Channel, *contents: str) -> bool:
    """Whether the bot's messages in a place are these."""
    return [one.content for one in ours(server, room)] == [*contents]


async def test_an_answer_grows_and_is_whole_in_the_end(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """It is a reply that says it is unfinished until it is not; half words are not shown."""
    async with asked(server, room, ann) as (brain, _):
        brain.say("Hello th")
        await server.until(lambda: says(server, room, f"Hello\n{UNFINISHED}"))
        brain.say("ere, ann")
        await server.until(lambda: says(server, room, f"Hello there,\n{UNFINISHED}"))
        brain.say(None)
        await server.until(lambda: says(server, room, "Hello there, ann"))
    told = ours(server, room)[0]
    assert told.data["message_reference"]["message_id"] == room.messages[0].id
    assert told.nonce
    assert told.pings == frozenset()
    assert told.data["flags"] & 1 << 2, "links are visited for previews"


async def test_a_short_answer_is_sent_at_once(server: DiscordServer, room: Channel, ann: User) -> None:
    """What is soon there is never shown as unfinished."""
    async with asked(server, room, ann, Pace(3_600.0, 0.0)) as (brain, _):
        brain.say("Hello ", "there", None)
        await server.until(lambda: says(server, room, "Hello there"))
    assert ours(server, room)[0].contents == ["Hello there"]


async def test_what_is_returned_takes_the_place_of_what_was_shown(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """The end counts, whatever was shown on the way."""
    async with asked(server, room, ann) as (brain, _):
        brain.say("my mind changes ")
        await server.until(lambda: ours(server, room))
        brain.say(None)
        await server.until(lambda: says(server, room, "in the end something else"))


@pytest.mark.parametrize("text", [CODE, TABLES], ids=["code", "tables"])
async def test_every_state_that_is_shown_is_sound(
    server: DiscordServer, room: Channel, ann: User, text: str
) -> None:
    """Whenever somebody looks, blocks are closed, lines of tables and links are whole, and nothing is too long."""

    def shown() -> list[str]:
        return [said for one in room.log.values() if one.author is server.bot for said in one.contents]

    def more_than(before: int) -> bool:
        return len(shown()) > before

    async with asked(server, room, ann) as (brain, _):
        for at in range(0, len(text), STEP):
            before = len(shown())
            brain.say(text[at : at + STEP])
            await server.until(partial(more_than, before))
        brain.say(None)
        await server.until(lambda: ours(server, room)[-1].content.endswith(text.rstrip()[-20:]))
    for content in shown():
        assert len(content) <= LONGEST + 50
        assert content.count("```") % 2 == 0
        assert content.count("[is it]") == content.count("[is it](https://example.org/a)")
        assert all(line.endswith("|") for line in content.split("\n") if line.startswith("|"))
    assert not any(UNFINISHED in one.content for one in ours(server, room))
    final = "".join(one.content for one in ours(server, room))
    assert re.sub(r"```(py)?|\s", "", final) == re.sub(r"```(py)?|\s", "", text)


async def test_pieces_make_no_storm(server: DiscordServer, room: Channel, ann: User) -> None:
    """However many pieces come, Discord hears of them at the pace that it likes, and then of the whole."""
    async with asked(server, room, ann, NEVER) as (brain, _):
        brain.say("one ")
        await server.until(lambda: ours(server, room))
        brain.say(*("word " for _ in range(300)), None)
        await server.until(lambda: ours(server, room)[0].content.count("word") == 300)
    assert len(server.rest.made(*EDIT.split())) == 1


@pytest.mark.parametrize("trouble", ["refused", "limited"])
async def test_a_failed_edit_does_not_lose_the_answer(
    server: DiscordServer, room: Channel, ann: User, trouble: str
) -> None:
    """Whatever becomes of a state in between, the last one gets there."""
    async with asked(server, room, ann) as (brain, _):
        brain.say("one ")
        await server.until(lambda: ours(server, room))
        if trouble == "refused":
            server.faults.fail(EDIT, 400, code=50035)
        else:
            server.faults.limit(EDIT, 0.2)
        brain.say("two ")
        await server.until(lambda: server.rest.made(*EDIT.split()))
        brain.say("three", None)
        await server.until(lambda: says(server, room, "one two three"))


async def test_a_long_answer_ends_as_its_beginning_and_a_file(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """What would push away what others say is taken together when it is done."""
    text = "".join(f"word {at} " for at in range(2_000))
    async with asked(server, room, ann) as (brain, _):
        brain.say(text[:9_000])
        await server.until(lambda: len(ours(server, room)) == 5)
        brain.say(text[9_000:], None)
        await server.until(lambda: len(ours(server, room)) == 1)
    told = ours(server, room)[0]
    assert told.content.endswith("all of it is in the file.")
    assert [one["filename"] for one in told.data["attachments"]] == ["answer.md"]


async def test_a_secret_is_not_shown_on_the_way(server: DiscordServer, room: Channel, ann: User) -> None:
    """A key of this process never stands anywhere, though it comes in pieces."""
    secret = "quite/unlike-any-other-key"
    async with asked(server, room, ann, secrets=(secret,)) as (brain, _):
        brain.say("It is ", secret[:9])
        await server.until(lambda: ours(server, room))
        brain.say(secret[9:], " . ")
        await server.until(lambda: "(hidden)" in ours(server, room)[0].content)
        brain.say(None)
        await server.until(lambda: says(server, room, "It is (hidden) ."))
    assert not any(secret[:9] in content for content in ours(server, room)[0].contents)


async def test_typing_ends_with_the_first_thing_to_read(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """The sign that something is written stands until something is there."""
    async with asked(server, room, ann) as (brain, _):
        await server.until(lambda: server.rest.made("POST", "/channels/{channel_id}/typing"))
        brain.say("one ")
        await server.until(lambda: ours(server, room))
        brain.say(None)
        await server.until(lambda: says(server, room, "one"))
    assert len(server.rest.made("POST", "/channels/{channel_id}/typing")) == 1


async def test_the_answer_to_a_command_grows_as_well(server: DiscordServer, room: Channel, ann: User) -> None:
    """What is used as a command is answered where it was promised, at the same pace."""
    brain = SlowBrain()
    async with aboard(server, live=LIVE, mind=brain):
        used = server.slash(ann, room, "chat", prompt="tell me")
        await brain.begun.wait()
        brain.say("Hello th")
        await server.until(lambda: used.text == f"Hello\n{UNFINISHED}")
        brain.say("ere", None)
        await server.until(lambda: used.text == "Hello there")
    assert len(ours(server, room)) == 1


async def test_a_command_whose_promise_has_expired_is_answered_in_the_channel(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """When the answer can no longer be given where it was promised, it is said in the channel whose it is, and grows there."""
    brain = SlowBrain()
    async with aboard(server, live=LIVE, mind=brain):
        server.slash(ann, room, "chat", prompt="tell me")
        await brain.begun.wait()
        server.faults.fail("PATCH /webhooks/{webhook_id}/{webhook_token}/messages/@original", 401, code=50027)
        brain.say("Hello th")
        await server.until(lambda: f"Hello\n{UNFINISHED}" in [one.content for one in ours(server, room)])
        brain.say("ere", None)
        await server.until(lambda: "Hello there" in [one.content for one in ours(server, room)])
    said = [one.content for one in ours(server, room) if one.content]
    assert said == ["This is for ann, who used /chat a while ago:", "Hello there"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", []),
        ("word", []),
        ("see [the lin", [f"see\n{UNFINISHED}"]),
        ("see [the link](https://exa", [f"see\n{UNFINISHED}"]),
        ("```py\nx = 1\ny", [f"```py\nx = 1\n```\n{UNFINISHED}"]),
        ("a:\n| b | c ", [f"a:\n{UNFINISHED}"]),
        ("你好吗", [f"你好吗\n{UNFINISHED}"]),
    ],
)
def test_what_is_shown_of_a_beginning(text: str, shown: list[str]) -> None:
    """Half words, links and lines of tables wait; scripts without spaces do not."""
    assert unfinished(text) == shown
