"""What is sent in answer to a control command, and the two ways in which somebody can be answered."""

import io
import logging
from dataclasses import dataclass
from typing import Any, Protocol

import discord

from bot.discord.incoming.inbox import Inbox
from bot.discord.incoming.places import Question
from bot.discord.patience import UNREACHABLE, patiently
from bot.discord.review.board import Place

log = logging.getLogger("theseus.discord")


@dataclass(frozen=True, slots=True)
class Shown:
    """What is sent.

    Attributes:
        text: In words.
        embed: As a card.
        view: The components below it.
        along: What goes along as files, by name.
        alone: Whether only who asked is to see it, though everybody would see the answer.
    """

    text: str = ""
    embed: discord.Embed | None = None
    view: discord.ui.View | None = None
    along: tuple[tuple[str, bytes], ...] = ()
    alone: bool = False

    @property
    def files(self) -> list[discord.File]:
        """What goes along, as the library wants it; good for sending once."""
        return [discord.File(io.BytesIO(content), name) for name, content in self.along]

    @property
    def edit(self) -> dict[str, Any]:
        """All of it, in place of whatever a message holds."""
        return {
            "content": self.text or None,
            "embed": self.embed,
            "view": self.view,
            "attachments": self.files,
        }

    @property
    def new(self) -> dict[str, Any]:
        """All of it, for a message that is not there yet."""
        every = {"content": self.text, "embed": self.embed, "view": self.view, "files": self.files}
        return {name: value for name, value in every.items() if value}


class Asker(Protocol):
    """Somebody who used a command, and the place where they are answered."""

    async def show(self, what: Shown) -> Place | None:
        """Show this, in place of what was shown before; where it is now, None where it could not be sent."""

    def settle(self) -> None:
        """It is answered for good: what comes now is said on a card, also by another process."""


class BySlash:
    """Answers a slash command that was promised an answer."""

    def __init__(self, used: discord.Interaction, inbox: Inbox, *, alone: bool = False) -> None:
        self._used, self._inbox, self._alone = used, inbox, alone

    def settle(self) -> None:
        """The command is answered."""
        self._inbox.answered(self._used.id)

    async def show(self, what: Shown) -> Place | None:
        """Show this as the command's answer; what only who asked is to see takes the place of what all saw."""
        try:
            if what.alone and not self._alone:
                await patiently(self._used.delete_original_response)
                await patiently(lambda: self._used.followup.send(**what.new, ephemeral=True))
                return None
            message = await patiently(lambda: self._used.edit_original_response(**what.edit))
        except UNREACHABLE as error:
            log.warning("an answer could not be sent: %s", error)
            return None
        return Place(self._used.guild_id, message.channel.id, message.id)


class ByChannel:
    """Answers a slash command in its channel, where Discord did not take the promise of an answer."""

    def __init__(self, used: discord.Interaction) -> None:
        self._used = used

    def settle(self) -> None:
        """Nothing is kept of it."""

    async def show(self, what: Shown) -> Place | None:
        """Say this in the channel."""
        used = self._used
        where = used.client.get_partial_messageable(used.channel_id or 0, guild_id=used.guild_id)
        nonce = str(used.id)
        try:
            message = await patiently(lambda: where.send(**what.new, nonce=nonce))
        except UNREACHABLE as error:
            log.warning("an answer could not be sent: %s", error)
            return None
        return Place(used.guild_id, message.channel.id, message.id)


class ByMessage:
    """Answers a message that somebody typed."""

    def __init__(self, question: Question, inbox: Inbox) -> None:
        self._question, self._inbox = question, inbox

    def settle(self) -> None:
        """The message is answered."""
        self._inbox.answered(self._question.message.id)

    async def show(self, what: Shown) -> Place | None:
        """Show this as the reply."""
        message = await self._question.post(
            0, what.text or None, files=list(what.along), embed=what.embed, view=what.view
        )
        guild = self._question.message.guild
        return Place(guild.id if guild else None, message.channel.id, message.id)
