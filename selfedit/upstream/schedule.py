"""When a forge is asked again: at once after a hint, from time to time, and later each time that it did not answer."""

import asyncio
import contextlib
from collections.abc import Callable

SHORTEST = 1.0
"""Seconds between two rounds at least, however many hints come."""
FIRST_DELAY, LONGEST_DELAY = 5.0, 300.0
"""Seconds until the forge is asked again after it did not answer, the first time and at most, unless it says itself."""


class Schedule:
    """Says when it is time for a round.

    Attributes:
        trouble: Why the last round came to nothing; empty where it did not.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is in seconds, and never goes back."""
        self._clock = clock
        self._woken = asyncio.Event()
        self._next = self._not_before = 0.0
        self._failures = 0
        self.trouble = ""

    def wake(self) -> None:
        """Something may have changed: the next round comes as soon as it may."""
        self._woken.set()

    def due(self) -> bool:
        """Whether it is time; if so, hints count anew from now on."""
        now = self._clock()
        if now < self._not_before or (now < self._next and not self._woken.is_set()):
            return False
        self._woken.clear()
        return True

    def resting(self) -> float:
        """Seconds before which no hint is followed."""
        return max(0.0, self._not_before - self._clock())

    async def pause(self) -> None:
        """Wait until it may be time."""
        if self._woken.is_set():
            await asyncio.sleep(self.resting())
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), max(0.0, self._next - self._clock()))

    def put_off(self, why: str, again: float = 0.0) -> None:
        """A round came to nothing; `again` seconds at least are to pass, and more each time."""
        self._failures += 1
        delay = min(FIRST_DELAY * 2 ** (self._failures - 1), LONGEST_DELAY)
        self.trouble = why
        self._next = self._not_before = self._clock() + max(delay, again)

    def done(self, seconds: float) -> None:
        """A round was done; the next comes after so many seconds, unless there is a hint."""
        self._failures, self.trouble = 0, ""
        self._next = self._clock() + seconds
        self._not_before = self._clock() + SHORTEST
