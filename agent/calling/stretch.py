"""Ends a call that computes without a pause: on one event loop, everything else would wait for it.

A timer of the processor's time runs while the tool's own code does, from one `await` to the next; when it goes off, the
tool's code is interrupted where it is. What waits costs no processor time, what a slow machine does to the clock on the
wall is nobody's fault, and what other threads compute meanwhile is not the tool's, so none of it counts.
"""

import signal
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Generic, TypeVar

STRETCH_SECONDS = 1.0
"""Of processor time, without a pause. The steward takes back what went live last when it hears nothing for two."""
_AGAIN_SECONDS = 0.1
"""So soon the timer goes off once more, for code that takes the first for an error like any other and goes on."""

T = TypeVar("T")


class Computing(BaseException):
    """A tool computes without a pause. No `Exception`: what catches those is what has to end."""


class Stretches(Generic[T]):
    """Awaits something, each stretch of it bounded; off the main thread, which alone can be interrupted, it is not.

    Raises:
        Computing: One of its stretches took too long.
    """

    def __init__(self, work: Awaitable[T]) -> None:
        self._work = _of(work)

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._work.__await__()
        step: Callable[[], Any] = partial(next, steps)
        while True:
            try:
                with _timed(self._work):
                    waits_for = step()
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # what a generator returns has no type here
            try:
                step = partial(steps.send, (yield waits_for))
            except BaseException as error:  # noqa: BLE001 - a cancellation, above all: it is the tool's to see
                step = partial(steps.throw, error)


async def bounded(compute: Callable[[], T]) -> T:
    """What a function comes to that may run a tool's code, computed in one stretch.

    Raises:
        Computing: It took too long.
    """
    return await Stretches(_called(compute))


async def _of(work: Awaitable[T]) -> T:
    return await work


async def _called(compute: Callable[[], T]) -> T:
    return compute()


_work: Coroutine[Any, Any, Any] | None = None
"""The timer is for what runs now: one that goes off a moment before or after it interrupts nothing."""
_until = 0.0
"""So many seconds of the processor's time this thread may have until then; the timer counts those of all threads."""


def _interrupt(_signal: int, _frame: object) -> None:
    if _work is not None and getattr(_work, "cr_running", False) and time.thread_time() >= _until:
        raise Computing(f"it computed for {STRETCH_SECONDS:g} s without a pause")


@contextmanager
def _timed(work: Coroutine[Any, Any, Any]) -> Iterator[None]:
    global _work, _until  # noqa: PLW0603 - there is one timer in a process, and this is its state
    if _work is not None or threading.current_thread() is not threading.main_thread():
        yield  # a stretch inside of another one is part of it
        return
    signal.signal(signal.SIGVTALRM, _interrupt)
    _work, _until = work, time.thread_time() + STRETCH_SECONDS
    signal.setitimer(signal.ITIMER_VIRTUAL, STRETCH_SECONDS, _AGAIN_SECONDS)
    try:
        yield
    finally:
        _work = None
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
