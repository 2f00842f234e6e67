"""Text of strangers as Discord may show it: it pings nobody, forms nothing, and fits. Pure."""

import re
from collections.abc import Iterable, Sequence

from policies.credentials import without_credentials
from selfedit.answers.render import shown

_HIDDEN = "(hidden)"
_STEERS = frozenset("\\`*_~|<>[]()#")
"""What Discord reads as formatting, a link, a mention or a time."""
_FENCE, _NO_FENCE = "```", "\u02bc" * 3
_SHORTEST = 12
"""Characters below which it is no use to begin one more line."""
_ADDRESS = re.compile(r"https?://[\w.:-]{1,100}(?:/[\w.~%#/-]{0,300})?")
_PERSON = re.compile(r"\bdiscord:(\d{1,20})\b(?!…)")


def size(text: str) -> int:
    """How long Discord finds a text at most: characters beyond the first plane count twice with some of its clients."""
    return len(text) + sum(char > "\uffff" for char in text)


def clean(text: str) -> str:
    """A text without secrets, and with everything written out that people cannot see."""
    return shown(without_credentials(text, _HIDDEN))


def one_line(text: str, limit: int) -> str:
    """A text in one line, as it was written: nothing in it formats, links or pings."""
    return _escaped(" ".join(clean(text).split()), limit)


def quoted(text: str, limit: int, most: int = 12) -> str:
    """A text as a quotation, so that everybody sees that somebody else wrote it; at most so many lines."""
    lines = [line for line in clean(text).split("\n") if line.strip()]
    kept: list[str] = []
    left = limit
    for line in lines[:most]:
        if left < _SHORTEST:
            break
        kept.append("> " + _escaped(" ".join(line.split()), left - 3))
        left -= size(kept[-1]) + 1
    if len(lines) > len(kept) and kept:
        kept[-1] = kept[-1] if kept[-1].endswith("…") else _cut(kept[-1], size(kept[-1]) - 1) + "…"
    return "\n".join(kept)


def listed(items: Sequence[str], limit: int) -> str:
    """Lines that are ready to be shown, as many as fit, and how many more there are."""
    kept: list[str] = []
    left = limit
    for at, item in enumerate(items):
        more = f"and {len(items) - at} more"
        last = at == len(items) - 1
        if size(item) + 1 + (0 if last else size(more) + 1) > left:
            return "\n".join([*kept, more])
        kept.append(item)
        left -= size(item) + 1
    return "\n".join(kept)


def fenced(lines: Iterable[str], limit: int, kind: str = "") -> str:
    """Lines as a block of code that none of them can close, as many as fit, and how many more there are."""
    ready = [clean(line).replace(_FENCE, _NO_FENCE).replace("\n", " ") for line in lines]
    around = f"{_FENCE}{kind}\n", f"\n{_FENCE}"
    return around[0] + listed(ready, limit - sum(map(size, around))) + around[1]


def person(by: str) -> str:
    """Somebody by their id: on Discord as a mention, which pings nobody where nobody may be pinged."""
    found = _PERSON.fullmatch(by)
    return f"<@{found[1]}>" if found else one_line(by, 60)


def address(url: str) -> str:
    """An address from outside that can stand below a button or in a link; empty where it holds what no such address has."""
    return url if _ADDRESS.fullmatch(url) else ""


def named(text: str) -> str:
    """A sentence of ours with names in place of ids; a mention pings nobody where nobody may be pinged."""
    return _PERSON.sub(r"<@\1>", text)


def at_words(text: str, limit: int) -> str:
    """The beginning of a text, not ending within a word where that can be."""
    if len(text) <= limit:
        return text
    kept = text[:limit]
    return f"{kept[: kept.rfind(' ')] if ' ' in kept else kept[:-1]}…"


def _escaped(text: str, limit: int) -> str:
    """A text with its signs escaped, of at most so many characters."""
    made: list[str] = []
    length = 0
    for at, char in enumerate(text):
        piece = char
        if char in _STEERS or (char == ":" and text.startswith("//", at + 1)):
            piece = f"\\{char}"
        elif char == "@":
            piece = "@\u200b"  # what stands behind it is then the name of nobody
        if length + size(piece) > limit - (at < len(text) - 1):
            return "".join(made).rstrip() + "…"
        made.append(piece)
        length += size(piece)
    return "".join(made)


def _cut(text: str, limit: int) -> str:
    """The beginning of an escaped text, not ending within an escape."""
    while size(text) > limit or (text.endswith("\\") and not text.endswith("\\\\")):
        text = text[:-1]
    return text
