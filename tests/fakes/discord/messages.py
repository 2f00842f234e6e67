"""Writing, changing and removing messages by Discord's rules, and telling everybody who may hear of it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.fakes.discord.refusals import invalid
from tests.fakes.discord.rules import Upload, check
from tests.fakes.discord.state import World
from tests.fakes.discord.things import COMPONENTS_V2, DM, EPHEMERAL, Channel, Event, Json, Message, User

KEPT_FLAGS = 1 << 2 | EPHEMERAL | 1 << 12 | COMPONENTS_V2
"""Flags that the writer of a message may set."""
NONCE_SECONDS = 180.0
"""How long Discord knows what was sent with a nonce; it says no more than "a few minutes"."""
_MENTION = re.compile(r"<@!?(\d+)>")
_ROLE = re.compile(r"<@&(\d+)>")
_EVERYONE = re.compile(r"@(everyone|here)\b")
_FREE = {"parse": ["users", "roles", "everyone"], "replied_user": True}
"""Whom a message may wake that does not say so."""
_IMAGE = re.compile(r"\.(png|jpe?g|gif|webp)$")


def post(
    world: World,
    channel: Channel,
    author: User,
    body: Json,
    uploads: Sequence[Upload] = (),
    *,
    extra: Json | None = None,
) -> Message:
    """Write a message. `extra` is put into its JSON as it is."""
    check(body, uploads)
    nonce = str(body.get("nonce") or "")
    if nonce and body.get("enforce_nonce"):
        for earlier in channel.log.values():
            age = world.clock() - datetime.fromisoformat(earlier.data["timestamp"]).timestamp()
            if earlier.nonce == nonce and earlier.author.id == author.id and age < NONCE_SECONDS:
                return earlier
    message_id = world.snowflake()
    answered = _answered(channel, body)
    data = {
        "id": message_id,
        "channel_id": channel.id,
        "author": author.payload(),
        "type": 0,
        "content": body.get("content") or "",
        "timestamp": world.now(),
        "edited_timestamp": None,
        "tts": bool(body.get("tts")),
        "pinned": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": _embeds(body),
        "reactions": [],
        "components": _numbered(body),
        "flags": int(body.get("flags") or 0) & KEPT_FLAGS,
    }
    if nonce:
        data["nonce"] = body["nonce"]
    if answered is not None:
        where = {"message_id": answered.id, "channel_id": channel.id}
        data["message_reference"] = {**where, "type": 0} | _in_guild(channel)
        # One level deep: what that one answers is not in it.
        data["referenced_message"] = {
            name: value for name, value in shown(answered).items() if name != "referenced_message"
        }
        data["type"] = 19
    data |= extra or {}
    data["attachments"] = _attach(world, channel, body, uploads, [])
    message = Message(data, channel, author, [str(data["content"])], nonce=nonce)
    _mention(world, message, body.get("allowed_mentions"), answered)
    channel.log[message_id] = message
    _wake(world, channel)
    tell(world, "MESSAGE_CREATE", message)
    return message


def edit(world: World, message: Message, body: Json, uploads: Sequence[Upload] = ()) -> Message:
    """Change what a message says; fields that the body does not name stay."""
    data = message.data
    check({**{name: data[name] for name in ("content", "embeds", "components", "flags")}, **body}, uploads)
    if "content" in body:
        data["content"] = body["content"] or ""
        _mention(world, message, body.get("allowed_mentions"), None)
    if "embeds" in body or "embed" in body:
        data["embeds"] = _embeds(body)
    if "components" in body:
        data["components"] = _numbered(body)
    if "attachments" in body or uploads:
        data["attachments"] = _attach(world, message.channel, body, uploads, data["attachments"])
    if "flags" in body:
        data["flags"] = data["flags"] & ~KEPT_FLAGS | int(body["flags"] or 0) & KEPT_FLAGS
    data["edited_timestamp"] = world.now()
    message.contents.append(message.content)
    tell(world, "MESSAGE_UPDATE", message)
    return message


def delete(world: World, *messages: Message) -> None:
    """Take messages away."""
    for message in messages:
        message.deleted = True
    seen = [message for message in messages if not message.ephemeral]
    if not seen:
        world.changed()
        return
    channel = seen[0].channel
    where = {"channel_id": channel.id, **_in_guild(channel)}
    if len(seen) == 1:
        name, data = "MESSAGE_DELETE", {"id": seen[0].id, **where}
    else:
        name, data = "MESSAGE_DELETE_BULK", {"ids": [message.id for message in seen], **where}
    world.emit(Event(name, data, _heard(channel, 9, 12), channel.guild))


def react(world: World, message: Message, user: User, emoji: str, *, on: bool) -> None:
    """Put a reaction under a message, or take it back."""
    name, _, emoji_id = emoji.partition(":")
    which = {"id": emoji_id or None, "name": name}
    who: dict[str, set[str]] = {}
    for reaction in message.data["reactions"]:
        who[reaction["emoji"]["name"]] = set(reaction["users"])
    people = who.setdefault(name, set())
    if (user.id in people) == on:
        return
    (people.add if on else people.discard)(user.id)
    message.data["reactions"] = [
        {
            "emoji": {"id": None, "name": each},
            "count": len(ids),
            "me": world.bot.id in ids,
            "me_burst": False,
            "burst_colors": [],
            "users": sorted(ids),
            "count_details": {"burst": 0, "normal": len(ids)},
        }
        for each, ids in who.items()
        if ids
    ]
    where = {"channel_id": message.channel.id, **_in_guild(message.channel)}
    data = {"user_id": user.id, "message_id": message.id, "emoji": which, "burst": False, "type": 0, **where}
    guild = message.channel.guild
    if on:
        data["message_author_id"] = message.author.id
        if guild is not None and user.id in guild.members:
            data["member"] = guild.members[user.id].payload()
    name = "MESSAGE_REACTION_ADD" if on else "MESSAGE_REACTION_REMOVE"
    world.emit(Event(name, data, _heard(message.channel, 10, 13), guild))


def shown(message: Message) -> Json:
    """A message as it is sent to the client."""
    data = dict(message.data)
    data["reactions"] = [
        {name: value for name, value in one.items() if name != "users"} for one in data["reactions"]
    ]
    if not data["reactions"]:
        del data["reactions"]
    return data


def tell(world: World, name: str, message: Message) -> None:
    """Let sessions hear of a message, with what only they are told."""
    if message.ephemeral:
        world.changed()
        return
    channel = message.channel
    data = {**shown(message), "channel_type": channel.kind, **_in_guild(channel)}
    if channel.guild is not None and (member := channel.guild.members.get(message.author.id)) is not None:
        data["member"] = member.payload(with_user=False)
    world.emit(Event(name, data, _heard(channel, 9, 12), channel.guild, replace(message, data=data)))


def _heard(channel: Channel, guild_bit: int, direct_bit: int) -> int:
    return 1 << (direct_bit if channel.kind == DM else guild_bit)


def _in_guild(channel: Channel) -> Json:
    return {} if channel.guild is None else {"guild_id": channel.guild.id}


def _numbered(body: Json) -> list[Json]:
    """Components with the numbers that Discord gives to those without one."""
    taken = 0

    def number(part: Json) -> Json:
        nonlocal taken
        taken += 1
        made = {**part, "id": part.get("id") or taken}
        if part.get("default_values"):
            made["default_values"] = [{**one, "id": str(one["id"])} for one in part["default_values"]]
        if "components" in part:
            made["components"] = [number(each) for each in part["components"]]
        if part.get("accessory"):
            made["accessory"] = number(part["accessory"])
        return made

    return [number(part) for part in body.get("components") or ()]


def _embeds(body: Json) -> list[Json]:
    return [{"type": "rich", **embed} for embed in body.get("embeds") or ()]


def _answered(channel: Channel, body: Json) -> Message | None:
    reference = body.get("message_reference")
    if not reference:
        return None
    found = channel.log.get(str(reference["message_id"]))
    if found is not None and not found.deleted and not found.ephemeral:
        return found
    if reference.get("fail_if_not_exists", True):
        raise invalid("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
    return None


def _attach(
    world: World, channel: Channel, body: Json, uploads: Sequence[Upload], had: Sequence[Json]
) -> list[Json]:
    """What is attached then: what was there and is still named, or not spoken of, and what is new."""
    named = {str(one["id"]): one for one in body.get("attachments") or ()}
    kept = [one for one in had if "attachments" not in body or one["id"] in named]
    for upload in uploads:
        told = named.get(upload.index, {})
        name, made = told.get("filename") or upload.name, world.snowflake()
        path = f"/attachments/{channel.id}/{made}/{name}"
        world.files[path] = upload.data
        url = world.base + path
        one: Json = {"id": made, "filename": name, "size": len(upload.data), "url": url, "proxy_url": url}
        one |= {"content_type": upload.kind, "flags": 0}
        if told.get("description"):
            one["description"] = told["description"]
        if _IMAGE.search(name):
            one |= {"width": 64, "height": 64, "content_type": f"image/{name.rpartition('.')[2]}"}
        kept.append(one)
    return kept


def _mention(world: World, message: Message, allowed: Any, answered: Message | None) -> None:
    """Find whom a message names, and whom of them it may wake."""
    text, data = message.content, message.data
    rules: Json = allowed if allowed is not None else _FREE
    every = set(rules.get("parse") or ())

    def may(kind: str, one: str) -> bool:
        return kind in every or one in map(str, rules.get(kind) or ())

    users = [one for one in dict.fromkeys(_MENTION.findall(text)) if one in world.users and may("users", one)]
    roles = [one for one in dict.fromkeys(_ROLE.findall(text)) if may("roles", one)]
    everyone = bool(_EVERYONE.search(text)) and "everyone" in every
    if answered is not None and rules.get("replied_user") and answered.author.id not in users:
        users.append(answered.author.id)
    data["mentions"] = [world.users[one].payload() for one in users]
    data["mention_roles"], data["mention_everyone"] = roles, everyone
    message.pings = frozenset([*users, *roles, *(["everyone"] if everyone else [])])


def _wake(world: World, channel: Channel) -> None:
    """A message brings a thread back that was put away."""
    if channel.is_thread and channel.archived and not channel.locked:
        channel.archived = False
        world.emit(Event("THREAD_UPDATE", channel.payload(), 1, channel.guild))
