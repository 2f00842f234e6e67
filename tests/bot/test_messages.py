"""What is answered to people who sit elsewhere, and to whom."""

from pathlib import Path

import pytest

from bot.messages import NOT_CARRIED_OUT, Messages
from bot.theseus import Bot
from policies.load import load_rules
from policies.rights import Person
from selfedit import protocol as say
from selfedit.types import LoadPlan, NoDraft
from tests.fakes.brain import ScriptedBrain
from tests.fakes.plans import echo, plan
from tests.fakes.steward import FakeSteward, linked

ANN = "discord:1"
ECHO = echo("ahoy")
HELP_PATH = "bot/live/help/feature.py"


HELP = plan({HELP_PATH: Path(HELP_PATH).read_text()})


async def replied(text: str, author: str = ANN, live: LoadPlan = ECHO) -> tuple[str, list[str]]:
    """The answer to a text, and what the steward was asked for it."""

    async def no_author() -> NoDraft:
        return NoDraft(why="no model")

    rules = load_rules()
    approval = rules.approval.model_copy(update={"maintainers": (ANN,)})
    bot = Bot(rules.model_copy(update={"approval": approval}), ScriptedBrain("none"), no_author)
    steward = FakeSteward({})
    async with linked(steward, bot.hear) as bot.peer:
        await bot.hear(say.Load(plan=live))
        return await Messages(bot).reply(text, Person(author), "discord:9"), steward.kinds()


async def test_anybody_is_answered_by_live_code() -> None:
    """Chat and live commands work for everybody."""
    assert (await replied("hello", "discord:2"))[0] == "ahoy hello"
    assert (await replied("/say x", "discord:2"))[0] == "ahoy x"


@pytest.mark.parametrize("text", ["/status", "/improve", "/approve 1", "/halt", "/approve x"])
async def test_control_commands_are_for_maintainers(text: str) -> None:
    """Whoever is not listed is told so, and the steward is not even asked."""
    answer, asked = await replied(text, "discord:2")
    assert answer.startswith("Only ")
    assert asked == []


async def test_what_is_about_proposals_is_not_carried_out_here() -> None:
    """A service shows it in its own way; what comes here all the same is not done, and that is said."""
    assert await replied("/approve 1") == (NOT_CARRIED_OUT, [])


async def test_theseus_is_not_ended_from_afar() -> None:
    """Nobody who sits elsewhere can end the process."""
    assert (await replied("/quit"))[1] == []


async def test_help_lists_what_somebody_may_use() -> None:
    """Commands that are not for who asks are left out; who names one is told what it is all the same."""
    listed = (await replied("/help", "discord:2", HELP))[0]
    assert [
        name for name in ("/improve", "/approve", "/status", "/halt", "/grant", "/quit") if name in listed
    ] == []
    assert [name for name in ("/chat", "/help", "/cost", "/moderate") if name not in listed] == []
    assert (await replied("/help /approve", "discord:2", HELP))[0].startswith("/approve N: ")
    maintainers = (await replied("/help", ANN, HELP))[0]
    assert [name for name in ("/improve", "/approve", "/status", "/halt") if name not in maintainers] == []
    assert "/grant" not in maintainers
