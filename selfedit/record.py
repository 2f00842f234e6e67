"""What the ledger's moves add up to: the proposals as they stand, and which commits of `main` are ours.

Every kind of move has one function here that says what it changes. Reading the ledger from the start
and writing a new move go through the same functions, so that a restart sees what was there before.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

from policies.rights import CONSOLE, Grant, Person, with_change
from selfedit.edits import Edit
from selfedit.ledger import Ledger, Move
from selfedit.types import (
    EARLY,
    LEGAL,
    STANDING,
    UNDER_REVIEW,
    Check,
    Draft,
    GateReport,
    Granted,
    Plan,
    Proposal,
    Request,
    Stage,
    StageTime,
)


class IllegalMove(Exception):
    """A move that the table of legal moves does not know: a fault of ours, or a ledger of another version."""


class Record:
    """The ledger, and the state that it tells of."""

    def __init__(self, ledger: Ledger) -> None:
        """Read the whole ledger.

        Raises:
            LedgerProblem: It cannot be read.
        """
        self.ledger = ledger
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
        for move in ledger.moves():
            self._apply(move)

    def write(self, kind: str, number: int | None = None, **data: Any) -> Move:
        """Write a move to the ledger, and take it into account.

        Raises:
            LedgerProblem: It could not be written; then nothing has changed.
        """
        if (stage := _STAGES.get(kind)) and number in self.proposals:
            before = self.proposals[number].stage
            if stage not in LEGAL.get(before, frozenset()):
                raise IllegalMove(f"proposal {number} cannot go from {before} to {stage}")
        move = self.ledger.append(kind, number, **data)
        self._apply(move)
        return move

    def wait(self, number: int, why: str) -> bool:
        """Say what a proposal waits for; written, and true, only where that is another sentence than before."""
        if self.proposals[number].why == why:
            return False
        self.write("waiting", number, why=why)
        return True

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

    def _apply(self, move: Move) -> None:
        _EFFECTS.get(move.kind, _nothing)(self, move)

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


# One function a kind of move


def _nothing(record: Record, move: Move) -> None:
    """For moves that are only told: the steward's starts and ends, restarts of the bot."""


def _genesis(record: Record, move: Move) -> None:
    record.genesis = record.kept = move.data["commit"]
    record.note_ours(move.data["commit"], move)
    record.passed.add((move.data["tree"], "genesis"))


def _requested(record: Record, move: Move) -> None:
    request = Request.model_validate(move.data["request"])
    number = move.number or 0
    record.asked_as[number] = tuple(move.data.get("roles", ()))
    if (part := request.part) is not None and (whole := record.proposals.get(part.of)) is not None:
        begun = (*whole.begun[: part.number - 1], number)
        record.proposals[part.of] = whole.model_copy(update={"begun": begun})
    record.proposals[number] = Proposal(
        number=number,
        stage=Stage.REQUESTED,
        goal=request.goal,
        requested_by=request.requested_by,
        edits=request.edits or (),
        part=request.part,
        history=(StageTime(stage=Stage.REQUESTED, at=move.at),),
    )


def _drafted(record: Record, move: Move) -> None:
    draft = Draft.model_validate(move.data["draft"])
    record.change(
        move,
        Stage.DRAFTED,
        title=draft.title,
        reason=draft.reason,
        edits=draft.edits,
        author=draft.author,
        model=draft.model,
        tokens=draft.tokens,
        cost=draft.cost,
        notes=draft.notes,
    )


def _headed(record: Record, move: Move) -> None:
    record.change(
        move,
        base=move.data["base"],
        head=move.data["head"],
        branch=move.data["branch"],
        approved_head="",
        approvals=(),
        report=None,
    )


def _gated(record: Record, move: Move) -> None:
    report = GateReport.model_validate(move.data["report"])
    record.change(move, Stage.GATED, report=report)
    record.note_verdict(report)


def _rejudged(record: Record, move: Move) -> None:
    report = GateReport.model_validate(move.data["report"])
    record.change(move, base=move.data["base"], report=report)
    record.note_verdict(report)


def _opened(record: Record, move: Move) -> None:
    """Open for review; from an approval that came to nothing, only the approvals named in the move still count."""
    proposal = record.proposals[move.number or 0]
    approvals = tuple(move.data.get("approvals", ()))
    head = proposal.approved_head if approvals else ""
    record.asked.pop(move.number or 0, None)
    record.change(move, Stage.OPENED, why=move.data.get("why", ""), approved_head=head, approvals=approvals)


