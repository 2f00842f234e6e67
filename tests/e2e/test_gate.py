"""What the gate says of honest and of faulty changes, in a real sandbox."""

from pathlib import Path

import pytest

from policies.decision import Finding, Severity
from sandbox.types import Sandbox, SandboxUnavailable
from selfedit.gate.checks.change import ChangeCheck
from selfedit.gate.checks.readiness import Case
from selfedit.gate.gate import Gate
from selfedit.types import Check
from tests.e2e.gate_world import LENIENT, GateWorld, failing, opened_sandbox, rules_of, world
from tests.fakes.small_repo import GREET, GREET_TEST, SmallRepo, small_rules

__all__ = ["opened_sandbox", "world"]

NEW_TEST = """

def test_it_greets_others() -> None:
    assert greet("bob") == "Hello, Bob!"
"""


async def test_an_honest_change_passes(world: GateWorld) -> None:
    """A better answer with a new test passes every check, and the report is bound to what was judged."""
    head = world.small.edit(GREET, "Say hello.", "Say hello to somebody.")
    head = world.small.edit(GREET_TEST, 'startswith("Hello")\n', f'startswith("Hello")\n{NEW_TEST}', on=head)
    report = await world.judge(head)
    assert report.verdict == "passed", report.findings
    assert {check.name for check in report.checks} == {
        *("policy", "format", "lint", "types", "imports", "tests", "trial", "change")
    }
    assert (report.base, report.head) == (world.small.base, head)
    assert report.tree == world.small.repo.tree_of(head)
    assert report.sandbox == world.sandbox.info
    assert "4 passed, 1 of them new" in next(c.summary for c in report.checks if c.name == "tests")


