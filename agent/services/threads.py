"""Work that would hold up the event loop: in threads, only a few of them side by side."""

import asyncio
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """So many places for work in threads. Used on one event loop."""

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)

    @property
    def full(self) -> bool:
        """Whether more work has to wait."""
        return self._places.locked()

    async def run(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What some work returns.

        A thread cannot be ended: its place is free again when it is done, not when nobody waits for it any more, so
        what takes long fills no more than these places.
        """
        await self._places.acquire()
        running = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **named))
        running.add_done_callback(self._is_done)
        return await asyncio.shield(running)

    def _is_done(self, running: asyncio.Future[Any]) -> None:
        self._places.release()
        if not running.cancelled():
            running.exception()  # looked at here, since perhaps nobody waits for it any more
