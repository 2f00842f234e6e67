"""What the gate believes of what comes out of a sandbox."""

import hashlib
import hmac
import json

import pytest

from policies.decision import Finding, Severity
from sandbox.types import Outcome
from selfedit.gate.evidence import (
    Opened,
    Step,
    Told,
    format_check,
    imports_check,
    is_whole,
    lint_check,
    open_report,
    trial_check,
    types_check,
)
from selfedit.gate.gate import hurried
from selfedit.gate.inside.report import MARK
from selfedit.gate.inside.trees import TREE
from selfedit.gate.manifest import judge_tests, lasted, listed, together
from selfedit.types import Check

KEY = b"k" * 32
REPORT = json.dumps({"steps": {}}).encode()


def frame(body: bytes = REPORT, attachment: bytes = b"", key: bytes = KEY) -> bytes:
    """A frame as the judge writes it."""
    signature = hmac.new(key, body + attachment, hashlib.sha256).hexdigest().encode()
    return b"%s %s %d %d\n%s%s" % (MARK, signature, len(body), len(attachment), body, attachment)


def step(out: str = "", code: int | None = 0, **more: object) -> Step:
    """A program's end."""
    values = {"exit": code, "timed_out": False, "seconds": 1.0, "out": out, "err": "", "dropped": False}
    return Step.model_validate({**values, **more})


def told(
    *events: dict[str, object], code: int = 1, sentinel: tuple[str, ...] = ("failed",), **more: object
) -> Told:
    """A test run's end."""
    values = {**step(code=code).model_dump(), "told": events, "sentinel": sentinel, "garbled": False}
    return Told.model_validate({**values, **more})


def ended(name: str, outcome: str = "passed") -> dict[str, object]:
    """The event of a test that ended."""
    return {"id": name, "outcome": outcome, "why": "E   assert 1 == 2", "line": 3}


def test_one_signed_report_is_believed() -> None:
    """A report that is whole, alone and signed with the run's key is opened, attachment and all."""
    opened = open_report(Outcome(exit_code=0, stdout=frame(attachment=b"types")), KEY, "it")
    assert isinstance(opened, Opened)
    assert opened.attachment == b"types"


FALSE = {
    "nothing": (Outcome(exit_code=0), "no_report"),
    "words": (Outcome(exit_code=0, stdout=b"3 passed in 0.01s\n"), "no_report"),
    "another key": (Outcome(exit_code=0, stdout=frame(key=b"x" * 32)), "report_count"),
    "two reports": (Outcome(exit_code=0, stdout=frame() + frame()), "report_count"),
    "something before": (Outcome(exit_code=0, stdout=b"x" + frame()), "report_count"),
    "something after": (Outcome(exit_code=0, stdout=frame() + b"x"), "report_count"),
    "cut short": (Outcome(exit_code=0, stdout=frame()[:-1]), "report_count"),
    "a changed word": (Outcome(exit_code=0, stdout=frame().replace(b"steps", b"stepz")), "report_count"),
    "an endless length": (
        Outcome(exit_code=0, stdout=MARK + b" " + b"0" * 64 + b" 99999999999999 0\n"),
        "report_count",
    ),
    "no JSON": (Outcome(exit_code=0, stdout=frame(b"{")), "no_report"),
    "another shape": (Outcome(exit_code=0, stdout=frame(b'{"verdict": "passed"}')), "no_report"),
    "an exit code that does not fit": (Outcome(exit_code=1, stdout=frame()), "exit_mismatch"),
    "no exit code": (Outcome(exit_code=None, stdout=frame()), "exit_mismatch"),
    "a lack of memory": (Outcome(exit_code=0, stdout=frame(), out_of_memory=True), "out_of_memory"),
    "a lack of time": (Outcome(exit_code=0, stdout=frame(), timed_out=True), "timed_out"),
    "too much of it": (Outcome(exit_code=0, stdout=frame(), truncated=True), "truncated"),
}


@pytest.mark.parametrize("name", FALSE)
def test_any_other_report_is_a_no(name: str) -> None:
    """What is missing, doubled, cut, forged or at odds with how the run ended is a finding."""
    outcome, rule = FALSE[name]
    found = open_report(outcome, KEY, "it")
    assert isinstance(found, Finding)
    assert found.rule == rule


def test_a_report_that_nobody_waited_for_the_end_of_lacks_only_that() -> None:
    """Heard soon, a report needs no exit code, but has to be whole and signed, and no exit code may say no."""
    early = Outcome(exit_code=None, stdout=frame(attachment=b"types"))
    assert isinstance(open_report(early, KEY, "it", soon=True), Opened)
    for name, (outcome, rule) in FALSE.items():
        found = open_report(outcome, KEY, "it", soon=True)
        assert name == "no exit code" or (isinstance(found, Finding) and found.rule == rule)


