"""What the moves of `main` change, and what decides over all: halts, rights, commits by people. One function a kind."""

from collections.abc import Callable

from policies.rights import with_change
from selfedit.history.ledger import Move
from selfedit.history.state import State, change_id
from selfedit.types import Granted, Stage


def _genesis(state: State, move: Move) -> None:
    state.genesis = state.kept = move.data["commit"]
    state.note_ours(move.data["commit"], move)
    state.passed.add((move.data["tree"], "genesis"))


def _merging(state: State, move: Move) -> None:
    """A move of `main` here names what it becomes; elsewhere nobody knows that before it is done."""
    (state.pending if "new" in move.data else state.asked)[move.number or 0] = move


def _merged(state: State, move: Move) -> None:
    state.pending.pop(move.number or 0, None)
    state.asked.pop(move.number or 0, None)
    state.note_ours(move.data["merge"], move)
    if why := move.data.get("condemned"):
        state.owed[move.number or 0] = why
    state.change(move, Stage.MERGED, merge=move.data["merge"], before=move.data["base"], why="")


def _abandoned(state: State, move: Move) -> None:
    state.pending.pop(move.number or 0, None)
    state.asked.pop(move.number or 0, None)
    if move.number is None:
        state.adopting = None


def _live(state: State, move: Move) -> None:
    state.change(move, Stage.LIVE)


def _kept(state: State, move: Move) -> None:
    state.kept = move.data["commit"]
    if move.number is not None:
        state.change(move, Stage.KEPT)


def _condemned(state: State, move: Move) -> None:
    state.owed[move.number or 0] = move.data["why"]


def _spared(state: State, move: Move) -> None:
    """What was to be taken back stays: what would be left without it is not sound, and nobody insists."""
    state.owed.pop(move.number or 0, None)


def _reverting(state: State, move: Move) -> None:
    if move.data.get("there"):
        state.takebacks[move.number or 0] = move
        state.change(move, revert_url="")
    else:
        _merging(state, move)
    if judged := move.data.get("judged"):
        state.passed.add((judged["tree"], judged["policy"]))


def _reverted(state: State, move: Move) -> None:
    """Taken back by a commit of ours, or, `found`, by what people put on `main`, which stands by a move of its own."""
    state.pending.pop(move.number or 0, None)
    state.takebacks.pop(move.number or 0, None)
    if not move.data.get("found"):
        state.note_ours(move.data["revert"], move)
    edits = change_id(state.proposals[move.number or 0].edits)
    state.reverts[edits] = state.reverts.get(edits, 0) + 1
    state.owed.pop(move.number or 0, None)
    state.change(move, Stage.REVERTED, revert=move.data["revert"], why=move.data["why"])


def _halted(state: State, move: Move) -> None:
    state.halted = f"{move.data['by']}, {move.at:%Y-%m-%d %H:%M} UTC"


def _resumed(state: State, _: Move) -> None:
    state.halted = ""


def _granted(*, allowed: bool) -> Callable[[State, Move], None]:
    def apply(state: State, move: Move) -> None:
        who, capability, by = move.data["who"], move.data["capability"], move.data["by"]
        change = Granted(who=who, capability=capability, allowed=allowed, by=by, at=move.at)
        stand = with_change(state.grants, change.grant)
        state.granted = tuple(one for one in (*state.granted, change) if one.grant in stand)

    return apply


def _adopting(state: State, move: Move) -> None:
    state.adopting = move


def _adopted(state: State, move: Move) -> None:
    state.adopting = None
    state.note_ours(move.data["commit"], move)
    state.kept = move.data["commit"]
    state.passed.add((move.data["tree"], move.data["policy"]))


def _declined(state: State, move: Move) -> None:
    state.declined[move.data["commit"]] = move.data["why"]


EFFECTS: dict[str, Callable[[State, Move], None]] = {
    "genesis": _genesis,
    "merging": _merging,
    "merged": _merged,
    "live": _live,
    "kept": _kept,
    "condemned": _condemned,
    "spared": _spared,
    "reverting": _reverting,
    "reverted": _reverted,
    "abandoned": _abandoned,
    "halted": _halted,
    "resumed": _resumed,
    "granted": _granted(allowed=True),
    "withdrawn": _granted(allowed=False),
    "adopting": _adopting,
    "adopted": _adopted,
    "declined": _declined,
}
"""What each kind of move changes."""
