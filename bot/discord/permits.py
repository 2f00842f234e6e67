"""What the bot has to be allowed on a server, and why: the invitation asks for exactly this, and what is missing is said by name."""

import logging
from dataclasses import dataclass
from typing import Any

import discord

from bot.discord.patience import UNREACHABLE


@dataclass(frozen=True, slots=True)
class Permit:
    """A permission that is needed: its name in the library, its name at Discord, and what it is for."""

    flag: str
    label: str
    purpose: str


NEEDED = (
    Permit("view_channel", "View Channels", "reading what it is asked"),
    Permit("send_messages", "Send Messages", "answering"),
    Permit("send_messages_in_threads", "Send Messages in Threads", "answering in threads"),
    Permit("create_public_threads", "Create Public Threads", "questions to a proposal, each in its thread"),
    Permit("embed_links", "Embed Links", "cards of proposals"),
    Permit("attach_files", "Attach Files", "long answers and diffs, as files"),
    Permit("read_message_history", "Read Message History", "replies, and what was said while it was away"),
)
"""Every permission that the bot cannot do without; the invitation asks for no other."""
MODERATION = {
    "kick": Permit("kick_members", "Kick Members", "kicking, for who may do that themselves"),
    "ban": Permit("ban_members", "Ban Members", "banning, likewise"),
    "mute": Permit("moderate_members", "Timeout Members", "muting, likewise"),
}
"""What it uses only where somebody wants a member moderated, by what is done: whoever wants that gives it to its role."""
PERMISSIONS = discord.Permissions(**{permit.flag: True for permit in NEEDED})
"""All of them as the number that an invitation carries."""
SCOPES = ("bot", "applications.commands")
"""What an invitation is for: a member of the server, and slash commands."""
INTENTS = discord.Intents(guilds=True, messages=True, message_content=True)
"""What the bot is told of: servers with their channels, threads and roles; messages on them and direct ones, with what they say.
Only the last is guarded by Discord. Who is a member, or online, or typing, is not asked for."""

log = logging.getLogger("theseus.discord")


def invitation(application: int) -> str:
    """The link with which somebody who manages a server lets the bot come to it."""
    return discord.utils.oauth_url(application, permissions=PERMISSIONS, scopes=SCOPES)


def missing(place: Any, *only: str) -> tuple[Permit, ...]:
    """What the bot may not do in a place of a server, of all that it needs or of what is named.

    Args:
        place: A channel or thread; where nothing can be missing, as in direct messages, the answer is empty.
        only: Flags to look at; none: all.
    """
    thread = isinstance(place, discord.Thread)
    known = isinstance(place, discord.abc.GuildChannel) or (thread and place.parent is not None)
    if not known or place.guild.me is None:
        return ()
    has = place.permissions_for(place.guild.me)
    asked = [permit for permit in NEEDED if not only or permit.flag in only]
    if thread and not only:
        asked = [permit for permit in asked if permit.flag not in ("send_messages", "create_public_threads")]
    return tuple(permit for permit in asked if not getattr(has, permit.flag))


def to_answer(place: Any) -> tuple[Permit, ...]:
    """What is missing of that without which nobody can be answered in a place; a reply reads what it replies to."""
    speak = "send_messages_in_threads" if isinstance(place, discord.Thread) else "send_messages"
    return missing(place, "view_channel", speak, "read_message_history")


async def say_missing(message: discord.Message, lacking: tuple[Permit, ...]) -> None:
    """Tell somebody why they are not answered where they asked: there if that can be, else in a direct message."""
    speaks = not any(permit.flag.startswith(("view", "send")) for permit in lacking)
    place: discord.abc.Messageable = message.channel if speaks else message.author
    try:
        await place.send(in_words(message.channel, lacking))
    except UNREACHABLE as error:
        log.warning("a missing permission could not be said: %s", error)


def in_words(place: Any, lacking: tuple[Permit, ...]) -> str:
    """What is missing where, and who can mend it, in a sentence or two."""
    names = ", ".join(f"**{permit.label}** ({permit.purpose})" for permit in lacking)
    word = "permission" if len(lacking) == 1 else "permissions"
    return (
        f"In <#{place.id}> I lack the {word} {names}. Whoever manages the server can give them to my role, "
        "or in the settings of that channel."
    )
