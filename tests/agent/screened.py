"""A screen, and answers behind it."""

from agent.calling.toolbox import Toolbox
from agent.chat.brain import Brain
from policies.load import load_rules

RULES = load_rules()
PROMPT = (
    "You are Theseus, a helpful member of this chat. Be kind, brief and concrete: a short question gets a short answer. "
    "Say so when you do not know something, and never make up facts."
)


async def said(brain: Brain, text: str = "hello there") -> list[str]:
    """An answer in its pieces."""
    voice = brain.voice(Toolbox(), "discord:7", "here")
    return [piece async for piece in voice.answer("", text, PROMPT)]


MODERATED = RULES.model_copy(update={"answers": RULES.answers.model_copy(update={"moderation": True})})
