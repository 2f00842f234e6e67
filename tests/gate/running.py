"""Runs cases of the suite through the whole gate, with its static policy and without."""

import ast
import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from policies.load import Rules
from sandbox.types import Sandbox
from selfedit.gate.gate import Gate
from selfedit.types import Check, GateReport
from tests.gate.suite import Case, Outcome, Victim, rules_of, verdict

ROOT = Path(__file__).parents[2]
BESIDE = max(2, os.cpu_count() or 2)
"""So many cases are judged side by side: each one's sandboxes wait for one another now and then."""


class Unguarded(Gate):
    """The gate with the static policy switched off, to see what its other walls hold."""

    def _policy(self, case: object, tree: str) -> Check:  # noqa: ARG002 - it looks at nothing, which is the point
        return Check(name="policy", passed=True, seconds=0.0, summary="switched off")


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one case.

    Attributes:
        name, title, kind, expected: Of the case.
        got: The verdict, and the rules that were named.
        held: Whether that is as expected.
        alone: What the sandbox alone said, where that was asked for.
        alone_expected: What it was to say.
        seconds: How long it took.
        why: What to know about it: the reason for a miss, the test that holds a row, what was said of an honest patch.
    """

    name: str
    title: str
    kind: str
    expected: str
    got: str
    held: bool
    alone: str = ""
    alone_expected: str = ""
    seconds: float = 0.0
    why: str = ""


class Suite:
    """The cases in one sandbox."""

    def __init__(self, victim: Victim, sandbox: Sandbox, folder: Path) -> None:
        self._victim = victim
        self._sandbox = sandbox
        self._folder = folder
        self._gates: dict[tuple[type[Gate], str], Gate] = {}
        self._turns = asyncio.Semaphore(BESIDE)

    async def row(self, case: Case, *, kind: str, only_unguarded: bool = False) -> Row:
        """Judge one case, with the policy and, where asked for, without."""
        if case.held:
            got = "held elsewhere" if exists(case.held) else f"no test {case.held}"
            held = got == case.expect
            return Row(case.name, case.title, kind, case.expect, got, held, why=case.held)
        if case.docker and self._sandbox.info.backend != "docker":
            return Row(
                case.name, case.title, kind, case.expect, "not run here", held=True, why="needs Docker"
            )
        async with self._turns:
            started = time.monotonic()
            head = await asyncio.to_thread(self._victim.head, case)
            got, held, why = "not run", True, case.why
            if not only_unguarded:
                report = await self._gate(Gate, case).judge(self._victim.base, head, by_person=case.by_person)
                got, held = _said(report, case.outcome), case.outcome.holds(report)
                if not held or kind == "honest":
                    why = _messages(report) or why
            alone, wanted = "", ""
            if case.without_policy is not None:
                report = await self._gate(Unguarded, case).judge(
                    self._victim.base, head, by_person=case.by_person
                )
                alone, wanted = _said(report, case.without_policy), _word(case.without_policy)
                if not case.without_policy.holds(report):
                    held, why = False, f"{why} without the policy: {_messages(report)}".strip()
            seconds = round(time.monotonic() - started, 1)
        return Row(case.name, case.title, kind, _word(case.outcome), got, held, alone, wanted, seconds, why)

    async def warm(self) -> None:
        """List main's tests and read its types once, so that the cases need not each begin with it."""
        await self._gate(Gate, None).judge(self._victim.base, self._victim.base)

    async def release(self) -> None:
        """Release all gates."""
        for gate in self._gates.values():
            await gate.release()

    def _gate(self, kind: type[Gate], case: Case | None) -> Gate:
        rules = self._victim.rules(case)
        key = (kind, rules.policy)
        if key not in self._gates:
            self._gates[key] = self._new(kind, rules)
        return self._gates[key]

    def _new(self, kind: type[Gate], rules: Rules) -> Gate:
        async def opened() -> Sandbox:
            return self._sandbox

        return kind(self._victim.repo, opened, rules, self._folder / "caches")


def _said(report: GateReport, outcome: Outcome) -> str:
    found = rules_of(report)
    named = outcome.rule if outcome.rule in found else ", ".join(sorted(found))
    word = verdict(report)
    word = "missed" if outcome.expect == "missed" and word == "passed" else word
    return f"{word}: {named}" if named else word


def _word(outcome: Outcome) -> str:
    return f"{outcome.expect}: {outcome.rule}" if outcome.rule else outcome.expect


def _messages(report: GateReport) -> str:
    return "; ".join(dict.fromkeys(finding.message for finding in report.findings))[:600]


def exists(test: str) -> bool:
    """Whether a test, or a file of tests, is there."""
    place, _, name = test.partition("::")
    file = ROOT / place
    if not file.is_file():
        return False
    tree = ast.parse(file.read_text("utf-8"))
    functions = {
        node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    return name in functions if name else any(each.startswith("test_") for each in functions)
