"""Who may do what on Discord: by ids, on this moment's roles, as the steward says it."""

from functools import partial

from agent.chat.brain import Brain
from agent.models.single import OneModel
from bot.feature import ModelFailed
from policies.load import load_rules
from policies.rights import Grant
from selfedit import protocol as say
from tests.discord.crew import Crew, aboard
from tests.discord.office import Office
from tests.fakes.discord.interactions import Interaction
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, Message, User
from tests.fakes.plans import plan
from tests.fakes.scripted import ScriptedModel, Turn

CHAT = """
    async def say(turn):
        if turn.brain is None: return "canary"
        return "".join([p async for p in turn.brain.answer(turn.conversation, turn.text, "Be kind.")])
    def setup(r): r.chat(say)
"""
TOOL = """
    from agent.tool import Context, tool

    @tool()
    async def tell(context: Context, what: str) -> str:
        \"\"\"Tell something.\"\"\"
        return f"{what} for {context.caller}"
"""
LIVE = plan({"bot/live/a/feature.py": CHAT, "agent/live/tools/tell.py": TOOL})


async def asked(server: DiscordServer, place: Channel, who: User, text: str) -> Message:
    """What somebody is answered who mentions the bot."""
    there = len(place.messages)
    server.say(who, place, f"<@{server.bot.id}> {text}")
    await server.until(lambda: [one for one in place.messages[there:] if one.author.bot])
    return place.messages[-1]


def says(used: Interaction, text: str) -> bool:
    """Whether a use was answered with that."""
    return text in used.text


async def told(crew: Crew, office: Office) -> None:
    """Let the steward tell the bot who may do what."""
    await crew.bot.hear(office.rights())


