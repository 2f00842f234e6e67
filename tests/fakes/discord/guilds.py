"""The operations on the application, its commands, users and servers."""

import re
from typing import Any

from tests.fakes.discord.refusals import Refusal, invalid, unknown
from tests.fakes.discord.rest import Call, Route
from tests.fakes.discord.state import World
from tests.fakes.discord.things import Guild, Json

CHAT, ON_USER, ON_MESSAGE = 1, 2, 3
"""Kinds of application commands."""
MOST = {CHAT: 100, ON_USER: 15, ON_MESSAGE: 15}
_CHAT_NAME = re.compile(r"[-_'\w]{1,32}")


def _gateway(world: World, _call: Call) -> Any:
    return {"url": world.base.replace("http", "ws", 1) + "/gateway/"}


def _gateway_bot(world: World, call: Call) -> Any:
    starts = {
        "total": 1000,
        "remaining": max(0, 1000 - world.identified),
        "reset_after": 86_400_000,
        "max_concurrency": 1,
    }
    return {**_gateway(world, call), "shards": world.shards, "session_start_limit": starts}


def _me(world: World, _call: Call) -> Any:
    return {**world.bot.payload(), "verified": True, "mfa_enabled": True, "email": None, "locale": "en-US"}


def _application(world: World, _call: Call) -> Any:
    return {
        "id": world.bot.id,
        "name": world.bot.name,
        "icon": None,
        "description": "",
        "flags": 0,
        "bot_public": False,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "team": None,
        "type": None,
        "flags_new": "0",
        "owner": world.owner.payload(),
        "bot": world.bot.payload(),
        "hook": True,
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "integration_types_config": {"0": {}},
        "role_connections_verification_url": None,
        "approximate_guild_count": len(world.guilds),
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "eligible_oauth2_scopes": ["bot", "applications.commands"],
        **world.application,
    }


def _where(call: Call) -> str:
    return call.parts.get("guild_id", "")


def _ours(world: World, call: Call) -> list[Json]:
    if call.parts["application_id"] != world.bot.id:
        raise Refusal(403, 20012, "You are not authorized to perform this action on this application")
    if _where(call):
        world.guild(_where(call))
    return world.commands.setdefault(_where(call), [])


def _register_all(world: World, call: Call) -> Any:
    there, asked = _ours(world, call), call.body or []
    keys = [(one.get("type", CHAT), one["name"]) for one in asked]
    if len(set(keys)) != len(keys):
        raise invalid(
            "name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique"
        )
    for kind, most in MOST.items():
        if sum(each == kind for each, _ in keys) > most:
            raise Refusal(400, 30032, f"Maximum number of application commands reached ({most})")
    had = {(one["type"], one["name"]): one for one in there}
    there[:] = [_registered(world, call, one, had.get(key)) for key, one in zip(keys, asked, strict=True)]
    world.changed()
    return there


def _register(world: World, call: Call) -> Any:
    there, body = _ours(world, call), call.fields
    same = [one for one in there if (one["type"], one["name"]) == (body.get("type", CHAT), body["name"])]
    made = _registered(world, call, body, same[0] if same else None)
    there[:] = [one for one in there if one not in same] + [made]
    world.changed()
    return made


