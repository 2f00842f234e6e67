"""A brain whose commands a test gives, as somebody in a place."""

from typing import Any

from agent.calling.answered import Place
from agent.calling.toolbox import Toolbox
from agent.chat.brain import Brain
from agent.models.single import OneModel
from agent.records.turns import Turns
from agent.types import Prices
from policies.load import load_rules
from tests.fakes.scripted import ScriptedModel, Turn
from tests.fakes.tools import HERE, box, echo

RULES = load_rules()
PRICES = Prices(input=2.0, output=10.0)


def brain_of(turns: Turns | None, *says: Turn, **tools: Any) -> Brain:
    """A brain with one model; `tools` are rules."""
    rules = RULES.model_copy(update={"tools": RULES.tools.model_copy(update={"footer": "never", **tools})})
    return Brain(OneModel(ScriptedModel(*says, prices=PRICES)), rules, turns=turns)


async def said(brain: Brain, text: str, who: Place = HERE, toolbox: Toolbox | None = None) -> str:
    """A whole answer."""
    answer = brain.answer(who.conversation, text, "", caller=who.caller, toolbox=toolbox or box(echo))
    return "".join([piece async for piece in answer])


async def told(brain: Brain, line: str, who: Place = HERE, toolbox: Toolbox | None = None) -> str:
    """The answer to a command."""
    name, _, rest = line.partition(" ")
    return await brain.inform(name, rest, toolbox or box(echo), who.caller, who.conversation)
