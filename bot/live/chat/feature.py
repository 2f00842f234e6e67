"""Chat: every line that is no command."""

from bot.feature import Brain, ModelFailed, Registry, Turn

GREETINGS = ["hello", "hi", "hey", "good morning", "good evening"]


def _is_greeting(text: str) -> bool:
    said = text.strip().strip("!.,").lower()
    for greeting in GREETINGS:
        if said == greeting:
            return True
    return False


def _what_works(turn: Turn) -> str:
    names = []
    for command in turn.commands:
        if command.live:
            names.append("/" + command.name)
    return "What I can do meanwhile: " + ", ".join(sorted(names)) + "."


def _without_model(turn: Turn, missing: str) -> str:
    if _is_greeting(turn.text):
        start = "Hello! I cannot chat freely yet:"
    else:
        start = "I cannot answer that yet:"
    return f"{start} {missing}\n{_what_works(turn)}"


async def _ask(brain: Brain, turn: Turn) -> str:
    pieces = []
    instructions = turn.prompts["chat"] if "chat" in turn.prompts else ""
    async for piece in brain.answer(turn.conversation, turn.text, instructions):
        pieces.append(piece)
        turn.show(piece)
    return "".join(pieces).strip()


async def reply(turn: Turn) -> str:
    """Answer one line of chat."""
    brain = turn.brain
    if brain is None:
        return _without_model(turn, "no language model is set up here.")
    if brain.missing:
        return _without_model(turn, brain.missing)
    try:
        answer = await _ask(brain, turn)
    except ModelFailed as failure:
        return f"Sorry, that got no answer: {failure}"
    if answer == "":
        return "Sorry, the language model answered with nothing. Please say it in another way."
    else:
        return answer


def setup(registry: Registry) -> None:
    """Answer every line that is no command."""
    registry.chat(reply)
