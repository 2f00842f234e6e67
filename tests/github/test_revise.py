"""A proposal under review is drafted again: one new head that passed, or everything as it was and a reason."""

import asyncio
from pathlib import Path

import pytest

from policies.decision import Decision
from selfedit.editing.edits import edits_from
from selfedit.history.ledger import Ledger
from selfedit.history.record import Record
from selfedit.types import Draft, Proposal, Request, Stage
from tests.fakes.scripted import Turn, Use
from tests.fakes.small_repo import GREET
from tests.github.drafting_world import (
    ANN,
    FIRST,
    World,
    gives_up,
    greeting,
    proposes,
    said,
    same_but_for_tries,
)

SHORTER = said("Say Hey instead, please.", GREET, 7)


async def revised(world: World, number: int = 1, *, key: str = "review:1") -> Proposal:
    """The proposal after a complaint that was met."""
    answer = await world.revision.revise(number, [SHORTER], [key])
    assert isinstance(answer, Proposal), answer
    return answer


async def refused(world: World, number: int = 1) -> str:
    """The rule by which a complaint was not met."""
    answer = await world.revision.revise(number, [SHORTER], ["review:1"])
    assert isinstance(answer, Decision), answer
    assert len(answer.why) > 10
    return answer.findings[0].rule


async def test_a_complaint_leads_to_a_new_head_on_top_of_the_old(tmp_path: Path) -> None:
    """The new head descends from main and from what was shown, and differs from main by the new change alone."""
    world = World(tmp_path, FIRST, proposes(greeting("Hey"), when="Say Hey instead"))
    before = await world.opened()
    world.record.write("endorsed", 1, by="github:2", head=before.head)
    now = await revised(world)
    assert (now.stage, now.approvals, now.approved_head) == (Stage.OPENED, (), "")
    assert world.repo.parents(now.head) == (world.repo.main(), before.head)
    assert now.edits == edits_from([greeting("Hey")])
    change = world.repo.diff(world.repo.parents(now.head)[0], now.head)
    assert [file.path for file in change] == [GREET]
    assert "Hi," not in change[0].text
    assert now.report is not None
    assert (now.report.head, now.report.verdict) == (now.head, "passed")
    assert world.repo.refs("refs/heads/improve/") == {f"refs/heads/{before.branch}": now.head}
    assert (now.heard, now.revisions) == (("review:1",), 1)
    assert now.tokens == before.tokens + 120
    assert Record(Ledger(tmp_path / "home")).proposals == world.record.proposals


async def test_a_revision_starts_from_what_main_is_now(tmp_path: Path) -> None:
    """Commits that came to main since the first draft are below the new head, and the model sees them."""
    world = World(tmp_path, FIRST, Turn(calls=(Use(name="list_files"),)), proposes(greeting("Hey")))
    await world.opened()
    newer = world.small.change({"app/live/extra.py": '"""More."""\n'})
    world.repo.set_ref(world.repo.ref, newer)
    now = await revised(world)
    assert now.base == newer
    assert world.repo.parents(now.head)[0] == newer
    assert "app/live/extra.py" in world.requests()
    assert [file.path for file in world.repo.diff(newer, now.head)] == [GREET]


async def test_a_draft_that_the_gate_turns_down_is_mended_before_anybody_sees_it(tmp_path: Path) -> None:
    """A round that fails changes nothing; the next one, told why, makes the head; both are paid for."""
    world = World(
        tmp_path, FIRST, proposes(greeting("FAULT")), proposes(greeting("Hey"), when="a FAULT was found")
    )
    before = await world.opened()
    now = await revised(world)
    assert world.repo.parents(now.head)[1] == before.head
    assert now.tokens == before.tokens + 240
    assert len([step for step in now.history if step.stage is Stage.OPENED]) == 2


