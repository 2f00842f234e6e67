"""What the steward vouches for with its signature: one line of JSON in the message of each commit that it makes.

Git's signature covers it, so that the history alone, without the ledger, says who asked, who approved which head,
what the gate said of which tree, under which policy and in which image. `verify` compares it with the ledger.
"""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from selfedit.types import GateReport, Proposal

KEY = "Attestation"
_LINE = re.compile(rf"^{KEY}: (.*)$", re.MULTILINE)


class Attestation(BaseModel):
    """One commit's.

    Attributes:
        kind: What the commit is.
        tree: Its tree: what was judged.
        verdict: What the gate said; `passed before` where the tree had passed under the same policy, and
            `taken back unjudged` where what ran before was put back because nothing else would do.
        base, head: What was merged, and into what.
        proposal: Its number; None for people's own commits.
        requested_by, approvals: Who, as `surface:name`.
        policy, image: Under which rules and where it was judged.
        checks: What passed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["merge", "revert", "adoption"]
    tree: str
    verdict: Literal["passed", "passed before", "taken back unjudged"]
    policy: str
    image: str = ""
    base: str = ""
    head: str = ""
    proposal: int | None = None
    requested_by: str = ""
    approvals: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()

    def line(self) -> str:
        """The trailer."""
        return f"{KEY}: {self.model_dump_json(exclude_defaults=True)}"

    def words(self) -> str:
        """The same for people, in one line."""
        who = f", asked for by {self.requested_by}" if self.requested_by else ""
        by = f", approved by {', '.join(self.approvals)}" if self.approvals else ""
        of = f" of proposal {self.proposal}" if self.proposal is not None else ""
        head = f" of {self.head[:12]}" if self.head else ""
        place = f", image {self.image[:19]}" if self.image else ""
        return f"{self.kind}{of}{head}{who}{by}: {self.verdict}, policy {self.policy[:12]}{place}"


def of_merge(proposal: Proposal, report: GateReport) -> Attestation:
    """What is vouched for when a proposal is merged."""
    return Attestation(
        kind="merge",
        tree=report.tree,
        verdict="passed",
        policy=report.policy,
        image=report.sandbox.image if report.sandbox else "",
        base=report.base,
        head=report.head,
        proposal=proposal.number,
        requested_by=proposal.requested_by,
        approvals=proposal.approvals,
        checks=tuple(check.name for check in report.checks if check.passed),
    )


def of_adoption(report: GateReport, tree: str) -> Attestation:
    """What is vouched for when people's commits are adopted."""
    return Attestation(
        kind="adoption",
        tree=tree,
        verdict="passed",
        policy=report.policy,
        image=report.sandbox.image if report.sandbox else "",
        base=report.base,
        head=report.head,
        checks=tuple(check.name for check in report.checks if check.passed),
    )


def of_revert(proposal: Proposal, tree: str, by: str, policy: str, *, passed: bool) -> Attestation:
    """What is vouched for when a proposal is taken back."""
    return Attestation(
        kind="revert",
        tree=tree,
        verdict="passed before" if passed else "taken back unjudged",
        policy=policy,
        proposal=proposal.number,
        requested_by=by,
    )


def attested(message: str) -> Attestation | None:
    """The attestation in a commit's message; None where there is none, or more than one, or none that can be read."""
    lines = _LINE.findall(message)
    try:
        return Attestation.model_validate_json(lines[0]) if len(lines) == 1 else None
    except ValidationError:
        return None
