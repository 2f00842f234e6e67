"""The bot on Discord: who is answered, where, and with what."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.discord.client import FORWARDED
from bot.discord.serve import point_at, serve_discord
from bot.settings import SettingProblem
from bot.theseus import Bot
from policies.load import load_rules
from selfedit import protocol as say
from tests.discord.crew import Crew, aboard, no_author
from tests.fakes.brain import ScriptedBrain
from tests.fakes.discord.gateway import ALL_INTENTS, MESSAGE_CONTENT
from tests.fakes.discord.messages import post
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, Message, User
from tests.fakes.plans import echo
from tests.fakes.steward import FakeSteward, linked


@pytest.fixture
async def crew(server: DiscordServer, ann: User) -> AsyncIterator[Crew]:
    """The bot, connected; ann is a maintainer."""
    async with aboard(server, ann.id) as one:
        yield one


async def answer(server: DiscordServer, channel: Channel) -> Message:
    """The bot's next message in a place."""
    there = len(channel.messages)
    await server.until(lambda: [one for one in channel.messages[there:] if one.author.bot])
    return channel.messages[-1]


@pytest.mark.usefixtures("crew")
async def test_a_mention_is_answered_below_it(server: DiscordServer, room: Channel, ann: User) -> None:
    """Whoever names the bot is answered with a reply that wakes nobody, without the mention in the text."""
    said = server.say(ann, room, f"<@{server.bot.id}> hello")
    told = await answer(server, room)
    assert told.content == "ahoy hello"
    assert told.data["message_reference"]["message_id"] == said.id
    assert told.pings == frozenset()
    assert server.rest.made("POST", "/channels/{channel_id}/typing")


@pytest.mark.usefixtures("crew")
@pytest.mark.parametrize("ping", ["with", "without"])
async def test_a_reply_to_the_bot_is_answered(
    server: DiscordServer, room: Channel, ann: User, ping: str
) -> None:
    """Replying to the bot needs no mention, whether the reply wakes it or not."""
    server.say(ann, room, f"<@{server.bot.id}> hello")
    told = await answer(server, room)
    server.say(ann, room, "and again", reply_to=told, ping=ping == "with")
    assert (await answer(server, room)).content == "ahoy and again"


@pytest.mark.usefixtures("crew")
async def test_direct_messages_are_answered(server: DiscordServer, ann: User) -> None:
    """Between two, everything is meant for the bot."""
    direct = server.direct(ann)
    server.say(ann, direct, "psst")
    told = await answer(server, direct)
    assert told.content == "ahoy psst"
    assert told.data["message_reference"]["channel_id"] == direct.id


@pytest.mark.usefixtures("crew")
async def test_a_thread_is_a_place_like_any_other(server: DiscordServer, room: Channel, ann: User) -> None:
    """A mention in a thread is answered in the thread."""
    thread = server.thread(room, ann, "a long story")
    server.say(ann, thread, f"<@{server.bot.id}> go on")
    assert (await answer(server, thread)).content == "ahoy go on"
    assert room.messages == []


