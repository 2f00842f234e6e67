"""A proposal that was approved for another `main`: judged on the present one, or, where texts conflict, applied anew."""

import asyncio

from policies.decision import Decision
from selfedit.mainline.shared import Shared
from selfedit.ports import Forge
from selfedit.proposals.pipeline import Pipeline
from selfedit.repo import Conflict
from selfedit.types import Draft, Proposal, Stage


class Refit:
    """Fits approved proposals to what `main` is now."""

    def __init__(self, shared: Shared[Forge], pipeline: Pipeline) -> None:
        self._shared = shared
        self._pipeline = pipeline

    async def judge_again(self, proposal: Proposal, base: str) -> Proposal | Decision | None:
        """Main moved, so judge what would become of it now; None when that passed."""
        number = proposal.number
        self._shared.tell(
            number, Stage.APPROVED, f"{self._shared.repo.branch} moved: merging and judging again"
        )
        if isinstance(self._shared.repo.merge_tree(base, proposal.head), Conflict):
            return await self._replay(proposal, base)
        report = await self._shared.gate.judge(base, proposal.head)
        if report.verdict == "unknown":
            why = f"it could not be judged on the present {self._shared.repo.branch}: {report.complaint}"
            self._shared.record.write("opened", number, why=why)
            return Decision.no("not_judged", why)
        self._shared.record.write("rejudged", number, base=base, report=report.model_dump(mode="json"))
        return None if report.verdict == "passed" else await self._does_not_fit(number, report.complaint)

    async def _replay(self, proposal: Proposal, base: str) -> Proposal | Decision:
        """The texts conflict, but edits are no text: apply them to the new base, which makes a new head."""
        number = proposal.number
        if not await asyncio.to_thread(self._pipeline.is_of_its_edits, proposal):
            return await self._does_not_fit(
                number, "it conflicts, and people have changed it, so its edits are not all there is to apply"
            )
        facts = proposal.model_dump(include={"title", "reason", "edits", "author", "model"})
        draft = Draft.model_validate(facts)
        fault = await self._pipeline.write_head(number, draft, base)
        if fault is not None:
            return await self._does_not_fit(number, f"it conflicts: {fault.message}")
        return await self.judge_new_head(number)

    async def judge_new_head(self, number: int) -> Proposal | Decision:
        """Judge a head that nobody approved, and ask for its approval."""
        fresh = self._shared.record.proposals[number]
        report = await self._shared.gate.judge(fresh.base, fresh.head)
        self._shared.record.write("rejudged", number, base=fresh.base, report=report.model_dump(mode="json"))
        if report.verdict != "passed":
            return await self._does_not_fit(number, report.complaint)
        why = f"{self._shared.repo.branch} moved and the edits were applied to it anew; look at the new head and approve again"
        self._shared.record.write("opened", number, why=why)
        await self._shared.forge.open(self._shared.record.proposals[number])
        return Decision.no("head_moved", why)

    async def _does_not_fit(self, number: int, complaint: str) -> Proposal:
        why = f"together with what {self._shared.repo.branch} is now it does not pass: {complaint}"
        self._shared.record.write("failed", number, why=why)
        await self._shared.forge.close(self._shared.record.proposals[number], why)
        self._shared.tell(number, Stage.FAILED, why)
        return self._shared.record.proposals[number]
