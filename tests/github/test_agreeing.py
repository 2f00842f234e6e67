"""What the steward makes of each state of a pull request where `main` lives elsewhere: on the forge in memory."""

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from policies.decision import Decision
from sandbox.types import SandboxUnavailable
from selfedit.commands import GitFailed
from selfedit.history.signing import BESIDE
from selfedit.ports import ForgeDown
from selfedit.pulls import PullState, Run
from selfedit.types import Proposal, Stage
from selfedit.upstream.schedule import LONGEST_DELAY
from tests.fakes.small_repo import GREET
from tests.github.memory_world import ANN, BOB, CHECK, CONSOLE, CORE, MORE, WAITING, Steward


@pytest.fixture
async def steward(tmp_path: Path) -> AsyncIterator[Steward]:
    """The steward of a repository whose `main` lives on that forge."""
    made = Steward(tmp_path)
    yield made
    await made.close()


async def test_who_may_approve_and_wants_changes_holds_a_merge_up(steward: Steward) -> None:
    """Bob approves, ann asks for changes that no author can make: nothing is merged before she has approved too."""
    await steward.proposed("words")
    steward.reviewed(BOB, "approved")
    steward.reviewed(ANN, "changes_requested")
    await steward.rounds(3)
    assert steward.stands() == (Stage.APPROVED, False)
    assert "ann asked for changes" in steward.proposal().why
    steward.reviewed(ANN, "approved")
    await steward.rounds(2)
    assert steward.stands() == (Stage.LIVE, True)


async def test_where_the_rules_ask_for_both_one_here_and_one_there_have_to_approve(tmp_path: Path) -> None:
    """Two approvals there are one short; with one of the operator here it is merged."""
    steward = Steward(tmp_path, github={"approvals": "both"})
    await steward.proposed("words")
    for by in (ANN, BOB):
        steward.reviewed(by, "approved")
    await steward.rounds(2)
    assert steward.stands() == (Stage.OPENED, False)
    assert (steward.proposal().approvals, steward.rows("approved")) == ((ANN.id, BOB.id), 0)
    assert isinstance(await steward.mainline.approve(1, CONSOLE, None), Proposal)
    assert steward.stands() == (Stage.LIVE, True)
    await steward.close()


@pytest.mark.parametrize("stricter", [{"github": {"approvals": "both"}}, {"change": {"review_lines": 1}}])
async def test_rules_that_are_stricter_by_the_time_of_the_merge_hold_it_up(
    tmp_path: Path, stricter: dict[str, dict[str, object]]
) -> None:
    """An approval that was enough while a check ran is not enough after a restart; it stands, and one more merges it."""
    before = Steward(tmp_path)
    before.there.required = (WAITING,)
    await before.proposed("words")
    before.reviewed(ANN, "approved")
    await before.rounds(2)
    assert before.stands() == (Stage.APPROVED, False)
    await before.close()
    steward = Steward(tmp_path, before.there, **stricter)
    steward.there.required = (CHECK,)
    await steward.rounds(2)
    assert (steward.stands(), steward.proposal().approvals) == ((Stage.OPENED, False), (ANN.id,))
    assert "one more approval" in steward.proposal().why
    assert isinstance(await steward.mainline.approve(1, CONSOLE, None), Proposal)
    assert steward.stands() == (Stage.LIVE, True)
    await steward.close()


async def test_whoever_pushed_to_the_branch_does_not_approve_it(steward: Steward) -> None:
    """Also where the branch is at the head of Theseus again, so that the ledger knows of no push; they are told, once."""
    await steward.proposed("words")
    steward.there.act(1, pushed_by=(ANN,))
    steward.reviewed(ANN, "approved")
    await steward.rounds(2)
    assert steward.stands() == (Stage.OPENED, False)
    assert ["put commits" in text for text in steward.there.remarks.values()] == [True]
    steward.reviewed(BOB, "approved")
    await steward.rounds(2)
    assert steward.stands() == (Stage.LIVE, True)


