"""Everything that moves `main`: merging, taking back, adopting people's commits.

A move of `main` is announced in the ledger with both ends (`merging`, `reverting`, `adopting`), made by
compare-and-swap, and then confirmed. `settle` finds announced moves that were never confirmed and
finishes or abandons them; it is safe to call at any time, any number of times.
"""

import asyncio

from policies.decision import Decision, Finding
from policies.merge import Candidate, may_approve, may_decide, side_lacking
from policies.rights import Person, basis, through
from selfedit.answers.telling import known_as
from selfedit.commands import GitFailed
from selfedit.history.attestation import of_revert
from selfedit.history.ledger import LedgerProblem, Move
from selfedit.history.messages import merge_message, revert_message
from selfedit.mainline.adoption import Adoption
from selfedit.mainline.refit import Refit
from selfedit.mainline.shared import Shared
from selfedit.mainline.undone import confirm, without
from selfedit.ports import Forge
from selfedit.proposals.pipeline import Pipeline, no_such
from selfedit.repo import RepoProblem
from selfedit.running.loader import NotLoadable
from selfedit.running.serving import Serving
from selfedit.types import STANDING, Proposal, Stage

AUTOMATIC = "theseus:watch"
EFFECT_FAILED = (GitFailed, RepoProblem, OSError)


