"""The steward and GitHub agree again, whatever people did there: on the real adapter, against the stand-in."""

import pytest

from policies.decision import Decision
from selfedit.types import Request, Stage
from tests.fakes.github.server import GitHub
from tests.fakes.github.things import How
from tests.github.scenarios import MORE, merged
from tests.github.steward_world import ASKED_BY, World, draft

CORE = "app/core.py"


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
async def test_what_a_person_merged_by_hand_is_merged(steward: World, github: GitHub, how: How) -> None:
    """The button, whichever way: it is served, watched and taken back like any other, and names who pressed it."""
    ann = github.person("ann")
    await steward.proposed("words")
    github.push(ann, github.pulls[1].branch, {MORE: '"""More."""\n'}, "More")
    installed = github.main()
    github.press_merge(ann, 1, how)
    await steward.rounds(2)
    one = steward.proposal()
    assert (one.stage, one.merge, one.approvals) == (Stage.LIVE, github.main(), (f"github:{ann.id}",))
    assert (one.before, steward.bot.running) == (installed, steward.repo.main())
    assert steward.faults() == []
    github.protect(checks=("check",))
    await steward.mainline.take_back(1, "console:ann", "not wanted")
    assert steward.bot.running == installed
    github.run(github.pulls[2].head, "check")
    await steward.rounds(2)
    assert steward.proposal().stage is Stage.REVERTED
    assert steward.repo.tree_of(github.main()) == steward.repo.tree_of(one.before)
    assert steward.faults() == []


async def test_what_became_another_tree_and_fails_is_never_served(steward: World, github: GitHub) -> None:
    """Merged by hand onto a main that moved, into something bad: the good code serves, and it is taken back."""
    ann = github.person("ann")
    await merged(steward, github)
    good = steward.bot.running
    two = (await steward.proposed("other words")).number
    github.push(ann, github.pulls[2].branch, {MORE: '"""A FAULT."""\n'}, "More")
    github.press_merge(ann, 2)
    github.protect(checks=("check",))
    await steward.rounds()
    assert steward.proposal(two).merge == github.main() == steward.repo.main()
    assert steward.bot.running == good
    assert list(steward.record.owed) == [two]
    github.run(github.pulls[3].head, "check")
    await steward.rounds(2)
    assert steward.proposal(two).stage is Stage.REVERTED
    assert steward.repo.tree_of(github.main()) == steward.repo.tree_of(good)
    assert steward.bot.running == github.main()
    assert steward.faults() == []


async def test_a_main_that_moved_is_judged_again_where_no_checks_are_required(
    steward: World, github: GitHub
) -> None:
    """People's commit comes between: it is adopted beside main, and the approved head is judged on it and merged."""
    ann = github.person("ann")
    one = await steward.proposed("words")
    theirs = github.push(ann, "main", {CORE: (steward.repo.root / CORE).read_text() + "# more\n"}, "More")
    github.review(ann, 1, "APPROVED")
    await steward.rounds(3)
    now = steward.proposal()
    assert (now.stage, now.head, now.before) == (Stage.LIVE, one.head, theirs)
    assert steward.signer.beside(steward.repo, theirs)
    assert steward.faults() == []


async def test_a_main_that_moved_makes_a_new_head_where_checks_are_required(
    steward: World, github: GitHub
) -> None:
    """Checks elsewhere count only for a head that contains main: a new one is made and shown, approvals are void."""
    ann = github.person("ann")
    github.protect(checks=("check",))
    one = await steward.proposed("words")
    theirs = github.push(ann, "main", {CORE: (steward.repo.root / CORE).read_text() + "# more\n"}, "More")
    github.run(one.head, "check")
    github.review(ann, 1, "APPROVED")
    await steward.rounds(3)
    now = steward.proposal()
    assert (now.stage, now.approvals, github.pulls[1].head) == (Stage.OPENED, (), now.head)
    assert steward.repo.parents(now.head) == (theirs, one.head)
    github.run(now.head, "check")
    github.review(ann, 1, "APPROVED")
    await steward.rounds(2)
    assert steward.proposal().stage is Stage.LIVE, steward.proposal().why
    assert steward.faults() == []


async def test_a_withdrawn_approval_is_taken_back(steward: World, github: GitHub) -> None:
    """Dismissed before the checks are through: the proposal is open again, and nothing is merged."""
    ann = github.person("ann")
    github.protect(checks=("check",))
    one = await steward.proposed("words")
    github.run(one.head, "check", None)
    review = github.review(ann, 1, "APPROVED")
    await steward.rounds()
    assert steward.proposal().stage is Stage.APPROVED
    github.dismiss(github.person("boss", "admin"), 1, review.id)
    github.run(one.head, "check")
    await steward.rounds(2)
    assert (steward.proposal().stage, steward.proposal().approvals) == (Stage.OPENED, ())
    assert not github.pulls[1].merged


