"""What people are told of tools and of what they spent, in plain text."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from agent.calling.toolbox import Tool
from agent.chat.turn import Turn
from agent.guardrails.outgoing import visits_stranger
from agent.ports import Offer
from agent.types import RECKONED, Routed

SMALL = "-# "
"""What stands in front of a line in small letters, where those can be shown."""
MOST_SOURCES = 10
LONGEST_SOURCE = 500
"""Characters."""
_SOURCE = re.compile(rf"[^\s<>]{{1,{LONGEST_SOURCE}}}")


def sources(turn: Turn) -> tuple[str, ...]:
    """What the tools of a turn name as their sources, each once. What would not stay on its line is none.

    Once there is text from outside, an address that only a tool's arguments named is none either: a model wrote it.
    """
    named = (each for answered in turn.calls for each in answered.sources)
    found = tuple(dict.fromkeys(each for each in named if _SOURCE.fullmatch(each)))
    if found and turn.outside:
        known = turn.known.of(turn.given)
        found = tuple(each for each in found if not visits_stranger(each, known))
    return found[:MOST_SOURCES]


def numbered(sources: Sequence[str]) -> str:
    """Sources in lines with numbers, as they stand below an answer."""
    return "\n".join(f"[{number}] <{source}>" for number, source in enumerate(sources, 1))


def footer(
    turn: Turn, seconds: float, sources: Sequence[str], shown: Literal["always", "tools", "never"]
) -> str:
    """What stands below an answer: sources, and who gave it in how long, with which tools, for how much."""
    lines = numbered(sources).split("\n") if sources else []
    if shown == "always" or (shown == "tools" and turn.calls):
        used = Counter(answered.tool for answered in turn.calls if answered.outcome != "unknown")
        names = ", ".join(name if number == 1 else f"{name} x{number}" for name, number in used.items())
        guessed = any(route.prices is not None and not route.prices.known for route in turn.routes)
        price = f"{'at most ' if guessed else ''}${turn.dollars:.4f}" if turn.dollars else ""
        parts = [turn.answered_by, f"{seconds:.1f} s", names, price]
        line = " · ".join(part for part in parts if part)
        lines.append(line if turn.marked else f"({line})")
    return "\n".join(f"{SMALL}{line}" if turn.marked else line for line in lines)


def tools(offered: Sequence[Tool]) -> str:
    """The tools that somebody may use here."""
    if not offered:
        return "There are no tools that you may use here."
    width = max(len(tool.name) for tool in offered) + 2
    lines = [f"  {tool.name.ljust(width)}{_first_sentence(tool.signature.description)}" for tool in offered]
    return "\n".join(["Tools that chat may use for you here; /tools NAME tells more:", *lines])


def models(offers: Sequence[Offer]) -> str:
    """The models that can be asked by name, the one asked first in front."""
    if not offers:
        return "There is no choice of models here."
    width = max(len(offer.name) for offer in offers) + 2
    lines = [f"  {offer.name.ljust(width)}{offer.about}" for offer in offers]
    return "\n".join(["Models, asked by name as in /chat --model NAME TEXT; the first in front:", *lines])


def guessed(newest: Sequence[Routed]) -> str:
    """Which models were paid for by a guess; empty where all prices are known."""
    names = {f"{each.vendor}/{each.model}" for each in newest if each.prices and not each.prices.known}
    if not names:
        return ""
    return (
        f"Nobody knows what {', '.join(sorted(names))} costs, so it is reckoned with ${RECKONED.input:g} in and "
        f"${RECKONED.output:g} out a million tokens; MODELS_CONFIG can say better."
    )


def routes(newest: Sequence[Routed]) -> str:
    """Which models were asked, and why."""
    if not newest:
        return "No model has been asked since the bot started."
    lines = [f"  {f'{each.vendor}/' if each.vendor else ''}{each.model}: {each.why}" for each in newest]
    return "\n".join(["Models asked, newest first:", *lines])


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".") + "."
