"""What commands take, said once: the usage at the console and the fields of a chat service come from the same words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

LONGEST_TEXT = 6000
"""Characters of what is said in words, where a command says nothing else; chat services take no more."""
LARGEST_NUMBER = 999_999_999
NONE = "-"
"""Stands in a line where nothing is given and something comes behind it."""

Kind = Literal["text", "number", "yes", "file", "person"]
"""What is put into a field: words, a whole number from 1 on, yes or no, a file, or somebody."""
Suggests = Literal["", "any", "open", "merged", "models", "tools", "force"]
"""What is offered while a field is filled in: proposals at all, open ones, merged ones, models, tools, tools with the word
for any of them, or nothing."""


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that a command takes.

    Attributes:
        name: What the field is called.
        summary: What to put into it, in a few words.
        kind: What it holds.
        required: Whether the command can do without.
        suggests: What is offered while it is filled in.
        choices: All that it may hold; empty: anything.
        shown: How the usage shows it; empty: by its name.
        longest: Characters that words may have.
    """

    name: str
    summary: str
    kind: Kind = "text"
    required: bool = False
    suggests: Suggests = ""
    choices: tuple[str, ...] = ()
    shown: str = ""
    longest: int = LONGEST_TEXT


def usage_of(name: str, options: Sequence[Option]) -> str:
    """A command as it is typed: what may be left out stands in brackets."""
    words = [option.shown or option.name for option in options]
    return " ".join(
        [
            name,
            *(word if option.required else f"[{word}]" for option, word in zip(options, words, strict=True)),
        ]
    )


def typed(name: str, options: Sequence[Option], given: Mapping[str, object]) -> str:
    """The line that somebody would type who gives the same; what is not given is left out, or `NONE` before what is."""
    said = [str(value).strip() if (value := given.get(option.name)) is not None else "" for option in options]
    while said and not said[-1]:
        said.pop()
    return " ".join([f"/{name}", *(each or NONE for each in said)])
