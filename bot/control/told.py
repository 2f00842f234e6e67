"""What the bot itself answers without asking the steward: about tools, costs, and what was said."""

from dataclasses import dataclass

from bot.control.options import Option


@dataclass(frozen=True, slots=True)
class Told:
    """A command that the bot answers by itself.

    Attributes:
        summary: What it is for.
        options: What it takes.
        usage: How it is typed where its options do not say that.
    """

    summary: str
    options: tuple[Option, ...] = ()
    usage: str = ""


TOLD_COMMANDS: dict[str, Told] = {
    "tools": Told(
        "what chat can do for you beside talking; all about one tool",
        (Option("name", "the tool of which to tell all", suggests="tools", shown="NAME"),),
    ),
    "tool": Told(
        "make a tool of data, or list, show, try, share, remove one; template",
        (Option("what", "create {...}, list, show NAME, try NAME, share NAME, remove NAME, or template"),),
        "tool create {...}",
    ),
    "cost": Told("what language models have cost today, and what the next question may"),
    "history": Told(
        "what was said here lately, with the calls of tools",
        (Option("number", "how many questions to go back", "number", shown="N"),),
    ),
    "forget": Told(
        "let go of what you said here",
        (
            Option(
                "whose", "all: of what everybody said here, for maintainers", choices=("all",), shown="all"
            ),
        ),
    ),
    "usage": Told(
        "for maintainers: who and what was used, how often and how well",
        (Option("days", "how many days to look back", "number", shown="DAYS"),),
    ),
    "calls": Told(
        "for maintainers: the newest calls of tools with all their stages",
        (Option("number", "how many calls to show", "number", shown="N"),),
    ),
    "models": Told("which language models can be asked, and what they cost"),
}
"""By name, as help shows them."""
