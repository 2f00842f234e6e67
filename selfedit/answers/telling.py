"""What people are told of a proposal and of how things stand, in words: the same at a console and on a chat service.

The texts hold what strangers wrote, as it is; whoever shows them makes it harmless for the place where it is shown.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from policies.decision import Finding, Severity
from policies.merge import to_look_at
from sandbox.types import Protection
from selfedit import protocol as say
from selfedit.types import STANDING, UNDER_REVIEW, FileDiff, GateReport, Proposal, Stage
from selfedit.words import own_word

SHORT = 12
"""Digits of a commit's hash that people are shown."""

_SERVICES = {"github": "GitHub"}
"""What services are called of which people are known by name."""
_SILENT = frozenset({"add_test", "set_docstring"})
"""Edits after which the same code runs."""


@dataclass(frozen=True, slots=True)
class Changed:
    """How much of one file a change touches, in lines."""

    path: str
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class Row:
    """One line on how things stand; `mind` says that somebody should look at it."""

    name: str
    text: str
    mind: bool = False


def counted(files: Sequence[FileDiff]) -> tuple[Changed, ...]:
    """A change as lines added and removed, a file each."""
    return tuple(_counted(file) for file in files)


def drafted_by(one: Proposal) -> str:
    """Who drafted, with the model and what it cost; empty before there is a draft."""
    if not one.author:
        return ""
    spent = f", {one.tokens:,} tokens" if one.tokens else ""
    cost = f", ${one.cost:.4f}" if one.cost else ""
    author = "hand" if one.author == "person" else one.author
    return f"{author}{f' ({one.model}{spent}{cost})' if one.model else ''}"


def known_as(one: Proposal, by: str) -> str:
    """Somebody of another service by what they are called there, which they chose themselves; others by their id."""
    login = dict(one.names).get(by)
    surface = by.partition(":")[0]
    return f"{login} on {_SERVICES.get(surface, surface)}" if login else by


def approved_by(one: Proposal, called: Callable[[str], str] = str) -> str:
    """Who approved the head, as `called` names people; empty while nobody did."""
    return " and ".join(f"{called(known_as(one, by))}{own_word(one, by)}" for by in one.approvals)


def pull(one: Proposal) -> str:
    """The pull request by its number; empty where it has none."""
    return f"pull request #{one.pull}" if one.pull else ""


def taking_back(one: Proposal) -> str:
    """That a proposal is out of service already, and for what `main` waits; empty where that is not so."""
    if not one.revert_url or one.stage not in STANDING:
        return ""
    return (
        f"What ran before it serves already; main follows when what takes it back is merged: {one.revert_url}"
    )


def waiting(one: Proposal) -> str:
    """For what an approved proposal waits; empty where it does not, or nobody knows."""
    return one.why if one.stage is Stage.APPROVED else ""


def held_up(one: Proposal) -> str:
    """What somebody has to do or wait for before what is under review can be merged, in a line; empty where nothing is known."""
    return one.why.split("\n")[0] if one.stage in UNDER_REVIEW else ""


def part(one: Proposal) -> str:
    """Which part of a larger goal it is; empty where it is none."""
    return f"part {one.part.number} of {one.part.count} of proposal {one.part.of}" if one.part else ""


def parts(one: Proposal) -> tuple[str, ...]:
    """The smaller goals that it was split into, a line each, with their proposals as far as there are some."""
    numbers = [f" (proposal {number})" for number in one.begun] + [""] * len(one.parts)
    return tuple(f"{at}. {goal}{numbers[at - 1]}" for at, goal in enumerate(one.parts, 1))


def commits(one: Proposal) -> tuple[tuple[str, str], ...]:
    """The commits that a proposal has, by what they are."""
    every = (("head", one.head), ("merge", one.merge), ("revert", one.revert))
    return tuple((name, commit) for name, commit in every if commit)


def awaited(one: Proposal, called: Callable[[str], str] = str) -> str:
    """That an open proposal takes two approvals, and which it has; empty where one is enough."""
    if one.stage is not Stage.OPENED or not to_look_at(one.report.findings if one.report else ()):
        return ""
    names = ", ".join(called(known_as(one, by)) for by in one.approvals)
    there = f"it has one, by {names}" if names else "it has none yet"
    return f"This takes two approvals, because a person has to look at what the gate names here; {there}."