async def test_chat_is_for_whom_the_owner_chose(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """As soon as the steward has said so, only the role and the owner are answered, and nothing is asked of live code."""
    role = server.role(guild, "mates")
    bob = server.user("bob", guild, roles=[role])
    async with aboard(server) as crew:
        assert (await asked(server, room, ann, "hello")).content == "ahoy hello"
        narrow = Office(Grant("everyone", "chat", allowed=False), Grant(f"discord:role/{role.id}", "chat"))
        await told(crew, narrow)
        assert "Chat is for others here" in (await asked(server, room, ann, "hello")).content
        assert (await asked(server, room, bob, "hello")).content == "ahoy hello"
        assert (await asked(server, room, server.world.owner, "hello")).content == "ahoy hello"
        await told(crew, Office())
        assert (await asked(server, room, ann, "hello")).content == "ahoy hello"


async def test_a_role_counts_on_its_own_server_alone(
    server: DiscordServer, guild: Guild, room: Channel
) -> None:
    """Somebody who has the role on one server may there; on another, and between two, the same person may not."""
    role, reef = server.role(guild, "mates"), server.guild("Reef")
    bob, there = server.user("bob", guild, roles=[role]), server.room(reef, "general")
    server.join(reef, bob)
    async with aboard(server) as crew:
        await told(crew, Office(Grant(f"discord:role/{role.id}", "halt")))
        for place in (room, there, server.direct(bob)):
            await asked(server, place, bob, "/halt")
        assert [type(one) for one in crew.steward.asked].count(say.Halt) == 1
        (halt,) = [one for one in crew.steward.asked if isinstance(one, say.Halt)]
        assert halt.who.id == f"discord:{bob.id}"
        assert f"discord:role/{role.id}" in halt.who.roles


async def test_a_role_that_was_taken_away_counts_no_more(
    server: DiscordServer, guild: Guild, room: Channel
) -> None:
    """What counts is what somebody has when they ask, not what they had a moment ago."""
    role = server.role(guild, "mates")
    bob = server.user("bob", guild, roles=[role])
    async with aboard(server) as crew:
        await told(crew, Office(Grant(f"discord:role/{role.id}", "halt")))
        guild.members[bob.id].roles.clear()
        assert "may halt" in (await asked(server, room, bob, "/halt")).content
        assert say.Halt not in [type(one) for one in crew.steward.asked]


async def test_the_steward_hears_who_asks_with_their_roles(
    server: DiscordServer, guild: Guild, room: Channel
) -> None:
    """A slash command hands the person's roles on, so that the steward can decide for itself."""
    role, office = server.role(guild, "mates"), Office()
    async with aboard(server, answers=office.answers) as crew:
        used = server.slash(server.world.owner, room, "grant", who=f"<@&{role.id}>", what="propose")
        await server.until(lambda: used.done)
        (grant,) = [one for one in crew.steward.asked if isinstance(one, say.Grant)]
    assert grant.to == f"discord:role/{role.id}"
    assert "owner" in grant.roles
    assert office.grants == {Grant(f"discord:role/{role.id}", "propose")}


async def test_a_change_of_rights_is_told_in_a_line(server: DiscordServer, room: Channel, ann: User) -> None:
    """Whoever grants something reads alone who may do what now, with a mention and in words."""
    office = Office()
    async with aboard(server, answers=office.answers):
        used = server.slash(server.world.owner, room, "grant", who=f"<@{ann.id}>", what="see")
        await server.until(lambda: used.done)
    said = f"<@{ann.id}> may look at proposals now."
    assert used.text == said
    assert said in [one.content for one in room.ephemeral]


async def test_nobody_names_themselves(server: DiscordServer, room: Channel, ann: User) -> None:
    """A grant by somebody who may not is refused before the steward hears of it."""
    async with aboard(server) as crew:
        used = server.slash(ann, room, "grant", who=f"<@{ann.id}>", what="approve")
        await server.until(lambda: used.done)
        assert say.Grant not in [type(one) for one in crew.steward.asked]
    assert "Only the owner" in used.text


async def test_setup_in_words_says_where_it_is(server: DiscordServer, room: Channel, ann: User) -> None:
    """Whoever types it as a message is told how the panel is opened."""
    async with aboard(server):
        assert "choose it from the list" in (await asked(server, room, ann, "/setup")).content


async def test_while_tools_are_off_first_users_have_them(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """With ENABLE_TOOL_CALLING=false a listed person's model is offered tools on Discord, and nobody else's."""
    rules = load_rules()
    first = rules.tools.model_copy(update={"first_users": (f"discord:{ann.id}",), "footer": "never"})
    model = ScriptedModel(Turn(text="Yes.", times=0))
    brain = Brain(
        OneModel(model), rules.model_copy(update={"tools": first}), failed=ModelFailed, tools_on=False
    )
    async with aboard(server, mind=brain, live=LIVE):
        for who in (ann, server.user("bob", guild)):
            assert (await asked(server, room, who, "hello")).content == "Yes."
    offered = [[tool["name"] for tool in request["tools"]] for request in model.script.requests]
    assert offered == [["tell"], []]


async def test_who_owned_it_owns_it_no_more(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """When the application changes hands, its old owner neither halts nor grants, however it is asked; the new one does."""
    office, bob = Office(), server.user("bob", guild)
    async with aboard(server, answers=office.answers) as crew:
        old, server.world.owner = server.world.owner, ann
        used = server.slash(old, room, "grant", who=f"discord:{bob.id}", what="approve")
        await server.until(lambda: used.done)
        assert "owner" in used.text
        assert "may halt" in (await asked(server, room, old, "/halt")).content
        granted = server.slash(ann, room, "grant", who=f"discord:{bob.id}", what="approve")
        await server.until(lambda: granted.done)
        assert say.Halt not in [type(one) for one in crew.steward.asked]
    assert office.grants == {Grant(f"discord:{bob.id}", "approve")}


async def test_nobody_is_the_owner_whom_discord_does_not_name(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """When Discord does not say whose application it is, its owner is somebody like everybody else."""
    office = Office()
    async with aboard(server, answers=office.answers):
        server.faults.fail("GET /oauth2/applications/@me", 403)
        used = server.slash(server.world.owner, room, "grant", who=f"discord:{ann.id}", what="approve")
        await server.until(lambda: used.done)
    assert "owner" in used.text
    assert office.grants == frozenset()


async def test_the_role_of_everybody_on_a_server_gets_no_right(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """Discord's own role @everyone is refused by name or id, and counts for nobody where it was granted elsewhere."""
    everybody, office = f"discord:role/{guild.id}", Office()
    async with aboard(server, answers=office.answers) as crew:
        for place in (room, server.direct(server.world.owner)):
            used = server.slash(server.world.owner, place, "grant", who=everybody, what="approve")
            await server.until(partial(says, used, "@everyone is no role"))
        assert office.grants == frozenset()
        await told(crew, Office(Grant(everybody, "halt")))
        assert "may halt" in (await asked(server, room, ann, "/halt")).content
        assert say.Halt not in [type(one) for one in crew.steward.asked]
