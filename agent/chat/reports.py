"""What people are told of one tool, of what was spent and used, and of what was said, in plain text."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agent.calling.toolbox import Tool
from agent.chat.turn import ANSWER_TOKENS
from agent.records.exchanges import Kept
from agent.records.usage import Row, Usage, Used
from agent.types import Prices
from agent.types import Usage as Tokens
from policies.limits import Spent
from policies.load import Level, Quota

LONGEST_LINE = 300
"""Characters of a question, an answer or a result in a history."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the next question in a place may come to.

    Attributes:
        tokens: What is sent with it: the window of the conversation and the tools, rather too many.
        model: The one that is asked first, by name; empty where it is not known.
        prices: Its prices; zeros where they are not known.
        most: US dollars that one whole answer may cost, its tools and agents included.
    """

    tokens: int
    model: str
    prices: Prices
    most: float


def tool(one: Tool, used: Used, since: float, least: Level, mine: tuple[int, int]) -> str:
    """All that is known of one tool.

    Args:
        one: The tool.
        used: How it has been used.
        since: When it was offered first, in seconds since the epoch; 0 where nobody knows.
        least: How far somebody has to be trusted for it, by the tool and by the rules.
        mine: How often the asker had it run today, and how often that may be.
    """
    manifest = one.manifest
    stricter = (
        "" if least == manifest.permission else f" (it says {manifest.permission}; the rules ask for more)"
    )
    rows = {
        "takes": "nothing" if not one.signature.names else "",
        **{f"  {name}": _parameter(name, one) for name in one.signature.names},
        "examples": "; ".join(manifest.examples) or "none",
        "uses": ", ".join(manifest.uses) or "nothing outside of itself",
        "changes things": "yes, so it may ask for a person" if manifest.writes else "no",
        "for": f"{least}{stricter}",
        "time limit": f"{manifest.seconds:g} s",
        "answers kept": f"{manifest.cache_seconds:g} s" if manifest.cache_seconds else "no",
        "reckoned with": f"${manifest.cost:.4f} a call",
        "your calls today": f"{mine[0]} of {mine[1]}",
        "version": manifest.version,
        "registered": f"since {_day(since)}" if since else "just now",
        "also called": ", ".join(manifest.aliases) or "-",
        "file": one.path,
        "used": _used(used),
    }
    width = max(map(len, rows)) + 2
    lines = [f"  {name.ljust(width)}{value}".rstrip() for name, value in rows.items()]
    return "\n".join([f"{one.name}: {one.signature.description}", *lines])


def cost(budgets: Sequence[tuple[str, Spent, Quota]], next_one: Estimate, last: Kept | None) -> str:
    """What was spent today, what the next question may come to at most, and what the last one did."""
    lines = [
        f"  {name}: {spent.tokens:,} of {quota.tokens:,} tokens, ${spent.dollars:.4f} of ${quota.dollars:.2f}"
        for name, spent, quota in budgets
    ]
    at_once = next_one.prices.cost(Tokens(input=next_one.tokens, output=ANSWER_TOKENS))
    by = f" with {next_one.model}" if next_one.model and next_one.prices.known else ""
    before = (
        f"The next question here, if it is a short one, sends about {next_one.tokens:,} tokens: at most ${at_once:.4f}{by} "
        f"if it is answered at once, and never more than ${next_one.most:.2f}, whatever tools it uses."
    )
    rows = ["Spent today (UTC), what is under way included:", *lines, before]
    if last is not None:
        rows.append(
            f"Your last one here came to {last.tokens:,} tokens and ${last.dollars:.4f} ({last.model or 'no model'})."
        )
    return "\n".join(rows)


def usage(days: int, used: Usage) -> str:
    """Who and what was used in the last days."""
    if not (used.people or used.tools):
        return f"Nothing was used in the last {days} days."
    rows = [f"Used in the last {days} days, people and models by answered questions, tools by calls:"]
    for title, listed in (("people", used.people), ("models", used.models), ("tools", used.tools)):
        rows += [f" {title}", *(_spent(row) for row in listed)] if listed else []
    if used.outcomes:
        rows.append(f" outcomes: {', '.join(f'{name} {number}' for name, number in used.outcomes)}")
    if used.failures:
        failed = ", ".join(f"{name} {error} {number}" for name, error, number in used.failures)
        rows.append(f" failures: {failed}")
    return "\n".join(rows)


def history(kept: Sequence[Kept], cached: Sequence[Collection[str]], reader: str = "") -> str:
    """What was said in a place, with the calls of tools, in the order in which it happened.

    Args:
        kept: The exchanges, oldest first, with all their parts.
        cached: For each, the ids of calls whose answer was given again.
        reader: Who reads it, and is told of as "you".
    """
    if not kept:
        return "Nothing has been said here that is kept."
    rows = []
    for one, again in zip(kept, cached, strict=True):
        rows.append(f"{_moment(one.at)}  {'you' if one.caller == reader else one.caller}")
        for part in one.parts:
            if part.role == "user":
                rows.append(f"  asked: {_line(part.text)}")
            if part.role == "assistant":
                rows += [f"  called: {call.name}({_line(call.arguments)})" for call in part.calls]
            if part.role == "tool":
                marked = " (cached)" if part.call_id in again else ""
                rows.append(f"  result{marked}: {_line(part.text)}")
        if not one.parts:
            rows.append(f"  asked: {_line(one.question)}")
        # As it was shown: what a model said and people were not to see is nowhere.
        rows.append(f"  answered: {_line(one.answer)}")
        rows.append(f"  {one.model}, {one.tokens:,} tokens, ${one.dollars:.4f}, {one.seconds:.1f} s")
    return "\n".join(rows)


def calls(rows: Sequence[dict[str, Any]]) -> str:
    """Calls of tools with every stage they went through, newest first."""
    if not rows:
        return "No tool has been called yet."
    lines = ["Calls of tools, newest first, with each stage:"]
    for row in rows:
        error = f" {row['error']}" if row["error"] else ""
        by = f" by {row['model']}" if row["model"] else ""
        lines.append(f"  {_moment(row['at'])}  {row['tool']}  {row['outcome']}{error}  {row['caller']}{by}")
        lines.append(f"    {row['stages']}")
        lines.append(f"    {_line(row['arguments'])}{'  ' + _line(row['note']) if row['note'] else ''}")
    return "\n".join(lines)


def forgotten(number: int, *, everybody: bool) -> str:
    """What became of a wish to forget."""
    whose = "what was said here" if everybody else "what you said here, with its answers"
    if not number:
        return f"There was nothing to forget of {whose}."
    rest = "" if everybody else " What others said here stays, also where it repeats you."
    much = "one question" if number == 1 else f"{number} questions"
    return (
        f"Forgotten: {whose}, {much} with answers and all that tools were given and found.{rest} Who asked and who used which "
        "tool when, and what was spent, stays on record without its words."
    )


def _parameter(name: str, one: Tool) -> str:
    about: dict[str, Any] = one.signature.parameters["properties"].get(name, {})
    bounds = {"minimum": "at least", "maximum": "at most", "maxLength": "characters up to"}
    said = [about.get("type") or ("one of several" if "enum" not in about else "")]
    said += [f"one of {', '.join(map(str, about['enum']))}"] if "enum" in about else []
    said += [f"{words} {about[key]:,}" for key, words in bounds.items() if key in about]
    said += [f"otherwise {about['default']!r}"] if "default" in about else []
    said += [] if name in one.signature.parameters["required"] else ["may be left out"]
    told = f"; {about['description']}" if about.get("description") else ""
    return ", ".join(part for part in said if part) + told


def _used(used: Used) -> str:
    if not used.calls:
        return "never"
    often = "once" if used.calls == 1 else f"{used.calls} times"
    return f"{often}, {used.good} of them well, last {_moment(used.last)} UTC, ${used.dollars:.4f} in all"


def _spent(row: Row) -> str:
    well = f"{row.good} well ({row.good / row.times:.0%})" if row.tokens == 0 else f"{row.tokens:,} tokens"
    each = row.seconds / row.times
    return f"  {row.name or '-'}: {row.times}, {well}, ${row.dollars:.4f}, {each:.1f} s each"


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST_LINE else f"{flat[:LONGEST_LINE]}… ({len(flat):,} characters)"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
