"""What the job `gate` of Actions does: judges a proposal with this copy of the gate, and says what was found there.

It runs in a checkout of the base; the head is data. Whatever it prints may hold text of strangers, and on a runner a printed
line can be a command (`::set-env`, `##[group]`), so that every line goes through `harmless`, and every annotation is escaped.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, cast, get_args

from pydantic import ValidationError

from policies.decision import Finding, Severity
from policies.load import Rules, RulesProblem, load_rules
from policies.zones import Zone, zone_of
from selfedit.answers import render
from selfedit.answers.telling import SHORT
from selfedit.commands import GitFailed
from selfedit.forge.github.harmless import code
from selfedit.forge.github.verdicts import verdict
from selfedit.gate.command import EXITS
from selfedit.gate.evidence import failed, no
from selfedit.objects import Conflict
from selfedit.repo import Repo, RepoProblem
from selfedit.types import GateReport
from selfedit.words import one_line

Kind = Literal["proposal", "revert", "queue"]
ROOT = Path(__file__).resolve().parents[3]
ANNOTATIONS = 10
"""GitHub shows so many of each level for a step; the summary has all."""
OURS = "refs/remotes/origin/"
_LEVELS = {Severity.REFUSE: "error", Severity.REVIEW: "warning", Severity.NOTE: "notice"}


def main(argv: Sequence[str]) -> int:
    """Judge `KIND BASE HEAD` in this checkout; the exit code of the gate, the worst where there are several to judge."""
    kind, base, head = argv
    if kind not in get_args(Kind):
        raise ValueError(f"there is no kind {kind!r}")
    try:
        rules = load_rules()
        repo = Repo(ROOT, rules.repo.branch)
        reports = list(judge(repo, rules, cast("Kind", kind), base, head))
    except (GitFailed, RepoProblem, RulesProblem, OSError) as error:
        reports = [_unknown(base, head, str(error))]
    for report in reports:
        tell(report)
    if not reports:
        _write("Nothing in this group is a proposal of Theseus, so the gate has nothing to judge.\n")
    return max((EXITS[report.verdict] for report in reports), default=0)


def judge(repo: Repo, rules: Rules, kind: Kind, base: str, head: str) -> Iterator[GateReport]:
    """The verdict on a head; of a group of the merge queue, one for each proposal in it.

    A proposal is judged by the rules for proposals. A revert takes tests and code away that stand on main, which those rules
    refuse, so it is judged as what people commit is, as the steward does too; but it may bring back no kernel file in a state
    that main never had (`strange_revert`), so that a branch's name opens nothing.
    """
    if kind == "queue":
        for part, one, onto in proposals_within(repo, base, head):
            yield from judge(repo, rules, part, onto, one)
        return
    strange = strange_revert(repo, rules.zones.live, base, head) if kind == "revert" else None
    if strange is not None:
        check = failed("policy", strange)
        yield GateReport(verdict="refused", base=base, head=head, policy=rules.policy, checks=(check,))
        return
    yield _gate(base, head, by_person=kind == "revert")


def proposals_within(repo: Repo, base: str, head: str) -> list[tuple[Kind, str, str]]:
    """What of a merge group is Theseus's, oldest first: its kind, the merge, and the commit that it is merged into.

    A group's commits do not say where they come from. The branches do: what is merged is the tip of one.
    """
    tips: dict[str, Kind] = {}
    for prefix, kind in (("improve/", "proposal"), ("revert/", "revert")):
        tips |= dict.fromkeys(repo.refs(f"{OURS}{prefix}").values(), cast("Kind", kind))
    found: list[tuple[Kind, str, str]] = []
    for commit in repo.between(base, head):
        parents = repo.parents(commit)
        kinds = [tips[parent] for parent in parents[1:] if parent in tips]
        if kinds:
            found.append((kinds[0], commit, parents[0]))
    return found


def strange_revert(repo: Repo, live: Sequence[str], base: str, head: str) -> Finding | None:
    """Why a branch `revert/*` puts nothing back that was there: it changes the kernel to what main never was."""
    tree = repo.merge_tree(base, head)
    if isinstance(tree, Conflict):
        return None  # the gate says that
    changes = repo.changes(repo.tree_of(base), tree)
    kernel = [change.path for change in changes if zone_of(change.path, tuple(live)) is Zone.KERNEL]
    if not kernel or tree in repo.trees(base):
        return None
    message = "a revert puts back what main was, and this changes the kernel to what main never was; people do that by a pull request of their own"
    return no("not_a_revert", message, kernel[0])


def tell(report: GateReport) -> None:
    """Say a verdict: the report in the log, its findings as annotations, all of it in the job's summary."""
    for line in render.plain(render.report(report)).splitlines():
        _print(harmless(line))
    for line in annotations(report.findings):
        _print(line)
    _write(summary(report))


def harmless(line: str) -> str:
    """A line that a runner prints and does not obey, whoever wrote it."""
    flat = render.shown(line).replace("\n", " ").replace("##[", "##\\[")
    return f"| {flat}" if flat.lstrip().startswith("::") else flat


def annotations(findings: Sequence[Finding]) -> list[str]:
    """Findings as the workflow commands that put them beside the lines they speak of; as many as are shown."""
    found: list[str] = []
    for severity, level in _LEVELS.items():
        mine = [finding for finding in findings if finding.severity is severity]
        for finding in mine[:ANNOTATIONS]:
            facts = {"title": finding.rule}
            if finding.path:
                facts |= {"file": finding.path, "line": str(finding.line or 1)}
            told = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in facts.items())
            found.append(f"::{level} {told}::{_escaped(finding.message)}")
    return found


def summary(report: GateReport) -> str:
    """A verdict in Markdown, as it stands on a pull request, with what was judged by whom."""
    told = f"Judged in {report.seconds:.0f} s by the gate of {code(report.base[:SHORT])}, rules {code(report.policy[:SHORT])}."
    title = f"## {report.verdict}: {code(report.head[:SHORT])} on {code(report.base[:SHORT])}"
    return f"{title}\n\n{told}\n\n{verdict(report)}\n\n"


def _gate(base: str, head: str, *, by_person: bool) -> GateReport:
    command = [sys.executable, "-m", "selfedit", "gate", "--repo", str(ROOT), "--base", base, "--head", head]
    command += ["--json", *(["--by-person"] if by_person else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, errors="replace")
    try:
        report = GateReport.model_validate_json(done.stdout)
    except ValidationError:
        said = one_line(done.stderr[-500:], 500)
        return _unknown(base, head, f"the gate ended with {done.returncode} and no report: {said}")
    if EXITS[report.verdict] != done.returncode:
        return _unknown(base, head, f"the gate said {report.verdict}, and ended with {done.returncode}")
    return report


def _unknown(base: str, head: str, why: str) -> GateReport:
    return GateReport(
        verdict="unknown", base=base, head=head, policy="", checks=(failed("gate", no("not_judged", why)),)
    )


def _escaped(text: str, more: str = "") -> str:
    """The value of a workflow command, as the runner's own toolkit escapes it."""
    shown = render.shown(text)
    for char in f"%\r\n{more}":
        shown = shown.replace(char, f"%{ord(char):02X}")
    return shown


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _write(text: str) -> None:
    if place := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(text)
    else:
        for line in text.splitlines():
            _print(harmless(line))