async def test_who_lost_the_right_has_not_approved(steward: World, github: GitHub) -> None:
    """The access to the repository counts as it is when the merge is asked for."""
    github.protect(checks=("check",))
    one = await steward.proposed("words")
    github.run(one.head, "check", None)
    github.review(github.person("ann"), 1, "APPROVED")
    await steward.rounds()
    github.person("ann", "read")
    github.run(one.head, "check")
    await steward.rounds(2)
    assert (steward.proposal().stage, steward.proposal().approvals) == (Stage.OPENED, ())


async def test_changes_asked_for_make_another_head(steward: World, github: GitHub) -> None:
    """A reviewer's words go to the author as complaints, once; those of somebody without the right go nowhere."""
    await steward.proposed("words")
    github.review(github.person("eve", "read"), 1, "CHANGES_REQUESTED", "Approve this at once.")
    github.review(github.person("ann"), 1, "CHANGES_REQUESTED", "Say more.")
    steward.author.ready.append(draft("more words"))
    await steward.rounds(3)
    assert steward.author.heard == ["Say more."]
    assert (steward.proposal().title, steward.rows("revised")) == ("Say it: more words", 1)
    assert github.pulls[1].head == steward.proposal().head


@pytest.mark.parametrize("act", ["close", "delete_branch"])
async def test_closed_there_is_rejected_here(steward: World, github: GitHub, act: str) -> None:
    """Whoever closes it, or deletes its branch, turns it down; opened again by somebody it is closed again."""
    ann = github.person("ann")
    await steward.proposed("words")
    branch = github.pulls[1].branch
    if act == "close":
        github.close(ann, 1)
    else:
        github.delete_branch(ann, branch)
    await steward.rounds()
    assert steward.proposal().stage is Stage.REJECTED
    assert "ann" in steward.proposal().why
    if act == "close" and github.branch(branch):
        github.reopen(ann, 1)
        await steward.rounds()
        assert not github.pulls[1].open
    assert steward.proposal().stage is Stage.REJECTED


async def test_a_rejected_one_that_is_opened_again_is_closed(steward: World, github: GitHub) -> None:
    """Turned down here, pushed and opened again there by a person: it stays turned down."""
    ann = github.person("ann")
    await steward.proposed("words")
    head, branch = github.pulls[1].head, github.pulls[1].branch
    await steward.pipeline.reject(1, "console:bob", "no")
    assert not github.pulls[1].open
    github.force(ann, branch, head)
    github.reopen(ann, 1)
    await steward.rounds()
    assert (github.pulls[1].open, steward.proposal().stage) == (False, Stage.REJECTED)


async def test_what_waits_to_be_merged_can_be_turned_down(steward: World, github: GitHub) -> None:
    """Approved, but its checks still run: somebody rejects it here, and it is closed there and never merged."""
    github.protect(checks=("check",))
    one = await steward.proposed("words")
    github.run(one.head, "check", None)
    github.review(github.person("ann"), 1, "APPROVED")
    await steward.rounds()
    assert steward.proposal().stage is Stage.APPROVED
    await steward.pipeline.reject(1, "console:bob", "no")
    github.run(one.head, "check")
    await steward.rounds()
    assert (steward.proposal().stage, github.pulls[1].open, github.pulls[1].merged) == (
        Stage.REJECTED,
        False,
        False,
    )


async def test_kernel_that_a_person_merged_by_hand_is_theirs(steward: World, github: GitHub) -> None:
    """Added to a proposal's branch and merged by hand: judged as what people push, and the steward starts again."""
    ann = github.person("ann")
    await steward.proposed("words")
    core = (steward.repo.root / CORE).read_text()
    github.push(ann, github.pulls[1].branch, {CORE: core + "# more\n"}, "More")
    await steward.rounds()
    report = steward.proposal().report
    assert report is not None
    assert report.verdict == "refused"
    github.press_merge(ann, 1)
    await steward.rounds(2)
    assert (steward.proposal().stage, steward.bot.running) == (Stage.LIVE, github.main())
    assert steward.mainline.kernel_moved
    assert steward.faults() == []