def ending(one: Proposal) -> str:
    """Why it ended as it did, without what stands among the findings already; empty where nobody gave a reason."""
    if one.stage is Stage.REVERTED and one.why.endswith(say.NO_REASON):
        return ""
    found = one.report.findings if one.report else ()
    rest = [line for line in one.why.split("\n") if not any(finding.message in line for finding in found)]
    return "\n".join(rest)


def finding(one: Finding) -> str:
    """A finding in a line: place, how much it weighs where it does not refuse, message, rule."""
    weight = "" if one.severity is Severity.REFUSE else f"{one.severity.value}: "
    return f"{one.place}{weight}{one.message} [{one.rule}]"


def judged_where(report: GateReport) -> str:
    """Where the gate judged."""
    if report.sandbox is None:
        return "no sandbox was started"
    reduced = ", reduced protection" if report.sandbox.reduced else ""
    return f"in {report.sandbox.backend}{reduced}, image {report.sandbox.image[:19]}"


def risk(one: Proposal, changed: Sequence[Changed]) -> str:
    """How much there is to lose, in a sentence: from what the gate said and what the edits are, not from a model."""
    report = one.report
    if report is None:
        return "Nobody can say yet: the gate has not judged it."
    if report.verdict != "passed":
        return "None: the gate did not let it through, so it cannot come to life."
    lines = sum(each.added + each.removed for each in changed)
    size = f" ({lines} {'line' if lines == 1 else 'lines'})" if changed else ""
    reduced = "; it was judged with reduced protection" if report.sandbox and report.sandbox.reduced else ""
    if found := to_look_at(report.findings):
        points = "a point" if len(found) == 1 else f"{len(found)} points"
        return f"Raised: the gate names {points} that it cannot judge alone{size}{reduced}."
    if one.edits and all(edit.op in _SILENT for edit in one.edits):
        return f"Low: tests and words change, and the code that runs stays as it is{size}{reduced}."
    warned = any(finding.severity is not Severity.REFUSE for finding in report.findings)
    noted = " with notes" if warned else ""
    return f"Ordinary: it passed every check{noted}, and is taken back by itself if it fails while watched{size}{reduced}."


def status_rows(now: say.StatusIs) -> tuple[Row, ...]:
    """How things stand, with what the sandbox shields."""
    running = now.running[:SHORT] or "no live code is loaded"
    if now.running and now.running != now.main:
        running += f" (main is {now.main[:SHORT] or 'missing'})"
    watched = (
        "kept" if now.provisional_seconds is None else f"watched for {now.provisional_seconds:.0f} s more"
    )
    editing = f"halted by {now.halted}" if now.halted else now.problem or "allowed"
    rows = [
        Row("running", f"{running}, {watched}" if now.running else running),
        Row("self-editing", editing, mind=bool(now.halted or now.problem)),
        Row("open proposals", str(now.open)),
        *([Row("pull requests", now.forge)] if now.forge else []),
        Row("sandbox", now.sandbox),
    ]
    for protection in now.protections:
        mark = "holds" if protection.held else "does not hold"
        rows.append(Row("", f"{mark}: {_protection(protection)}", mind=not protection.held))
    if (beat := now.heartbeat) is not None:
        served = f"{beat.requests} answered, {beat.errors} failed, p95 {beat.p95_ms:.0f} ms"
        rows.append(
            Row(
                "requests since the last change",
                f"{served}; longest pause {beat.lag_ms:.0f} ms; {beat.memory_mb:.0f} MB",
            )
        )
    processes = f"steward {now.steward_pid}, bot {now.bot_pid}, bot restarted {now.restarts} times"
    return (*rows, Row("processes", processes), Row("state in", now.home))


def shielded(now: say.StatusIs) -> str:
    """How many of the protections hold, and which do not."""
    lacking = [_protection(one) for one in now.protections if not one.held]
    held = f"{len(now.protections) - len(lacking)} of {len(now.protections)} hold"
    return f"{held}; not: {', '.join(lacking)}" if lacking else held


def _protection(one: Protection) -> str:
    return f"{one.name} ({one.detail})" if one.detail else one.name


def _counted(file: FileDiff) -> Changed:
    """Only what stands in a hunk counts: a file's heading begins with the same signs."""
    added = removed = 0
    inside = False
    for line in file.text.split("\n"):
        if line.startswith("@@"):
            inside = True
        elif line.startswith("diff "):
            inside = False
        elif inside:
            added += line.startswith("+")
            removed += line.startswith("-")
    return Changed(file.path, added, removed)
