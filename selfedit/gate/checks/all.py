"""All checks of one repository in one sandbox, side by side."""

import asyncio
from pathlib import Path
from typing import Protocol

from policies.load import Rules
from sandbox.types import Sandbox
from selfedit.gate.assemble import Assembler, Assembly
from selfedit.gate.cache import Cache
from selfedit.gate.checks.change import ChangeCheck
from selfedit.gate.checks.code import CodeChecks
from selfedit.gate.checks.contracts import ContractCheck
from selfedit.gate.checks.readiness import Case, Readiness
from selfedit.gate.checks.tests import TestChecks
from selfedit.gate.checks.trial import TrialCheck
from selfedit.repo import Repo
from selfedit.types import Check


class _Part(Protocol):
    async def prepare(self, base: str, assembly: Assembly) -> None:
        """Get ready for heads on a base."""

    async def run(self, case: Case) -> list[Check]:
        """Judge."""


class Checks:
    """The checks that the rules ask for."""

    def __init__(self, repo: Repo, sandbox: Sandbox, rules: Rules, cache: Path) -> None:
        self.sandbox = sandbox
        self.assembler = Assembler(repo, rules)
        kept, wanted = Cache(cache), rules.gate.checks
        self._ready = Readiness(sandbox, rules.gate)
        tests = TestChecks(self._ready, rules, kept)
        self._quick: list[_Part] = [CodeChecks(self._ready, rules.gate, kept)]
        if "tests" in wanted:
            self._quick.append(tests)
        slow: dict[str, _Part] = {
            "trial": TrialCheck(self._ready, rules, kept),
            "contracts": ContractCheck(self._ready, rules.gate),
            "change": ChangeCheck(self._ready, rules, tests),
        }
        self._slow = [part for name, part in slow.items() if name in wanted]

    async def prepare(self, base: str) -> None:
        """Start judges for the next head on a base; those for another base are given up.

        Raises:
            SandboxUnavailable: There is no sandbox.
            GitFailed: An object cannot be read.
            NotJudgeable: The repository lacks what judging it needs.
        """
        await self._ready.only(base)
        assembly = await asyncio.to_thread(self.assembler.assemble, base, base)
        for part in (*self._quick, *self._slow):
            await part.prepare(base, assembly)

    async def run(self, case: Case) -> tuple[Check, ...]:
        """Run all checks; those that are quick alone, where only these are wanted."""
        chosen = self._quick if case.quick else [*self._quick, *self._slow]
        tasks = [asyncio.ensure_future(part.run(case)) for part in chosen]
        try:
            found = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return tuple(check for part in found for check in part)

    async def drop(self) -> None:
        """Give up all judges that wait."""
        await self._ready.drop()
