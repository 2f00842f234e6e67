"""What the ledger's moves add up to: the proposals as they stand, and which commits of `main` are ours."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from policies.rights import Grant
from selfedit.editing.edits import Edit
from selfedit.history.ledger import Move
from selfedit.types import (
    EARLY,
    STANDING,
    UNDER_REVIEW,
    Check,
    GateReport,
    Granted,
    Proposal,
    Stage,
    StageTime,
)


class State:
    """The proposals as they stand, and which commits of `main` are ours."""

    def __init__(self) -> None:
        self.proposals: dict[int, Proposal] = {}
        self.genesis = ""
        self.commits: dict[str, Move] = {}
        """Commits of the live branch that came to be by a move of ours: genesis, merges, reverts, adoptions."""
        self.newest = ""
        """The newest of these: what the live branch names unless people moved it."""
        self.kept = ""
        """The newest commit that was served and found good."""
        self.halted = ""
        self.granted: tuple[Granted, ...] = ()
        """How the owner changed who may do what, as far as it stands, oldest first."""
        self.unfounded: list[str] = []
        """Approvals that name a right which their giver did not have then, or none at all, a sentence each."""
        self.bases = False
        """Whether approvals name by what they were given: each does since the first that did."""
        self.pending: dict[int, Move] = {}
        """Per proposal, a move of `main` that was announced (`merging`, `reverting`) and not yet confirmed."""
        self.asked: dict[int, Move] = {}
        """Per proposal, a merge that was asked for where `main` lives and is not confirmed: it may come at any time."""
        self.takebacks: dict[int, Move] = {}
        """Per proposal that is taken back where `main` lives, which commit is to do so."""
        self.unvouched: dict[str, str] = {}
        """Commits that proposals became elsewhere and that nobody vouches for, and why."""
        self.asked_as: dict[int, tuple[str, ...]] = {}
        """Per request, what counted for who asked beside who they are, at that moment."""
        self.adopting: Move | None = None
        self.declined: dict[str, str] = {}
        """Commits by people that did not pass, and why."""
        self.passed: set[tuple[str, str]] = set()
        self._failed: dict[tuple[str, str, str], tuple[Check, ...]] = {}
        self.reverts: dict[str, int] = {}
        self.owed: dict[int, str] = {}
        """Merged proposals that must be taken back and could not be yet, and why they must. They are not served."""

    @property
    def grants(self) -> frozenset[Grant]:
        """How the owner changed who may do what, as the policies want it."""
        return frozenset(one.grant for one in self.granted)

    @property
    def next_number(self) -> int:
        """The number that the next proposal gets."""
        return max(self.proposals, default=0) + 1

    def open_count(self) -> int:
        """How many proposals wait for an author, the gate or a reviewer."""
        return sum(proposal.stage in (*EARLY, *UNDER_REVIEW) for proposal in self.proposals.values())

    def has_passed(self, tree: str, policy: str) -> bool:
        """Whether this tree needs no judging any more: it passed under this policy, or the operator installed it."""
        return (tree, policy) in self.passed or (tree, "genesis") in self.passed

    def failed_before(self, tree: str, policy: str, image: str) -> tuple[Check, ...]:
        """What was found when this tree failed under this policy in this image; nothing where it did not."""
        return self._failed.get((tree, policy, image), ())

    def note_verdict(self, report: GateReport) -> None:
        """The gate judged a tree: it need not do so again."""
        if report.verdict == "passed":
            self.passed.add((report.tree, report.policy))
        elif report.verdict == "failed" and report.tree and report.sandbox is not None:
            checks = tuple(check for check in report.checks if check.name != "policy")
            self._failed[report.tree, report.policy, report.sandbox.image] = checks

    def reverts_of(self, edits: Iterable[Edit]) -> int:
        """How often this very change was merged and taken back."""
        return self.reverts.get(change_id(edits), 0)

    def unwanted(self) -> set[str]:
        """Change ids that are under review, were turned down, failed or were taken back: not to be offered again.

        What could not be judged is not among them: nothing is known of it.
        """
        known = (Stage.OPENED, Stage.REFUSED, Stage.FAILED, Stage.REJECTED, Stage.REVERTED)
        found = [p for p in self.proposals.values() if p.edits and p.stage in known]
        return {change_id(p.edits) for p in found if p.report is None or p.report.verdict != "unknown"}

    def newest_merged(self) -> Proposal | None:
        """The proposal that was merged last and not taken back."""
        merged = [p for p in self.proposals.values() if p.stage in STANDING]
        return max(merged, key=lambda p: self.commits[p.merge].seq, default=None)

    def note_ours(self, commit: str, move: Move) -> None:
        """A commit of the live branch came to be by this move; where that says `within`, below a newer one of ours."""
        self.commits[commit] = move
        within = move.data.get("within", False)
        if not within:
            self.newest = commit
        if why := move.data.get("unvouched"):
            self.unvouched[commit] = why
        elif not within:
            self.unvouched.clear()  # whoever vouches for a tree vouches for what led to it

    def change(self, move: Move, stage: Stage | None = None, **changes: Any) -> None:
        """Bring a proposal to a stage, or change what is known of it."""
        number = move.number or 0
        proposal = self.proposals[number]
        if stage is not None:
            changes["stage"] = stage
            changes["history"] = (*proposal.history, StageTime(stage=stage, at=move.at))
        self.proposals[number] = proposal.model_copy(update=changes)


def change_id(edits: Iterable[Edit]) -> str:
    """A name for what a list of edits does, the same whenever the same change is proposed."""
    rows = [edit.model_dump(mode="json", exclude_none=True) for edit in edits]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:16]
