"""Whether new code is worse than the code before it: counters in, a judgement out."""

from dataclasses import dataclass
from enum import StrEnum

from policies.load import WatchRules


@dataclass(frozen=True, slots=True)
class Sample:
    """Counters of one generation so far. Latency and pauses in milliseconds."""

    requests: int
    errors: int
    p95_ms: float
    lag_ms: float


class Judgement(StrEnum):
    """What to do with a provisional generation."""

    WAIT = "wait"
    KEEP = "keep"
    REVERT = "revert"


def judge(before: Sample | None, now: Sample, elapsed: float, rules: WatchRules) -> tuple[Judgement, str]:
    """Judge a provisional generation by its counters.

    Args:
        before: The counters of the generation that it replaced, if any were seen.
        now: Its own counters since it began to serve.
        elapsed: Seconds since it began to serve.
        rules: The bounds.

    Returns:
        The judgement, and for a revert the reason as a sentence.
    """
    over = elapsed >= rules.window_seconds
    if now.lag_ms > rules.lag_ms:
        return Judgement.REVERT, f"the event loop stood still for {now.lag_ms / 1000:.1f} s"
    share = now.errors / now.requests if now.requests else 0.0
    if share > rules.error_rate and (now.errors >= rules.errors or over):
        return Judgement.REVERT, f"{now.errors} of {now.requests} requests failed"
    slow = max(rules.latency_floor_ms, rules.latency_factor * (before.p95_ms if before else 0.0))
    if now.requests >= rules.latency_requests and now.p95_ms > slow:
        return Judgement.REVERT, f"answers take {now.p95_ms / 1000:.1f} s (p95); before: {_seconds(before)}"
    return (Judgement.KEEP, "") if over else (Judgement.WAIT, "")


def _seconds(before: Sample | None) -> str:
    return "unknown" if before is None else f"{before.p95_ms / 1000:.1f} s"
