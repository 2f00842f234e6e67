"""Loops and turns of them, over models that say what a test tells them."""

from typing import Any

from agent.calling.executor import Calls
from agent.calling.toolbox import Toolbox
from agent.chat.loop import Loop
from agent.chat.turn import Turn
from agent.models.single import OneModel
from agent.types import Message
from policies.load import ToolRules, load_rules
from tests.fakes.scripted import Use
from tests.fakes.tools import HERE

RULES = load_rules()


def loop_of(model: Any, **changed: Any) -> Loop:
    """A loop on one model; `changed` are rules of a turn."""
    rules: ToolRules = RULES.tools.model_copy(update=changed)
    return Loop(OneModel(model), Calls(RULES.model_copy(update={"tools": rules})), rules)


def turn_of(toolbox: Toolbox | None = None, text: str = "go", **more: Any) -> Turn:
    """A fresh turn."""
    tools = toolbox or Toolbox()
    specs = tuple(tool.spec for tool in tools.tools.values())
    return Turn(messages=[Message(role="user", text=text)], toolbox=tools, place=HERE, specs=specs, **more)


async def ran(loop: Loop, turn: Turn, rounds: int | None = None) -> str:
    """The whole answer."""
    return "".join([piece async for piece in loop.run(turn, rounds)])


def uses(*names: str, **arguments: Any) -> tuple[Use, ...]:
    """Calls."""
    return tuple(Use(name=name, arguments=arguments) for name in names)