def _revised(record: Record, move: Move) -> None:
    """Another head takes the place of what was under review, and nobody has approved that one.

    It comes of another draft, which passed; or, without a draft, `main` was merged into it, or people pushed it.
    """
    number = move.number or 0
    report = GateReport.model_validate(move.data["report"])
    changes: dict[str, Any] = {}
    if "draft" in move.data:
        draft = Draft.model_validate(move.data["draft"])
        changes = draft.model_dump(include={"title", "reason", "author", "model", "notes"})
        changes |= {"edits": draft.edits, **_with_try(record, move, draft.tokens, draft.cost)}
    else:
        pushed = (*record.proposals[number].pushed_by, *move.data.get("pushed_by", ()))
        changes["pushed_by"] = tuple(dict.fromkeys(pushed))
    record.asked.pop(number, None)
    record.change(
        move,
        Stage.OPENED,
        base=move.data["base"],
        head=move.data["head"],
        approved_head="",
        approvals=(),
        report=report,
        why=move.data.get("why", ""),
        **changes,
    )
    record.note_verdict(report)


def _split(record: Record, move: Move) -> None:
    plan = Plan.model_validate(move.data["plan"])
    record.change(
        move,
        Stage.SPLIT,
        reason=plan.why,
        author="model",
        model=plan.model,
        tokens=plan.tokens,
        cost=plan.cost,
        parts=plan.goals,
        row_open=True,
        head="",
        report=None,
        why=move.data["why"],
    )


def _row_ended(record: Record, move: Move) -> None:
    record.change(move, row_open=False, why=move.data["why"])


def _unrevised(record: Record, move: Move) -> None:
    record.change(move, **_with_try(record, move, move.data["tokens"], move.data["cost"]))


def _with_try(record: Record, move: Move, tokens: int, cost: float) -> dict[str, Any]:
    before = record.proposals[move.number or 0]
    return {
        "heard": (*before.heard, *move.data["heard"]),
        "revisions": before.revisions + 1,
        "tokens": before.tokens + tokens,
        "cost": before.cost + cost,
    }


def _endorsed(record: Record, move: Move) -> None:
    record.change(move, **_with_approval(record, move))


def _approved(record: Record, move: Move) -> None:
    record.change(move, Stage.APPROVED, why="", **_with_approval(record, move))


def _with_approval(record: Record, move: Move) -> dict[str, Any]:
    through, by, basis = move.data.get("through", ""), move.data["by"], move.data.get("basis", "")
    record.bases = record.bases or "basis" in move.data
    if record.bases and (not basis or (basis == CONSOLE) != Person(by).at_console):
        record.unfounded.append(f"proposal {move.number} was approved by {by}, and by what right is not said")
    if through and Grant(through, "approve") not in record.grants:
        record.unfounded.append(
            f"proposal {move.number} was approved by {by} as {through}, whom nobody had allowed to"
        )
    before = record.proposals[move.number or 0].approvals
    return {"approved_head": move.data["head"], "approvals": (*before, by)}


def _unendorsed(record: Record, move: Move) -> None:
    """Somebody took their approval back; without it nothing is merged."""
    proposal = record.proposals[move.number or 0]
    approvals = tuple(by for by in proposal.approvals if by != move.data["by"])
    record.asked.pop(move.number or 0, None)
    head = proposal.approved_head if approvals else ""
    record.change(move, Stage.OPENED, why=move.data["why"], approvals=approvals, approved_head=head)


def _shown(record: Record, move: Move) -> None:
    record.change(move, pull=move.data["pull"], url=move.data["url"])


def _revert_shown(record: Record, move: Move) -> None:
    record.change(move, revert_url=move.data["url"])


def _waiting(record: Record, move: Move) -> None:
    record.change(move, why=move.data["why"])


def _heard(record: Record, move: Move) -> None:
    before = record.proposals[move.number or 0].heard
    record.change(move, heard=tuple(dict.fromkeys((*before, *move.data["keys"]))))


def _named(record: Record, move: Move) -> None:
    before = dict(record.proposals[move.number or 0].names)
    record.change(move, names=tuple(sorted((before | move.data["names"]).items())))


def _merging(record: Record, move: Move) -> None:
    """A move of `main` here names what it becomes; elsewhere nobody knows that before it is done."""
    (record.pending if "new" in move.data else record.asked)[move.number or 0] = move


def _merged(record: Record, move: Move) -> None:
    record.pending.pop(move.number or 0, None)
    record.asked.pop(move.number or 0, None)
    record.note_ours(move.data["merge"], move)
    if why := move.data.get("condemned"):
        record.owed[move.number or 0] = why
    record.change(move, Stage.MERGED, merge=move.data["merge"], before=move.data["base"], why="")


