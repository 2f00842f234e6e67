"""Models that see and such that do not, and what comes along with a question."""

from collections.abc import Sequence
from typing import Any

from agent.calling.toolbox import Toolbox
from agent.chat.brain import Brain
from agent.incoming.wish import Wish
from agent.live.tools.look_at_image import look_at_image
from agent.models.catalogue import Row
from agent.providers.scripted import ScriptedModel
from agent.tool import Context, Manifest, Result
from agent.types import Prices
from policies.load import load_rules
from tests.fakes.pictures import attached
from tests.fakes.scripted import Turn, Use
from tests.fakes.tools import box

RULES = load_rules()
CAT = attached("cat.png")
NOTES = attached("notes.txt", b"The launch is on Tuesday.")
LOOKS = Turn(calls=(Use(name="look_at_image", arguments={"image": "cat.png"}),))
EYES = box(look_at_image, look_at_image=Manifest(uses=("vision",)))
PRICES = Prices(input=2.0, output=10.0)


async def asks_a(context: Context) -> Result:
    """Ask an agent."""
    return await context.agents.ask("a", "?")


def sees(*turns: Turn) -> tuple[ScriptedModel, Row]:
    """A model that sees."""
    return ScriptedModel(*turns, prices=PRICES), Row(vision="yes", tools="yes", context=100_000)


def blind(*turns: Turn) -> tuple[ScriptedModel, Row]:
    """A model that sees nothing."""
    return ScriptedModel(*turns, prices=PRICES), Row(vision="no", tools="yes", context=100_000)


async def said(
    brain: Brain,
    text: str,
    *files: Any,
    toolbox: Toolbox = EYES,
    caller: str = "console:ann",
    **wish: Any,
) -> str:
    """A whole answer."""
    voice = brain.voice(toolbox, caller, "here", Wish(attachments=files, **wish))
    return "".join([piece async for piece in voice.answer("", text, "Be kind.")])


def shown(model: ScriptedModel, request: int = -1) -> Sequence[dict[str, Any]]:
    """The messages that a model was shown."""
    messages: list[dict[str, Any]] = model.script.requests[request]["messages"]
    return messages
