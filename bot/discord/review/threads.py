"""Asking a patch: a thread below a card, in which a model answers that knows the proposal.

What it knows of the proposal goes along as attached files, so that it is data and never instructions, through the same
way as any other question: rights, limits and budgets hold.
"""

import asyncio
import logging

import discord

from agent.incoming.attached import Attachment
from bot.discord.patience import UNREACHABLE, patiently
from bot.discord.review.board import Board, Place
from bot.discord.review.facts import facts
from bot.discord.review.fits import said
from bot.discord.review.sending import Shown
from bot.discord.text import at_words, clean, fenced, one_line
from bot.surface import Theseus
from selfedit import protocol as say

_EXISTS = 160004
"""Discord's code for a message that has its thread already."""
_SHORTLY = 1600
"""Characters of what is known that stand in a message."""

log = logging.getLogger("theseus.discord")


class Threads:
    """The threads about proposals."""

    def __init__(self, theseus: Theseus, board: Board, client: discord.Client) -> None:
        self._theseus, self._board, self._client = theseus, board, client
        self._opening: dict[int, asyncio.Lock] = {}

    def about(self, channel: int) -> int | None:
        """Which proposal a channel is a thread about; None for other channels."""
        return self._board.about(channel)

    async def open(self, number: int) -> Shown:
        """Open the thread about a proposal, or say where it is."""
        if self._theseus.missing is not None:
            return Shown(await self.without_model(number))
        place = self._board.place(number)
        if place is None or place.guild is None:
            return Shown(
                f"A thread hangs below a card on a server; show it there with /proposal {number}, and ask again."
            )
        async with self._opening.setdefault(number, asyncio.Lock()):
            return await self._open(number, place)

    async def _open(self, number: int, place: Place) -> Shown:
        if there := self._board.thread(number):
            return await self._still(number, there)
        channel = self._client.get_partial_messageable(place.channel, guild_id=place.guild)
        name = await self._name(number)
        try:
            card = channel.get_partial_message(place.message)
            made = await patiently(lambda: card.create_thread(name=name))
            thread = made.id
        except UNREACHABLE as error:
            if getattr(error, "code", 0) != _EXISTS:
                log.warning("no thread could be opened: %s", error)
                return Shown(
                    "No thread can be opened here; let Theseus create public threads, or show the card elsewhere."
                )
            thread = place.message  # a thread below a message has its id
        self._board.thread_is(number, thread)
        hello = f"Ask about proposal {number} here. What answers knows its goal, edits, diff and gate report, and can be wrong."
        try:
            where = self._client.get_partial_messageable(thread, guild_id=place.guild)
            await patiently(lambda: where.send(hello, nonce=f"ask-{thread}"))
        except UNREACHABLE as error:
            log.warning("a thread could not be greeted: %s", error)
        return Shown(f"Ask here: <#{thread}>")

    async def _name(self, number: int) -> str:
        """What the thread about a proposal is called; Discord takes 100 characters."""
        answer = await self._theseus.ask(say.Show(number=number))
        title = answer.proposal.title if isinstance(answer, say.ProposalIs) else ""
        about = f"Questions about proposal {number}"
        return f"{about}: {at_words(' '.join(clean(title).split()), 60)}" if title.strip() else about

    async def _still(self, number: int, thread: int) -> Shown:
        """Where to ask, if the thread is still there."""
        try:
            await self._client.fetch_channel(thread)
        except discord.NotFound:
            self._board.thread_is_gone(number)
            return Shown(
                f"Its thread was deleted. Press again; if none opens, delete the card and use /proposal {number}."
            )
        except UNREACHABLE as error:
            log.warning("a thread could not be looked at: %s", error)
        return Shown(f"Ask here: <#{thread}>")

    async def known(self, number: int) -> tuple[Attachment, ...] | str:
        """What a model is told of a proposal, or a sentence on why it can be told nothing."""
        answer = await self._theseus.ask(say.Show(number=number))
        if not isinstance(answer, say.ProposalIs):
            return said(answer)
        texts = {f"proposal-{number}.txt": facts(answer.proposal)}
        change = await self._theseus.ask(say.Diff(number=number))
        if isinstance(change, say.DiffIs):
            texts[f"proposal-{number}.diff"] = "\n".join(file.text for file in change.files)
        return tuple(
            Attachment(name, "text/plain", len(text.encode()), text=text)
            for name, text in ((name, clean(text)) for name, text in texts.items())
        )

    async def without_model(self, number: int) -> str:
        """What is said where no model can answer: that, and what is known anyhow."""
        answer = await self._theseus.ask(say.Show(number=number))
        why = one_line(self._theseus.missing or "", 300)
        begin = (
            f"Nobody can answer questions about it: {why}" if why else "Nobody can answer questions about it."
        )
        if not isinstance(answer, say.ProposalIs):
            return f"{begin}\n{said(answer)}"
        lines = facts(answer.proposal).split("\n")
        return f"{begin}\nThis is what /proposal {number} shows:\n{fenced(lines, _SHORTLY)}"
