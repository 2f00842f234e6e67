"""The counters that a generation is judged by."""

import asyncio
import time

from bot.telemetry import TICK, Telemetry


def test_a_generation_is_judged_by_its_own_requests() -> None:
    """Counters begin anew with each commit, and a request that began before counts for nobody."""
    telemetry = Telemetry()
    telemetry.begin("old")
    telemetry.record("old", 0.1, failed=True)
    telemetry.begin("new")
    telemetry.record("old", 0.1, failed=True)
    telemetry.record("new", 0.2, failed=False)
    beat = telemetry.heartbeat()
    assert (beat.commit, beat.requests, beat.errors) == ("new", 1, 0)


def test_the_percentile_is_that_of_the_latest_answers() -> None:
    """Nineteen of twenty answers were at most that slow."""
    telemetry = Telemetry()
    telemetry.begin("c")
    for milliseconds in range(1, 101):
        telemetry.record("c", milliseconds / 1000, failed=False)
    assert round(telemetry.heartbeat().p95_ms) == 95


async def test_a_pause_of_the_loop_is_told_once() -> None:
    """A blocked loop shows in the next heartbeat, also when that one comes before the loop's own clock, and then no more."""
    telemetry = Telemetry()
    telemetry.begin("c")
    watching = asyncio.create_task(telemetry.watch_loop())
    await asyncio.sleep(0)
    time.sleep(TICK * 4)  # noqa: ASYNC251 - blocking the loop is the subject
    assert telemetry.heartbeat().lag_ms >= TICK * 3 * 1000 * 0.99
    assert telemetry._lag == 0
    watching.cancel()
