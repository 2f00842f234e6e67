"""Whether the tests of a change test it: they are tried on base, on changed lines, and on faults planted there."""

import asyncio

from policies.decision import Finding, Severity
from policies.load import Rules
from selfedit.gate import change, evidence
from selfedit.gate.assemble import Assembly
from selfedit.gate.checks.readiness import Case, Readiness
from selfedit.gate.checks.tests import Listed, TestChecks, pytest_arguments
from selfedit.gate.inside.trees import SCRATCH, TREE
from selfedit.gate.judging import Opening, Order
from selfedit.types import Check

BASE = SCRATCH / "base"
"""Where base's files stand inside, beside the candidate's."""


class ChangeCheck:
    """Tries the tests of proposals; people's commits may change what tests stand on, and are not asked."""

    def __init__(self, ready: Readiness, rules: Rules, tests: TestChecks) -> None:
        self._ready = ready
        self._rules = rules
        self._tests = tests

    async def prepare(self, base: str, assembly: Assembly) -> None:
        """Get ready for heads on a base."""
        listed = await self._tests.listed(base, assembly)
        if isinstance(listed, Listed) and not self._ready.has(change.NAME):
            await self._ready.start(base, assembly, self._opening(assembly, assembly, listed))

    async def run(self, case: Case) -> list[Check]:
        """Find out, within the time that the rules give."""
        if case.base is None:
            return []
        rules = self._rules.change_tests
        asked = await asyncio.to_thread(
            change.wish,
            case.base_assembly.files,
            case.assembly.files,
            self._rules.zones,
            pytest=pytest_arguments(case.assembly, self._rules.gate.pytest_plugins),
            tests=case.assembly.settings.tests or (".",),
            seconds=rules.seconds,
            most=rules.mutants,
        )
        if asked is None:
            return [evidence.left_out(change.NAME, "neither code nor a test changed")]
        opening = self._opening(case.assembly, case.base_assembly, None)
        order = Order(lines={change.NAME: asked.line()}, alone=True)
        opened = await self._ready.judge(case, opening, order, "trying the change's tests")
        if isinstance(opened, Finding):
            return [evidence.failed(change.NAME, opened)]
        step = opened.report.steps.get(change.NAME)
        if step is None:
            missing = evidence.no("no_report", "the trial of the change's tests is missing from the report")
            return [evidence.failed(change.NAME, missing)]
        return [change.change_check(step, asked, Severity(rules.untested))]

    def _opening(self, assembly: Assembly, base: Assembly, listed: Listed | None) -> Opening:
        ahead = self._tests.ahead(assembly, listed)
        python = self._ready.sandbox.python
        argv = change.argv(python, str(TREE), str(BASE), assembly.settings.path, ahead)
        return Opening(
            purpose=change.NAME,
            seconds=self._rules.change_tests.seconds + self._rules.gate.trial_seconds,
            folders={TREE.name: assembly.files, BASE.name: base.files},
            servants={change.NAME: argv},
        )
