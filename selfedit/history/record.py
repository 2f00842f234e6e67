"""The ledger, and the state that its moves add up to.

Reading the ledger from the start and writing a new move go through the same functions, one a kind of move, so that a
restart sees what was there before.
"""

from typing import Any

from selfedit.history import of_main, of_proposals
from selfedit.history.ledger import Ledger, Move
from selfedit.history.state import State
from selfedit.types import LEGAL, Stage

_EFFECTS = of_proposals.EFFECTS | of_main.EFFECTS
_STAGES = {
    kind: Stage(kind)
    for kind in (
        "drafted",
        "gated",
        "opened",
        "approved",
        "merged",
        "live",
        "kept",
        "reverted",
        "refused",
        "failed",
        "rejected",
        "split",
    )
} | {"revised": Stage.OPENED, "unendorsed": Stage.OPENED}


class IllegalMove(Exception):
    """A move that the table of legal moves does not know: a fault of ours, or a ledger of another version."""


class Record(State):
    """The ledger, and the state that it tells of."""

    def __init__(self, ledger: Ledger) -> None:
        """Read the whole ledger.

        Raises:
            LedgerProblem: It cannot be read.
        """
        super().__init__()
        self.ledger = ledger
        for move in ledger.moves():
            self._apply(move)

    def write(self, kind: str, number: int | None = None, **data: Any) -> Move:
        """Write a move to the ledger, and take it into account.

        Raises:
            LedgerProblem: It could not be written; then nothing has changed.
        """
        if (stage := _STAGES.get(kind)) and number in self.proposals:
            before = self.proposals[number].stage
            if stage not in LEGAL.get(before, frozenset()):
                raise IllegalMove(f"proposal {number} cannot go from {before} to {stage}")
        move = self.ledger.append(kind, number, **data)
        self._apply(move)
        return move

    def wait(self, number: int, why: str) -> bool:
        """Say what a proposal waits for; written, and true, only where that is another sentence than before."""
        if self.proposals[number].why == why:
            return False
        self.write("waiting", number, why=why)
        return True

    def _apply(self, move: Move) -> None:
        # Those that are not there are only told: the steward's starts and ends, restarts of the bot.
        if effect := _EFFECTS.get(move.kind):
            effect(self, move)
