"""First contact: what the operator reads when the bot is connected, and what a server reads to which it comes."""

import logging
import sqlite3
from collections.abc import Iterable

import discord

from bot.discord.patience import UNREACHABLE
from bot.discord.permits import NEEDED, PERMISSIONS, invitation, missing
from selfedit.answers.render import shown

MOST_NAMES = 5
"""Servers that are named to the operator; of more it is said how many there are."""

log = logging.getLogger("theseus.discord")


def introduction(
    application: discord.AppInfo,
    name: str,
    guilds: Iterable[discord.Guild],
    no_model: str | None = None,
    *,
    set_up: bool = False,
) -> str:
    """What the operator should know once the bot is connected: how to invite it, whose it is, where it is, what is next.

    Args:
        application: What Discord says of it.
        name: What the bot is called.
        guilds: The servers that it is on.
        no_model: Why there is no language model, and what to set; None where there is one.
        set_up: Somebody approves already, so that nothing is next.
    """
    there = [_line(guild.name) for guild in guilds]
    where = ", ".join(there[:MOST_NAMES]) + (
        f" and {len(there) - MOST_NAMES} more" if there[MOST_NAMES:] else ""
    )
    flags = application.flags
    reads = flags.gateway_message_content or flags.gateway_message_content_limited
    content = (
        "on" if reads else "off: switch it on, on the page Bot of the application at discord.com/developers"
    )
    permissions = ", ".join(permit.label for permit in NEEDED)
    first = "open the link to bring it to a server, then use /setup there" if not there else "use /setup"
    lines = [
        f"Theseus is connected to Discord as {_line(name)}.",
        f"  invite it       {invitation(application.id)}",
        f"                  (permissions {PERMISSIONS.value}: {permissions})",
        f"  owner           {owner_of(application)}",
        f"  servers         {where or 'none yet'}",
        f"  message content {content}",
    ]
    if no_model:
        lines.append(f"  model           none, so chat does not answer. {no_model}")
    if not there or not set_up:
        lines.append(
            f"  next            {first}: the owner says there who approves, who asks for changes, and where news go."
        )
    lines.append("Ctrl-C ends it.")
    return "\n".join(lines) + "\n"


def owner_of(application: discord.AppInfo) -> str:
    """Who owns the application, by name."""
    if application.team is not None:
        return f"the team {_line(application.team.name)}"
    return _line(application.owner.name)


class Arrivals:
    """Greets each server once, ever, when the bot comes to it.

    Where it is when a session begins nobody is greeted: a first start with an empty home, or with one that was lost, would
    write to every server at once, and people there may have talked with it for long. The operator is told instead, by
    `introduction`, which names the servers and says what is next; anybody on them can ask `/help`.
    """

    def __init__(self, shelf: sqlite3.Connection) -> None:
        self._shelf = shelf
        shelf.execute("CREATE TABLE IF NOT EXISTS greeted (guild INTEGER PRIMARY KEY)")

    def know(self, guilds: Iterable[discord.Guild]) -> None:
        """Take servers as those where the bot is already, so that one that is told of again is not taken for a new one."""
        self._shelf.executemany("INSERT OR IGNORE INTO greeted VALUES (?)", [(guild.id,) for guild in guilds])

    async def greet(self, guild: discord.Guild, owner: str, *, chats: bool = True) -> None:
        """Say hello to a server to which the bot came, where it may write. What cannot be said is not said later.

        Args:
            guild: The server.
            owner: Who sets the bot up, by name.
            chats: There is a language model.
        """
        if self._shelf.execute("INSERT OR IGNORE INTO greeted VALUES (?)", (guild.id,)).rowcount == 0:
            return
        place = _where(guild)
        if place is None:
            log.warning("there is no channel on server %s in which the bot may write", guild.id)
            return
        try:
            await place.send(greeting(guild.me.display_name, owner, chats=chats))
        except UNREACHABLE as error:
            log.warning("server %s could not be greeted: %s", guild.id, error)


def greeting(name: str, owner: str, *, chats: bool = True) -> str:
    """What a server reads first; without a language model no chat is promised."""
    escaped = discord.utils.escape_markdown(_line(name)), discord.utils.escape_markdown(owner)
    can = (
        "Mention me, reply to me or use /chat, and I answer; /help shows the rest."
        if chats
        else "I cannot chat yet: whoever runs me has to set up a model. Commands work; /help shows them."
    )
    return (
        f"Hello, I am {escaped[0]}. {can} "
        "I can also change my own code, when people here ask for it and a maintainer approves.\n"
        f"{escaped[1]} owns me and says with /setup who may do what."
    )


def _where(guild: discord.Guild) -> discord.TextChannel | None:
    """Where Discord itself says who came, else the first channel, of those in which the bot may write."""
    places = [guild.system_channel, *guild.text_channels]
    return next(
        (each for each in places if each is not None and not missing(each, "view_channel", "send_messages")),
        None,
    )


def _line(text: str) -> str:
    """A name that somebody chose, in one line and with nothing in it that steers a terminal."""
    return " ".join(shown(text).split())[:100]
