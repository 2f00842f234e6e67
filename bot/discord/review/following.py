"""Follows what the steward says: cards are brought up to date, and news are told where their owners want them."""

import asyncio
import logging
from collections.abc import Collection, Coroutine
from typing import Any

import discord
from pydantic import BaseModel

from bot.discord.patience import UNREACHABLE
from bot.discord.review.board import Board, Place
from bot.discord.review.cards import NEWS, news_line
from bot.discord.review.commands import Commands
from bot.discord.review.sending import Shown
from bot.discord.setup.news import NewsPlaces
from bot.discord.text import one_line
from bot.surface import Theseus
from selfedit import protocol as say
from selfedit.types import Stage

_UNDER_WAY = {Stage.REQUESTED, Stage.DRAFTED, Stage.GATED, Stage.APPROVED, Stage.MERGED}
"""Stages in which what is being done is worth a line."""

log = logging.getLogger("theseus.discord")


class Following:
    """Hears notices, and does what they ask for one after the other or side by side, whichever comes."""

    def __init__(
        self, client: discord.Client, theseus: Theseus, board: Board, commands: Commands, news: NewsPlaces
    ) -> None:
        self._client, self._theseus, self._board = client, theseus, board
        self._commands, self._news = commands, news
        self._jobs: set[asyncio.Task[None]] = set()
        board.shut_out = lambda number, place: self._begin(self._show_anew(number, place))

    def catch_up(self) -> None:
        """Bring every card up to date of which the proposal has moved."""
        self._begin(self._board.catch_up())

    async def settled(self) -> None:
        """Wait until every notice was followed."""
        while self._jobs:
            await asyncio.wait([*self._jobs])

    async def close(self) -> None:
        """Stop."""
        jobs = [*self._jobs]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    def hear(self, notice: BaseModel) -> None:
        """Let the cards follow what happens, wherever it was decided, and pass news on."""
        match notice:
            case say.Progress(number=number, stage=stage, text=text, seconds=seconds):
                doing = text.split("\n")[0] if stage in _UNDER_WAY else ""
                if doing.startswith("approved by "):
                    doing = ""  # that stands on the card already, with a name in place of an id
                self._board.doing(
                    number, stage, f"{doing} ({seconds:.0f} s)" if doing and seconds >= 1 else doing
                )
                self._begin(self._progress(number, stage))
            case say.News(text=text):
                self._begin(self._tell(Shown(one_line(text, 1900))))

    async def _progress(self, number: int, stage: Stage) -> None:
        if stage is Stage.REQUESTED:
            await self._commands.began(number)
        elif stage is Stage.OPENED and self._board.place(number) is None:
            await self._show_in_news(number)
        self._board.changed(number)
        if stage in NEWS:
            await self._tell_stage(number, stage)

    async def _tell_stage(self, number: int, stage: Stage) -> None:
        """Tell once that a proposal came to a stage, in the channels for news that do not hold its card."""
        card = self._board.place(number)
        elsewhere = {each for each in self._news.all().values() if card is None or each != card.channel}
        answer = await self._theseus.ask(say.Show(number=number)) if elsewhere else None
        if not isinstance(answer, say.ProposalIs) or answer.proposal.stage is not stage:
            return
        if self._board.first_told(number, stage):
            await self._tell(Shown(news_line(answer.proposal, card.link if card else "")), only=elsewhere)

    async def _show_anew(self, number: int, place: Place) -> None:
        """What had its card where the bot may not change it any more has a new one where that server's news go."""
        channel = self._news.of(place.guild) if place.guild is not None else None
        if channel is not None and channel != place.channel:
            await self._show_in_news(number, only={channel})

    async def _show_in_news(self, number: int, only: Collection[int] | None = None) -> None:
        """What was asked for elsewhere has its card where news go, if they go anywhere."""
        channels = self._news.all()
        answer = await self._theseus.ask(say.Show(number=number)) if channels else None
        if isinstance(answer, say.ProposalIs) and self._board.place(number) is None:
            drawn = await self._board.draw(answer.proposal)
            for place in await self._tell(Shown(embed=drawn.embed, view=drawn.view), most=1, only=only):
                self._board.put(number, place, drawn)

    async def _tell(
        self, what: Shown, most: int | None = None, only: Collection[int] | None = None
    ) -> list[Place]:
        """Say something where the owners want news, without a sound."""
        places = []
        wanted = [each for each in self._news.all().items() if only is None or each[1] in only]
        for guild, channel in wanted[:most]:
            where = self._client.get_partial_messageable(channel, guild_id=guild)
            try:
                message = await where.send(**what.new, silent=True)
            except UNREACHABLE as error:
                log.warning("news could not be told: %s", error)
            else:
                places.append(Place(guild, channel, message.id))
        return places

    def _begin(self, work: Coroutine[Any, Any, Any]) -> None:
        async def run() -> None:
            try:
                await work
            except Exception:
                log.exception("a notice of the steward could not be followed")

        job = asyncio.create_task(run())
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
