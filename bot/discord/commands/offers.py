"""What is offered for a field while somebody fills it in: proposals, models, tools; to people who may know of them."""

import asyncio
from typing import Any

import discord
from discord import app_commands

from bot.asking import ANY
from bot.control.options import Option
from bot.discord.commands.options import matching, short
from bot.discord.conversation.reading import place_of
from bot.discord.person import Who
from bot.surface import Theseus
from selfedit import protocol as say
from selfedit.types import Proposal, Stage

SECONDS = 2.0
"""How long may be thought about it; Discord waits three seconds."""
MOST_PROPOSALS = 200
"""Among so many proposals, the newest, is looked for what fits."""

_STAGES: dict[str, frozenset[Stage]] = {
    "any": frozenset(Stage),
    "open": frozenset({Stage.OPENED}),
    "merged": frozenset({Stage.MERGED, Stage.LIVE, Stage.KEPT}),
}


class Offers:
    """Looks for what fits."""

    def __init__(self, theseus: Theseus, who: Who) -> None:
        """Begin.

        Args:
            theseus: Knows what there is, and who may know of it.
            who: Somebody, in the terms of rights.
        """
        self._theseus, self._who = theseus, who

    async def offer(
        self, interaction: discord.Interaction, option: Option, begun: str
    ) -> list[app_commands.Choice[Any]]:
        """What is offered for a field of which so much is typed."""
        theseus, person = self._theseus, await self._who(interaction.user)
        if option.suggests in _STAGES:
            if not theseus.may("see", person).allowed:
                return []
            found = await self._proposals(option.suggests)
            titles = {short(f"{one.number} · {one.title} ({one.stage})"): one.number for one in found}
            return [app_commands.Choice(name=title, value=titles[title]) for title in matching(begun, titles)]
        if not theseus.may("chat", person).allowed:
            return []
        if option.suggests == "models":
            names = theseus.models
        else:
            names = theseus.tools(person.id, place_of(interaction))
            names = [ANY, *names] if option.suggests == "force" else names
        return [app_commands.Choice(name=one, value=one) for one in matching(begun, names)]

    async def _proposals(self, which: str) -> list[Proposal]:
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self._theseus.ask(say.Proposals(limit=MOST_PROPOSALS))
        except TimeoutError:
            return []
        several = answer.proposals if isinstance(answer, say.ProposalsAre) else ()
        return [one for one in several if one.stage in _STAGES[which]]