def test_a_report_is_whole_with_its_last_byte() -> None:
    """No shorter piece of what is written is taken for the report."""
    written = frame(attachment=b"types")
    assert [is_whole(written[:size]) for size in range(len(written))] == [False] * len(written)
    assert is_whole(written)


def test_a_tool_that_fails_is_never_a_pass() -> None:
    """An exit code that does not fit what a tool said fails its check."""
    assert not format_check(step(code=2), None).passed
    assert not lint_check(step("[]", 1), None).passed
    assert not lint_check(step("not JSON"), None).passed
    assert not types_check(step("", 2, err="crash")).passed
    assert not types_check(step("", None, timed_out=True)).passed
    assert not types_check(step("", 0, dropped=True)).passed
    assert not imports_check(step("{}"), []).passed
    assert not imports_check(step(json.dumps({"kept": 1, "broken": [], "fault": "no"}), 2), []).passed
    assert not trial_check(step("")).passed
    assert not trial_check(step('{"ok": true, "why": "", "features": [], "commands": []}', 1)).passed
    assert not trial_check(step('{"ok": "yes", "why": "", "features": [], "commands": []}')).passed


def test_a_tool_that_is_content_passes() -> None:
    """What is well is well, with a word of praise."""
    assert format_check(step(), None).passed
    assert lint_check(step("[]"), None).passed
    assert types_check(
        step('{"file": "a.py", "line": 1, "message": "m", "severity": "note", "hint": null}')
    ).passed
    assert imports_check(step('{"kept": 2, "broken": [], "fault": ""}'), []).summary == "2 contracts kept"
    assert trial_check(step('noise\n{"ok": true, "why": "", "features": ["a"], "commands": []}')).passed


def test_findings_say_where() -> None:
    """A complaint of a tool becomes a finding at its place in the repository."""
    row = {
        "code": "F401",
        "message": "unused",
        "filename": str(TREE / "a/b.py"),
        "location": {"row": 7},
        "fix": None,
    }
    (found,) = lint_check(step(json.dumps([row]), 1), None).findings
    assert (found.rule, found.path, found.line) == ("F401", "a/b.py", 7)
    broken = {"kept": 0, "broken": [{"name": "layers", "why": "- a.b -> c.d (l.5)"}], "fault": ""}
    (found,) = imports_check(step(json.dumps(broken), 1), ["a/b.py"]).findings
    assert (found.path, found.line) == ("a/b.py", 5)


def test_all_expected_tests_that_pass_are_a_pass() -> None:
    """The manifest's tests and new ones have run, and the one that must fail has failed."""
    check = judge_tests(told({"collected": ["a::x", "a::new"]}, ended("a::x"), ended("a::new")), ["a::x"])
    assert check.passed
    assert check.summary == "2 passed, 1 of them new"


def test_who_runs_a_file_of_the_pool_says_which_tests_are_in_it() -> None:
    """Two processes may find the same test under two names; what the one names that did not run it counts for nothing."""
    events: list[dict[str, object]] = [
        {"pooled": {"b.py": ["b.py::x[/tmp/1]"]}},
        {"pooled": {"b.py": ["b.py::x[/tmp/2]"]}},
        {"drawn": "b.py", "collected": ["b.py::x[/tmp/2]"]},
        ended("b.py::x[/tmp/2]"),
    ]
    assert judge_tests(told(*events), None).passed


FALSE_TESTS: dict[str, tuple[Told, str]] = {
    "a test failed": (told(ended("a::x", "failed")), "test_failed"),
    "a test of main is missing": (told(ended("a::y")), "manifest_missing"),
    "a test was found and did not run": (told({"collected": ["a::z"]}, ended("a::x")), "manifest_missing"),
    "nobody ran a file of the pool": (
        told({"pooled": {"b.py": ["b.py::x"]}}, ended("a::x")),
        "manifest_missing",
    ),
    "a test of main was skipped": (told(ended("a::x", "skipped")), "test_skipped"),
    "a test of main may fail now": (told(ended("a::x", "xfailed")), "test_skipped"),
    "a new test was skipped": (told(ended("a::x"), ended("a::y", "skipped")), "new_test_skipped"),
    "a file could not be loaded": (
        told(ended("a::x"), {"broken": "b.py", "why": "E   boom"}),
        "test_not_loaded",
    ),
    "the sentinel passed": (told(ended("a::x"), sentinel=("passed",)), "sentinel_not_failed"),
    "the sentinel was told of twice": (
        told(ended("a::x"), sentinel=("failed", "failed")),
        "sentinel_not_failed",
    ),
    "the sentinel did not run": (told(ended("a::x"), sentinel=()), "no_report"),
    "the exit code does not fit": (told(ended("a::x"), code=0), "exit_mismatch"),
    "time ran out": (told(ended("a::x"), {"begun": "a::y"}, sentinel=(), timed_out=True), "timed_out"),
    "an event makes no sense": (told(ended("a::x", "won")), "no_report"),
    "the pipe was written to by others": (told(ended("a::x"), garbled=True), "no_report"),
}


