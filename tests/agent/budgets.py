"""Rules with other limits, and what somebody hears under them."""

from typing import Any

from agent.chat.brain import Brain
from agent.types import Prices
from policies.limits import DAY
from policies.load import Rules, load_rules
from tests.fakes.tools import box, echo

RULES = load_rules()
NOON = DAY * 100 + DAY / 2
PRICES = Prices(input=2.0, output=10.0)


def rules_with(limits: dict[str, Any] | None = None, tools: dict[str, Any] | None = None) -> Rules:
    """The rules, with other limits."""
    return RULES.model_copy(
        update={
            "limits": RULES.limits.model_copy(update=limits or {}),
            "tools": RULES.tools.model_copy(update={"footer": "never", **(tools or {})}),
        }
    )


async def said(brain: Brain, text: str = "hi", caller: str = "discord:7", place: str = "here") -> str:
    """A whole answer."""
    return "".join([piece async for piece in brain.answer(place, text, "", caller=caller, toolbox=box(echo))])
