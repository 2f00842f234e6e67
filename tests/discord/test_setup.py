"""`/setup`: a panel for the owner alone, whose lists say who may do what and where news go."""

from pathlib import Path
from typing import Any

from policies.rights import CAPABILITIES, Grant
from tests.discord.crew import Crew, aboard
from tests.discord.office import Office
from tests.fakes.discord.interactions import Interaction
from tests.fakes.discord.server import EVERYBODY_MAY, DiscordServer
from tests.fakes.discord.things import VOICE, Channel, Event, Guild, Json, Message, User

MANAGE_GUILD, SEND, EMBED = 1 << 5, 1 << 11, 1 << 14


async def opened(server: DiscordServer, place: Channel, who: User | None = None) -> Message:
    """The panel that somebody, by default the owner, is shown."""
    used = server.slash(who or server.world.owner, place, "setup")
    await server.until(lambda: used.done)
    assert used.original is not None
    return used.original


async def chosen(server: DiscordServer, panel: Message, part: str, *values: Any) -> Interaction:
    """Let the owner choose in a list of the panel."""
    before = len(panel.contents)
    used = server.choose(server.world.owner, panel, f"setup/{part}", *values)
    await server.until(lambda: used.answered and len(panel.contents) > before)
    return used


def field(panel: Message, name: str) -> str:
    """What a line of the panel says; empty where there is no such line."""
    (about,) = panel.data["embeds"]
    return next((str(one["value"]) for one in about["fields"] if one["name"].startswith(name)), "")


def part(panel: Message, name: str) -> Json:
    """A list or button of the panel."""
    return next(one for one in panel.parts() if one.get("custom_id") == f"setup/{name}")


async def test_the_owner_chooses_who_approves(server: DiscordServer, guild: Guild, room: Channel) -> None:
    """People and roles that are chosen may approve at once; the list shows them, and nobody else sees it."""
    ann, role, office = server.user("ann", guild), server.role(guild, "mates"), Office()
    async with aboard(server, answers=office.answers):
        panel = await opened(server, room)
        assert panel.ephemeral
        assert "none are listed" in field(panel, "Who approves")
        assert "Nobody approves" in field(panel, "What is missing")
        await chosen(server, panel, "approve", ann, role)
    assert office.grants == {
        Grant(f"discord:{ann.id}", "approve"),
        Grant(f"discord:role/{role.id}", "approve"),
    }
    assert f"<@{ann.id}>, <@&{role.id}>" in field(panel, "Who approves")
    assert {one["id"] for one in part(panel, "approve")["default_values"]} == {ann.id, role.id}
    assert "Nobody approves" not in field(panel, "What is missing")
    assert room.messages == []


async def test_who_is_left_out_loses_the_right(server: DiscordServer, guild: Guild, room: Channel) -> None:
    """A choice without somebody who was shown takes the right away; one made beside an older view takes nothing else."""
    ann, bob = server.user("ann", guild), server.user("bob", guild)
    office = Office(Grant(f"discord:{ann.id}", "approve"))
    async with aboard(server, answers=office.answers):
        panel = await opened(server, room)
        office.grants |= {Grant("discord:77", "approve")}  # meanwhile, from elsewhere
        await chosen(server, panel, "approve", bob)
        assert office.grants == {Grant("discord:77", "approve"), Grant(f"discord:{bob.id}", "approve")}
        await chosen(server, panel, "approve")
    assert office.grants == frozenset()


async def test_roles_of_another_server_are_neither_shown_nor_touched(
    server: DiscordServer, guild: Guild, room: Channel
) -> None:
    """On a server only its own roles stand in the list; of those elsewhere it is said how many there are."""
    elsewhere = server.role(server.guild("Reef"), "mates")
    office = Office(Grant(f"discord:role/{elsewhere.id}", "approve"))
    async with aboard(server, answers=office.answers):
        panel = await opened(server, room)
        assert "default_values" not in part(panel, "approve")
        assert "1 role of other servers" in field(panel, "Who approves")
        await chosen(server, panel, "approve", server.role(guild, "locals"))
    assert Grant(f"discord:role/{elsewhere.id}", "approve") in office.grants
    assert len(office.grants) == 2