@pytest.mark.parametrize("name", FALSE_TESTS)
def test_any_other_test_run_is_a_no(name: str) -> None:
    """A fault of each kind is found and called by its name."""
    run, rule = FALSE_TESTS[name]
    check = judge_tests(run, ["a::x"])
    assert not check.passed
    assert rule in {finding.rule for finding in check.findings}


def test_a_failure_stays_a_failure() -> None:
    """A test that failed and is told of again as passed has failed."""
    check = judge_tests(told(ended("a::x", "failed"), ended("a::x")), ["a::x"])
    assert not check.passed


def test_a_skip_counts_where_main_skips_too() -> None:
    """What main leaves out may be left out; a person's own commit may skip what it likes."""
    assert judge_tests(told(ended("a::x", "skipped")), ["a::x"], ["a::x"]).passed
    assert judge_tests(told(ended("a::x", "skipped")), None).passed


def test_the_list_of_mains_tests_is_whole_or_nothing() -> None:
    """A collecting run that did not end well lists nothing."""
    assert listed(told({"collected": ["a::x"]}, code=0, sentinel=())) == ("a::x",)
    assert listed(told({"collected": []}, code=5, sentinel=())) == ()
    for bad in (
        told(code=0, sentinel=()),
        told(code=4, sentinel=()),
        told(timed_out=True),
        told(garbled=True),
    ):
        assert isinstance(listed(bad), Finding)


def test_a_run_is_as_bad_as_its_worst_share() -> None:
    """Shares that all came to their end are one good run; one that did not spoils it, and shows what hung."""
    good, other = told(ended("a::x")), told(ended("a::y"))
    assert judge_tests(together([good, other]), ["a::x", "a::y"]).passed
    hung = told({"begun": "a::y"}, sentinel=(), code=0)
    for shares in ([good, hung], [hung, good]):
        check = judge_tests(together(shares), ["a::x"])
        assert "during a::y" in check.findings[0].message
    for bad in (
        told(sentinel=("passed",)),
        told(sentinel=("failed", "failed")),
        told(code=0),
        told(garbled=True),
    ):
        assert not judge_tests(together([good, bad]), ["a::x"]).passed


@pytest.mark.parametrize(
    ("found", "again"),
    [
        ([("timed_out", Severity.REFUSE)], True),
        ([("timed_out", Severity.REFUSE), ("test_failed", Severity.REFUSE)], False),
        ([("new_test_not_tried", Severity.REVIEW), ("test_failed", Severity.REFUSE)], False),
        ([("timed_out", Severity.NOTE)], False),
    ],
)
def test_only_what_lack_of_time_alone_brought_about_is_tried_again(
    found: list[tuple[str, Severity]], *, again: bool
) -> None:
    """A real failure counts once and for all, whatever else had no time beside it."""
    findings = tuple(Finding(rule=rule, severity=severity, message="no") for rule, severity in found)
    check = Check(name="tests", passed=False, seconds=1, summary="no", findings=findings)
    assert hurried([check]) is again


def test_how_long_tests_took_is_read_by_file_and_nonsense_is_left_out() -> None:
    """What was told of a file's tests is added up; a time that cannot be says nothing."""
    one = {"outcome": "passed", "why": ""}
    ran = told(
        {**one, "id": "tests/test_a.py::test_one", "seconds": 0.25, "idle": 0.125},
        {**one, "id": "tests/test_a.py::test_two", "seconds": 0.5, "idle": 0.0},
        {**one, "id": "tests/test_b.py::test_one", "seconds": -1.0, "idle": -2.0},
        {**one, "id": "tests/test_b.py::test_two", "seconds": 1e300, "idle": 0.0},
        {**one, "id": "tests/test_b.py::test_three", "seconds": float("nan"), "idle": 0.0},
        {**one, "id": "tests/test_b.py::test_four", "idle": 0.0},
        {**one, "id": "tests/test_b.py::test_five", "seconds": 0.25, "idle": 0.5},
    )
    assert lasted(ran).keys() == {"tests/test_a.py"}
    assert 0.75 <= lasted(ran)["tests/test_a.py"].seconds < 0.8
    assert lasted(ran)["tests/test_a.py"].idle == 0.125
