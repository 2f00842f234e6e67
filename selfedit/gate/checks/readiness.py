"""Judges that were started ahead for heads on one base, and are used once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from policies.decision import Finding
from policies.load import GateRules
from sandbox.types import Sandbox
from selfedit.gate.assemble import Assembly
from selfedit.gate.evidence import Opened
from selfedit.gate.inside.trees import TREE
from selfedit.gate.judging import Judging, Opening, Order, difference


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged, by one check of many.

    Attributes:
        assembly: The files, and the settings that apply.
        base: The commit whose settings, tests and kernel these are; None where a person's commit brings its own.
        base_assembly: The same files as they are on base.
        changed: Python files that the change writes, with what stood there before (empty: nothing).
        quick: Only what an author needs to hear soon; never good for a merge.
    """

    assembly: Assembly
    base: str | None
    base_assembly: Assembly
    changed: Mapping[str, bytes]
    quick: bool = False


@dataclass(frozen=True, slots=True)
class _Waiting:
    base: str
    assembly: Assembly
    judging: Judging


class Readiness:
    """The judges of one sandbox, by the purpose of their opening."""

    def __init__(self, sandbox: Sandbox, gate: GateRules) -> None:
        self.sandbox = sandbox
        self._gate = gate
        self._waiting: dict[str, _Waiting] = {}

    async def only(self, base: str) -> None:
        """Give up those that wait for heads on another base, or wait no more."""
        for purpose, waiting in list(self._waiting.items()):
            useless = waiting.base != base or not waiting.judging.alive
            if useless and (mine := self._waiting.pop(purpose, None)):  # it may have been taken meanwhile
                await mine.judging.drop()

    def has(self, purpose: str) -> bool:
        """Whether one waits already."""
        return purpose in self._waiting

    async def start(self, base: str, assembly: Assembly, opening: Opening) -> None:
        """Start one with base's tree in it."""
        wait = self._gate.wait_seconds
        judging = await Judging.start(self.sandbox, opening, self._gate, wait_seconds=wait)
        before = self._waiting.get(opening.purpose)
        self._waiting[opening.purpose] = _Waiting(base, assembly, judging)
        if before is not None:
            await before.judging.drop()

    async def judge(self, case: Case, opening: Opening, order: Order, what: str) -> Opened | Finding:
        """Use the judge that waits for heads on this base, or start one now; `what` names the run in sentences.

        For what an author needs to hear soon, nobody waits for the end of the sandbox.

        Raises:
            SandboxUnavailable: The sandbox failed, so nothing is known.
        """
        waiting = self._waiting.pop(opening.purpose, None)
        if waiting is not None and (waiting.base != case.base or not waiting.judging.alive):
            await waiting.judging.drop()
            waiting = None
        if waiting is None:
            return await self.fresh(opening, order, what, soon=case.quick)
        written, removed = difference(waiting.assembly.files, case.assembly.files, TREE.name)
        changed = replace(order, folders={**order.folders, TREE.name: written}, removed=removed)
        return await waiting.judging.finish(changed, what, soon=case.quick)

    async def fresh(
        self, opening: Opening, order: Order, what: str, *, soon: bool = False
    ) -> Opened | Finding:
        """Start one, and use it.

        Raises:
            SandboxUnavailable: The sandbox failed, so nothing is known.
        """
        judging = await Judging.start(self.sandbox, opening, self._gate)
        return await judging.finish(order, what, soon=soon)

    async def drop(self) -> None:
        """Give up all that wait."""
        while self._waiting:
            await self._waiting.popitem()[1].judging.drop()