FAULTS = {
    "format": ('"""Say hello."""', '"""Say hello."""\n    x  =  1\n    del x', {"format"}),
    "lint": ('"""Say hello."""', '"""Say hello."""\n    unused = 1', {"lint"}),
    "types": (
        'return f"Hello, {polite(name)}!"',
        'return f"Hello, {polite(len(name) and name)}!"',
        {"types"},
    ),
    "imports": ("polite\n\n", "polite\nfrom app.vault import GOLD\n\nRICH = GOLD\n\n", {"imports"}),
    "tests": ("Hello,", "Goodbye,", {"tests"}),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_planted_fault_is_found_by_its_check(world: GateWorld, name: str) -> None:
    """Each fault fails the check that is there for it, at its place, and no other; its tests are then not put on trial."""
    old, new, expected = FAULTS[name]
    report = await world.judge(world.small.edit(GREET, old, new))
    assert (report.verdict, failing(report)) == ("failed", expected), report
    paths = {finding.path for check in report.checks if not check.passed for finding in check.findings}
    assert paths == ({GREET_TEST} if name == "tests" else {GREET})
    assert next(check.summary for check in report.checks if check.name == "change").startswith("left out")


async def test_live_code_that_does_not_load_fails_the_trial(world: GateWorld) -> None:
    """What passes its tests and cannot be loaded by the kernel is stopped."""
    head = world.small.change({"app/live/other.py": '"""Other."""\n', GREET: None, GREET_TEST: None})
    report = await world.judge(head, zones=LENIENT)
    assert "trial" in failing(report)


async def test_a_refused_change_starts_nothing(tmp_path: Path) -> None:
    """The policy's no comes before any sandbox is opened."""
    small = SmallRepo(tmp_path)

    async def opener() -> Sandbox:
        raise AssertionError

    gate = Gate(small.repo, opener, small_rules(tmp_path), tmp_path / "caches")
    report = await gate.judge(small.base, small.edit("app/core.py", "Run some code", "Run code"))
    assert (report.verdict, report.tree, report.sandbox) == ("refused", "", None)
    assert rules_of(report) == {"protected_path"}


async def test_a_secret_in_between_is_refused(world: GateWorld) -> None:
    """What a later commit takes away again would still enter the history."""
    first = world.small.change({"app/live/key.py": f'KEY = "ghp_{"a1B2" * 9}"\n'})
    report = await world.judge(world.small.change({"app/live/key.py": None}, on=first))
    assert (report.verdict, rules_of(report)) == ("refused", {"secret"})


async def test_a_conflict_names_its_paths(world: GateWorld) -> None:
    """What cannot be merged is a failure that says where."""
    ours = world.small.edit(GREET, "Say hello.", "Say hello kindly.")
    theirs = world.small.edit(GREET, "Say hello.", "Say hello loudly.")
    report = await world.gate().judge(ours, theirs)
    assert (report.verdict, failing(report)) == ("failed", {"merge"})
    assert [finding.path for finding in report.findings] == [GREET]


async def test_what_is_judged_is_the_merge(world: GateWorld) -> None:
    """Two changes that are green by themselves and do not fit together are red."""
    ours = world.small.edit(GREET, "def greet(", "def welcome(")
    ours = world.small.edit(GREET_TEST, "greet import greet", "greet import welcome as greet", on=ours)
    other = '"""Shouts."""\n\nfrom app.live.greet import greet\n\n\ndef shout(name: str) -> str:\n    """Shout."""\n'
    theirs = world.small.change({"app/live/shout.py": f"{other}    return greet(name).upper()\n"})
    assert (await world.judge(theirs)).verdict == "passed"
    report = await world.gate().judge(ours, theirs)
    assert report.verdict == "failed"
    assert "types" in failing(report)


async def test_a_test_of_main_that_is_gone_is_missed(world: GateWorld) -> None:
    """However green the rest: every test that main has must have run, even where the policy lets tests change."""
    head = world.small.edit(GREET_TEST, "test_it_says_hello", "check_it_says_hello")
    report = await world.judge(head, zones=LENIENT)
    assert failing(report) == {"tests"}
    assert [f.rule for f in report.findings] == ["manifest_missing"]
    assert "test_it_says_hello" in report.findings[0].message


async def test_a_test_that_main_skips_may_be_skipped(world: GateWorld) -> None:
    """A skip counts as passed where main itself skips, which is asked of main's own code."""
    skip = (
        'import pytest\n\n\n@pytest.mark.skip(reason="later")\ndef test_later() -> None:\n    assert False\n'
    )
    base = world.small.change({"tests/live/test_later.py": skip})
    report = await world.gate().judge(base, world.small.edit(GREET, "Say hello.", "Greet.", on=base))
    assert report.verdict == "passed", report.findings
    assert "1 left out as on main" in {check.name: check.summary for check in report.checks}["tests"]


async def test_no_tests_at_all_are_said(world: GateWorld) -> None:
    """A repository without tests can be judged, and its report says that nothing was tested."""
    gone = {GREET_TEST: None, "tests/kernel/test_core.py": None, "tests/words.py": '"""Words."""\n'}
    base = world.small.change(gone)
    report = await world.gate().judge(base, world.small.edit(GREET, "Say hello.", "Greet.", on=base))
    assert report.verdict == "passed", report.findings
    assert {check.name: check.summary for check in report.checks}["tests"] == "no tests"


async def test_a_file_that_cannot_be_loaded_is_named(world: GateWorld) -> None:
    """A new test file with a broken import fails with its reason."""
    broken = "from app.live.greet import nobody\n\n\ndef test_x() -> None:\n    assert nobody()\n"
    report = await world.judge(world.small.change({"tests/live/test_broken.py": broken}))
    found = [finding for finding in report.findings if finding.rule == "test_not_loaded"]
    assert [finding.path for finding in found] == ["tests/live/test_broken.py"]
    assert "nobody" in found[0].message


async def test_a_folder_that_tools_skip_is_checked_all_the_same(world: GateWorld) -> None:
    """Bad code is found also where a tool would not look by itself."""
    report = await world.judge(world.small.change({"app/live/build/x.py": '"""X."""\n\nimport json\n'}))
    assert "lint" in failing(report)


async def test_a_known_type_is_not_taken_for_granted(world: GateWorld) -> None:
    """What is kept of an earlier run does not hide a fault in a file of the same size."""
    gate = world.gate()
    right = world.small.edit(GREET, "Hello, {polite(name)}", "Hello, {polite(name)}")
    base = world.small.edit(GREET, 'return f"Hello, {polite(name)}!"', 'return f"Hello, {polite(name)}"')
    assert (await gate.judge(world.small.base, base)).verdict == "passed"
    wrong = world.small.edit(GREET, "def greet(name: str) -> str", "def greet(name: str) -> int")
    report = await gate.judge(right, wrong)
    assert failing(report) == {"types"}
    assert list((world.folder / "caches" / "gate").glob("types-*"))


async def test_what_passed_has_passed(world: GateWorld) -> None:
    """A tree that passed under the same rules is not run again; main's tests are listed only once."""
    gate = world.gate()
    first = world.small.edit(GREET, "Say hello.", "Greet.")
    assert (await gate.judge(world.small.base, first)).verdict == "passed"
    assert sorted(world.sandbox.purposes) == ["gate-static", "gate-tests", "gate-tests", "gate-trial"]
    same = world.small.repo.commit(world.small.repo.tree_of(first), [world.small.base], "the same tree")
    assert (await gate.judge(world.small.base, same)).verdict == "passed"
    assert len(world.sandbox.purposes) == 4
    second = world.small.edit(GREET, "Say hello.", "Say it.")
    assert (await gate.judge(world.small.base, second)).verdict == "passed"
    assert len(world.sandbox.purposes) == 7


async def test_a_person_may_change_kernel_settings_and_tests(world: GateWorld) -> None:
    """A commit by hand is judged by its own settings and tests, and still has to be green."""
    head = world.small.edit("pyproject.toml", '"E", "F", "I"', '"E", "F", "I", "D1"')
    head = world.small.change({"tests/kernel/test_core.py": None}, on=head)
    report = await world.judge(head, by_person=True)
    assert failing(report) == {"lint"}
    head = world.small.edit("pyproject.toml", 'files = ["app", "tests"]', 'files = ["app"]')
    head = world.small.change({"tests/kernel/test_core.py": None}, on=head)
    assert (await world.judge(head, by_person=True)).verdict == "passed"
    assert (await world.judge(head)).verdict == "refused"


async def test_without_a_sandbox_nothing_is_known(tmp_path: Path) -> None:
    """No sandbox is never a pass, nor a run without one."""
    small = SmallRepo(tmp_path)

    async def opener() -> Sandbox:
        raise SandboxUnavailable("install one")

    gate = Gate(small.repo, opener, small_rules(tmp_path), tmp_path / "caches")
    report = await gate.judge(small.base, small.edit(GREET, "Say hello.", "Greet."))
    assert (report.verdict, rules_of(report)) == ("unknown", {"no_sandbox"})


async def test_a_fault_of_the_gate_is_never_a_pass(tmp_path: Path) -> None:
    """Whatever goes wrong inside of the gate ends as unknown."""
    small = SmallRepo(tmp_path)

    async def opener() -> Sandbox:
        raise ZeroDivisionError

    gate = Gate(small.repo, opener, small_rules(tmp_path), tmp_path / "caches")
    report = await gate.judge(small.base, small.edit(GREET, "Say hello.", "Greet."))
    assert (report.verdict, rules_of(report)) == ("unknown", {"gate_fault"})
    report = await gate.judge(small.base, "0" * 40)
    assert (report.verdict, rules_of(report)) == ("unknown", {"no_such_commit"})


async def test_new_tests_that_had_no_time_are_tried_again_alone(
    world: GateWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What took their time are the other checks, which have ended by then."""
    seen: list[Case] = []

    async def run(_: ChangeCheck, case: Case) -> list[Check]:
        seen.append(case)
        late = Finding(rule="new_test_not_tried", severity=Severity.REVIEW, message="no time")
        return [
            Check(name="change", passed=True, seconds=1, summary="", findings=() if seen[1:] else (late,))
        ]

    monkeypatch.setattr(ChangeCheck, "run", run)
    report = await world.judge(world.small.edit(GREET, "Say hello.", "Greet."))
    assert (report.verdict, rules_of(report), len(seen)) == ("passed", set(), 2)


async def test_without_a_pyproject_nothing_is_known(world: GateWorld) -> None:
    """A repository that says nothing of its tools cannot be judged."""
    base = world.small.change({"pyproject.toml": None})
    report = await world.gate().judge(base, world.small.edit(GREET, "Say hello.", "Greet.", on=base))
    assert (report.verdict, rules_of(report)) == ("unknown", {"not_judgeable"})


async def test_a_foreign_repository_is_judged_by_what_it_has(tmp_path: Path, opened_sandbox: Sandbox) -> None:
    """A package under `src` without settings is held to what holds anywhere, on the files that change."""
    files = {
        "pyproject.toml": '[project]\nname = "tiny"\nversion = "1"\n',
        "src/tiny/__init__.py": "x = {  'badly':1 }\n",
        "src/tiny/maths.py": "def add(a, b):\n    return a + b\n",
        "tests/test_maths.py": "from tiny.maths import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n",
    }
    small = SmallRepo(tmp_path, files)

    async def opener() -> Sandbox:
        return opened_sandbox

    zones: dict[str, object] = {"live": ("src/", "tests/"), "tests": ("tests/",)}
    rules = small_rules(tmp_path, zones=zones, gate={"tests": ()})
    gate = Gate(small.repo, opener, rules, tmp_path / "caches")
    report = await gate.judge(small.base, small.edit("src/tiny/maths.py", "a + b", "b + a"))
    assert report.verdict == "passed", report.findings
    summaries = {check.name: check.summary for check in report.checks}
    assert summaries["types"].startswith("left out")
    report = await gate.judge(
        small.base, small.edit("src/tiny/maths.py", "return", "import json\n    return")
    )
    assert rules_of(report) == {"import_not_at_top"}
    report = await gate.judge(small.base, small.edit("src/tiny/maths.py", "def", "import json\n\n\ndef"))
    assert failing(report) == {"lint"}
    report = await gate.judge(small.base, small.edit("src/tiny/__init__.py", "1 }", "2 }"))
    assert report.verdict == "passed", report.findings
    await gate.release()


async def test_a_gate_that_is_not_fit_says_so_and_runs_nothing(world: GateWorld) -> None:
    """What the gate relies on beside the code is looked at before each verdict."""

    async def opened() -> Sandbox:
        return world.sandbox

    rules = small_rules(world.folder)
    gate = Gate(world.small.repo, opened, rules, world.folder / "caches", lambda: "the clock is wrong")
    report = await gate.judge(world.small.base, world.small.edit(GREET, "Say hello.", "Greet."))
    assert report.verdict == "unknown"
    assert [(finding.rule, finding.message) for finding in report.findings] == [
        ("self_check", "the clock is wrong")
    ]
    assert world.sandbox.purposes == []


async def test_a_main_whose_tests_cannot_be_listed_says_nothing_of_a_proposal(world: GateWorld) -> None:
    """Where main itself ends whoever looks at its tests, nothing is known of the change."""
    base = world.small.change({"tests/kernel/test_end.py": "import os\n\nos._exit(3)\n"})
    head = world.small.edit(GREET, "Say hello.", "Say hello to somebody.", on=base)
    report = await world.gate(gate={"checks": ["tests"]}).judge(base, head)
    assert report.verdict == "unknown"
    assert "could not be listed" in report.complaint
