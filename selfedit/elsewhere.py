"""`main` that lives on a forge: asked to be merged there, followed here, and vouched for beside it.

Nothing here pushes to `main`. A merge is asked for, with the head that was approved; what became of it is read from the
forge, compared with what the gate passed, followed with branch and working tree, and vouched for with a commit of the
same tree that stands beside it. What people merged there by hand goes the same way. All of it can be cut short anywhere
and done again; whoever calls holds the lock on moves of `main`, and hears `ForgeDown`.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from policies.decision import Decision
from policies.load import Rules
from policies.merge import side_lacking
from policies.rights import may
from selfedit.gate.gate import Gate
from selfedit.pipeline import Pipeline, Tell
from selfedit.ports import ForgeDown, Upstream
from selfedit.pulls import PullState
from selfedit.record import Record
from selfedit.repo import Conflict, Repo
from selfedit.signing import Signer
from selfedit.takebacks import Takebacks
from selfedit.types import Draft, GateReport, Proposal, Stage
from selfedit.words import head_message, merge_words, vouch_message

SEEN = "refs/theseus/upstream"
"""What `main` there was when it was last asked for."""
FOLLOWED = "refs/theseus/followed"
"""The newest of these that contains what was ours."""
SURFACE = "github"
"""Before the colon in the names of people there."""
MERGED_THERE = "merged there"
"""By what somebody approves who merges by hand where `main` lives: the forge let them."""

_OPEN = (Stage.OPENED, Stage.APPROVED)
_EARLY = (Stage.REQUESTED, Stage.DRAFTED, Stage.GATED)


@dataclass(frozen=True, slots=True)
class Became:
    """What a proposal, or, where it `reverts`, what takes it back, became on `main` there."""

    commit: str
    number: int
    state: PullState
    reverts: bool = False


class Elsewhere:
    """Keeps `main` here and what proposals become of it there in step."""

    def __init__(
        self,
        *,
        repo: Repo,
        record: Record,
        gate: Gate,
        forge: Upstream,
        signer: Signer,
        rules: Rules,
        pipeline: Pipeline,
        tell: Tell,
    ) -> None:
        self._repo = repo
        self._record = record
        self._gate = gate
        self._forge = forge
        self._signer = signer
        self._rules = rules
        self._pipeline = pipeline
        self._tell = tell
        self._held_up = ""
        self.name = forge.name
        self.takebacks = Takebacks(
            repo=repo, record=record, gate=gate, forge=forge, signer=signer, rules=rules, tell=tell
        )

    # What is known without asking

    def hindrance(self) -> str:
        """Why nothing can be built on `main` before a person acts; empty when nothing is known of such."""
        repo, branch, name = self._repo, self._repo.branch, self._forge.name
        main, newest, seen = repo.main(), self._record.newest, repo.resolve(SEEN)
        if seen is None:
            return ""
        if not repo.is_ancestor(newest, seen):
            followed = repo.resolve(FOLLOWED)
            if followed is not None and repo.is_ancestor(newest, followed):
                how = "was moved back" if repo.is_ancestor(seen, newest) else "was overwritten"
                return (
                    f"{branch} on {name} {how} to {seen[:12]}, which does not contain what ran before ({newest[:12]}); it is "
                    f"not followed; put {newest[:12]} back there, or start over with an empty THESEUS_HOME"
                )
            return self._only_here(main if repo.is_ancestor(newest, main) else newest, seen)
        if not repo.is_ancestor(main, seen):
            return self._only_here(main, seen)
        if self._held_up and main != seen:
            return f"{branch} here cannot follow {name}: {self._held_up}"
        for commit, why in self._record.unvouched.items():
            if not self._record.owed:
                return f"{commit[:12]} on {branch} on {name} did not pass the gate: {why}; mend it there"
        return ""

    def _only_here(self, main: str, seen: str) -> str:
        count = len(self._repo.between(seen, main))
        commits = "a commit" if count == 1 else f"{count} commits"
        return (
            f"{self._repo.branch} here has {commits} that {self._forge.name} does not have, and nothing is built on that; put "
            f"them on a branch and propose them there, then take {self._repo.branch} back: git reset --keep {seen[:12]}"
        )

    # Merging there

    async def merge(self, number: int) -> Proposal | Decision:
        """Carry an approval as far as it goes now: merged there when all agree; else the proposal says what it waits for."""
        proposal = self._record.proposals[number]
        if proposal.stage is not Stage.APPROVED:
            return proposal
        state = await self._forge.look(proposal)
        if state is None or (state.open and state.draft):
            await self._pipeline.show(number)
            proposal = self._record.proposals[number]
            state = await self._forge.look(proposal)
        if state is not None:
            self.withdraw(number, state)
        await self.follow(hinted=state is not None and bool(state.merged))
        proposal = self._record.proposals[number]
        if proposal.stage is not Stage.APPROVED:
            return proposal
        if state is None:
            return self.wait(number, f"it is being shown on {self._forge.name}")
        if why := hold_up(proposal, state, self._repo.branch, self._forge.name) or self._objection(state):
            return self.wait(number, why)
        if why := self.hindrance() or self._unadopted():
            return self.wait(number, why)
        base = self._repo.main()
        if state.checks_required and not self._repo.is_ancestor(base, proposal.head):
            return await self._renew(number, base)
        answer = await self._fit(number, base)
        if answer is not None:
            return answer
        return await self._ask(number, base)

    def withdraw(self, number: int, state: PullState) -> None:
        """Take back approvals that were given there and do not stand there any more, or whose giver has lost the right."""
        proposal = self._record.proposals[number]
        stand = {
            review.by.id
            for review in state.reviews
            if (review.state, review.head) == ("approved", proposal.approved_head)
            and may("approve", review.by.who, self._record.grants, self._rules).allowed
        }
        called = dict(proposal.names)
        for by in proposal.approvals:
            if by.startswith(f"{SURFACE}:") and by not in stand and not state.merged:
                why = f"the approval by {called.get(by, by)} does not stand any more"
                self._record.write("unendorsed", number, by=by, why=why)
                self._tell(number, Stage.OPENED, why)

    def _objection(self, state: PullState) -> str:
        """Who of those that may approve asks for changes of this very head; empty when nobody does."""
        against = [
            review.by.login
            for review in state.reviews
            if (review.state, review.head) == ("changes_requested", state.head)
            and may("approve", review.by.who, self._record.grants, self._rules).allowed
        ]
        return f"{' and '.join(against)} asked for changes on {self.name}" if against else ""

    async def _ask(self, number: int, base: str) -> Proposal | Decision:
        proposal = self._record.proposals[number]
        report = proposal.report
        if report is None or proposal.approved_head != proposal.head != report.head:
            return self.wait(number, "the gate has not passed its head")
        asked = self._record.asked.get(number)
        if asked is None or (asked.data["old"], asked.data["head"]) != (base, proposal.head):
            self._record.write("merging", number, old=base, head=proposal.head, there=True)
        title, message = merge_words(proposal, report, self._record.ledger.last_hash)
        answer = await self._forge.merge(proposal, title, message)
        if isinstance(answer, Decision):
            if answer.findings[0].rule == "behind":
                return await self._renew(number, await self._forge.main())
            return self.wait(number, answer.why)
        await self.follow(hinted=True)
        return self._record.proposals[number]

    async def _fit(self, number: int, base: str) -> Proposal | Decision | None:
        """Judge what would become of it on the present `main`; None when that passed and its approvals are enough."""
        proposal = self._record.proposals[number]
        report = proposal.report
        known = report is not None and self._record.has_passed(report.tree, self._rules.policy)
        if proposal.base != base or not known:
            if isinstance(self._repo.merge_tree(base, proposal.head), Conflict):
                return await self._renew(number, base)
            self._tell(number, Stage.APPROVED, f"{self._repo.branch} moved: judging again")
            report = await self._gate.judge(base, proposal.head)
            if report.verdict == "unknown":
                return self.wait(number, f"it could not be judged: {report.complaint}")
            self._record.write("rejudged", number, base=base, report=report.model_dump(mode="json"))
            if report.verdict != "passed":
                return await self._does_not_fit(number, report.complaint)
        proposal = self._record.proposals[number]
        lacking = side_lacking(proposal.approvals, SURFACE, self._rules)
        if proposal.approvals_missing or lacking:
            why = "it takes one more approval" + (f" ({lacking})" if lacking else "")
            self._record.write("opened", number, why=why, approvals=proposal.approvals)
            return self._record.proposals[number]
        return None

    async def _renew(self, number: int, base: str) -> Proposal | Decision:
        """Another head that contains what `main` is now, because the forge's checks are worth nothing without that."""
        proposal = self._record.proposals[number]
        tree = self._repo.merge_tree(base, proposal.head)
        if isinstance(tree, Conflict):
            if not await asyncio.to_thread(self._pipeline.is_of_its_edits, proposal):
                where = ", ".join(tree.paths[:3])
                return self.wait(
                    number,
                    f"it conflicts with {self._repo.branch} in {where}; people have changed it, so a person has to merge "
                    f"{self._repo.branch} into its branch",
                )
            facts = proposal.model_dump(include={"title", "reason", "edits", "author", "model"})
            made = await asyncio.to_thread(self._pipeline.tree_with, Draft.model_validate(facts), base)
            if not isinstance(made, str):
                return await self._does_not_fit(number, f"it conflicts: {made.message}")
            tree = made
        self._tell(number, proposal.stage, f"{self._repo.branch} moved: making a new head that contains it")
        head = self._repo.commit(tree, [base, proposal.head], head_message(number, proposal))
        report = await self._gate.judge(base, head)
        if report.verdict == "unknown":
            return self.wait(number, f"it could not be judged: {report.complaint}")
        if report.verdict != "passed":
            return await self._does_not_fit(number, report.complaint)
        why = f"{self._repo.branch} moved, and its new head contains that; look at it and approve again"
        facts = {"base": base, "head": head, "report": report.model_dump(mode="json"), "why": why}
        self._record.write("revised", number, **facts)
        self._repo.set_ref(f"refs/proposals/{number}/head", head)
        await self._pipeline.show(number)
        return Decision.no("head_moved", why)

    async def _does_not_fit(self, number: int, complaint: str) -> Proposal:
        why = f"together with what {self._repo.branch} is now it does not pass: {complaint}"
        self._record.write("failed", number, why=why)
        self._tell(number, Stage.FAILED, why)
        await self._forge.close(self._record.proposals[number], why)
        return self._record.proposals[number]

    def wait(self, number: int, why: str) -> Proposal:
        """Say what a proposal waits for; written down only where that is another sentence."""
        if self._record.proposals[number].why != why:
            self._record.write("waiting", number, why=why)
            self._tell(number, self._record.proposals[number].stage, why)
        return self._record.proposals[number]

    # Following

    async def follow(self, *, hinted: bool = False) -> None:
        """Bring `main` there here, and write down what proposals became of it.

        It stops before commits by people that nobody judged yet, and goes on from there when called after that.

        Args:
            hinted: Some proposal is known to have been merged, so that all are looked at in any case.
        """
        there = await self._forge.main()
        repo, record = self._repo, self._record
        repo.set_ref(SEEN, there)
        if not repo.is_ancestor(record.newest, there) or not repo.is_ancestor(repo.main(), there):
            return
        repo.set_ref(FOLLOWED, there)
        fresh = repo.between(record.newest, there)
        if fresh or hinted:
            ours = await self._became()
            if ours is None:
                return
            for became in (one for one in ours if one.commit not in fresh):
                if repo.resolve(became.commit) and repo.is_ancestor(became.commit, record.newest):
                    await self._take_in(became, repo.parents(became.commit)[0])
            for became in sorted(
                (one for one in ours if one.commit in fresh), key=lambda one: fresh.index(one.commit)
            ):
                start = self._start(became, [record.newest, *fresh[: fresh.index(became.commit)]])
                if start != record.newest and start not in record.declined:
                    there = start  # commits by people come first
                    break
                if not await self._take_in(became, start):
                    return
        self._catch_up(there)

    def catch_up(self) -> None:
        """Bring branch and working tree to what is known to be `main` there, where a crash or a file was in the way."""
        if self._repo.is_ancestor(self._repo.main(), self._record.newest):
            self._catch_up(self._record.newest)

    def _catch_up(self, commit: str) -> None:
        main = self._repo.main()
        if main == commit:
            self._repo.follow(main, commit)
            self._held_up = ""
        elif self._repo.is_ancestor(main, commit):
            self._held_up = self._repo.move_branch(commit, main) or ""

    def _unadopted(self) -> str:
        if self._repo.main() == self._record.newest:
            return ""
        return f"{self._repo.branch} has new commits by people, which are judged first"

    async def _became(self) -> list[Became] | None:
        """What proposals, and what takes them back, became on `main` there; None while one is still being judged here."""
        found: list[Became] = []
        for number, proposal in list(self._record.proposals.items()):
            if proposal.stage in _OPEN or (proposal.stage in _EARLY and proposal.pull):
                state = await self._forge.look(proposal)
                if state is None or not state.merged:
                    continue
                if proposal.stage in _EARLY:
                    return None
                found.append(Became(state.merged, number, state))
            elif number in self._record.takebacks:
                state = await self._forge.look_at_revert(proposal)
                if state is not None and state.merged:
                    found.append(Became(state.merged, number, state, reverts=True))
        return found

    def _start(self, became: Became, candidates: Sequence[str]) -> str:
        """What `main` was before a pull request came: its first parent, or, rebased, so many commits ago as it had."""
        first, *others = self._repo.parents(became.commit)
        if others:
            return first
        tree, head = self._repo.tree_of(became.commit), became.state.head
        return next((one for one in candidates if self._repo.merge_tree(one, head) == tree), first)

    async def _take_in(self, became: Became, before: str) -> bool:
        """Write down what a pull request became; False while that cannot be judged."""
        number, commit = became.number, became.commit
        if became.reverts:
            done = await self.takebacks.take_in(number, commit, before)
        else:
            done = await self._take_in_merge(number, became.state, commit, before)
        if not done:
            return False
        self._catch_up(became.commit)
        return True

    async def _take_in_merge(self, number: int, state: PullState, commit: str, before: str) -> bool:
        repo, record = self._repo, self._record
        proposal, tree = record.proposals[number], repo.tree_of(commit)
        report = proposal.report
        fits = report is not None and (report.verdict, report.tree, report.head) == (
            "passed",
            tree,
            state.head,
        )
        if report is None or not fits or not record.has_passed(tree, self._rules.policy):
            self._tell(number, proposal.stage, f"it became another tree on {self._forge.name}: judging that")
            report = await self._verdict(before, state.head, commit, tree)
            if report.verdict == "unknown":
                self.wait(
                    number, f"what it became on {self._forge.name} could not be judged: {report.complaint}"
                )
                return False
            facts = {"base": before, "report": report.model_dump(mode="json")}
            if state.head != proposal.head:
                pushed = [account.id for account in state.pushed_by]
                record.write("revised", number, head=state.head, pushed_by=pushed, **facts)
            else:
                record.write("rejudged", number, **facts)
        by = state.merged_by.id if state.merged_by else f"{SURFACE}:ghost"
        if record.proposals[number].stage is Stage.OPENED:
            record.write("approved", number, by=by, head=state.head, self_approved=False, basis=MERGED_THERE)
        told: dict[str, Any] = {"merge": commit, "base": before, "by": by, "there": True}
        if repo.is_ancestor(commit, record.newest):
            told["within"] = True
        passed = report.verdict == "passed"
        if passed:
            message = vouch_message(record.proposals[number], report, record.ledger.last_hash)
            told["vouched"] = self._signer.vouch(repo, commit, message)
        else:
            told["unvouched"] = report.complaint
            if self._signer.signed(repo, before) or before == record.genesis:
                told["condemned"] = f"what it became on {self._forge.name} does not pass: {report.complaint}"
        with contextlib.suppress(
            ForgeDown
        ):  # its branch there can go; before this is told, so that a crash leaves none
            await self._forge.close(record.proposals[number], "")
        record.write("merged", number, **told)
        self._tell(number, Stage.MERGED, f"merged on {self._forge.name} as {commit[:12]}")
        return True

    async def _verdict(self, before: str, head: str, commit: str, tree: str) -> GateReport:
        """What the gate says of a tree that it has not seen: as the merge that it is, or, where it is none, as people's."""
        if self._repo.merge_tree(before, head) == tree:
            return await self._gate.judge(before, head)
        return await self._gate.judge(before, commit, by_person=True)


def hold_up(proposal: Proposal, state: PullState, branch: str, name: str) -> str:
    """What keeps a pull request from being merged now, as a sentence; empty when it may be tried. Pure."""
    if state.head != proposal.head:
        return f"its branch on {name} has another head, which is looked at first"
    if not state.open:
        return f"its pull request on {name} is closed"
    if state.base and state.base != branch:
        return f"its pull request on {name} asks for another branch than {branch}; set it back there"
    red = [run.name for run in state.runs if run.required and run.state == "failed"]
    if red:
        return f"a check that {name} requires failed: {', '.join(red)}"
    waiting = [run.name for run in state.runs if run.required and run.state == "waiting"]
    if waiting:
        return f"it waits for checks on {name}: {', '.join(waiting)}"
    return f"it stands in the merge queue on {name}" if state.queued else ""
