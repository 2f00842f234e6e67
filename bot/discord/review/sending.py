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
        file: What goes along, with its name.
    """

    text: str = ""
    embed: discord.Embed | None = None
    view: discord.ui.View | None = None
    file: tuple[str, bytes] | None = None

    @property
    def files(self) -> list[discord.File]:
        """What goes along, as the library wants it; good for sending once."""
        return [] if self.file is None else [discord.File(io.BytesIO(self.file[1]), self.file[0])]

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

    def __init__(self, used: discord.Interaction, inbox: Inbox) -> None:
        self._used, self._inbox = used, inbox

    def settle(self) -> None:
        """The command is answered."""
        self._inbox.answered(self._used.id)

    async def show(self, what: Shown) -> Place | None:
        """Show this as the command's answer."""
        try:
            message = await patiently(lambda: self._used.edit_original_response(**what.edit))
        except UNREACHABLE as error:
            log.warning("an answer could not be sent: %s", error)
            return None
        return Place(self._used.guild_id, message.channel.id, message.id)


class ByMessage:
    """Answers a message that somebody typed."""

    def __init__(self, question: Question, inbox: Inbox) -> None:
        self._question, self._inbox = question, inbox

    def settle(self) -> None:
        """The message is answered."""
        self._inbox.answered(self._question.message.id)

    async def show(self, what: Shown) -> Place | None:
        """Show this as the reply."""
        files = [] if what.file is None else [what.file]
        message = await self._question.post(
            0, what.text or None, files=files, embed=what.embed, view=what.view
        )
        guild = self._question.message.guild
        return Place(guild.id if guild else None, message.channel.id, message.id)
