"""What there is on the stand-in: accounts, pull requests, reviews, checks, rules."""

from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Permission = Literal["admin", "maintain", "write", "triage", "read", "none"]
Verdict = Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED"]
How = Literal["merge", "squash", "rebase"]
Line = tuple[str, int, str]
"""A remark on a line: its file, the line, the text."""
ACCESS: tuple[Permission, ...] = ("none", "read", "triage", "write", "maintain", "admin")
"""The kinds of access, from none to all."""
ZERO = "0" * 40
"""What git names where there is no commit."""


class NotPossible(Exception):
    """GitHub would not have let somebody do that."""


@dataclass(eq=False, slots=True)
class Account:
    """Somebody, or the program that stands behind an App."""

    id: int
    login: str
    permission: Permission = "none"
    """Their access to the repository."""
    kind: Literal["User", "Bot", "Organization"] = "User"
    token: str = ""
    """A personal access token of theirs; programs have none."""

    def may(self, permission: Permission) -> bool:
        """Whether their access is at least that."""
        return ACCESS.index(self.permission) >= ACCESS.index(permission)


@dataclass(eq=False, slots=True)
class Comment:
    """A comment below a pull request."""

    id: int
    pull: int
    by: Account
    body: str
    at: str
    updated: str


@dataclass(eq=False, slots=True)
class LineComment:
    """A remark on a line, written with a review."""

    id: int
    review: int
    by: Account
    body: str
    path: str
    line: int
    head: str
    at: str


@dataclass(eq=False, slots=True)
class Review:
    """What somebody said of a change as a whole."""

    id: int
    by: Account
    state: Verdict
    body: str
    head: str
    at: str
    comments: list[LineComment] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Pull:
    """A pull request."""

    number: int
    id: int
    by: Account
    title: str
    body: str
    branch: str
    base: str
    head: str
    base_sha: str
    at: str
    updated: str
    draft: bool = False
    open: bool = True
    merged: bool = False
    merge_sha: str = ""
    """The commit that it became; while it is open: the trial merge, empty where there are conflicts."""
    merged_by: Account | None = None
    closed_by: Account | None = None
    closed_at: str | None = None
    merged_at: str | None = None
    last_pusher: Account | None = None
    labels: list[str] = field(default_factory=list)
    asked: list[Account] = field(default_factory=list)
    """Whose review was requested."""
    assignees: list[Account] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    queued: "Queued | None" = None
    locked: bool = False
    marks: list["Mark"] = field(default_factory=list)
    """How it became a draft, and ready for review."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A change between draft and ready for review."""

    id: int
    event: str
    by: Account
    at: str


@dataclass(eq=False, slots=True)
class Queued:
    """A pull request's place in the merge queue."""

    id: int
    pull: int
    by: Account
    head: str
    at: str
    trial: str = ""
    """The commit that the queue would put on the base, on which `merge_group` checks run."""


@dataclass(eq=False, slots=True)
class CheckRun:
    """A check run of an App: `github-actions`, or ours."""

    id: int
    app: int
    name: str
    head: str
    status: str = "queued"
    conclusion: str | None = None
    output: Json = field(default_factory=dict)
    annotations: list[Json] = field(default_factory=list)
    details_url: str | None = None
    external_id: str = ""
    started: str | None = None
    completed: str | None = None
    run: int = 0
    """The workflow run that it is a job of; 0 for none."""


@dataclass(eq=False, slots=True)
class Status:
    """A commit status."""

    id: int
    by: Account
    context: str
    state: str
    head: str
    description: str | None
    target_url: str | None
    at: str


@dataclass(frozen=True, slots=True)
class Protection:
    """The rules of a branch.

    Attributes:
        checks: Names of the checks and statuses that have to have passed.
        strict: Whether the base has to be contained in the head.
        reviews: How many approvals are needed; None: changes need no pull request at all.
        dismiss_stale: Whether a push takes approvals back.
        code_owners: Whether an owner of each changed file has to approve (CODEOWNERS of the base).
        last_push: Whether somebody other than the last pusher has to approve.
        admins: Whether administrators are bound too.
        queue: Whether merges go through a merge queue.
        linear: Whether merge commits are refused.
        conversations: Whether open conversations have to be resolved first; it is told, and not enforced.
        ruleset: Whether they come as a ruleset, of which the interface tells elsewhere.
        apps: Which App has to have reported a check, by name; any where it is not listed.
    """

    checks: tuple[str, ...] = ()
    strict: bool = False
    reviews: int | None = None
    dismiss_stale: bool = False
    code_owners: bool = False
    last_push: bool = False
    admins: bool = True
    queue: bool = False
    linear: bool = False
    conversations: bool = False
    ruleset: bool = False
    apps: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as its webhook tells it."""

    name: str
    action: str
    by: str
    about: str
    """In a few words, for transcripts."""
    payload: Json = field(repr=False, default_factory=dict)

    def __str__(self) -> str:
        return f"{self.by}: {self.name}{'.' + self.action if self.action else ''} {self.about}".rstrip()
