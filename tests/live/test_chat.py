"""Chat hands lines to the model, and says what is the matter where there is none."""

from bot.feature import Brain, CommandInfo, Turn
from bot.live.chat.feature import reply
from tests.fakes.brain import ScriptedBrain

COMMANDS = (CommandInfo("roll", "roll", "roll dice", live=True),)


async def said(text: str, brain: Brain | None) -> str:
    turn = Turn(
        text=text,
        author="console:ann",
        conversation="here",
        commands=COMMANDS,
        brain=brain,
        prompts={"chat": "Be kind."},
    )
    return await reply(turn)


async def test_the_models_answer_is_the_answer() -> None:
    """Pieces are joined, and the model is told conversation, text and instructions."""
    brain = ScriptedBrain(None, [["Hel", "lo ", "Ann"]])
    assert await said("who am I?", brain) == "Hello Ann"
    assert brain.asked == [("here", "who am I?", "Be kind.")]


async def test_the_answer_is_shown_while_it_is_written() -> None:
    """Each piece is shown as it comes, so that people can read along."""
    shown: list[str] = []
    brain = ScriptedBrain(None, [["Hel", "lo ", "Ann"]])
    await reply(
        Turn(text="hi there", author="console:ann", conversation="here", brain=brain, show=shown.append)
    )
    assert shown == ["Hel", "lo ", "Ann"]


async def test_without_a_model_it_says_what_is_missing_and_what_works() -> None:
    """The sentence that says what to set, and the commands, whatever was said."""
    for text in ("hello", "what is love?"):
        answer = await said(text, ScriptedBrain("Set A_KEY."))
        assert "Set A_KEY." in answer
        assert "/roll" in answer


async def test_without_a_brain_it_still_answers() -> None:
    """A turn without any brain, as in a trial, gets an answer."""
    assert "/roll" in await said("hello", None)


async def test_a_greeting_is_greeted() -> None:
    """Whoever says hello is not told off."""
    assert await said("Hello!", ScriptedBrain("Set A_KEY.")) != await said(
        "Explain.", ScriptedBrain("Set A_KEY.")
    )


async def test_a_model_that_fails_is_excused() -> None:
    """The model's own sentence is passed on; nothing is raised."""
    assert "asleep" in await said("hello", ScriptedBrain(None, [None]))


async def test_an_empty_answer_is_not_passed_on() -> None:
    """Silence of the model becomes a sentence."""
    assert (await said("hello", ScriptedBrain(None, [[" ", "\n"]]))).strip()
