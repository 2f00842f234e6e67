"""How answers look to people: rich renderables, the same at a terminal and in a pipe.

Nothing is drawn with boxes, nothing is cut, and no character of outside text can steer a terminal.
"""

import io
import sys
from collections.abc import Sequence
from typing import IO

from pydantic import BaseModel
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from policies.decision import Finding, Severity
from policies.merge import to_look_at
from selfedit import protocol as say
from selfedit.types import FileDiff, GateReport, Proposal, Stage, Traced
from selfedit.words import describe, own_word

PIPE_WIDTH = 200
"""Columns of output that nobody looks at as a screen."""
SHORT = 12
"""Digits of a commit's hash that people are shown."""

_STYLES = {
    "passed": "green",
    "refused": "red",
    "failed": "red",
    "unknown": "yellow",
    Stage.OPENED: "cyan",
    Stage.LIVE: "green",
    Stage.KEPT: "green",
    Stage.REJECTED: "yellow",
    Stage.REVERTED: "yellow",
    Severity.REFUSE: "red",
    Severity.REVIEW: "yellow",
}
_ZERO_WIDTH_JOINER = "\u200d"


def shown(text: str) -> str:
    """Text with every character that people cannot see, or that steers a terminal, written out."""
    return "".join(
        char
        if char.isprintable() or char in ("\n", "\t", _ZERO_WIDTH_JOINER)
        else char.encode("unicode_escape").decode()
        for char in text.replace("\r\n", "\n")
    )


def plain(*parts: RenderableType, width: int = PIPE_WIDTH) -> str:
    """Renderables as text without colours and without blanks at line ends."""
    console = Console(
        file=io.StringIO(), width=width, color_system=None, highlight=False, legacy_windows=False
    )
    with console.capture() as capture:
        show(console, *parts)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def show(console: Console, *parts: RenderableType) -> None:
    """Print renderables on a console of rich; a line is broken at a terminal only, and between words."""
    for part in parts:
        if isinstance(part, Group):
            show(console, *part.renderables)
        else:
            # A terminal breaks sentences at words; a diff, and what goes into a pipe, stays as it is.
            diff = isinstance(part, Text) and part.no_wrap is True
            whole = isinstance(part, Text | str) and (diff or not console.is_terminal)
            console.print(part, soft_wrap=whole, markup=False)


def write(*parts: RenderableType, file: IO[str] | None = None) -> None:
    """Print renderables: in colour to a terminal, as stable plain text to anything else."""
    out = file or sys.stdout
    if out.isatty():
        show(Console(file=out, highlight=False), *parts)
    else:
        out.write(plain(*parts) + "\n")
        out.flush()


def answer(body: BaseModel) -> RenderableType:
    """Any answer of the steward, as people see it."""
    match body:
        case say.ProposalIs(proposal=one):
            return proposal(one)
        case say.ProposalsAre(proposals=several):
            return proposals(several)
        case say.DiffIs(files=files):
            return diff(files)
        case say.StatusIs():
            return status(body)
        case say.WhyIs():
            return why(body)
        case say.Progress():
            return progress(body)
        case say.Refused(why=reason):
            return Text(shown(reason), "red")
        case say.News(text=text) | say.Done(text=text):
            return Text(shown(text))
    return Text(shown(body.model_dump_json()))


def proposal(one: Proposal) -> RenderableType:
    """All that is known of a proposal but its diff: what, why, by whom, and what the gate said."""
    head = Text.assemble((f"Proposal {one.number}: {shown(one.title) or '(not drafted)'}", "bold"))
    parts: list[RenderableType] = [head, _indented(_facts(one))]
    if one.reason:
        parts += [Text("Why", "bold"), _indented(Text(shown(one.reason)))]
    if one.edits:
        edits = Text("\n".join(f"- {shown(describe(edit))}" for edit in one.edits))
        parts += [Text("Edits", "bold"), _indented(edits)]
    if one.notes:
        notes = Text("\n".join(f"- {shown(note)}" for note in one.notes))
        parts += [Text("On the way", "bold"), _indented(notes)]
    if one.report is not None:
        parts.append(report(one.report))
    if waits := awaited(one):
        parts.append(waits)
    if one.why:
        found = one.report.findings if one.report else ()
        rest = [line for line in one.why.split("\n") if not any(finding.message in line for finding in found)]
        said = f": {shown(chr(10).join(rest))}" if rest else "."
        parts.append(Text(f"{one.stage.value.capitalize()}{said}", _STYLES.get(one.stage, "red")))
    return Group(*parts)


