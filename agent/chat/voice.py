"""What live code is lent of the brain, for one request and no longer."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

NOT_SET_UP = "whoever runs me has to set up a language model."
"""What people elsewhere than at the console hear where there is no model, after a colon."""


@dataclass(frozen=True, slots=True)
class Voice:
    """The brain as one person's request meets it: who asks, where, and with which tools, is not for live code to say."""

    _missing: Callable[[], str | None]
    _answer: Callable[[str, str], AsyncGenerator[str, None]]

    @property
    def missing(self) -> str | None:
        """Why no model can answer; None when one can."""
        return self._missing()

    def answer(self, conversation: str, text: str, instructions: str) -> AsyncGenerator[str, None]:
        """Stream an answer in the conversation of the request, whichever is named; see `Brain.answer`."""
        del conversation
        return self._answer(text, instructions)


def told_to(caller: str, missing: str | None) -> str | None:
    """Why no model can answer, as somebody hears it: what to set is for the operator alone, who reads it at the start too."""
    return missing if caller.startswith("console:") or not missing else NOT_SET_UP
