"""The operations on the members of a server: reading them, their roles, and moderation with its order of roles."""

from typing import Any
from urllib.parse import unquote

from tests.fakes.discord.guilds import guild_of
from tests.fakes.discord.refusals import Refusal, invalid, unknown
from tests.fakes.discord.rest import Call, Route
from tests.fakes.discord.state import World
from tests.fakes.discord.things import Event, Guild, Member

KICK, BAN, ADMINISTRATE, MUTE = 1 << 1, 1 << 2, 1 << 3, 1 << 40
"""Permissions that moderation takes, and the one that holds it off."""


def _member(world: World, call: Call) -> Member:
    found = guild_of(world, call).members.get(call.parts["user_id"])
    if found is None:
        raise unknown("Member", 10007)
    return found


def _members(world: World, call: Call) -> Any:
    after = int(call.query.get("after", 0))
    found = sorted(guild_of(world, call).members.values(), key=lambda one: int(one.user.id))
    return [one.payload() for one in found if int(one.user.id) > after][: call.limit(1, 1000)]


def _search(world: World, call: Call) -> Any:
    begun = [
        one for one in guild_of(world, call).members.values() if one.user.name.startswith(call.query["query"])
    ]
    return [one.payload() for one in begun[: call.limit(1, 1000)]]


def _change_roles(world: World, call: Call, *, give: bool) -> None:
    member, role = _member(world, call), call.parts["role_id"]
    guild = guild_of(world, call)
    if role not in guild.roles:
        raise unknown("Role", 10011)
    member.roles = [*(one for one in member.roles if one != role), *([role] if give else [])]
    world.emit(Event("GUILD_MEMBER_UPDATE", {**member.payload(), "guild_id": guild.id}, 1 << 1, guild))


def _give(world: World, call: Call) -> None:
    _change_roles(world, call, give=True)


def _take(world: World, call: Call) -> None:
    _change_roles(world, call, give=False)


def _moderated(world: World, call: Call, permission: int, deed: str) -> tuple[Guild, Member]:
    """Somebody who may be moderated by the bot, which is written into the audit log."""
    guild, member = guild_of(world, call), _member(world, call)
    higher = guild.rank(world.bot) > guild.rank(member.user) and member.user is not guild.owner
    guarded = permission == MUTE and guild.permissions(member.user) & ADMINISTRATE
    if not guild.permissions(world.bot) & permission or not higher or guarded:
        raise Refusal(403, 50013, "Missing Permissions")
    reason = unquote(call.headers.get("X-Audit-Log-Reason", ""))
    if len(reason) > 512:
        raise invalid("reason", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 512 in length.")
    guild.audit.append((deed, member.user.id, reason))
    return guild, member


def _leave(world: World, guild: Guild, member: Member) -> None:
    del guild.members[member.user.id]
    data = {"guild_id": guild.id, "user": member.user.payload()}
    world.emit(Event("GUILD_MEMBER_REMOVE", data, 1 << 1, guild))


def _kick(world: World, call: Call) -> None:
    _leave(world, *_moderated(world, call, KICK, "kick"))


def _ban(world: World, call: Call) -> None:
    _leave(world, *_moderated(world, call, BAN, "ban"))


def _change(world: World, call: Call) -> Any:
    if set(call.fields) != {"communication_disabled_until"}:
        raise Refusal(
            501, 0, f"the stand-in changes no more of a member than until when they are mute: {call.fields}"
        )
    guild, member = _moderated(world, call, MUTE, "mute")
    member.muted_until = call.fields["communication_disabled_until"]
    world.emit(Event("GUILD_MEMBER_UPDATE", {**member.payload(), "guild_id": guild.id}, 1 << 1, guild))
    return member.payload()


_HERE = "/guilds/{guild_id}/members"

ROUTES = (
    Route("GET", _HERE, _members),
    Route("GET", _HERE + "/search", _search),
    Route("GET", _HERE + "/{user_id}", lambda world, call: _member(world, call).payload()),
    Route("PATCH", _HERE + "/{user_id}", _change),
    Route("DELETE", _HERE + "/{user_id}", _kick),
    Route("PUT", "/guilds/{guild_id}/bans/{user_id}", _ban),
    Route("PUT", _HERE + "/{user_id}/roles/{role_id}", _give),
    Route("DELETE", _HERE + "/{user_id}/roles/{role_id}", _take),
)