@pytest.mark.usefixtures("crew")
async def test_what_is_not_meant_for_the_bot_is_left_alone(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """Talk among people, replies to others, other bots and unknown commands get no answer."""
    other = server.user("other bot", guild, bot=True)
    said = server.say(ann, room, "morning")
    server.say(ann, room, "hello?", reply_to=said)
    server.say(other, room, f"<@{server.bot.id}> loop")
    server.say(ann, room, "/shrug")
    server.say(ann, room, f"<@{server.bot.id}> last")
    assert (await answer(server, room)).content == "ahoy last"
    assert [one.content for one in room.messages if one.author is server.bot] == ["ahoy last"]


async def test_control_commands_reach_the_steward_from_maintainers_alone(
    server: DiscordServer, guild: Guild, room: Channel, ann: User, crew: Crew
) -> None:
    """A maintainer's command is carried out, anybody else's is not."""
    server.say(server.user("bob", guild), room, "/status")
    assert (await answer(server, room)).content.startswith("Only ")
    assert crew.steward.kinds() == []
    server.say(ann, room, "/status")
    assert (await answer(server, room)).data["embeds"][0]["title"] == "How things stand"
    assert crew.steward.kinds() == ["Status"]


@pytest.mark.usefixtures("crew")
async def test_nobody_is_woken_by_an_answer(server: DiscordServer, room: Channel, ann: User) -> None:
    """Mentions that come out of a text are shown, and wake nobody."""
    server.say(ann, room, f"<@{server.bot.id}> @everyone <@{ann.id}>")
    told = await answer(server, room)
    assert "everyone" in told.content
    assert "@everyone" not in told.content
    assert told.pings == frozenset()


@pytest.mark.usefixtures("crew")
async def test_an_answer_needs_no_sign_of_typing(
    server: DiscordServer, room: Channel, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it cannot be shown that an answer is being written, the answer comes all the same."""
    server.faults.fail("POST /channels/{channel_id}/typing", 403, code=50013)
    server.say(ann, room, f"<@{server.bot.id}> quick")
    assert (await answer(server, room)).content == "ahoy quick"
    assert "could not be shown" in caplog.text


async def test_files_go_along_with_a_message(
    server: DiscordServer, room: Channel, ann: User, crew: Crew
) -> None:
    """Texts and pictures reach the model with the words; what is not taken is said above the answer."""
    files = {
        "a.txt": b"one",
        "b.bin": b"\x00\x01",
        "c.txt": b"x" * 4_000_000,
        "d.txt": b"four",
        "e.txt": b"five",
    }
    server.say(ann, room, f"<@{server.bot.id}> read", attachments=files)
    told = (await answer(server, room)).content.splitlines()
    assert [one.name for one in crew.brain.wishes[-1].attachments] == ["a.txt", "d.txt"]
    assert told[-1] == "ahoy read"
    assert [line.split()[0] for line in told[:-1]] == ["b.bin", "c.txt", "I"]


async def test_a_command_takes_no_files(server: DiscordServer, room: Channel, ann: User, crew: Crew) -> None:
    """Files are for a model: what came along with another command is not read."""
    server.say(ann, room, f"<@{server.bot.id}> /again 1 hello", attachments={"b.bin": b"\x00\x01"})
    assert (await answer(server, room)).content == "hello"
    assert crew.brain.wishes[-1].attachments == ()


async def test_a_file_that_is_gone_is_said(
    server: DiscordServer, room: Channel, ann: User, crew: Crew
) -> None:
    """A file that Discord does not hand out any more costs no answer."""
    go_on = server.faults.hold("POST /channels/{channel_id}/typing")
    server.say(ann, room, f"<@{server.bot.id}> read", attachments={"a.txt": b"one"})
    server.world.files.clear()
    go_on.set()
    told = (await answer(server, room)).content
    assert crew.brain.wishes[-1].attachments == ()
    assert told == "a.txt could not be fetched from Discord; send it again.\nahoy read"


@pytest.mark.usefixtures("crew")
async def test_a_long_answer_is_one_reply_and_what_follows_it(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """An answer that takes several messages arrives whole and in order; the first stands below the question."""
    words = [f"word{at}" for at in range(200)]
    server.say(ann, room, f"<@{server.bot.id}> /again 4 {' '.join(words)}")
    await server.until(lambda: sum(one.content.count("word199") for one in room.messages) == 5)
    told = [one for one in room.messages if one.author is server.bot]
    assert " ".join(one.content for one in told).split() == words * 4
    assert ["message_reference" in one.data for one in told] == [True, False, False, False]


@pytest.mark.usefixtures("crew")
async def test_an_endless_answer_comes_as_a_file(server: DiscordServer, room: Channel, ann: User) -> None:
    """An answer that would fill the channel comes as its beginning and a file with all of it."""
    words = " ".join(f"word{at}" for at in range(200))
    server.say(ann, room, f"<@{server.bot.id}> /again 20 {words}")
    told = await answer(server, room)
    assert [one.author is server.bot for one in room.messages] == [False, True]
    assert told.content.startswith("word0 word1 ")
    (file,) = told.data["attachments"]
    assert file["filename"] == "answer.md"
    assert [data.decode() for data in server.world.files.values()] == [f"{words}\n\n" * 20]


@pytest.mark.usefixtures("crew")
async def test_one_answer_that_cannot_be_sent_is_not_the_last(
    server: DiscordServer, room: Channel, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the bot may not write it goes on elsewhere, and the log says so."""
    send = "POST /channels/{channel_id}/messages"
    server.faults.fail(send, 403, code=50013, text="Missing Permissions")
    server.say(ann, room, f"<@{server.bot.id}> one")
    await server.until(lambda: server.rest.made(*send.split()))
    server.say(ann, room, f"<@{server.bot.id}> two")
    assert (await answer(server, room)).content == "ahoy two"
    assert "could not be sent" in caplog.text


async def test_the_address_of_the_interface_is_enough(
    server: DiscordServer, room: Channel, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told the REST address alone, the bot asks there for the gateway and connects to both."""
    monkeypatch.setattr(Route, "BASE", "http://127.0.0.1:9/")
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL("ws://127.0.0.1:9/"))
    bot = Bot(load_rules(), ScriptedBrain("none"), no_author)
    async with linked(FakeSteward({}), bot.hear) as bot.peer:
        await bot.hear(say.Load(plan=echo("ahoy")))
        serving = asyncio.create_task(serve_discord(bot, server.token, server.api + "/"))
        await server.until(lambda: server.gateway.connected)
        server.say(ann, room, f"<@{server.bot.id}> hello")
        assert (await answer(server, room)).content == "ahoy hello"
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.mark.parametrize("path", ["", "/nowhere"])
async def test_an_address_of_something_else_is_said(
    server: DiscordServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """An address at which something else answers is a setting to be put right."""
    monkeypatch.setattr(Route, "BASE", "")
    with pytest.raises(SettingProblem, match="THESEUS_DISCORD_API"):
        await point_at(server.world.base + path)


async def test_a_wrong_token_is_a_setting_to_be_put_right(server: DiscordServer) -> None:
    """The operator is told which setting it is."""
    bot = Bot(load_rules(), ScriptedBrain("none"), no_author)
    bot.ready.set()
    with pytest.raises(SettingProblem, match="DISCORD_TOKEN"):
        await serve_discord(bot, "wrong", server.api)


async def test_an_intent_that_is_off_is_a_setting_to_be_put_right(server: DiscordServer) -> None:
    """The operator is told what to switch on, and where."""
    server.gateway.allowed_intents = ALL_INTENTS & ~MESSAGE_CONTENT
    bot = Bot(load_rules(), ScriptedBrain("none"), no_author)
    bot.ready.set()
    with pytest.raises(SettingProblem, match="Message Content Intent"):
        await serve_discord(bot, server.token, server.api)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_door_that_is_shut_for_a_while_is_tried_again(
    server: DiscordServer, room: Channel, ann: User, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the network before Discord turns the bot away when it signs in, it tries again until it is let in."""
    server.faults.cloudflare("GET /users/@me", status, times=2)
    bot = Bot(load_rules(), ScriptedBrain("none"), no_author)
    await bot.hear(say.Load(plan=echo("ahoy")))
    serving = asyncio.create_task(serve_discord(bot, server.token, server.api, pause=0.001))
    await server.until(lambda: server.gateway.connected)
    server.say(ann, room, f"<@{server.bot.id}> hello")
    assert (await answer(server, room)).content == "ahoy hello"
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert "cannot be reached" in capsys.readouterr().err


async def test_where_discord_cannot_be_reached_it_is_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    """The operator reads once what to check, and the bot goes on trying."""
    tries: asyncio.Queue[None] = asyncio.Queue()

    def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        tries.put_nowait(None)

    listening = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        bot = Bot(load_rules(), ScriptedBrain("none"), no_author)
        serving = asyncio.create_task(
            serve_discord(bot, "token", f"http://127.0.0.1:{port}/api", pause=0.001)
        )
        for _ in range(6):
            await asyncio.wait_for(tries.get(), 30)
        assert not serving.done()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    assert capsys.readouterr().err.count("check THESEUS_DISCORD_API") == 1


async def test_what_discord_says_for_somebody_is_not_answered(
    server: DiscordServer, ann: User, crew: Crew
) -> None:
    """That somebody pinned or called is no question; what is forwarded gets a sentence on what to do."""
    direct = server.direct(ann)
    for extra in ({"content": "", "type": 6}, {"content": "new name", "type": 4}):
        post(server.world, direct, ann, {"content": "x"}, extra=extra)
    inner = {"type": 0, "content": "words", "embeds": [], "attachments": [], "timestamp": server.world.now()}
    inner |= {"edited_timestamp": None, "flags": 0, "mentions": [], "mention_roles": [], "components": []}
    extra = {"content": "", "message_snapshots": [{"message": inner}]}
    post(server.world, direct, ann, {"content": "x"}, extra=extra)
    await server.until(lambda: len(direct.messages) > 3)
    await crew.client.idle()
    assert [one.content for one in direct.messages if one.author.bot] == [FORWARDED]