@pytest.mark.parametrize(
    ("turns", "rule"),
    [
        ([gives_up("It cannot be shorter.")], "gave_up"),
        ([proposes(greeting(f"FAULT {n}")) for n in range(3)], "not_passed"),
        ([proposes(greeting("Hi"), title=f"Again {n}") for n in range(3)], "not_passed"),
    ],
    ids=["gives up", "rounds used up", "the same change again"],
)
async def test_what_comes_to_nothing_leaves_the_proposal_as_it_was(
    tmp_path: Path, turns: list[Turn], rule: str
) -> None:
    """Head, approvals and stage stay; the complaint counts as answered, and what it cost is added."""
    world = World(tmp_path, FIRST, *turns)
    before = await world.opened()
    assert await refused(world) == rule
    now = same_but_for_tries(world, before)
    assert (now.heard, now.revisions) == (("review:1",), 1)
    assert now.tokens > before.tokens
    assert world.repo.refs("refs/heads/improve/") == {f"refs/heads/{before.branch}": before.head}


async def test_what_was_turned_down_meanwhile_stays_so(tmp_path: Path) -> None:
    """A rejection while the new draft is judged wins, and the draft is thrown away with a reason."""
    world = World(tmp_path, FIRST, proposes(greeting("Hey")))
    before = await world.opened()

    async def rejected() -> None:
        await world.pipeline.reject(1, "github:2", "not wanted")

    world.gate.at_checks = rejected
    answer = await world.revision.revise(1, [SHORTER], ["review:1"])
    assert isinstance(answer, Decision)
    assert "became rejected" in answer.why
    now = world.record.proposals[1]
    assert (now.stage, now.head, now.why) == (Stage.REJECTED, before.head, "not wanted")


async def test_a_halt_meanwhile_stops_it(tmp_path: Path) -> None:
    """Nothing new is put under review after somebody said halt; the complaint is not lost."""
    world = World(tmp_path, FIRST, proposes(greeting("Hey")))
    before = await world.opened()

    async def halted() -> None:
        world.record.write("halted", by="discord:9")

    world.gate.at_checks = halted
    assert await refused(world) == "halted"
    assert same_but_for_tries(world, before).heard == ()


async def test_nothing_is_tried_while_no_model_can_be_asked(tmp_path: Path) -> None:
    """While the bot is away, or nothing may be changed, no try is used up, and the complaint is not lost."""
    world = World(tmp_path, FIRST, proposes(greeting("Hey")))
    before = await world.opened()
    world.hindrance = "the bot is not there yet"
    assert await refused(world) == "not_now"
    assert world.record.proposals[1] == before
    world.hindrance = ""
    assert (await revised(world)).heard == ("review:1",)


async def test_there_are_never_two_at_a_time(tmp_path: Path) -> None:
    """Whoever asks while one is under way hears so, and only one head comes of it."""
    world = World(tmp_path, FIRST, proposes(greeting("Hey")))
    await world.opened()
    second: list[str] = []

    async def ask_again() -> None:
        second.append(await refused(world))

    world.gate.at_checks = ask_again
    await revised(world)
    assert second == ["under_way"]
    assert world.record.proposals[1].revisions == 1


async def test_it_is_not_done_without_end(tmp_path: Path) -> None:
    """After so many tries as the rules allow the answer says what to do instead, and no model is asked."""
    turns = [proposes(greeting(f"Hey {n}")) for n in range(5)]
    world = World(tmp_path, FIRST, *turns)
    await world.opened()
    for number in range(world.rules.github.revisions):
        await revised(world, key=f"review:{number}")
    asked = len(world.model.script.requests)
    assert await refused(world) == "revised_enough"
    assert len(world.model.script.requests) == asked


async def test_what_a_person_made_no_model_makes_anew(tmp_path: Path) -> None:
    """A proposal by hand is not revised by a model; the answer says what to do."""
    world = World(tmp_path)
    edits = edits_from([greeting("Hi")])
    made = await world.pipeline.improve(Request(requested_by=ANN, edits=edits))
    assert made.stage is Stage.OPENED, made.why
    answer = await world.revision.revise(1, [SHORTER], ["review:1"])
    assert isinstance(answer, Decision)
    assert "/improve" in answer.why
    assert world.model.script.requests == []


async def test_what_people_pushed_is_not_overwritten(tmp_path: Path) -> None:
    """Where the head holds more than the edits make, drafting again would lose it, so it is not done."""
    world = World(tmp_path, FIRST)
    before = await world.opened()
    theirs = world.small.change({"app/live/extra.py": '"""Mine."""\n'}, on=before.head)
    world.record.write("headed", 1, base=before.base, head=theirs, branch=before.branch)
    assert await refused(world) == "changed_by_hand"
    assert world.record.proposals[1].head == theirs