def _abandoned(record: Record, move: Move) -> None:
    record.pending.pop(move.number or 0, None)
    record.asked.pop(move.number or 0, None)
    if move.number is None:
        record.adopting = None


def _live(record: Record, move: Move) -> None:
    record.change(move, Stage.LIVE)


def _kept(record: Record, move: Move) -> None:
    record.kept = move.data["commit"]
    if move.number is not None:
        record.change(move, Stage.KEPT)


def _condemned(record: Record, move: Move) -> None:
    record.owed[move.number or 0] = move.data["why"]


def _spared(record: Record, move: Move) -> None:
    """What was to be taken back stays: what would be left without it is not sound, and nobody insists."""
    record.owed.pop(move.number or 0, None)


def _reverting(record: Record, move: Move) -> None:
    if move.data.get("there"):
        record.takebacks[move.number or 0] = move
        record.change(move, revert_url="")
    else:
        _merging(record, move)
    if judged := move.data.get("judged"):
        record.passed.add((judged["tree"], judged["policy"]))


def _reverted(record: Record, move: Move) -> None:
    record.pending.pop(move.number or 0, None)
    record.takebacks.pop(move.number or 0, None)
    record.note_ours(move.data["revert"], move)
    edits = change_id(record.proposals[move.number or 0].edits)
    record.reverts[edits] = record.reverts.get(edits, 0) + 1
    record.owed.pop(move.number or 0, None)
    record.change(move, Stage.REVERTED, revert=move.data["revert"], why=move.data["why"])


def _ended(stage: Stage) -> Callable[[Record, Move], None]:
    def apply(record: Record, move: Move) -> None:
        record.asked.pop(move.number or 0, None)
        record.change(move, stage, why=move.data["why"], row_open=False)

    return apply


def _halted(record: Record, move: Move) -> None:
    record.halted = f"{move.data['by']}, {move.at:%Y-%m-%d %H:%M} UTC"


def _resumed(record: Record, _: Move) -> None:
    record.halted = ""


def _granted(*, allowed: bool) -> Callable[[Record, Move], None]:
    def apply(record: Record, move: Move) -> None:
        who, capability, by = move.data["who"], move.data["capability"], move.data["by"]
        change = Granted(who=who, capability=capability, allowed=allowed, by=by, at=move.at)
        stand = with_change(record.grants, change.grant)
        record.granted = tuple(one for one in (*record.granted, change) if one.grant in stand)

    return apply


def _adopting(record: Record, move: Move) -> None:
    record.adopting = move


def _adopted(record: Record, move: Move) -> None:
    record.adopting = None
    record.note_ours(move.data["commit"], move)
    record.kept = move.data["commit"]
    record.passed.add((move.data["tree"], move.data["policy"]))


def _declined(record: Record, move: Move) -> None:
    record.declined[move.data["commit"]] = move.data["why"]


_EFFECTS: dict[str, Callable[[Record, Move], None]] = {
    "genesis": _genesis,
    "requested": _requested,
    "drafted": _drafted,
    "headed": _headed,
    "gated": _gated,
    "rejudged": _rejudged,
    "opened": _opened,
    "revised": _revised,
    "unrevised": _unrevised,
    "split": _split,
    "row_ended": _row_ended,
    "shown": _shown,
    "revert_shown": _revert_shown,
    "waiting": _waiting,
    "heard": _heard,
    "named": _named,
    "endorsed": _endorsed,
    "unendorsed": _unendorsed,
    "approved": _approved,
    "merging": _merging,
    "merged": _merged,
    "live": _live,
    "kept": _kept,
    "condemned": _condemned,
    "spared": _spared,
    "reverting": _reverting,
    "reverted": _reverted,
    "abandoned": _abandoned,
    "refused": _ended(Stage.REFUSED),
    "failed": _ended(Stage.FAILED),
    "rejected": _ended(Stage.REJECTED),
    "halted": _halted,
    "resumed": _resumed,
    "granted": _granted(allowed=True),
    "withdrawn": _granted(allowed=False),
    "adopting": _adopting,
    "adopted": _adopted,
    "declined": _declined,
}

_STAGES = {
    kind: Stage(kind)
    for kind in (
        "drafted",
        "gated",
        "opened",
        "approved",
        "merged",
        "live",
        "kept",
        "reverted",
        "refused",
        "failed",
        "rejected",
        "split",
    )
} | {"revised": Stage.OPENED, "unendorsed": Stage.OPENED}
