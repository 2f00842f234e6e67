"""What the steward makes of the policies' rights: which one each message needs, and how a change of them is answered. Pure."""

from collections.abc import Sequence

from pydantic import BaseModel

from policies.load import Rules
from policies.rights import CAPABILITIES, Capability, Grant, holders, may, may_change
from selfedit import protocol as say
from selfedit.types import Granted

NEEDS: dict[type[BaseModel], Capability] = {
    say.Improve: "propose",
    say.Approve: "approve",
    say.Reject: "approve",
    say.Rollback: "approve",
    say.Halt: "halt",
    say.Resume: "halt",
    say.Grant: "setup",
    say.Withdraw: "setup",
}
"""Which right somebody needs for what they ask."""


def forbidden(asked: BaseModel, grants: frozenset[Grant], rules: Rules) -> str:
    """Why somebody may not have done what they ask for, as a sentence; empty when they may, or need no right for it."""
    if not isinstance(asked, say.FromPerson | say.Improve):
        return ""
    return may(NEEDS[type(asked)], asked.who, grants, rules).why


def wanted(asked: say.Grant | say.Withdraw, grants: frozenset[Grant], rules: Rules) -> Grant | say.Refused:
    """The change that somebody asks for, or why it is not made."""
    change = Grant(asked.to, asked.capability, allowed=isinstance(asked, say.Grant))
    decision = may_change(change, asked.who, grants, rules)
    return change if decision.allowed else say.Refused(why=decision.why)


def standing(granted: Sequence[Granted], rules: Rules, *, on_github: bool = False) -> say.RightsAre:
    """Who may do what, by the rules and by what was changed since; people of GitHub only where proposals are shown there."""
    grants = [one.grant for one in granted]
    named = {
        one: tuple(
            who for who in sorted(holders(one, grants, rules)) if on_github or not who.startswith("github:")
        )
        for one in CAPABILITIES
    }
    return say.RightsAre(granted=tuple(granted), holders=named, maintainers=rules.approval.maintainers)
