"""Whether a proposal may become `main` now: whose approval counts, how many it takes, and for which head."""

from collections.abc import Iterable
from dataclasses import dataclass

from policies.decision import Decision, Finding, Severity
from policies.load import Rules


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of a proposal when somebody wants it merged."""

    number: int
    stage: str
    head: str
    requested_by: str
    verdict: str
    judged_head: str
    judged_policy: str
    reverts: int
    """How often this very change was merged and taken back before."""
    approvals: tuple[str, ...] = ()
    """Who has approved this head already."""


def may_approve(candidate: Candidate, by: str, looked_at: str | None, rules: Rules) -> Decision:
    """Whether `by` may approve a candidate, having looked at the head `looked_at` (None: the present one)."""
    number = candidate.number
    if candidate.stage != "opened":
        return Decision.no("not_open", _not_open(candidate))
    if looked_at is not None and looked_at != candidate.head:
        return Decision.no(
            "head_moved",
            f"proposal {number} is at {candidate.head[:12]} now, not at {looked_at[:12]}; look at it again: /proposal {number}",
        )
    if candidate.verdict != "passed" or candidate.judged_head != candidate.head:
        return Decision.no(
            "not_judged", f"the gate has not passed head {candidate.head[:12]} of proposal {number}"
        )
    if candidate.judged_policy != rules.policy:
        return Decision.no(
            "policy_changed",
            f"proposal {number} was judged under other rules; ask for it again to have it judged anew",
        )
    if candidate.reverts >= rules.freeze.reverts:
        return Decision.no(
            "frozen",
            f"this change was taken back {candidate.reverts} times and is frozen; propose a different one, "
            "or let a person commit it by hand",
        )
    decision = may_decide(by, candidate.requested_by, rules)
    alone = by.partition(":")[0] == "console" and rules.approval.console_self_approval
    if decision.allowed and by in candidate.approvals and not alone:
        return Decision.no(
            "approved_before",
            f"{by} has approved proposal {number} already; the second approval is another maintainer's",
        )
    return decision


def approvals_needed(findings: Iterable[Finding]) -> int:
    """How many approvals a change takes: two where a finding says that a person has to look, else one."""
    return 2 if to_look_at(findings) else 1


def to_look_at(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What a person has to look at before approving; notes are not among it."""
    return tuple(finding for finding in findings if finding.severity is Severity.REVIEW)


def may_decide(by: str, requested_by: str, rules: Rules) -> Decision:
    """Whether a person may approve what `requested_by` asked for."""
    surface = by.partition(":")[0]
    if surface == "console":
        if by == requested_by and not rules.approval.console_self_approval:
            return Decision.no(
                "self_approval", "whoever asked for a change may not approve it; another maintainer has to"
            )
        return Decision()
    if by not in rules.approval.maintainers:
        return Decision.no("not_a_maintainer", f"{by} is not among the maintainers in policies/rules.toml")
    if by == requested_by:
        return Decision.no(
            "self_approval", "whoever asked for a change may not approve it; another maintainer has to"
        )
    return Decision()


def _not_open(candidate: Candidate) -> str:
    if candidate.stage in ("requested", "drafted", "gated"):
        return f"proposal {candidate.number} is still being judged; wait for its gate report"
    return f"proposal {candidate.number} is {candidate.stage}, so there is nothing to approve"
