"""Whether the tests of a change test it: works out what is to be tried inside, and reads what came of it.

Three questions. Do the new tests fail on main, or at least notice a fault? Does some test run each changed line?
Do tests notice small faults that are planted into those lines? The first decides; the others are told to people.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policies.decision import Finding, Severity
from policies.load import ZoneRules
from policies.zones import Zone, zone_of
from selfedit.gate.changed import differing, holds_tests, imported, mentions, put_back
from selfedit.gate.changed import read as code_of
from selfedit.gate.evidence import MOST_FINDINGS, Step, failed, no
from selfedit.gate.judging import START, bundle
from selfedit.gate.mutants import Mutant, mutants, pick
from selfedit.types import Check

NAME = "change"
NOT_TRIED = "new_test_not_tried"
"""The rule that there was no time for new tests."""
PROBES = 12
"""Faults planted for a new test into code that was there before; one that is noticed is enough."""
_NEAR = 3
"""Lines no further apart are told of together: a comment or a blank stands between."""
_PARTS = ("trees", "programs", "report", "ourselves", "warm", "tracing", "lanes", "change")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be tried.

    Attributes:
        pytest: Pytest's arguments, the places of the tests apart.
        tests: Where all the tests are.
        likely: The test files that speak of the changed code, the new ones among them.
        new_tests: Files below the folders of live tests that the change writes or takes away.
        test_files: Those of them that hold tests.
        differs: All files that the change writes or takes away.
        lines: Changed lines that are code, by path.
        mutants: Faults in those lines.
        probes: Faults in other code that new tests use.
        seconds: How long all of it may take.
    """

    pytest: tuple[str, ...]
    tests: tuple[str, ...]
    likely: tuple[str, ...]
    new_tests: tuple[str, ...]
    test_files: tuple[str, ...]
    differs: tuple[str, ...]
    lines: Mapping[str, tuple[int, ...]]
    mutants: tuple[Mutant, ...]
    probes: tuple[Mutant, ...]
    seconds: float

    def line(self) -> str:
        """The line for the program's stdin."""
        return json.dumps(asdict(self))


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    tests: int
    looked: bool
    complete: bool
    reached: dict[str, list[int]]
    fates: list[Literal["killed", "survived", "unreached", "untried"]]
    fresh: dict[str, Literal["fails", "kills", "passes", "nothing new", "time"]]
    seconds: float = Field(ge=0)


def argv(
    python: str, tree: str, base: str, path: Sequence[str], ahead: Mapping[str, object] | None = None
) -> list[str]:
    """The program that tries inside; it gets ready and waits for a `Wish.line` on stdin.

    Args:
        python: The interpreter inside.
        tree: The root of the merge tree inside.
        base: The root of base's files inside; the program writes to both.
        path: Folders below these roots in which modules are looked for.
        ahead: What to do while there is no wish, as `warm.get_ready` takes it: nothing that a change can touch.
    """
    ready = {"tree": tree, "base": base, "path": list(path), "ahead": ahead}
    return [python, "-I", "-B", "-c", START, json.dumps(ready), bundle(*_PARTS)]


def wish(
    base: Mapping[str, bytes],
    files: Mapping[str, bytes],
    zones: ZoneRules,
    *,
    pytest: Sequence[str],
    tests: Sequence[str],
    seconds: float,
    most: int,
) -> Wish | None:
    """What is to be tried for a change; None where it changes neither live code nor a test.

    Args:
        base: Base's files, as they go into the sandbox.
        files: The merge tree's, likewise.
        zones: Which files are live, and which of them are tests.
        pytest: Pytest's arguments, the places of the tests apart.
        tests: Where base's tests are.
        seconds: How long all of it may take.
        most: So many faults at most are planted into the changed lines.
    """
    changed = sorted(path for path in base.keys() | files.keys() if base.get(path) != files.get(path))
    below = [path for path in changed if path.startswith(zones.tests)]
    test_files = [path for path in below if path in files and holds_tests(path)]
    code = [
        path
        for path in changed
        if path.endswith(".py") and path not in below and zone_of(path, zones.live) is Zone.LIVE
    ]
    lines: dict[str, tuple[int, ...]] = {}
    planted: list[Mutant] = []
    for path in code:
        if path not in files:
            continue
        old, new = base.get(path, b""), files[path]
        written, gone = differing(old, new)
        read = code_of(new)
        lines[path] = tuple(sorted(written & read.runs))
        planted += put_back(path, old, new, gone)
        planted += [read.at(mutant) for mutant in mutants(path, new, written - read.aside)]
    if not test_files and not any(lines.values()) and not planted:
        return None
    probed = sorted({path for name in test_files for path in imported(files[name], files, zones)})
    probes = [
        code_of(files[path]).at(mutant)
        for path in probed
        for mutant in pick((m for m in mutants(path, files[path]) if not m.loaded), PROBES)
    ]
    subjects = [mentions(path) for path in {*code, *probed}]
    likely = [
        path
        for path, text in files.items()
        if _below(path, tests)
        and holds_tests(path)
        and (path in test_files or any(spoken.search(text) for spoken in subjects))
    ]
    return Wish(
        pytest=tuple(pytest),
        tests=tuple(tests),
        likely=tuple(likely),
        new_tests=tuple(below),
        test_files=tuple(test_files),
        differs=tuple(changed),
        lines={path: numbers for path, numbers in lines.items() if numbers},
        mutants=pick(planted, most),
        probes=tuple(probes),
        seconds=seconds,
    )


