"""Which part of a larger goal comes next follows from what the ledger says of those before."""

from pathlib import Path
from typing import Any

import pytest

from selfedit.answers import telling
from selfedit.history.ledger import Ledger
from selfedit.history.record import IllegalMove, Record
from selfedit.proposals.row import TRIES, Over, next_step
from selfedit.types import Part, Plan, Proposal, Request, Stage

PLAN = Plan(goals=("Say Hi.", "Say Hey.", "Say Yo."), why="It is too much for one.", tokens=9, cost=0.5)


def proposal(number: int, stage: Stage, **more: Any) -> Proposal:
    """A proposal as far as it matters here."""
    return Proposal(number=number, stage=stage, requested_by="discord:1", **more)


def row(*stages: Stage, head: str = "h") -> tuple[Proposal, dict[int, Proposal]]:
    """A row of three of which some parts were begun, and all proposals."""
    begun = tuple(range(2, 2 + len(stages)))
    whole = proposal(1, Stage.SPLIT, parts=PLAN.goals, begun=begun, row_open=True)
    parts = [
        proposal(at + 2, stage, head=head, part=Part(of=1, number=at + 1, count=3, whole="Greet."))
        for at, stage in enumerate(stages)
    ]
    return whole, {one.number: one for one in (whole, *parts)}


UNDER_WAY = [
    Stage.REQUESTED,
    Stage.DRAFTED,
    Stage.GATED,
    Stage.OPENED,
    Stage.APPROVED,
    Stage.MERGED,
    Stage.LIVE,
]
ENDED = [Stage.REFUSED, Stage.FAILED, Stage.REJECTED, Stage.REVERTED]


@pytest.mark.parametrize("stage", UNDER_WAY)
def test_a_part_under_way_is_waited_for(stage: Stage) -> None:
    """Until it is kept nothing else is begun, merged or not."""
    assert next_step(*row(stage)) is None
    assert next_step(*row(Stage.KEPT, stage)) is None


def test_the_next_part_is_begun_when_all_before_are_kept() -> None:
    """One after the other, and after the last one the row is over."""
    for count in range(3):
        assert next_step(*row(*[Stage.KEPT] * count)) == count + 1
    assert next_step(*row(*[Stage.KEPT] * 3)) == Over("all 3 parts are kept")


@pytest.mark.parametrize("stage", ENDED)
def test_a_part_that_ended_otherwise_ends_the_row(stage: Stage) -> None:
    """Also one that was kept at first; the sentence names it, and what is not begun."""
    ended = next_step(*row(Stage.KEPT, stage))
    assert isinstance(ended, Over)
    assert "part 2 of 3 (proposal 3)" in ended.why
    assert "part 3 is not begun" in ended.why
    assert isinstance(next_step(*row(stage, Stage.OPENED)), Over)


def test_a_part_that_never_became_a_change_is_tried_again_a_few_times() -> None:
    """A restart or a model that cannot be reached says nothing of the goal; but there is an end to it."""
    whole, every = row(Stage.FAILED, head="")
    for number in range(3, 2 + TRIES):
        assert next_step(whole, every) == 1
        every[number] = every[2].model_copy(update={"number": number})
        whole = whole.model_copy(update={"begun": (number,)})
    assert isinstance(next_step(whole, every), Over)


def test_the_ledger_keeps_a_row(tmp_path: Path) -> None:
    """Plan, cost, parts and who asked as what are there again after a restart, and people see which part is which."""
    record = Record(Ledger(tmp_path))
    request = Request(requested_by="discord:1", goal="Greet.")
    record.write("requested", 1, request=request.model_dump(mode="json"), roles=["discord:role/5"])
    record.write("split", 1, plan=PLAN.model_dump(mode="json"), why="split into 3")
    for number in (2, 3):
        part = Part(of=1, number=1, count=3, whole="Greet.")
        fresh = Request(requested_by="discord:1", goal=PLAN.goals[0], part=part)
        record.write("requested", number, request=fresh.model_dump(mode="json"))
        record.write("failed", number, why="restarted")
    again = Record(Ledger(tmp_path))
    assert again.proposals == record.proposals
    assert again.asked_as[1] == ("discord:role/5",)
    whole = again.proposals[1]
    assert (whole.stage, whole.tokens, whole.cost, whole.row_open) == (Stage.SPLIT, 9, 0.5, True)
    assert whole.begun == (3,)
    assert telling.part(again.proposals[3]) == "part 1 of 3 of proposal 1"
    assert telling.parts(whole) == ("1. Say Hi. (proposal 3)", "2. Say Hey.", "3. Say Yo.")
    again.write("row_ended", 1, why="over")
    assert not again.proposals[1].row_open
    with pytest.raises(IllegalMove):
        again.write("opened", 1)
