"""One answer that grows while it is written: shown by edits at a pace that Discord likes, and whole in the end.

What is shown meanwhile says that it is unfinished, and holds no half of a link, a table or a word. An answer that is there
before anybody would miss it is sent at once. Whatever fails on the way, the last state is what is sent last.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self

import discord

from agent.guardrails.redaction import whereabouts
from bot.discord.conversation.layout import MOST_MESSAGES, fit, lay_out, pieces
from bot.discord.incoming.places import as_files
from bot.discord.patience import UNREACHABLE, patiently

UNFINISHED = "-# writing …"
"""Stands below what is not all yet, in small letters."""
FIRST_SECONDS = 1.2
"""What is whole by then is shown whole, not in pieces."""
BETWEEN_SECONDS = 1.2
"""Between two edits; Discord takes five in five seconds in a channel, which others may use as well."""
LONGEST_PAUSE = 10.0
"""Between two edits, where Discord is slow or limits us: each waits twice as long as the last one took."""
LAST_SECONDS = 2.0
"""So long a message that is on its way when the answer is stopped may take to arrive."""
EXPIRED = frozenset({10008, 10015, 10062, 50027})
"""Codes of the errors by which Discord says that a command can no longer be answered as such."""
_WORD_SIGNS = "".join(map(chr, range(0x21, 0x7F)))
_HALF_A_LINK = re.compile(r"\[[^\]\n]{0,300}(?:\](?:\([^)\n]{0,1900})?)?\Z")

log = logging.getLogger("theseus.discord")


class Way(Protocol):
    """Where an answer goes, in numbered pieces; a `bot.discord.incoming.places.Question` is one, and so is `Used`."""

    async def turn(self) -> None:
        """Wait until it may speak."""

    async def post(
        self, at: int, text: str | None, *, files: Sequence[tuple[str, bytes]] = (), **more: Any
    ) -> discord.Message:
        """Show a piece, or change it."""

    async def withdraw(self, first: int) -> None:
        """Take the pieces from this one on back."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often something is shown, in seconds: before the first time, and between two times."""

    first: float = FIRST_SECONDS
    between: float = BETWEEN_SECONDS


PACE = Pace()


class Answer:
    """One answer, from the first sign that it comes to its end; used as `async with`, and ended by `finish`."""

    def __init__(
        self,
        way: Way,
        *,
        clean: Callable[[str], str] = str,
        typing: Callable[[], Any] | None = None,
        pace: Pace = PACE,
    ) -> None:
        """Begin one.

        Args:
            way: Where it goes.
            clean: Takes out of a text what may never leave.
            typing: Makes what shows that something is being written, until there is something to read.
            pace: How often it is shown while it grows.
        """
        self._way, self._clean, self._pace = way, clean, pace
        self._sign = typing() if typing is not None else None
        self._text: list[str] = []
        self._shown: list[str] = []
        self._more, self._whole = asyncio.Event(), asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Show that something is being written."""
        if self._sign is not None:
            try:
                await self._sign.__aenter__()
            except UNREACHABLE as error:
                log.warning("it could not be shown that an answer is being written: %s", error)
                self._sign = None
        self._writing = asyncio.create_task(self._grow())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; what is shown by then stays."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        await self._end_sign()

    def show(self, piece: str) -> None:
        """One more piece of it has been written."""
        self._text.append(piece)
        self._more.set()

    async def finish(self, text: str) -> None:
        """This is all of it, whatever was shown before.

        Raises:
            discord.HTTPException: Discord does not take it.
            aiohttp.ClientError: Discord cannot be reached.
            OSError: Likewise.
        """
        self._whole.set()
        self._more.set()
        if self._writing is not None:
            for error in await asyncio.gather(self._writing, return_exceptions=True):
                if error is not None:  # what is wrong with a state in between is no reason to say nothing
                    log.error("an answer could not be shown while it grows: %s", whereabouts(error))
        layout = lay_out(self._clean(text))
        files = [] if layout.file is None else [(layout.name, layout.file)]
        await self._way.turn()
        await self._bring(layout.messages, files)
        await self._way.withdraw(len(layout.messages))

    async def _grow(self) -> None:
        """Show what there is, again and again, until all of it is there."""
        loop = asyncio.get_running_loop()
        await self._more.wait()
        await self._way.turn()
        await self._rest(self._pace.first)
        while not self._whole.is_set():
            self._more.clear()
            began = loop.time()
            try:
                await self._bring(unfinished(self._clean("".join(self._text))))
            except UNREACHABLE as error:
                log.warning("an answer could not be shown while it grows: %s", error)
            took = loop.time() - began
            await self._rest(min(max(self._pace.between, 2 * took), LONGEST_PAUSE))
            await self._more.wait()

    async def _rest(self, seconds: float) -> None:
        """Wait, but not when all of it is there."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._whole.wait()

    async def _bring(self, messages: Sequence[str], files: Sequence[tuple[str, bytes]] = ()) -> None:
        """Make what is shown these messages; those that are shown already are left alone."""
        for at, piece in enumerate(messages):
            along = files if at == 0 else ()
            if along or self._shown[at : at + 1] != [piece]:
                await self._post(at, piece, along)
                self._shown[at : at + 1] = [piece]
                await self._end_sign()

    async def _post(self, at: int, piece: str, files: Sequence[tuple[str, bytes]]) -> None:
        """Show a piece. Who stops the answer does not stop a message on its way, of which nobody would know then."""
        posting = asyncio.ensure_future(self._way.post(at, piece, files=files))
        try:
            await asyncio.shield(posting)
        except asyncio.CancelledError:
            await asyncio.wait({posting}, timeout=LAST_SECONDS)
            posting.cancel()
            await asyncio.gather(posting, return_exceptions=True)
            raise

    async def _end_sign(self) -> None:
        sign, self._sign = self._sign, None
        if sign is not None:
            await sign.__aexit__(None, None, None)