def change_check(step: Step, asked: Wish, untested: Severity = Severity.NOTE) -> Check:
    """Whether the change is tested.

    Args:
        step: What became of the program inside.
        asked: What it was to try.
        untested: How much changed code weighs that no test runs, or in which none notices a fault.
    """
    out = step.out.strip().splitlines()
    try:
        told = _Told.model_validate_json(out[-1] if out else "")
    except ValidationError:
        told = None
    if step.timed_out:
        return failed(
            NAME,
            no("timed_out", f"trying the change's tests did not end in {step.seconds:.0f} s"),
            step.seconds,
        )
    fits = (
        told is not None
        and len(told.fates) == len(asked.mutants)
        and set(told.fresh) == set(asked.test_files)
    )
    if told is None or not fits or step.exit != 0 or step.dropped:
        last = " ".join((step.err or step.out).split())[-400:]
        message = f"whether the change is tested could not be found out (exit code {step.exit}): {last}"
        return failed(NAME, no("no_report", message), step.seconds)
    findings = [
        *_of_new_tests(told, asked),
        *_uncovered(told, asked, untested),
        *_survivors(told, asked, untested),
    ]
    passed = all(finding.severity is not Severity.REFUSE for finding in findings)
    refusing = next((finding.message for finding in findings if finding.severity is Severity.REFUSE), "")
    return Check(
        name=NAME,
        passed=passed,
        seconds=step.seconds,
        summary=refusing or _summary(told, asked),
        findings=tuple(findings[:MOST_FINDINGS]),
    )


# What came of it


def _of_new_tests(told: _Told, asked: Wish) -> Iterator[Finding]:
    # Tests that come alone are read as they are; those that come with code vouch for it.
    weight = Severity.REFUSE if asked.lines else Severity.REVIEW
    for path, verdict in told.fresh.items():
        if verdict == "passes":
            message = (
                f"the new tests in {path} pass without the change, and notice no fault in what they test; let them "
                "demand what the change brings, of the code itself"
            )
            yield Finding(rule="new_test_must_fail_on_base", severity=weight, path=path, message=message)
        elif verdict == "time":
            message = f"there was no time to find out whether the new tests in {path} can fail; look at what they demand"
            yield Finding(rule=NOT_TRIED, severity=Severity.REVIEW, path=path, message=message)


def _uncovered(told: _Told, asked: Wish, untested: Severity) -> Iterator[Finding]:
    if not told.looked:
        message = "the tests did not end in the time for this check, so that it is not known which changed lines they run"
        yield Finding(rule="change_not_measured", severity=Severity.NOTE, message=message)
        return
    for path, lines in asked.lines.items():
        reached = set(told.reached.get(path, ()))
        for first, last in _together(sorted(set(lines) - reached), reached):
            what = f"line {first} runs" if first == last else f"lines {first} to {last} run"
            message = f"{what} in no test; add one that needs {'it' if first == last else 'them'}"
            yield Finding(
                rule="change_not_covered", severity=untested, path=path, line=first, message=message
            )


def _survivors(told: _Told, asked: Wish, untested: Severity) -> Iterator[Finding]:
    both = zip(asked.mutants, told.fates, strict=True)
    for mutant, fate in sorted(both, key=lambda pair: (pair[0].path, pair[0].line)):
        if fate == "survived":
            message = f"no test notices it if `{mutant.becomes}` is put back; add one that does"
            if mutant.was:
                what = " / ".join(f"`{line}`" for line in mutant.what.splitlines())
                message = f"no test notices the fault {what}; add one that does"
            yield Finding(
                rule="mutant_survived", severity=untested, path=mutant.path, line=mutant.line, message=message
            )


def _summary(told: _Told, asked: Wish) -> str:
    number, count = len(asked.mutants), told.fates.count
    said = [f"{count('killed')} of {number} {'fault' if number == 1 else 'faults'} noticed"] if number else []
    said += [f"{count('unreached')} in lines that no test runs"] if count("unreached") else []
    said += [f"{count('untried')} not tried (time)"] if count("untried") else []
    said += ["the new tests can fail"] if {"fails", "kills"}.intersection(told.fresh.values()) else []
    return ", ".join(said) or "there was nothing to plant a fault into"


def _together(lines: Iterable[int], apart: set[int]) -> list[tuple[int, int]]:
    """First and last of near lines, where none of the others lies between."""
    runs: list[tuple[int, int]] = []
    for line in lines:
        if runs and line - runs[-1][1] <= _NEAR and apart.isdisjoint(range(runs[-1][1], line)):
            runs[-1] = (runs[-1][0], line)
        else:
            runs.append((line, line))
    return runs


# What is to be tried


def _below(path: str, places: Sequence[str]) -> bool:
    return any(place in (".", path) or path.startswith(f"{place}/") for place in places)
