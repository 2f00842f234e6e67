"""A larger goal as a row of small proposals: each part is asked for when the one before is kept.

Nothing of a row is remembered here: which part comes next follows from the ledger, each time anew, and so after a restart.
A row is never longer than it was planned, and no part of it is split again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from policies.decision import Decision
from policies.load import Rules
from policies.rights import Person, may
from selfedit.history.record import Record
from selfedit.ports import Announce
from selfedit.proposals.pipeline import Pipeline
from selfedit.types import UNDER_REVIEW, Part, Proposal, Request, Stage

NOT_SPLIT = "what is under review is not split; say which part of it should go"
"""Said where a draft under review was to become several."""
TRIES = 3
"""A part that never became a change, because of a restart or because no model could be reached, is asked for so often."""
ROW = "theseus:row"
"""Who turns down the parts of a row that was turned down as a whole."""
_ENDED = (Stage.REFUSED, Stage.FAILED, Stage.REJECTED, Stage.REVERTED)


@dataclass(frozen=True, slots=True)
class Over:
    """A row has ended, and why."""

    why: str


def next_step(whole: Proposal, proposals: Mapping[int, Proposal]) -> int | Over | None:
    """What is to be done about a row: ask for the part of this number, end it, or (None) wait.

    Args:
        whole: The request that was split, whose row is open.
        proposals: All proposals.
    """
    count = len(whole.parts)
    for number in range(1, count + 1):
        if number > len(whole.begun):
            return number
        one = proposals[whole.begun[number - 1]]
        if one.stage is Stage.KEPT:
            continue
        if one.stage is Stage.FAILED and not one.head and _tries(whole, number, proposals) < TRIES:
            return number
        if one.stage in _ENDED:
            return Over(_ended(whole, number, one))
        return None
    return Over(f"all {count} parts are kept")


class Rows:
    """Carries rows on."""

    def __init__(
        self,
        *,
        record: Record,
        pipeline: Pipeline,
        rules: Rules,
        hindrance: Callable[[], str],
        tell: Announce,
    ) -> None:
        """Look after the rows of a ledger.

        Args:
            record: What happened.
            pipeline: Carries each part.
            rules: They say who may ask for changes.
            hindrance: Why nothing can be asked for now; empty when it can. Rows wait for that.
            tell: Hears of progress.
        """
        self._record = record
        self._pipeline = pipeline
        self._rules = rules
        self._hindrance = hindrance
        self._tell = tell

    async def look(self) -> None:
        """Carry on whatever can be carried on; may be called at any time, any number of times."""
        for one in list(self._record.proposals.values()):
            if one.row_open:
                await self.go_on(one.number)
            elif one.parts and one.stage is Stage.REJECTED:
                await self._reject_parts(one)

    async def go_on(self, number: int) -> Proposal | None:
        """Do what a row needs next.

        Returns:
            The part that was asked for, as far as it came; None where there was none to ask for.
        """
        whole = self._record.proposals[number]
        step = next_step(whole, self._record.proposals) if whole.row_open else None
        if isinstance(step, int):
            asker = Person(whole.requested_by, frozenset(self._record.asked_as.get(number, ())))
            if not may("propose", asker, self._record.grants, self._rules).allowed:
                step = Over(f"{asker.id} may not ask for changes any more, so part {step} is not begun")
        if isinstance(step, Over):
            self._record.write("row_ended", number, why=step.why)
            self._tell(number, whole.stage, step.why)
            return None
        if step is None or self._hindrance():
            return None
        part = Part(of=number, number=step, count=len(whole.parts), whole=whole.goal or "")
        request = Request(requested_by=whole.requested_by, goal=whole.parts[step - 1], part=part)
        fresh = self._record.next_number
        self._tell(number, whole.stage, f"part {step} of {part.count} is asked for as proposal {fresh}")
        return await self._pipeline.improve(request, self._record.asked_as.get(number, ()))

    async def reject(self, number: int, by: str, why: str) -> Proposal | Decision:
        """Turn a row down as a whole: no part is begun any more, and what waits for reviewers is turned down with it."""
        whole = self._record.proposals[number]
        if not whole.row_open:
            return Decision.no(
                "row_over", f"the parts of proposal {number} have ended; there is nothing to reject"
            )
        self._record.write("rejected", number, by=by, why=why or f"no reason given by {by}")
        self._tell(number, Stage.REJECTED, f"turned down by {by}, with the parts that are not merged")
        await self._reject_parts(self._record.proposals[number])
        return self._record.proposals[number]

    async def _reject_parts(self, whole: Proposal) -> None:
        for number in whole.begun:
            if self._record.proposals[number].stage in UNDER_REVIEW:
                why = f"proposal {whole.number}, of which it is a part, was turned down: {whole.why}"
                await self._pipeline.reject(number, ROW, why)


def _tries(whole: Proposal, number: int, proposals: Mapping[int, Proposal]) -> int:
    parts = [one.part for one in proposals.values() if one.part is not None]
    return sum((part.of, part.number) == (whole.number, number) for part in parts)


def _ended(whole: Proposal, number: int, one: Proposal) -> str:
    said = (
        f"part {number} of {len(whole.parts)} (proposal {one.number}) was {_WORDS.get(one.stage, one.stage)}"
    )
    left = len(whole.parts) - len(whole.begun)
    if not left:
        return f"{said}; no part is left"
    rest = (
        f"part {len(whole.parts)} is"
        if left == 1
        else f"parts {len(whole.begun) + 1} to {len(whole.parts)} are"
    )
    return f"{said}, so {rest} not begun; /improve asks for what is still wanted"


_WORDS = {Stage.REJECTED: "turned down", Stage.REVERTED: "taken back", Stage.FAILED: "not carried through"}
