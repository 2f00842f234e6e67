"""`/moderate`: the slash commands by which a member is kicked, banned or muted; each only asks for a button to be pressed."""

from collections.abc import Awaitable, Callable

import discord
from discord import app_commands

from bot.control.commands import MODERATE, Unclear
from bot.control.options import Option
from bot.discord.commands.options import Given, built
from bot.discord.moderation.deeds import LONGEST_REASON, Deed, Wanted, wanted

_WHO = Option("who", "the member", "person", required=True)
_TIME = Option("time", "for how long: 10m, 2 hours, 3 days; at most 28 days", required=True, longest=40)
_WHY = Option("reason", "why; it stands in the server's audit log", longest=LONGEST_REASON)
_PARTS: dict[Deed, tuple[str, tuple[Option, ...]]] = {
    Deed.KICK: ("send a member away; they can come back with an invitation", (_WHO, _WHY)),
    Deed.BAN: ("send a member away for good; their messages stay", (_WHO, _WHY)),
    Deed.MUTE: ("let a member say nothing for a time", (_WHO, _TIME, _WHY)),
}

Ask = Callable[[discord.Interaction, Wanted | Unclear], Awaitable[None]]
"""Asks somebody whether they are sure."""


def moderate(ask: Ask) -> app_commands.Group:
    """The group as it is registered; there is none of it in direct messages."""
    group = app_commands.Group(
        name=MODERATE,
        description="kick, ban or mute a member, if you may on this server",
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False),
        allowed_installs=app_commands.AppInstallationType(guild=True),
    )
    for deed, (described, options) in _PARTS.items():
        group.add_command(built(deed.value, described, options, _asking(ask, deed), _nothing))
    return group


def _asking(ask: Ask, deed: Deed) -> Callable[[discord.Interaction, Given], Awaitable[None]]:
    async def asking(interaction: discord.Interaction, given: Given) -> None:
        time, reason = (str(given.get(name) or "") for name in ("time", "reason"))
        await ask(interaction, wanted(deed, given["who"].id, time, reason))

    return asking


async def _nothing(
    _interaction: discord.Interaction, _option: Option, _begun: str
) -> list[app_commands.Choice[str]]:
    """Nothing is offered."""
    return []
