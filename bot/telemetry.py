"""Counts what the steward judges a generation by: requests, failures, latency, pauses of the event loop."""

import asyncio
import math
import os
import time
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from selfedit.types import Heartbeat

RING = 512
"""Latencies that the 95th percentile is taken over."""
TICK = 0.1
"""Seconds between two looks at the clock for pauses of the loop."""


@dataclass(slots=True)
class Met:
    """What a chat service answered to requests since the process began.

    Attributes:
        requests: All of them.
        limited: Answers 429: too many at once.
        failed: Answers from 500 on: the service itself was ill.
        refused: Other answers from 400 on: it did not want what was asked.
    """

    requests: int = 0
    limited: int = 0
    failed: int = 0
    refused: int = 0

    def count(self, status: int) -> None:
        """One more answer, by its HTTP status."""
        self.requests += 1
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self.limited += 1
        elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.failed += 1
        elif status >= HTTPStatus.BAD_REQUEST:
            self.refused += 1

    def __str__(self) -> str:
        """In a few words, for people."""
        return (
            f"{self.requests:,} requests; too many at once (429): {self.limited:,}; "
            f"failures (5xx): {self.failed:,}; refused: {self.refused:,}"
        )


class Telemetry:
    """Counters since the serving commit began to serve."""

    def __init__(self) -> None:
        self._commit = ""
        self._requests = 0
        self._errors = 0
        self._latencies: deque[float] = deque(maxlen=RING)
        self._lag = 0.0
        self._ticked = time.monotonic()

    def begin(self, commit: str) -> None:
        """Another commit serves from now on."""
        self._commit, self._requests, self._errors = commit, 0, 0
        self._latencies.clear()
        self._lag, self._ticked = 0.0, time.monotonic()

    def record(self, commit: str, seconds: float, *, failed: bool) -> None:
        """A request has ended; it counts for the commit on which it began, if that still serves."""
        if commit == self._commit:
            self._requests += 1
            self._errors += failed
            self._latencies.append(seconds)

    def heartbeat(self) -> Heartbeat:
        """The counters as they stand; the longest pause is forgotten after it was told."""
        self._look()
        lag, self._lag = self._lag, 0.0
        return Heartbeat(
            commit=self._commit,
            requests=self._requests,
            errors=self._errors,
            p95_ms=_p95(self._latencies) * 1000,
            lag_ms=lag * 1000,
            memory_mb=memory_mb(),
        )

    async def watch_loop(self) -> None:
        """Note pauses of the event loop for as long as it runs."""
        self._ticked = time.monotonic()
        while True:
            await asyncio.sleep(TICK)
            self._look()

    def _look(self) -> None:
        now = time.monotonic()
        self._lag = max(self._lag, now - self._ticked - TICK)
        self._ticked = now


def memory_mb() -> float:
    """What this process holds in memory, in MiB; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _p95(latencies: deque[float]) -> float:
    if not latencies:
        return 0.0
    ranked = sorted(latencies)
    return ranked[math.ceil(0.95 * len(ranked)) - 1]
