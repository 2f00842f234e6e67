"""The vocabulary of a proposal's life: frozen values that cross processes as JSON."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from policies.decision import Finding
from policies.merge import approvals_needed
from policies.rights import Capability, Grant
from sandbox.types import SandboxInfo
from selfedit.editing.edits import Edit


class Value(BaseModel):
    """A frozen value that knows its fields and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Stage(StrEnum):
    """Where a proposal stands. The value is what people see."""

    REQUESTED = "requested"
    DRAFTED = "drafted"
    GATED = "gated"
    OPENED = "opened"
    APPROVED = "approved"
    MERGED = "merged"
    LIVE = "live"
    KEPT = "kept"
    SPLIT = "split"
    REFUSED = "refused"
    FAILED = "failed"
    REJECTED = "rejected"
    REVERTED = "reverted"


LEGAL: dict[Stage, frozenset[Stage]] = {
    Stage.REQUESTED: frozenset({Stage.DRAFTED, Stage.SPLIT, Stage.REFUSED, Stage.FAILED}),
    Stage.DRAFTED: frozenset({Stage.DRAFTED, Stage.GATED, Stage.SPLIT, Stage.REFUSED, Stage.FAILED}),
    Stage.GATED: frozenset({Stage.DRAFTED, Stage.OPENED, Stage.SPLIT, Stage.REFUSED, Stage.FAILED}),
    Stage.SPLIT: frozenset({Stage.REJECTED}),
    Stage.OPENED: frozenset({Stage.GATED, Stage.OPENED, Stage.APPROVED, Stage.REJECTED, Stage.FAILED}),
    Stage.APPROVED: frozenset({Stage.OPENED, Stage.MERGED, Stage.REJECTED, Stage.FAILED}),
    Stage.MERGED: frozenset({Stage.LIVE, Stage.REVERTED}),
    Stage.LIVE: frozenset({Stage.LIVE, Stage.KEPT, Stage.REVERTED}),
    Stage.KEPT: frozenset({Stage.REVERTED}),
}
"""The one table of moves: what may follow a stage. What is not in it follows nothing."""
EARLY = (Stage.REQUESTED, Stage.DRAFTED, Stage.GATED)
"""An author or the gate is at work on it; no reviewer has it yet."""
UNDER_REVIEW = (Stage.OPENED, Stage.APPROVED)
"""It waits for reviewers, or to be merged."""
STANDING = (Stage.MERGED, Stage.LIVE, Stage.KEPT)
"""It is on `main`, and was not taken back."""

Verdict = Literal["passed", "refused", "failed", "unknown"]


MAX_PARTS = 6
"""A goal that takes more proposals than this is a project, which people should plan."""


class Part(Value):
    """Which part of a larger goal a request is."""

    of: int
    """The number of the request that was split."""
    number: int = Field(ge=1, le=MAX_PARTS)
    count: int = Field(ge=2, le=MAX_PARTS)
    whole: str = Field(max_length=4000)
    """The larger goal, in the words of who asked."""


class Request(Value):
    """What somebody asked for: a goal in words, edits by hand, or neither (maintenance looks for itself)."""

    requested_by: str
    """Who, as `surface:name` (`console:operator`)."""
    goal: str | None = Field(default=None, max_length=4000)
    edits: tuple[Edit, ...] | None = None
    part: Part | None = None
    """Set by the steward alone, which makes the requests of a row."""


class Plan(Value):
    """An author's answer to a goal that is too large for one change: smaller goals in order, each worth having by itself."""

    goals: tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...] = Field(
        min_length=2, max_length=MAX_PARTS
    )
    why: str = Field(max_length=8000)
    model: str | None = None
    tokens: int = 0
    cost: float = 0.0
    """US dollars, as in `Draft`."""


class Draft(Value):
    """What an author hands over: edits with their reason. Plain data, never trusted."""

    title: str = Field(min_length=1, max_length=200)
    reason: str = Field(max_length=8000)
    """Why the change is worth making, for the reviewer."""
    edits: tuple[Edit, ...]
    author: Literal["maintenance", "person", "model"]
    model: str | None = None
    tokens: int = 0
    cost: float = 0.0
    """US dollars, from the price table; 0 where no price is known."""
    notes: tuple[str, ...] = ()
    """What happened on the way (complaints that were mended), one sentence each."""


class NoDraft(Value):
    """An author's expected "no": nothing to improve, no key, gave up; one or more sentences for people."""

    why: str
    tokens: int = 0
    cost: float = 0.0
    """What it took to find that out, in US dollars."""


class Reviewed(Value):
    """A draft under review, and what people and checks elsewhere say against it: material for the next one, never an order."""

    number: int
    head: str
    """The commit that they looked at."""
    title: str
    reason: str
    edits: tuple[Edit, ...]
    complaints: tuple[Finding, ...]


