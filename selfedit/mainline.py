"""Everything that moves `main`: merging, bringing to life, keeping, taking back, adopting people's commits.

A move of `main` is announced in the ledger with both ends (`merging`, `reverting`, `adopting`), made by
compare-and-swap, and then confirmed. `settle` finds announced moves that were never confirmed and
finishes or abandons them; it is safe to call at any time, any number of times.
"""

import asyncio
import contextlib
from collections.abc import Callable

from policies.decision import Decision, Finding
from policies.load import Rules
from policies.merge import Candidate, may_approve, may_decide
from selfedit.gate import Gate
from selfedit.ledger import Move
from selfedit.loader import Loader, NotLoadable
from selfedit.pipeline import Pipeline, Tell, no_such
from selfedit.ports import Forge, Host
from selfedit.record import Record
from selfedit.repo import Conflict, GitFailed, Repo
from selfedit.signing import Signer
from selfedit.types import Draft, GateReport, Proposal, Stage
from selfedit.words import adopt_message, merge_message, revert_message

AUTOMATIC = "theseus:watch"


class Mainline:
    """Moves `main`, one move at a time."""

    def __init__(
        self,
        *,
        repo: Repo,
        record: Record,
        gate: Gate,
        forge: Forge,
        loader: Loader,
        signer: Signer,
        rules: Rules,
        pipeline: Pipeline,
        host: Host | None,
        tell: Tell,
        went_live: Callable[[str], None],
    ) -> None:
        self._repo = repo
        self._record = record
        self._gate = gate
        self._forge = forge
        self._loader = loader
        self._signer = signer
        self._rules = rules
        self._pipeline = pipeline
        self._host = host
        self._tell = tell
        self._went_live = went_live
        self._moving = asyncio.Lock()

    # What people ask for

    async def approve(self, number: int, by: str, looked_at: str | None) -> Proposal | Decision:
        """Approve a head, merge it, and bring it to life."""
        proposal = self._record.proposals.get(number)
        if proposal is None:
            return no_such(number)
        async with self._moving:
            decision = may_approve(self._candidate(number), by, looked_at, self._rules)
            if not decision.allowed:
                return decision
            proposal = self._record.proposals[number]
            self._record.write(
                "approved", number, by=by, head=proposal.head, self_approved=by == proposal.requested_by
            )
            self._tell(number, Stage.APPROVED, f"approved by {by}")
            answer = await self._merge(number)
        return (
            await self._bring_to_life(number)
            if self._record.proposals[number].stage is Stage.MERGED
            else answer
        )

    async def rollback(self, number: int | None, by: str, why: str) -> Proposal | Decision:
        """Take a merged proposal back because somebody asked for it."""
        newest = self._record.newest_merged()
        proposal = newest if number is None else self._record.proposals.get(number)
        if proposal is None:
            return (
                Decision.no("nothing_merged", "nothing was merged yet") if number is None else no_such(number)
            )
        if proposal.stage not in (Stage.MERGED, Stage.LIVE, Stage.KEPT):
            return Decision.no(
                "not_merged",
                f"proposal {proposal.number} is {proposal.stage}; only a merged one can be taken back",
            )
        if (now := self._repo.main()) != self._record.newest:
            return Decision.no(
                "main_moved",
                f"{self._repo.branch} was moved by hand to {now[:12]}; nothing is taken back before that is settled "
                f"(the steward left it at {self._record.newest[:12]})",
            )
        decision = may_decide(by, "", self._rules)
        return await self.take_back(proposal.number, by, why) if decision.allowed else decision

    # What the steward does by itself

    async def take_back(self, number: int, by: str, why: str) -> Proposal | Decision:
        """Revert a merged proposal as a new commit, and load what `main` is then."""
        async with self._moving:
            proposal = self._record.proposals[number]
            if proposal.stage not in (Stage.MERGED, Stage.LIVE, Stage.KEPT):
                return proposal
            old = self._repo.main()
            tree = await self._tree_without(proposal, old, automatic=by == AUTOMATIC)
            if isinstance(tree, Decision):
                return tree
            message = revert_message(proposal, by, why, self._record.ledger.last_hash)
            revert = self._repo.commit(tree, [old], message, self._signer.settings)
            if problem := self._repo.in_the_way(old, revert):
                return Decision.no("working_tree", problem)
            self._record.write("reverting", number, old=old, new=revert, why=why, by=by)
            problem = await self._finish(self._record.pending[number])
            if problem is None and tree == self._repo.tree_of(self._repo.parents(proposal.merge)[0]):
                self._drop_later(proposal, revert, by)
        if problem:
            return Decision.no("not_moved", problem)
        self._tell(number, Stage.REVERTED, f"taken back: {why}")
        await self.load_main()
        return self._record.proposals[number]

    async def load_main(self) -> str | None:
        """Have the bot serve `main`.

        Returns:
            None when it does, else why not; a bot that is gone loads when it is started again.
        """
        try:
            finding = await self._load(self.target())
        except (NotLoadable, ConnectionError) as error:
            return str(error)
        return finding.message if finding else None

    async def load_without(self, proposal: Proposal) -> None:
        """Serve what ran before a proposal that cannot be reverted just now; `main` still holds it."""
        if self._host is not None:
            with contextlib.suppress(ConnectionError, NotLoadable):
                await self._host.load(self._loader.plan(self._repo.parents(proposal.merge)[0]))

    def target(self) -> str:
        """The commit that should run: `main` where we vouch for it, else the one that was kept last."""
        main = self._repo.main()
        return main if self._loader.vouched(main) else self._record.kept

    def provisional(self) -> Proposal | None:
        """The newest proposal that is merged but not yet found good."""
        waiting = [p for p in self._record.proposals.values() if p.stage in (Stage.MERGED, Stage.LIVE)]
        return max(waiting, key=lambda p: self._record.commits[p.merge].seq, default=None)

    def keep(self, commit: str) -> list[int]:
        """The watch found a commit good: everything that lives by it is kept."""
        kept = [p.number for p in self._record.proposals.values() if p.stage is Stage.LIVE]
        for number in kept:
            self._record.write("kept", number, commit=commit)
            self._tell(number, Stage.KEPT, "kept")
        if not kept and self._record.kept != commit:
            self._record.write("kept", commit=commit)
        return kept

    async def settle(self) -> None:
        """Finish or abandon every announced move of `main` that was not confirmed, and approvals not yet acted on."""
        async with self._moving:
            for move in list(self._record.pending.values()):
                await self._finish(move)
            if self._record.adopting is not None:
                self._finish_adopting(self._record.adopting)
            for proposal in list(self._record.proposals.values()):
                if proposal.stage is Stage.APPROVED:
                    await self._merge(proposal.number)

    async def adopt(self) -> str | None:
        """Judge commits that people put on `main`, and vouch for them.

        Returns:
            None if there is nothing to adopt or it was adopted; else why `main` is not what runs.
        """
        async with self._moving:
            main = self._repo.main()
            if main in self._record.commits:
                return None
            if why := self._record.declined.get(main):
                return why
            known = self._record.newest
            if not self._repo.is_ancestor(known, main):
                return (
                    f"{self._repo.branch} was moved to {main[:12]}, which does not contain what ran before "
                    f"({known[:12]}); move it back (git reset --hard {known[:12]}), or start over with an empty THESEUS_HOME"
                )
            report = await self._gate.judge(known, main, by_person=True)
            if report.verdict == "unknown":
                return f"the commits on {self._repo.branch} could not be judged: {_first(report)}"
            if report.verdict != "passed":
                why = f"{main[:12]} on {self._repo.branch} did not pass the gate: {_first(report)}; mend it and commit again"
                self._record.write("declined", commit=main, why=why)
                return why
            count = len(self._repo.between(known, main))
            message = adopt_message(report, count, self._record.ledger.last_hash)
            commit = self._repo.commit(self._repo.tree_of(main), [main], message, self._signer.settings)
            move = self._record.write(
                "adopting",
                commit=commit,
                old=main,
                tree=report.tree or self._repo.tree_of(main),
                policy=report.policy,
            )
            return self._finish_adopting(move)

    # Private

    async def _merge(self, number: int) -> Proposal | Decision:
        proposal = self._record.proposals[number]
        old = self._repo.main()
        if (
            proposal.base != old
            or proposal.report is None
            or not self._record.has_passed(proposal.report.tree, self._rules.policy)
        ):
            answer = await self._judge_again(proposal, old)
            if answer is not None:
                return answer
            proposal = self._record.proposals[number]
        report = proposal.report
        if report is None:
            raise GitFailed(f"proposal {number} has no report")
        message = merge_message(proposal, report, proposal.approved_by, self._record.ledger.last_hash)
        merge = self._repo.commit(report.tree, [old, proposal.head], message, self._signer.settings)
        if problem := self._repo.in_the_way(old, merge):
            self._record.write("opened", number, why=problem)
            return Decision.no("working_tree", problem)
        self._repo.set_ref(f"refs/proposals/{number}/before", old)
        self._record.write("merging", number, old=old, new=merge)
        if problem := await self._finish(self._record.pending[number]):
            return Decision.no("not_moved", problem)
        self._tell(number, Stage.MERGED, f"merged as {merge[:12]}")
        return self._record.proposals[number]

    async def _judge_again(self, proposal: Proposal, base: str) -> Proposal | Decision | None:
        """Main moved, so judge what would become of it now; None when that passed."""
        number = proposal.number
        self._tell(number, Stage.APPROVED, f"{self._repo.branch} moved: merging and judging again")
        if isinstance(self._repo.merge_tree(base, proposal.head), Conflict):
            return await self._replay(proposal, base)
        report = await self._gate.judge(base, proposal.head)
        if report.verdict == "unknown":
            why = f"it could not be judged on the present {self._repo.branch}: {_first(report)}"
            self._record.write("opened", number, why=why)
            return Decision.no("not_judged", why)
        self._record.write("rejudged", number, base=base, report=report.model_dump(mode="json"))
        if report.verdict == "passed":
            return None
        why = f"together with what {self._repo.branch} is now it does not pass: {_first(report)}"
        self._record.write("failed", number, why=why)
        await self._forge.close(proposal, why)
        self._tell(number, Stage.FAILED, why)
        return self._record.proposals[number]

    async def _replay(self, proposal: Proposal, base: str) -> Proposal | Decision:
        """The texts conflict, but edits are no text: apply them to the new base, which makes a new head."""
        number = proposal.number
        facts = proposal.model_dump(include={"title", "reason", "edits", "author", "model"})
        draft = Draft.model_validate(facts)
        fault = await self._pipeline.write_head(number, draft, base)
        if fault is not None:
            why = f"it conflicts with what {self._repo.branch} is now: {fault.message}"
            self._record.write("failed", number, why=why)
            await self._forge.close(proposal, why)
            return self._record.proposals[number]
        fresh = self._record.proposals[number]
        report = await self._gate.judge(base, fresh.head)
        self._record.write("rejudged", number, base=base, report=report.model_dump(mode="json"))
        why = f"{self._repo.branch} moved and the edits were applied to it anew; look at the new head and approve again"
        if report.verdict != "passed":
            why = f"together with what {self._repo.branch} is now it does not pass: {_first(report)}"
            self._record.write("failed", number, why=why)
            return self._record.proposals[number]
        self._record.write("opened", number, why=why)
        await self._forge.open(self._record.proposals[number])
        return Decision.no("head_moved", why)

    async def _bring_to_life(self, number: int) -> Proposal | Decision:
        try:
            finding = await self._load(self._repo.main())
        except ConnectionError:
            finding = None  # the bot died of it, or just then: whoever starts it again decides
        if finding is not None:
            return await self.take_back(number, AUTOMATIC, f"it could not be loaded: {finding.message}")
        return self._record.proposals[number]

    async def _load(self, commit: str) -> Finding | None:
        """Have the bot serve a commit, and write down which proposals live by it; nothing without a bot."""
        if self._host is None:
            return None
        finding = await self._host.load(self._loader.plan(commit))
        if finding is None:
            for proposal in list(self._record.proposals.values()):
                if proposal.stage is Stage.MERGED and commit == self._repo.main():
                    self._record.write("live", proposal.number, commit=commit)
                    self._tell(proposal.number, Stage.LIVE, "live, under watch")
            self._went_live(commit)
        return finding

    async def _tree_without(self, proposal: Proposal, main: str, *, automatic: bool) -> str | Decision:
        tree = self._repo.revert_tree(proposal.merge, main)
        kept = self._repo.tree_of(self._repo.parents(proposal.merge)[0])
        if isinstance(tree, Conflict):
            tree = kept
        if self._record.has_passed(tree, self._rules.policy):
            return tree
        candidate = self._repo.commit(tree, [main], "revert")
        report = await self._gate.judge(main, candidate, by_person=True)
        if report.verdict == "passed":
            return tree
        if automatic:
            return kept  # what ran before and was judged then; anything is better than what is broken now
        return Decision.no(
            "not_judged", f"the code without proposal {proposal.number} does not pass: {_first(report)}"
        )

    async def _finish(self, move: Move) -> str | None:
        number, old, new = move.number or 0, move.data["old"], move.data["new"]
        main = self._repo.main()
        if main == old:
            if problem := self._repo.move_branch(new, old):
                return self._abandon(move, problem)
        elif main == new:
            self._repo.follow(old, new)
        elif not self._repo.is_ancestor(new, main):
            return self._abandon(move, f"{self._repo.branch} moved in the meantime; approve again")
        if move.kind == "merging":
            self._record.write("merged", number, merge=new, base=old)
        else:
            self._record.write("reverted", number, revert=new, why=move.data["why"], by=move.data["by"])
        await self._forge.close(self._record.proposals[number], move.kind)
        return None

    def _abandon(self, move: Move, why: str) -> str:
        self._record.write("abandoned", move.number, why=why)
        if move.kind == "merging" and move.number is not None:
            self._record.write("opened", move.number, why=why)
        return why

    def _finish_adopting(self, move: Move) -> str | None:
        commit, old = move.data["commit"], move.data["old"]
        if self._repo.main() == old:
            self._repo.set_ref(self._repo.ref, commit, old)  # the same tree: no file changes
        if self._repo.main() == commit or self._repo.is_ancestor(commit, self._repo.main()):
            self._record.write("adopted", commit=commit, tree=move.data["tree"], policy=move.data["policy"])
            return None
        self._record.write("abandoned", why="main moved while it was adopted")
        return f"{self._repo.branch} moved in the meantime; it is looked at again"

    def _drop_later(self, proposal: Proposal, revert: str, by: str) -> None:
        """The tree before a proposal came back whole: what was merged after it is gone as well, so write that down."""
        since = self._record.commits[proposal.merge].seq
        for other in list(self._record.proposals.values()):
            merged = other.stage in (Stage.MERGED, Stage.LIVE, Stage.KEPT)
            if merged and self._record.commits[other.merge].seq > since:
                why = f"it was built on proposal {proposal.number}, which was taken back"
                self._record.write("reverted", other.number, revert=revert, why=why, by=by)
                self._tell(other.number, Stage.REVERTED, why)

    def _candidate(self, number: int) -> Candidate:
        proposal = self._record.proposals[number]
        report = proposal.report
        return Candidate(
            number=number,
            stage=proposal.stage.value,
            head=proposal.head,
            requested_by=proposal.requested_by,
            verdict=report.verdict if report else "",
            judged_head=report.head if report else "",
            judged_policy=report.policy if report else "",
            reverts=self._record.reverts_of(proposal.edits),
        )


def _first(report: GateReport) -> str:
    findings = [finding for check in report.checks if not check.passed for finding in check.findings]
    failing = [f"{check.name}: {check.summary}" for check in report.checks if not check.passed]
    if findings:
        where = f"{findings[0].path}: " if findings[0].path else ""
        return f"{where}{findings[0].message}"
    return failing[0] if failing else report.verdict
