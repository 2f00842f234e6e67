"""What was decided in chat and what was decided on the forge stands in both places, and nothing is left lying there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from selfedit.answers import render
from selfedit.history.attestation import attested
from selfedit.types import Proposal, Request, Stage
from tests.fakes.github.server import GitHub
from tests.fakes.small_repo import GREET
from tests.github.memory_world import ANN, BOB, CHECK, CONSOLE, MORE, WAITING, Steward
from tests.github.scenarios import at
from tests.github.steward_world import ASKED_BY, draft


@pytest.fixture
async def steward(tmp_path: Path) -> AsyncIterator[Steward]:
    """The steward of a repository whose `main` lives on the forge in memory."""
    made = Steward(tmp_path)
    yield made
    await made.close()


async def approved_in_chat(steward: Steward) -> Proposal:
    """A proposal that the operator approved and that waits for a check there, where ann approved it as well."""
    steward.there.required = (WAITING,)
    await steward.proposed("words")
    await steward.mainline.approve(1, CONSOLE, None)
    steward.reviewed(ANN, "approved")
    await steward.rounds(2)
    return steward.proposal()


async def test_an_approval_there_after_one_in_chat_is_written_down(steward: Steward) -> None:
    """While an approved proposal waits there, whoever else approves it is named in the ledger and in what vouches for it."""
    one = await approved_in_chat(steward)
    assert (one.stage, one.approvals) == (Stage.APPROVED, (CONSOLE.id, ANN.id))
    steward.there.required = (CHECK,)
    await steward.rounds(2)
    one = steward.proposal()
    assert (one.stage, one.approvals) == (Stage.LIVE, (CONSOLE.id, ANN.id))
    voucher = steward.repo.message(steward.record.commits[one.merge].data["vouched"])
    word = attested(voucher)
    assert word is not None
    assert word.approvals == (CONSOLE.id, ANN.id)
    assert steward.faults() == []


async def test_one_approval_too_many_taken_back_holds_nothing_up(steward: Steward) -> None:
    """The approvals that are left are enough: it stays approved, and is merged when its check has passed."""
    await approved_in_chat(steward)
    steward.reviewed(ANN, "commented")
    await steward.rounds()
    assert (steward.proposal().stage, steward.proposal().approvals) == (Stage.APPROVED, (CONSOLE.id,))
    steward.there.required = (CHECK,)
    await steward.rounds(2)
    assert steward.stands() == (Stage.LIVE, True)


async def test_an_approval_in_chat_is_said_there_once(steward: Steward) -> None:
    """Reviewers read below the pull request who approved this head in another place; what they said themselves is not repeated."""
    await approved_in_chat(steward)
    said = [text for text in steward.there.remarks.values() if "approved" in text]
    assert len(said) == 1
    assert CONSOLE.id in said[0]


async def test_that_it_was_kept_is_said_there_once(steward: Steward) -> None:
    """What the watch found good is said below its pull request, with who approved it, also when it is asked again."""
    number = await steward.living("words")
    steward.serving.keep(steward.bot.running)
    await steward.rounds(2)
    assert "approved by ann" in steward.there.remarks[number, "kept"]
    assert steward.proposal().told == ("ready", "kept")


async def test_who_closes_it_there_is_told_what_that_means(steward: Steward) -> None:
    """Closed by a person it counts as turned down, and that is said where they closed it."""
    await steward.proposed("words")
    steward.there.act(1, open=False, closed_by=BOB)
    await steward.rounds(2)
    assert steward.proposal().stage is Stage.REJECTED
    assert any("turned down" in text for text in steward.there.remarks.values())


async def test_what_people_undid_by_themselves_is_not_owed(steward: Steward) -> None:
    """A change is to be taken back and cannot be yet; people undo it on main: it is taken back, and main serves again."""
    await steward.living("words")
    steward.there.required = (WAITING,)
    await steward.mainline.condemn(1, "slow")
    assert list(steward.record.owed) == [1]
    theirs = steward.people_commit(GREET, "words", "Say hello.")
    await steward.rounds(3)
    assert (steward.proposal().stage, steward.proposal().revert) == (Stage.REVERTED, theirs)
    assert (steward.record.owed, steward.bot.running) == ({}, theirs)
    assert "people undid it" in steward.proposal().why
    assert not steward.there.pulls[2].state.open
    assert steward.faults() == []


async def test_other_commits_by_people_undo_nothing(steward: Steward) -> None:
    """What is to be taken back stays owed while main still has it, whatever else people commit."""
    await steward.living("words")
    steward.there.required = (WAITING,)
    await steward.mainline.condemn(1, "slow")
    steward.people_commit(MORE, "Say hello.", "Say more.")
    await steward.rounds(3)
    assert (list(steward.record.owed), steward.proposal().stage) == ([1], Stage.LIVE)


async def test_the_list_says_for_what_each_waits(steward: Steward) -> None:
    """Beside an approved proposal stands what is missing on the forge."""
    await approved_in_chat(steward)
    one = steward.proposal()
    assert one.why
    assert " ".join(one.why.split()) in " ".join(render.plain(render.proposals([one])).split())


async def test_what_stands_on_a_fault_is_not_condemned_by_itself(steward: Steward) -> None:
    """Two are merged by hand and neither passes: the first one is found bad, and what can be saved of the second is not judged."""
    one = await steward.proposed("words")
    steward.author.ready.append(draft("more words", MORE))
    two = await steward.pipeline.improve(Request(requested_by=ASKED_BY, goal="more"))
    installed = steward.bot.running = steward.repo.main()
    for pull, proposal in enumerate((one, two), 1):
        file = {f"app/live/extra{pull}.py": b'"""A FAULT."""\n'}
        bad = steward.repo.commit(steward.repo.write_tree(proposal.head, file), [proposal.head], "theirs")
        steward.there.push(bad, proposal.branch)
        await steward.there.merge(proposal.model_copy(update={"approved_head": bad}), "Merge", "")
        steward.there.act(pull, merged_by=ANN)
    await steward.reconciler.round()
    assert (list(steward.record.owed), len(steward.record.unvouched)) == ([1], 2)
    assert steward.bot.running == installed
    await steward.rounds(3)
    assert (steward.proposal(1).stage, steward.proposal(2).stage) == (Stage.REVERTED, Stage.REVERTED)
    assert steward.repo.tree_of(steward.repo.main()) == steward.repo.tree_of(installed)
    assert (steward.bot.running, steward.faults()) == (steward.repo.main(), [])


async def test_what_failed_before_it_was_shown_leaves_no_branch(github: GitHub, tmp_path: Path) -> None:
    """The branch was pushed, the pull request could not be made, and the gate did not pass it: the branch goes again."""
    steward = at(github, tmp_path)
    github.faults.fail("/pulls$", 422, times=20, method="POST")
    steward.author.ready.append(draft("A FAULT"))
    made = await steward.pipeline.improve(Request(requested_by=ASKED_BY, goal="words"))
    assert (made.stage, made.pull) == (Stage.REFUSED, 0), made.why
    assert github.branch(made.branch)
    await steward.rounds(2)
    assert not github.branch(made.branch)
    assert steward.rows("told") == 1
    await steward.close()
