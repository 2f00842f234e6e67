"""Discord: answers mentions and direct messages, and takes control commands from maintainers alone."""

import logging
import sys
from collections.abc import Sequence
from typing import Any

import discord
from discord.http import Route

from bot.control.commands import split
from bot.messages import Messages, pieces
from bot.settings import SettingProblem
from bot.surface import Theseus

log = logging.getLogger("theseus.discord")


class Client(discord.Client):
    """One session at Discord."""

    def __init__(self, theseus: Theseus, maintainers: Sequence[str]) -> None:
        intents = discord.Intents.default()
        intents.message_content = True
        super().__init__(intents=intents, allowed_mentions=discord.AllowedMentions.none())
        self._theseus = theseus
        self._messages = Messages(theseus, maintainers)

    async def on_message(self, message: discord.Message) -> None:
        """Answer what is meant for us."""
        if message.author.bot or self.user is None:
            return
        to_us = message.guild is None or self.user in message.mentions
        command = split(message.content)
        if not to_us and (
            command is None or command[0] not in {info.name for info in self._theseus.commands}
        ):
            return
        text = message.content.replace(f"<@{self.user.id}>", "").replace(f"<@!{self.user.id}>", "").strip()
        try:
            async with message.channel.typing():
                reply = await self._messages.reply(
                    text, f"discord:{message.author.id}", f"discord:{message.channel.id}"
                )
            for piece in pieces(reply):
                await message.channel.send(piece)
        except discord.HTTPException:
            log.exception("an answer could not be sent")

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Write down what went wrong in an event; the session goes on."""
        del args, kwargs
        log.error("an event failed: %s", event_method, exc_info=sys.exc_info())


async def serve_discord(theseus: Theseus, token: str, maintainers: Sequence[str], api: str | None) -> None:
    """Stay connected to Discord for as long as the process runs.

    Args:
        theseus: What answers.
        token: The bot's token.
        maintainers: Who may use control commands, as `discord:id`.
        api: Base address of the REST API; None for Discord's own.
    """
    if api:
        Route.BASE = api.rstrip("/")
    await theseus.ready.wait()
    async with Client(theseus, maintainers) as client:
        try:
            await client.start(token)
        except discord.LoginFailure as error:
            raise SettingProblem("Discord does not accept the token; check DISCORD_TOKEN") from error
