"""The components below a card, a question and a page, which work in whatever process is asked.

They are templates of the library: each carries in its id what it is for, so no process has to remember the messages it
sent, and nothing is left behind when live code is swapped.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import discord

from bot.discord.review.cards import buttons, links
from bot.discord.review.points import IDS, Act, Point, point_of
from selfedit.types import Proposal

FORM_SECONDS = 900.0
"""How long a form may stay open; Discord takes its answer for no longer."""
LONGEST_WHY = 400
"""Characters of a reason."""


class Desk(Protocol):
    """What is asked when a component is used."""

    async def pressed(self, used: discord.Interaction, point: Point) -> None:
        """Somebody pressed a button."""

    async def chosen(self, used: discord.Interaction, point: Point, value: str) -> None:
        """Somebody chose in a list."""


@runtime_checkable
class Reviewed(Protocol):
    """A client that has such a desk."""

    review: Desk


class Pointed(discord.ui.DynamicItem[discord.ui.Button[Any] | discord.ui.Select[Any]], template=IDS):
    """Any component here that carries its point: a button, or the list of a change's files."""

    def __init__(self, item: discord.ui.Button[Any] | discord.ui.Select[Any], point: Point) -> None:
        super().__init__(item)
        self.point = point

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The component of a message, as it was used."""
        point = point_of(match)
        if isinstance(item, discord.ui.Select if point.act is Act.FILE else discord.ui.Button):
            return cls(item, point)
        raise TypeError("an id of a button stands in a list, or of a list in a button")

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand on that it was pressed, or what was chosen."""
        if not isinstance(interaction.client, Reviewed):
            return
        if isinstance(self.item, discord.ui.Select):
            await interaction.client.review.chosen(interaction, self.point, self.item.values[0])
        else:
            await interaction.client.review.pressed(interaction, self.point)


class WhyForm(discord.ui.Modal):
    """Asks for the reason of a rejection, or of a rollback."""

    why: discord.ui.TextInput[Self] = discord.ui.TextInput(
        label="Why? Whoever asked for the change reads this.",
        style=discord.TextStyle.paragraph,
        custom_id="why",
        required=False,
        max_length=LONGEST_WHY,
    )

    def __init__(
        self, point: Point, opened: int, told: Callable[[discord.Interaction, Point, str], Awaitable[None]]
    ) -> None:
        # Several may be open for one card, each with an answer of its own; by `opened`, the click, they differ.
        name = f"p/{point.act}/{point.number}/{opened}"
        does = "Reject" if point.act is Act.REJECT else "Roll back"
        super().__init__(title=f"{does} proposal {point.number}", timeout=FORM_SECONDS, custom_id=name)
        self._point, self._told = point, told

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Hand on the reason."""
        await self._told(interaction, self._point, self.why.value)


def card_view(one: Proposal, link: str = "") -> discord.ui.View:
    """The buttons of a card; on a copy also the way to the card itself."""
    view = discord.ui.View(timeout=None)
    for each in buttons(one):
        view.add_item(
            button(Point(each.act, one.number, one.head), each.label, each.style, enabled=each.enabled)
        )
    for label, url in (*links(one), *([("Its card", link)] if link else [])):
        view.add_item(discord.ui.Button(label=label, url=url))
    return view


def sure_view(point: Point, label: str, style: discord.ButtonStyle) -> discord.ui.View:
    """Yes or no, for one person; before something is taken back, also why."""
    view = discord.ui.View(timeout=None)
    view.add_item(button(point, label, style))
    leave = Point(Act.LEAVE, point.number, point.head, point.who)
    view.add_item(button(leave, "Leave it", discord.ButtonStyle.secondary))
    if point.act is Act.SURE_ROLLBACK:
        reason = Point(Act.REASON, point.number, point.head, point.who)
        view.add_item(button(reason, "Say why", discord.ButtonStyle.secondary))
    return view


def button(point: Point, label: str, style: discord.ButtonStyle, *, enabled: bool = True) -> Pointed:
    """One button."""
    return Pointed(
        discord.ui.Button(label=label, style=style, disabled=not enabled, custom_id=point.id), point
    )


def file_list(point: Point, options: Sequence[discord.SelectOption]) -> Pointed:
    """The files of a change."""
    return Pointed(discord.ui.Select(custom_id=point.id, options=list(options)), point)
