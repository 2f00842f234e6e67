"""What people are told of tools and of what they spent, in plain text."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from agent.chat.loop import ANSWER_TOKENS, Turn, reckoned
from agent.chat.outgoing import addresses, visits_stranger
from agent.chat.toolbox import Tool
from agent.chat.turns import Used
from agent.types import Routed
from policies.limits import Spent
from policies.load import Quota

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
        known = addresses(turn.given)
        found = tuple(each for each in found if not visits_stranger(each, known))
    return found[:MOST_SOURCES]


def numbered(sources: Sequence[str]) -> str:
    """Sources in lines with numbers, as they stand below an answer."""
    return "\n".join(f"[{number}] <{source}>" for number, source in enumerate(sources, 1))


def footer(
    turn: Turn, seconds: float, sources: Sequence[str], shown: Literal["always", "tools", "never"]
) -> str:
    """What stands below an answer: sources, and who gave it in how long, with which tools, for how much."""
    lines = [numbered(sources)] if sources else []
    if shown == "always" or (shown == "tools" and turn.calls):
        used = Counter(answered.tool for answered in turn.calls if answered.outcome != "unknown")
        names = ", ".join(name if number == 1 else f"{name} x{number}" for name, number in used.items())
        price = f"${turn.dollars:.4f}" if turn.dollars else ""
        parts = [turn.answered_by, f"{seconds:.1f} s", names, price]
        lines.append(f"({' · '.join(part for part in parts if part)})")
    return "\n".join(lines)


def tools(offered: Sequence[Tool]) -> str:
    """The tools that somebody may use here."""
    if not offered:
        return "There are no tools that you may use here."
    width = max(len(tool.name) for tool in offered) + 2
    lines = [f"  {tool.name.ljust(width)}{_first_sentence(tool.signature.description)}" for tool in offered]
    return "\n".join(["Tools that chat may use for you here; /tools NAME tells more:", *lines])


def tool(one: Tool, used: Used) -> str:
    """All that is known of one tool."""
    manifest = one.manifest
    rows = {
        "takes": ", ".join(_parameter(name, one) for name in one.signature.names) or "nothing",
        "examples": "; ".join(manifest.examples) or "none",
        "uses": ", ".join(manifest.uses) or "nothing outside of itself",
        "changes things": "yes, so it may ask for a person" if manifest.writes else "no",
        "for": manifest.permission,
        "time limit": f"{manifest.seconds:g} s",
        "answers kept": f"{manifest.cache_seconds:g} s" if manifest.cache_seconds else "no",
        "reckoned with": f"${manifest.cost:.4f} a call",
        "version": manifest.version,
        "also called": ", ".join(manifest.aliases) or "-",
        "file": one.path,
        "used": _used(used),
    }
    width = max(map(len, rows)) + 2
    lines = [f"  {name.ljust(width)}{value}" for name, value in rows.items()]
    return "\n".join([f"{one.name}: {one.signature.description}", *lines])


def cost(budgets: Sequence[tuple[str, Spent, Quota]]) -> str:
    """What was spent today, and what a question may come to at most."""
    lines = [
        f"  {name}: {spent.tokens:,} of {quota.tokens:,} tokens, ${spent.dollars:.4f} of ${quota.dollars:.2f}"
        for name, spent, quota in budgets
    ]
    most = reckoned(1000, ANSWER_TOKENS)
    about = (
        f"A short question is reckoned with ${most:.2f} before it is asked, and booked at what it cost after."
    )
    return "\n".join(["Spent today (UTC), what is under way included:", *lines, about])


def routes(newest: Sequence[Routed]) -> str:
    """Which models were asked, and why."""
    if not newest:
        return "No model has been asked since the bot started."
    lines = [f"  {f'{each.vendor}/' if each.vendor else ''}{each.model}: {each.why}" for each in newest]
    return "\n".join(["Models asked, newest first:", *lines])


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".") + "."


def _parameter(name: str, one: Tool) -> str:
    return name if name in one.signature.parameters["required"] else f"[{name}]"


def _used(used: Used) -> str:
    if not used.calls:
        return "never"
    last = datetime.fromtimestamp(used.last, UTC).strftime("%Y-%m-%d %H:%M UTC")
    often = "once" if used.calls == 1 else f"{used.calls} times"
    return f"{often}, {used.good} of them well, last {last}, ${used.dollars:.4f} in all"
