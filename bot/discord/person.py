"""Who somebody is on Discord, in the terms of rights: by ids alone, as Discord says it at this moment."""

import discord

from policies.rights import MANAGER, OWNER, Person


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
