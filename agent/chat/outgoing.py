"""Keeps addresses that nobody gave out of answers, once a model has read text from outside.

A chat shows a preview of an address by visiting it. One that a model was talked into putting together could carry
away what it has read, without anybody clicking.
"""

import re
from collections.abc import Callable, Sequence

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s<>\"'`)\]]+")
"""An address as it stands in a text."""
INSTEAD = "(an address that nobody gave)"
_LONGEST_WORD = 4000
"""Characters that are held back at most, while an address may still go on."""


def is_given(address: str, given: Sequence[str]) -> bool:
    """Whether an address stands in one of the texts; punctuation behind it does not count."""
    bare = address.rstrip(".,;:!?*_~|").rstrip("/")
    return any(bare in text for text in given)


class Outgoing:
    """One answer on its way out, in pieces. While `given` is None, all of it passes as it comes."""

    def __init__(self, given: Callable[[], Sequence[str] | None]) -> None:
        self._given = given
        self._held = ""

    def feed(self, piece: str) -> str:
        """What may be shown of what came so far; the last word waits, since it may be half an address."""
        given = self._given()
        text = self._held + piece
        if given is None:
            self._held = ""
            return text
        at = max(text.rfind(space) for space in " \n\t") + 1
        if len(text) - at > _LONGEST_WORD:
            at = len(text)
        self._held = text[at:]
        return _without_strangers(text[:at], given)

    def end(self) -> str:
        """The rest."""
        given, rest = self._given(), self._held
        self._held = ""
        return rest if given is None else _without_strangers(rest, given)


def _without_strangers(text: str, given: Sequence[str]) -> str:
    return ADDRESS.sub(lambda found: found[0] if is_given(found[0], given) else INSTEAD, text)