async def test_a_verdict_on_another_head_is_none(steward: Steward) -> None:
    """Whatever made the ledger say so: what was judged, what was approved and what is there have to be one commit."""
    steward.there.required = (WAITING,)
    one = await steward.proposed("words")
    steward.reviewed(ANN, "approved")
    await steward.rounds(2)
    assert one.report is not None
    other = one.report.model_copy(update={"head": one.base}).model_dump(mode="json")
    steward.record.write("rejudged", 1, base=one.base, report=other)
    steward.there.required = (CHECK,)
    await steward.rounds(2)
    assert steward.stands() == (Stage.APPROVED, False)


async def test_a_check_that_nobody_requires_stops_nothing(steward: Steward) -> None:
    """It failed: that is told once, no author hears of it, and the change is merged all the same."""
    await steward.proposed("words")
    steward.there.act(1, runs=(Run(name="extra", state="failed", required=False),))
    await steward.rounds(2)
    assert (steward.author.heard, len([line for line in steward.said if "extra failed" in line])) == ([], 1)
    steward.reviewed(ANN, "approved")
    await steward.rounds(2)
    assert steward.stands() == (Stage.LIVE, True)


async def test_what_conflicts_with_main_is_made_again_of_its_edits(steward: Steward) -> None:
    """Approved, but people changed the very line: a new head on what main is now, which nobody has approved."""
    one = await steward.proposed("words")
    theirs = steward.people_commit(GREET, "Say hello.", "Say it.")
    steward.reviewed(ANN, "approved")
    await steward.rounds(3)
    now = steward.proposal()
    assert (now.stage, now.approvals, steward.repo.parents(now.head)) == (
        Stage.OPENED,
        (),
        (theirs, one.head),
    )
    assert steward.there.pulls[1].state.head == now.head
    steward.reviewed(ANN, "approved")
    await steward.rounds(2)
    assert (steward.stands(), steward.faults()) == ((Stage.LIVE, True), [])


async def test_what_cannot_be_made_again_has_failed(steward: Steward) -> None:
    """People took away what it changes: it ends with the reason, and is closed there."""
    await steward.proposed("words")
    steward.people_commit(GREET, "def greet(", "def greeting(")
    steward.reviewed(ANN, "approved")
    await steward.rounds(3)
    assert steward.stands() == (Stage.FAILED, False)
    assert "together with what main is now" in steward.proposal().why
    assert not steward.there.pulls[1].state.open


async def test_a_conflict_in_what_people_changed_is_left_to_people(steward: Steward) -> None:
    """Their commits are on its branch, so no author's edits are put in their place: it waits with a sentence."""
    one = await steward.proposed("words")
    tree = steward.repo.write_tree(one.head, {"app/live/extra.py": b'"""Theirs."""\n'})
    steward.there.push(pushed := steward.repo.commit(tree, [one.head], "theirs"), one.branch)
    await steward.rounds()
    steward.people_commit(GREET, "Say hello.", "Say it.")
    steward.reviewed(ANN, "approved")
    await steward.rounds(3)
    assert (steward.stands(), steward.proposal().head) == ((Stage.APPROVED, False), pushed)
    assert "a person has to merge" in steward.proposal().why


async def test_commits_that_came_before_a_merge_are_judged_before_it(steward: Steward) -> None:
    """People commit, and somebody merges by hand on top of that before the steward looks: each is told of by itself."""
    one = await steward.proposed("words")
    theirs = steward.people_commit(MORE, "Say hello.", "Say more.")
    await steward.merged_there(one, ANN)
    await steward.rounds(3)
    assert (steward.stands(), steward.proposal().before) == ((Stage.LIVE, True), theirs)
    assert steward.record.commits[theirs].kind == "adopted"
    assert steward.faults() == []


async def test_nothing_is_merged_onto_what_nobody_judged(steward: Steward) -> None:
    """People's commits on main come first: an approval waits for them with a sentence."""
    await steward.proposed("words")
    steward.people_commit(MORE, "Say hello.", "Say more.")
    steward.reviewed(ANN, "approved")
    await steward.reconciler.round()
    assert steward.stands() == (Stage.APPROVED, False)
    assert "judged first" in steward.proposal().why
    await steward.rounds(2)
    assert steward.stands() == (Stage.LIVE, True)


