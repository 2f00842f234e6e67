"""What is answered to people who sit elsewhere, and to whom."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages import LONGEST, Messages, pieces
from bot.theseus import Bot
from policies.load import load_rules
from selfedit import protocol as say
from selfedit.types import NoDraft
from tests.fakes.brain import ScriptedBrain
from tests.fakes.plans import echo
from tests.fakes.steward import FakeSteward, linked, proposal

ANN = "discord:1"


async def replied(text: str, author: str = ANN) -> tuple[str, list[str]]:
    """The answer to a text, and what the steward was asked for it."""

    async def no_author() -> NoDraft:
        return NoDraft(why="no model")

    bot = Bot(load_rules().watch, ScriptedBrain("none"), no_author)
    steward = FakeSteward({say.Show: lambda _: say.ProposalIs(proposal=proposal(title="```evil"))})
    async with linked(steward, bot.hear) as bot.peer:
        await bot.hear(say.Load(plan=echo("ahoy")))
        return await Messages(bot, [ANN]).reply(text, author, "discord:9"), steward.kinds()


async def test_anybody_is_answered_by_live_code() -> None:
    """Chat and live commands work for everybody."""
    assert (await replied("hello", "discord:2"))[0] == "ahoy hello"
    assert (await replied("/say x", "discord:2"))[0] == "ahoy x"


@pytest.mark.parametrize("text", ["/status", "/improve", "/approve 1", "/halt", "/approve x"])
async def test_control_commands_are_for_maintainers(text: str) -> None:
    """Whoever is not listed is told so, and the steward is not even asked."""
    answer, asked = await replied(text, "discord:2")
    assert "maintainers" in answer
    assert asked == []


async def test_a_maintainer_gets_the_stewards_answer_in_a_fence() -> None:
    """Answers are shown as they are at the console; no text of a proposal can leave its fence."""
    answer, asked = await replied("/proposal 1")
    assert asked == ["Show"]
    assert answer.startswith("```\n")
    assert answer.count("```") == 2


async def test_theseus_is_not_ended_from_afar() -> None:
    """Nobody who sits elsewhere can end the process."""
    assert (await replied("/quit"))[1] == []


@given(st.text("ab\n ", min_size=1, max_size=6000), st.booleans())
def test_long_answers_arrive_whole(text: str, fenced: bool) -> None:  # noqa: FBT001 - hypothesis hands it over
    """Cut into messages that Discord takes, every word still arrives, in order."""
    cut = pieces(f"```\n{text}\n```" if fenced else text)
    assert all(len(piece) <= LONGEST + 10 for piece in cut)
    assert re.sub(r"[\s`]", "", "".join(cut)) == re.sub(r"\s", "", text)
