"""The chat turn: what is remembered, what is not, and what people hear when no model answers."""

import base64
import json
from contextlib import aclosing

import pytest

from agent.calling.toolbox import Toolbox
from agent.chat.brain import Brain
from agent.chat.window import WINDOW_CHARS, WINDOW_MESSAGES
from agent.guardrails.spoken import cleaned
from agent.incoming.wish import Wish
from agent.models.offers import Keys, missing
from agent.models.single import OneModel
from agent.ports import ModelProvider
from bot import feature
from tests.fakes.models import WIRED, opened
from tests.fakes.pictures import attached, png
from tests.fakes.scripted import ScriptedModel, Turn, Use
from tests.fakes.tools import box, echo


class Failed(Exception):
    """Stands for the exception that live code knows."""


def brain_of(model: ModelProvider) -> Brain:
    """A brain with one model, which keeps nothing on disk."""
    return Brain(OneModel(model), failed=Failed)


def voice(brain: Brain, caller: str = "console:ann", conversation: str = "here") -> feature.Brain:
    """The brain as live code meets it."""
    return brain.voice(Toolbox(), caller, conversation)


async def said(brain: Brain, text: str, conversation: str = "here") -> str:
    """A whole answer."""
    return "".join(
        [piece async for piece in voice(brain, conversation=conversation).answer("", text, "Be kind.")]
    )


def shown(model: ScriptedModel) -> list[tuple[str, str]]:
    """Role and text of what the model was shown last."""
    return [(message["role"], message["text"]) for message in model.script.requests[-1]["messages"]]


@pytest.mark.parametrize("kind", list(WIRED))
async def test_an_answer_streams_from_a_real_sdk(kind: str) -> None:
    """Through each SDK, an answer comes in pieces and the next question carries the exchange before it."""
    async with opened(
        kind, Turn(text="Hello to you, too."), Turn(text="Yes.", when="Hello to you")
    ) as played:
        brain = brain_of(played.provider)
        assert await said(brain, "hello") == "Hello to you, too."
        assert await said(brain, "remember?") == "Yes."


@pytest.mark.parametrize("kind", list(WIRED))
async def test_a_picture_reaches_a_model_through_a_real_sdk(kind: str) -> None:
    """What was attached arrives in the vendor's own form, beside the question and the name; the answer comes back."""
    wish = Wish(attachments=(attached("cat.png"),))
    async with opened(kind, Turn(text="A red cat.")) as played:
        asked = brain_of(played.provider).voice(Toolbox(), "console:ann", "here", wish)
        assert [piece async for piece in asked.answer("", "What is it?", "Be kind.")] != []
    (request,) = played.script.requests
    assert "cat.png (image/png, 4x3" in json.dumps(request)
    assert base64.b64encode(png()).decode() in json.dumps(request)


@pytest.mark.parametrize("kind", list(WIRED))
async def test_a_tool_is_used_through_a_real_sdk(kind: str) -> None:
    """Through each SDK, a model calls a tool, is shown its result and answers; the footer says what was used."""
    says = Turn(calls=(Use(name="echo", arguments={"text": "ahoy"}),)), Turn(text="Done.", when="says ahoy")
    async with opened(kind, *says) as played:
        asked = (
            brain_of(played.provider)
            .voice(box(echo), "console:ann", "here")
            .answer("here", "hello", "Be kind.")
        )
        answer = "".join([piece async for piece in asked])
    assert answer.startswith("Done.")
    assert "echo" in answer.removeprefix("Done.")


async def test_a_conversation_remembers_itself_and_no_other() -> None:
    """The window holds this conversation's exchanges, in order, behind the instructions."""
    model = ScriptedModel(Turn(text="one", times=0))
    brain = brain_of(model)
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
    brain = brain_of(model)
    for number in range(40):
        await said(brain, f"q{number}")
    window = shown(model)[1:-1]
    assert len(window) == WINDOW_MESSAGES
    assert window[0] == ("user", "q14")


async def test_the_window_is_bounded_in_characters() -> None:
    """Long messages push older ones out of the window before there are fifty."""
    model = ScriptedModel(Turn(text="a", times=0))
    brain = brain_of(model)
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
    brain = brain_of(model)
    await said(brain, "first")
    with pytest.raises(Failed):
        await said(brain, "lost")
    await said(brain, "third")
    assert [text for _, text in shown(model)] == ["Be kind.", "first", "one", "third"]


async def test_an_answer_that_nobody_waited_for_leaves_no_trace() -> None:
    """When the reader goes away midway, the exchange is not remembered."""
    model = ScriptedModel(Turn(text="A long answer, in pieces."), Turn(text="two"))
    brain = brain_of(model)
    async with aclosing(brain.answer("here", "first", "", caller="console:ann")) as pieces:
        await anext(pieces)
    await said(brain, "second")
    assert [text for _, text in shown(model)] == ["Be kind.", "second"]


async def test_without_a_model_the_settings_are_named() -> None:
    """Without any key, the brain says which settings to set, and asking it raises the same sentence."""
    brain = Brain(None, missing=missing(Keys()), failed=Failed)
    told = voice(brain).missing
    assert told is not None
    assert all(name in told for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "LOCAL_MODEL_URL"))
    with pytest.raises(Failed, match="OPENAI_API_KEY"):
        await said(brain, "hello")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hi <@123> and <@&4>, see <#5>", "hi (somebody) and (a role), see (a channel)"),
        ("@everyone look", "everyone look"),
        ("mail ann@here.org", "mail ann@here.org"),
        ("a\x00b\ud800c\n", "abc\n"),
        ("x" * 20_000, "x" * 16_000),
    ],
)
async def test_no_model_is_shown_what_would_ring_or_break(text: str, shown: str) -> None:
    """Mentions are spoken out, what cannot be written is left out, and what is too long is cut."""
    assert cleaned(text) == shown
