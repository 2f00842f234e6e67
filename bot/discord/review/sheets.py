"""How things stand, as embeds: the proposals in a list, what runs, and which proposals made it. Pure."""

from collections.abc import Callable, Sequence

import discord

from bot.discord.review.cards import COLOURS, short
from bot.discord.text import fenced, listed, named, one_line, person
from selfedit import protocol as say
from selfedit.answers.telling import SHORT, shielded, status_rows
from selfedit.types import Proposal, Stage

_GREEN, _YELLOW = COLOURS[Stage.KEPT], COLOURS[Stage.REJECTED]
_ELSEWHERE = frozenset({"state in", "processes"})
"""What only helps on the machine itself."""


def proposals(several: Sequence[Proposal], link: Callable[[int], str]) -> discord.Embed:
    """One entry a proposal, newest first.

    Args:
        several: The proposals.
        link: Where the card of one is; empty where it has none.
    """
    embed = discord.Embed(title="Proposals", colour=COLOURS[Stage.OPENED])
    lines = [short(one, link(one.number)) for one in several]
    embed.description = listed(lines, 3900) or "There are none yet; /improve asks for one."
    return embed


def status(now: say.StatusIs, met: str = "") -> discord.Embed:
    """What runs, what shields the host, whether code may be changed, and what Discord answered to requests."""
    rows = [row for row in status_rows(now) if row.name not in _ELSEWHERE]
    minding = any(row.mind for row in rows if row.name)
    embed = discord.Embed(title="How things stand", colour=_YELLOW if minding else _GREEN)
    for row in rows:
        if row.name:
            mark = "⚠️ " if row.mind else ""
            embed.add_field(
                name=row.name.capitalize(),
                value=f"{mark}{named(one_line(row.text, 300))}" or "-",
                inline=row.name in ("running", "self-editing", "open proposals") and not row.mind,
            )
    if met:
        embed.add_field(name="Discord", value=one_line(met, 300), inline=False)
    if now.protections:
        held, _, lacking = shielded(now).partition("; not: ")
        below = f"\n-# not held: {one_line(lacking, 600)}" if lacking else ""
        embed.add_field(name="Protections", value=f"{held}{below}", inline=False)
    return embed


def why(traced: say.WhyIs, routes: str) -> discord.Embed:
    """Which definitions of the running code came by which proposal, and which models were asked."""
    embed = discord.Embed(title="Why it runs as it does", colour=_GREEN)
    running = f"Running `{traced.running[:SHORT] or 'nothing'}`"
    lines = [
        f"- {one_line(f'{one.path} {one.name}', 150)}: "
        + (f"proposal **{one.proposal}**{f' (#{one.pull})' if one.pull else ''}, " if one.proposal else "")
        + f"`{one.commit[:SHORT]}` {one_line(one.title, 90)}"
        for one in traced.traced
    ]
    said = listed(lines, 2400)
    embed.description = (
        f"{running}; changed by proposals:\n{said}" if said else f"{running}: no proposal has changed it."
    )
    if routes:
        embed.add_field(name="Models asked lately", value=fenced(routes.split("\n"), 1000), inline=False)
    return embed


def done(by: str, *, halted: bool) -> discord.Embed:
    """Somebody halted self-editing, or allowed it again."""
    title = "Self-editing is halted" if halted else "Self-editing is allowed again"
    embed = discord.Embed(title=title, colour=_YELLOW if halted else _GREEN)
    embed.description = (
        "Answers under way were stopped; new questions are answered. Changes wait for /resume."
        if halted
        else "Changes can be asked for again."
    )
    embed.add_field(name="By", value=person(by))
    return embed
