"""Reads `/chat`, typed as `[OPTIONS] TEXT` or filled into fields: what is asked, and how it is to be answered. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.incoming.wish import PLAIN, Wish
from agent.models.needs import needs_of
from bot.control.commands import CHAT_USAGE, Unclear
from bot.control.options import Option

SEARCH = "search_web"
"""The tool that the old option `web_search` stands for."""
ANY = "any"
"""What is put into the field for a tool that has to be called, where any of them will do."""
FILES = ("file", "file_2", "file_3", "file_4")
"""Fields for what comes along; as many as one message may bring."""
FIELDS = (
    Option("prompt", "what you want to know, or want done", required=True),
    Option("model", "which model answers; left out: whichever fits", suggests="models"),
    Option("tool_calling", "whether tools may be used; left out: as it fits", "yes"),
    Option("force_tools", "a tool that has to be used first; any: one of them", suggests="force"),
    *(Option(name, "a text or a picture that goes along", "file") for name in FILES),
    Option("combine", "two models answer, and what they say is put together", "yes"),
    Option("private", "stays with a model on the bot's own machine, and only you see the answer", "yes"),
    Option("web_search", "old: use force_tools instead", "yes"),
)
"""`/chat`, field by field."""

_DASH = re.compile(r"^[\u2013\u2014](?=[a-z])")
"""What telephones make of two hyphens."""
_PRIVATE_LATE = re.compile(r"(?<!\S)(?:--|[\u2013\u2014])private\b")


@dataclass(frozen=True, slots=True)
class Question:
    """A question that is understood; `notice` is a sentence that its answer begins with, if any."""

    text: str
    wish: Wish
    notice: str = ""


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


def filled_in(given: Mapping[str, object], wish: Wish = PLAIN) -> Question | Unclear:
    """Read what was filled into the fields of `/chat`. The words are taken as they are: nothing in them is an option.

    Args:
        given: What was filled in, by field; fields that were left out are None, or missing.
        wish: What is wished for already: what came along.
    """
    text, model = (str(given.get(name) or "").strip() for name in ("prompt", "model"))
    force = str(given.get("force_tools") or "").strip()
    notice = ""
    if (search := given.get("web_search")) is not None:
        notice = f"`web_search` is an old option and will go; choose {SEARCH} for `force_tools` instead."
        force = force or (SEARCH if search else "")
    if force and given.get("tool_calling") is False:
        return Unclear(
            "A tool cannot be used first where none may be used; leave out one of the two options."
        )
    tools = "force" if force == ANY else force or ("off" if given.get("tool_calling") is False else "auto")
    if not (text or wish.attachments):
        return Unclear("Say what you want to ask, in the field prompt.")
    wish = replace(
        wish, model=model, tools=tools, combine=bool(given.get("combine")), private=bool(given.get("private"))
    )
    return Question(text, wish, notice)


def is_private(line: str) -> bool:
    """Whether a line says that it is to stay on this machine: by the option, wherever it stands, or in words."""
    return _PRIVATE_LATE.search(line) is not None or needs_of(line).private


def _first(text: str) -> tuple[str, str]:
    """The first word, and what follows it."""
    word, *rest = text.split(maxsplit=1) or [""]
    return word, "".join(rest)
