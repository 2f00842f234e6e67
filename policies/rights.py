"""Who may do what, beside using tools: one table of capabilities, filled by the rules and by what the owner granted since.

Persons and roles are named by id, never by a name that people choose: `discord:ID`, `discord:role/ID`. Beside those there are
`everyone`; `manager`, who may manage the server where it is said; `maintainer`, who is listed under `[approval]`; and `owner`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from policies.decision import Decision
from policies.load import Rules

Capability = Literal["chat", "see", "propose", "approve", "halt", "setup"]
"""Talking; looking at proposals and at how things stand; asking for changes; approving, rejecting and rolling back;
halting and resuming; saying who may do what."""
EVERYONE, MANAGER, MAINTAINER, OWNER = "everyone", "manager", "maintainer", "owner"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as a surface knows them at this moment.

    Attributes:
        id: Who, as `surface:id`.
        roles: What else counts for them, as `surface:role/ID`, `manager` or `owner`.
    """

    id: str
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Grant:
    """Somebody, or whoever has a role, may do something."""

    who: str
    capability: Capability


def may(capability: Capability, person: Person, grants: Collection[Grant], rules: Rules) -> Decision:
    """Whether somebody may do something.

    Args:
        capability: What.
        person: Who; the operator at the console may do everything.
        grants: What the owner granted beside the rules.
        rules: Their `[rights]` say what holds without a grant.
    """
    if person.id.startswith("console:"):
        return Decision()
    names = {EVERYONE, person.id, *person.roles}
    if person.id in rules.approval.maintainers:
        names.add(MAINTAINER)
    given = {*getattr(rules.rights, capability), *(g.who for g in grants if g.capability == capability)}
    if names & given:
        return Decision()
    return Decision.no("not_allowed", _DENIED[capability])


_DENIED: dict[Capability, str] = {
    "chat": "Chat is for others here; whoever set Theseus up says for whom, with /setup.",
    "see": "Only people who may look at proposals can do that here; the owner says who, with /setup.",
    "propose": "Only people who may ask for changes can do that here; the owner says who, with /setup.",
    "approve": "Only maintainers may do that here; they are listed under [approval] in policies/rules.toml, or named with /setup.",
    "halt": "Only maintainers and the owner may do that here.",
    "setup": "Only the owner may do that here.",
}
