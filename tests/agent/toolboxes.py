"""Calls of tools under rules that a test changes."""

from typing import Any

from agent.calling.answered import Answered, Place
from agent.calling.executor import Calls
from policies.load import load_rules

RULES = load_rules()


def calls(heard: list[str] | None = None, **changed: Any) -> Calls:
    """What runs calls; `changed` are rules of tools."""
    rules = RULES.model_copy(update={"tools": RULES.tools.model_copy(update=changed)})
    outcomes = heard if heard is not None else []

    def note(_place: Place, answered: Answered) -> None:
        outcomes.append(answered.outcome)

    async def lend() -> dict[str, str]:
        return {"web": "the net", "files": "a folder"}

    return Calls(rules, lend, note)
