"""Tells the steward that it should look at GitHub: once for all that came within a moment."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable

from bot.api.deliveries import Deliveries, Names

PAUSE = 1.0
"""Seconds in which deliveries are gathered: what somebody does there once is told in several."""

log = logging.getLogger("theseus.api")


class Hints:
    """What is to be told, and what was."""

    def __init__(
        self,
        tell: Callable[[], Awaitable[None]],
        deliveries: Deliveries,
        rest: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(PAUSE),
    ) -> None:
        """Put it together.

        Args:
            tell: Tells the steward; raises `ConnectionError` where it is not there.
            deliveries: Those that were heard.
            rest: Waits while more may come.
        """
        self._tell, self._deliveries, self._rest = tell, deliveries, rest
        self._owed: set[Names] = set()
        self._wanted, self._settled = asyncio.Event(), asyncio.Event()
        self._settled.set()

    def heard(self, known: Names) -> bool:
        """Whether a delivery was heard before, or has come just now."""
        return self._deliveries.heard(known) or any(name in each for name in known for each in self._owed)

    def owe(self, known: Names) -> None:
        """Something may have changed, by this delivery."""
        self._owed.add(known)
        self._settled.clear()
        self._wanted.set()

    async def settled(self) -> None:
        """Wait until the steward was told of everything that has come."""
        await self._settled.wait()

    async def run(self) -> None:
        """Tell, for as long as the process runs.

        A delivery counts as heard only when the steward was told: if the process ends in between, it may come again, and
        if it does not, the steward looks by itself now and then.
        """
        while True:
            await self._wanted.wait()
            await self._rest()
            told = frozenset(self._owed)
            self._wanted.clear()
            try:
                await self._tell()
                self._deliveries.remember(told)
            except ConnectionError:
                log.warning("the steward could not be told of a webhook; it looks by itself")
            except sqlite3.Error as error:
                log.warning(
                    "webhooks cannot be written down (%s); one that comes again is heard again", error
                )
            self._owed -= told
            if not self._owed:
                self._settled.set()
