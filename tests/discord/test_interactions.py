"""Commands, buttons, lists, forms and suggestions, with the unmodified client."""

import asyncio

import discord
import pytest
from discord import app_commands

from tests.discord.clients import Commander, connected
from tests.fakes.discord.interactions import DEFERRED, MESSAGE
from tests.fakes.discord.rules import Upload
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, User
from tests.fakes.discord.typed import NotPossible


def commander() -> Commander:
    """A client with a command of each kind."""
    client = Commander()

    @client.tree.command(description="Ask for a change")
    @app_commands.describe(goal="what should be better")
    async def improve(interaction: discord.Interaction, goal: str, attempts: int = 1) -> None:
        await interaction.response.defer(thinking=True)
        await interaction.edit_original_response(content=f"working on {goal}")
        await interaction.followup.send(f"done after {attempts}", ephemeral=True)

    @client.tree.command(description="Say who somebody is")
    async def who(
        interaction: discord.Interaction, member: discord.Member, paper: discord.Attachment | None = None
    ) -> None:
        read = (await paper.read()).decode() if paper else ""
        await interaction.response.send_message(f"{member.name} {read}".strip(), ephemeral=True)

    @client.tree.command(description="Choose a model")
    async def model(interaction: discord.Interaction, name: str) -> None:
        await interaction.response.send_message(name)

    @model.autocomplete("name")
    async def suggest(_: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        known = ("small", "smart", "large")
        return [app_commands.Choice(name=one, value=one) for one in known if one.startswith(current)]

    @client.tree.command(description="Say what you think")
    async def feedback(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Form())

    @client.tree.context_menu(name="Ask about this")
    async def ask(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"about {message.content}")

    @client.tree.context_menu(name="Greet")
    async def greet(interaction: discord.Interaction, user: discord.User) -> None:
        await interaction.response.send_message(f"hello {user.name}")

    group = app_commands.Group(name="memory", description="What is remembered")

    @group.command(description="Forget it")
    async def forget(interaction: discord.Interaction, everything: bool) -> None:  # noqa: FBT001 - Discord hands it over
        await interaction.response.send_message(f"forgotten {everything}")

    client.tree.add_command(group)
    return client


class Form(discord.ui.Modal, title="Feedback"):
    """A form with two fields."""

    text = discord.ui.TextInput["Form"](label="Text", custom_id="text")
    why: discord.ui.Label["Form"] = discord.ui.Label(
        text="Why", component=discord.ui.TextInput(custom_id="why", required=False)
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Say what was put in."""
        await interaction.response.send_message(f"noted: {self.text.value}")


async def test_a_command_is_promised_kept_and_followed_up(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """A registered command reaches the client with its options; the promise is kept in place, and more may follow."""
    async with connected(server, commander()):
        used = server.slash(ann, room, "improve", goal="greetings", attempts=2)
        await server.until(lambda: used.followups)
    assert used.answered == DEFERRED
    assert (used.text, used.followups[0].content) == ("working on greetings", "done after 2")
    assert used.followups[0].ephemeral
    assert [one.content for one in room.messages] == ["working on greetings"]
    calls = [call for call in server.rest.calls if call.template.startswith("/webhooks/")]
    assert [call.method for call in calls] == ["PATCH", "POST"]
    assert not any("Authorization" in call.headers for call in calls)


async def test_commands_keep_their_ids(server: DiscordServer) -> None:
    """Registering the same commands again gives them the same ids; what is left out is gone."""
    client = commander()
    async with connected(server, client):
        before = {one.name: one.id for one in await client.tree.fetch_commands()}
        client.tree.remove_command("who")
        after = {one.name: one.id for one in await client.tree.sync()}
    del before["who"]
    assert after == before


async def test_people_and_files_come_with_a_command(
    server: DiscordServer, room: Channel, ann: User, guild: Guild
) -> None:
    """Options for people and files arrive as such, and an answer can be for one person's eyes."""
    bob = server.user("bob", guild)
    async with connected(server, commander()):
        used = server.slash(ann, room, "who", member=bob, paper=Upload("a.txt", b"papers"))
        await server.until(lambda: used.done)
    assert (used.answered, used.text) == (MESSAGE, "bob papers")
    assert room.messages == []
    assert [one.content for one in room.ephemeral] == ["bob papers"]


async def test_parts_of_a_group_are_commands(server: DiscordServer, room: Channel, ann: User) -> None:
    """A subcommand is reached through its group."""
    async with connected(server, commander()):
        used = server.slash(ann, room, "memory forget", everything=True)
        await server.until(lambda: used.done)
    assert used.text == "forgotten True"


async def test_a_command_works_in_direct_messages(server: DiscordServer, ann: User) -> None:
    """Global commands can be used where there is no server."""
    async with connected(server, commander()):
        used = server.slash(ann, server.direct(ann), "model", name="small")
        await server.until(lambda: used.done)
    assert [one.content for one in server.direct(ann).messages] == ["small"]


async def test_a_servers_own_command_comes_first(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """A command can be registered with one server, where it stands before a global one of its name."""
    client = commander()
    home = discord.Object(int(guild.id))

    @client.tree.command(name="model", description="Choose here", guild=home)
    async def here(interaction: discord.Interaction, role: discord.Role, place: discord.TextChannel) -> None:
        await interaction.response.send_message(f"{role.name} in {place.name}")

    elsewhere = server.room(server.guild("Elsewhere", ann), "general")
    async with connected(server, client):
        await client.tree.sync(guild=home)
        used = server.slash(ann, room, "model", role=server.role(guild, "crew"), place=room)
        other = server.slash(ann, elsewhere, "model", name="small")
        await server.until(lambda: used.done and other.done)
    assert (used.text, other.text) == ("crew in general", "small")


async def test_answers_can_be_read_changed_and_taken_back(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """First answers and those that follow are edited and deleted by the interaction's token, private ones too."""
    client = Commander()
    over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @client.tree.command(description="Change your mind")
    async def change(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("one", ephemeral=True)
        more = await interaction.followup.send("two", wait=True)
        await more.edit(content="three")
        first = (await interaction.original_response()).content
        await interaction.delete_original_response()
        over.set_result(first)

    async with connected(server, client):
        server.slash(ann, room, "change")
        assert await asyncio.wait_for(over, 5) == "one"
    assert room.ephemeral == []
    assert [one.contents for one in room.messages] == [["two", "three"]]


async def test_what_is_not_registered_cannot_be_used(server: DiscordServer, room: Channel, ann: User) -> None:
    """People see registered commands only, with the options that were registered."""
    async with connected(server, commander()):
        for name, options in (
            ("imrpove", {"goal": "x"}),
            ("improve", {}),
            ("improve", {"goal": "x", "speed": 1}),
            ("improve", {"goal": "x", "attempts": "two"}),
            ("memory", {}),
        ):
            with pytest.raises(NotPossible):
                server.slash(ann, room, name, **options)


async def test_suggestions_follow_what_is_typed(server: DiscordServer, room: Channel, ann: User) -> None:
    """While an option is typed the client is asked what fits."""
    async with connected(server, commander()):
        used = server.autocomplete(ann, room, "model", typing="name", name="sm")
        await server.until(lambda: used.choices)
    assert [one["value"] for one in used.choices] == ["small", "smart"]


async def test_menus_know_what_they_were_opened_on(server: DiscordServer, room: Channel, ann: User) -> None:
    """An entry of a context menu arrives with the message, or the person, on which it was chosen."""
    said = server.say(ann, room, "the sea")
    async with connected(server, commander()):
        on_message = server.menu(ann, room, "Ask about this", said)
        on_person = server.menu(ann, room, "Greet", ann)
        await server.until(lambda: on_message.done and on_person.done)
    assert (on_message.text, on_person.text) == ("about the sea", "hello ann")


async def test_a_form_is_opened_filled_in_and_read(server: DiscordServer, room: Channel, ann: User) -> None:
    """A command can open a form; what is put in arrives, and what is missing cannot be sent."""
    async with connected(server, commander()):
        used = server.slash(ann, room, "feedback")
        await server.until(lambda: used.form)
        with pytest.raises(NotPossible):
            server.modal(ann, used, why="because")
        sent = server.modal(ann, used, text="fine", why="because")
        await server.until(lambda: sent.done)
    assert sent.text == "noted: fine"