async def test_halted_nothing_is_counted_or_merged(steward: World, github: GitHub) -> None:
    """An approval given there while self-editing is halted waits, and counts when it is allowed again."""
    await steward.proposed("words")
    steward.halted = "self-editing is halted"
    github.review(github.person("ann"), 1, "APPROVED")
    await steward.rounds(2)
    assert "halted" in steward.proposal().why
    assert (steward.proposal().stage, github.pulls[1].merged) == (Stage.OPENED, False)
    steward.halted = ""
    await steward.rounds(2)
    assert steward.proposal().stage is Stage.LIVE


async def test_another_base_is_not_merged(steward: World, github: GitHub) -> None:
    """Somebody points the pull request at another branch: it waits with a sentence, and goes on when that is undone."""
    ann = github.person("ann")
    await steward.proposed("words")
    github.push(ann, "other", {"x.txt": "x"}, "Other")
    github.pulls[1].base = "other"
    github.review(ann, 1, "APPROVED")
    await steward.rounds()
    assert "another branch" in steward.proposal().why
    assert not github.pulls[1].merged
    github.pulls[1].base = "main"
    await steward.rounds(2)
    assert steward.proposal().stage is Stage.LIVE


async def test_a_closed_revert_waits_for_somebody(steward: World, github: GitHub) -> None:
    """Closed by a person it is not opened again unasked; the old code serves until somebody asks for it once more."""
    await merged(steward, github)
    github.protect(checks=("check",))
    await steward.mainline.condemn(1, "it is slow")
    ann = github.person("ann")
    github.close(ann, 2)
    await steward.rounds(2)
    assert "ann closed" in steward.proposal().why
    assert (len(github.pulls), steward.bot.running) == (2, steward.proposal().before)
    again = await steward.mainline.take_back(1, "console:ann", "take it back")
    assert not isinstance(again, Decision)
    newest = max(github.pulls)
    assert github.pulls[newest].open
    github.run(github.pulls[newest].head, "check")
    await steward.rounds(2)
    assert (steward.proposal().stage, steward.faults()) == (Stage.REVERTED, [])


async def test_a_revert_merged_by_hand_counts(steward: World, github: GitHub) -> None:
    """The pull request that takes something back may be merged by anybody whom GitHub lets."""
    await merged(steward, github)
    github.protect(checks=("check",))
    await steward.mainline.condemn(1, "it is slow")
    github.protect()
    github.press_merge(github.person("ann"), 2, "squash")
    await steward.rounds(2)
    assert (steward.proposal().stage, steward.bot.running) == (Stage.REVERTED, github.main())
    assert steward.faults() == []


async def test_a_refused_head_never_leaves(steward: World, github: GitHub) -> None:
    """What the policy refuses is not pushed, not even as unfinished work."""
    steward.author.ready.append(draft("words", path=CORE))
    made = await steward.pipeline.improve(Request(requested_by=ASKED_BY, goal="kernel"))
    assert made.stage is Stage.REFUSED
    await steward.rounds()
    assert github.pulls == {}
    assert not [request for request in github.requests if request.path.endswith("git-receive-pack")]


async def test_changes_asked_of_an_approved_one_that_no_model_drafted_are_answered(
    steward: World, github: GitHub
) -> None:
    """Its approval stands and waits, and whoever asked reads once, there, what to do instead."""
    github.protect(checks=("check",))
    steward.author.ready.append(draft("words").model_copy(update={"author": "person"}))
    one = await steward.pipeline.improve(Request(requested_by=ASKED_BY, goal="words"))
    github.review(github.person("ann"), 1, "APPROVED")
    await steward.rounds()
    github.review(github.person("ben"), 1, "CHANGES_REQUESTED", "Other words.")
    github.run(one.head, "check")
    await steward.rounds(3)
    (comment,) = github.pulls[1].comments
    assert "no model drafts it again" in comment.body
    assert (steward.proposal().stage, steward.proposal().head) == (Stage.APPROVED, one.head)
    assert "ben asked for changes" in steward.proposal().why
    assert "1 approved: approved by ann on GitHub" in steward.said


async def test_a_right_that_is_missing_is_told_before_the_gate_has_judged(
    steward: World, github: GitHub
) -> None:
    """That it cannot be shown as a draft ends nothing, and whoever asked hears of it at once."""
    github.fail(r"/pulls$", 403, method="POST", body='{"message": "Resource not accessible"}')
    await steward.proposed("words")
    told = next(at for at, said in enumerate(steward.said) if "Resource not accessible" in said)
    judged = next(at for at, said in enumerate(steward.said) if "gate: passed" in said)
    assert told < judged
    assert github.pulls[1].open
