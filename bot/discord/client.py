"""Discord: answers mentions and direct messages, and takes control commands from maintainers alone."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import discord

from agent.incoming.attached import Unfit, shown_name
from agent.incoming.wish import PLAIN, Wish
from bot.attaching import Files, Sent
from bot.control.commands import CHAT, split
from bot.discord.person import owners_of, person_of
from bot.discord.slash import UNREACHABLE, Slash, send
from bot.messages import Messages, lay_out
from bot.surface import Theseus
from policies.load import AttachmentRules, load_rules

REGISTER_SECONDS = 15.0
"""How often it is looked whether commands have changed. Discord hears of it only when they have, so that a change that is
taken back at once never gets there."""
MISSED_SECONDS = 3600.0
"""What was said longer ago while there was no session is not answered any more."""
MOST_MISSED = 100
"""Messages that are read in one place after a session was lost."""
KEPT_IDS, KEPT_PLACES = 5_000, 50
"""Of so many messages it is known that they were seen; in so many places it is looked for what was missed."""

log = logging.getLogger("theseus.discord")


class Client(discord.Client):
    """One session at Discord."""

    def __init__(
        self,
        theseus: Theseus,
        *,
        files: AttachmentRules | None = None,
        register_seconds: float = REGISTER_SECONDS,
    ) -> None:
        """Put it together, not yet connected.

        Args:
            theseus: What answers.
            files: What may come along with a message; None: as `policies/rules.toml` says.
            register_seconds: How often it is looked whether commands have changed.
        """
        intents = discord.Intents.default()
        intents.message_content = True
        super().__init__(intents=intents, allowed_mentions=discord.AllowedMentions.none())
        self._theseus = theseus
        self.owners: frozenset[int] = frozenset()
        """Who owns the application: a person, or the members of a team."""
        self._messages = Messages(theseus)
        self._files = Files(files or load_rules().attachments)
        self.tree = Slash(self, self._answer)
        self._register_seconds = register_seconds
        self._seen = _Seen()
        self._caught_up = asyncio.Event()
        self._catching_up: set[asyncio.Task[None]] = set()
        self._registering: asyncio.Task[None] | None = None

    async def setup_hook(self) -> None:
        """Learn whose application this is; register the commands that work now, and then whenever they have changed."""
        self.owners = owners_of(self.application)
        await self.tree.register(self._theseus.commands)
        self._registering = asyncio.create_task(self._register())

    async def _register(self) -> None:
        while True:
            await asyncio.sleep(self._register_seconds)
            await self.tree.register(self._theseus.commands)

    async def close(self) -> None:
        """End the session."""
        for task in (self._registering, *self._catching_up):
            if task is not None:
                task.cancel()
        await super().close()

    async def _answer(self, used: discord.Interaction, line: str) -> str:
        return await self._messages.reply(
            line, person_of(used.user, self.owners), _place(used.guild_id, used.channel_id)
        )

    async def on_message(self, message: discord.Message) -> None:
        """Answer what is meant for us, once, and not before what was said earlier and missed."""
        await self._caught_up.wait()
        if self._seen.take(message):
            await self._handle(message)

    async def on_connect(self) -> None:
        """A session has begun: after one that was lost, read what was said where people spoke last."""
        self._caught_up.clear()
        try:
            for place, guild, last in self._seen.places():
                await self._catch_up(self.get_partial_messageable(place, guild_id=guild), last)
        finally:
            self._caught_up.set()

    async def _catch_up(self, place: discord.PartialMessageable, last: int) -> None:
        earliest = discord.utils.utcnow() - timedelta(seconds=MISSED_SECONDS)
        try:
            async for message in place.history(limit=MOST_MISSED, after=discord.Object(last)):
                if self._seen.take(message) and message.created_at > earliest:
                    task = asyncio.create_task(self._handle_missed(message))
                    self._catching_up.add(task)
                    task.add_done_callback(self._catching_up.discard)
        except UNREACHABLE as error:
            log.warning("what was said meanwhile in %s could not be read: %s", place.id, error)

    async def _handle_missed(self, message: discord.Message) -> None:
        try:
            await self._handle(message)
        except Exception:
            log.exception("a message that had been missed could not be answered")

    async def _handle(self, message: discord.Message) -> None:
        if message.author.bot or self.user is None:
            return
        to_us = message.guild is None or self.user in message.mentions or self._answers_us(message)
        command = split(message.content)
        if not to_us and (
            command is None or command[0] not in {info.name for info in self._theseus.commands}
        ):
            return
        text = message.content.replace(f"<@{self.user.id}>", "").replace(f"<@!{self.user.id}>", "").strip()
        try:
            async with _typing(message.channel):
                # Files are for a model: what is a command is carried out without them.
                reads = (split(text) or (CHAT,))[0] == CHAT
                wish, unread = await self._attached(message.attachments) if reads else (PLAIN, ())
                reply = await self._messages.reply(
                    text,
                    person_of(message.author, self.owners),
                    _place(message.guild.id if message.guild else None, message.channel.id),
                    wish,
                )
            reply = "\n".join([*unread, reply])
            # What is answered may be gone by then; the answer is given all the same.
            below = {"reference": message.to_reference(fail_if_not_exists=False)} if message.guild else {}
            await send(message.channel, lay_out(reply), **below)
        except UNREACHABLE:
            log.exception("an answer could not be sent")

    async def _attached(self, sent: Sequence[discord.Attachment]) -> tuple[Wish, Sequence[str]]:
        """What came along with a message, and a sentence for each file that is not taken."""

        async def fetch(file: discord.Attachment) -> bytes | Unfit:
            try:
                return await file.read()
            except UNREACHABLE as error:
                log.warning("an attachment could not be read: %s", error)
                name = shown_name(file.filename)
                return Unfit(f"{name} could not be fetched from Discord; send it again.")

        taken, unread = await self._files.look_at(
            [Sent(file.filename, file.size, partial(fetch, file)) for file in sent]
        )
        return Wish(attachments=taken), unread

    def _answers_us(self, message: discord.Message) -> bool:
        """Whether somebody replied to something that we said, also where the reply wakes nobody."""
        answered = message.reference and message.reference.resolved
        return isinstance(answered, discord.Message) and answered.author == self.user

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Write down what went wrong in an event; the session goes on."""
        del args, kwargs
        log.error("an event failed: %s", event_method, exc_info=sys.exc_info())


