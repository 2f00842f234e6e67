"""Keeps addresses that nobody gave out of answers and of the net, once a model has read text from outside.

A chat shows a preview of an address by visiting it. One that a model was talked into putting together could carry
away what it has read, without anybody clicking. So an address counts as given only as a whole: where it ends is
decided by the text that gave it, never by what a model makes of it.
"""

import re
import string
from collections.abc import Callable, Collection, Iterator, Sequence

from policies.urls import MOST_CHARS

INSTEAD = "(an address that nobody gave)"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]{0,30}://"
_SCHEME_CHARS = string.ascii_letters + string.digits + "+.-"
# What ends an address for those who make links of a text; all else goes on with it, quotes and brackets included.
_SHOWN = re.compile(
    _SCHEME + r"[^<\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+"
)
_VISITED = re.compile(_SCHEME + r"[^\t\n\v\f\r ]+")
_GIVEN = re.compile(_SCHEME + rf"\S{{1,{MOST_CHARS}}}")
_BEHIND = ".,;:!?*_~|)]}'\"`>\uff0c\u3002\uff1b\uff1a\uff01\uff1f\u3001\uff09\u3011\u300b\u300d\u300f"
"""What may stand behind an address without being a part of it."""
_MOST_BEHIND = 4
"""So many of them at most: a long row of them could carry something away as well."""
_MOST_GIVEN = 1_000
"""Addresses of one text that count as given; what names more of them is no text for people."""
_MOST_KNOWN = 16_000_000
"""Characters of all the addresses that one turn knows. What comes after that is not given, which is the safe side."""
_END = re.compile(r"[\"'`<>)\]}|\\\uff0c\u3002\uff1b\uff1a\uff01\uff1f\u3001\uff09\u3011\u300b\u300d\u300f]")


def addresses(texts: Collection[str]) -> frozenset[str]:
    """The addresses that texts give, each in the few ways in which its end can be read."""
    return frozenset(_bare(form) for text in texts for form in _given(text))


class Known:
    """The addresses that a growing list of texts gives; each text is read once."""

    def __init__(self) -> None:
        self._addresses: set[str] = set()
        self._read = 0
        self._room = _MOST_KNOWN

    def of(self, texts: Sequence[str]) -> Collection[str]:
        """The addresses in texts, which are those of the last time and perhaps more."""
        for text in texts[self._read :]:
            fresh = addresses((text,)) - self._addresses if self._room > 0 else frozenset()
            self._room -= sum(map(len, fresh))
            self._addresses |= fresh
        self._read = len(texts)
        return self._addresses


def is_given(address: str, known: Collection[str], behind: int = _MOST_BEHIND) -> bool:
    """Whether an address is among those that `addresses` found, with so much punctuation behind it at most."""
    bare = address.rstrip(_BEHIND)
    return _bare(address) in known or (len(address) - len(bare) <= behind and _bare(bare) in known)


def visits_stranger(text: str, known: Collection[str]) -> bool:
    """Whether a text that a tool of the net is handed names an address that nobody gave."""
    alone = _VISITED.fullmatch(text.strip()) is not None
    return any(not is_given(each, known, 0 if alone else _MOST_BEHIND) for each in _VISITED.findall(text))


class Outgoing:
    """One answer on its way out, in pieces. While `given` is None, all of it passes as it comes.

    What `given` returns only grows.
    """

    def __init__(self, given: Callable[[], Sequence[str] | None]) -> None:
        self._given = given
        self._held = ""
        self._known = Known()

    def feed(self, piece: str) -> str:
        """What may be shown of what came so far; the last word waits while it may be a part of an address."""
        given = self._given()
        text = self._held + piece
        if given is None:
            self._held = ""
            return text
        at = max(text.rfind(space) for space in " \n\t") + 1
        word = text[at:]
        if "://" not in word:
            at += len(word.removesuffix("/").removesuffix(":").rstrip(_SCHEME_CHARS))
        self._held = text[at:]
        return self._without_strangers(text[:at], given)

    def end(self) -> str:
        """The rest."""
        given, rest = self._given(), self._held
        self._held = ""
        return rest if given is None else self._without_strangers(rest, given)

    def _without_strangers(self, text: str, given: Sequence[str]) -> str:
        if "://" not in text:
            return text
        known = self._known.of(given)
        shown, at = [], 0
        while (found := _SHOWN.search(text, at)) is not None:
            shown.append(text[at : found.start()])
            address, first = found[0], _cut(found[0])
            at = found.end()
            if is_given(address, known):
                shown.append(address)
            elif _bare(first) in known:
                # The space ends it for everybody, so that what follows is no part of it.
                shown.append(f"{first} ")
                at = found.start() + len(first)
            else:
                shown.append(INSTEAD)
                at = found.start() + len(address.rstrip(_BEHIND))
        return "".join([*shown, text[at:]])


def _given(text: str) -> Iterator[str]:
    at = 0
    for _ in range(_MOST_GIVEN):
        if (found := _GIVEN.search(text, at)) is None:
            return
        whole, first = found[0], _cut(found[0])
        bare = whole.rstrip(_BEHIND)
        yield from (whole, bare, first)
        if bare.count("(") == bare.count(")") + 1:
            yield f"{bare})"
        at = found.start() + len(first)


def _cut(address: str) -> str:
    """An address up to the first sign at which it may have ended."""
    return _END.split(address, maxsplit=1)[0]


def _bare(address: str) -> str:
    return address.removesuffix("/")