def unfinished(text: str) -> Sequence[str]:
    """What is shown of an answer that is still being written: no half of a word, a link or a line of a table."""
    settled = text[: len(text.rstrip(_WORD_SIGNS))]
    last = settled.rfind("\n") + 1
    if settled[last:].lstrip().startswith("|"):
        settled = settled[:last]
    cut = pieces(fit(_HALF_A_LINK.sub("", settled)))[:MOST_MESSAGES]
    return [*cut[:-1], f"{cut[-1]}\n{UNFINISHED}"] if cut else []


def unnoted(_at: int, _message: int) -> None:
    """Nobody wants to know which message is which piece."""


@dataclass(slots=True)
class Used:
    """The answer to a command: where it was used, or in the channel where that comes too late.

    Attributes:
        interaction: What was used; an answer was promised already.
        alone: Only who asked may read it, so that too late is never.
        command: Its name, as it is typed.
        sent: Hears the number of a piece and the id of its message.
    """

    interaction: discord.Interaction
    alone: bool
    command: str
    sent: Callable[[int, int], None] = unnoted
    _pieces: dict[int, int] = field(default_factory=dict)
    _late: bool = False

    async def turn(self) -> None:
        """Whoever uses a command waits for nobody."""

    async def post(
        self, at: int, text: str | None, *, files: Sequence[tuple[str, bytes]] = (), **more: Any
    ) -> discord.Message:
        """Show a piece, or change it.

        Raises:
            discord.HTTPException: It is refused, also as a message in the channel.
        """
        if not self._late:
            try:
                return self._note(at, await self._in_time(at, text, files, **more))
            except discord.HTTPException as error:
                if error.code not in EXPIRED or not isinstance(
                    self.interaction.channel, discord.abc.Messageable
                ):
                    raise
                self._late = True
                self._pieces.clear()
        return self._note(at, await self._too_late(at, text, files, **more))

    async def withdraw(self, first: int) -> None:
        """Take the pieces from this one on back."""
        for at in [at for at in self._pieces if at >= max(first, 1)]:
            message = self._pieces.pop(at)
            with suppress(discord.NotFound):
                await patiently(partial(self._delete, message))

    async def _delete(self, message: int) -> None:
        if self._late:
            await self._channel.get_partial_message(message).delete()
        else:
            await self.interaction.followup.delete_message(message)

    @property
    def _channel(self) -> discord.PartialMessageable:
        used = self.interaction
        return used.client.get_partial_messageable(used.channel_id or 0, guild_id=used.guild_id)

    def _note(self, at: int, message: discord.Message) -> discord.Message:
        self._pieces[at] = message.id
        self.sent(at, message.id)
        return message

    async def _in_time(
        self, at: int, text: str | None, files: Sequence[tuple[str, bytes]], **more: Any
    ) -> discord.Message:
        used = self.interaction

        def change() -> dict[str, Any]:
            return {**more, "attachments": as_files(files)}

        # To change something twice does no harm, so it is tried again where Discord is ill.
        if at == 0:
            return await patiently(lambda: used.edit_original_response(content=text, **change()))
        if at in self._pieces:
            piece = self._pieces[at]
            return await patiently(lambda: used.followup.edit_message(piece, content=text, **change()))
        # What was on its way when the line was cut may then stand there twice, which is better than half an answer.
        return await patiently(
            lambda: used.followup.send(
                text or "",
                files=as_files(files),
                ephemeral=self.alone,
                suppress_embeds=True,
                wait=True,
                **more,
            )
        )

    async def _too_late(
        self, at: int, text: str | None, files: Sequence[tuple[str, bytes]], **more: Any
    ) -> discord.Message:
        name = discord.utils.escape_markdown(self.interaction.user.display_name)
        if self.alone:
            text, files = f"{name} used {self.command}, and the answer took too long; use it again.", []
            if self._pieces:
                return await self._channel.fetch_message(next(iter(self._pieces.values())))
        elif at == 0 and not self._pieces:
            hello = f"This is for {name}, who used {self.command} a while ago:"
            await patiently(lambda: self._channel.send(hello, nonce=f"{self.interaction.id}"))
        if at in self._pieces:
            there = self._channel.get_partial_message(self._pieces[at])
            return await patiently(lambda: there.edit(content=text, attachments=as_files(files), **more))
        nonce = f"{self.interaction.id}-{at}"
        return await patiently(
            lambda: self._channel.send(text, files=as_files(files), nonce=nonce, suppress_embeds=True, **more)
        )
