"""The gate's word, for people and for GitHub: what it found, and what the check `theseus/gate` says of a head. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policies.decision import Finding, Severity
from policies.merge import to_look_at
from selfedit.answers import telling
from selfedit.forge.github.harmless import code, line, prose, quote, short
from selfedit.types import GateReport, Proposal, Stage

GATE = "theseus/gate"
"""The name of our check."""
LONGEST_BODY = 60_000
"""GitHub takes 65,536 signs."""
LONGEST_STATUS = 140
"""GitHub takes no longer description of a commit status."""
ANNOTATIONS = 50
"""GitHub takes so many in one request."""
_MOST_FINDINGS = 40
_MARKS = {Severity.REFUSE: "❌", Severity.REVIEW: "👀", Severity.NOTE: "·"}


@dataclass(frozen=True, slots=True)
class Word:
    """What the gate says of a head: for a check run, and, shorter, for a commit status."""

    done: bool
    passed: bool
    title: str
    summary: str
    annotations: tuple[Mapping[str, Any], ...] = ()


def word(one: Proposal) -> Word:
    """The gate's word on a proposal's head."""
    report = one.report
    if report is None or report.head != one.head:
        ended = one.stage in (Stage.REFUSED, Stage.FAILED, Stage.REJECTED)
        said = f"Proposal {one.number} ended before it was judged" if ended else "It is being judged"
        return Word(
            done=ended, passed=False, title=said, summary=quote(one.why) if ended and one.why else f"{said}."
        )
    passed = report.verdict == "passed"
    heading = {
        "passed": "Every check passed",
        "refused": "Refused by the policy",
        "failed": "A check failed",
        "unknown": "It could not be judged",
    }[report.verdict]
    if passed and (look := to_look_at(report.findings)):
        heading += f"; {_counted(len(look), 'point')} for a person to look at"
    summary = verdict(report)
    return Word(
        done=True,
        passed=passed,
        title=short(heading, LONGEST_STATUS),
        summary=short(summary, LONGEST_BODY),
        annotations=tuple(_annotation(found) for found in report.findings if found.path and found.line),
    )


def verdict(report: GateReport) -> str:
    """What the gate found, for people: its checks, its findings, the verdict."""
    return f"{table(report)}\n\n{findings(report.findings)}\n\n{place(report)}"


def _annotation(found: Finding) -> Mapping[str, Any]:
    level = {Severity.REFUSE: "failure", Severity.REVIEW: "warning", Severity.NOTE: "notice"}[found.severity]
    return {
        "path": found.path,
        "start_line": found.line,
        "end_line": found.line,
        "annotation_level": level,
        "title": line(found.rule, 100),
        "message": line(found.message, 2000) or "(no words)",
    }


def revert_word(one: Proposal) -> Word:
    """The gate's word on a commit that takes a proposal back."""
    said = f"Proposal {one.number} is taken back; the steward made and judged this tree"
    return Word(done=True, passed=True, title=short(said, LONGEST_STATUS), summary=f"{said}.")


def table(report: GateReport) -> str:
    """Each check, its result and what it says, in rows."""
    rows = [
        f"| {code(check.name, 40)} | {'passed' if check.passed else '**failed**'} | {check.seconds:.1f} s "
        f"| {prose(check.summary, 300)} |"
        for check in report.checks
    ]
    return "\n".join(["| check | result | took | what it says |", "|---|---|---:|---|", *rows])


def place(report: GateReport) -> str:
    """The verdict, and where it was come to."""
    return f"Verdict: **{report.verdict}**, {prose(telling.judged_where(report))}."


def findings(found: Sequence[Finding]) -> str:
    """Findings as a list; the rest of a long one is counted."""
    shown = [_finding(one) for one in found[:_MOST_FINDINGS]]
    if (more := len(found) - len(shown)) > 0:
        shown.append(f"- and {more} more")
    return "\n".join(shown) or "Nothing."


def _finding(found: Finding) -> str:
    place = f"{code(found.place.removesuffix(': '))} " if found.path else ""
    return f"- {_MARKS[found.severity]} {place}{prose(found.message, 600)} ({code(found.rule, 60)})"


def _counted(number: int, thing: str) -> str:
    return f"one {thing}" if number == 1 else f"{number} {thing}s"
