"""A tool that computes without a pause is interrupted, and nothing else is."""

import asyncio
import contextlib
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

import pytest

from agent.calling import stretch
from agent.calling.attempt import Failure, attempt
from agent.calling.stretch import STRETCH_SECONDS, Computing, Stretches
from agent.calling.toolbox import Toolbox
from agent.tool import Context, Manifest
from tests.fakes.tools import box

CONTEXT = Context(caller="discord:7", conversation="here")


async def tried(tools: Toolbox, name: str) -> object:
    tool = tools.find(name)
    assert tool is not None
    return await attempt(tool, CONTEXT, {})


async def test_a_tool_that_computes_without_end_fails_and_the_loop_goes_on() -> None:
    """A loop without an `await` is interrupted, what it did is taken back, and who waits is told what was wrong."""
    back: list[str] = []

    async def spins(_context: Context) -> str:
        """Spin."""
        while True:
            pass

    async def undo(context: Context) -> str:
        back.append(context.caller)
        return ""

    async with asyncio.timeout(60):
        result = await tried(box(spins, spins=Manifest(writes=True, undo=undo)), "spins")
    assert isinstance(result, Failure)
    assert (result.outcome, result.error, back) == ("failed", "Computing", ["discord:7"])
    assert "without a pause" in result.text


async def test_a_tool_that_swallows_errors_is_interrupted_all_the_same() -> None:
    """Code that takes every error for a reason to go on is interrupted until it ends."""
    rings: list[float] = []

    async def stubborn(_context: Context) -> str:
        """Spin, whatever comes."""
        while len(rings) < 3:
            try:
                while True:
                    pass
            except BaseException:  # noqa: BLE001 - what this is about
                rings.append(time.process_time())
        raise ValueError("enough")

    async with asyncio.timeout(60):
        result = await tried(box(stubborn), "stubborn")
    assert isinstance(result, Failure)
    assert "enough" in result.text


async def test_many_short_stretches_are_not_one_long_one() -> None:
    """A tool that computes for longer in all, but pauses, is left alone; afterwards no timer runs."""

    async def works(_context: Context) -> str:
        """Work in pieces."""
        until = time.process_time() + 1.5 * STRETCH_SECONDS
        while time.process_time() < until:
            sum(range(1000))
            await asyncio.sleep(0)
        return "done"

    assert await tried(box(works), "works") == "done"
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


async def test_what_other_threads_compute_is_not_the_tools() -> None:
    """A tool that waits while another thread computes has computed nothing."""
    ends = time.process_time() + 1.5 * STRETCH_SECONDS

    def burn() -> None:
        while time.process_time() < ends:
            sum(range(1000))

    async def waits(_context: Context) -> str:
        """Wait for a thread."""
        thread = threading.Thread(target=burn)
        thread.start()
        thread.join()
        return "done"

    assert await tried(box(waits), "waits") == "done"


async def test_what_is_awaited_comes_through_as_it_is() -> None:
    """Results, errors and cancellations pass between a tool and what it waits for as they would without the timer."""
    seen: list[str] = []

    async def inner() -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return 0

    task = asyncio.ensure_future(_awaited(Stretches(inner())))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]
    assert await Stretches(asyncio.sleep(0, 7)) == 7
    with pytest.raises(TimeoutError):
        await Stretches(asyncio.wait_for(asyncio.Event().wait(), 0.001))


async def test_what_is_computed_for_an_errors_text_is_bounded_as_well() -> None:
    """An error whose text takes for ever is told without it."""

    class Endless(Exception):
        def __str__(self) -> str:
            return "".join(iter(lambda: "", None))

    async def fails(_context: Context) -> str:
        """Fail."""
        raise Endless

    async with asyncio.timeout(60):
        result = await tried(box(fails), "fails")
    assert isinstance(result, Failure)
    assert (result.outcome, result.error) == ("failed", "Endless")


async def test_a_timer_that_goes_off_beside_the_tool_interrupts_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On whichever line of the timing itself it goes off, the tool ends as it would have, and no timer is left."""
    monkeypatch.setattr(stretch, "STRETCH_SECONDS", 0.0)  # none goes off by itself, and none is early
    line, seen = 0, set[int]()

    def local(frame: FrameType, event: str, _given: Any) -> Any:
        if event == "line":
            seen.add(frame.f_lineno)
            if frame.f_lineno == line and not frame.f_code.co_name.startswith("_of"):
                signal.raise_signal(signal.SIGVTALRM)
        return local

    def tracer(frame: FrameType, _event: str, _given: Any) -> Any:
        return local if frame.f_code.co_filename == stretch.__file__ else None

    async def traced() -> int:
        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            return await Stretches(asyncio.sleep(0, 7))
        finally:
            sys.settrace(before)

    assert await traced() == 7
    for line in sorted(seen):
        assert await traced() == 7, line
        assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0), line


async def test_a_stretch_inside_of_another_does_not_end_its_timer() -> None:
    """What computes after a shorter stretch of its own is interrupted all the same."""

    async def spins() -> None:
        await Stretches(_seven())
        until = time.process_time() + 10 * STRETCH_SECONDS
        while time.process_time() < until:
            pass

    with contextlib.suppress(Computing):
        await Stretches(spins())
        pytest.fail("it was never interrupted")


async def _seven() -> int:
    return 7


def test_off_the_main_thread_a_tool_runs_without_the_timer() -> None:
    """Where nothing can be interrupted a tool still runs."""
    said: list[int] = []
    thread = threading.Thread(
        target=lambda: said.append(asyncio.run(_awaited(Stretches(asyncio.sleep(0, 7)))))
    )
    thread.start()
    thread.join()
    assert said == [7]
    assert not issubclass(Computing, Exception)


async def _awaited(work: Stretches[int]) -> int:
    return await work