class _Seen:
    """Which messages were seen, so that after a lost session none is missed and none is answered twice."""

    def __init__(self) -> None:
        self._ids: dict[int, None] = {}
        self._last: dict[int, tuple[int | None, int]] = {}

    def take(self, message: discord.Message) -> bool:
        """Whether a message was not seen before; from now on it was."""
        if message.id in self._ids:
            return False
        self._ids[message.id] = None
        guild = message.guild.id if message.guild else None
        _, last = self._last.pop(message.channel.id, (None, 0))
        self._last[message.channel.id] = (guild, max(last, message.id))
        for kept, most in ((self._ids, KEPT_IDS), (self._last, KEPT_PLACES)):
            if len(kept) > most:
                del kept[next(iter(kept))]
        return True

    def places(self) -> list[tuple[int, int | None, int]]:
        """Where somebody spoke: the channel, its server, and the last message that was seen there."""
        return [(place, guild, last) for place, (guild, last) in self._last.items()]


def _place(guild: int | None, channel: int | None) -> str:
    """The stable id of a place."""
    return f"discord:{channel}" if guild is None else f"discord:{guild}/{channel}"


@asynccontextmanager
async def _typing(channel: discord.abc.Messageable) -> AsyncIterator[None]:
    """Show that an answer is being written. Where that fails, only the sign is missing."""
    sign = channel.typing()
    try:
        await sign.__aenter__()
    except UNREACHABLE as error:
        log.warning("it could not be shown that an answer is being written: %s", error)
        yield
        return
    try:
        yield
    finally:
        await sign.__aexit__(None, None, None)
