"""Buttons and lists, and how long interactions live, with the unmodified client."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import discord
import pytest

from tests.discord.clients import Clock, Commander, Listener, connected
from tests.fakes.discord.interactions import UPDATE
from tests.fakes.discord.server import DiscordServer
from tests.fakes.discord.things import Channel, Guild, User
from tests.fakes.discord.typed import NotPossible

Press = Callable[[discord.Interaction], Awaitable[Any]]


class Card(discord.ui.View):
    """Buttons and a list that work for ever."""

    def __init__(self, pressed: Press) -> None:
        super().__init__(timeout=None)
        self._pressed = pressed

    @discord.ui.button(label="Approve", custom_id="approve:7")
    async def approve(self, interaction: discord.Interaction, _button: discord.ui.Button["Card"]) -> None:
        """Approve."""
        await self._pressed(interaction)

    @discord.ui.select(
        custom_id="file", options=[discord.SelectOption(label=one) for one in ("a.py", "b.py")]
    )
    async def file(self, interaction: discord.Interaction, chosen: discord.ui.Select["Card"]) -> None:
        """Show a file."""
        await interaction.response.edit_message(content=chosen.values[0])


async def test_a_button_works_after_a_restart(server: DiscordServer, room: Channel, ann: User) -> None:
    """A card that one process sent is served by the next, which has registered the same view."""

    async def approved(interaction: discord.Interaction) -> None:
        await interaction.response.edit_message(content=f"approved by {interaction.user.name}", view=None)

    async with connected(server, Listener()) as client:
        channel = client.get_channel(int(room.id))
        assert isinstance(channel, discord.TextChannel)
        await channel.send("proposal 7", view=Card(approved))
    card = room.messages[0]
    async with connected(server, Listener()) as client:
        client.add_view(Card(approved))
        chosen = server.choose(ann, card, "file", "b.py")
        await server.until(lambda: chosen.done)
        assert card.content == "b.py"
        pressed = server.click(ann, card, "approve:7")
        await server.until(lambda: pressed.done)
    assert pressed.answered == UPDATE
    assert card.content == "approved by ann"
    with pytest.raises(NotPossible):
        server.click(ann, card, "approve:7")


async def test_an_answer_after_three_seconds_is_too_late(
    server: DiscordServer, room: Channel, ann: User
) -> None:
    """Whoever answers first after three seconds is told that there is no such interaction."""
    late: list[discord.HTTPException] = []
    server.world.clock = now = Clock()

    @(client := Commander()).tree.command(description="Take your time")
    async def slow(interaction: discord.Interaction) -> None:
        now.seconds += 3.5
        try:
            await interaction.response.send_message("at last")
        except discord.NotFound as error:
            late.append(error)

    async with connected(server, client):
        used = server.slash(ann, room, "slow")
        await server.until(lambda: used.tries)
    assert [error.code for error in late] == [10062]
    assert not used.answered


async def test_follow_ups_end_after_fifteen_minutes(server: DiscordServer, room: Channel, ann: User) -> None:
    """The token of an interaction is good for a quarter of an hour, and not for longer."""
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server.world.clock = now = Clock()

    @(client := Commander()).tree.command(description="Think hard")
    async def think(interaction: discord.Interaction) -> None:
        await interaction.response.defer()
        now.seconds += 890
        await interaction.followup.send("nearly")
        now.seconds += 11
        try:
            await interaction.followup.send("there")
        except discord.HTTPException as error:
            ended.set_result(error.code)

    async with connected(server, client):
        used = server.slash(ann, room, "think")
        assert await asyncio.wait_for(ended, 5) == 50027
    assert used.text == "nearly"


async def test_an_interaction_is_answered_once(server: DiscordServer, room: Channel, ann: User) -> None:
    """Of two clients that answer the same interaction, the second is refused."""
    refused: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def answering(text: str) -> Commander:
        client = Commander()

        @client.tree.command(description="Answer")
        async def both(interaction: discord.Interaction) -> None:
            try:
                await interaction.response.send_message(text)
            except discord.HTTPException as error:
                refused.set_result(error.code)

        return client

    async with connected(server, answering("one")), connected(server, answering("two")):
        used = server.slash(ann, room, "both")
        assert await asyncio.wait_for(refused, 5) == 40060
    assert len(room.messages) == 1
    assert used.tries == 2


async def test_people_can_be_chosen_in_a_list(
    server: DiscordServer, guild: Guild, room: Channel, ann: User
) -> None:
    """A list of people arrives with the people, and takes no more of them than it says."""
    bob, view = server.user("bob", guild), discord.ui.View(timeout=None)
    menu: discord.ui.UserSelect[discord.ui.View] = discord.ui.UserSelect(custom_id="who", max_values=2)

    async def chosen(interaction: discord.Interaction) -> None:
        await interaction.response.send_message(" ".join(one.name for one in menu.values))

    menu.callback = chosen  # type: ignore[method-assign]  # the library's own way to do it without a class
    view.add_item(menu)
    async with connected(server, Listener()) as client:
        await client.get_partial_messageable(int(room.id)).send("who?", view=view)
        used = server.choose(ann, room.messages[0], "who", ann, bob)
        await server.until(lambda: used.done)
        with pytest.raises(NotPossible):
            server.choose(ann, room.messages[0], "who", ann, bob, server.bot)
    assert used.text == "ann bob"
