"""Discord: answers mentions and direct messages, and takes control commands from maintainers alone."""

import logging
import sys
from collections.abc import Sequence
from typing import Any

import discord
from discord.http import Route

from bot.control.commands import Unclear, parse
from bot.surface import Control, Theseus
from selfedit import render

LONGEST = 1900
"""Characters of one message; Discord takes 2000, the rest is for the code fence."""

log = logging.getLogger("theseus.discord")


class Client(discord.Client):
    """One session at Discord."""

    def __init__(self, theseus: Theseus, maintainers: Sequence[str]) -> None:
        intents = discord.Intents.default()
        intents.message_content = True
        super().__init__(intents=intents, allowed_mentions=discord.AllowedMentions.none())
        self._theseus = theseus
        self._maintainers = frozenset(maintainers)
        self._controls: dict[str, Control] = {}

    async def on_message(self, message: discord.Message) -> None:
        """Answer what is meant for us."""
        if message.author.bot or self.user is None:
            return
        to_us = message.guild is None or self.user in message.mentions
        if not to_us and not message.content.startswith("/"):
            return
        text = message.content.replace(f"<@{self.user.id}>", "").replace(f"<@!{self.user.id}>", "").strip()
        try:
            async with message.channel.typing():
                reply = await self._reply(
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

    async def _reply(self, text: str, author: str, conversation: str) -> str:
        asked = parse(text, author, files=False)
        if asked is None:
            return await self._theseus.respond(text, author, conversation)
        if author not in self._maintainers:
            return (
                "Only maintainers may do that here; they are listed under [approval] in policies/rules.toml."
            )
        if isinstance(asked, Unclear):
            return asked.why
        if asked.name == "quit":
            return "Theseus is ended where it was started, not from here."
        control = self._controls.setdefault(author, Control(self._theseus))
        said = render.plain(*await control.carry_out(asked), width=100)
        return f"```\n{said.replace('```', chr(0x2BC) * 3)}\n```"


def pieces(text: str) -> list[str]:
    """Cut a text into messages that Discord takes, at line ends where that is possible; fences stay fences."""
    fenced = text.startswith("```\n") and text.endswith("\n```")
    rest = text[4:-4] if fenced else text
    cut = []
    while rest:
        end = len(rest) if len(rest) <= LONGEST else rest.rfind("\n", 1, LONGEST) + 1 or LONGEST
        piece, rest = rest[:end], rest[end:]
        if piece.strip():
            cut.append(f"```\n{piece.rstrip()}\n```" if fenced else piece)
    return cut


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
            raise ValueError("Discord does not accept the token; check DISCORD_TOKEN") from error
