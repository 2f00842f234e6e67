"""How long GitHub asks to be left alone, by an answer's status, headers and words, and how fast it is written to: pure."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

A_MINUTE = 60.0
"""What GitHub's documentation asks for after a secondary limit where no header says more."""
LONGEST = 2 * 3600.0
"""No limit lasts longer: the primary one ends within the hour. A header that says more is not believed."""
BURST = 20.0
"""So many writes may follow one another at once. GitHub asks for a second between them where there are many."""
_WORDS = ("rate limit", "abuse detection")


class Pace:
    """Lets writes follow one another at once up to a number, and a second pass between them beyond that."""

    def __init__(self) -> None:
        self._spare, self._counted = BURST, 0.0

    def before_writing(self, now: float) -> float:
        """Seconds to wait before the next write; `now` is of a clock that does not go back."""
        self._spare = min(BURST, self._spare + now - self._counted) - 1
        self._counted = now
        return max(0.0, -self._spare)


def pause(status: int, headers: Mapping[str, str], said: str, repeated: int = 0) -> float | None:
    """Seconds for which nothing may be asked after an answer; None where the answer is no limit.

    Args:
        status: Its status.
        headers: Its headers, names in lower case.
        said: Its message.
        repeated: How many limits in a row came before it: without a header the pause doubles with each.
    """
    left = headers.get("x-ratelimit-remaining", "")
    after = headers.get("retry-after", "")
    if status == 503 and after:  # noqa: PLR2004 - Service Unavailable
        return _bounded(_number(after))
    limited = bool(after) or left == "0" or any(words in said.lower() for words in _WORDS)
    if status != 429 and not (status == 403 and limited):  # noqa: PLR2004 - Too Many Requests, Forbidden
        return None
    if (seconds := _number(after)) is not None:
        return _bounded(seconds)
    if left == "0" and (reset := _number(headers.get("x-ratelimit-reset", ""))) is not None:
        return _bounded(reset - _their_time(headers) + 1)
    return _bounded(A_MINUTE * 2 ** min(repeated, 6))


def _their_time(headers: Mapping[str, str]) -> float:
    """The time of the clock that set the limit, so that a wrong clock here does no harm."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return time.time()


def _number(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None  # noqa: PLR2004 - a date's digits


def _bounded(seconds: float | None) -> float:
    return min(max(seconds if seconds is not None else A_MINUTE, 1.0), LONGEST)
