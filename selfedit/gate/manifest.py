"""What became of the tests: every test that base has must run and pass, and new ones beside them.

The manifest is the list of base's test ids, collected on base in a sandbox of its own. A test that a proposal
renames, empties or keeps from being found is therefore missing, however green the rest is. A skip (or an
expected failure) counts as passed only for a test of base that is skipped on base, too.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from policies.decision import Finding, Severity
from selfedit.gate.dealing import Lasted
from selfedit.gate.evidence import MOST_FINDINGS, Told, no
from selfedit.types import Check

LEFT_OUT = frozenset({"skipped", "xfailed"})
EACH_SECONDS = 0.003
"""What a test takes beside its call, roughly."""
_OF_BEHAVIOUR = frozenset({"test_failed", "test_not_loaded"})
"""What main's own version of a test says when the behaviour that it tests is another one now."""


@dataclass(frozen=True, slots=True)
class Ran:
    """The witness's events, put in order: what was found, what became of it, and what did not load."""

    collected: tuple[str, ...]
    outcomes: dict[str, str]
    reasons: dict[str, tuple[str, int | None]]
    broken: dict[str, str]
    unfinished: str
    """The test that had begun, but not ended, when the last event came."""


def together(shares: Sequence[Told]) -> Told:
    """The shares of one run as if they were one, as bad as the worst of them."""
    order = sorted(
        shares, key=lambda share: not share.sentinel
    )  # last what did not come to its end, so that it shows
    sentinels = [share.sentinel for share in order]
    whole = (
        ()
        if () in sentinels
        else tuple(dict.fromkeys(outcome for sentinel in sentinels for outcome in sentinel))
    )
    twice = any(len(sentinel) > 1 for sentinel in sentinels)
    return Told(
        exit=next((share.exit for share in order if share.exit != 1), 1),
        timed_out=any(share.timed_out for share in order),
        seconds=max(share.seconds for share in order),
        out=order[-1].out,
        err=order[-1].err,
        dropped=any(share.dropped for share in order),
        told=tuple(event for share in order for event in share.told),
        sentinel=("told twice",) if twice and whole else whole,
        garbled=any(share.garbled for share in order),
    )


def read(told: Told) -> Ran | Finding:
    """Put events in order, or say that they cannot be what the witness told."""
    collected: list[str] = []
    outcomes: dict[str, str] = {}
    reasons: dict[str, tuple[str, int | None]] = {}
    broken: dict[str, str] = {}
    pooled: dict[str, list[object]] = {}
    drawn: set[str] = set()
    unfinished = ""
    garbled = no(
        "no_report", "what was told of the tests makes no sense; code under test may not write there"
    )
    if told.garbled:
        return garbled
    for event in told.told:
        match event:
            case {"pooled": dict(files)} if all(isinstance(names, list) for names in files.values()):
                pooled |= {str(path): names for path, names in files.items()}
            case {"collected": list(names)}:
                collected += [str(name) for name in names]
                drawn.add(str(event.get("drawn")))
            case {"broken": str(name), "why": str(why)}:
                broken[name] = why
            case {"begun": str(name)}:
                unfinished = name
            case {"modules": dict()}:
                pass  # read by `modules`
            case {
                "id": str(name),
                "outcome": "passed" | "failed" | "skipped" | "xfailed" as outcome,
                "why": str(why),
            }:
                unfinished = ""
                if outcomes.get(name) != "failed":
                    outcomes[name] = outcome
                    reasons[name] = (why, line if isinstance(line := event.get("line"), int) else None)
            case _:
                return garbled
    # Of a file for whoever is done, who runs it says what is in it; where nobody did, each of its tests is missing.
    collected += [str(name) for path, names in pooled.items() if path not in drawn for name in names]
    return Ran(tuple(collected), outcomes, reasons, broken, unfinished)


def lasted(told: Told) -> dict[str, Lasted]:
    """How long the tests of each file took, on a machine of their own; good for dealing them out, and for nothing that decides."""
    found: dict[str, Lasted] = {}
    for event in told.told:
        match event:
            case {"id": str(name), "seconds": float(each), "idle": float(idle)} if (
                0 <= idle <= each <= told.seconds
            ):
                path = name.partition("::")[0]
                before = found.get(path, Lasted(0.0))
                seconds = min(before.seconds + each + EACH_SECONDS, told.seconds)
                found[path] = Lasted(seconds, min(before.idle + idle, seconds))
    return found


