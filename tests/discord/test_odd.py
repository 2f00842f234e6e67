"""Messages, places and refusals that are out of the ordinary: each is answered, or left alone, and nothing breaks."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from bot.discord.incoming.inbox import State
from tests.discord.crew import aboard
from tests.fakes.discord import messages
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import FORUM, STAGE, VOICE, Channel, Event, Guild, Message, User
from tests.fakes.discord.welcome import whole

NEWS = 5
"""The kind of channels for announcements."""
STICKER = {"sticker_items": [{"id": "1", "name": "wave", "format_type": 1}]}
POLL = {
    "poll": {
        "question": {"text": "tea?"},
        "answers": [{"answer_id": 1, "poll_media": {"text": "yes"}}],
        "expiry": "2100-01-01T00:00:00+00:00",
        "allow_multiselect": False,
        "layout_type": 1,
        "results": {"is_finalized": False, "answer_counts": []},
    }
}
CONTAINER = {
    "flags": 1 << 15,
    "components": [{"type": 10, "id": 1, "content": "a box"}],
}
SPOKEN_BY_A_HOOK = {"webhook_id": "123456789012345678"}
SOMEBODY_CAME, PINNED, BOOSTED, POLL_ENDED = ({"type": kind} for kind in (7, 6, 8, 46))


def said(server: DiscordServer, room: Channel) -> list[str]:
    """What the bot said in a place, in order."""
    return [one.content for one in room.messages if one.author is server.bot]


def odd(server: DiscordServer, author: User, room: Channel, text: str, extra: dict[str, Any]) -> Message:
    """Let somebody write to the bot in an unusual way."""
    body = {"content": f"<@{server.bot.id}> {text}".strip()}
    return messages.post(server.world, room, author, body, extra=extra)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing of it is a fault of ours."""
    yield
    wrong = [one.getMessage() for one in caplog.get_records("call") if one.levelno >= logging.ERROR]
    assert wrong == []


@pytest.mark.parametrize("extra", [STICKER, POLL, CONTAINER], ids=["sticker", "poll", "container"])
async def test_what_comes_with_words_does_not_hide_them(
    server: DiscordServer, room: Channel, ann: User, extra: dict[str, Any]
) -> None:
    """Whatever else stands in a message, its words are answered, and so is the next one."""
    async with aboard(server):
        odd(server, ann, room, "one", extra)
        await server.until(lambda: said(server, room))
        server.say(ann, room, f"<@{server.bot.id}> two")
        await server.until(lambda: len(said(server, room)) == 2)
    assert said(server, room) == ["ahoy one", "ahoy two"]


@pytest.mark.parametrize(
    "extra", [SOMEBODY_CAME, PINNED, BOOSTED, POLL_ENDED], ids=["came", "pin", "boost", "poll"]
)
async def test_what_discord_itself_says_is_not_answered(
    server: DiscordServer, room: Channel, ann: User, extra: dict[str, Any]
) -> None:
    """A notice that names the bot is no question."""
    async with aboard(server) as crew:
        odd(server, ann, room, "one", extra)
        server.say(ann, room, f"<@{server.bot.id}> two")
        await server.until(lambda: said(server, room))
        await crew.client.idle()
    assert said(server, room) == ["ahoy two"]


