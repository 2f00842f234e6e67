"""A proposal that was approved for another `main`: judged on the present one, or, where texts conflict, applied anew."""

import asyncio

from policies.decision import Decision
from selfedit.history.messages import head_message
from selfedit.mainline.shared import Shared
from selfedit.objects import Conflict
from selfedit.ports import Forge
from selfedit.proposals.pipeline import Pipeline
from selfedit.types import Draft, GateReport, Proposal, Stage


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
            return self._not_judged(number, report)
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
        made = await asyncio.to_thread(self._pipeline.tree_with, Draft.model_validate(facts), base)
        if not isinstance(made, str):
            return await self._does_not_fit(number, f"it conflicts: {made.message}")
        head = self._shared.repo.commit(made, [base], head_message(number, proposal))
        report = await self._shared.gate.judge(base, head)
        if (
            report.verdict == "unknown"
        ):  # the head that was looked at stays, so that approving it again is enough
            return self._not_judged(number, report)
        self._shared.record.write("headed", number, base=base, head=head, branch=proposal.branch)
        self._shared.repo.set_ref(f"refs/proposals/{number}/head", head)
        return await self._with_new_head(number, report)

    async def judge_new_head(self, number: int) -> Proposal | Decision:
        """Judge a head that nobody approved and that a crash left without a verdict.

        While that cannot be done it waits: it is neither merged nor at its end, and is judged at the next start.
        """
        fresh = self._shared.record.proposals[number]
        report = await self._shared.gate.judge(fresh.base, fresh.head)
        if report.verdict != "unknown":
            return await self._with_new_head(number, report)
        why = f"its new head could not be judged: {report.complaint}; that is tried again at the next start"
        if self._shared.record.wait(number, why):
            self._shared.tell(number, fresh.stage, why)
        return Decision.no("not_judged", why)

    async def _with_new_head(self, number: int, report: GateReport) -> Proposal | Decision:
        """Ask for the approval of a head that nobody approved, if it passed."""
        fresh = self._shared.record.proposals[number]
        self._shared.record.write("rejudged", number, base=fresh.base, report=report.model_dump(mode="json"))
        if report.verdict != "passed":
            return await self._does_not_fit(number, report.complaint)
        why = f"{self._shared.repo.branch} moved and the edits were applied to it anew; look at the new head and approve again"
        self._shared.record.write("opened", number, why=why)
        await self._shared.forge.open(self._shared.record.proposals[number])
        return Decision.no("head_moved", why)

    def _not_judged(self, number: int, report: GateReport) -> Decision:
        """Nothing is known of it: it stays open, and its approval is void, as that of each merge that came to nothing."""
        branch = self._shared.repo.branch
        why = f"it could not be judged on the present {branch}: {report.complaint}; mend that, then approve it again"
        self._shared.record.write("opened", number, why=why)
        self._shared.tell(number, Stage.OPENED, why)
        return Decision.no("not_judged", why)

    async def _does_not_fit(self, number: int, complaint: str) -> Proposal:
        why = f"together with what {self._shared.repo.branch} is now it does not pass: {complaint}"
        self._shared.record.write("failed", number, why=why)
        await self._shared.forge.close(self._shared.record.proposals[number], why)
        self._shared.tell(number, Stage.FAILED, why)
        return self._shared.record.proposals[number]
