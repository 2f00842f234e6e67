"""Reads `/chat [OPTIONS] TEXT`: what is asked, and how it is to be answered. Pure."""

import re
from dataclasses import dataclass, replace

from agent.incoming.wish import PLAIN, Wish
from agent.models.needs import needs_of
from bot.control.commands import CHAT_USAGE, Unclear

_DASH = re.compile(r"^[\u2013\u2014](?=[a-z])")
"""What telephones make of two hyphens."""
_PRIVATE_LATE = re.compile(r"(?<!\S)(?:--|[\u2013\u2014])private\b")


@dataclass(frozen=True, slots=True)
class Question:
    """A question that is understood."""

    text: str
    wish: Wish


def read_question(rest: str, wish: Wish = PLAIN) -> Question | Unclear:
    """Read what follows `/chat`. Options stand in front; the first word that is none begins the text.

    Args:
        rest: What was typed behind the command's name.
        wish: What is wished for already, as by a surface that has fields for it.
    """
    left = _DASH.sub("--", rest.strip())
    while left.startswith("--"):
        word, left = _first(left)
        name, equals, value = word.partition("=")
        if word == "--combine":
            wish = replace(wish, combine=True)
        elif word == "--private":
            wish = replace(wish, private=True)
        elif name in ("--model", "--tools"):
            if not equals:
                value, left = _first(left)
            if not value or value.startswith("--"):
                return Unclear(f"{name} wants a value behind it; /chat is used as /{CHAT_USAGE}")
            wish = replace(wish, model=value) if name == "--model" else replace(wish, tools=value)
        else:
            return Unclear(f"/chat knows no {word[:40]}; it is used as /{CHAT_USAGE}")
        left = _DASH.sub("--", left)
    if not wish.private and _PRIVATE_LATE.search(left):
        # Whoever wants it private is not to learn afterwards that it was sent elsewhere.
        return Unclear(f"options stand in front of the text; /chat is used as /{CHAT_USAGE}")
    if not (left or wish.attachments):
        return Unclear(f"say what you want to ask: /{CHAT_USAGE}")
    return Question(left, wish)


def is_private(line: str) -> bool:
    """Whether a line says that it is to stay on this machine: by the option, wherever it stands, or in words."""
    return _PRIVATE_LATE.search(line) is not None or needs_of(line).private


def _first(text: str) -> tuple[str, str]:
    """The first word, and what follows it."""
    word, *rest = text.split(maxsplit=1) or [""]
    return word, "".join(rest)