async def test_what_became_a_tree_that_cannot_be_judged_now_waits(steward: Steward) -> None:
    """Merged by hand while no sandbox is to be had: it is said, nothing of it serves, and it is judged in another round."""
    one = await steward.proposed("words")
    tree = steward.repo.write_tree(one.head, {"app/live/extra.py": b'"""Theirs."""\n'})
    steward.there.push(pushed := steward.repo.commit(tree, [one.head], "theirs"), one.branch)
    await steward.merged_there(one.model_copy(update={"head": pushed}), ANN)

    async def away() -> None:
        steward.gate.at_checks = away
        raise SandboxUnavailable("no engine answers")

    steward.gate.at_checks = away
    before = steward.repo.main()
    await steward.reconciler.round()
    assert (steward.proposal().stage, steward.repo.main()) == (Stage.OPENED, before)
    assert any("could not be judged" in line and "no engine answers" in line for line in steward.said)
    steward.gate.at_checks = None
    await steward.rounds(2)
    assert (steward.stands(), steward.faults()) == ((Stage.LIVE, True), [])


async def test_what_the_policy_refuses_is_let_in_by_people_alone(steward: Steward) -> None:
    """A program there merged what changes the kernel: nobody vouches for it, it never serves, and it is taken back."""
    one = await steward.proposed("words")
    good = steward.bot.running or steward.repo.main()
    tree = steward.repo.write_tree(one.head, {CORE: b'"""Other."""\n'})
    steward.there.push(steward.repo.commit(tree, [one.head], "theirs"), one.branch)
    await steward.rounds()
    await steward.merged_there(steward.proposal(), None)
    await steward.rounds()
    assert (steward.stands(), steward.record.commits[steward.repo.main()].kind) == (
        (Stage.REVERTED, True),
        "reverted",
    )
    assert steward.repo.tree_of(steward.repo.main()) == steward.repo.tree_of(good)
    assert steward.faults() == []


async def test_a_revert_that_people_changed_is_theirs_to_merge(steward: Steward) -> None:
    """Somebody pushes to the branch that takes a proposal back: it waits for them, and the code before serves."""
    await steward.living("words")
    steward.there.required = (WAITING,)
    await steward.mainline.condemn(1, "it is slow")
    revert = steward.there.pulls[2]
    tree = steward.repo.write_tree(revert.state.head, {"app/live/extra.py": b'"""Theirs."""\n'})
    steward.there.push(steward.repo.commit(tree, [revert.state.head], "theirs"), revert.branch)
    steward.there.required = (CHECK,)
    await steward.rounds(2)
    assert (steward.stands(), bool(steward.there.pulls[2].state.merged)) == ((Stage.LIVE, True), False)
    assert "for them to merge" in steward.proposal().why
    assert steward.bot.running == steward.proposal().before


async def test_a_revert_contains_what_main_became(steward: Steward) -> None:
    """While it waits for its check, people commit: what takes it back is made anew on that, and keeps both."""
    await steward.living("words")
    steward.there.required = (WAITING,)
    await steward.mainline.condemn(1, "it is slow")
    first = steward.there.pulls[2].state.head
    theirs = steward.people_commit(MORE, "Say hello.", "Say more.")
    steward.there.required = (CHECK,)
    await steward.rounds(3)
    assert steward.repo.parents(steward.there.pulls[2].state.head) == (theirs, first)
    assert steward.proposal().stage is Stage.REVERTED
    changed = [change.path for change in steward.repo.changes(steward.record.genesis, steward.repo.main())]
    assert (changed, steward.faults()) == ([MORE], [])


async def test_what_goes_with_a_revert_is_named_once_and_in_full(steward: Steward) -> None:
    """It conflicts, so the tree before it comes back: the later proposal and people's commits are named, also made anew."""
    await steward.living("words")
    await steward.living("other words")
    first = steward.people_commit(MORE, "Say hello.", "Say more.")
    await steward.rounds(2)
    steward.there.required = (WAITING,)
    await steward.mainline.condemn(1, "it is slow")
    second = steward.people_commit(MORE, "Say more.", "Say most.")
    steward.there.required = (CHECK,)
    await steward.rounds(3)
    why = steward.proposal().why
    assert (steward.proposal().stage, steward.proposal(2).stage) == (Stage.REVERTED, Stage.REVERTED)
    assert [why.count(what) for what in ("gone as well", "proposal 2", first[:12], second[:12])] == [1] * 4
    assert steward.faults() == []