def brief(one: Proposal) -> Text:
    """A proposal in a line: where it stands now."""
    commit = one.revert or one.merge
    line = Text.assemble(f"Proposal {one.number} is ", (one.stage.value, _STYLES.get(one.stage, "")))
    line.append(f": {shown(one.title)}{f' ({commit[:SHORT]})' if commit else ''}")
    if one.why:
        ended = one.stage in (Stage.REJECTED, Stage.REVERTED)
        line.append(f"\n{'Reason: ' if ended else ''}{shown(one.why)}")
    waits = awaited(one) if one.approvals else None
    return line.append("\n").append_text(waits) if waits else line


def awaited(one: Proposal) -> Text | None:
    """Which approvals an open proposal still waits for where it takes two, and what there is to look at."""
    found = to_look_at(one.report.findings if one.report else ())
    if one.stage is not Stage.OPENED or not found:
        return None
    there = f"it has one, by {shown(', '.join(one.approvals))}" if one.approvals else "it has none yet"
    said = f"This takes two approvals, because a person has to look at what the gate names here; {there}."
    return Text.assemble((said, "yellow"), "\n", _indented(findings(found)))


def report(judged: GateReport) -> RenderableType:
    """What the gate found: a line a check, then every finding with its place."""
    place = "no sandbox was started"
    if judged.sandbox is not None:
        reduced = ", reduced protection" if judged.sandbox.reduced else ""
        place = f"in {judged.sandbox.backend}{reduced}, image {shown(judged.sandbox.image)[:19]}"
    title = Text.assemble(
        ("Gate: ", "bold"),
        (judged.verdict, f"bold {_STYLES.get(judged.verdict, '')}".strip()),
        f" in {judged.seconds:.1f} s, {place}",
    )
    table = _table("check", "", "seconds", "summary")
    for check in judged.checks:
        mark = Text("passed", "green") if check.passed else Text("not passed", "red")
        table.add_row(Text(shown(check.name)), mark, f"{check.seconds:.1f}", Text(shown(check.summary)))
    parts: list[RenderableType] = [title]
    if judged.checks:
        parts.append(Padding(table, (0, 0, 0, 2)))
    if judged.findings:
        parts += [Text("Findings", "bold"), _indented(findings(judged.findings))]
    return Group(*parts)


def findings(found: Sequence[Finding]) -> Text:
    """Findings as a list: place, message, rule."""
    lines = []
    for finding in found:
        weight = "" if finding.severity is Severity.REFUSE else f"{finding.severity.value}: "
        line = shown(f"- {finding.place}{weight}{finding.message} [{finding.rule}]")
        lines.append(Text(line, _STYLES.get(finding.severity, "")))
    return Text("\n").join(lines)


def diff(files: Sequence[FileDiff]) -> Text:
    """A change as unified diff; added lines green, removed ones red."""
    lines = [Text(shown(line), _diff_style(line)) for file in files for line in file.text.split("\n") if line]
    return Text("\n", no_wrap=True).join(lines) if lines else Text("no file differs")


def proposals(several: Sequence[Proposal]) -> RenderableType:
    """One line a proposal, newest first."""
    if not several:
        return Text("There are no proposals yet; /improve asks for one.")
    table = _table("", "stage", "head", "by", "title")
    for one in several:
        stage = Text(one.stage.value, _STYLES.get(one.stage, ""))
        title = Text(shown(one.title or one.goal or one.why.split("\n")[0]))
        table.add_row(str(one.number), stage, one.head[:SHORT], Text(shown(one.requested_by)), title)
    return table


