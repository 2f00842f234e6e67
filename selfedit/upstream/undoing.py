"""Taking a proposal back where `main` lives on a forge: a pull request whose head undoes it.

The bot serves the code from before from the first moment; `main` there follows when the forge lets it. A commit that undoes
the proposal is made and judged here and shown there; what it became is compared with what was judged. Closed there by
somebody it is not opened again unasked: the code stays out of service until somebody decides.
"""

from typing import Any

from policies.decision import Decision
from selfedit.history.attestation import of_revert
from selfedit.history.ledger import Move
from selfedit.history.messages import revert_message
from selfedit.mainline.shared import Shared
from selfedit.mainline.undone import confirm, without
from selfedit.objects import Conflict
from selfedit.ports import Upstream
from selfedit.pulls import not_yet
from selfedit.types import Proposal, Stage
from selfedit.words import one_line


class Undoing:
    """Has merged proposals taken back there."""

    def __init__(self, shared: Shared[Upstream]) -> None:
        self._shared = shared

    async def begin(self, proposal: Proposal, by: str, why: str, *, automatic: bool) -> Decision | None:
        """Make the commit that undoes a proposal, and announce it; None when that stands in the ledger."""
        number, old = proposal.number, self._shared.repo.main()
        plan = await without(proposal, old, self._shared, automatic=automatic)
        if isinstance(plan, Decision):
            return plan
        asked, why = why, f"{why}; {plan.words}" if plan.words else why
        vouched = of_revert(proposal, plan.tree, by, self._shared.rules.policy, passed=plan.passed)
        message = revert_message(proposal, by, why, self._shared.record.ledger.last_hash, vouched)
        before = self._shared.record.takebacks.get(number)
        parents = [old] if before is None else [old, before.data["new"]]
        head = self._shared.repo.commit(plan.tree, parents, message, self._shared.signer.settings)
        self._shared.repo.set_ref(f"refs/proposals/{number}/revert", head)
        facts: dict[str, Any] = {"also": plan.proposals, "dropped": plan.commits, "asked": asked}
        if plan.passed:
            facts["judged"] = {"tree": plan.tree, "policy": self._shared.rules.policy}
        self._shared.record.write("reverting", number, old=old, new=head, why=why, by=by, there=True, **facts)
        return None

    async def step(self, number: int, *, insist: bool = False) -> bool:
        """Do the next thing that brings `main` there to be without a proposal.

        Args:
            number: Which; it has to be announced.
            insist: Somebody asks for it again, so that what was closed there is opened once more.

        Returns:
            Whether it was merged there, so that it is to be followed now.
        """
        proposal, move = self._shared.record.proposals[number], self._shared.record.takebacks[number]
        if self._by_people(move):
            why = f"{move.data['why']}; people undid it on {self._shared.forge.name} by themselves"
            confirm(
                self._shared.record,
                self._shared.tell,
                number,
                self._shared.repo.main(),
                {**move.data, "why": why, "found": True},
            )
            self._shared.tell(number, Stage.REVERTED, f"taken back: {why}")
            return False
        state = await self._shared.forge.look_at_revert(proposal)
        if state is not None and state.merged and state.base in ("", self._shared.repo.branch):
            return True
        if state is not None and state.merged and not insist:
            self._wait(
                number,
                f"what takes it back was merged into {one_line(state.base, 60)} and not into {self._shared.repo.branch} ({state.url}); "
                f"what ran before it serves until somebody asks for /rollback {number}",
            )
            return False
        if state is not None and not state.open and not insist:
            who = one_line(state.closed_by.login, 40) if state.closed_by else "somebody"
            self._wait(
                number,
                f"{who} closed the pull request that takes it back ({state.url}); what ran before it serves until somebody "
                f"opens that again or asks for /rollback {number}",
            )
            return False
        if state is not None and state.open and not self._is_ours(state.head, move):
            self._wait(number, f"people changed what takes it back; it is for them to merge: {state.url}")
            return False
        if state is None or not state.open or state.head != move.data["new"] or not proposal.revert_url:
            await self._show(proposal, move)
            state = await self._shared.forge.look_at_revert(proposal)
        if state is None:
            return False
        if why := not_yet(state, self._shared.repo.branch, self._shared.forge.name):
            self._wait(number, f"what takes it back {why} ({state.url})")
            return False
        main = self._shared.repo.main()
        if not self._shared.repo.is_ancestor(main, state.head) and (
            state.checks_required or not self._known(main, state.head)
        ):
            await self._renew(proposal, move)
            return False
        answer = await self._shared.forge.merge_revert(proposal, move.data["new"])
        if isinstance(answer, str):
            return True
        if answer.findings[0].rule == "behind":
            await self._renew(proposal, move)
        else:
            self._wait(number, f"what takes it back waits on {self._shared.forge.name}: {answer.why}")
        return False

    async def take_in(self, number: int, commit: str, before: str) -> bool:
        """Write down that it was taken back there as a commit; False where nobody can vouch for that one."""
        proposal, move = self._shared.record.proposals[number], self._shared.record.takebacks[number]
        tree = self._shared.repo.tree_of(commit)
        planned = tree == self._shared.repo.tree_of(move.data["new"])
        passed = self._shared.record.has_passed(tree, self._shared.rules.policy)
        if self._shared.repo.is_ancestor(
            commit, self._shared.record.newest
        ):  # somebody vouches for what came of it since
            confirm(self._shared.record, self._shared.tell, number, commit, {**move.data, "within": True})
            return True
        if commit in self._shared.record.declined:
            return True
        if not passed and not planned:
            report = await self._shared.gate.judge(before, commit, by_person=True)
            passed = report.verdict == "passed"
            if not passed:
                self._wait(
                    number, f"it was taken back as {commit[:12]}, which did not pass: {report.complaint}"
                )
                return report.verdict != "unknown"
        vouched = of_revert(proposal, tree, move.data["by"], self._shared.rules.policy, passed=passed)
        last = self._shared.record.ledger.last_hash
        message = revert_message(proposal, move.data["by"], move.data["why"], last, vouched)
        facts = {**move.data, "vouched": self._shared.signer.vouch(self._shared.repo, commit, message)}
        confirm(self._shared.record, self._shared.tell, number, commit, facts)
        self._shared.tell(number, Stage.REVERTED, f"taken back: {self._shared.record.proposals[number].why}")
        return True

    async def _show(self, proposal: Proposal, move: Move) -> None:
        shown = await self._shared.forge.propose_revert(
            proposal, move.data["new"], self._shared.repo.message(move.data["new"])
        )
        if shown.url != self._shared.record.proposals[proposal.number].revert_url:
            self._shared.record.write("revert_shown", proposal.number, pull=shown.pull, url=shown.url)

    async def _renew(self, proposal: Proposal, move: Move) -> None:
        """`main` moved there: what takes it back has to contain that, and is judged anew."""
        if isinstance(self._shared.repo.merge_tree(self._shared.repo.main(), move.data["new"]), Conflict):
            self._shared.tell(
                proposal.number, proposal.stage, "what takes it back conflicts: working it out anew"
            )
        asked = move.data.get("asked", move.data["why"])  # what goes with it is worked out anew
        no = await self.begin(proposal, move.data["by"], asked, automatic=True)
        if no is not None:
            self._wait(proposal.number, no.why)
            return
        await self._show(proposal, self._shared.record.takebacks[proposal.number])

    def _by_people(self, move: Move) -> bool:
        """Whether a `main` that is vouched for lacks already all that is to be taken back, by commits of people."""
        main, undoing = self._shared.repo.main(), move.data["new"]
        last = self._shared.record.commits.get(main)
        if last is None or last.kind != "adopted" or main in self._shared.record.unvouched:
            return False
        return self._shared.repo.merge_tree(main, undoing) == self._shared.repo.tree_of(main)

    def _known(self, main: str, head: str) -> bool:
        """Whether what would become of it on the present `main` was judged already."""
        tree = self._shared.repo.merge_tree(main, head)
        return not isinstance(tree, Conflict) and self._shared.record.has_passed(
            tree, self._shared.rules.policy
        )

    def _is_ours(self, head: str, move: Move) -> bool:
        return head == move.data["new"] or self._shared.repo.is_ancestor(head, move.data["new"])

    def _wait(self, number: int, why: str) -> None:
        if self._shared.record.wait(number, why):
            self._shared.tell(number, self._shared.record.proposals[number].stage, why)
