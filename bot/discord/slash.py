"""Slash commands: registers with Discord what works now, and answers those that are used.

Each command takes one text, in the form in which it is typed at the console. Names and texts come from the commands
themselves, live ones included; Discord hears of them only when they have changed.
"""

import io
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import discord
from discord import app_commands

from agent.guardrails.redaction import whereabouts
from bot.control.commands import TOLD
from bot.feature import CommandInfo
from bot.messages import Layout, lay_out

ELSEWHERE = frozenset({"quit", "attach"})
"""Commands that make sense at the console only."""
GONE = "This command is not there any more; /help lists what works."
FAILED = "Sorry, that failed, and it is written down; try again."
LONGEST_DESCRIPTION = 100
"""Characters of a description; Discord takes no more."""
MOST = 100
"""Commands that Discord takes."""

EXPIRED = frozenset({10008, 10015, 10062, 50027})
"""Codes of the errors by which Discord says that a command can no longer be answered as such."""

UNREACHABLE = (discord.HTTPException, aiohttp.ClientError, OSError)
"""How it ends when Discord refuses something, or cannot be reached."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")

Answer = Callable[[discord.Interaction, str], Awaitable[str]]
"""Answers a line that somebody used as a command."""
Shape = tuple[str, str, tuple[tuple[str, str, bool], ...]]
"""A command as Discord shows it: its name, what it does, and each option's name, text and whether it is needed."""

log = logging.getLogger("theseus.discord")


class Slash(app_commands.CommandTree[discord.Client]):
    """The commands of one session."""

    def __init__(self, client: discord.Client, answer: Answer) -> None:
        super().__init__(client)
        self._answer = answer
        self._registered: tuple[Shape, ...] | None = None

    async def register(self, infos: Sequence[CommandInfo]) -> None:
        """See to it that Discord offers these commands. Where it cannot be done now, what was there stays."""
        kept = [info for info in infos if info.name not in ELSEWHERE and _NAME.fullmatch(info.name)][:MOST]
        wanted = tuple(sorted(map(_shape, kept)))
        if wanted == self._registered:
            return
        self.clear_commands(guild=None)
        for info in kept:
            self.add_command(self._command(info))
        try:
            there = tuple(sorted(map(_shape_there, await self.fetch_commands())))
            if there != wanted:
                await self.sync()
        except UNREACHABLE as error:
            log.warning("the commands could not be registered with Discord: %s", error)
            return
        self._registered = wanted

    async def on_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError, /
    ) -> None:
        """Leave nobody waiting: say that a command is gone, or that it failed, and write that down."""
        gone = isinstance(error, app_commands.CommandNotFound)
        if not gone:
            log.error("a command failed: %s", whereabouts(error))  # its text may be what somebody said
        try:
            if interaction.response.is_done():
                await interaction.edit_original_response(content=FAILED)
            else:
                await interaction.response.send_message(GONE if gone else FAILED, ephemeral=True)
        except UNREACHABLE as problem:
            log.warning("that could not be said: %s", problem)

    def _command(self, info: CommandInfo) -> app_commands.Command[Any, ..., None]:
        """A command as the library wants it: its options are the parameters of a function."""
        name, described, options = _shape(info)
        what = options[0][1] if options else ""

        async def bare(interaction: discord.Interaction) -> None:
            await self._used(interaction, f"/{name}")

        @app_commands.describe(text=what)
        async def needed(interaction: discord.Interaction, text: str) -> None:
            await self._used(interaction, f"/{name} {text}")

        @app_commands.describe(text=what)
        async def optional(interaction: discord.Interaction, text: str | None = None) -> None:
            await self._used(interaction, f"/{name} {text or ''}")

        run: Any = bare if not options else needed if options[0][2] else optional
        return app_commands.Command(name=name, description=described, callback=run)

    async def _used(self, interaction: discord.Interaction, line: str) -> None:
        """Promise an answer at once, and keep the promise where it was made, or in the channel if it came too late."""
        # What these tell is for who asks, not for the channel.
        alone = line.split(maxsplit=1)[0].removeprefix("/") in TOLD
        try:
            await interaction.response.defer(thinking=True, ephemeral=alone)
        except UNREACHABLE as error:
            log.warning("a command was not answered in time, so it is not carried out: %s", error)
            return
        layout = lay_out(await self._answer(interaction, line.strip()))
        try:
            await self._send(interaction, layout, alone=alone)
        except UNREACHABLE as error:
            if getattr(error, "code", 0) in EXPIRED and isinstance(
                interaction.channel, discord.abc.Messageable
            ):
                await self._send_late(interaction.channel, interaction.user, line, None if alone else layout)
            else:
                log.exception("an answer could not be sent")

    async def _send(self, interaction: discord.Interaction, layout: Layout, *, alone: bool) -> None:
        first, *more = layout.messages
        files = [] if layout.file is None else [discord.File(io.BytesIO(layout.file), layout.name)]
        await interaction.edit_original_response(content=first, attachments=files)
        for piece in more:
            await interaction.followup.send(piece, ephemeral=alone)

    async def _send_late(
        self,
        channel: discord.abc.Messageable,
        user: discord.User | discord.Member,
        line: str,
        layout: Layout | None,
    ) -> None:
        """Answer in the channel; None: only that it took too long, as what it tells is for one person."""
        name = discord.utils.escape_markdown(user.display_name)
        command = line.split(maxsplit=1)[0]
        said = f"This is for {name}, who used {command} a while ago:"
        try:
            if layout is None:
                await channel.send(f"{name} used {command}, and the answer took too long; use it again.")
                return
            await channel.send(said)
            await send(channel, layout)
        except UNREACHABLE:
            log.exception("an answer could not be sent")


async def send(channel: discord.abc.Messageable, layout: Layout, **first: Any) -> None:
    """Send an answer to a place; what else is given goes with its first message."""
    if layout.file is not None:
        first["file"] = discord.File(io.BytesIO(layout.file), layout.name)
    for piece in layout.messages:
        await channel.send(piece, **first)
        first = {}


def _shape(info: CommandInfo) -> Shape:
    taken = info.usage.removeprefix(info.name).strip()
    options = (("text", _short(taken), not taken.startswith("[")),) if taken else ()
    return info.name, _short(info.summary or info.name), options


def _shape_there(command: app_commands.AppCommand) -> Shape:
    options = tuple(
        (one.name, one.description, one.required)
        for one in command.options
        if isinstance(one, app_commands.Argument)
    )
    return command.name, command.description, options


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_DESCRIPTION else f"{text[: LONGEST_DESCRIPTION - 1]}…"
