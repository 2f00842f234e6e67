"""Who may do what, beside using tools: one table of capabilities, filled by the rules and changed by the owner since.

Persons and roles are named by id, never by a name that people choose: `discord:ID`, `discord:role/ID`. Beside those there are
`everyone`; `manager`, who may manage the server where it is said; `maintainer`, who is listed under `[approval]`; and `owner`.

The rules say what holds at first. The owner adds to that, and takes away of it where that makes the circle of those who chat,
look or ask smaller; who approves, halts and sets up by the rules stays. All of that is this file's `holders`.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, get_args

from policies.decision import Decision
from policies.load import Rules

Capability = Literal["chat", "see", "propose", "approve", "halt", "setup"]
"""Talking; looking at proposals and at how things stand; asking for changes; approving, rejecting and rolling back;
halting and resuming; saying who may do what."""
CAPABILITIES: tuple[Capability, ...] = get_args(Capability)
EVERYONE, MANAGER, MAINTAINER, OWNER = "everyone", "manager", "maintainer", "owner"
CONSOLE = "console"
"""What the operator goes by."""
POWERS: frozenset[Capability] = frozenset({"approve", "halt", "setup"})
"""What decides over the code, or over who does. The rules' word on these is only added to, and never for just anybody."""

_WHO = re.compile(rf"{EVERYONE}|{MANAGER}|{MAINTAINER}|{OWNER}|(?!console:)[a-z]{{1,16}}:(role/)?\w{{1,32}}")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as a surface knows them at this moment.

    Attributes:
        id: Who, as `surface:id`.
        roles: What else counts for them, as `surface:role/ID`, `manager` or `owner`.
    """

    id: str
    roles: frozenset[str] = frozenset()

    @property
    def at_console(self) -> bool:
        """Whether it is the operator, who may do everything."""
        return self.id.startswith("console:")


@dataclass(frozen=True, slots=True)
class Grant:
    """A change of the rules' table: somebody, or whoever has a role, may do something; or, not `allowed`, may not by the rules."""

    who: str
    capability: Capability
    allowed: bool = True


def may(capability: Capability, person: Person, grants: Collection[Grant], rules: Rules) -> Decision:
    """Whether somebody may do something.

    Args:
        capability: What.
        person: Who; the operator at the console may do everything.
        grants: How the owner changed what the rules say.
        rules: Their `[rights]` say what holds without a grant.
    """
    if person.at_console or _names(person, rules) & holders(capability, grants, rules):
        return Decision()
    own = capability == "approve" and may("setup", person, grants, rules).allowed
    return Decision.no("not_allowed", _CHOOSE_YOURSELF if own else _DENIED[capability])


def holders(capability: Capability, grants: Collection[Grant], rules: Rules) -> frozenset[str]:
    """Who may do something now, as persons and roles are named here; the console comes beside them.

    Whoever asks for changes, or approves them, may look at them.
    """
    found = _named(capability, grants, rules)
    if capability == "see":
        found |= _named("propose", grants, rules) | _named("approve", grants, rules)
    return found


def _named(capability: Capability, grants: Collection[Grant], rules: Rules) -> frozenset[str]:
    """Who is named for one capability."""
    mine = [grant for grant in grants if grant.capability == capability]
    given = {grant.who for grant in mine if grant.allowed}
    taken = {grant.who for grant in mine if not grant.allowed}
    return frozenset((_by_rules(capability, rules) - taken) | given)


def through(capability: Capability, person: Person, grants: Collection[Grant], rules: Rules) -> str:
    """The grant without which somebody might not do something, by whom it names; empty where the rules alone allow it."""
    names = _names(person, rules)
    if person.at_console or names & _by_rules(capability, rules):
        return ""
    return min(names & holders(capability, grants, rules), default="")


def basis(capability: Capability, person: Person, grants: Collection[Grant], rules: Rules) -> str:
    """By what somebody may do something: `console`, what the rules name, else whom a grant names; empty where they may not."""
    if person.at_console:
        return CONSOLE
    by_rules = min(_names(person, rules) & _by_rules(capability, rules), default="")
    return by_rules or through(capability, person, grants, rules)


def with_change(grants: frozenset[Grant], change: Grant) -> frozenset[Grant]:
    """The grants after one more change: it undoes its opposite, or stands beside the others."""
    opposite = replace(change, allowed=not change.allowed)
    return grants - {opposite} if opposite in grants else grants | {change}


def may_change(change: Grant, person: Person, grants: frozenset[Grant], rules: Rules) -> Decision:
    """Whether somebody may change who may do what.

    Args:
        change: What they want to hold; not `allowed` takes something from somebody.
        person: Who wants it.
        grants: Those that stand.
        rules: All rules.
    """
    decision = may("setup", person, grants, rules)
    if not decision.allowed:
        return decision
    who, capability = change.who, change.capability
    if not _WHO.fullmatch(who):
        return Decision.no("unclear_who", f"{who!r} names nobody here; {WHO_HINT}.")
    has_it = who in holders(capability, grants, rules)
    if change.allowed:
        if capability in POWERS and who in (EVERYONE, MANAGER):
            return Decision.no(
                "too_wide",
                f"{WORDS[capability].capitalize()} is not for {who}: anybody could be that, on a server of their own. "
                "Name persons or roles.",
            )
        if has_it:
            return Decision.no("no_change", f"{who} may {capability} already.")
        return Decision()
    if not has_it:
        return Decision.no("no_change", f"{who} could not {capability} in the first place.")
    if who not in _named(capability, grants, rules):
        return Decision.no(
            "implied",
            f"{who} may look because they ask for changes or approve them; take that from them first.",
        )
    granted = Grant(who, capability) in grants
    if not granted and (capability in POWERS or who == OWNER):
        return Decision.no(
            "by_rules",
            f"That {who} may {capability} stands in policies/rules.toml, so it is changed there and not from here.",
        )
    if not may("setup", person, with_change(grants, change), rules).allowed:
        return Decision.no(
            "lock_out",
            "With that you could not set anything up any more; somebody else who may, or the console, can take it from you.",
        )
    return Decision()


def _names(person: Person, rules: Rules) -> set[str]:
    """Everything by which somebody may be meant. What a surface says of itself makes nobody a maintainer."""
    names = {EVERYONE, person.id, *(person.roles - {MAINTAINER})}
    return names | {MAINTAINER} if person.id in rules.approval.maintainers else names


def _by_rules(capability: Capability, rules: Rules) -> frozenset[str]:
    return frozenset(getattr(rules.rights, capability))


WHO_HINT = "say discord:ID for a person, discord:role/ID for a role, or everyone, manager, maintainer, owner"
WORDS: dict[Capability, str] = {
    "chat": "chatting",
    "see": "looking at proposals",
    "propose": "asking for changes",
    "approve": "approving, rejecting and rolling back",
    "halt": "halting and resuming",
    "setup": "saying who may do what",
}
"""What each capability is, for people."""
_CHOOSE_YOURSELF = "Only maintainers may do that here; choose yourself under *Who approves* in /setup."
"""Said to somebody who may set that up."""
_DENIED: dict[Capability, str] = {
    "chat": "Chat is for others here; whoever set Theseus up says for whom, with /setup.",
    "see": "Only people who may look at proposals can do that here; the owner says who, with /setup.",
    "propose": "Only people who may ask for changes can do that here; the owner says who, with /setup.",
    "approve": "Only maintainers may do that here; the owner names them with /setup.",
    "halt": "Only people who may halt can do that here; the owner says who, with /setup.",
    "setup": "Only the owner may do that here.",
}
