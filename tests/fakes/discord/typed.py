"""What a person types after a slash, put into the form in which the client gets it; held against what is registered."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.fakes.discord.rules import Upload
from tests.fakes.discord.state import World
from tests.fakes.discord.things import Channel, Guild, Json, Member, Message, Role, User

GROUPS = (1, 2)
"""Kinds of options that hold further options."""
STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, FILE = range(3, 12)
_TYPES: Mapping[int, Any] = {
    STRING: str,
    INTEGER: int,
    BOOLEAN: bool,
    USER: (User, Member),
    CHANNEL: Channel,
    ROLE: Role,
    MENTIONABLE: (User, Member, Role),
    NUMBER: (int, float),
    FILE: Upload,
}


class NotPossible(AssertionError):
    """A person cannot do that: it is not registered, not shown, not allowed. Its text says what is there."""


def find(world: World, guild: Guild | None, kind: int, name: str) -> Json:
    """The registered command that somebody sees under a name; a server's own comes before a global one."""
    seen = [*(world.commands.get(guild.id, []) if guild else ()), *world.commands.get("", [])]
    for command in seen:
        if command["type"] == kind and command["name"] == name:
            return dict(command)
    names = sorted(one["name"] for one in seen if one["type"] == kind)
    raise NotPossible(f"no command {name!r} is registered here; there are {names}")


def fill(
    world: World,
    guild: Guild | None,
    command: Json,
    path: Sequence[str],
    given: Mapping[str, Any],
    *,
    focused: str,
) -> Json:
    """The data of an interaction with a command: `path` names group and subcommand, `focused` what is being typed."""
    resolved: Json = {}
    inner, here = command["options"], []
    chain = []
    for step in path:
        found = [one for one in inner if one["type"] in GROUPS and one["name"] == step]
        if not found:
            raise NotPossible(f"{command['name']} has no part {step!r}")
        chain.append((found[0]["type"], step))
        inner = found[0].get("options") or []
    if any(one["type"] in GROUPS for one in inner):
        raise NotPossible(f"{command['name']} has parts; name one of {[one['name'] for one in inner]}")
    declared = {one["name"]: one for one in inner}
    if unknown := sorted(set(given) - set(declared)):
        raise NotPossible(f"{command['name']} has no option {unknown}; it has {sorted(declared)}")
    for name, option in declared.items():
        if name in given:
            here.append(_option(world, guild, option, given[name], resolved, typing=name == focused))
        elif option.get("required") and not focused:
            raise NotPossible(f"{command['name']} needs {name!r}")
    for kind, name in reversed(chain):
        here = [{"type": kind, "name": name, "options": here}]
    data: Json = {"id": command["id"], "name": command["name"], "type": command["type"], "options": here}
    if "guild_id" in command:
        data["guild_id"] = command["guild_id"]
    return data | ({"resolved": resolved} if resolved else {})


def resolve(world: World, guild: Guild | None, value: Any, resolved: Json) -> str:
    """Put something that is named by its id among what is described beside it; its id."""
    if isinstance(value, Member):
        value = value.user
    if isinstance(value, User):
        resolved.setdefault("users", {})[value.id] = value.payload()
        member = guild.members.get(value.id) if guild is not None else None
        if guild is not None and member is not None:
            rights = {"permissions": str(guild.permissions(value))}
            resolved.setdefault("members", {})[value.id] = member.payload(with_user=False) | rights
    elif isinstance(value, Role):
        resolved.setdefault("roles", {})[value.id] = value.payload()
    elif isinstance(value, Channel):
        resolved.setdefault("channels", {})[value.id] = value.payload() | {"permissions": "0"}
    elif isinstance(value, Message):
        resolved.setdefault("messages", {})[value.id] = dict(value.data)
    else:
        made = world.snowflake()
        path = f"/attachments/ephemeral/{made}/{value.name}"
        world.files[path], url = value.data, world.base + path
        about = {"id": made, "filename": value.name, "size": len(value.data), "content_type": value.kind}
        resolved.setdefault("attachments", {})[made] = {
            **about,
            "url": url,
            "proxy_url": url,
            "ephemeral": True,
        }
        return made
    return str(value.id)


def _option(
    world: World, guild: Guild | None, option: Json, value: Any, resolved: Json, *, typing: bool
) -> Json:
    name, kind = option["name"], option["type"]
    if typing:
        # What is being typed arrives as it stands, whatever it is to become.
        return {"name": name, "type": kind, "value": value, "focused": True}
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != BOOLEAN):
        raise NotPossible(f"{name!r} takes something of kind {kind}, not {value!r}")
    choices = [one["value"] for one in option.get("choices") or ()]
    if choices and value not in choices:
        raise NotPossible(f"{name!r} offers {choices}, not {value!r}")
    if kind in (STRING, INTEGER, NUMBER):
        size, unit = (len(value), "length") if kind == STRING else (value, "value")
        low, high = option.get(f"min_{unit}"), option.get(f"max_{unit}")
        if (low is not None and size < low) or (high is not None and size > high):
            raise NotPossible(f"{name!r} has the {unit} {size}, which is not within {low} and {high}")
    elif kind != BOOLEAN:
        value = resolve(world, guild, value, resolved)
    return {"name": name, "type": kind, "value": value}
