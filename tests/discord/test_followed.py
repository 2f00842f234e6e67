"""What becomes of questions that are edited or deleted, and of places that are gone."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from bot.discord.commands import menus
from bot.discord.conversation.followed import AGAIN_SECONDS, MOST_AGAIN
from tests.discord.clients import SECONDS
from tests.discord.crew import aboard
from tests.discord.talking import Talk, talking
from tests.fakes.discord.interactions import Interaction
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, Message, User

SEND = "POST /channels/{channel_id}/messages"
TYPING = "POST /channels/{channel_id}/typing"


def place(room: Channel) -> str:
    """The stable id of a place."""
    assert room.guild is not None
    return f"discord:{room.guild.id}/{room.id}"


def hearing(talk: Talk, event: str) -> asyncio.Task[Any]:
    """Wait, from now on, for something that the client hears; what it does then was begun by that time."""
    return asyncio.create_task(talk.client.wait_for(event, timeout=SECONDS))


async def forgotten(talk: Talk, room: Channel, said: Message | Interaction) -> None:
    """Wait until nothing is remembered of what was said."""
    assert not talk.brain.knows(place(room), said.id)
    assert talk.brain.turns is not None
    assert talk.brain.turns.of(place(room), said.id) is None


async def deleted_meanwhile(talk: Talk, server: DiscordServer, room: Channel, ann: User, at: str) -> Message:
    """A question that is deleted while the bot has begun a request of this kind for it, when all that follows is done."""
    go_on = server.faults.hold(at)
    said = server.say(ann, room, f"<@{server.bot.id}> where to sail?")
    await server.until(lambda: server.rest.made(*at.split()))
    heard = hearing(talk, "raw_message_delete")
    server.delete(said)
    await heard
    go_on.set()
    await talk.client.idle()
    return said


@pytest.mark.parametrize("which", ["question", "answer", "both"])
async def test_what_is_deleted_is_forgotten(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path, which: str
) -> None:
    """With its question or its answer, an exchange is gone from memory and disk; others stay."""
    async with talking(server, tmp_path, "north", "tea", "well") as talk:
        said, told = await talk.ask(ann, room, "where to sail?")
        await talk.ask(ann, room, "what to drink?")
        assert talk.brain.knows(place(room), said.id)
        gone = {"question": [said], "answer": [told], "both": [said, told]}[which]
        heard = hearing(talk, "raw_bulk_message_delete" if which == "both" else "raw_message_delete")
        server.delete(*gone)
        await heard
        await forgotten(talk, room, said)
        await talk.ask(ann, room, "and now?")
        assert talk.shown == ["what to drink?", "tea", "and now?"]


async def test_a_question_that_is_deleted_while_it_is_answered_is_stopped(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """No model is asked any more, nothing is said, and nothing is remembered."""
    async with talking(server, tmp_path, "north") as talk:
        said = await deleted_meanwhile(talk, server, room, ann, TYPING)
        assert room.messages == []
        assert talk.model.script.requests == []
        row = talk.client.inbox.row(int(said.id))
        assert row is not None
        assert row.reason == "its author deleted it"


async def test_an_answer_on_its_way_is_taken_back_with_its_question(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """A question that is deleted while its answer is being sent leaves neither answer nor memory."""
    async with talking(server, tmp_path, "north") as talk:
        said = await deleted_meanwhile(talk, server, room, ann, SEND)
        assert room.messages == []
        assert not talk.brain.knows(place(room), said.id)


@pytest.mark.parametrize(
    "when", [(TYPING, "south"), (SEND, "the moon", "south")], ids=["thinking", "sending"]
)
async def test_a_question_that_is_edited_while_it_is_answered_is_answered_as_it_reads_now(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path, when: tuple[str, ...]
) -> None:
    """The work begins again with the new words; there is one answer, and one exchange that is remembered."""
    at, *says = when
    async with talking(server, tmp_path, *says) as talk:
        go_on = server.faults.hold(at)
        said = server.say(ann, room, f"<@{server.bot.id}> where to fly?")
        await server.until(lambda: server.rest.made(*at.split()))
        heard = hearing(talk, "raw_message_edit")
        server.edit(said, f"<@{server.bot.id}> where to sail?")
        await heard
        go_on.set()
        told = await talk.answer(said)
        assert told.content == "south"
        assert talk.shown == ["where to sail?"]
        assert talk.brain.turns is not None
        newest = talk.brain.turns.newest(place(room), 9)
    assert [each.question for each in newest] == ["where to sail?"]
    assert len(room.messages) == 2


async def test_a_question_cannot_be_edited_into_a_command(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """What becomes a command of the kernel by an edit is not carried out, before its answer and after."""
    async with talking(server, tmp_path, "north", "tea") as talk:
        go_on = server.faults.hold(TYPING)
        said = server.say(ann, room, f"<@{server.bot.id}> where to sail?")
        await server.until(lambda: server.rest.made(*TYPING.split()))
        heard = hearing(talk, "raw_message_edit")
        server.edit(said, f"<@{server.bot.id}> /halt")
        await heard
        go_on.set()
        told = await talk.answer(said)
        heard = hearing(talk, "raw_message_edit")
        server.edit(said, f"<@{server.bot.id}> /status")
        await heard
        await talk.client.idle()
    assert told.contents == ["north"]
    assert len(room.messages) == 2


async def test_the_newest_question_is_answered_anew(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """An edit soon after asking changes the answer in place, and what is remembered."""
    async with talking(server, tmp_path, "the moon", "north", "cold") as talk:
        said, told = await talk.ask(ann, room, "where to fly?")
        server.edit(said, f"<@{server.bot.id}> where to sail?")
        await server.until(lambda: told.content == "north")
        await talk.client.idle()
        assert len(room.messages) == 2
        await talk.ask(ann, room, "how is it there?")
        assert talk.shown == ["where to sail?", "north", "how is it there?"]


async def test_an_older_question_keeps_its_answer(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """Once something was asked after it, a question is only remembered as it reads now."""
    async with talking(server, tmp_path, "north", "tea", "cold") as talk:
        said, told = await talk.ask(ann, room, "where to sale?")
        await talk.ask(ann, room, "what to drink?")
        heard = hearing(talk, "raw_message_edit")
        server.edit(said, f"<@{server.bot.id}> where to sail?")
        await heard
        await talk.ask(ann, room, "how is it there?", reply_to=told)
        assert talk.shown == ["where to sail?", "north", "how is it there?"]
    assert told.contents == ["north"]
    async with talking(server, tmp_path, "far") as talk:
        await talk.ask(ann, room, "how far?", reply_to=told)
        assert talk.shown[0] == "where to sail?"


async def test_a_late_edit_changes_no_answer(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """What was asked longer ago is not answered anew, though it is the newest."""
    async with talking(server, tmp_path, "north", "cold") as talk:
        said, told = await talk.ask(ann, room, "where to sale?")
        server.world.clock = lambda: time.time() + AGAIN_SECONDS + 1
        heard = hearing(talk, "raw_message_edit")
        server.edit(said, f"<@{server.bot.id}> where to sail?")
        await heard
        await talk.client.idle()
        assert told.contents == ["north"]
        await talk.ask(ann, room, "how is it there?")
        assert talk.shown == ["where to sail?", "north", "how is it there?"]


@pytest.mark.parametrize("gone", ["channel", "thread", "server"])
async def test_with_a_place_what_was_said_there_is_forgotten(
    server: DiscordServer, guild: Guild, ann: User, tmp_path: Path, gone: str
) -> None:
    """A channel, a thread or a server that is gone takes with it what is remembered of it, and nothing else."""
    room, other = server.room(guild, "talk"), server.room(guild, "other")
    spoken = server.thread(room, ann, "aside") if gone == "thread" else room
    async with talking(server, tmp_path, "north", "tea") as talk:
        said, told = await talk.ask(ann, spoken, "where to sail?")
        kept, _ = await talk.ask(ann, other, "what to drink?")
        event = {"channel": "guild_channel_delete", "thread": "raw_thread_delete", "server": "guild_remove"}
        heard = hearing(talk, event[gone])
        if gone == "server":
            server.send_away(guild)
        else:
            server.remove(spoken)
        await heard
        await forgotten(talk, spoken, said)
        assert talk.client.followed.question_of(int(told.id)) is None
        assert talk.brain.knows(place(other), kept.id) == (gone != "server")


async def test_an_answer_written_anew_keeps_no_file_of_the_old_one(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """A short answer that takes the place of one too long for messages has no file any more."""
    async with aboard(server) as crew:
        said = server.say(ann, room, f"<@{server.bot.id}> /again 9000 abc")
        await server.until(lambda: len(room.messages) > 1)
        await crew.client.idle()
        answer = room.messages[1]
        assert len(answer.data["attachments"]) == 1
        server.edit(said, f"<@{server.bot.id}> /again 1 short")
        await server.until(lambda: answer.content.startswith("short"))
    assert answer.data["attachments"] == []


async def test_an_answer_below_a_message_is_followed_as_well(
    server: DiscordServer, room: Channel, guild: Guild, ann: User, tmp_path: Path
) -> None:
    """Who replies to the answer to a question about a message goes on from it; when it is deleted it is forgotten."""
    about = server.say(server.user("bob", guild), room, "where to sail?")
    async with talking(server, tmp_path, "north", "cold", "well") as talk:
        server.faults.fail(SEND, 503)
        opened = server.menu(ann, room, menus.ASK, about)
        await server.until(lambda: opened.form)
        used = server.modal(ann, opened, prompt="what is meant?", seen_by=["everyone"])
        await server.until(lambda: used.done)
        (answer,) = [one for one in room.messages if one.author is server.bot]
        assert answer.content.endswith("north")
        await talk.ask(ann, room, "how is it there?", reply_to=answer)
        assert talk.shown[-3:-1] == [talk.shown[-3], "north"]
        assert "what is meant?" in talk.shown[-3]
        assert talk.brain.knows(place(room), used.id)
        heard = hearing(talk, "raw_message_delete")
        server.delete(answer)
        await heard
        await forgotten(talk, room, used)


@pytest.mark.parametrize("at", [0, 1], ids=["first", "last"])
async def test_an_answer_that_is_deleted_while_it_grows_is_stopped(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path, at: int
) -> None:
    """Whichever of its messages somebody deletes, the rest is taken back and the exchange is forgotten."""
    async with talking(server, tmp_path, "zebra " * 900) as talk:
        server.faults.hold(SEND).set()
        server.faults.hold(SEND).set()
        go_on = server.faults.hold(SEND)
        said = server.say(ann, room, f"<@{server.bot.id}> where to sail?")
        await server.until(lambda: len(room.messages) == 3)
        heard = hearing(talk, "raw_message_delete")
        server.delete(room.messages[1 + at])
        await heard
        go_on.set()
        await talk.client.idle()
        assert room.messages == [said]
        await forgotten(talk, room, said)
        row = talk.client.inbox.row(int(said.id))
        assert row is not None
        assert row.reason == "its answer was deleted"


async def test_a_question_that_is_deleted_with_part_of_its_answer_leaves_nothing(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """What is purged while the answer grows is gone, and so is the rest of the answer."""
    async with talking(server, tmp_path, "zebra " * 900) as talk:
        server.faults.hold(SEND).set()
        server.faults.hold(SEND).set()
        go_on = server.faults.hold(SEND)
        said = server.say(ann, room, f"<@{server.bot.id}> where to sail?")
        await server.until(lambda: len(room.messages) == 3)
        heard = hearing(talk, "raw_bulk_message_delete")
        server.delete(said, room.messages[1])
        await heard
        go_on.set()
        await talk.client.idle()
        assert room.messages == []
        await forgotten(talk, room, said)


async def test_edits_ask_a_model_a_few_times_only(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """Over `MOST_AGAIN` edits a question keeps its answer, and is remembered as it reads now."""
    async with talking(server, tmp_path, *(f"answer {at}" for at in range(9))) as talk:
        said, told = await talk.ask(ann, room, "where to fly?")
        for at in range(MOST_AGAIN + 3):
            heard = hearing(talk, "raw_message_edit")
            server.edit(said, f"<@{server.bot.id}> where to sail {at}?")
            await heard
            await talk.client.idle()
        assert told.content == f"answer {MOST_AGAIN}"
        assert len(talk.model.script.requests) == 1 + MOST_AGAIN
        await talk.ask(ann, room, "and now?")
        assert talk.shown[0] == f"where to sail {MOST_AGAIN + 2}?"


async def test_edits_while_it_is_answered_are_counted_as_well(
    server: DiscordServer, room: Channel, ann: User, tmp_path: Path
) -> None:
    """The work begins again a few times only; what is edited later is remembered."""
    async with talking(server, tmp_path, *(f"answer {at}" for at in range(9))) as talk:
        go_on = server.faults.hold(TYPING, times=99)
        said = server.say(ann, room, f"<@{server.bot.id}> where to fly?")
        await server.until(lambda: server.rest.made(*TYPING.split()))
        for at in range(MOST_AGAIN + 3):
            heard = hearing(talk, "raw_message_edit")
            server.edit(said, f"<@{server.bot.id}> where to sail {at}?")
            await heard
        go_on.set()
        await talk.answer(said)
        assert talk.shown == [f"where to sail {MOST_AGAIN - 1}?"]
        await talk.ask(ann, room, "and now?")
        assert talk.shown[0] == f"where to sail {MOST_AGAIN + 2}?"
