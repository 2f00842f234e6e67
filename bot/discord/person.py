"""Who somebody is on Discord, in the terms of rights: by ids alone, as Discord says it at this moment."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import discord

from bot.discord.patience import UNREACHABLE
from policies.rights import MANAGER, OWNER, Person

FRESH_SECONDS = 10.0
"""So long it holds what Discord said about whose application this is."""
ASK_SECONDS = 1.5
"""So long is waited for that; whoever used something has to be answered within three seconds."""

log = logging.getLogger("theseus.discord")

Who = Callable[[discord.User | discord.Member], Awaitable[Person]]
"""Somebody in the terms of rights, at this moment."""


class Owners:
    """Whose application this is. Nobody counts as the owner of whom Discord has not said so lately."""

    def __init__(self, ask: Callable[[], Awaitable[discord.AppInfo]]) -> None:
        """Begin with nobody.

        Args:
            ask: Asks Discord about the application.
        """
        self._ask = ask
        self.ids: frozenset[int] = frozenset()
        """Who it was, a person or the members of a team, when that was looked at last."""
        self._fresh_until = 0.0

    def were(self, application: discord.AppInfo | None) -> None:
        """Take what was learned of it when the session began, which may be long ago."""
        self.ids = owners_of(application)

    async def now(self) -> frozenset[int]:
        """Ask anew.

        Raises:
            discord.HTTPException: Discord does not say.
            aiohttp.ClientError: It cannot be reached.
            OSError: Likewise.
        """
        self.were(await self._ask())
        self._fresh_until = time.monotonic() + FRESH_SECONDS
        return self.ids

    async def person(self, user: discord.User | discord.Member) -> Person:
        """Somebody with the roles of this moment; an owner only if Discord says so now."""
        if user.id in self.ids and time.monotonic() > self._fresh_until:
            try:
                async with asyncio.timeout(ASK_SECONDS):
                    await self.now()
            except UNREACHABLE as error:
                log.warning("it cannot be said who owns the application: %s", type(error).__name__)
                return person_of(user, frozenset())
        return person_of(user, self.ids)


def owners_of(application: discord.AppInfo | None) -> frozenset[int]:
    """Who owns the application: a person, or those of a team who may manage it."""
    if application is None:
        return frozenset()
    if application.team is None:
        return frozenset({application.owner.id})
    trusted = (discord.TeamMemberRole.admin, discord.TeamMemberRole.developer)
    members = {
        member.id
        for member in application.team.members
        if member.role in trusted and member.membership_state is discord.TeamMembershipState.accepted
    }
    return frozenset(members | ({application.team.owner_id} if application.team.owner_id else set()))


def person_of(user: discord.User | discord.Member, owners: frozenset[int]) -> Person:
    """Somebody with the roles that they have on the server where they speak; elsewhere they have none."""
    roles = {OWNER} if user.id in owners else set()
    if isinstance(user, discord.Member):
        roles.update(f"discord:role/{role.id}" for role in user.roles if not role.is_default())
        if user.guild_permissions.manage_guild:
            roles.add(MANAGER)
    return Person(f"discord:{user.id}", frozenset(roles))
