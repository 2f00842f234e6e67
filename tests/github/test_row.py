"""A goal that is too large for one change becomes a row of small ones, one after the other, and never more."""

from pathlib import Path

import pytest

from policies.decision import Decision
from selfedit.proposals.row import TRIES
from selfedit.types import MAX_PARTS, Proposal, Request, Stage
from tests.fakes.scripted import Turn
from tests.github.drafting_world import ANN, GOAL, World, gives_up, greeting, proposes, splits

ROW = splits("Say Hi.", "Say Hey.", "Say Yo.")
HI, HEY, YO = (
    proposes(greeting(word), title=f"Say {word}", when=f"Say {word}.") for word in ("Hi", "Hey", "Yo")
)
MAY = ("owner",)
"""By which somebody may ask for changes."""


def stages(world: World) -> list[str]:
    """Where each proposal stands, by number."""
    return [world.record.proposals[number].stage.value for number in sorted(world.record.proposals)]


async def begun(world: World) -> Proposal:
    """The first part of a row, open for review."""
    first = await world.improved(roles=MAY)
    assert first.stage is Stage.OPENED, first.why
    return first


async def test_each_part_is_asked_for_when_the_one_before_is_kept(tmp_path: Path) -> None:
    """Three small proposals of the one who asked, in order, each on top of the one before; then the row is over."""
    world = World(tmp_path, ROW, HI, HEY, YO)
    first = await begun(world)
    whole = world.record.proposals[1]
    assert (whole.stage, whole.parts, whole.begun) == (Stage.SPLIT, ("Say Hi.", "Say Hey.", "Say Yo."), (2,))
    for number in (2, 3, 4):
        one = world.record.proposals[number]
        assert one.part is not None
        assert (one.stage, one.part.number, one.part.count, one.part.of) == (Stage.OPENED, number - 1, 3, 1)
        assert (one.requested_by, one.part.whole, one.base) == (ANN, GOAL, world.repo.main())
        await world.rows.look()
        assert len(world.record.proposals) == number
        world.keep(number)
        await world.rows.look()
    await world.rows.look()
    assert first.number == 2
    assert "1 split: part 3 of 3 is asked for as proposal 4" in world.said
    assert stages(world) == ["split", "kept", "kept", "kept"]
    over = world.record.proposals[1]
    assert (over.row_open, over.begun) == (False, (2, 3, 4))
    assert "all 3 parts are kept" in over.why
    assert "Yo" in world.text(world.repo.main())


async def test_a_part_knows_the_whole_and_has_no_tool_to_split(tmp_path: Path) -> None:
    """The model of a part is told of the larger goal, and cannot make more parts of its own."""
    world = World(tmp_path, ROW, splits("Say H.", "Say i."), gives_up("Too hard."))
    ended = await world.improved(roles=MAY)
    asked = world.model.script.requests
    assert "split" in str(asked[0]["tools"])
    assert "'name': 'split'" not in str(asked[1]["tools"])
    assert GOAL in str(asked[1])
    assert "There is no tool 'split'" in str(asked[2])
    assert (ended.stage, len(world.record.proposals)) == (Stage.REFUSED, 2)


@pytest.mark.parametrize(
    ("turns", "end"),
    [([gives_up("No.")], "refused"), ([proposes(greeting(f"FAULT {n}")) for n in range(3)], "failed")],
    ids=["refused", "failed"],
)
async def test_a_part_that_does_not_make_it_ends_the_row(tmp_path: Path, turns: list[Turn], end: str) -> None:
    """The rest is not begun, and the request says which part it was and what can be done."""
    world = World(tmp_path, ROW, *turns)
    await world.improved(roles=MAY)
    await world.rows.look()
    await world.rows.look()
    assert stages(world) == ["split", end]
    whole = world.record.proposals[1]
    assert not whole.row_open
    assert "parts 2 to 3 are not begun" in whole.why
    assert "/improve" in whole.why


async def test_a_part_that_is_taken_back_ends_the_row(tmp_path: Path) -> None:
    """What is undone is not built upon; what they have not looked at yet stays theirs to judge."""
    world = World(tmp_path, ROW, HI, HEY)
    await begun(world)
    world.keep(2)
    await world.rows.look()
    world.record.write("reverting", 2, old="x", new="r" * 40, why="bad", by="console:ann")
    world.record.write("reverted", 2, revert="r" * 40, why="bad", by="console:ann")
    await world.rows.look()
    assert stages(world) == ["split", "reverted", "opened"]
    assert "part 1 of 3 (proposal 2) was taken back, so part 3 is not begun" in world.record.proposals[1].why


async def test_a_part_that_is_turned_down_ends_the_row(tmp_path: Path) -> None:
    """What people do not want is not gone on with."""
    world = World(tmp_path, ROW, HI)
    await begun(world)
    await world.pipeline.reject(2, "discord:9", "no")
    await world.rows.look()
    assert stages(world) == ["split", "rejected"]
    assert "part 1 of 3 (proposal 2) was turned down" in world.record.proposals[1].why


async def test_a_row_is_turned_down_as_a_whole(tmp_path: Path) -> None:
    """Rejecting the request that was split rejects the part under review, and no other is begun."""
    world = World(tmp_path, ROW, HI, HEY, YO)
    await begun(world)
    world.keep(2)
    await world.rows.look()
    answer = await world.rows.reject(1, "discord:9", "another time")
    assert isinstance(answer, Proposal)
    assert stages(world) == ["rejected", "kept", "rejected"]
    assert "another time" in world.record.proposals[3].why
    await world.rows.look()
    assert len(world.record.proposals) == 3
    assert isinstance(await world.rows.reject(1, "discord:9", ""), Decision)