async def test_a_voucher_is_for_one_commit_alone(steward: Steward) -> None:
    """The steward's own, put beside another commit of the very same tree, vouches for nothing there."""
    await steward.living("words")
    merge = steward.proposal().merge
    voucher = steward.signer.beside(steward.repo, merge) or ""
    other = steward.repo.commit(steward.repo.tree_of(merge), [merge], "the same again")
    assert steward.signer.signed(steward.repo, merge)
    steward.repo.set_ref(BESIDE + other, voucher)
    assert not steward.signer.signed(steward.repo, other)
    assert "another parent" in steward.signer.doubts(steward.repo, other)


async def test_what_would_be_left_is_judged_before_somebody_takes_back(steward: Steward) -> None:
    """No verdict on the code without it: a person hears why, the change serves on, and nothing is shown there."""
    await steward.living("words")
    await steward.living("more words", MORE)

    async def away() -> None:
        raise SandboxUnavailable("no engine answers")

    steward.gate.at_checks = away
    answer = await steward.mainline.rollback(1, CONSOLE, "not wanted")
    assert isinstance(answer, Decision)
    assert "no engine answers" in answer.why
    assert (steward.record.owed, len(steward.there.pulls)) == ({}, 2)
    assert (steward.proposal().stage, steward.bot.running) == (Stage.LIVE, steward.repo.main())
    assert isinstance(await steward.mainline.rollback(1, CONSOLE, "not wanted"), Proposal)
    assert steward.proposal().stage is Stage.REVERTED


async def test_a_fault_here_is_said_and_waited_out(steward: Steward) -> None:
    """Whatever a round meets, the loop goes on: less and less often, with a sentence, and as before when it is over."""
    asked = [await next_round(steward)]
    steward.there.fault = RuntimeError("something odd")
    asked += [await next_round(steward) for _ in range(9)]
    assert "something odd" in steward.reconciler.status()
    waits = [after - before for before, after in pairwise(asked[1:])]
    assert (waits, waits[0] < waits[1], waits[-1]) == (sorted(waits), True, LONGEST_DELAY)
    steward.there.fault = None
    await next_round(steward)
    assert "odd" not in steward.reconciler.status()
    steward.there.fault = RuntimeError("something odd")
    began = await next_round(steward)
    assert await next_round(steward) - began == waits[0]


async def test_the_forge_says_itself_when_it_may_be_asked_again(steward: Steward) -> None:
    """Longer than the loop would wait by itself: nothing is asked before that."""
    steward.there.fault = ForgeDown("too many requests", again=LONGEST_DELAY + 100)
    began = await next_round(steward)
    assert await next_round(steward) - began == LONGEST_DELAY + 100


async def next_round(steward: Steward) -> float:
    """The time of the reconciler's next round, which is done, in seconds."""
    while not await steward.reconciler.tick():
        steward.clock.now += 1
    return steward.clock.now


async def test_what_was_turned_down_here_while_it_was_looked_at_was_not_closed_there(
    steward: Steward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of the forge comes after somebody rejected it in chat, which closed it there: that is no word of the forge."""
    await steward.proposed("words")
    look = steward.there.look

    async def late(proposal: Proposal) -> PullState | None:
        await steward.mainline.reject(1, CONSOLE.id, "not now")
        return await look(proposal)

    monkeypatch.setattr(steward.there, "look", late)
    await steward.rounds()
    assert (steward.proposal().why, steward.rows("rejected")) == ("not now", 1)
    assert steward.there.remarks == {}
    assert "fault" not in steward.reconciler.status()


async def test_trouble_with_git_afterwards_takes_no_reason_away(
    steward: Steward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ended keeps the words that people gave for it, also where it cannot be tidied up."""
    await steward.proposed("words")
    await steward.mainline.reject(1, CONSOLE.id, "not now")

    async def broken(proposal: Proposal, why: str) -> None:
        raise GitFailed(f"no room for {proposal.branch}: {why}")

    with monkeypatch.context() as away:
        away.setattr(steward.there, "close", broken)
        await steward.rounds()
    assert steward.proposal().why == "not now"
    assert "no room" in steward.reconciler.status()
    await steward.rounds()
    assert "no room" not in steward.reconciler.status()