def modules(told: Told) -> dict[str, str]:
    """The modules that a collecting run had imported at its end, each with its file."""
    found = [event["modules"] for event in told.told if isinstance(event.get("modules"), dict)]
    return {str(name): str(file) for each in found for name, file in each.items()}


def listed(told: Told) -> tuple[str, ...] | Finding:
    """The ids that a collecting run found, for the manifest of base."""
    ran = read(told)
    if isinstance(ran, Finding):
        return ran
    if told.timed_out or told.exit is None:
        return no("timed_out", "listing the tests that main has did not end in time")
    if told.exit not in (0, 1, 2, 5) or (not ran.collected and told.exit not in (2, 5)):
        tail = " ".join((told.err or told.out).split())[-400:]
        return no("tool_failed", f"the tests that main has cannot be listed (exit code {told.exit}): {tail}")
    return ran.collected


def doubtful(told: Told, expected: Collection[str]) -> tuple[str, ...]:
    """Tests of base that were left out now, so that base has to be asked whether that is new."""
    ran = read(told)
    if isinstance(ran, Finding):
        return ()
    return tuple(name for name in expected if ran.outcomes.get(name) in LEFT_OUT)


def judge_tests(
    told: Told, expected: Collection[str] | None, left_out_on_base: Collection[str] = ()
) -> Check:
    """Whether the tests speak for the change.

    Args:
        told: What the witness told.
        expected: Ids that have to be there; None where a person's commit brings its own.
        left_out_on_base: Ids that are skipped or expected to fail on base.
    """
    ran = read(told)
    findings = _found(told, ran, expected, left_out_on_base)
    outcomes = {} if isinstance(ran, Finding) else ran.outcomes
    return _check(findings, outcomes, expected, told.seconds)


def judge_apart(
    mains: Told,
    own: Told,
    *,
    expected: Collection[str],
    rewritten: Collection[str],
    own_expected: Collection[str],
    left_out_on_base: Collection[str] = (),
) -> Check:
    """The same where main's tests ran as they stand on main, and those of the change by themselves.

    A test of main that fails, and that the change rewrites so that it passes, is for a person to look at: only they
    can tell whether another behaviour was asked for.

    Args:
        mains: What was told of main's version of all tests.
        own: What was told of the tests that the change adds or rewrites.
        expected: Ids that main has.
        rewritten: Files of tests that the change rewrites or takes away.
        own_expected: Ids of main that still have to be among the change's own.
        left_out_on_base: Ids that are skipped or expected to fail on base.
    """
    ran, beside = read(mains), read(own)
    findings = [
        _of_mains(each, rewritten) if each.rule in _OF_BEHAVIOUR else each
        for each in _found(mains, ran, expected, left_out_on_base)
    ]
    findings += [each for each in _found(own, beside, own_expected, left_out_on_base) if each not in findings]
    outcomes: dict[str, str] = {}
    for each in (ran, beside):
        outcomes |= {} if isinstance(each, Finding) else each.outcomes
    return _check(findings, outcomes, expected, max(mains.seconds, own.seconds))


def _found(
    told: Told, ran: Ran | Finding, expected: Collection[str] | None, left_out_on_base: Collection[str]
) -> list[Finding]:
    return [ran] if isinstance(ran, Finding) else _faults(told, ran, expected, left_out_on_base)


def _of_mains(finding: Finding, rewritten: Collection[str]) -> Finding:
    if finding.path not in rewritten:
        message = f"{finding.message} (every file of tests as it is on main)"
        return finding.model_copy(update={"message": message})
    message = f"on this change, main's own version fails: {finding.message}; look whether that is what was asked for"
    return finding.model_copy(
        update={"rule": "main_test_fails", "severity": Severity.REVIEW, "message": message}
    )


