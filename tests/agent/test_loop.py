"""The chat turn: what is remembered, what is not, and what people hear when no model answers."""

from contextlib import aclosing

import pytest

from agent.loop import WINDOW_CHARS, WINDOW_MESSAGES, Brain
from agent.ports import ProviderFailed
from agent.router import Fallback, Keys
from bot import feature
from tests.fakes.models import WIRED, opened
from tests.fakes.scripted import ScriptedModel, Turn


class Failed(Exception):
    """Stands for the exception that live code knows."""


async def said(brain: feature.Brain, text: str, conversation: str = "here") -> str:
    """A whole answer."""
    return "".join([piece async for piece in brain.answer(conversation, text, "Be kind.")])


def shown(model: ScriptedModel) -> list[tuple[str, str]]:
    """Role and text of what the model was shown last."""
    return [(message["role"], message["text"]) for message in model.script.requests[-1]["messages"]]


@pytest.mark.parametrize("kind", list(WIRED))
async def test_an_answer_streams_from_a_real_sdk(kind: str) -> None:
    """Through each SDK, an answer comes in pieces and the next question carries the exchange before it."""
    async with opened(
        kind, Turn(text="Hello to you, too."), Turn(text="Yes.", when="Hello to you")
    ) as played:
        brain = Brain(played.provider)
        assert await said(brain, "hello") == "Hello to you, too."
        assert await said(brain, "remember?") == "Yes."


async def test_a_conversation_remembers_itself_and_no_other() -> None:
    """The window holds this conversation's exchanges, in order, behind the instructions."""
    model = ScriptedModel(Turn(text="one", times=0))
    brain = Brain(model)
    await said(brain, "first")
    await said(brain, "elsewhere", conversation="there")
    await said(brain, "second")
    assert shown(model) == [
        ("system", "Be kind."),
        ("user", "first"),
        ("assistant", "one"),
        ("user", "second"),
    ]


async def test_the_window_is_the_newest_fifty_messages() -> None:
    """However long a conversation, a model is shown its newest fifty messages, beginning with a question."""
    model = ScriptedModel(Turn(text="a", times=0))
    brain = Brain(model)
    for number in range(40):
        await said(brain, f"q{number}")
    window = shown(model)[1:-1]
    assert len(window) == WINDOW_MESSAGES
    assert window[0] == ("user", "q14")


async def test_the_window_is_bounded_in_characters() -> None:
    """Long messages push older ones out of the window before there are fifty."""
    model = ScriptedModel(Turn(text="a", times=0))
    brain = Brain(model)
    for number in range(9):
        await said(brain, f"q{number} {'x' * 10_000}")
    assert sum(len(text) for _, text in shown(model)[1:-1]) <= WINDOW_CHARS
    assert shown(model)[1][1].startswith("q4")


@pytest.mark.parametrize(
    "trouble", [Turn(status=500), Turn(text="It breaks off here.", break_after=1), Turn()]
)
async def test_a_failed_answer_leaves_no_trace(trouble: Turn) -> None:
    """After a failure, midway or before, or an empty answer, the conversation stands as it was."""
    model = ScriptedModel(Turn(text="one"), trouble, Turn(text="two"))
    brain = Brain(model, failed=Failed)
    await said(brain, "first")
    with pytest.raises(Failed):
        await said(brain, "lost")
    await said(brain, "third")
    assert [text for _, text in shown(model)] == ["Be kind.", "first", "one", "third"]


async def test_an_answer_that_nobody_waited_for_leaves_no_trace() -> None:
    """When the reader goes away midway, the exchange is not remembered."""
    model = ScriptedModel(Turn(text="A long answer, in pieces."), Turn(text="two"))
    brain = Brain(model)
    async with aclosing(brain.answer("here", "first", "")) as pieces:
        await anext(pieces)
    await said(brain, "second")
    assert [text for _, text in shown(model)] == ["Be kind.", "second"]


async def test_without_a_model_the_settings_are_named() -> None:
    """Without any key, the brain says which settings to set, and asking it raises the same sentence."""
    brain: feature.Brain = Brain.of(Keys(), failed=Failed)
    assert brain.missing is not None
    assert all(name in brain.missing for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "LOCAL_MODEL_URL"))
    with pytest.raises(Failed, match="OPENAI_API_KEY"):
        await said(brain, "hello")


async def test_a_second_model_answers_where_the_first_fails() -> None:
    """A failing first provider is stood in for; only when all fail does the turn fail, with every reason."""
    model = Fallback([ScriptedModel(Turn(status=500, times=0)), ScriptedModel(Turn(text="from the second"))])
    brain = Brain(model)
    assert await said(brain, "hello") == "from the second"
    with pytest.raises(ProviderFailed, match=r"scripted trouble.*no turn left"):
        await said(brain, "again")


async def test_no_second_model_continues_anothers_sentence() -> None:
    """Once a piece of an answer is out, a failure is final."""
    second = ScriptedModel(Turn(text="something else"))
    brain = Brain(
        Fallback([ScriptedModel(Turn(text="It breaks off here.", break_after=1)), second]), failed=Failed
    )
    with pytest.raises(Failed, match="broke off"):
        await said(brain, "hello")
    assert second.script.requests == []
