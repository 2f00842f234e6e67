"""Merging where `main` lives on a forge: asked for there, when everything agrees on the very head that was approved.

Nothing here pushes to `main`, and what became of a merge is read from the forge (see `selfedit.upstream.following`). An approval
stands until it was carried out, taken back, or made void by another head. All of it can be cut short anywhere and done
again; whoever calls holds the lock on moves of `main`, and hears `ForgeDown`.
"""

import asyncio
import contextlib

from policies.decision import Decision
from policies.merge import side_lacking
from policies.rights import may
from selfedit.history.messages import head_message, merge_words
from selfedit.mainline.shared import Shared
from selfedit.objects import Conflict
from selfedit.ports import ForgeDown, Upstream
from selfedit.proposals.pipeline import Pipeline
from selfedit.pulls import PullState, not_yet, queued
from selfedit.types import UNDER_REVIEW, Draft, Proposal, Stage
from selfedit.upstream.following import SEEN, SURFACE, Following
from selfedit.words import one_line


class Merging:
    """Carries approvals out there."""

    def __init__(self, shared: Shared[Upstream], *, pipeline: Pipeline, following: Following) -> None:
        self._shared = shared
        self._pipeline = pipeline
        self._following = following
        self.name = shared.forge.name
        self._queued = f"it {queued(shared.forge.name)}"
        self._fell_out = (
            f"the merge queue on {shared.forge.name} took it out; look at what failed there, then put it back there, or push what "
            "mends it"
        )

    async def merge(self, number: int) -> Proposal | Decision:
        """Carry an approval as far as it goes now: merged there when all agree; else the proposal says what it waits for."""
        proposal = self._shared.record.proposals[number]
        if proposal.stage is not Stage.APPROVED:
            return proposal
        state = await self._shared.forge.look(proposal)
        if state is None or (state.open and state.draft and state.drafted_by is None):
            await self._pipeline.show(number)
            proposal = self._shared.record.proposals[number]
            state = await self._shared.forge.look(proposal)
        if state is not None:
            await self.withdraw(number, state)
            await self._out_of_queue(proposal, state)
        await self._following.follow(hinted=state is not None and bool(state.merged))
        proposal = self._shared.record.proposals[number]
        if proposal.stage is not Stage.APPROVED:
            return proposal
        if state is None:
            return self.wait(number, f"it is being shown on {self._shared.forge.name}")
        if why := hold_up(
            proposal, state, self._shared.repo.branch, self._shared.forge.name
        ) or self._objection(state):
            return self.wait(number, why)
        if why := self._following.hindrance() or self._following.unadopted():
            return self.wait(number, why)
        base = self._shared.repo.main()
        asked = self._shared.record.asked.get(number)
        again = asked is not None and (asked.data["old"], asked.data["head"]) == (base, proposal.head)
        if again and proposal.why in (self._queued, self._fell_out):
            return self.wait(number, self._fell_out)
        if state.checks_required and not self._shared.repo.is_ancestor(base, proposal.head):
            return await self._renew(number, base)
        answer = await self._fit(number, base)
        if answer is not None:
            return answer
        return await self._ask(number, base)

    async def _out_of_queue(self, proposal: Proposal, state: PullState) -> None:
        """What we put into the merge queue and somebody objects to is not to be merged there meanwhile."""
        if state.queued and proposal.number in self._shared.record.asked and self._objection(state):
            await self._shared.forge.unqueue(proposal)

    async def withdraw(self, number: int, state: PullState) -> None:
        """Take back approvals that were given there and do not stand there any more, or whose giver has lost the right."""
        proposal = self._shared.record.proposals[number]
        stand = {
            review.by.id
            for review in state.reviews
            if (review.state, review.head) == ("approved", proposal.approved_head)
            and may("approve", review.by.who, self._shared.record.grants, self._shared.rules).allowed
        }
        called = dict(proposal.names)
        for by in proposal.approvals:
            if not by.startswith(f"{SURFACE}:") or by in stand or state.merged:
                continue
            now = self._shared.record.proposals[number]
            left = tuple(other for other in now.approvals if other != by)
            enough = now.stage is Stage.APPROVED and self._enough(now, left)
            if state.queued and number in self._shared.record.asked and not enough:
                await self._shared.forge.unqueue(proposal)  # first, so that a crash leaves it to be done
            why = f"the approval by {called.get(by, by)} does not stand any more"
            self._shared.record.write("unendorsed", number, by=by, why=why, enough=enough)
            self._shared.tell(number, self._shared.record.proposals[number].stage, why)

    def _enough(self, proposal: Proposal, approvals: tuple[str, ...]) -> bool:
        """Whether these approvals would do."""
        missing = proposal.model_copy(update={"approvals": approvals}).approvals_missing
        return not missing and not side_lacking(approvals, SURFACE, self._shared.rules)

    def _objection(self, state: PullState) -> str:
        """Who of those that may approve asks for changes of this very head; empty when nobody does."""
        against = [
            one_line(review.by.login, 40)
            for review in state.reviews
            if (review.state, review.head) == ("changes_requested", state.head)
            and may("approve", review.by.who, self._shared.record.grants, self._shared.rules).allowed
        ]
        return f"{' and '.join(against)} asked for changes on {self.name}" if against else ""

    async def _ask(self, number: int, base: str) -> Proposal | Decision:
        proposal = self._shared.record.proposals[number]
        report = proposal.report
        if proposal.stage is not Stage.APPROVED:
            return proposal  # turned down, or an approval taken back, while it was judged
        heads = {proposal.head, proposal.approved_head, report.head if report else ""}
        if report is None or report.verdict != "passed" or len(heads) > 1:
            return self.wait(number, "the gate has not passed its head")
        asked = self._shared.record.asked.get(number)
        if asked is None or (asked.data["old"], asked.data["head"]) != (base, proposal.head):
            self._shared.record.write("merging", number, old=base, head=proposal.head, there=True)
        title, message = merge_words(proposal, report, self._shared.record.ledger.last_hash)
        answer = await self._shared.forge.merge(proposal, title, message)
        if isinstance(answer, Decision):
            if answer.findings[0].rule == "behind":
                moved = await self._shared.forge.main() != base
                return self.wait(number, answer.why) if moved else await self._renew(number, base)
            return self.wait(number, answer.why)
        await self._following.follow(hinted=True)
        return self._shared.record.proposals[number]

    async def _fit(self, number: int, base: str) -> Proposal | Decision | None:
        """Judge what would become of it on the present `main`; None when that passed and its approvals are enough."""
        proposal = self._shared.record.proposals[number]
        report = proposal.report
        known = report is not None and self._shared.record.has_passed(report.tree, self._shared.rules.policy)
        if proposal.base != base or not known:
            if isinstance(self._shared.repo.merge_tree(base, proposal.head), Conflict):
                return await self._renew(number, base)
            self._shared.tell(number, Stage.APPROVED, f"{self._shared.repo.branch} moved: judging again")
            report = await self._shared.gate.judge(base, proposal.head)
            if report.verdict == "unknown":
                return self.wait(number, f"it could not be judged: {report.complaint}")
            self._shared.record.write("rejudged", number, base=base, report=report.model_dump(mode="json"))
            if report.verdict != "passed":
                return await self._does_not_fit(number, report.complaint)
        proposal = self._shared.record.proposals[number]
        lacking = side_lacking(proposal.approvals, SURFACE, self._shared.rules)
        if proposal.approvals_missing or lacking:
            why = "it takes one more approval" + (f" ({lacking})" if lacking else "")
            self._shared.record.write("opened", number, why=why, approvals=proposal.approvals)
            return self._shared.record.proposals[number]
        return None

    async def _renew(self, number: int, base: str) -> Proposal | Decision:
        """Another head that contains what `main` is now, because the forge's checks are worth nothing without that."""
        proposal = self._shared.record.proposals[number]
        tree = self._shared.repo.merge_tree(base, proposal.head)
        if isinstance(tree, Conflict):
            if not await asyncio.to_thread(self._pipeline.is_of_its_edits, proposal):
                where = ", ".join(tree.paths[:3])
                return self.wait(
                    number,
                    f"it conflicts with {self._shared.repo.branch} in {where}; people have changed it, so a person has to merge "
                    f"{self._shared.repo.branch} into its branch",
                )
            facts = proposal.model_dump(include={"title", "reason", "edits", "author", "model"})
            made = await asyncio.to_thread(self._pipeline.tree_with, Draft.model_validate(facts), base)
            if not isinstance(made, str):
                return await self._does_not_fit(number, f"it conflicts: {made.message}")
            tree = made
        self._shared.tell(
            number, proposal.stage, f"{self._shared.repo.branch} moved: making a new head that contains it"
        )
        head = self._shared.repo.commit(tree, [base, proposal.head], head_message(number, proposal))
        report = await self._shared.gate.judge(base, head)
        if report.verdict == "unknown":
            return self.wait(number, f"it could not be judged: {report.complaint}")
        if report.verdict != "passed":
            return await self._does_not_fit(number, report.complaint)
        why = (
            f"{self._shared.repo.branch} moved, and its new head contains that; look at it and approve again"
        )
        facts = {"base": base, "head": head, "report": report.model_dump(mode="json"), "why": why}
        self._shared.record.write("revised", number, **facts)
        self._shared.repo.set_ref(f"refs/proposals/{number}/head", head)
        await self._pipeline.show(number)
        return Decision.no("head_moved", why)

    async def _does_not_fit(self, number: int, complaint: str) -> Proposal:
        why = f"together with what {self._shared.repo.branch} is now it does not pass: {complaint}"
        self._shared.record.write("failed", number, why=why)
        self._shared.tell(number, Stage.FAILED, why)
        with contextlib.suppress(
            ForgeDown
        ):  # what is still open there and has ended here is closed in each round
            await self._shared.forge.close(self._shared.record.proposals[number], why)
        return self._shared.record.proposals[number]

    def lost(self, number: int, state: PullState) -> None:
        """Say of what was merged there, and is not on `main` there, what is to become of it."""
        proposal, there = self._shared.record.proposals[number], self._shared.repo.resolve(SEEN)
        branch, base = self._shared.repo.branch, one_line(state.base, 60)
        if proposal.stage not in UNDER_REVIEW or there is None:
            return
        if state.base and state.base != branch:  # what is merged cannot be opened again
            why = f"it was merged into {base} on {self.name}, and not into {branch}; ask for it again"
            by = state.merged_by.id if state.merged_by else ""
            self._shared.record.write("rejected", number, by=by, why=why)
            self._shared.tell(number, Stage.REJECTED, why)
        elif self._shared.repo.resolve(state.merged) is None or not self._shared.repo.is_ancestor(
            state.merged, there
        ):
            self.wait(
                number,
                f"it was merged on {self.name} as {state.merged[:12]}, which {branch} there does not have any more; put that "
                f"back there, or turn it down: /reject {number}",
            )

    def wait(self, number: int, why: str) -> Proposal:
        """Say what a proposal waits for; written down only where that is another sentence."""
        if self._shared.record.wait(number, why):
            self._shared.tell(number, self._shared.record.proposals[number].stage, why)
        return self._shared.record.proposals[number]


def hold_up(proposal: Proposal, state: PullState, branch: str, name: str) -> str:
    """What keeps a pull request from being merged now, as a sentence; empty when it may be tried. Pure."""
    if state.merged:
        return f"it is merged on {name}, and {branch} is being followed"
    if state.head != proposal.head:
        return f"its branch on {name} has another head, which is looked at first"
    if not state.open:
        return f"its pull request on {name} is closed"
    why = not_yet(state, branch, name)
    return f"it {why}" if why else ""
