"""The operations on channels: messages, reactions, typing, threads."""

from typing import Any

from tests.fakes.discord import messages
from tests.fakes.discord.refusals import Refusal, invalid, unknown
from tests.fakes.discord.rest import Call, Route
from tests.fakes.discord.state import World
from tests.fakes.discord.things import FORUM, HAS_THREAD, THREADS, Channel, Event, Json, Message, User


def _channel(world: World, call: Call) -> Channel:
    return world.channel(call.parts["channel_id"])


def _message(world: World, call: Call) -> Message:
    return _channel(world, call).message(call.parts["message_id"])


def _own(world: World, call: Call) -> Message:
    message = _message(world, call)
    if message.author.id != world.bot.id:
        raise Refusal(403, 50005, "Cannot edit a message authored by another user")
    return message


def _list(world: World, call: Call) -> Any:
    found, query, limit = _channel(world, call).messages, call.query, call.limit(50, 100)
    if "around" in query:
        middle, half = int(query["around"]), limit // 2
        older = [one for one in found if int(one.id) < middle][-half or len(found) :]
        found = older + [one for one in found if int(one.id) >= middle][: half + 1]
    elif "after" in query:
        # What follows an id begins with the oldest, all else with the newest; both are told newest first.
        found = [one for one in found if int(one.id) > int(query["after"])][:limit]
    elif "before" in query:
        found = [one for one in found if int(one.id) < int(query["before"])]
    return [messages.shown(one) for one in reversed(found[-limit:])]


def _create(world: World, call: Call) -> Any:
    channel = _channel(world, call)
    if channel.is_thread and channel.locked:
        raise Refusal(403, 160005, "Thread is locked")
    return messages.shown(messages.post(world, channel, world.bot, call.fields, call.uploads))


def _edit(world: World, call: Call) -> Any:
    return messages.shown(messages.edit(world, _own(world, call), call.fields, call.uploads))


def _delete(world: World, call: Call) -> None:
    messages.delete(world, _message(world, call))


def _bulk(world: World, call: Call) -> None:
    ids, channel = call.fields["messages"], _channel(world, call)
    if not 2 <= len(ids) <= 100:
        raise invalid("messages", "BASE_TYPE_BAD_LENGTH", "Must be between 2 and 100 in length.")
    messages.delete(world, *(one for one in channel.messages if one.id in map(str, ids)))


def _typing(world: World, call: Call) -> None:
    type_in(world, _channel(world, call), world.bot)


def type_in(world: World, channel: Channel, user: User) -> None:
    """Let others see that somebody writes."""
    data: Json = {"channel_id": channel.id, "user_id": user.id, "timestamp": int(world.clock())}
    guild = channel.guild
    if guild is not None:
        data |= {"guild_id": guild.id, "member": guild.members[user.id].payload()}
    world.emit(Event("TYPING_START", data, 1 << (14 if guild is None else 11), guild))


def _react(world: World, call: Call) -> None:
    messages.react(world, _message(world, call), world.bot, call.parts["emoji_name"], on=True)


def _unreact(world: World, call: Call) -> None:
    user = world.users[call.parts["user_id"]] if "user_id" in call.parts else world.bot
    messages.react(world, _message(world, call), user, call.parts["emoji_name"], on=False)


def _reactors(world: World, call: Call) -> Any:
    for one in _message(world, call).data["reactions"]:
        if one["emoji"]["name"] == call.parts["emoji_name"].partition(":")[0]:
            return [world.users[who].payload() for who in one["users"]]
    return []


def _clear(world: World, call: Call) -> None:
    message = _message(world, call)
    for one in message.data["reactions"]:
        for who in one["users"]:
            messages.react(world, message, world.users[who], one["emoji"]["name"], on=False)


def _get(world: World, call: Call) -> Any:
    return _channel(world, call).payload()


def _change(world: World, call: Call) -> Any:
    channel, body = _channel(world, call), call.fields
    channel.name = body.get("name") or channel.name
    if channel.is_thread:
        channel.archived = body.get("archived", channel.archived)
        channel.locked = body.get("locked", channel.locked)
        channel.auto_archive = body.get("auto_archive_duration", channel.auto_archive)
        channel.stamp = world.now()
    else:
        channel.topic = body.get("topic", channel.topic)
    kind = "THREAD" if channel.is_thread else "CHANNEL"
    world.emit(Event(f"{kind}_UPDATE", channel.payload(), 1, channel.guild))
    return channel.payload()


def _remove(world: World, call: Call) -> Any:
    return remove(world, _channel(world, call))


def remove(world: World, channel: Channel) -> Json:
    """Delete a channel or a thread."""
    del world.channels[channel.id]
    if channel.guild is not None:
        del channel.guild.channels[channel.id]
    data = channel.payload()
    kind = "THREAD" if channel.is_thread else "CHANNEL"
    world.emit(Event(f"{kind}_DELETE", data, 1, channel.guild))
    return data


