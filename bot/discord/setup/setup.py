"""`/setup`: the owner says who may do what, and where news go, by choosing from lists.

The panel is shown to its owner alone. Its parts carry what they are for in their ids, so that they work in whatever process
is asked. Each use looks anew at whose application this is; the steward then decides for itself.
"""

import asyncio
import logging
import re
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

import discord

from bot.discord.incoming.inbox import Inbox
from bot.discord.patience import UNREACHABLE, patiently, promptly
from bot.discord.permits import in_words, missing
from bot.discord.person import Owners, person_of
from bot.discord.setup.news import NewsPlaces
from bot.discord.setup.panel import NOT_EVERYONE, TOPICS, Standing, Topic, changed, embed, lacking, parts
from bot.surface import Theseus
from policies.decision import Decision
from policies.rights import CAPABILITIES, EVERYONE, Capability, Person
from selfedit import protocol as say

UNKNOWN_OWNER = "Discord does not say just now whose application this is; try again in a moment."

log = logging.getLogger("theseus.discord")


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody chose in the panel.

    Attributes:
        part: What the list or button is for: `topic`, `news`, `everyone/on`, `everyone/off`, or a capability.
        values: What was chosen: a topic, ids of channels, or persons and roles as the rules name them.
        before: Who was shown as chosen when they chose, named likewise.
    """

    part: str
    values: tuple[str, ...]
    before: tuple[str, ...] = ()


class Host(Protocol):
    """The client, as far as the panel needs it."""

    setup: "Setup"


class Part(discord.ui.DynamicItem[discord.ui.Item[Any]], template=r"setup/(?P<part>[a-z]{1,16}(/on|/off)?)"):
    """Any list or button of the panel, whichever process showed it."""

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction, item: discord.ui.Item[Any], _match: re.Match[str], /
    ) -> "Part":
        """Take it as it came."""
        return cls(item)

    async def callback(self, interaction: discord.Interaction) -> None:
        """Carry out what was chosen."""
        await cast("Host", interaction.client).setup.used(interaction)


@dataclass(slots=True)
class Setup:
    """Shows the panel, and carries out what is chosen there.

    Attributes:
        theseus: What answers, and asks the steward.
        shelf: Where it is kept where news go.
        inbox: Keeps what was used, so that nothing is carried out twice.
        owners: Says whose application this is.
    """

    theseus: Theseus
    shelf: sqlite3.Connection
    inbox: Inbox
    owners: Owners
    news: NewsPlaces = field(init=False)

    def __post_init__(self) -> None:
        """Open what is kept."""
        self.news = NewsPlaces(self.shelf)

    async def open(self, interaction: discord.Interaction) -> None:
        """Answer `/setup`, which was accepted already."""
        await promptly(lambda: interaction.response.defer(ephemeral=True, thinking=True))
        await self._answer(interaction, None)

    async def used(self, interaction: discord.Interaction) -> None:
        """Answer the use of a list or a button."""
        with self.inbox.use(interaction) as fresh:
            if fresh:
                await promptly(interaction.response.defer)
                await self._answer(interaction, choice_of(interaction))

    async def _answer(self, interaction: discord.Interaction, choice: Choice | None) -> None:
        try:
            person = await self._who(interaction)
            if isinstance(person, Decision):
                await patiently(
                    lambda: interaction.edit_original_response(content=person.why, embed=None, view=None)
                )
                return
            topic, said = await self._carry_out(interaction, person, choice)
            now = replace(await self._standing(interaction), topic=topic, said=said)
            view = discord.ui.View(timeout=None)
            for part in parts(now):
                view.add_item(Part(part))
            await patiently(
                lambda: interaction.edit_original_response(content=said or None, embed=embed(now), view=view)
            )
        except UNREACHABLE as error:
            log.warning("/setup could not be answered: %s", error)

    async def _who(self, interaction: discord.Interaction) -> Person | Decision:
        """Who uses the panel, if they may: whose application this is was asked this moment."""
        try:
            owners = await self.owners.now()
        except UNREACHABLE as error:
            log.warning("it cannot be said who owns the application: %s", error)
            return Decision.no("unknown_owner", UNKNOWN_OWNER)
        person = person_of(interaction.user, owners)
        decision = self.theseus.may("setup", person)
        if decision.allowed:
            return person
        named = " or ".join(f"<@{one}>" for one in sorted(owners))
        return Decision.no("not_allowed", f"{decision.why} That is {named}: ask them, or show them this.")

    async def _carry_out(
        self, interaction: discord.Interaction, person: Person, choice: Choice | None
    ) -> tuple[Topic, str]:
        """Do what was chosen; what is shown next, and what came of it."""
        if choice is None:
            return "approve", ""
        if choice.part == "topic":
            return next((one for one in TOPICS if one in choice.values), "approve"), ""
        if choice.part == "news":
            return "news", self._choose_news(interaction, choice.values)
        if choice.part in (f"{EVERYONE}/on", f"{EVERYONE}/off"):
            return "chat", await self._change(person, "chat", EVERYONE, allowed=choice.part.endswith("/on"))
        capability = next((one for one in CAPABILITIES if one == choice.part), None)
        if capability is None:
            return "approve", ""
        return capability, await self._choose_people(interaction, person, capability, choice)

    def _choose_news(self, interaction: discord.Interaction, values: Collection[str]) -> str:
        guild = interaction.guild
        if guild is None:
            return "News go to a channel of a server; use /setup there."
        if not values:
            self.news.choose(guild.id, None)
            return "News go nowhere on this server now."
        channel = guild.get_channel(int(next(iter(values))))
        if not isinstance(channel, discord.TextChannel):
            return "I cannot see that channel; choose another, or let my role see it."
        if less := missing(channel, "view_channel", "send_messages", "embed_links"):
            return f"{in_words(channel, less)} Then choose it again."
        self.news.choose(guild.id, channel.id)
        return f"News go to <#{channel.id}> now."

    async def _choose_people(
        self, interaction: discord.Interaction, person: Person, capability: Capability, choice: Choice
    ) -> str:
        everybody = f"discord:role/{interaction.guild_id}"
        new = [who for who in choice.values if who not in choice.before and who != everybody]
        gone = [who for who in choice.before if who not in choice.values]
        said = [await self._change(person, capability, who, allowed=True) for who in new]
        said += [await self._change(person, capability, who, allowed=False) for who in gone]
        if everybody in choice.values:
            said.append(NOT_EVERYONE)
        return "\n".join(filter(None, said))[:1900] or "Nothing has changed."

    async def _change(self, person: Person, capability: Capability, who: str, *, allowed: bool) -> str:
        """Have the steward change a right; what came of it."""
        kind = say.Grant if allowed else say.Withdraw
        answer = await self.theseus.ask(
            kind(to=who, capability=capability, by=person.id, roles=tuple(sorted(person.roles)))
        )
        if isinstance(answer, say.Refused):
            return answer.why
        return changed(who, capability, allowed=allowed)

    async def _rights(self) -> say.RightsAre:
        answer = await self.theseus.ask(say.Rights())
        return answer if isinstance(answer, say.RightsAre) else say.RightsAre()

    async def _standing(self, interaction: discord.Interaction) -> Standing:
        rights, status = await asyncio.gather(self._rights(), self.theseus.ask(say.Status()))
        guild = interaction.guild
        return Standing(
            rights=rights,
            status=status if isinstance(status, say.StatusIs) else None,
            lacking=lacking(rights, self.theseus.missing),
            roles=None if guild is None else frozenset(role.id for role in guild.roles),
            news=None if guild is None else self.news.of(guild.id),
        )


def choice_of(interaction: discord.Interaction) -> Choice:
    """What was chosen, by ids alone: as Discord sends it, and as the message showed it before."""
    data = cast("dict[str, Any]", interaction.data or {})
    part = str(data.get("custom_id", "")).removeprefix("setup/")
    values = tuple(str(one) for one in data.get("values", ()))
    if part not in CAPABILITIES:
        return Choice(part, values)
    roles = (data.get("resolved") or {}).get("roles") or {}
    chosen = tuple(f"discord:role/{one}" if one in roles else f"discord:{one}" for one in values)
    return Choice(part, chosen, _shown(interaction.message, data["custom_id"]))


def _shown(message: discord.Message | None, custom_id: str) -> tuple[str, ...]:
    """Who stood in a list when it was used."""
    found: list[str] = []
    for row in message.components if message is not None else ():
        for part in row.children if isinstance(row, discord.ActionRow) else ():
            if isinstance(part, discord.SelectMenu) and part.custom_id == custom_id:
                for value in part.default_values:
                    role = value.type is discord.SelectDefaultValueType.role
                    found.append(f"discord:{'role/' if role else ''}{value.id}")
    return tuple(found)
