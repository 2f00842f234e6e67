"""Whether a model is worth asking now: a circuit breaker for each, and how long to wait before asking again."""

import random
from collections.abc import Callable
from dataclasses import dataclass

FAILURES = 3
"""So many failures in a row, and a model is left alone for a while."""
OPEN_SECONDS = 30.0
LONGEST_SECONDS = 300.0
FIRST_DELAY = 0.5
LONGEST_DELAY = 20.0


@dataclass(slots=True)
class Breaker:
    """Opens after some failures in a row; when its time is over, one request tries whether it is well again."""

    failures: int = 0
    until: float = 0.0
    """On the clock of whoever asks; before it, nobody asks."""
    trying: bool = False
    opened: int = 0

    def refuses(self, now: float) -> bool:
        """Whether the model is to be left alone."""
        return self.opened > 0 and (self.trying or now < self.until)

    def left(self, now: float) -> float:
        """Seconds until it may be tried."""
        return max(0.0, self.until - now)

    def asked(self) -> bool:
        """A request goes out. Whether it is the trial, the only one as long as the circuit is open; hand that back."""
        trial = self.opened > 0 and not self.trying
        self.trying = self.trying or trial
        return trial

    def worked(self) -> None:
        """It answered."""
        self.failures, self.opened, self.trying, self.until = 0, 0, False, 0.0

    def dropped(self, *, trial: bool) -> None:
        """The request came to an end, whichever; its trial is over if it was one."""
        self.trying = self.trying and not trial

    def failed(self, now: float, *, trial: bool) -> None:
        """It did not answer. After a failed trial the next one is twice as far off."""
        if self.opened and not trial:
            return  # had been asked before the circuit opened
        self.failures += 1
        if self.opened or self.failures >= FAILURES:
            self.until = now + min(LONGEST_SECONDS, OPEN_SECONDS * 2**self.opened)
            self.opened = min(self.opened + 1, 10)
        self.trying = False


def wait_before(
    attempt: int, retry_after: float | None, chance: Callable[[], float] = random.random
) -> float:
    """Seconds to wait before asking again.

    Args:
        attempt: How often it was asked already.
        retry_after: What the provider said; it is never undercut, and a little is added so that not all come back at once.
        chance: A number in [0, 1).
    """
    if retry_after is not None:
        return retry_after * (1 + chance() / 10)
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (attempt - 1)) * (0.5 + chance() / 2)
