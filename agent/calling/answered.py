"""A call of a tool as it is known afterwards: where it came from, what came of it, and how far it got."""

from dataclasses import dataclass
from typing import Literal, get_args

from agent.types import ToolCall
from policies.access import Role

Outcome = Literal[
    "ok",
    "cached",
    "unknown",
    "wrong",
    "denied",
    "refused",
    "unconfirmed",
    "repeated",
    "late",
    "failed",
    "cancelled",
]
Stage = Literal["permission", "input", "policy", "access", "execution"]
"""What a call passes, in this order, before it is written down: may this person use it here, do its arguments fit, does
text from outside in the turn forbid it, is there budget and what it wants to be lent, and how did it run."""
STAGES: tuple[Stage, ...] = get_args(Stage)
_STOPPED: dict[Outcome, Stage] = {
    "unknown": "permission",
    "wrong": "input",
    "unconfirmed": "policy",
    "repeated": "policy",
    "denied": "access",
}
"""Where a call with such an outcome went no further, if nobody says otherwise; the rest got as far as running."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one call. `text` is what the model reads."""

    call: ToolCall
    tool: str
    outcome: Outcome
    text: str
    seconds: float = 0.0
    cost: float = 0.0
    sources: tuple[str, ...] = ()
    untrusted: bool = False
    file: str = ""
    arguments: str = "{}"
    """As they are kept: secrets and long texts taken out."""
    stopped: Stage | None = None
    """The stage that it did not get beyond; None: the one that its outcome stands for."""
    error: str = ""
    """The class of what went wrong while it ran, for the log; people and models read `text`."""

    @property
    def stages(self) -> str:
        """Every stage with what came of it there, in order, as the audit keeps it."""
        stopped = self.stopped or _STOPPED.get(self.outcome, "execution")
        said = {stopped: self.outcome if stopped == "execution" else "no"}
        reached = STAGES.index(stopped)
        rows = [
            f"{stage}={said.get(stage, 'yes' if at < reached else '-')}" for at, stage in enumerate(STAGES)
        ]
        return " ".join([*rows, "audit=written"])


@dataclass(frozen=True, slots=True)
class Place:
    """Where calls come from: who asks, where, by which agents, and which model makes them."""

    caller: str
    conversation: str
    role: Role = "partner"
    asked: tuple[str, ...] = ()
    """The agents that asked each other, the one that calls last; empty for the chat itself."""
    model: str = ""
    """As `vendor/model`; empty where a person calls."""
    private: bool = False
    """What tools are given is not written down."""
    since: int = 0
    """What `Calls.forgotten` said when the question was asked; 0: when the call was made."""

    @property
    def agent(self) -> str:
        """Which agent calls; empty for the chat itself."""
        return self.asked[-1] if self.asked else ""
