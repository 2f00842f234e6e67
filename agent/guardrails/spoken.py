"""Texts of people as a model may be shown them, and of models as people may be."""

import re

MAX_QUESTION = 16_000
"""Characters of one message that a model is shown."""
_MENTION = re.compile(r"<(@[!&]?|#)\d{1,20}>|(?<!\w)@(everyone|here)\b", re.ASCII)
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def cleaned(text: str, most: int = MAX_QUESTION) -> str:
    """A message as a model may be shown it: no mentions that would ring, nothing unwritable, not endless."""
    return _UNWRITABLE.sub("", without_mentions(text))[:most]


def without_mentions(text: str) -> str:
    """A text with mentions spoken out, so that they ring nowhere."""

    def spoken(found: re.Match[str]) -> str:
        named = {"@&": "(a role)", "#": "(a channel)"}
        return found[2] or named.get(found[1], "(somebody)")

    return _MENTION.sub(spoken, text)


def fenced(text: str, mark: str) -> str:
    """Text from outside as a model reads it: between marks that nobody there could know, and that it cannot close."""
    # A pattern is kept by `re` for as long as it likes, and a mark is good for one turn.
    inside = re.sub(mark, "(mark)", text, flags=re.IGNORECASE) if mark in text.lower() else text
    return f"<outside-{mark}>\n{inside}\n</outside-{mark}>"
