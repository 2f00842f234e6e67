"""A run that is started before it is needed, and gets the last part of its input when it is.

Starting a container and an interpreter takes longer than many a check. A run that was started ahead has done
that, and whatever the first part of its input asked for; it is still used for one candidate only, and never
again. Both backends run every command this way: an ordinary run gets the last part at once.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

from sandbox.types import Command, Outcome


class Feed:
    """The input of a run, in two parts, and the clock that starts anew with the second."""

    def __init__(self, command: Command, wait_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._first = command.stdin
        self._rest: asyncio.Future[bytes] = self._loop.create_future()
        self._seconds = command.limits.seconds
        self._wait = wait_seconds
        self._clock: asyncio.Timeout | None = None
        self._whole: Callable[[bytes], bool] | None = None
        self.said: asyncio.Future[bytes] = self._loop.create_future()
        """What it had said when that was all that somebody waits for."""
        self.began = self._loop.time()
        """When its last part came, and with it the work; before that, when it was started."""

    @property
    def longest(self) -> float:
        """Seconds that the run may take in all, the waiting included."""
        return self._wait + self._seconds

    @property
    def seconds(self) -> float:
        """How long it has worked."""
        return self._loop.time() - self.began

    @property
    def complete(self) -> bool:
        """Whether the last part is there."""
        return self._rest.done()

    def finish(self, rest: bytes, whole: Callable[[bytes], bool] | None = None) -> None:
        """Give the last part. From now on the time of the command's own limits runs; `whole`: what is waited for."""
        self._whole = whole
        self._rest.set_result(rest)
        self.began = self._loop.time()
        if self._clock is not None and not self._clock.expired():
            self._clock.reschedule(self.began + self._seconds)

    def heard(self, stdout: bytes | bytearray) -> None:
        """Take notice of all that the program has written so far."""
        if self._whole is not None and not self.said.done() and self._whole(said := bytes(stdout)):
            self.said.set_result(said)

    @contextlib.asynccontextmanager
    async def timed(self) -> AsyncIterator[None]:
        """Raises TimeoutError where the run waits, or after that works, for too long."""
        async with asyncio.timeout(self._seconds if self.complete else self._wait) as self._clock:
            yield

    async def send(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Write both parts, the second as soon as it is there."""
        await write(self._first)
        await write(
            await asyncio.shield(self._rest)
        )  # a run that ends early does not take the caller's part away


def at_once(command: Command) -> Feed:
    """The input of a run that has all of it from the start."""
    feed = Feed(command, 0)
    feed.finish(b"")
    return feed


class Ahead:
    """A run under way that waits for the rest of its input."""

    def __init__(
        self,
        run: Callable[[Command, Feed], Coroutine[None, None, Outcome]],
        command: Command,
        wait_seconds: float,
        ending: set[asyncio.Task[Outcome]],
    ) -> None:
        """Start it; it is ended when nothing comes for `wait_seconds`.

        Args:
            run: Runs a command with such an input.
            command: What is run.
            wait_seconds: How long it waits.
            ending: Where it is kept while it ends by itself, so that its sandbox is not closed before.
        """
        self._ending = ending
        self._feed = Feed(command, wait_seconds)
        self._until = asyncio.get_running_loop().time() + wait_seconds
        self._task = asyncio.create_task(run(command, self._feed))

    @property
    def alive(self) -> bool:
        """Whether it still waits; what has ended before its time is of no use."""
        return not self._task.done() and asyncio.get_running_loop().time() < self._until

    async def finish(self, rest: bytes) -> Outcome:
        """Give it the rest of its input, and wait for its end.

        Raises:
            SandboxUnavailable: The engine could not be reached or failed, so nothing is known of the command.
        """
        if not self.alive:
            await self.drop()
            return Outcome(exit_code=None, timed_out=True)
        self._feed.finish(rest)
        return await self._task

    async def hear(self, rest: bytes, whole: Callable[[bytes], bool]) -> Outcome:
        """Give it the rest of its input, and wait no longer than until its stdout is `whole`.

        Returns:
            As `finish` does where it ended before; else an outcome without an exit code: it ends behind the caller's back.

        Raises:
            SandboxUnavailable: The engine could not be reached or failed, so nothing is known of the command.
        """
        if not self.alive:
            return await self.finish(rest)
        self._feed.finish(rest, whole)
        waited: set[asyncio.Future[Outcome] | asyncio.Future[bytes]] = {self._task, self._feed.said}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            return await self._task
        self._ending.add(self._task)
        self._task.add_done_callback(self._ending.discard)
        return Outcome(exit_code=None, stdout=self._feed.said.result(), seconds=self._feed.seconds)

    async def drop(self) -> None:
        """End it without having used it; may be called twice."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