class Check(Value):
    """One check of a gate run."""

    name: str
    passed: bool
    seconds: float
    summary: str
    findings: tuple[Finding, ...] = ()


class GateReport(Value):
    """What the gate found about one head on one base.

    `unknown` means that the gate could not judge; it is never a pass.
    """

    verdict: Verdict
    base: str
    head: str
    tree: str = ""
    """The tree that would become `main`; empty where there is none (refused, conflict)."""
    policy: str
    """Hash of the rules that judged."""
    sandbox: SandboxInfo | None = None
    """None when no sandbox was started."""
    checks: tuple[Check, ...] = ()
    seconds: float = 0.0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings of all checks, in order."""
        return tuple(finding for check in self.checks for finding in check.findings)

    @property
    def complaint(self) -> str:
        """The first thing that is wrong, in a sentence; the verdict where nothing was said."""
        failing = [check for check in self.checks if not check.passed]
        for finding in (finding for check in failing for finding in check.findings):
            return f"{finding.path}: {finding.message}" if finding.path else finding.message
        return f"{failing[0].name}: {failing[0].summary}" if failing else self.verdict


class StageTime(Value):
    """When a proposal came to a stage."""

    stage: Stage
    at: datetime


class Proposal(Value):
    """A proposal as it stands, folded from the ledger."""

    number: int
    stage: Stage
    title: str = ""
    goal: str | None = None
    reason: str = ""
    requested_by: str
    author: str = ""
    model: str | None = None
    tokens: int = 0
    cost: float = 0.0
    notes: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    branch: str = ""
    base: str = ""
    head: str = ""
    approved_head: str = ""
    """The head that the approvals are for."""
    approvals: tuple[str, ...] = ()
    """Who approved that head, in order; another head begins anew."""
    merge: str = ""
    revert: str = ""
    report: GateReport | None = None
    why: str = ""
    """The sentence behind an end that was not the wished one, or what it waits for."""
    pull: int = 0
    """Its pull request, where the forge has such; 0: none."""
    url: str = ""
    """Where people elsewhere see it; empty where they do not."""
    revert_url: str = ""
    """Where people elsewhere see that it is to be taken back; empty where they do not."""
    before: str = ""
    """What `main` was before it was merged."""
    pushed_by: tuple[str, ...] = ()
    """Who put commits of their own on its branch elsewhere; they do not approve it."""
    names: tuple[tuple[str, str], ...] = ()
    """What people of other services are called there, by who they are: `("github:1", "octocat")`."""
    part: Part | None = None
    """Which part of a larger goal it is, where it is one."""
    parts: tuple[str, ...] = ()
    """The smaller goals that it was split into, in order."""
    begun: tuple[int, ...] = ()
    """The proposals of those that were asked for so far, the newest try of each."""
    row_open: bool = False
    """Whether parts of it are under way or still to come."""
    heard: tuple[str, ...] = ()
    """Complaints from elsewhere that were answered, with another draft or with a reason why there is none, by their keys."""
    told: tuple[str, ...] = ()
    """What was said or tidied up elsewhere for good, and is not done again, by keys."""
    revisions: int = 0
    """How often it was tried to draft it again because of such complaints."""
    history: tuple[StageTime, ...] = ()

    @property
    def approvals_missing(self) -> int:
        """How many approvals it takes beyond those it has."""
        needed = approvals_needed(self.report.findings if self.report else ())
        return max(0, needed - len(self.approvals))


class Granted(Value):
    """A change of who may do what, and whose it was."""

    who: str
    capability: Capability
    allowed: bool = True
    by: str
    at: datetime

    @property
    def grant(self) -> Grant:
        """The change itself, as the policies want it."""
        return Grant(self.who, self.capability, self.allowed)


class FileDiff(Value):
    """The change of one file as unified diff text."""

    path: str
    text: str


class Traced(Value):
    """A definition that differs between the running code and the code before it, and whose change that was."""

    path: str
    name: str
    commit: str
    proposal: int | None
    title: str
    pull: int = 0
    """The proposal's pull request; 0: none."""


class SourceFile(Value):
    """One live file of one commit: the loader checks `text` against git's blob hash."""

    path: str
    blob: str
    text: str


class LoadPlan(Value):
    """Everything the bot needs to bring a commit's live code to life, all or nothing."""

    commit: str
    tree: str
    files: tuple[SourceFile, ...]
    provisional: int = 0
    """The newest proposal in it that has still to prove itself; 0: what is loaded is kept."""


class Heartbeat(Value):
    """Counters of the bot process since it began serving `commit`; latencies in milliseconds."""

    commit: str
    requests: int = 0
    errors: int = 0
    p95_ms: float = 0.0
    lag_ms: float = 0.0
    """Longest pause of the event loop since the last heartbeat."""
    memory_mb: float = 0.0
