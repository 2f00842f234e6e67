"""A larger goal through a whole desk: split, one small proposal after the other, over a restart, to its end."""

import logging
from pathlib import Path

from pydantic import BaseModel

from agent.author.author import ModelAuthor
from bot.drafting import Bench
from policies.decision import Finding
from selfedit import protocol as say
from selfedit.answers import render
from selfedit.process.desk import Desk
from selfedit.process.place import Place
from selfedit.running.bot_process import BotProcess
from selfedit.types import LoadPlan, Request, Stage
from tests.e2e.desk_world import ME, ROLL, approve, ask, place, setting
from tests.fakes.scripted import ScriptedModel, Turn, Use

__all__ = ["place"]

FIRST, SECOND = "Allow ninety dice.", "Say how many there may be."


def calls(name: str, when: str = "", **arguments: object) -> Turn:
    """A turn that calls one tool."""
    return Turn(calls=(Use(name=name, arguments=dict(arguments)),), when=when)


SCRIPT = (
    calls("split", goals=[FIRST, SECOND], reason="Two things, which can be judged apart."),
    calls("propose", when=FIRST, title="Ninety dice", reason="More fun.", edits=[setting("90", "MOST_DICE")]),
    calls("propose", when=SECOND, title="Say it", reason="Clearer.", edits=[setting('"up to 90 dice"')]),
)


async def nobody_asks(body: BaseModel) -> BaseModel | None:
    """What the bot would ask by itself, which here it does not."""
    raise AssertionError(body)


class Bot(BotProcess):
    """A bot in this process: it serves whatever it is told to, and its model plays a script."""

    def __init__(self, place: Place, model: ScriptedModel) -> None:
        super().__init__(["true"], place.root, place.home, place.rules.watch, nobody_asks)
        self.author = ModelAuthor(model, place.rules.author)
        self.desk = Desk(place, self, lambda _: None)

    async def load(self, plan: LoadPlan) -> Finding | None:
        """Serve it."""
        self.running = plan.commit
        return None

    async def draft(self, ask: say.AskDraft) -> say.Drafted | say.Refused:
        """Draft as a bot does, trials at the desk included."""

        async def desk(body: BaseModel) -> BaseModel:
            answer = await self.desk.answer(body)
            assert answer is not None
            return answer

        bench, tell = Bench(desk, ask), logging.getLogger(__name__).debug
        return say.Drafted(result=await self.author.draft(ask.request, bench, ask.complaints, tell))


async def kept(desk: Desk, number: int) -> None:
    """Somebody approves a proposal, and it proves itself."""
    one = await approve(desk, number)
    assert not isinstance(one, str), one
    assert one.stage is Stage.LIVE, one.why
    assert desk.serving.keep(one.merge) == [number]


async def test_a_larger_goal_comes_as_small_proposals_over_a_restart(place: Place) -> None:
    """Asked for once, approved part by part; the second part is drafted by the next process, for the same asker."""
    model = ScriptedModel(*SCRIPT)
    desk = Bot(place, model).desk
    await desk.serving.load()
    first = await ask(desk, say.Improve(request=Request(requested_by=ME, goal="Roll more dice, and say so.")))
    assert not isinstance(first, str), first
    assert (first.number, first.stage, first.goal) == (2, Stage.OPENED, FIRST), first.why
    await kept(desk, 2)
    await desk.close()
    desk = Bot(place, model).desk
    await desk.rows.look()
    assert len(desk.record.proposals) == 2  # until its bot is there
    await desk.serving.load()
    await desk.rows.look()
    second = desk.record.proposals[3]
    assert (second.stage, second.goal, second.requested_by) == (Stage.OPENED, SECOND, ME), second.why
    assert second.base == desk.repo.main()
    listed = await desk.answer(say.Proposals())
    assert listed is not None
    assert "part 2 of 2 of proposal 1" in render.plain(render.answer(listed))
    await kept(desk, 3)
    await desk.rows.look()
    assert [one.stage for one in desk.record.proposals.values()] == [Stage.SPLIT, Stage.KEPT, Stage.KEPT]
    shown = render.plain(render.proposal(desk.record.proposals[1]))
    assert "all 2 parts are kept" in shown
    assert f"2. {SECOND} (proposal 3)" in shown
    assert "up to 90 dice" in (Path(desk.repo.root) / ROLL).read_text()
    await desk.close()


async def test_the_parts_of_a_row_are_the_stewards_alone(place: Place) -> None:
    """Nobody can ask for something as a part of somebody else's goal."""
    desk = Bot(place, ScriptedModel()).desk
    part = {"of": 1, "number": 2, "count": 2, "whole": "x"}
    request = Request.model_validate({"requested_by": ME, "goal": "y", "part": part})
    assert "steward alone" in str(await ask(desk, say.Improve(request=request)))
    assert desk.record.proposals == {}
    await desk.close()