def thread(
    world: World, parent: Channel, starter: User, name: str, *, kind: int = 11, id_: str = ""
) -> Channel:
    """Open a thread; its id is that of the message below which it hangs, if there is one."""
    if not 1 <= len(name) <= 100:
        raise invalid("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    guild = parent.guild
    if guild is None or parent.is_thread:
        raise Refusal(400, 50024, "Cannot execute action on this channel type")
    made = Channel(id_ or world.snowflake(), kind, name, guild, parent, {starter.id: starter}, starter)
    made.stamp = world.now()
    world.channels[made.id] = guild.channels[made.id] = made
    world.emit(Event("THREAD_CREATE", made.payload() | {"newly_created": True}, 1, guild))
    return made


def _thread_below(world: World, call: Call) -> Any:
    message, body = _message(world, call), call.fields
    if message.data["flags"] & HAS_THREAD:
        raise Refusal(400, 160004, "A thread has already been created for this message")
    made = thread(world, message.channel, world.bot, body["name"], id_=message.id)
    made.auto_archive = body.get("auto_archive_duration") or made.auto_archive
    message.data["flags"] |= HAS_THREAD
    message.data["thread"] = made.payload()
    messages.tell(world, "MESSAGE_UPDATE", message)
    return _joined(made, world.bot)


def _thread_alone(world: World, call: Call) -> Any:
    parent, body = _channel(world, call), call.fields
    if parent.kind == FORUM:
        made = thread(world, parent, world.bot, body["name"])
        first = messages.post(world, made, world.bot, body["message"], call.uploads)
        return _joined(made, world.bot) | {"message": messages.shown(first)}
    kind = body.get("type") or 12
    if kind not in THREADS:
        raise invalid("type", "BASE_TYPE_CHOICES", "Value must be one of {10, 11, 12}.")
    return _joined(thread(world, parent, world.bot, body["name"], kind=kind), world.bot)


def _joined(made: Channel, user: User) -> Json:
    return made.payload() | {"member": _presence(made, user)}


def _presence(made: Channel, user: User) -> Json:
    return {"id": made.id, "user_id": user.id, "join_timestamp": made.stamp, "flags": 0}


def _enter(world: World, call: Call) -> None:
    who = _who(world, call)
    join(world, _channel(world, call), who)


def join(world: World, place: Channel, user: User) -> None:
    """Let somebody be in a thread."""
    if place.people.setdefault(user.id, user) is user:
        _moved(world, place, added=[_presence(place, user)], removed=[])


def _leave(world: World, call: Call) -> None:
    place, who = _channel(world, call), _who(world, call)
    if place.people.pop(who.id, None) is not None:
        _moved(world, place, added=[], removed=[who.id])


def _moved(world: World, place: Channel, *, added: list[Json], removed: list[str]) -> None:
    guild = place.guild
    assert guild is not None, "a thread belongs to a server"
    for one in added:
        one["member"], one["presence"] = guild.members[one["user_id"]].payload(), None
    data = {"id": place.id, "guild_id": guild.id, "member_count": len(place.people)}
    data |= {"added_members": added, "removed_member_ids": removed}
    world.emit(Event("THREAD_MEMBERS_UPDATE", data, 1, guild))


def _who(world: World, call: Call) -> User:
    found = world.users.get(call.parts.get("user_id", world.bot.id))
    if found is None:
        raise unknown("User", 10013)
    return found


def _people(world: World, call: Call) -> Any:
    place = _channel(world, call)
    return [_presence(place, one) for one in place.people.values()]


def _put_away(world: World, call: Call) -> Any:
    parent = _channel(world, call)
    away = [one for one in world.channels.values() if one.parent is parent and one.archived]
    return {"threads": [one.payload() for one in away], "members": [], "has_more": False}


_C, _M = "/channels/{channel_id}", "/channels/{channel_id}/messages"
_ONE, _EMOJI = _M + "/{message_id}", _M + "/{message_id}/reactions/{emoji_name}"

ROUTES = (
    Route("GET", _C, _get),
    Route("PATCH", _C, _change),
    Route("DELETE", _C, _remove),
    Route("GET", _M, _list),
    Route("POST", _M, _create),
    Route("POST", _M + "/bulk-delete", _bulk),
    Route("GET", _ONE, lambda world, call: messages.shown(_message(world, call))),
    Route("PATCH", _ONE, _edit),
    Route("DELETE", _ONE, _delete),
    Route("DELETE", _ONE + "/reactions", _clear),
    Route("GET", _EMOJI, _reactors),
    Route("PUT", _EMOJI + "/@me", _react),
    Route("DELETE", _EMOJI + "/@me", _unreact),
    Route("DELETE", _EMOJI + "/{user_id}", _unreact),
    Route("POST", _C + "/typing", _typing),
    Route("POST", _ONE + "/threads", _thread_below, status=201),
    Route("POST", _C + "/threads", _thread_alone, status=201),
    Route("GET", _C + "/thread-members", _people),
    Route("PUT", _C + "/thread-members/@me", _enter),
    Route("DELETE", _C + "/thread-members/@me", _leave),
    Route("PUT", _C + "/thread-members/{user_id}", _enter),
    Route("DELETE", _C + "/thread-members/{user_id}", _leave),
    Route("GET", _C + "/threads/archived/public", _put_away),
    Route("GET", _C + "/threads/archived/private", _put_away),
)