class Mainline:
    """Moves `main`, one move at a time."""

    surface = ""
    """Before the colon in the names of people on the forge where `main` lives; empty where it lives here."""

    def __init__(self, shared: Shared[Forge], *, pipeline: Pipeline, serving: Serving) -> None:
        self._shared = shared
        self._serving = serving
        self._pipeline = pipeline
        self._adoption = Adoption(shared)
        self._refit = Refit(shared, pipeline)
        self._moving = asyncio.Lock()
        self._void: dict[int, str] = {}
        """Approvals that came to nothing while the ledger could not be written, and why."""
        self.kernel_moved = False
        """Whether a rollback took commits of people along that changed the kernel, so that it must start again."""

    # What people ask for

    async def approve(self, number: int, who: Person, looked_at: str | None) -> Proposal | Decision:
        """Approve a head; with the last approval that it takes, merge it and bring it to life."""
        by = who.id
        if number not in self._shared.record.proposals:
            return no_such(number)
        async with self._moving:
            decision = may_approve(
                self._candidate(number), who, looked_at, self._shared.rules, self._shared.record.grants
            )
            if not decision.allowed:
                return decision
            proposal = self._shared.record.proposals[number]
            facts = self._given(proposal, who)
            known = known_as(proposal, by)
            lacking = side_lacking((*proposal.approvals, by), self.surface, self._shared.rules)
            if proposal.approvals_missing > 1 or lacking:
                self._shared.record.write("endorsed", number, **facts)
                self._shared.tell(
                    number,
                    Stage.OPENED,
                    f"approved by {known}; it takes one more approval {lacking}".rstrip(),
                )
                return self._shared.record.proposals[number]
            self._shared.record.write("approved", number, **facts)
            self._shared.tell(number, Stage.APPROVED, f"approved by {known}")
            answer = await self._merge(number)
        merged = self._shared.record.proposals[number].stage is Stage.MERGED
        return await self._bring_to_life(number) if merged else answer

    async def reject(self, number: int, by: str, why: str) -> Proposal | Decision:
        """Turn a proposal down that is not merged yet."""
        return await self._pipeline.reject(number, by, why)

    async def rollback(self, number: int | None, who: Person, why: str) -> Proposal | Decision:
        """Take a merged proposal back because somebody asked for it."""
        newest = self._shared.record.newest_merged()
        proposal = newest if number is None else self._shared.record.proposals.get(number)
        if proposal is None:
            return (
                Decision.no("nothing_merged", "there is nothing to take back")
                if number is None
                else no_such(number)
            )
        if proposal.stage not in STANDING:
            return Decision.no(
                "not_merged",
                f"proposal {proposal.number} is {proposal.stage}; only a merged one can be taken back",
            )
        if (now := self._shared.repo.main()) != self._shared.record.newest:
            return Decision.no(
                "main_moved",
                f"{self._shared.repo.branch} was moved by hand to {now[:12]}; nothing is taken back before that is settled "
                f"(the steward left it at {self._shared.record.newest[:12]})",
            )
        decision = may_decide(who, "", self._shared.rules, self._shared.record.grants)
        return await self.take_back(proposal.number, who.id, why) if decision.allowed else decision

    # What the steward does by itself

    async def take_back(self, number: int, by: str, why: str) -> Proposal | Decision:
        """Revert a merged proposal as a new commit, and load what `main` is then."""
        if self.busy:
            self._shared.tell(
                number,
                self._shared.record.proposals[number].stage,
                f"waiting until {self._shared.repo.branch} is free",
            )
        async with self._moving:
            proposal = self._shared.record.proposals[number]
            if proposal.stage not in STANDING:
                self._shared.record.owed.pop(number, None)
                await self._serving.load()
                return proposal
            try:
                refusal = await self._revert(proposal, by, why)
            except EFFECT_FAILED as error:
                refusal = self._call_off(number, error)
        if refusal is not None:
            return refusal
        self._shared.tell(number, Stage.REVERTED, f"taken back: {self._shared.record.proposals[number].why}")
        await self._serving.load()
        return self._shared.record.proposals[number]

    async def condemn(self, number: int, why: str) -> Proposal | Decision:
        """The watch found a proposal bad: serve what was there before, and take it back as soon as that can be done."""
        try:
            self._shared.record.write("condemned", number, why=why)
        except LedgerProblem:
            self._shared.record.owed[number] = why  # true all the same for as long as this process lives
        await self._serving.load()  # a revert may have to be judged first, which may take minutes
        if self.busy:  # so may what somebody else has begun
            return Decision.no(
                "main_busy",
                f"{self._shared.repo.branch} is being worked on; until then what ran before serves",
            )
        return await self._pay(number, why)

    async def pay(self) -> list[int]:
        """Take back what is owed to be, as far as it is possible now; the numbers."""
        owed = list(self._shared.record.owed.items())
        return [number for number, why in owed if isinstance(await self._pay(number, why), Proposal)]

    async def _pay(self, number: int, why: str) -> Proposal | Decision:
        try:
            return await self.take_back(number, AUTOMATIC, why)
        except (LedgerProblem, *EFFECT_FAILED) as error:
            return Decision.no("not_taken_back", str(error))

    async def settle(self) -> None:
        """Finish or call off every announced move of `main` that was not confirmed, and approvals not yet acted on.

        An approval whose effect failed while somebody waited for it was answered and is void. One that a crash
        cut short was never answered, and is carried out.
        """
        async with self._moving:
            for number, why in list(self._void.items()):
                move = self._shared.record.pending.get(number)
                if move is None or self._shared.repo.main() == move.data["old"]:
                    self._reopen(number, why)
                self._void.pop(number, None)
            for move in list(self._shared.record.pending.values()):
                try:
                    await self._finish(move)
                except EFFECT_FAILED as error:
                    if move.kind == "merging":
                        self._call_off(move.number or 0, error)
                    # Else it stays announced and is tried again: what is being taken back must not stay.
            if self._shared.record.adopting is not None:
                self._adoption.finish(self._shared.record.adopting)
            for proposal in list(self._shared.record.proposals.values()):
                if proposal.stage is Stage.APPROVED and proposal.number not in self._shared.record.pending:
                    await self._merge(proposal.number)

    @property
    def busy(self) -> bool:
        """Whether somebody moves `main`, or judges what it is to become."""
        return self._moving.locked()

    @property
    def unsettled(self) -> bool:
        """Whether a move of `main` waits to be finished or called off."""
        return bool(self._shared.record.pending or self._void)

    async def adopt(self) -> str | None:
        """Judge commits that people put on `main`, and vouch for them; None, or why `main` is not what runs."""
        async with self._moving:
            return await self._adoption.adopt()

    def hindrance(self) -> str | None:
        """Why nothing can be built on `main` before a person acts; None when nothing is known of such."""
        return self._adoption.hindrance()

    # Private

    async def _merge(self, number: int) -> Proposal | Decision:
        """Merge an approved proposal. Where that fails, its approval is void: it is not merged unasked later."""
        try:
            return await self._merge_now(number)
        except EFFECT_FAILED as error:
            return self._call_off(number, error)
        except LedgerProblem as error:
            self._void[number] = f"it was not merged: {error}; approve it again"
            raise

    async def _merge_now(self, number: int) -> Proposal | Decision:
        proposal = self._shared.record.proposals[number]
        if proposal.approved_head != proposal.head:  # a crash came between a new head and its verdict
            return await self._refit.judge_new_head(number)
        old = self._shared.repo.main()
        if (
            proposal.base != old
            or proposal.report is None
            or not self._shared.record.has_passed(proposal.report.tree, self._shared.rules.policy)
        ):
            answer = await self._refit.judge_again(proposal, old)
            if answer is not None:
                return answer
            proposal = self._shared.record.proposals[number]
        report = proposal.report
        if report is None:
            raise GitFailed(f"proposal {number} has no report")
        if proposal.approvals_missing:
            why = f"with what {self._shared.repo.branch} is now, the gate has findings that a second person has to look at"
            self._shared.record.write("opened", number, why=why, approvals=proposal.approvals)
            return self._shared.record.proposals[number]
        message = merge_message(proposal, report, self._shared.record.ledger.last_hash)
        merge = self._shared.repo.commit(
            report.tree, [old, proposal.head], message, self._shared.signer.settings
        )
        if problem := self._shared.repo.in_the_way(old, merge):
            self._shared.record.write("opened", number, why=problem)
            return Decision.no("working_tree", problem)
        self._shared.repo.set_ref(f"refs/proposals/{number}/before", old)
        self._shared.record.write("merging", number, old=old, new=merge)
        if problem := await self._finish(self._shared.record.pending[number]):
            return Decision.no("not_moved", problem)
        self._shared.tell(number, Stage.MERGED, f"merged as {merge[:12]}")
        return self._shared.record.proposals[number]

    async def _bring_to_life(self, number: int) -> Proposal | Decision:
        try:
            finding = await self._serving.try_load(self._serving.target())
        except ConnectionError:
            finding = None  # the bot died of it, or just then: whoever starts it again decides
        except NotLoadable as error:
            finding = Finding(rule="not_loaded", message=str(error))
        if finding is not None:
            return await self.take_back(number, AUTOMATIC, f"it could not be loaded: {finding.message}")
        return self._shared.record.proposals[number]

    async def _revert(self, proposal: Proposal, by: str, why: str) -> Decision | None:
        old, number = self._shared.repo.main(), proposal.number
        plan = await without(proposal, old, self._shared, automatic=by == AUTOMATIC)
        if isinstance(plan, Decision):
            return plan
        if plan.words:
            why = f"{why}; {plan.words}"
        vouched = of_revert(proposal, plan.tree, by, self._shared.rules.policy, passed=plan.passed)
        message = revert_message(proposal, by, why, self._shared.record.ledger.last_hash, vouched)
        revert = self._shared.repo.commit(plan.tree, [old], message, self._shared.signer.settings)
        if problem := self._shared.repo.in_the_way(old, revert):
            return Decision.no("working_tree", problem)
        lost = {"also": plan.proposals, "dropped": plan.commits}
        judged = {"tree": plan.tree, "policy": self._shared.rules.policy} if plan.passed else {}
        self._shared.record.write(
            "reverting", number, old=old, new=revert, why=why, by=by, **lost, judged=judged
        )
        problem = await self._finish(self._shared.record.pending[number])
        return Decision.no("not_moved", problem) if problem else None

    async def _finish(self, move: Move) -> str | None:
        number, old, new = move.number or 0, move.data["old"], move.data["new"]
        main = self._shared.repo.main()
        if main == old:
            if problem := self._shared.repo.move_branch(new, old):
                return self._abandon(move, problem)
        elif main == new:
            self._shared.repo.follow(old, new)
        elif not self._shared.repo.is_ancestor(new, main):
            return self._abandon(move, f"{self._shared.repo.branch} moved in the meantime; approve again")
        if move.kind == "merging":
            self._shared.record.write("merged", number, merge=new, base=old)
        else:
            self._confirm_revert(move)
        await self._shared.forge.close(self._shared.record.proposals[number], move.kind)
        return None

    def _confirm_revert(self, move: Move) -> None:
        revert, dropped = move.data["new"], move.data.get("dropped", ())
        confirm(self._shared.record, self._shared.tell, move.number or 0, revert, move.data)
        live = self._shared.rules.zones.live
        changes = self._shared.repo.changes(move.data["old"], revert) if dropped else []
        self.kernel_moved |= any(not change.path.startswith(live) for change in changes)

    def _abandon(self, move: Move, why: str) -> str:
        self._shared.record.write("abandoned", move.number, why=why)
        if move.kind == "merging" and move.number is not None:
            self._shared.record.write("opened", move.number, why=why)
        return why

    def _call_off(self, number: int, error: Exception) -> Decision:
        """An effect failed and somebody is told: what `main` has not made by now is not to happen unasked later."""
        move = self._shared.record.pending.get(number)
        if move is not None and self._shared.repo.main() != move.data["old"]:
            return Decision.no(
                "not_followed",
                f"{self._shared.repo.branch} has moved, but the working tree could not follow ({error}); it is tried again",
            )
        if self._shared.record.proposals[number].stage is not Stage.APPROVED:
            why = f"it was not taken back: {error}; mend that, then ask again"
            if move is not None:
                self._abandon(move, why)
            return Decision.no("not_taken_back", why)
        why = f"it was not merged: {error}; mend that, then approve it again"
        try:
            self._reopen(number, why)
        except LedgerProblem:
            self._void[number] = why
            raise
        return Decision.no("not_merged", why)

    def _reopen(self, number: int, why: str) -> None:
        if move := self._shared.record.pending.get(number):
            self._abandon(move, why)
        else:
            self._shared.record.write("opened", number, why=why)
        self._shared.tell(number, Stage.OPENED, why)

    def _given(self, proposal: Proposal, who: Person) -> dict[str, object]:
        """What the ledger says of an approval: whose, of which head, by what right."""
        facts: dict[str, object] = {
            "by": who.id,
            "head": proposal.head,
            "self_approved": who.id == proposal.requested_by,
            "basis": basis("approve", who, self._shared.record.grants, self._shared.rules),
        }
        if grant := through("approve", who, self._shared.record.grants, self._shared.rules):
            facts["through"] = grant
        return facts

    def _candidate(self, number: int) -> Candidate:
        proposal = self._shared.record.proposals[number]
        report = proposal.report
        return Candidate(
            number=number,
            stage=proposal.stage.value,
            head=proposal.head,
            requested_by=proposal.requested_by,
            verdict=report.verdict if report else "",
            judged_head=report.head if report else "",
            judged_policy=report.policy if report else "",
            reverts=self._shared.record.reverts_of(proposal.edits),
            approvals=proposal.approvals,
            pushed_by=proposal.pushed_by,
        )
