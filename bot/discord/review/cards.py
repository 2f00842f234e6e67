"""A proposal as a card: what somebody needs in order to decide, in the order of the console. Pure.

Everything is cut to what Discord takes. What strangers wrote stands there as they wrote it, quoted, and forms nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import discord

from bot.discord.review.points import Act
from bot.discord.text import (
    address,
    at_words,
    clean,
    fenced,
    listed,
    named,
    one_line,
    person,
    quoted,
    size,
)
from policies.decision import Finding
from policies.merge import to_look_at
from selfedit.answers import telling
from selfedit.answers.telling import SHORT, Changed
from selfedit.types import STANDING, Check, GateReport, Proposal, Stage, StageTime
from selfedit.words import describe

MOST = 6000
"""Characters of an embed with everything in it; what each part may take adds up to less."""
_MOST_STAGES = 9
_LONGEST_STEP = 600
"""Seconds between two stages beyond which the times themselves tell more."""
_LONGEST_PATH = 60

COLOURS: dict[Stage, int] = {
    **dict.fromkeys((Stage.REQUESTED, Stage.DRAFTED, Stage.GATED), 0x9AA0A6),
    Stage.OPENED: 0x5865F2,
    **dict.fromkeys((Stage.APPROVED, Stage.MERGED), 0x1ABC9C),
    **dict.fromkeys((Stage.LIVE, Stage.KEPT), 0x2ECC71),
    **dict.fromkeys((Stage.REFUSED, Stage.FAILED), 0xED4245),
    **dict.fromkeys((Stage.REJECTED, Stage.REVERTED), 0xE67E22),
    Stage.SPLIT: 0x9AA0A6,
}
MARKS: dict[Stage, str] = {
    **dict.fromkeys((Stage.REQUESTED, Stage.DRAFTED, Stage.GATED), "⏳"),
    Stage.OPENED: "👀",
    **dict.fromkeys((Stage.APPROVED, Stage.MERGED), "🔀"),
    Stage.LIVE: "🌱",
    Stage.KEPT: "✅",
    **dict.fromkeys((Stage.REFUSED, Stage.FAILED), "⛔"),
    Stage.REJECTED: "✖️",
    Stage.REVERTED: "↩️",
    Stage.SPLIT: "🧩",
}
NEWS = (Stage.OPENED, Stage.LIVE, Stage.REJECTED, Stage.REVERTED)
"""What is told where news go."""
_MEANS = {
    Stage.REQUESTED: "asked for, and being drafted",
    Stage.DRAFTED: "drafted, and being judged",
    Stage.GATED: "judged",
    Stage.OPENED: "open for review",
    Stage.APPROVED: "approved, and being merged",
    Stage.MERGED: "merged, and about to come to life",
    Stage.LIVE: "live, and watched",
    Stage.KEPT: "kept",
    Stage.REFUSED: "refused by the gate",
    Stage.FAILED: "failed",
    Stage.REJECTED: "turned down",
    Stage.REVERTED: "taken back",
    Stage.SPLIT: "split into smaller ones",
}


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody used a button, or a command in its place."""

    act: Act
    who: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Button:
    """A button on a card."""

    act: Act
    label: str
    style: discord.ButtonStyle
    enabled: bool


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of a proposal beside itself.

    Attributes:
        changed: Lines added and removed, a file each.
        presses: Who turned it down or took it back on Discord, and when.
        doing: What is being done with it at this moment.
        thread: The thread in which it is asked about; 0 while there is none.
    """

    changed: Sequence[Changed] = ()
    presses: Sequence[Press] = ()
    doing: str = ""
    thread: int = 0


@dataclass(frozen=True, slots=True)
class _Fields:
    """The parts of a card, none of them empty."""

    embed: discord.Embed

    def add(self, name: str, value: str, *, inline: bool = False) -> None:
        if value:
            self.embed.add_field(name=name, value=value, inline=inline)


def card(one: Proposal, around: Around) -> discord.Embed:
    """A proposal as it stands."""
    title = one_line(one.title, 200) or "(not drafted yet)"
    embed = discord.Embed(title=f"Proposal {one.number}: {title}", colour=COLOURS[one.stage])
    said = []
    if one.goal:
        said += ["**Goal**", quoted(one.goal, 360, most=5)]
    if one.reason:
        said += ["**Why**", named(quoted(one.reason, 480, most=8))]
    embed.description = "\n".join(said) or None
    parts = _Fields(embed)
    parts.add("Stage", _stage(one, around))
    parts.add("Part", telling.part(one))
    parts.add("Asked for by", person(telling.known_as(one, one.requested_by)), inline=True)
    parts.add("Approved by", _whole(telling.approved_by(one, person), 200), inline=True)
    parts.add("Commits", _commits(one), inline=True)
    by_hand = one.author == "person"
    parts.add("Drafted by", "written by hand" if by_hand else one_line(telling.drafted_by(one), 150))
    parts.add(_means(one).capitalize(), _ending(one, around))
    parts.add("Being taken back", _leaving(one))
    if one.stage is Stage.OPENED:
        parts.add("Risk", telling.risk(one, around.changed))
    if one.parts:
        parts.add("Parts", listed([named(one_line(each, 160)) for each in telling.parts(one)], 480))
    else:
        edits = [f"- {one_line(describe(each), 160)}" for each in one.edits]
        parts.add(f"Edits ({len(edits)})", listed(edits, 480))
    parts.add(*_files(around.changed))
    parts.add("On the way", listed([f"- {named(one_line(note, 120))}" for note in one.notes], 240))
    two = _two(one)
    if one.report is not None:
        parts.add(f"Gate: {one.report.verdict} in {one.report.seconds:.1f} s", _gate(one.report))
        looked_at = to_look_at(one.report.findings) if two else ()
        parts.add("Findings", findings([each for each in one.report.findings if each not in looked_at], 480))
    parts.add("Takes two approvals", two)
    return embed


def buttons(one: Proposal) -> tuple[Button, ...]:
    """What can be done with it now; the rest stands there grey."""
    style = discord.ButtonStyle
    there = bool(one.head)
    opened = one.stage is Stage.OPENED
    standing = one.stage in STANDING
    several = opened and len(one.approvals) + one.approvals_missing > 1
    approve = _which(one) if several else "Approve"
    return (
        Button(Act.DIFF, "Diff", style.secondary, there),
        Button(Act.APPROVE, approve, style.success if opened else style.secondary, opened),
        Button(Act.REJECT, "Reject", style.danger if opened else style.secondary, opened),
        Button(Act.ASK, "Ask", style.primary if there else style.secondary, there),
        Button(Act.ROLLBACK, "Roll back", style.danger if standing else style.secondary, standing),
    )


def links(one: Proposal) -> tuple[tuple[str, str], ...]:
    """Where else it can be seen: the label of each, and its address."""
    every = [("On GitHub", one.url)]
    if telling.taking_back(one):
        every.append(("Its way back", one.revert_url))
    return tuple((label, there) for label, url in every if (there := address(url)))


def asked_for(goal: str, by: str, edits: int = 0) -> discord.Embed:
    """The card of what has no number yet."""
    embed = discord.Embed(title="A change is asked for", colour=COLOURS[Stage.REQUESTED])
    by_hand = f"Edits by hand ({edits})" if edits else "Whatever maintenance finds."
    embed.description = quoted(goal, 600) or by_hand
    embed.add_field(name="Asked for by", value=person(by), inline=True)
    return embed


def findings(found: Sequence[Finding], limit: int) -> str:
    """Findings as a list: place, message, rule."""
    return listed([f"- {one_line(telling.finding(each), 220)}" for each in found], limit)


def short(one: Proposal, link: str = "") -> str:
    """A proposal in a list, in two lines; in a third one for what it waits."""
    title = one_line(one.title or one.goal or one.why.split("\n")[0] or "(not drafted yet)", 80)
    named = f"[{one.number}]({link})" if link else f"{one.number}"
    when = f", {stamp(one.history[-1].at, 'R')}" if one.history else ""
    by = person(telling.known_as(one, one.requested_by))
    row = f"; {telling.part(one)}" if one.part else ""
    elsewhere = f"; {pull}" if (pull := _pull(one)) else ""
    waits = f"\n-# {_waits(one)}" if telling.held_up(one) else ""
    return (
        f"{MARKS[one.stage]} **{named}** {title}\n-# {one.stage.value}{when}; by {by}{row}{elsewhere}{waits}"
    )


def news_line(one: Proposal, link: str = "") -> str:
    """That a proposal came to a stage, in a line; an open one with the approvals that it waits for."""
    title = one_line(one.title or one.goal or "", 120)
    named_ = f"[Proposal {one.number}]({link})" if link else f"Proposal {one.number}"
    missing = one.approvals_missing
    waits = f"; waits for {'an approval' if missing == 1 else f'{missing} approvals'}"
    return (
        f"{MARKS[one.stage]} {named_} is {_means(one)}: {title}{waits if one.stage is Stage.OPENED else ''}"
    )


def stamp(at: datetime, style: str) -> str:
    """A moment, which everybody reads in the time of where they are."""
    return f"<t:{int(at.timestamp())}:{style}>"


def length(embed: discord.Embed) -> int:
    """How long Discord finds an embed."""
    texts = [embed.title or "", embed.description or "", embed.footer.text or "", embed.author.name or ""]
    return sum(map(size, texts)) + sum(size(f"{each.name}{each.value}") for each in embed.fields)


def _stage(one: Proposal, around: Around) -> str:
    lines = [f"{MARKS[one.stage]} **{_means(one)}**"]
    if around.doing and not telling.waiting(one):  # for what it waits stands below
        lines[0] += f": {one_line(around.doing, 120)}"
    every = [
        step for before, step in zip((None, *one.history), one.history, strict=False) if _new(before, step)
    ]
    passed = every[-_MOST_STAGES:]
    if passed:
        steps = [
            f"{step.stage.value} {stamp(step.at, 'T')}{_took(passed, at)}" for at, step in enumerate(passed)
        ]
        lines.append(("… " if len(every) > len(passed) else "") + " → ".join(steps))
    return "\n".join(lines)


def _new(before: StageTime | None, step: StageTime) -> bool:
    """Whether a stage is another than the one before; a first approval leaves a proposal where it is."""
    return before is None or before.stage is not step.stage


def _took(passed: Sequence[StageTime], at: int) -> str:
    """How long it took to come to a stage, where that is soon enough to be of interest."""
    seconds = (passed[at].at - passed[at - 1].at).total_seconds() if at else 0.0
    return f" (+{seconds:.0f} s)" if 1 <= seconds < _LONGEST_STEP else ""


def _commits(one: Proposal) -> str:
    lines = [f"{name} `{commit[:SHORT]}`" for name, commit in telling.commits(one)]
    if one.branch and one.stage is Stage.OPENED:
        lines.append(f"-# {one_line(one.branch, 70)}")
    if pull := _pull(one):
        lines.append(pull)
    return "\n".join(lines)


def _files(changed: Sequence[Changed]) -> tuple[str, str]:
    if not changed:
        return "Files", ""
    added, removed = sum(each.added for each in changed), sum(each.removed for each in changed)
    plus = max(len(f"+{each.added}") for each in changed)
    minus = max(len(f"-{each.removed}") for each in changed)
    lines = [
        f"{f'+{each.added}':>{plus}} {f'-{each.removed}':>{minus}}  {_path(each.path)}" for each in changed
    ]
    return f"Files ({len(changed)}): +{added} -{removed}", fenced(lines, 480)


def _path(path: str) -> str:
    """A path of which the end is seen, where it is long."""
    path = " ".join(clean(path).split())
    return path if len(path) <= _LONGEST_PATH else f"…{path[1 - _LONGEST_PATH :]}"


def _gate(report: GateReport) -> str:
    where = one_line(telling.judged_where(report), 160)
    if not report.checks:
        return where
    name = min(12, max(len(check.name) for check in report.checks))
    lines = [
        f"{_mark(check)} {check.name[:name]:<{name}} {check.seconds:>5.1f} s "
        f"{at_words(' '.join(clean(check.summary).split()), 42)}".rstrip()
        for check in report.checks
    ]
    return f"{where}\n{fenced(lines, 680)}"


def _mark(check: Check) -> str:
    """Passed, passed with something that should be read, or not passed."""
    if not check.passed:
        return "✗"
    return "!" if check.findings else "✓"


def _two(one: Proposal) -> str:
    said = telling.awaited(one, person)
    if not said:
        return ""
    found = to_look_at(one.report.findings if one.report else ())
    return f"{said[:260]}\n{findings(found, 300)}"


def _means(one: Proposal) -> str:
    """What its stage means; an approval may have to wait for what is asked for elsewhere."""
    return "approved, and waiting" if telling.waiting(one) else _MEANS[one.stage]


def _waits(one: Proposal) -> str:
    """For what it waits, with people by name."""
    return named(one_line(telling.held_up(one), 160))


def _pull(one: Proposal) -> str:
    """The pull request, as a link where that can be one; empty where there is none."""
    there = address(one.url)
    return f"[{telling.pull(one)}]({there})" if one.pull and there else telling.pull(one)


def _leaving(one: Proposal) -> str:
    """That it is out of service, and that `main` follows."""
    return "What ran before it serves already; main follows." if telling.taking_back(one) else ""


def _which(one: Proposal) -> str:
    """Which of the approvals this would be."""
    return f"Approve ({len(one.approvals) + 1} of {len(one.approvals) + one.approvals_missing})"


def _ending(one: Proposal, around: Around) -> str:
    """By whom and why it ended, or was taken back."""
    ended = {Stage.REJECTED: Act.REJECT, Stage.REVERTED: Act.ROLLBACK}.get(one.stage)
    by = [f"by <@{each.who}> {stamp(each.at, 'R')}" for each in around.presses if each.act is ended][-1:]
    said = named(quoted(telling.ending(one), 280, most=5))
    return "\n".join([*by, *([said] if said else [])])


def _whole(text: str, limit: int) -> str:
    """Names, cut between two of them."""
    return text if size(text) <= limit else f"{text[: text.rfind(' and ', 0, limit)]} and others"
