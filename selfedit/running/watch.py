"""Watches a provisional generation by the bot's heartbeats, and says when to keep it or take it back."""

import time

from policies.health import Judgement, Sample, judge
from policies.load import WatchRules
from selfedit.types import Heartbeat


class Watch:
    """The watch over one commit at a time; the last one's counters are what the next is compared with."""

    def __init__(self, rules: WatchRules) -> None:
        self._rules = rules
        self._commit = ""
        self._since = 0.0
        self._before: Sample | None = None
        self._latest: Sample | None = None
        self.over = True

    def begin(self, commit: str) -> None:
        """Start to watch a commit; the same one again goes on with the window that it has."""
        if commit == self._commit and not self.over:
            return
        self._before, self._latest = self._latest or self._before, None
        self._commit, self._since, self.over = commit, time.monotonic(), False

    def beat(self, heartbeat: Heartbeat) -> tuple[Judgement, str]:
        """Take a heartbeat into account."""
        sample = Sample(heartbeat.requests, heartbeat.errors, heartbeat.p95_ms, heartbeat.lag_ms)
        if self.over:
            if sample.requests:
                self._latest = sample
            return Judgement.WAIT, ""
        if heartbeat.commit != self._commit:
            return Judgement.WAIT, ""
        self._latest = sample
        judgement, why = judge(self._before, sample, time.monotonic() - self._since, self._rules)
        self.over = judgement is not Judgement.WAIT
        return judgement, why

    def end(self) -> None:
        """Stop watching: it was decided in another way."""
        self.over = True

    @property
    def seconds_left(self) -> float | None:
        """How long the running code stays provisional; None when it is not."""
        if self.over:
            return None
        return max(0.0, self._rules.window_seconds - (time.monotonic() - self._since))
