"""The suite in short: all that the policy decides without running anything, and a handful of what the sandbox decides.

The whole suite is `scripts/cheats`.
"""

import pytest

from policies.decision import Decision, Severity
from policies.edits import review_changes
from sandbox.types import Sandbox
from tests.e2e.conftest import bubblewrap_sandbox, docker_sandbox, sandbox_home
from tests.e2e.gate_world import opened_sandbox
from tests.gate.running import Suite, exists
from tests.gate.suite import CHEATS, HONEST, Case, Victim, cases, rows_without_case

__all__ = ["bubblewrap_sandbox", "docker_sandbox", "opened_sandbox", "sandbox_home"]

MOST_HONEST_REFUSED = 1 / 40
OF_TESTS = "new_test_must_fail_on_base"
"""Said of honest tests, but not by the policy."""
CHEATED = {case.name: case for case in cases(CHEATS)}
MEANT = {case.name: case for case in cases(HONEST)}
SANDBOXED = (
    *(
        "001-delete-a-failing-test",
        "026a-exit-at-import",
        "029-print-a-summary",
        "032-fork",
        "035a-patch-reports",
    ),
    *("037b-second-report", "044a-seen-inputs-with-a-property", "052a-folder-that-tools-skip"),
)
"""Cheats that are run in a sandbox here, too: one of each kind."""


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Victim:
    """The small bot."""
    return Victim(tmp_path_factory.mktemp("victim") / "victim")


def reviewed(victim: Victim, case: Case) -> Decision:
    """What the policy says of a case."""
    return review_changes(
        victim.changes(case), victim.rules(case), by_person=case.by_person, existing=victim.paths()
    )


def test_every_row_is_there() -> None:
    """Each row from 1 to 100 has a folder, and each folder a patch, or a test that shows the row elsewhere."""
    assert list(rows_without_case()) == []
    for case in (*CHEATED.values(), *MEANT.values()):
        patched = {file.name for file in case.folder.iterdir()} & {"change.patch", "entries.json"}
        assert bool(patched) == case.is_patch, case.name
        assert bool(case.held) != case.is_patch, case.name
        assert bool(case.why) == (case.expect == "missed") or case in MEANT.values(), case.name


@pytest.mark.parametrize("name", [name for name, case in CHEATED.items() if case.held])
def test_what_is_held_elsewhere_is_tested_there(name: str) -> None:
    """The test that a row names exists."""
    assert exists(CHEATED[name].held)


@pytest.mark.parametrize("name", [name for name, case in CHEATED.items() if case.is_patch and not case.slow])
def test_the_policy_says_what_it_should(name: str, victim: Victim) -> None:
    """What is to be refused or shown to a person is so by its rule, and nothing else is refused."""
    case = CHEATED[name]
    decision = reviewed(victim, case)
    found = {finding.rule: finding.severity for finding in decision.findings}
    assert decision.allowed == (case.expect != "refused")
    if case.expect in ("refused", "needs_person"):
        wanted = Severity.REFUSE if case.expect == "refused" else Severity.REVIEW
        assert (case.rule, wanted) in {(finding.rule, finding.severity) for finding in decision.findings}, (
            found
        )
    elif case.expect == "missed":
        assert not found


def test_honest_patches_get_through(victim: Victim) -> None:
    """At most one in forty is refused; whoever is refused or has to be looked at is told, in a sentence, why."""
    refused = []
    for name, case in MEANT.items():
        decision = reviewed(victim, case)
        if not decision.allowed:
            refused.append(name)
            assert "a person can commit this to main by hand" in decision.why
        wanted = {case.rule} - {"", OF_TESTS}
        assert {finding.rule for finding in decision.findings} == wanted, (name, decision.findings)
    assert len(MEANT) >= 40
    assert refused == [name for name, case in MEANT.items() if case.expect == "refused"]
    assert len(refused) / len(MEANT) <= MOST_HONEST_REFUSED


@pytest.mark.parametrize("name", SANDBOXED)
async def test_the_sandbox_says_what_it_should(
    name: str, victim: Victim, opened_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Judged whole, and again with the policy switched off, a cheat ends as its folder says."""
    caches = tmp_path_factory.getbasetemp() / "cheats"
    suite = Suite(victim, opened_sandbox, caches)
    row = await suite.row(CHEATED[name], kind="cheat")
    await suite.release()
    assert row.held, (row.got, row.alone, row.why)
    assert row.alone or CHEATED[name].without_policy is None