def _check(
    findings: Sequence[Finding],
    outcomes: Mapping[str, str],
    expected: Collection[str] | None,
    seconds: float,
) -> Check:
    # First what stops the change, so that it is shown however much there is to look at.
    order = sorted(findings, key=lambda finding: finding.severity is not Severity.REFUSE)
    wrong = sum(finding.severity is Severity.REFUSE for finding in order)
    looks = len(order) - wrong
    summary = _count(wrong) if wrong else _summary(outcomes, expected)
    summary += f", {looks} of main's own to look at" if looks else ""
    shown = tuple(order[:MOST_FINDINGS])
    return Check(name="tests", passed=not wrong, seconds=seconds, summary=summary, findings=shown)


def _faults(
    told: Told, ran: Ran, expected: Collection[str] | None, left_out_on_base: Collection[str]
) -> list[Finding]:
    found = [_of_file(name, why) for name, why in ran.broken.items()]
    for name, outcome in ran.outcomes.items():
        if outcome == "failed":
            found.append(_of_test("test_failed", name, ran, f"failed{_reason(ran.reasons[name][0])}"))
        elif outcome in LEFT_OUT and expected is not None and name not in left_out_on_base:
            if name in expected:
                found.append(_of_test("test_skipped", name, ran, "was left out, and it is not on main"))
            else:
                found.append(
                    _of_test("new_test_skipped", name, ran, "is new and was left out; it has to run")
                )
    if told.timed_out:
        what = f"{ran.unfinished} was still running" if ran.unfinished else "the tests were still running"
        return [
            *found,
            no("timed_out", f"{what} after {told.seconds:.0f} s; look for a loop", _path(ran.unfinished)),
        ]
    if not told.sentinel:
        what = f" during {ran.unfinished}" if ran.unfinished else ""
        tail = "" if ran.collected else _reason(told.err or told.out)
        message = f"the tests ended{what} (exit code {told.exit}) before their end was reported{tail}"
        return [*found, no("no_report", message, _path(ran.unfinished))]
    if told.sentinel != ("failed",):
        return [
            *found,
            no("sentinel_not_failed", "a test that must fail did not; something makes tests pass"),
        ]
    if told.exit != 1:
        return [
            *found,
            no("exit_mismatch", f"the tests ended with exit code {told.exit}, which does not fit the report"),
        ]
    missing = (set(expected or ()) | set(ran.collected)) - ran.outcomes.keys()
    order = [*(expected or ()), *ran.collected]
    found += [
        no("manifest_missing", f"{name} did not run, and it is one of main's tests", _path(name))
        for name in dict.fromkeys(order)
        if name in missing and not _is_broken(_path(name), ran.broken)
    ]
    return found


def _is_broken(path: str, broken: Collection[str]) -> bool:
    """Whether a file was not loaded, or a folder above it, which is said already."""
    return any(not each or path == each or path.startswith(f"{each}/") for each in broken)


def _summary(outcomes: Mapping[str, str], expected: Collection[str] | None) -> str:
    if not outcomes:
        return "no tests"
    passed = sum(outcome == "passed" for outcome in outcomes.values())
    left = sum(outcome in LEFT_OUT for outcome in outcomes.values())
    fresh = 0 if expected is None else len(outcomes.keys() - set(expected))
    more = [f"{fresh} of them new"] * bool(fresh) + [f"{left} left out as on main"] * bool(left)
    return ", ".join([f"{passed} passed", *more])


def _count(number: int) -> str:
    return f"{number} {'thing' if number == 1 else 'things'} to mend"


def _of_file(name: str, why: str) -> Finding:
    return no("test_not_loaded", f"{name or 'the tests'} cannot be loaded{_reason(why)}", _path(name))


def _of_test(rule: str, name: str, ran: Ran, what: str) -> Finding:
    return no(rule, f"{name} {what}", _path(name), ran.reasons[name][1])


def _path(name: str) -> str:
    return name.partition("::")[0]


def _reason(why: str) -> str:
    """The lines in which pytest says what was wrong, else the last one."""
    lines = [line[1:].strip() for line in why.splitlines() if re.match(r"E\s", line)]
    lines = [line for line in lines if line][:6] or [line.strip() for line in why.strip().splitlines()[-1:]]
    text = " | ".join(lines)[:800]
    return f": {text}" if text else ""