def status(now: say.StatusIs) -> RenderableType:
    """How things stand, with what the sandbox shields."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    running = now.running[:SHORT] or "no live code is loaded"
    if now.running and now.running != now.main:
        running += f" (main is {now.main[:SHORT] or 'missing'})"
    watched = (
        "kept" if now.provisional_seconds is None else f"watched for {now.provisional_seconds:.0f} s more"
    )
    table.add_row("running", Text(f"{running}, {watched}" if now.running else running))
    editing = f"halted by {now.halted}" if now.halted else now.problem or "allowed"
    table.add_row("self-editing", Text(shown(editing), "yellow" if now.halted or now.problem else ""))
    table.add_row("open proposals", str(now.open))
    table.add_row("sandbox", Text(shown(now.sandbox)))
    for protection in now.protections:
        mark = "holds" if protection.held else "does not hold"
        detail = f" ({protection.detail})" if protection.detail else ""
        table.add_row(
            "", Text(shown(f"{mark}: {protection.name}{detail}"), "" if protection.held else "yellow")
        )
    if (beat := now.heartbeat) is not None:
        served = f"{beat.requests} answered, {beat.errors} failed, p95 {beat.p95_ms:.0f} ms"
        table.add_row("requests", f"{served}; longest pause {beat.lag_ms:.0f} ms; {beat.memory_mb:.0f} MB")
    table.add_row(
        "processes", f"steward {now.steward_pid}, bot {now.bot_pid}, bot restarted {now.restarts} times"
    )
    table.add_row("state in", Text(shown(now.home)))
    return table


def why(traced: say.WhyIs) -> RenderableType:
    """Which definitions of the running code came by which proposal."""
    running = traced.running[:SHORT] or "nothing"
    if not traced.traced:
        return Text(f"Running {running}: no proposal has changed it.")
    table = _table("definition", "proposal", "commit", "title")
    for one in traced.traced:
        table.add_row(
            Text(_traced_name(one)), str(one.proposal or ""), one.commit[:SHORT], Text(shown(one.title))
        )
    return Group(Text(f"Running {running}; changed by proposals:"), Padding(table, (0, 0, 0, 2)))


def progress(step: say.Progress) -> Text:
    """One stage of a proposal with its time."""
    return Text.assemble(
        (f"  {step.seconds:6.1f} s  ", "dim"), f"{step.stage.value:<9} ", shown(step.text.split("\n")[0])
    )


def next_step(one: Proposal, command: str = "/") -> str:
    """What to type next; empty where nothing is to be done. `command` is what stands before a command's name."""
    if one.stage is Stage.OPENED:
        does = "to make it live" if one.approvals_missing <= 1 else "is the first of two approvals"
        if one.approvals:
            does = "by another maintainer (at the console: once more) to make it live"
        return f"Next: {command}approve {one.number} {does}, or {command}reject {one.number} [why]."
    if one.stage in (Stage.LIVE, Stage.MERGED):
        return f"It is watched now; {command}rollback takes it back, {command}why shows what it changed."
    return ""


def _facts(one: Proposal) -> Text:
    style = _STYLES.get(one.stage, "")
    facts = [
        Text.assemble("stage ", (one.stage.value, style)),
        Text(f"asked for by {shown(one.requested_by)}"),
    ]
    if one.author:
        spent = f", {one.tokens:,} tokens" if one.tokens else ""
        cost = f", ${one.cost:.4f}" if one.cost else ""
        model = f" ({shown(one.model)}{spent}{cost})" if one.model else ""
        facts.append(Text(f"drafted by {one.author}{model}"))
    if one.approvals:
        names = " and ".join(f"{shown(by)}{own_word(one, by)}" for by in one.approvals)
        facts.append(Text(f"approved by {names}"))
    commits = (("head", one.head), ("merge", one.merge), ("revert", one.revert))
    facts += [Text(f"{name} {commit[:SHORT]}") for name, commit in commits if commit]
    return Text("; ").join(facts)


def _indented(text: Text) -> Text:
    return Text("\n").join(Text.assemble("  ", line) for line in text.split("\n", allow_blank=True))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for position, name in enumerate(columns):
        last = position == len(columns) - 1
        table.add_column(name, no_wrap=not last, overflow="fold")
    return table


def _traced_name(one: Traced) -> str:
    return shown(f"{one.path} {one.name}")


def _diff_style(line: str) -> str:
    if line.startswith(("+++", "---", "diff ", "index ")):
        return "bold"
    if line.startswith("@@"):
        return "cyan"
    return "green" if line.startswith("+") else "red" if line.startswith("-") else ""
