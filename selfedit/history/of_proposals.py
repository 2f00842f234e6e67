"""What the moves of a proposal change, from its request to its approval or its end: one function a kind."""

from collections.abc import Callable
from typing import Any

from policies.rights import CONSOLE, Grant, Person
from selfedit.history.ledger import Move
from selfedit.history.state import State
from selfedit.types import Draft, GateReport, Plan, Proposal, Request, Stage, StageTime


def _requested(state: State, move: Move) -> None:
    request = Request.model_validate(move.data["request"])
    number = move.number or 0
    state.asked_as[number] = tuple(move.data.get("roles", ()))
    if (part := request.part) is not None and (whole := state.proposals.get(part.of)) is not None:
        begun = (*whole.begun[: part.number - 1], number)
        state.proposals[part.of] = whole.model_copy(update={"begun": begun})
    state.proposals[number] = Proposal(
        number=number,
        stage=Stage.REQUESTED,
        goal=request.goal,
        requested_by=request.requested_by,
        edits=request.edits or (),
        part=request.part,
        history=(StageTime(stage=Stage.REQUESTED, at=move.at),),
    )


def _drafted(state: State, move: Move) -> None:
    draft = Draft.model_validate(move.data["draft"])
    state.change(
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


def _headed(state: State, move: Move) -> None:
    state.change(
        move,
        base=move.data["base"],
        head=move.data["head"],
        branch=move.data["branch"],
        approved_head="",
        approvals=(),
        report=None,
    )


def _gated(state: State, move: Move) -> None:
    report = GateReport.model_validate(move.data["report"])
    state.change(move, Stage.GATED, report=report)
    state.note_verdict(report)


def _rejudged(state: State, move: Move) -> None:
    report = GateReport.model_validate(move.data["report"])
    state.change(move, base=move.data["base"], report=report)
    state.note_verdict(report)


def _opened(state: State, move: Move) -> None:
    """Open for review; from an approval that came to nothing, only the approvals named in the move still count."""
    proposal = state.proposals[move.number or 0]
    approvals = tuple(move.data.get("approvals", ()))
    head = proposal.approved_head if approvals else ""
    state.asked.pop(move.number or 0, None)
    state.change(move, Stage.OPENED, why=move.data.get("why", ""), approved_head=head, approvals=approvals)


def _revised(state: State, move: Move) -> None:
    """Another head takes the place of what was under review, and nobody has approved that one.

    It comes of another draft, which passed; or, without a draft, `main` was merged into it, or people pushed it.
    """
    number = move.number or 0
    report = GateReport.model_validate(move.data["report"])
    changes: dict[str, Any] = {}
    if "draft" in move.data:
        draft = Draft.model_validate(move.data["draft"])
        changes = draft.model_dump(include={"title", "reason", "author", "model", "notes"})
        changes |= {"edits": draft.edits, **_with_try(state, move, draft.tokens, draft.cost)}
    else:
        pushed = (*state.proposals[number].pushed_by, *move.data.get("pushed_by", ()))
        changes["pushed_by"] = tuple(dict.fromkeys(pushed))
    state.asked.pop(number, None)
    state.change(
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
    state.note_verdict(report)


def _split(state: State, move: Move) -> None:
    plan = Plan.model_validate(move.data["plan"])
    state.change(
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


def _row_ended(state: State, move: Move) -> None:
    state.change(move, row_open=False, why=move.data["why"])


def _unrevised(state: State, move: Move) -> None:
    state.change(move, **_with_try(state, move, move.data["tokens"], move.data["cost"]))


def _with_try(state: State, move: Move, tokens: int, cost: float) -> dict[str, Any]:
    before = state.proposals[move.number or 0]
    return {
        "heard": (*before.heard, *move.data["heard"]),
        "revisions": before.revisions + 1,
        "tokens": before.tokens + tokens,
        "cost": before.cost + cost,
    }


def _endorsed(state: State, move: Move) -> None:
    state.change(move, **_with_approval(state, move))


def _approved(state: State, move: Move) -> None:
    state.change(move, Stage.APPROVED, why="", **_with_approval(state, move))


def _with_approval(state: State, move: Move) -> dict[str, Any]:
    through, by, basis = move.data.get("through", ""), move.data["by"], move.data.get("basis", "")
    state.bases = state.bases or "basis" in move.data
    if state.bases and (not basis or (basis == CONSOLE) != Person(by).at_console):
        state.unfounded.append(f"proposal {move.number} was approved by {by}, and by what right is not said")
    if through and Grant(through, "approve") not in state.grants:
        state.unfounded.append(
            f"proposal {move.number} was approved by {by} as {through}, whom nobody had allowed to"
        )
    before = state.proposals[move.number or 0].approvals
    return {"approved_head": move.data["head"], "approvals": (*before, by)}


def _unendorsed(state: State, move: Move) -> None:
    """Somebody took their approval back; unless the others are `enough`, nothing is merged."""
    proposal = state.proposals[move.number or 0]
    approvals = tuple(by for by in proposal.approvals if by != move.data["by"])
    if move.data.get("enough"):
        state.change(move, approvals=approvals)
        return
    state.asked.pop(move.number or 0, None)
    head = proposal.approved_head if approvals else ""
    state.change(move, Stage.OPENED, why=move.data["why"], approvals=approvals, approved_head=head)


def _shown(state: State, move: Move) -> None:
    state.change(move, pull=move.data["pull"], url=move.data["url"])


def _revert_shown(state: State, move: Move) -> None:
    state.change(move, revert_url=move.data["url"])


def _waiting(state: State, move: Move) -> None:
    state.change(move, why=move.data["why"])


def _heard(state: State, move: Move) -> None:
    before = state.proposals[move.number or 0].heard
    state.change(move, heard=tuple(dict.fromkeys((*before, *move.data["keys"]))))


def _told(state: State, move: Move) -> None:
    before = state.proposals[move.number or 0].told
    state.change(move, told=(*before, move.data["key"]))


def _named(state: State, move: Move) -> None:
    before = dict(state.proposals[move.number or 0].names)
    state.change(move, names=tuple(sorted((before | move.data["names"]).items())))


def _ended(stage: Stage) -> Callable[[State, Move], None]:
    def apply(state: State, move: Move) -> None:
        state.asked.pop(move.number or 0, None)
        state.change(move, stage, why=move.data["why"], row_open=False)

    return apply


EFFECTS: dict[str, Callable[[State, Move], None]] = {
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
    "told": _told,
    "named": _named,
    "endorsed": _endorsed,
    "unendorsed": _unendorsed,
    "approved": _approved,
    "refused": _ended(Stage.REFUSED),
    "failed": _ended(Stage.FAILED),
    "rejected": _ended(Stage.REJECTED),
}
"""What each kind of move changes."""
