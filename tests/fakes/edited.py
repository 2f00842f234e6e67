"""One edit of one text, as tests of the edit language write it."""

from selfedit.editing.codemod import Applied, Rejection, apply_edits
from selfedit.editing.edits import edits_from

PATH = "bot/live/chat/reply.py"


def edited(before: str, op: str, /, *, path: str = PATH, **fields: str) -> str:
    """The text after an edit that has to apply."""
    outcome = apply_edits({path: before}, edits_from([{"op": op, "path": path, **fields}]))
    assert isinstance(outcome, Applied), outcome
    return outcome.files[path]


def refused(before: str, op: str, /, *, path: str = PATH, **fields: str) -> Rejection:
    """The rejection of an edit that must not apply."""
    outcome = apply_edits({path: before}, edits_from([{"op": op, "path": path, **fields}]))
    assert isinstance(outcome, Rejection), outcome
    return outcome