async def test_the_panel_works_after_a_restart(server: DiscordServer, room: Channel, ann: User) -> None:
    """A list that one process showed is answered by the next."""
    office = Office()
    async with aboard(server, answers=office.answers):
        panel = await opened(server, room)
    async with aboard(server, answers=office.answers):
        await chosen(server, panel, "topic", "propose")
        await chosen(server, panel, "propose", ann)
    assert office.grants == {Grant(f"discord:{ann.id}", "propose")}
    assert panel.content == f"<@{ann.id}> may ask for changes now."


async def test_who_manages_the_server_is_told_whose_it_is(
    server: DiscordServer, guild: Guild, room: Channel
) -> None:
    """A manager of the server who does not own the application sees no panel, but the owner's name."""
    manager = server.user("mel", guild, roles=[server.role(guild, "mods", MANAGE_GUILD)])
    async with aboard(server, answers=Office().answers):
        said = await opened(server, room, manager)
    assert said.ephemeral
    assert said.data["embeds"] == []
    assert said.data["components"] == []
    assert f"<@{server.world.owner.id}>" in said.content


async def test_each_use_looks_at_whose_application_it_is(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """When the application changes hands, an open panel of the old owner changes nothing any more."""
    office = Office()
    async with aboard(server, answers=office.answers) as crew:
        panel = await opened(server, room)
        old, server.world.owner = server.world.owner, ann
        used = server.choose(old, panel, "setup/approve", old)
        await server.until(lambda: used.answered and not panel.data["components"])
        assert crew.client.owners.ids == {int(ann.id)}
    assert office.grants == frozenset()
    assert f"<@{ann.id}>" in panel.content


async def test_where_the_owner_cannot_be_told_nothing_changes(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """When Discord does not say who owns the application, nobody counts as the owner."""
    office = Office()
    async with aboard(server, answers=office.answers):
        panel = await opened(server, room)
        server.faults.fail("GET /oauth2/applications/@me", 403)
        used = server.choose(server.world.owner, panel, "setup/approve", ann)
        await server.until(lambda: used.answered and "does not say" in panel.content)
    assert office.grants == frozenset()


async def test_everyone_in_the_owning_team_sets_up(
    server: DiscordServer, guild: Guild, room: Channel
) -> None:
    """Of a team that owns the application, its owner and who develops may; who was only invited may not."""
    head, dev, guest = (server.user(name, guild) for name in ("head", "dev", "guest"))
    server.team(head, dev, invited=[guest])
    async with aboard(server, answers=Office().answers):
        panels = [await opened(server, room, one) for one in (head, dev, guest)]
    assert [bool(panel.data["components"]) for panel in panels] == [True, True, False]


async def test_chat_for_some_and_for_everyone(server: DiscordServer, guild: Guild, room: Channel) -> None:
    """A button makes chat a matter of those who are chosen, and again of everyone."""
    role, office = server.role(guild, "mates"), Office()
    async with aboard(server, answers=office.answers):
        panel = await opened(server, room)
        await chosen(server, panel, "topic", "chat")
        await chosen(server, panel, "chat", role)
        narrow = server.click(server.world.owner, panel, "setup/everyone/off")
        await server.until(lambda: narrow.answered and "not chat" in panel.content)
        assert "everyone" not in field(panel, "Who chats")
        assert part(panel, "everyone/on")["label"] == "Let everyone chat"
        assert office.grants == {
            Grant(f"discord:role/{role.id}", "chat"),
            Grant("everyone", "chat", allowed=False),
        }
        wide = server.click(server.world.owner, panel, "setup/everyone/on")
        await server.until(lambda: wide.answered and "may chat" in panel.content)
    assert "everyone" in field(panel, "Who chats")


async def test_the_button_of_chat_does_what_it_said(server: DiscordServer, room: Channel) -> None:
    """Pressed twice, "Let only these chat" does not let everyone chat again; each use is in the inbox, and done once."""
    office = Office()
    async with aboard(server, answers=office.answers) as crew:
        panel = await opened(server, room)
        await chosen(server, panel, "topic", "chat")
        owner = server.world.owner
        before = len(panel.contents)
        twice = [server.click(owner, panel, "setup/everyone/off") for _ in range(2)]
        await server.until(lambda: all(one.answered for one in twice))
        rows = [crew.client.inbox.row(int(one.id)) for one in twice]
        assert [row.item.author for row in rows if row is not None] == [int(owner.id)] * 2
        await server.until(lambda: len(panel.contents) == before + 2)
    assert office.grants == {Grant("everyone", "chat", allowed=False)}


async def test_the_role_of_everyone_is_not_given_anything(
    server: DiscordServer, guild: Guild, room: Channel
) -> None:
    """Discord lists @everyone among the roles; choosing it grants nothing, and is said."""
    office = Office()
    async with aboard(server, answers=office.answers):
        panel = await opened(server, room)
        await chosen(server, panel, "approve", guild.roles[guild.id])
    assert office.grants == frozenset()
    assert "@everyone is no role" in panel.content


async def test_news_go_where_they_are_sent(
    server: DiscordServer, guild: Guild, room: Channel, tmp_path: Path
) -> None:
    """The channel for news is kept over restarts, and only one in which they can be written is taken."""
    async with aboard(server, answers=Office().answers, home=tmp_path) as crew:
        panel = await opened(server, room)
        await chosen(server, panel, "topic", "news")
        await chosen(server, panel, "news", room)
        assert panel.content == f"News go to <#{room.id}> now."
        assert crew.client.setup.news.all() == {int(guild.id): int(room.id)}
    server.allow(guild, EVERYBODY_MAY & ~EMBED)
    other = server.room(guild, "other")
    async with aboard(server, answers=Office().answers, home=tmp_path) as crew:
        panel = await opened(server, room)
        assert field(panel, "Where news go") == f"<#{room.id}>"
        await chosen(server, panel, "topic", "news")
        assert part(panel, "news")["default_values"] == [{"id": room.id, "type": "channel"}]
        await chosen(server, panel, "news", other)
        assert "**Embed Links**" in panel.content
        assert crew.client.setup.news.of(int(guild.id)) == int(room.id)
        await chosen(server, panel, "news")
        assert crew.client.setup.news.all() == {}
        await chosen(server, panel, "topic", "news")
        await chosen(server, panel, "news", server.room(guild, "talk", VOICE))
        assert "cannot see that channel" in panel.content


async def test_in_direct_messages_people_are_chosen(server: DiscordServer) -> None:
    """Outside of servers there are people to choose and no roles, and no channel for news."""
    owner, office = server.world.owner, Office()
    async with aboard(server, answers=office.answers):
        panel = await opened(server, server.direct(owner))
        assert field(panel, "Where news go") == ""
        await chosen(server, panel, "approve", owner)
    assert office.grants == {Grant(f"discord:{owner.id}", "approve")}
    assert "Only one person approves" in field(panel, "What is missing")


async def test_a_change_that_the_steward_refuses_is_said(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """The steward's own word counts: its sentence stands above the panel, which shows what holds."""
    office = Office()

    async def refused(crew: Crew) -> Message:
        crew.bot.grants = frozenset({Grant(f"discord:{ann.id}", "setup")})  # the bot is wrong about that
        panel = await opened(server, room, ann)
        used = server.choose(ann, panel, "setup/approve", ann)
        await server.until(lambda: used.answered and panel.content)
        return panel

    async with aboard(server, answers=office.answers) as crew:
        panel = await refused(crew)
    assert panel.content == "Only the owner may do that here."
    assert office.grants == frozenset()


async def test_however_many_have_a_right_the_panel_fits(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """With hundreds of grants Discord still takes the panel; who is not shown there keeps what they have."""
    names = [f"discord:{'role/' if at % 2 else ''}{10**18 + at}" for at in range(300)]
    office = Office(*(Grant(name, one) for name in names for one in CAPABILITIES))
    for name in names[1::2]:
        role = server.role(guild, "mates")
        del guild.roles[role.id]
        role.id = name.removeprefix("discord:role/")
        guild.roles[role.id] = role
    async with aboard(server, answers=office.answers):
        panel = await opened(server, room)
        assert len(part(panel, "approve")["default_values"]) == 25
        await chosen(server, panel, "approve", ann)
    kept = {one.who for one in office.grants if one.capability == "approve"}
    assert len(kept) == 300 - 25 + 1
    assert f"discord:{ann.id}" in kept


async def test_a_server_that_the_bot_has_left_gets_no_news(
    server: DiscordServer, guild: Guild, room: Channel
) -> None:
    """When the bot is sent away, where news went there is forgotten."""
    async with aboard(server) as crew:
        crew.client.setup.news.choose(int(guild.id), int(room.id))
        server.world.emit(Event("GUILD_DELETE", {"id": guild.id}, 1, guild))
        private = server.direct(server.world.owner)
        server.say(server.world.owner, private, "are you there?")
        await server.until(lambda: private.messages[1:])
        assert crew.client.setup.news.all() == {}
