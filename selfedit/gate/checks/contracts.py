"""Contracts: what base promises of its live code, asked of a process that shares nothing with what compares."""

from policies.decision import Finding
from policies.load import GateRules
from selfedit.gate import contracts, evidence
from selfedit.gate.assemble import Assembly
from selfedit.gate.checks.alone import Alone, Program
from selfedit.gate.checks.readiness import Case, Readiness
from selfedit.gate.inside.trees import TREE
from selfedit.types import Check

PROGRAM = Program(
    name=contracts.NAME,
    what="asking the live code what main promises of it",
    wanted=contracts.wanted,
    argv=lambda sandbox, assembly: contracts.argv(sandbox.python, str(TREE), assembly.settings.inside()),
)


class ContractCheck:
    """Asks the candidate with values that nobody has seen before."""

    def __init__(self, ready: Readiness, gate: GateRules) -> None:
        self._alone = Alone(PROGRAM, ready, gate)

    async def prepare(self, base: str, assembly: Assembly) -> None:
        """Get ready for heads on a base."""
        await self._alone.prepare(base, assembly)

    async def run(self, case: Case) -> list[Check]:
        """Try each contract."""
        said = await self._alone.ask(case.assembly, contracts.line(), case)
        if said is None:
            return []
        if isinstance(said, Finding):
            return [evidence.failed(PROGRAM.name, said)]
        return [contracts.contracts_check(said)]
