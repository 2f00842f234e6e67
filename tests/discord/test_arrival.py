"""First contact: what the operator reads, what a server reads, and what is said where something is not permitted."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import discord

from bot.discord.permits import NEEDED, PERMISSIONS, invitation
from bot.discord.setup.arrival import greeting, introduction
from tests.discord.crew import aboard
from tests.fakes.discord.server import EVERYBODY_MAY, DiscordServer
from tests.fakes.discord.things import Channel, Guild, User

HISTORY, SEND, ATTACH = 1 << 16, 1 << 11, 1 << 15
CONTENT_LIMITED = 1 << 19


def test_the_invitation_asks_for_what_is_needed() -> None:
    """It names both scopes and exactly the permissions of the table; administration is not among them."""
    asked = parse_qs(urlsplit(invitation(42)).query)
    assert asked["client_id"] == ["42"]
    assert asked["scope"] == ["bot applications.commands"]
    granted = discord.Permissions(int(asked["permissions"][0]))
    assert {name for name, on in granted if on} == {name for name, on in PERMISSIONS if on}
    assert len([on for _, on in granted if on]) == len(NEEDED)
    assert not granted.administrator


async def test_the_operator_is_told_how_to_go_on(server: DiscordServer, guild: Guild) -> None:
    """Once connected: the link, the owner, the servers, whether messages can be read, and what to do next."""
    said: list[str] = []
    server.world.application |= {"flags": CONTENT_LIMITED}
    async with aboard(server) as crew:
        application = crew.client.application
        assert application is not None
        said.append(introduction(application, "theseus", crew.client.guilds))
        away = introduction(application, "theseus", [], "Set A_KEY.")
        done = introduction(application, "theseus", crew.client.guilds, set_up=True)
    assert invitation(int(server.bot.id)) in said[0]
    assert "owner           operator" in said[0]
    assert f"servers         {guild.name}" in said[0]
    assert "message content on" in said[0]
    assert "use /setup" in said[0]
    assert "none yet" in away
    assert "open the link" in away
    assert "Set A_KEY." in away
    assert "Ctrl-C ends it" in away
    assert "/setup" not in done


async def test_a_name_cannot_steer_the_terminal(server: DiscordServer) -> None:
    """What strangers call their servers is shown in one line, with signs that steer written out."""
    server.guild("Har\x1b[2Jbour\nowner  eve")
    server.team(server.world.owner)
    async with aboard(server) as crew:
        assert crew.client.application is not None
        said = introduction(crew.client.application, "theseus", crew.client.guilds)
    assert "\x1b" not in said
    assert "\nowner" not in said
    assert "the team Crew" in said


async def test_it_is_said_once(server: DiscordServer) -> None:
    """A session that is begun anew says nothing of it again."""
    said: list[str] = []
    async with aboard(server, tell=said.append) as crew:
        await server.until(lambda: said)
        server.gateway.invalidate(resumable=False)
        began = server.world.identified
        await server.until(lambda: server.world.identified > began)
        await crew.client.wait_until_ready()
    assert len(said) == 1


async def test_a_new_server_is_greeted_once(server: DiscordServer, room: Channel, tmp_path: Path) -> None:
    """Where Discord says who came, one message; not again after a restart, nor where the bot was before."""
    reef = server.guild("Reef")
    server.room(reef, "rules")
    lobby = server.room(reef, "lobby")
    reef.system = lobby.id
    del server.world.guilds[reef.id]
    for _ in range(2):
        async with aboard(server, home=tmp_path):
            server.world.guilds[reef.id] = reef
            server.bring(reef)
            await server.until(lambda: lobby.messages)
            del server.world.guilds[reef.id]
    (hello,) = lobby.messages
    assert "/setup" in hello.content
    assert "operator" in hello.content
    assert room.messages == []


def test_no_chat_is_promised_without_a_model() -> None:
    """A server hears what works: that mentions are answered only where a model is set up."""
    assert "Mention me" in greeting("theseus", "ann")
    assert "Mention me" not in greeting("theseus", "ann", chats=False)


async def test_a_server_without_a_place_to_write_is_left_in_peace(server: DiscordServer, ann: User) -> None:
    """Where it may write nowhere, nothing is tried and nothing fails."""
    reef = server.guild("Reef")
    quiet = server.room(reef, "quiet")
    server.allow(reef, EVERYBODY_MAY & ~SEND)
    del server.world.guilds[reef.id]
    async with aboard(server) as crew:
        server.world.guilds[reef.id] = reef
        server.bring(reef)
        private = server.direct(ann)
        server.say(ann, private, "are you there?")
        await server.until(lambda: private.messages[1:])
        assert crew.client.get_guild(int(reef.id)) is not None
    assert quiet.messages == []


async def test_who_cannot_be_answered_here_is_told_why(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """Without the permission to write, the person is told in a direct message which one is missing; nothing is asked of a model."""
    server.allow(guild, EVERYBODY_MAY & ~SEND)
    async with aboard(server) as crew:
        server.say(ann, room, f"<@{server.bot.id}> hello")
        private = server.direct(ann)
        await server.until(lambda: private.messages)
        await crew.client.places.idle()
    assert f"In <#{room.id}> I lack the permission **Send Messages**" in private.messages[0].content
    assert room.messages[1:] == []


async def test_a_permission_to_read_back_is_missed_aloud(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """A reply needs the history of the channel: where only that is missing, it is said in the channel itself."""
    server.allow(guild, EVERYBODY_MAY & ~HISTORY)
    async with aboard(server):
        server.say(ann, room, f"<@{server.bot.id}> hello")
        await server.until(lambda: room.messages[1:])
    assert "**Read Message History**" in room.messages[1].content


async def test_a_file_that_may_not_be_sent_is_missed_aloud(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """An answer that comes as a file is refused where files are not permitted; the person hears why."""
    server.allow(guild, EVERYBODY_MAY & ~ATTACH)
    server.faults.fail("POST /channels/{channel_id}/messages", 403, code=50013, text="Missing Permissions")
    async with aboard(server):
        server.say(ann, room, f"<@{server.bot.id}> /again 3000 long")
        await server.until(lambda: any("Attach Files" in one.content for one in room.messages))


async def test_members_are_not_asked_for(server: DiscordServer) -> None:
    """Of the intents that Discord guards, the bot asks for the content of messages and for no other."""
    async with aboard(server) as crew:
        asked = crew.client.intents
    assert asked.message_content
    assert not asked.members
    assert not asked.presences