def _registered(world: World, call: Call, asked: Json, had: Json | None) -> Json:
    kind, name, told = asked.get("type", CHAT), asked["name"], asked.get("description") or ""
    if kind == CHAT and (not _CHAT_NAME.fullmatch(name) or name != name.lower()):
        raise invalid("name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if kind == CHAT and not 1 <= len(told) <= 100:
        raise invalid("description", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    if kind != CHAT and told:
        raise invalid("description", "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION", "must be empty")
    _check_options(asked.get("options") or ())
    where = {"guild_id": _where(call)} if _where(call) else {}
    kept = {"id": had["id"] if had else world.snowflake(), "version": world.snowflake(), **where}
    common: Json = {"default_member_permissions": None, "nsfw": False, "options": [], "dm_permission": True}
    places = {"integration_types": asked.get("integration_types") or [0]}
    return {
        **common,
        **asked,
        **places,
        "description": told,
        "type": kind,
        "application_id": world.bot.id,
        **kept,
    }


def _check_options(options: Any) -> None:
    if len(options) > 25:
        raise invalid("options", "BASE_TYPE_BAD_LENGTH", "Must be 25 or fewer in length.")
    optional = False
    for option in options:
        if not option.get("required") and option["type"] > 2:
            optional = True
        elif optional and option["type"] > 2:
            raise invalid(
                "options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", "Required ones come first"
            )
        if len(option.get("choices") or ()) > 25:
            raise invalid("choices", "BASE_TYPE_BAD_LENGTH", "Must be 25 or fewer in length.")
        _check_options(option.get("options") or ())


def _command(world: World, call: Call) -> Json:
    for one in _ours(world, call):
        if one["id"] == call.parts["command_id"]:
            return one
    raise unknown("application command", 10063)


def _change_command(world: World, call: Call) -> Any:
    one = _command(world, call)
    one |= call.fields | {"version": world.snowflake()}
    return one


def _remove_command(world: World, call: Call) -> None:
    _ours(world, call).remove(_command(world, call))


def _direct(world: World, call: Call) -> Any:
    user = world.users.get(str(call.fields["recipient_id"]))
    if user is None or user.bot:
        raise Refusal(400, 50033, "Invalid Recipient(s)")
    return world.direct(user).payload()


def _user(world: World, call: Call) -> Any:
    if call.parts["user_id"] not in world.users:
        raise unknown("User", 10013)
    return world.users[call.parts["user_id"]].payload()


def guild_of(world: World, call: Call) -> Guild:
    """The server that a call is about."""
    return world.guild(call.parts["guild_id"])


def _describe(world: World, call: Call) -> Any:
    guild = guild_of(world, call)
    counted = {"approximate_member_count": len(guild.members), "approximate_presence_count": 1}
    return guild.payload() | (counted if call.query.get("with_counts") else {})


def _guilds(world: World, _call: Call) -> Any:
    mine = {"owner": False, "permissions": "0", "icon": None, "banner": None, "features": []}
    return [{"id": one.id, "name": one.name, **mine} for one in world.guilds.values()]


def _channels(world: World, call: Call) -> Any:
    return [one.payload() for one in guild_of(world, call).channels.values() if not one.is_thread]


def _threads(world: World, call: Call) -> Any:
    guild = guild_of(world, call)
    active = [one for one in guild.channels.values() if one.is_thread and not one.archived]
    return {"threads": [one.payload() for one in active], "members": []}


_APP, _G = "/applications/{application_id}", "/guilds/{guild_id}"
_HERE = _APP + _G

ROUTES = (
    Route("GET", "/gateway", _gateway, open=True),
    Route("GET", "/gateway/bot", _gateway_bot),
    Route("GET", "/users/@me", _me),
    Route("GET", "/users/@me/guilds", _guilds),
    Route("POST", "/users/@me/channels", _direct),
    Route("GET", "/users/{user_id}", _user),
    Route("GET", "/oauth2/applications/@me", _application),
    Route("GET", "/applications/@me", _application),
    *(
        route
        for place in (_APP, _HERE)
        for route in (
            Route("GET", place + "/commands", _ours),
            Route("PUT", place + "/commands", _register_all),
            Route("POST", place + "/commands", _register, status=201),
            Route("GET", place + "/commands/{command_id}", _command),
            Route("PATCH", place + "/commands/{command_id}", _change_command),
            Route("DELETE", place + "/commands/{command_id}", _remove_command),
        )
    ),
    Route("GET", _G, _describe),
    Route("GET", _G + "/channels", _channels),
    Route("GET", _G + "/threads/active", _threads),
    Route("GET", _G + "/roles", lambda world, call: guild_of(world, call).payload()["roles"]),
)