async def test_neither_bots_nor_hooks_are_answered(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """Two bots never talk to each other for ever, whether as members or through a webhook."""
    other = server.user("other", guild, bot=True)
    async with aboard(server) as crew:
        odd(server, other, room, "one", {})
        for is_bot in (True, False):
            odd(server, server.world.user("hook", bot=is_bot), room, "two", SPOKEN_BY_A_HOOK)
        server.say(ann, room, f"<@{server.bot.id}> three")
        await server.until(lambda: said(server, room))
        await crew.client.idle()
    assert said(server, room) == ["ahoy three"]


@pytest.mark.parametrize("name", ["p/gone/1", "mod/1/maybe", "x"])
async def test_a_button_that_nobody_knows_any_more_is_answered(
    server: DiscordServer, room: Channel, ann: User, name: str
) -> None:
    """Below a message of an older version, or of one that was taken back, it says that nothing was done."""
    button = {"type": 2, "style": 1, "label": "Go", "custom_id": name}
    async with aboard(server) as crew:
        old = messages.post(
            server.world,
            room,
            server.bot,
            {"content": "?", "components": [{"type": 1, "components": [button]}]},
        )
        used = server.click(ann, old, name)
        await server.until(lambda: used.done)
        row = crew.client.inbox.row(int(used.id))
    assert "nothing was done" in used.text
    assert row is not None


async def test_the_role_of_the_bot_is_its_name_too(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """Who types its name is offered the role that Discord made for it as well; other roles are none of its business."""
    own, other = server.role(guild, "theseus"), server.role(guild, "mates")
    own.bot = server.bot.id
    async with aboard(server) as crew:
        server.say(ann, room, f"<@&{other.id}> one")
        server.say(ann, room, f"<@&{own.id}> two")
        server.say(ann, room, f"<@&{own.id}> /say three")
        await server.until(lambda: len(said(server, room)) == 2)
        await crew.client.idle()
    assert sorted(said(server, room)) == ["ahoy three", "ahoy two"]


async def test_what_is_said_on_a_server_that_is_not_known_is_not_between_two(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """A word that comes when the bot was just sent away was not said to it, where it is not named."""
    async with aboard(server) as crew:
        server.gateway.hear(Event("GUILD_DELETE", {"id": guild.id}, 1, guild))
        server.say(ann, room, "one")
        server.say(ann, direct := server.direct(ann), "two")
        await server.until(lambda: said(server, direct))
        await crew.client.idle()
    assert said(server, room) == []


@pytest.mark.parametrize("kind", [NEWS, VOICE, STAGE], ids=["announcements", "voice", "stage"])
async def test_every_place_where_people_speak_is_answered_in(
    server: DiscordServer, guild: Guild, ann: User, kind: int
) -> None:
    """A channel for announcements, and the chat beside a voice channel or a stage."""
    place = server.room(guild, "talk", kind)
    async with aboard(server):
        server.say(ann, place, f"<@{server.bot.id}> one")
        await server.until(lambda: said(server, place))
    assert said(server, place) == ["ahoy one"]


async def test_a_post_of_a_forum_is_answered_in(server: DiscordServer, guild: Guild, ann: User) -> None:
    """A forum holds nothing but threads; in those it talks as anywhere."""
    forum = server.room(guild, "ideas", FORUM)
    post = server.thread(forum, ann, "tea")
    async with aboard(server):
        server.say(ann, post, f"<@{server.bot.id}> one")
        await server.until(lambda: said(server, post))
    assert said(server, post) == ["ahoy one"]


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, 50001), (403, 50013), (404, 10003), (400, 160005), (400, 50083), (403, 50007)],
    ids=["no access", "no permission", "channel gone", "thread locked", "thread archived", "closed"],
)
async def test_an_answer_that_is_refused_is_lost_with_its_reason(
    server: DiscordServer, room: Channel, ann: User, status: int, code: int
) -> None:
    """Its row says so, and the next question in that place is answered."""
    async with aboard(server) as crew:
        server.faults.fail("POST /channels/{channel_id}/messages", status, code=code)
        asked = server.say(ann, room, f"<@{server.bot.id}> one")
        await server.until(lambda: server.rest.made("POST", "/channels/{channel_id}/messages"))
        await crew.client.idle()
        row = crew.client.inbox.row(int(asked.id))
        server.say(ann, room, f"<@{server.bot.id}> two")
        await server.until(lambda: said(server, room))
    assert row is not None
    assert (row.state, row.reason.startswith("Discord did not take")) == (State.LOST, True)
    assert said(server, room) == ["ahoy two"]


async def test_a_server_with_a_hundred_others_is_answered_on(server: DiscordServer, ann: User) -> None:
    """However many servers there are when a session begins, the last of them is served."""
    several = [server.guild(f"Harbour {at}") for at in range(100)]
    server.join(several[-1], ann)
    place = server.room(several[-1], "general")
    async with aboard(server) as crew:
        server.say(ann, place, f"<@{server.bot.id}> one")
        await server.until(lambda: said(server, place))
        assert len(crew.client.guilds) == len(server.world.guilds)


async def test_a_server_that_is_away_for_a_while_is_served_again(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """While it is unavailable nothing is forgotten of it; when it is back, people are answered there."""
    async with aboard(server) as crew:
        crew.client.setup.news.choose(int(guild.id), int(room.id))
        server.gateway.hear(Event("GUILD_DELETE", {"id": guild.id, "unavailable": True}, 1, guild))
        back = whole(guild, server.bot, 0) | {"unavailable": False}
        server.gateway.hear(Event("GUILD_CREATE", back, 1, guild))
        server.say(ann, room, f"<@{server.bot.id}> one")
        await server.until(lambda: said(server, room))
        assert crew.client.setup.news.of(int(guild.id)) == int(room.id)
    assert said(server, room) == ["ahoy one"]
