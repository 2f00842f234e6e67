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
from policies.rights import CAPABILITIES
from selfedit import protocol as say
from selfedit.answers import telling
from selfedit.answers.telling import SHORT
from selfedit.types import FileDiff, GateReport, Proposal, Stage, Traced
from selfedit.words import describe

PIPE_WIDTH = 200
"""Columns of output that nobody looks at as a screen."""

_STYLES = {
    "passed": "green",
    "refused": "red",
    "failed": "red",
    "unknown": "yellow",
    Stage.OPENED: "cyan",
    Stage.APPROVED: "cyan",
    Stage.LIVE: "green",
    Stage.KEPT: "green",
    Stage.REJECTED: "yellow",
    Stage.REVERTED: "yellow",
    Stage.SPLIT: "cyan",
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
        case say.RightsAre():
            return rights(body)
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
    if one.parts:
        parts += [Text("Parts", "bold"), _indented(Text(shown("\n".join(telling.parts(one)))))]
    if one.notes:
        notes = Text("\n".join(f"- {shown(note)}" for note in one.notes))
        parts += [Text("On the way", "bold"), _indented(notes)]
    if one.report is not None:
        parts.append(report(one.report))
    if waits := awaited(one):
        parts.append(waits)
    if one.why:
        rest = telling.ending(one)
        said = f": {shown(rest)}" if rest else "."
        parts.append(Text(f"{one.stage.value.capitalize()}{said}", _STYLES.get(one.stage, "red")))
    if leaving := telling.taking_back(one):
        parts.append(Text(shown(leaving), "yellow"))
    return Group(*parts)


def brief(one: Proposal) -> Text:
    """A proposal in a line: where it stands now."""
    commit = one.revert or one.merge
    line = Text.assemble(f"Proposal {one.number} is ", (one.stage.value, _STYLES.get(one.stage, "")))
    line.append(f": {shown(one.title)}{f' ({commit[:SHORT]})' if commit else ''}")
    ended = one.stage in (Stage.REJECTED, Stage.REVERTED)
    if why := telling.ending(one) if ended else one.why:
        line.append(f"\n{'Reason: ' if ended else ''}{shown(why)}")
    if one.url:
        line.append(f"\n{telling.pull(one).capitalize() or 'Elsewhere'}: {shown(one.url)}")
    if leaving := telling.taking_back(one):
        line.append(f"\n{shown(leaving)}", "yellow")
    waits = awaited(one) if one.approvals else None
    return line.append("\n").append_text(waits) if waits else line


def awaited(one: Proposal) -> Text | None:
    """Which approvals an open proposal still waits for where it takes two, and what there is to look at."""
    said = telling.awaited(one)
    if not said:
        return None
    found = to_look_at(one.report.findings if one.report else ())
    return Text.assemble((shown(said), "yellow"), "\n", _indented(findings(found)))


def report(judged: GateReport) -> RenderableType:
    """What the gate found: a line a check, then every finding with its place."""
    title = Text.assemble(
        ("Gate: ", "bold"),
        (judged.verdict, f"bold {_STYLES.get(judged.verdict, '')}".strip()),
        f" in {judged.seconds:.1f} s, {shown(telling.judged_where(judged))}",
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
        line = shown(f"- {telling.finding(finding)}")
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
    elsewhere = any(one.pull for one in several)
    table = _table("", "stage", "head", "by", *(["pull request"] if elsewhere else []), "title")
    for one in several:
        stage = Text(one.stage.value, _STYLES.get(one.stage, ""))
        part = f" ({telling.part(one)})" if one.part else ""
        title = Text(shown(one.title or one.goal or one.why.split("\n")[0]) + part)
        if waits := telling.held_up(one):
            title.append(f"\n{shown(waits)}", "yellow")
        pull = [f"#{one.pull}" if one.pull else ""] if elsewhere else []
        table.add_row(str(one.number), stage, one.head[:SHORT], Text(shown(one.requested_by)), *pull, title)
    return table


def status(now: say.StatusIs) -> RenderableType:
    """How things stand, with what the sandbox shields."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for row in telling.status_rows(now):
        table.add_row(row.name, Text(shown(row.text), "yellow" if row.mind else ""))
    return table


def why(traced: say.WhyIs) -> RenderableType:
    """Which definitions of the running code came by which proposal."""
    running = traced.running[:SHORT] or "nothing"
    if not traced.traced:
        return Text(f"Running {running}: no proposal has changed it.")
    table = _table("definition", "proposal", "commit", "title")
    for one in traced.traced:
        number = f"{one.proposal or ''}{f' (#{one.pull})' if one.pull else ''}"
        table.add_row(Text(_traced_name(one)), number, one.commit[:SHORT], Text(shown(one.title)))
    return Group(Text(f"Running {running}; changed by proposals:"), Padding(table, (0, 0, 0, 2)))


def rights(now: say.RightsAre) -> RenderableType:
    """Who may do what, and which of that the owner changed."""
    lines = [Text("Who may do what; the console may do all of it.", "bold")]
    for capability in CAPABILITIES:
        who = shown(", ".join(now.holders.get(capability, ()))) or "nobody"
        lines.append(Text(f"  {capability:<8} {who}"))
    for one in now.granted:
        may = "may" if one.allowed else "may not"
        said = f"{one.who} {may} {one.capability}: said by {one.by}, {one.at:%Y-%m-%d %H:%M} UTC"
        lines.append(Text(f"- {shown(said)}"))
    return Text("\n").join(lines)


def progress(step: say.Progress, *, unasked: bool = False) -> Text:
    """One stage of a proposal with its time; of which, where nobody waits for it (`unasked`)."""
    which = f"proposal {step.number}: " if unasked else ""
    said = f"{which}{shown(step.text.split(chr(10))[0])}"
    return Text.assemble((f"  {step.seconds:6.1f} s  ", "dim"), f"{step.stage.value:<9} ", said)


def next_step(one: Proposal, command: str = "/") -> str:
    """What to type next; empty where nothing is to be done. `command` is what stands before a command's name."""
    if one.stage is Stage.OPENED:
        does = "to make it live" if one.approvals_missing <= 1 else "is the first of two approvals"
        if one.approvals:
            does = "by another maintainer (at the console: once more) to make it live"
        there = f" On GitHub a review does the same: {shown(one.url)}" if one.url else ""
        return f"Next: {command}approve {one.number} {does}, or {command}reject {one.number} [why].{there}"
    if one.stage in (Stage.LIVE, Stage.MERGED) and not telling.taking_back(one):
        return f"It is watched now; {command}rollback takes it back, {command}why shows what it changed."
    return ""


def _facts(one: Proposal) -> Text:
    style = _STYLES.get(one.stage, "")
    facts = [
        Text.assemble("stage ", (one.stage.value, style)),
        Text(f"asked for by {shown(telling.known_as(one, one.requested_by))}"),
    ]
    if part := telling.part(one):
        facts.append(Text(part))
    if by := telling.drafted_by(one):
        facts.append(Text(f"drafted by {shown(by)}"))
    if names := telling.approved_by(one):
        facts.append(Text(f"approved by {shown(names)}"))
    facts += [Text(f"{name} {commit[:SHORT]}") for name, commit in telling.commits(one)]
    if one.url:
        facts.append(Text(f"{telling.pull(one) or 'elsewhere'} {shown(one.url)}"))
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