async def test_a_part_that_was_being_judged_when_its_row_was_turned_down_follows(tmp_path: Path) -> None:
    """It comes to reviewers a moment too late, and is turned down when it is next looked at."""
    world = World(tmp_path, ROW, HI)

    async def rejected() -> None:
        await world.rows.reject(1, "discord:9", "stop")

    world.gate.at_checks = rejected
    await world.improved(roles=MAY)
    await world.rows.look()
    assert stages(world) == ["rejected", "rejected"]


async def test_a_restart_takes_the_row_up_where_it_was(tmp_path: Path) -> None:
    """A crash while a part is drafted: it is asked for again, and the parts after it follow as planned."""
    world = World(tmp_path, ROW, HI)
    await begun(world)
    world.keep(2)
    part = world.record.proposals[2].part
    assert part is not None
    request = {"requested_by": ANN, "goal": "Say Hey.", "part": {**part.model_dump(), "number": 2}}
    world.record.write("requested", 3, request=request, roles=MAY)
    world = world.again(HEY, YO)
    await world.pipeline.resume()
    await world.rows.look()
    assert stages(world) == ["split", "kept", "failed", "opened"]
    assert world.record.proposals[1].begun == (2, 4)
    world.keep(4)
    await world.rows.look()
    assert world.record.proposals[5].goal == "Say Yo."


async def test_a_part_is_not_asked_for_without_end(tmp_path: Path) -> None:
    """Where no model can be reached a part is tried a few times, and then the row ends."""
    world = World(tmp_path, ROW)
    world.record.write("requested", 1, request={"requested_by": ANN, "goal": GOAL}, roles=MAY)
    plan = {"goals": ["Say Hi.", "Say Hey."], "why": "much"}
    world.record.write("split", 1, plan=plan, why="split")
    for number in range(2, 2 + TRIES):
        part = {"of": 1, "number": 1, "count": 2, "whole": GOAL}
        world.record.write(
            "requested", number, request={"requested_by": ANN, "goal": "Say Hi.", "part": part}
        )
        world.record.write("failed", number, why="the bot went away")
    await world.rows.look()
    await world.rows.look()
    assert len(world.record.proposals) == 1 + TRIES
    assert not world.record.proposals[1].row_open
    assert "not carried through, so part 2 is not begun" in world.record.proposals[1].why


async def test_a_row_waits_while_nothing_may_be_changed(tmp_path: Path) -> None:
    """Halted, or while main is being judged, no part is begun; it goes on by itself afterwards."""
    world = World(tmp_path, ROW, HI, HEY)
    await begun(world)
    world.keep(2)
    world.hindrance = "self-editing is halted"
    await world.rows.look()
    assert len(world.record.proposals) == 2
    assert world.record.proposals[1].row_open
    world.hindrance = ""
    await world.rows.look()
    assert world.record.proposals[3].stage is Stage.OPENED


async def test_who_may_not_ask_any_more_gets_no_further_part(tmp_path: Path) -> None:
    """Each part takes the right that the request took, at the time when it is begun."""
    world = World(tmp_path, ROW, HI)
    world.record.write("granted", who=ANN, capability="propose", by="console:ann")
    assert (await world.improved()).stage is Stage.OPENED
    world.keep(2)
    world.record.write("withdrawn", who=ANN, capability="propose", by="console:ann")
    await world.rows.look()
    assert stages(world) == ["split", "kept"]
    assert "may not ask for changes any more" in world.record.proposals[1].why


async def test_what_the_policy_finds_too_large_can_be_split(tmp_path: Path) -> None:
    """The model hears that its draft is too large, and answers with a row of smaller goals."""
    huge = {"op": "write_text", "path": "app/live/prompts/p.md", "text": "Be kind.\n" * 5000}
    world = World(tmp_path, proposes(huge), splits("Say Hi.", "Say Hey."), HI)
    first = await world.improved(roles=MAY)
    assert (first.number, first.stage) == (2, Stage.OPENED)
    whole = world.record.proposals[1]
    assert (whole.stage, whole.head, whole.report) == (Stage.SPLIT, "", None)
    assert "make several proposals of it" in world.requests()


async def test_a_crash_between_plan_and_first_part_loses_nothing(tmp_path: Path) -> None:
    """The first part is asked for at the next start."""
    world = World(tmp_path, ROW)
    made = await world.pipeline.improve(Request(requested_by=ANN, goal=GOAL), MAY)
    assert made.stage is Stage.SPLIT
    world = world.again(HI)
    await world.pipeline.resume()
    await world.rows.look()
    assert stages(world) == ["split", "opened"]


async def test_a_plan_of_the_wrong_shape_is_answered(tmp_path: Path) -> None:
    """One part, too many, an empty one or the same twice: the model is told, and nothing is split."""
    plans = [
        splits("Alone."),
        splits(*[f"Say {n}." for n in range(MAX_PARTS + 1)]),
        splits("Say Hi.", "\u200b"),
        splits("Say Hi.", "Say Hi."),
    ]
    world = World(tmp_path, *plans, proposes(greeting("Hi")))
    made = await world.improved(roles=MAY)
    assert (made.number, made.stage) == (1, Stage.OPENED)
    assert len([note for note in made.notes if "split" in note]) == len(plans)
