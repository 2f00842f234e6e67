"""Tells Discord which commands there are: only when what people see of them has changed, and not too often."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import discord
from discord import app_commands

from bot.discord.patience import UNREACHABLE

SECONDS = 20.0
"""How long a registration may take; Discord answers "too many" with the rest of a day."""
MOST_MADE = 180
"""New commands within a day; Discord takes 200."""
DAY = 86_400.0
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
"""Seconds before it is tried again after a failure; each time twice as many."""
_SEEN = [
    "name",
    "type",
    "description",
    "required",
    "autocomplete",
    "min_value",
    "max_value",
    "min_length",
    "max_length",
]

AnyCommand = app_commands.Command[Any, ..., Any] | app_commands.ContextMenu | app_commands.Group

log = logging.getLogger("theseus.discord")


class Registration:
    """What Discord was told, for all servers and for the one where changes are tried."""

    def __init__(
        self,
        tree: app_commands.CommandTree[discord.Client],
        test_server: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin, with nothing told.

        Args:
            tree: What answers commands; filled before Discord is told of it.
            test_server: The server that hears of commands at once, also of those that may be taken back.
            clock: Seconds.
        """
        self._tree, self._clock = tree, clock
        self._test_server = None if test_server is None else discord.Object(test_server)
        self._known: dict[int | None, list[Any]] = {}
        """By server, None for all of them, what Discord knows."""
        self._made: deque[tuple[float, int]] = deque()
        self._pause, self._not_before = FIRST_PAUSE, 0.0

    async def offer(self, make: Callable[[], Sequence[AnyCommand]], *, kept: bool) -> bool:
        """Answer these commands from now on, and see to it that Discord shows them; whether all of that is done.

        Args:
            make: Makes the commands.
            kept: Whether they are to stay; else only the test server hears of them.
        """
        here = self._fill(None, make())
        if self._clock() < self._not_before:
            return False
        try:
            async with asyncio.timeout(SECONDS):
                done = await self._tell(None, here) if kept else True
                if self._test_server is not None:
                    done = await self._try_out(self._test_server, make, here) and done
        except UNREACHABLE as error:
            log.warning("the commands could not be registered with Discord: %s", error)
            self._not_before = self._clock() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            return False
        self._pause = FIRST_PAUSE
        return done

    async def _try_out(
        self, server: discord.Object, make: Callable[[], Sequence[AnyCommand]], here: list[Any]
    ) -> bool:
        """Show the test server what the others do not see yet; what they see is not shown there twice."""
        if None not in self._known:
            self._known[None] = await self._there(None)
        new = [one["name"] for one in here if one not in self._known[None]]
        shown = self._fill(server, [one for one in make() if one.name in new])
        try:
            return await self._tell(server, shown)
        except (discord.Forbidden, discord.NotFound):
            # Nobody else's commands wait for a server that is not there.
            log.warning(
                "the test server %s takes no commands of the bot; invite it there, and restart", server.id
            )
            self._test_server = None
            return True

    def _fill(self, where: discord.Object | None, commands: Sequence[AnyCommand]) -> list[Any]:
        self._tree.clear_commands(guild=where)
        for one in commands:
            self._tree.add_command(one, guild=where)
        return [_shape(one.to_dict(self._tree)) for one in commands]

    async def _there(self, where: discord.Object | None) -> list[Any]:
        return [_shape(one.to_dict()) for one in await self._tree.fetch_commands(guild=where)]

    async def _tell(self, where: discord.Object | None, wanted: list[Any]) -> bool:
        place = None if where is None else where.id
        if _same(wanted, self._known.get(place)):
            return True
        there = await self._there(where)
        if not _same(wanted, there):
            names = {(one["type"], one["name"]) for one in there}
            new = sum((one["type"], one["name"]) not in names for one in wanted)
            if not self._may_make(new):
                log.warning("Discord takes no more new commands today; they can be typed meanwhile")
                self._not_before = self._clock() + LONGEST_PAUSE
                return False
            await self._tree.sync(guild=where)
            self._made.append((self._clock(), new))
        self._known[place] = wanted
        return True

    def _may_make(self, new: int) -> bool:
        while self._made and self._made[0][0] < self._clock() - DAY:
            self._made.popleft()
        return new + sum(count for _, count in self._made) <= MOST_MADE


def _shape(payload: Any) -> dict[str, Any]:
    """What people see of a command, or of one of its fields.

    Where it can be used is left out: it is the same for all, and the library does not read it back as it was sent.
    """
    shape: dict[str, Any] = {name: payload.get(name) or None for name in _SEEN}
    shape["choices"] = [(one["name"], one["value"]) for one in payload.get("choices") or ()]
    shape["options"] = [_shape(one) for one in payload.get("options") or ()]
    return shape


def _same(one: list[Any], other: list[Any] | None) -> bool:
    """Whether both hold the same, in whatever order."""
    return other is not None and len(one) == len(other) and all(each in other for each in one)
