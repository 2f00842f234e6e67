"""Checks that run code in a sandbox in which nothing else runs, before or beside them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from policies.decision import Finding
from policies.load import GateRules
from sandbox.types import Sandbox
from selfedit.gate import evidence
from selfedit.gate.assemble import Assembly
from selfedit.gate.checks.readiness import Case, Readiness
from selfedit.gate.evidence import Step
from selfedit.gate.inside.trees import TREE
from selfedit.gate.judging import Opening, Order


@dataclass(frozen=True, slots=True)
class Program:
    """A program that gets ready with base's tree, and at its wish looks at the candidate's.

    Attributes:
        name: Of the check.
        what: Names the run in sentences.
        wanted: Whether a repository with these files has what the program needs.
        argv: How it is started.
    """

    name: str
    what: str
    wanted: Callable[[Mapping[str, bytes]], bool]
    argv: Callable[[Sandbox, Assembly], list[str]]


class Alone:
    """One such program in one sandbox."""

    def __init__(self, program: Program, ready: Readiness, gate: GateRules) -> None:
        self._program = program
        self._ready = ready
        self._gate = gate

    async def prepare(self, base: str, assembly: Assembly) -> None:
        """Get ready for heads on a base."""
        if self._program.wanted(assembly.files) and not self._ready.has(self._program.name):
            await self._ready.start(base, assembly, self._opening(assembly))

    async def ask(self, assembly: Assembly, wish: str, case: Case | None = None) -> Step | Finding | None:
        """What the program says of these files; None where they give it nothing to do.

        Args:
            assembly: The files.
            wish: The line that it gets.
            case: Whose candidate these are, so that a judge that waits can be used; None: a fresh one.
        """
        name, what = self._program.name, self._program.what
        if not self._program.wanted(assembly.files):
            return None
        opening, order = self._opening(assembly), Order(lines={name: wish}, alone=True)
        if case is None:
            opened = await self._ready.fresh(opening, order, what)
        else:
            opened = await self._ready.judge(case, opening, order, what)
        if isinstance(opened, Finding):
            return opened
        return opened.report.steps.get(name) or evidence.no("no_report", f"{what} is missing from the report")

    def _opening(self, assembly: Assembly) -> Opening:
        argv = self._program.argv(self._ready.sandbox, assembly)
        return Opening(
            purpose=self._program.name,
            seconds=self._gate.trial_seconds,
            folders={TREE.name: assembly.files},
            servants={self._program.name: argv},
        )
