"""A pull request as it stands on a forge: frozen values, read from its interface and nothing else.

All texts in here were written by somebody elsewhere. They are shown and handed to authors as data; no state follows from
what they say.
"""

from typing import Literal

from policies.rights import Person
from selfedit.types import Value
from selfedit.words import one_line

RunState = Literal["waiting", "passed", "failed"]
ReviewState = Literal["approved", "changes_requested", "commented"]
READY = "ready"
"""A key in `Proposal.told`: it was seen ready for review there, so that a draft mark since is somebody's, whoever's it is."""


class Account(Value):
    """Somebody on a forge.

    Attributes:
        id: Who, as `github:ID`; a login can be changed, and taken by somebody else.
        login: What they are called there.
        roles: Which access they have to the repository now, as `github:role/write`, `github:role/admin` and the like.
        person: Whether it is a person; the accounts of programs decide nothing.
    """

    id: str
    login: str
    roles: tuple[str, ...] = ()
    person: bool = True

    @property
    def who(self) -> Person:
        """Who it is, in the terms of rights."""
        return Person(self.id, frozenset(self.roles))


class Remark(Value):
    """What somebody wrote, as a whole or on a line of the change."""

    id: int
    by: Account
    text: str
    path: str = ""
    line: int = 0


class Review(Value):
    """What somebody last said of the change as a whole; dismissed reviews are none."""

    id: int
    by: Account
    state: ReviewState
    head: str
    """The commit that they looked at."""
    remarks: tuple[Remark, ...] = ()
    """What was written with it, on lines or above them."""


class Run(Value):
    """A check that ran elsewhere on the head."""

    name: str
    state: RunState
    required: bool
    """Whether the forge merges nothing without it."""
    summary: str = ""
    url: str = ""
    remarks: tuple[Remark, ...] = ()


class PullState(Value):
    """A pull request as the forge has it now.

    Attributes:
        number, url: Its number there, and where people see it.
        open, draft: Whether it can be merged at all, and whether it is marked as unfinished.
        head: The newest commit of its branch there; its commits are here as well.
        merged: The commit that it became on `main`; empty while it is not merged.
        merged_by: Who did that; None where nobody did, or the forge does not say.
        closed_by: Who closed it without merging it; None where nobody did, or the forge does not say.
        reviews: The newest of each reviewer that says something of the change.
        pushed_by: Who put commits on its branch, Theseus left out; they are no judges of it.
        base: The branch that it asks to be merged into, where the forge says.
        runs: Checks that ran on `head`, our own left out.
        queued: Whether it stands in the repository's merge queue.
        checks_required: Whether the forge wants checks of others before it merges anything.
        drafted_by: The person who marked it as unfinished after it had been shown as ready; None where nobody did, or where it may
            be Theseus's own mark.
    """

    number: int
    url: str
    open: bool
    draft: bool
    head: str
    merged: str = ""
    merged_by: Account | None = None
    closed_by: Account | None = None
    reviews: tuple[Review, ...] = ()
    pushed_by: tuple[Account, ...] = ()
    runs: tuple[Run, ...] = ()
    queued: bool = False
    base: str = ""
    checks_required: bool = False
    drafted_by: Account | None = None


def not_yet(state: PullState, branch: str, name: str) -> str:
    """What keeps an open pull request from being merged, as a sentence without its subject; empty when it may be tried.

    Args:
        state: The pull request.
        branch: What it has to ask to be merged into.
        name: What people call the forge.
    """
    if state.base and state.base != branch:
        return f"asks for another branch there than {branch}; set it back on {name}"
    if state.draft and state.drafted_by is not None:
        by = one_line(state.drafted_by.login, 40)
        return f"was marked as a draft by {by}; mark it as ready for review on {name}"
    named = {
        which: [one_line(run.name, 60) for run in state.runs if run.required and run.state == which]
        for which in ("failed", "waiting")
    }
    if named["failed"]:
        return f"fails a check that {name} requires: {', '.join(named['failed'])}"
    if named["waiting"]:
        return f"waits for checks on {name}: {', '.join(named['waiting'])}"
    return queued(name) if state.queued else ""


def queued(name: str) -> str:
    """That it stands in the merge queue, as such a sentence."""
    return f"stands in the merge queue on {name}"
