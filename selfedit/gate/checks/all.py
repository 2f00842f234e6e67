"""All checks of one repository in one sandbox, side by side."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Protocol

from policies.load import Rules
from sandbox.types import Sandbox
from selfedit.gate import change, evidence
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

    def run(self, case: Case) -> Coroutine[None, None, list[Check]]:
        """Judge."""


class Checks:
    """The checks that the rules ask for."""

    def __init__(self, repo: Repo, sandbox: Sandbox, rules: Rules, cache: Path) -> None:
        self.sandbox = sandbox
        self.assembler = Assembler(repo, rules)
        kept, wanted = Cache(cache), rules.gate.checks
        self._ready = Readiness(sandbox, rules.gate)
        tests = TestChecks(self._ready, rules, kept)
        self._code = CodeChecks(self._ready, rules.gate, kept)
        self._quick: list[_Part] = [self._code]
        if "tests" in wanted:
            self._quick.append(tests)
        slow: dict[str, _Part] = {
            "trial": TrialCheck(self._ready, rules, kept),
            "contracts": ContractCheck(self._ready, rules.gate),
        }
        self._slow = [part for name, part in slow.items() if name in wanted]
        self._last = ChangeCheck(self._ready, rules, tests) if change.NAME in wanted else None
        self._ending: set[asyncio.Task[list[Check]]] = set()

    async def prepare(self, base: str) -> None:
        """Start judges for the next head on a base; those for another base are given up.

        Raises:
            SandboxUnavailable: There is no sandbox.
            GitFailed: An object cannot be read.
            NotJudgeable: The repository lacks what judging it needs.
        """
        await self._ready.only(base)
        assembly = await asyncio.to_thread(self.assembler.assemble, base, base)
        for part in (*self._quick, *self._slow, *([self._last] if self._last else ())):
            await part.prepare(base, assembly)

    async def run(self, case: Case) -> tuple[Check, ...]:
        """Run all checks; those that are quick alone, where only these are wanted.

        Whether tests would notice a fault is only asked of a change without one: not before the code was read, which
        finds the most, and is soon over where main's types are known; and where another check fails, that question is
        given up, and said to be, however far it came.
        """
        chosen = self._quick if case.quick else [*self._quick, *self._slow]
        started = {part: asyncio.create_task(part.run(case)) for part in chosen}
        tasks = list(started.values())
        asked = self._last if case.base is not None and not case.quick else None
        last = asyncio.create_task(_once_right(started[self._code], asked, case)) if asked else None
        try:
            for ended in asyncio.as_completed(tasks):
                right = all(check.passed for check in await ended)
                if last is not None and not right:
                    _give_up(last)
            found = [check for each in tasks for check in each.result()]
            if asked is not None and last is not None and all(check.passed for check in found):
                tried = await last
                if any(finding.rule == change.NOT_TRIED for check in tried for finding in check.findings):
                    tried = await asked.run(case)  # with nothing beside it that takes its time
                found += tried
            elif last is not None:
                found.append(evidence.left_out(change.NAME, "something else is wrong; mend that first"))
                # Nobody who hears a "no" waits until the sandbox of what was given up is gone; `drop` does.
                self._ending.add(last)
                last.add_done_callback(self._ended)
                last = None
        finally:
            running = [*tasks, *([last] if last else ())]
            for task in running:
                _give_up(task)
            await asyncio.gather(*running, return_exceptions=True)
        return tuple(found)

    def _ended(self, task: asyncio.Task[list[Check]]) -> None:
        self._ending.discard(task)
        if not task.cancelled():
            task.exception()  # whatever it was, nobody wanted to know any more

    async def drop(self) -> None:
        """Give up all judges that wait, and see those end that were given up."""
        try:
            await self._ready.drop()
        finally:
            if self._ending:  # waited for, and not gathered: whoever cancels this does not cut them short
                await asyncio.wait(self._ending)


async def _once_right(before: asyncio.Task[list[Check]], part: _Part, case: Case) -> list[Check]:
    """What a part finds where the one before it finds nothing wrong; else nothing."""
    await asyncio.wait({before})  # whoever is given up here does not end the other one
    if before.cancelled() or before.exception() or not all(check.passed for check in before.result()):
        return []
    return await part.run(case)


def _give_up(task: asyncio.Task[list[Check]]) -> None:
    """Cancel a task once: a second time would cut short how it cleans up."""
    if not task.cancelling():
        task.cancel()
