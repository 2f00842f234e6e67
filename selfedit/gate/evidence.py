"""Reads what comes out of a sandbox: one signed report, and in it what each tool said. Trusts nothing of it.

What is missing, doubled, cut short or at odds with an exit code is a finding, never a pass.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from policies.decision import Finding, Severity
from sandbox.types import Outcome
from selfedit.gate.inside.report import MARK
from selfedit.gate.inside.trees import TREE
from selfedit.types import Check

MOST_FINDINGS = 200
"""A check shows so many; the rest is counted."""


class Step(BaseModel):
    """What became of one program, as the judge saw it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    exit: int | None
    timed_out: bool
    seconds: float
    out: str
    err: str
    dropped: bool


class Told(Step):
    """What became of pytest, with what the witness told: a mapping for each event, in order."""

    told: tuple[dict[str, Any], ...]
    sentinel: tuple[str, ...]
    garbled: bool


class Report(BaseModel):
    """The judge's report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: dict[str, Step] = {}
    tests: tuple[Told, ...] = ()


_HEAD = re.compile(re.escape(MARK) + rb" ([0-9a-f]{64}) (\d{1,10}) (\d{1,10})")


@dataclass(frozen=True, slots=True)
class Opened:
    """A report whose signature and form are right."""

    report: Report
    attachment: bytes


def is_whole(stdout: bytes) -> bool:
    """Whether a report has been written to its end."""
    head, _, body = stdout.partition(b"\n")
    form = _HEAD.fullmatch(head)
    return form is not None and len(body) >= int(form[2]) + int(form[3])


def open_report(outcome: Outcome, key: bytes, what: str, *, soon: bool = False) -> Opened | Finding:
    """The report of a run, or what is wrong with it.

    Args:
        outcome: What became of the run.
        key: What the report has to be signed with.
        what: Names the run in sentences.
        soon: Nobody waited for its end, so that nothing is known of that; such a report is good for no merge.
    """
    if outcome.out_of_memory:
        return _no("out_of_memory", f"{what} ran out of memory, and was ended; use less of it")
    if outcome.timed_out:
        return _no(
            "timed_out",
            f"{what} did not end in time ({outcome.seconds:.0f} s), and was ended; look for a loop",
        )
    if outcome.truncated:
        return _no("truncated", f"{what} wrote more than a report may hold; print less")
    if MARK not in outcome.stdout:
        said = outcome.stderr.decode(errors="replace").strip().splitlines()
        hint = f": {said[-1][:300]}" if said else ""
        return _no("no_report", f"{what} ended (exit code {outcome.exit_code}) without a report{hint}")
    forged = _no(
        "report_count", f"{what} wrote something beside its one report; code under test may not do that"
    )
    head, _, body = outcome.stdout.partition(b"\n")
    form = _HEAD.fullmatch(head)
    if form is None:
        return forged
    length, attached = int(form[2]), int(form[3])
    signature = hmac.new(key, body, hashlib.sha256).hexdigest().encode()
    if len(body) != length + attached or not hmac.compare_digest(signature, form[1]):
        return forged
    if outcome.exit_code != 0 and not (soon and outcome.exit_code is None):
        return _no("exit_mismatch", f"{what} reported, and then ended with exit code {outcome.exit_code}")
    try:
        return Opened(Report.model_validate_json(body[:length]), body[length:])
    except ValidationError:
        return _no("no_report", f"{what} wrote a report that makes no sense")


def failed(name: str, finding: Finding, seconds: float = 0.0) -> Check:
    """A check that says no for one reason."""
    return Check(name=name, passed=False, seconds=seconds, summary=finding.message, findings=(finding,))


def left_out(name: str, why: str) -> Check:
    """A check that was not asked for, with its reason."""
    return Check(name=name, passed=True, seconds=0.0, summary=f"left out: {why}")


def format_check(step: Step, only: Collection[str] | None) -> Check:
    """What `ruff format --check` said. `only`: count these files, and only if they were well formatted before."""
    findings: dict[str, Finding] = {}
    unparsable = False
    for line in step.out.splitlines():
        form = re.fullmatch(r"(.+?):(\d+):\d+: ([\w-]+): (.*)", line)
        if form is None:
            continue
        path, unparsable = _inside(form[1]), unparsable or form[3] != "unformatted"
        message = f"{path} is not formatted as `ruff format` does it; run that"
        if form[3] != "unformatted":
            message = f"{path} cannot be formatted: {form[4]}"
        findings[path] = Finding(rule="format", path=path, line=int(form[2]), message=message)
    before = {path.removeprefix("../was/") for path in findings if path.startswith("../was/")}
    wrong = [
        finding
        for path, finding in findings.items()
        if not path.startswith("../was/") and (only is None or (path in only and path not in before))
    ]
    return _check("format", step, wrong, "formatted", exit_code=2 if unparsable else 1 if findings else 0)


def lint_check(step: Step, only: Collection[str] | None) -> Check:
    """What `ruff check` said. `only`: count these files, and only what they did not have before."""
    try:
        rows = json.loads(step.out or "[]")
        found = [_lint_finding(row) for row in rows]
    except (ValueError, KeyError, TypeError):
        return _broken_tool("lint", step)
    before = [
        (each.path.removeprefix("../was/"), each.rule) for each in found if each.path.startswith("../was/")
    ]
    findings = []
    for each in found:
        if each.path.startswith("../was/"):
            continue
        if only is not None and (each.path, each.rule) in before:
            before.remove((each.path, each.rule))
        elif only is None or each.path in only:
            findings.append(each)
    return _check("lint", step, findings, "no complaints", exit_code=1 if found else 0)


def types_check(step: Step) -> Check:
    """What `mypy -O json` said."""
    findings = []
    for line in step.out.splitlines():
        try:
            row = json.loads(line)
            severity = Severity.REFUSE if row["severity"] == "error" else Severity.NOTE
            hint = f" ({row['hint']})" if row.get("hint") else ""
            number = row["line"] if row["line"] > 0 else None
            rule = str(row.get("code") or "mypy")
            findings.append(
                Finding(
                    rule=rule,
                    severity=severity,
                    path=_inside(row["file"]),
                    line=number,
                    message=row["message"] + hint,
                )
            )
        except (ValueError, KeyError, TypeError):
            return _broken_tool("types", step)
    wrong = any(finding.severity is Severity.REFUSE for finding in findings)
    return _check("types", step, findings, "types hold", exit_code=1 if wrong else 0)


def imports_check(step: Step, files: Collection[str]) -> Check:
    """What import-linter said."""
    try:
        said = json.loads(step.out)
        kept, broken, fault = int(said["kept"]), list(said["broken"]), str(said["fault"])
        findings = [
            finding for each in broken for finding in _contract(str(each["name"]), str(each["why"]), files)
        ]
    except (ValueError, KeyError, TypeError):
        return _broken_tool("imports", step)
    if fault:
        findings.append(_no("imports", f"the import contracts could not be checked: {fault[:1000]}"))
    return _check(
        "imports", step, findings, f"{kept} contracts kept", exit_code=2 if fault else 1 if findings else 0
    )


def trial_check(step: Step) -> Check:
    """What the trial load said: the last line that it wrote, as JSON."""
    lines = step.out.strip().splitlines()
    try:
        said: dict[str, Any] = json.loads(lines[-1] if lines else "")
        okay, why = said["ok"] is True, str(said["why"])
        features, commands = len(said["features"]), len(said["commands"])
    except (ValueError, KeyError, TypeError):
        if step.timed_out:
            return failed(
                "trial", _no("timed_out", "loading the live code did not end in time"), step.seconds
            )
        message = f"loading the live code ended (exit code {step.exit}) without a word{_tail(step)}"
        return failed("trial", _no("no_report", message), step.seconds)
    if okay != (step.exit == 0):
        message = (
            f"loading the live code said {'yes' if okay else 'no'}, and ended with exit code {step.exit}"
        )
        return failed("trial", _no("exit_mismatch", message), step.seconds)
    if not okay:
        return failed("trial", _no("trial", f"the live code cannot be loaded: {why}"), step.seconds)
    summary = f"loaded twice: {features} features, {commands} commands"
    return Check(name="trial", passed=True, seconds=step.seconds, summary=summary)


def no(rule: str, message: str, path: str = "", line: int | None = None) -> Finding:
    """A finding that refuses."""
    return Finding(rule=rule, path=path, line=line, message=message)


_no = no


def _check(name: str, step: Step, findings: Sequence[Finding], praise: str, *, exit_code: int) -> Check:
    if step.timed_out:
        return failed(name, _no("timed_out", f"{name} did not end in {step.seconds:.0f} s"), step.seconds)
    if step.dropped or step.exit != exit_code:
        return _broken_tool(name, step)
    wrong = [finding for finding in findings if finding.severity is Severity.REFUSE]
    summary = praise if not wrong else f"{len(wrong)} {'thing' if len(wrong) == 1 else 'things'} to mend"
    shown = tuple(findings[:MOST_FINDINGS])
    return Check(name=name, passed=not wrong, seconds=step.seconds, summary=summary, findings=shown)


def _broken_tool(name: str, step: Step) -> Check:
    message = f"{name} could not be checked: its tool ended with exit code {step.exit}{_tail(step)}"
    return failed(name, _no("tool_failed", message), step.seconds)


def _tail(step: Step) -> str:
    lines = [line for line in (step.err or step.out).strip().splitlines() if line.strip()]
    return f": {' | '.join(lines[-3:])[-600:]}" if lines else ""


def _lint_finding(row: Mapping[str, Any]) -> Finding:
    fix = (row.get("fix") or {}).get("message")
    message = f"{row['message']}{f' ({fix})' if fix else ''}"
    line = (row.get("location") or {}).get("row")
    return Finding(
        rule=str(row["code"] or "syntax"), path=_inside(row["filename"]), line=line, message=message
    )


def _contract(name: str, why: str, files: Collection[str]) -> list[Finding]:
    """One finding for each chain of imports, at its first link; one for the contract where none can be read."""
    found: dict[Finding, None] = {}
    for source, target, line in re.findall(r"([\w.]+)\s*->\s*([\w.]+)\s*\(l\.\s*(\d+)", why):
        stem = source.replace(".", "/")
        path = next((path for path in (f"{stem}.py", f"{stem}/__init__.py") if path in files), "")
        message = f"{source} imports {target}, against the contract “{name}”"
        found[Finding(rule="imports", path=path, line=int(line), message=message)] = None
    if not found:
        text = " ".join(why.split())[:600]
        found[_no("imports", f"the contract “{name}” is broken: {text}")] = None
    return list(found)


def _inside(path: str) -> str:
    """A path as the repository knows it."""
    return path.replace(f"{TREE.parent}/was/", "../was/").removeprefix(f"{TREE}/")
