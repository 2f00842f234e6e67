"""Messages, reactions, files, threads and direct messages, with the unmodified client."""

import io
from collections.abc import Callable

import discord
import pytest

from tests.discord.clients import Listener, connected
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, User

PNG = b"\x89PNG made up"


async def test_what_people_write_is_heard_and_answered(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """A message arrives with its author, place and text, and a reply to it stands below it."""
    async with connected(server, Listener()) as client:
        said = server.say(ann, room, "hello")
        heard = await client.next()
        assert (heard.content, heard.author.name, heard.guild and heard.guild.name) == (
            "hello",
            "ann",
            guild.name,
        )
        await heard.reply("aye", mention_author=False)
    answer = room.messages[-1]
    assert (answer.content, answer.data["message_reference"]["message_id"]) == ("aye", said.id)
    assert answer.pings == frozenset()


async def test_an_answer_grows_in_place(server: DiscordServer, room: Channel) -> None:
    """Edits change the one message, and what it said before is kept for the test to see."""
    async with connected(server, Listener()) as client:
        sent = await _room(client, room).send("a")
        await sent.edit(content="ab")
        await sent.edit(content="abc")
    assert [one.contents for one in room.messages] == [["a", "ab", "abc"]]


async def test_changes_by_others_are_heard(server: DiscordServer, room: Channel, ann: User) -> None:
    """Edits, removals, reactions and typing of people reach the client."""
    intents = discord.Intents.all()
    async with connected(server, Listener(intents)) as client:
        said = server.say(ann, room, "helo")
        await client.next()
        acts: dict[str, Callable[[], None]] = {
            "message_edit": lambda: server.edit(said, "hello"),
            "reaction_add": lambda: server.react(ann, said, "👍"),
            "reaction_remove": lambda: server.react(ann, said, "👍", on=False),
            "typing": lambda: server.type(ann, room),
            "message_delete": lambda: server.delete(said),
        }
        for name, act in acts.items():
            act()
            await client.wait_for(name, timeout=5)
        both = [server.say(ann, room, text) for text in "ab"]
        await client.next()
        await client.next()
        server.delete(*both)
        await client.wait_for("bulk_message_delete", timeout=5)


async def test_files_go_both_ways(server: DiscordServer, room: Channel, ann: User) -> None:
    """What somebody attaches can be read byte for byte, and what the bot attaches arrives with its description."""
    async with connected(server, Listener()) as client:
        server.say(ann, room, "see", attachments={"a.txt": b"one\n", "b.png": PNG})
        heard = await client.next()
        assert [await one.read() for one in heard.attachments] == [b"one\n", PNG]
        assert heard.attachments[1].content_type == "image/png"
        file = discord.File(io.BytesIO(b"diff"), "change.diff", description="what changes")
        await heard.channel.send("here", file=file)
    attached = room.messages[-1].data["attachments"]
    assert [(one["filename"], one["size"], one["description"]) for one in attached] == [
        ("change.diff", 4, "what changes")
    ]
    assert b"diff" in server.world.files.values()


async def test_history_is_read_from_every_side(server: DiscordServer, room: Channel, ann: User) -> None:
    """Before, after, around and a limit choose among messages as they do on Discord."""
    said = [server.say(ann, room, str(at)) for at in range(7)]
    here = [discord.Object(int(one.id)) for one in said]
    async with connected(server, Listener()) as client:
        place = _room(client, room)

        async def read(**wanted: discord.Object | int | bool) -> str:
            return "".join([one.content async for one in place.history(**wanted)])  # type: ignore[arg-type]

        assert await read(limit=3) == "654"
        assert await read(before=here[3]) == "210"
        assert await read(after=here[3]) == "456"
        assert await read(after=here[3], limit=2) == "45"
        assert await read(around=here[3], limit=3) == "432"
        assert (await place.fetch_message(int(said[2].id))).content == "2"
        await place.delete_messages(here[:2])
        assert await read(oldest_first=True) == "23456"


async def test_nobody_is_woken_who_may_not_be(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """Mentions in a text wake only whom the message allows."""
    role = server.role(guild, "crew")
    text = f"<@{ann.id}> <@&{role.id}> @everyone"
    async with connected(server, Listener()) as client:
        place = _room(client, room)
        await place.send(text)
        await place.send(text, allowed_mentions=discord.AllowedMentions(users=[discord.Object(int(ann.id))]))
        await place.send(text, allowed_mentions=discord.AllowedMentions.all())
    everybody = frozenset({ann.id, role.id, "everyone"})
    assert [one.pings for one in room.messages] == [frozenset(), frozenset({ann.id}), everybody]


async def test_reactions_and_typing_of_the_bot_are_seen(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """The bot can react, take its reaction back, ask who reacted, and show that it writes."""
    said = server.say(ann, room, "nice")
    server.react(ann, said, "🚢")
    async with connected(server, Listener()) as client:
        place = _room(client, room)
        async with place.typing():
            message = await place.fetch_message(int(said.id))
        await message.add_reaction("👀")
        await message.remove_reaction("👀", discord.Object(int(server.bot.id)))
        await message.add_reaction("🚢")
        message = await place.fetch_message(int(said.id))
        assert [(str(one.emoji), one.count, one.me) for one in message.reactions] == [("🚢", 2, True)]
        assert {one.id async for one in message.reactions[0].users()} == {int(ann.id), int(server.bot.id)}
    assert server.rest.made("POST", "/channels/{channel_id}/typing")


async def test_threads_are_opened_used_and_put_away(server: DiscordServer, room: Channel, ann: User) -> None:
    """A thread hangs below its message or stands alone, holds its own messages, and can be archived."""
    said = server.say(ann, room, "a long story")
    async with connected(server, Listener()) as client:
        message = await _room(client, room).fetch_message(int(said.id))
        below = await message.create_thread(name="story", auto_archive_duration=60)
        await below.send("once upon a time")
        await below.add_user(discord.Object(int(ann.id)))
        assert below.id == message.id
        alone = await _room(client, room).create_thread(name="alone", type=discord.ChannelType.public_thread)
        server.say(ann, server.channel(alone.id), "anybody here?")
        heard = await client.next()
        assert isinstance(heard.channel, discord.Thread)
        await alone.edit(archived=True)
        assert server.channel(alone.id).archived
        server.say(ann, server.channel(alone.id), "wake up")
        assert not server.channel(alone.id).archived
    told = server.channel(below.id)
    assert [one.content for one in told.messages] == ["once upon a time"]
    assert ann.id in told.people


async def test_a_thread_of_somebody_else_is_known(server: DiscordServer, room: Channel, ann: User) -> None:
    """The client knows of threads that people opened, before and after it connected."""
    early = server.thread(room, ann, "early")
    async with connected(server, Listener()) as client:
        assert [one.name for one in _room(client, room).threads] == ["early"]
        server.say(ann, early, "first")
        assert (await client.next()).channel.id == int(early.id)
        server.thread(room, ann, "late")
        made = await client.wait_for("thread_create", timeout=5)
        assert made.name == "late"


async def test_direct_messages_go_both_ways(server: DiscordServer, guild: Guild, ann: User) -> None:
    """Somebody writes to the bot and is answered there; the bot can write first as well."""
    async with connected(server, Listener()) as client:
        server.say(ann, server.direct(ann), "psst")
        heard = await client.next()
        assert isinstance(heard.channel, discord.DMChannel)
        await heard.channel.send("yes?")
        bob = server.user("bob", guild)
        await (await client.fetch_user(int(bob.id))).send("ahoy")
    assert [one.content for one in server.direct(ann).messages] == ["psst", "yes?"]
    assert [one.content for one in server.direct(bob).messages] == ["ahoy"]


@pytest.mark.parametrize(
    ("text", "code"), [("x" * 2001, 50035), ("", 50006), ("   ", 50006)], ids=["long", "empty", "blank"]
)
async def test_messages_that_discord_refuses_are_refused(
    server: DiscordServer, room: Channel, text: str, code: int
) -> None:
    """Too long and empty messages are turned down with the code that Discord gives."""
    async with connected(server, Listener()) as client:
        with pytest.raises(discord.HTTPException) as refused:
            await _room(client, room).send(text)
    assert refused.value.code == code
    assert room.messages == []


async def test_others_messages_are_not_the_bots_to_change(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Only its own messages can be edited, and what is gone is not found."""
    said = server.say(ann, room, "mine")
    async with connected(server, Listener()) as client:
        message = await _room(client, room).fetch_message(int(said.id))
        with pytest.raises(discord.Forbidden):
            await message.edit(content="yours")
        server.delete(said)
        with pytest.raises(discord.NotFound):
            await _room(client, room).fetch_message(int(said.id))


async def test_members_and_roles_are_known(server: DiscordServer, guild: Guild, ann: User) -> None:
    """Members come in chunks when asked for, roles with them, and a change of roles is heard."""
    server.gateway.chunk = 2
    crew = server.role(guild, "crew")
    for name in ("bob", "cem", "dee"):
        server.user(name, guild, roles=[crew])
    intents = discord.Intents.default()
    intents.members = True
    async with connected(server, Listener(intents)) as client:
        known = client.get_guild(int(guild.id))
        assert known is not None
        assert known.member_count == len(known.members) == 6
        assert {one.name for one in known.roles[-1].members} == {"bob", "cem", "dee"}
        member = await known.fetch_member(int(ann.id))
        waiting = client.wait_for("member_update", timeout=5)
        await member.add_roles(known.roles[-1])
        changed = (await waiting)[1]
        assert changed.get_role(int(crew.id)) is not None
    asked = [one["d"]["guild_id"] for one in server.gateway.received if one["op"] == 8]
    assert asked == [int(guild.id)]


def _room(client: discord.Client, room: Channel) -> discord.TextChannel:
    found = client.get_channel(int(room.id))
    assert isinstance(found, discord.TextChannel)
    return found
