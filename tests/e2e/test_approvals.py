"""A proposal on which a person has to look takes two approvals; any other takes one."""

from pathlib import Path

import pytest

from policies.load import load_rules
from policies.merge import to_look_at
from selfedit import protocol as say
from selfedit.answers.render import answer, plain
from selfedit.process.desk import Desk
from selfedit.process.place import Place
from selfedit.running.verify import verify
from selfedit.types import Proposal, Stage
from tests.e2e.desk_world import (
    LIGHT,
    ME,
    ROLL,
    approve,
    clean,
    desk,
    merged,
    opened,
    place,
    rolled_back,
    setting,
)
from tests.fakes.world import git

__all__ = ["desk", "place"]

IMPORT = {"op": "add_import", "path": ROLL, "statement": "from typing import Any"}
LOOSE = {
    "op": "add_function",
    "path": ROLL,
    "source": 'def lax(x: Any) -> Any:\n    """As it is."""\n    return x\n',
}
ANN, BOB = "discord:1", "discord:2"


async def first_of_two(desk: Desk, *more: dict[str, str], by: str = ME) -> Proposal:
    """A proposal with something to look at, approved once."""
    number = await opened(desk, IMPORT, LOOSE, *more)
    once = await approve(desk, number, by=by)
    assert isinstance(once, Proposal), once
    assert (once.stage, once.approvals) == (Stage.OPENED, (by,))
    return once


async def test_the_first_approval_names_what_to_look_at(desk: Desk) -> None:
    """Its answer lists the findings, says that one approval is missing and how to go on; main stays as it is."""
    main = desk.repo.main()
    once = await first_of_two(desk)
    said = plain(answer(say.ProposalIs(proposal=once)))
    assert once.report is not None
    for finding in to_look_at(once.report.findings):
        assert finding.message in said
        assert finding.rule in said
    assert "two approvals" in said
    assert ME in said
    assert desk.repo.main() == main


async def test_the_second_approval_at_the_console_merges(desk: Desk) -> None:
    """The operator says it twice; both stand in the ledger and as trailers, and the proof holds."""
    once = await first_of_two(desk)
    twice = await merged(desk, once.number)
    assert twice.approvals == (ME, ME)
    rows = [(m.kind, m.data["by"]) for m in desk.record.ledger.moves() if m.kind in ("endorsed", "approved")]
    assert rows == [("endorsed", ME), ("approved", ME)]
    trailers = git(desk.repo.root, "log", "-1", "--format=%(trailers:key=Approved-by,valueonly)", "main")
    assert trailers.split("\n")[:2] == [f"{ME} (self-approved)"] * 2
    assert clean(desk)
    assert verify(desk.repo, desk.record.ledger, desk.signer, desk.place.rules.zones.live, None) == []


async def test_the_first_approval_survives_a_restart(desk: Desk) -> None:
    """What the ledger tells of approvals is what was there before."""
    once = await first_of_two(desk)
    await desk.close()
    again = Desk(desk.place, None, lambda _: None)
    assert again.record.proposals[once.number] == once
    await merged(again, once.number)
    await again.close()


async def test_a_new_head_voids_the_first_approval(desk: Desk) -> None:
    """Edits that are applied anew are to be looked at anew, by two."""
    rival = await opened(desk, setting('"one"'))
    once = await first_of_two(desk, setting('"two"'))
    await merged(desk, rival)
    said = await approve(desk, once.number, once.head)
    assert isinstance(said, str)
    now = desk.record.proposals[once.number]
    assert now.head != once.head
    assert (now.stage, now.approvals) == (Stage.OPENED, ())


async def test_without_findings_one_approval_merges(desk: Desk) -> None:
    """Two are asked for only where the gate names something to look at."""
    await merged(desk, await opened(desk, setting('"one"')))


async def test_a_merge_without_its_second_approval_is_found(desk: Desk) -> None:
    """A merge whose findings ask for an approval that is not there does not verify."""
    once = await first_of_two(desk)
    twice = await merged(desk, once.number)
    live = desk.place.rules.zones.live
    desk.record.ledger.append("headed", once.number, base=twice.base, head=twice.head, branch=twice.branch)
    desk.record.ledger.append("rejudged", once.number, base=twice.base, report=_json(twice))
    desk.record.ledger.append("endorsed", once.number, by=ME, head=twice.head, self_approved=True)
    faults = verify(desk.repo, desk.record.ledger, desk.signer, live, None)
    assert any("without an approval" in fault for fault in faults)


def _json(one: Proposal) -> object:
    assert one.report is not None
    return one.report.model_dump(mode="json")


@pytest.fixture
def shared(place: Place, tmp_path: Path) -> Place:
    """A place with two maintainers who are not at the console."""
    over = tmp_path / "shared.toml"
    over.write_text(f'{LIGHT}[approval]\nmaintainers = ["{ANN}", "{BOB}"]\n')
    return Place(root=place.root, home=place.home, rules=load_rules(over))


async def test_elsewhere_the_second_approval_is_another_maintainers(shared: Place) -> None:
    """Nobody is two people: the second approval of the same maintainer is refused, and another's merges."""
    desk = Desk(shared, None, lambda _: None)
    once = await first_of_two(desk, by=ANN)
    assert "another maintainer" in str(await approve(desk, once.number, by=ANN))
    done = await approve(desk, once.number, by=BOB)
    assert isinstance(done, Proposal)
    assert (done.stage, done.approvals) == (Stage.MERGED, (ANN, BOB))
    assert (await rolled_back(desk)).stage is Stage.REVERTED
    await desk.close()
