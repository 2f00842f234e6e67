"""Who may use which tool: a role, a place and a person's rights each take away, none of them adds."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from policies.decision import Decision
from policies.load import Lent, Level, Rules

Role = Literal["partner", "planner", "writer"]
LEVELS: tuple[Level, ...] = ("everyone", "trusted", "maintainer")
"""Each may what those before it may."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tool, as far as it matters here."""

    name: str
    permission: Level = "everyone"
    writes: bool = False
    uses: Collection[Lent] = ()


def least_level(wanted: Wanted, rules: Rules) -> Level:
    """How far somebody has to be trusted for a tool: what it says itself, or more where the rules say so.

    Args:
        wanted: The tool.
        rules: Their `[tools.least]` has the last word on what uses a service, since a tool is live code.
    """
    floors = [rules.tools.least[service] for service in wanted.uses if service in rules.tools.least]
    return max([wanted.permission, *floors], key=LEVELS.index)


def level_of(caller: str, rules: Rules) -> Level:
    """How far somebody is trusted.

    Args:
        caller: Who it is, as `surface:name`.
        rules: They name maintainers and the trusted; the console is the operator's.
    """
    if caller in rules.approval.maintainers or caller.startswith("console:"):
        return "maintainer"
    return "trusted" if caller in rules.tools.trusted else "everyone"


def tools_allowed(caller: str, rules: Rules, *, enabled: bool | None = None) -> Decision:
    """Whether somebody's chat may use tools at all.

    Args:
        caller: Who it is, as `surface:name`.
        rules: Their `[tools]` say whether tools are on, and who may use them while they are off.
        enabled: What the operator's setting says; None where it is not set.
    """
    if (rules.tools.enabled if enabled is None else enabled) or caller in rules.tools.first_users:
        return Decision()
    return Decision.no("tools_off", "Tools are switched off here; ENABLE_TOOL_CALLING=true switches them on.")


def may_use(wanted: Wanted, caller: str, place: str, role: Role, rules: Rules) -> Decision:
    """Whether somebody may use one tool in one place.

    Args:
        wanted: The tool.
        caller: Who it is, as `surface:name`.
        place: Where it is said; `[tools.places]` may list the only tools of a place.
        role: What the agent that calls is for.
        rules: All rules.
    """
    least = least_level(wanted, rules)
    if LEVELS.index(level_of(caller, rules)) < LEVELS.index(least):
        return Decision.no("tool_permission", f"{wanted.name} is for {least} users only.")
    listed = rules.tools.places.get(place)
    if listed is not None and wanted.name not in listed:
        return Decision.no("tool_place", f"{wanted.name} is not on the list of tools for this place.")
    if wanted.writes and role == "planner":
        return Decision.no("tool_role", f"{wanted.name} changes something, and a planner only looks.")
    if role == "writer" and (out := sorted(set(wanted.uses) & {"runner", "agents"})):
        return Decision.no("tool_role", f"{wanted.name} uses {out[0]}, which is not a writer's work.")
    return Decision()
