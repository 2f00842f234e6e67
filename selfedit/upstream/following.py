"""Following `main` where it lives on a forge: brought here, compared with what the gate passed, and vouched for beside it.

What proposals became there is written down in the order in which it happened; commits that people put there come first
where they came first. What a person merged by hand goes the same way as what was asked for. All of it can be cut short
anywhere and done again; whoever calls holds the lock on moves of `main`, and hears `ForgeDown`.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from policies.merge import same
from selfedit.history.messages import vouch_message
from selfedit.mainline.shared import Shared
from selfedit.ports import ForgeDown, Upstream
from selfedit.pulls import PullState
from selfedit.types import EARLY, UNDER_REVIEW, GateReport, Stage
from selfedit.upstream.undoing import Undoing

SURFACE = "github"
"""Before the colon in the names of people there."""
SEEN = "refs/theseus/upstream"
"""What `main` there was when it was last asked for."""
FOLLOWED = "refs/theseus/followed"
"""The newest of these that contains what was ours."""
MOVING = "refs/theseus/moving"
"""What `main` here was, while branch and working tree are being moved on."""
MERGED_THERE = "merged there"
"""By what somebody approves who merges by hand where `main` lives: the forge let them."""


@dataclass(frozen=True, slots=True)
class Became:
    """What a proposal, or, where it `reverts`, what takes it back, became on `main` there."""

    commit: str
    number: int
    state: PullState
    reverts: bool = False


class Following:
    """Keeps `main` here what it is there."""

    def __init__(self, shared: Shared[Upstream]) -> None:
        self._shared = shared
        self._held_up = ""
        self.kernel_moved = False
        """Whether what was followed changed the kernel, so that the steward must start again."""
        self.undoing = Undoing(shared)

    def hindrance(self) -> str:
        """Why nothing can be built on `main` before a person acts; empty when nothing is known of such."""
        repo, branch, name = self._shared.repo, self._shared.repo.branch, self._shared.forge.name
        main, newest, seen = repo.main(), self._shared.record.newest, repo.resolve(SEEN)
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
        for commit, why in self._shared.record.unvouched.items():
            if not self._shared.record.owed:
                return f"{commit[:12]} on {branch} on {name} did not pass the gate: {why}; mend it there"
        return ""

    def _only_here(self, main: str, seen: str) -> str:
        count = len(self._shared.repo.between(seen, main))
        commits = "a commit" if count == 1 else f"{count} commits"
        return (
            f"{self._shared.repo.branch} here has {commits} that {self._shared.forge.name} does not have, and nothing is built on that; put "
            f"them on a branch and propose them there, then take {self._shared.repo.branch} back: git reset --keep {seen[:12]}"
        )

    # Following

    async def follow(self, *, hinted: bool = False) -> None:
        """Bring `main` there here, and write down what proposals became of it.

        It stops before commits by people that nobody judged yet, and goes on from there when called after that.

        Args:
            hinted: Some proposal is known to have been merged, so that all are looked at in any case.
        """
        there = await self._shared.forge.main()
        repo, record = self._shared.repo, self._shared.record
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
        if self._shared.repo.is_ancestor(self._shared.repo.main(), self._shared.record.newest):
            self._catch_up(self._shared.record.newest)

    def _catch_up(self, commit: str) -> None:
        repo, main = self._shared.repo, self._shared.repo.main()
        left = repo.resolve(MOVING)
        if left is not None and left != main and repo.is_ancestor(left, main):
            repo.follow(left, main)  # the branch had moved, the files had not
        if main == commit:
            self._held_up = ""
        elif repo.is_ancestor(main, commit):
            repo.set_ref(MOVING, main)
            self._held_up = repo.move_branch(commit, main) or ""
        repo.delete_ref(MOVING)

    def unadopted(self) -> str:
        """That commits by people wait to be judged; empty when none do."""
        if self._shared.repo.main() == self._shared.record.newest:
            return ""
        return f"{self._shared.repo.branch} has new commits by people, which are judged first"

    async def _became(self) -> list[Became] | None:
        """What proposals, and what takes them back, became on `main` there; None while one is still being judged here."""
        found: list[Became] = []
        for number, proposal in list(self._shared.record.proposals.items()):
            if proposal.stage in UNDER_REVIEW or (proposal.stage in EARLY and proposal.pull):
                state = await self._shared.forge.look(proposal)
                if state is None or not state.merged:
                    continue
                if proposal.stage in EARLY:
                    return None
                found.append(Became(state.merged, number, state))
            elif number in self._shared.record.takebacks:
                state = await self._shared.forge.look_at_revert(proposal)
                if state is not None and state.merged:
                    found.append(Became(state.merged, number, state, reverts=True))
        return found

    def _start(self, became: Became, candidates: Sequence[str]) -> str:
        """What `main` was before a pull request came: its first parent, or, rebased, so many commits ago as it had."""
        first, *others = self._shared.repo.parents(became.commit)
        if others:
            return first
        tree, head = self._shared.repo.tree_of(became.commit), became.state.head
        return next((one for one in candidates if self._shared.repo.merge_tree(one, head) == tree), first)

    async def _take_in(self, became: Became, before: str) -> bool:
        """Write down what a pull request became; False while that cannot be judged."""
        number, commit = became.number, became.commit
        if became.reverts:
            done = await self.undoing.take_in(number, commit, before)
        else:
            done = await self._take_in_merge(number, became.state, commit, before)
        if not done:
            return False
        live = self._shared.rules.zones.live
        moved = self._shared.repo.changes(before, commit)
        self.kernel_moved |= any(not change.path.startswith(live) for change in moved)
        self._catch_up(became.commit)
        return True

    async def _take_in_merge(self, number: int, state: PullState, commit: str, before: str) -> bool:
        repo, record = self._shared.repo, self._shared.record
        proposal, tree = record.proposals[number], repo.tree_of(commit)
        report = proposal.report
        fits = report is not None and (report.verdict, report.tree, report.head) == (
            "passed",
            tree,
            state.head,
        )
        if report is None or not fits or not record.has_passed(tree, self._shared.rules.policy):
            self._shared.tell(
                number, proposal.stage, f"it became another tree on {self._shared.forge.name}: judging that"
            )
            report = await self._verdict(before, state, commit, tree)
            if report.verdict == "unknown":
                why = f"what it became on {self._shared.forge.name} could not be judged: {report.complaint}"
                if record.wait(number, why):
                    self._shared.tell(number, proposal.stage, why)
                return False
            facts = {"base": before, "report": report.model_dump(mode="json")}
            if state.head != proposal.head:
                pushed = [account.id for account in state.pushed_by]
                record.write("revised", number, head=state.head, pushed_by=pushed, **facts)
            else:
                record.write("rejudged", number, **facts)
        by = state.merged_by.id if state.merged_by else f"{SURFACE}:ghost"
        unasked = ""
        if record.proposals[number].stage is Stage.OPENED:
            if state.merged_by is not None and not state.merged_by.person:
                unasked = f"it was merged on {self._shared.forge.name} although no approval of it stood"
            alone = same(by, proposal.requested_by, self._shared.rules)
            record.write("approved", number, by=by, head=state.head, self_approved=alone, basis=MERGED_THERE)
        told: dict[str, Any] = {"merge": commit, "base": before, "by": by, "there": True}
        if repo.is_ancestor(commit, record.newest):
            told["within"] = True
        passed = report.verdict == "passed"
        if unasked:
            told["condemned"] = unasked
        if passed:
            message = vouch_message(record.proposals[number], report, record.ledger.last_hash)
            told["vouched"] = self._shared.signer.vouch(repo, commit, message)
        else:
            told["unvouched"] = report.complaint
            if self._shared.signer.signed(repo, before) or before == record.genesis:
                told["condemned"] = (
                    f"what it became on {self._shared.forge.name} does not pass: {report.complaint}"
                )
        with contextlib.suppress(ForgeDown):  # before it is told, so that a crash leaves no branch there
            await self._shared.forge.close(record.proposals[number], "")
        record.write("merged", number, **told)
        self._shared.tell(number, Stage.MERGED, f"merged on {self._shared.forge.name} as {commit[:12]}")
        return True

    async def _verdict(self, before: str, state: PullState, commit: str, tree: str) -> GateReport:
        """What the gate says of a tree that it has not seen: as the merge that it is, or else as people's.

        What a person merged who added what no proposal may change is theirs, as if they had pushed it.
        """
        by_hand = state.merged_by is not None and state.merged_by.person
        if self._shared.repo.merge_tree(before, state.head) == tree:
            report = await self._shared.gate.judge(before, state.head)
            if report.verdict != "refused" or not by_hand:
                return report
        return await self._shared.gate.judge(before, commit, by_person=True)