async def test_main_that_people_merged_into_the_branch_is_no_change_of_theirs(tmp_path: Path) -> None:
    """Somebody who brings a branch up to date does not take it out of the model's hands."""
    world = World(tmp_path, FIRST, proposes(greeting("Hey")))
    before = await world.opened()
    newer = world.small.change({"app/live/extra.py": '"""More."""\n'})
    world.repo.set_ref(world.repo.ref, newer)
    both = world.repo.merge_tree(before.head, newer)
    assert isinstance(both, str)
    theirs = world.repo.commit(both, [before.head, newer], "Merge main")
    assert before.report is not None
    report = before.report.model_copy(update={"base": newer, "head": theirs, "tree": both})
    facts = {"base": newer, "head": theirs, "report": report.model_dump(mode="json")}
    world.record.write("revised", 1, pushed_by=["github:9"], **facts)
    now = await revised(world)
    assert world.repo.parents(now.head) == (newer, theirs)
    assert [file.path for file in world.repo.diff(newer, now.head)] == [GREET]


async def test_nothing_is_revised_that_is_not_open_or_not_there(tmp_path: Path) -> None:
    """Ended and unknown proposals, and a review without a word, end in a sentence."""
    world = World(tmp_path, FIRST, proposes(greeting("Hey")))
    assert await refused(world) == "no_such_proposal"
    await world.opened()
    empty = await world.revision.revise(1, [], ["review:1"])
    assert isinstance(empty, Decision)
    await world.pipeline.reject(1, ANN, "no")
    assert await refused(world) == "not_open"


async def test_a_crash_in_the_middle_loses_the_work_alone(tmp_path: Path) -> None:
    """Killed while the new draft is judged, the next process finds the proposal as it was, and can do it again."""
    world = World(tmp_path, FIRST, proposes(greeting("Hey")))
    before = await world.opened()
    reached = asyncio.Event()

    async def die() -> None:
        reached.set()
        await asyncio.Event().wait()

    world.gate.at_checks = die
    work = asyncio.create_task(world.revision.revise(1, [SHORTER], ["review:1"]))
    await reached.wait()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    world = world.again(proposes(greeting("Hey")))
    assert world.record.proposals[1] == before
    await world.pipeline.resume()
    assert (await revised(world)).head != before.head


async def test_a_crash_after_it_is_written_shows_the_new_head(tmp_path: Path) -> None:
    """Where only the ledger knows of the new head, the next start shows it and keeps its commits."""
    world = World(tmp_path, FIRST, proposes(greeting("Hey")))
    before = await world.opened()
    now = await revised(world)
    world.repo.set_ref(f"refs/heads/{before.branch}", before.head)
    world.repo.set_ref("refs/proposals/1/head", before.head)
    world = world.again()
    await world.pipeline.resume()
    assert world.repo.refs("refs/heads/improve/") == {f"refs/heads/{before.branch}": now.head}
    assert world.repo.refs("refs/proposals/1/") == {"refs/proposals/1/head": now.head}


async def test_a_replay_on_another_main_keeps_what_was_shown_in_its_history(tmp_path: Path) -> None:
    """Where people elsewhere have seen the head, one that is made of the same edits on a newer main descends from it."""
    world = World(tmp_path, FIRST, FIRST)
    for number, pull in ((1, 12), (2, 0)):
        before = await world.opened()
        if pull:
            world.record.write(
                "shown", number, pull=pull, url="https://github.example/12", branch=before.branch
            )
        newer = world.small.change({f"app/live/extra{number}.py": '"""More."""\n'}, on=world.repo.main())
        world.repo.set_ref(world.repo.ref, newer)
        draft = Draft(title=before.title, reason=before.reason, edits=before.edits, author="model")
        assert await world.pipeline.write_head(number, draft, newer) is None
        head = world.record.proposals[number].head
        assert world.repo.parents(head) == ((newer, before.head) if pull else (newer,))
