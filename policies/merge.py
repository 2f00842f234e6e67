"""Whether a proposal may become `main` now: whose approval counts, how many it takes, and for which head."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from policies.decision import Decision, Finding, Severity
from policies.load import Rules
from policies.rights import Grant, Person, may

OWN_CHANGE = "whoever asked for a change may not approve it; another maintainer has to"
"""What people are told who approve what they asked for themselves."""


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
    pushed_by: tuple[str, ...] = ()
    """Who put commits of their own on its branch elsewhere."""


def may_approve(
    candidate: Candidate, by: Person, looked_at: str | None, rules: Rules, grants: Collection[Grant] = ()
) -> Decision:
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
    decision = may_decide(by, candidate.requested_by, rules, grants)
    alone = by.at_console and rules.approval.console_self_approval
    if decision.allowed and not alone and any(same(by.id, who, rules) for who in candidate.pushed_by):
        return own_commits(number)
    if decision.allowed and not alone and any(same(by.id, who, rules) for who in candidate.approvals):
        return Decision.no(
            "approved_before",
            f"{by.id} has approved proposal {number} already; the second approval is another maintainer's",
        )
    return decision


def own_commits(number: int) -> Decision:
    """The answer to whoever approves a proposal that has commits of theirs."""
    return Decision.no(
        "own_commits",
        f"whoever put commits on the branch of proposal {number} may not approve it; another maintainer has to",
    )


def same(one: str, other: str, rules: Rules) -> bool:
    """Whether two names, each as `surface:id`, are one person's as far as the rules know."""
    return one == other or any({one, other} <= set(names) for names in rules.github.same_people)


def side_lacking(approvals: Collection[str], elsewhere: str, rules: Rules) -> str:
    """On which side somebody has still to approve where the rules ask for one here and one there; empty where all is well.

    Args:
        approvals: Who approved the head, as `surface:id`.
        elsewhere: The surface of the forge on which `main` lives (`github`); empty where it lives here.
        rules: Their `[github] approvals` says whether either side is enough.
    """
    if not elsewhere or rules.github.approvals != "both":
        return ""
    there = {by.startswith(f"{elsewhere}:") for by in approvals}
    lacking = [side for side, has in (("there", True in there), ("here", False in there)) if not has]
    return " and ".join(lacking)


def approvals_needed(findings: Iterable[Finding]) -> int:
    """How many approvals a change takes: two where a finding says that a person has to look, else one."""
    return 2 if to_look_at(findings) else 1


def to_look_at(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What a person has to look at before approving; notes are not among it."""
    return tuple(finding for finding in findings if finding.severity is Severity.REVIEW)


def may_decide(by: Person, requested_by: str, rules: Rules, grants: Collection[Grant] = ()) -> Decision:
    """Whether a person may approve what `requested_by` asked for, or take back what nobody in particular asked for.

    Args:
        by: Who, with the roles of this moment.
        requested_by: Who asked, as `surface:id`; empty where that does not matter.
        rules: They name maintainers, and say whether the operator may approve alone.
        grants: How the owner changed who may approve.
    """
    decision = may("approve", by, grants, rules)
    alone = by.at_console and rules.approval.console_self_approval
    if decision.allowed and requested_by and same(by.id, requested_by, rules) and not alone:
        return Decision.no("self_approval", OWN_CHANGE)
    return decision


def _not_open(candidate: Candidate) -> str:
    if candidate.stage in ("requested", "drafted", "gated"):
        return f"proposal {candidate.number} is still being judged; wait for its gate report"
    return f"proposal {candidate.number} is {candidate.stage}, so there is nothing to approve"
