"""What people do on GitHub in orders that nobody planned for: nothing is merged unasked, stuck, or told wrongly."""

import asyncio
import shutil

import pytest

from policies.decision import Decision
from selfedit.types import Stage
from tests.fakes.github.server import GitHub
from tests.fakes.small_repo import GREET, small_rules
from tests.github.scenarios import MORE, merged
from tests.github.steward_world import ASKED_BY, World, draft, on


async def queued(steward: World, github: GitHub) -> int:
    """A proposal that ann approved and that stands in the merge queue; the number of her review."""
    github.protect(checks=("check",), queue=True)
    one = await steward.proposed("words")
    github.run(one.head, "check")
    review = github.review(github.person("ann"), 1, "APPROVED").id
    await steward.rounds(2)
    assert github.queue
    return review


async def test_a_withdrawn_approval_takes_it_out_of_the_queue(steward: World, github: GitHub) -> None:
    """What nobody approves any more does not stay in the merge queue, where it would be merged all the same."""
    review = await queued(steward, github)
    github.dismiss(github.person("boss", "admin"), 1, review)
    await steward.rounds()
    assert (list(github.queue), steward.proposal().stage) == ([], Stage.OPENED)


async def test_a_halt_takes_it_out_of_the_queue(steward: World, github: GitHub) -> None:
    """While Theseus is halted the queue does not merge what it put there; afterwards it goes on."""
    await queued(steward, github)
    steward.halted = "halted"
    await steward.rounds()
    assert not github.queue
    steward.halted = ""
    await steward.rounds()
    assert github.queue


async def test_what_fell_out_of_the_queue_is_not_put_back_unasked(steward: World, github: GitHub) -> None:
    """Its checks fail in the queue: that is said once, and it is not queued again before something has changed."""
    await queued(steward, github)
    github.run(github.queue[0].trial, "check", "failure")
    github.advance_queue()
    await steward.rounds(3)
    assert (list(github.queue), steward.proposal().stage) == ([], Stage.APPROVED)
    assert "took it out" in steward.proposal().why


async def test_what_was_merged_without_an_approval_is_taken_back(steward: World, github: GitHub) -> None:
    """Merged by Theseus' own account though nobody approves it: it is not served, and taken back."""
    await steward.proposed("words")
    before = github.main()
    github.press_merge(github.bot, 1)
    await steward.rounds(3)
    assert (steward.proposal().stage, steward.bot.running) == (Stage.REVERTED, github.main())
    assert steward.repo.tree_of(github.main()) == steward.repo.tree_of(before)
    assert "no approval" in steward.proposal().why


async def test_whoever_merges_what_they_asked_for_approved_it_themselves(
    steward: World, github: GitHub
) -> None:
    """The ledger says so where the rules know that the two names are one person's."""
    ann = github.person("ann")
    await steward.close()
    known = small_rules(steward.folder, github={"same_people": ((ASKED_BY, f"github:{ann.id}"),)})
    again = World(steward.folder, on(github), rules=known)
    await again.proposed("words")
    github.press_merge(ann, 1)
    await again.rounds(2)
    [approved] = [move for move in again.record.ledger.moves() if move.kind == "approved"]
    assert approved.data["self_approved"] is True
    await again.close()


async def test_merged_into_another_branch_ends_it(steward: World, github: GitHub) -> None:
    """Somebody pointed it at another branch and merged it there, from where it cannot come back."""
    ann = github.person("ann")
    await steward.proposed("words")
    github.push(ann, "other", {"x.txt": "x"}, "Other")
    github.pulls[1].base = "other"
    github.press_merge(ann, 1)
    await steward.rounds()
    assert steward.proposal().stage is Stage.REJECTED
    assert "merged into other" in steward.proposal().why


async def test_a_merge_that_main_lost_again_is_said(steward: World, github: GitHub) -> None:
    """Merged by hand and main moved back before anybody looked: it waits with a sentence, and goes on when it is back."""
    ann, before = github.person("ann"), github.main()
    await steward.proposed("words")
    merge = github.press_merge(ann, 1)
    github.force(ann, "main", before)
    await steward.rounds()
    assert "does not have any more" in steward.proposal().why
    github.force(ann, "main", merge)
    await steward.rounds(2)
    assert steward.proposal().stage is Stage.LIVE


async def test_a_bad_revert_that_people_mended_is_one(steward: World, github: GitHub) -> None:
    """People merge a changed revert that does not pass, then mend main: it is taken back, and main is served again."""
    ann = github.person("ann")
    await merged(steward, github)
    github.protect(checks=("check",))
    await steward.mainline.condemn(1, "slow")
    github.push(ann, github.pulls[2].branch, {MORE: '"""A FAULT."""\n'}, "Hm")
    github.protect()
    github.press_merge(ann, 2)
    await steward.rounds(2)
    assert steward.proposal().stage is Stage.LIVE
    github.push(ann, "main", {MORE: '"""Fine."""\n'}, "Mend it")
    await steward.rounds(3)
    assert (steward.proposal().stage, steward.bot.running) == (Stage.REVERTED, github.main())
    assert steward.faults() == []


async def test_a_revert_that_was_merged_elsewhere_can_be_asked_for_again(
    steward: World, github: GitHub
) -> None:
    """Merged into another branch it takes nothing back: that is said, and asked for again there is another."""
    ann = github.person("ann")
    await merged(steward, github)
    github.protect(checks=("check",))
    await steward.mainline.condemn(1, "slow")
    github.push(ann, "other", {"x.txt": "x"}, "Other")
    github.pulls[2].base = "other"
    github.protect()
    github.press_merge(ann, 2)
    await steward.rounds()
    assert "merged into other" in steward.proposal().why
    await steward.mainline.take_back(1, "console:ann", "take it back")
    await steward.rounds(2)
    assert steward.proposal().stage is Stage.REVERTED
    assert steward.repo.tree_of(github.main()) == steward.repo.tree_of(steward.proposal().before)


async def test_a_revert_that_people_made_needless_is_closed(steward: World, github: GitHub) -> None:
    """People undo the change on main by themselves: what was to take it back is closed, once, and leaves no branch."""
    before = (steward.repo.root / GREET).read_text()
    await merged(steward, github)
    github.protect(checks=("check",))
    await steward.mainline.condemn(1, "slow")
    branch = github.pulls[2].branch
    github.protect()
    github.push(github.person("ann"), "main", {GREET: before}, "Undo it")
    github.protect(checks=("check",))
    github.fail(r"/pulls/2$", 500, times=1, method="PATCH")
    await steward.rounds(5)
    one = github.pulls[2]
    assert (steward.proposal().stage, one.open, one.merged) == (Stage.REVERTED, False, False)
    assert (github.branch(branch), len(one.comments)) == ("", 1)
    assert "without proposal 1 already" in one.comments[0].body


async def test_a_revert_that_people_made_their_own_is_left_to_them(steward: World, github: GitHub) -> None:
    """With commits of theirs on it, what was to take the change back stays open although main is without it already."""
    before, ann = (steward.repo.root / GREET).read_text(), github.person("ann")
    await merged(steward, github)
    github.protect(checks=("check",))
    await steward.mainline.condemn(1, "slow")
    github.push(ann, github.pulls[2].branch, {MORE: '"""More."""\n'}, "More")
    github.protect()
    github.push(ann, "main", {GREET: before}, "Undo it")
    await steward.rounds(4)
    assert steward.proposal().stage is Stage.REVERTED
    assert github.pulls[2].open


async def test_a_revert_is_judged_on_the_main_that_it_is_merged_into(steward: World, github: GitHub) -> None:
    """People's commits came between: the commit that takes it back is made anew on them before it is merged."""
    await merged(steward, github)
    await github.outage()
    await steward.mainline.condemn(1, "slow")
    await github.restore()
    theirs = github.push(github.person("ann"), "main", {"README.md": "Other.\n"}, "Other")
    await steward.rounds(3)
    assert steward.proposal().stage is Stage.REVERTED
    assert steward.rows("reverting") == 2
    head = steward.repo.parents(steward.proposal().revert)[1]
    assert steward.repo.is_ancestor(theirs, head)


@pytest.mark.parametrize("before", ["closed", "merged"])
async def test_a_home_begun_anew_does_not_take_old_pull_requests_for_its_own(
    steward: World, github: GitHub, before: str
) -> None:
    """A proposal of the same number and name had a pull request in an earlier life, and gets one of its own."""
    ann, old = github.person("ann"), (steward.repo.root / GREET).read_text()
    if before == "closed":
        await steward.proposed("words")
        github.close(ann, 1)
        await steward.rounds()
    else:
        await merged(steward, github)
        github.push(ann, "main", {GREET: old}, "As it was")
        await steward.rounds()
    await steward.close()
    shutil.move(steward.folder / "home", steward.folder / "gone")
    anew = World(steward.folder, on(github))
    anew.reason = "People asked for it again."
    await anew.proposed("words")
    await anew.rounds(2)
    assert (anew.proposal().stage, anew.proposal().pull) == (Stage.OPENED, 2)
    await anew.close()


async def test_a_home_begun_anew_does_not_take_an_old_revert_for_its_own(
    steward: World, github: GitHub
) -> None:
    """The same change was merged and taken back in an earlier life: taking it back now needs a revert of its own."""
    await merged(steward, github)
    await steward.mainline.condemn(1, "slow")
    await steward.rounds()
    await steward.close()
    shutil.move(steward.folder / "home", steward.folder / "gone")
    anew = World(steward.folder, on(github))
    anew.reason = "People asked for it again."
    await merged(anew, github)
    await anew.mainline.condemn(1, "slow")
    await anew.rounds(2)
    assert anew.proposal().stage is Stage.REVERTED
    assert anew.repo.tree_of(github.main()) == anew.repo.tree_of(anew.proposal().before)
    assert anew.faults() == []
    await anew.close()


async def test_proposals_that_cannot_be_shown_hold_no_others_up(steward: World, github: GitHub) -> None:
    """Strange branches of their names are there: each says so, and a third one is merged meanwhile."""
    ann = github.person("ann")
    for number in (1, 2):
        github.push(ann, f"improve/{number}-say-it-words{number}", {"x.txt": "x"}, "Strange")
    for number in (1, 2, 3):
        await steward.proposed(f"words{number}")
    github.review(ann, steward.proposal(3).pull, "APPROVED")
    await steward.rounds(2)
    assert steward.proposal(3).stage is Stage.LIVE
    assert all("did not put there" in steward.proposal(number).why for number in (1, 2))
    assert "cannot be asked" not in steward.reconciler.status()


async def test_a_head_that_may_not_be_pushed_is_no_push_of_somebody(steward: World, github: GitHub) -> None:
    """Rules of its branch refuse the new head: that is said, and the old one is not taken for somebody's."""
    await steward.proposed("words")
    github.protect(github.pulls[1].branch, reviews=1)
    github.review(github.person("ann"), 1, "CHANGES_REQUESTED", "Say more.")
    steward.author.ready.append(draft("more words"))
    await steward.rounds(3)
    assert (steward.rows("revised"), steward.proposal().title) == (1, "Say it: more words")
    assert "does not let Theseus push" in steward.proposal().why


@pytest.mark.parametrize("merger", ["bob", "ann"])
async def test_whoever_brought_commits_by_a_pull_request_does_not_approve_them(
    steward: World, github: GitHub, merger: str
) -> None:
    """Bob's commits come to the branch by a pull request into it, whoever merged that: his approval does not count, cleo's does."""
    bob, cleo = github.person("bob"), github.person("cleo")
    one = await steward.proposed("words")
    github.push(bob, "side", {MORE: '"""More."""\n'}, "More")
    side = github.open(bob, "side", "More")
    github.pulls[side].base = one.branch
    github.press_merge(github.person(merger), side)
    await steward.rounds(2)
    assert steward.proposal().head == github.pulls[1].head != one.head
    github.review(bob, 1, "APPROVED")
    github.review(github.person(merger), 1, "APPROVED")
    await steward.rounds(2)
    assert (steward.proposal().stage, steward.proposal().approvals) == (Stage.OPENED, ())
    github.review(cleo, 1, "APPROVED")
    await steward.rounds(2)
    assert steward.proposal().stage is Stage.LIVE


async def test_a_commit_that_people_took_away_again_stays_away(steward: World, github: GitHub) -> None:
    """Bob pushes to the branch, and takes that back: it is not pushed again from here."""
    bob = github.person("bob")
    one = await steward.proposed("words")
    github.push(bob, github.pulls[1].branch, {MORE: '"""More."""\n'}, "More")
    await steward.rounds()
    github.force(bob, github.pulls[1].branch, one.head)
    await steward.rounds(2)
    assert github.pulls[1].head == steward.proposal().head == one.head


async def test_an_approval_under_other_rules_is_answered(steward: World, github: GitHub) -> None:
    """The policy has changed since the gate judged it: the approval does not count, and why is said."""
    await steward.proposed("words")
    await steward.close()
    again = World(steward.folder, on(github), rules=steward.rules.model_copy(update={"policy": "f" * 64}))
    github.review(github.person("ann"), 1, "APPROVED")
    await again.rounds()
    assert "under other rules" in again.proposal().why
    await again.close()


async def test_what_may_be_merged_already_is_not_turned_down(steward: World, github: GitHub) -> None:
    """GitHub merged it and the answer was lost: it cannot be rejected before that is known, and then it is merged."""
    await steward.proposed("words")
    github.review(github.person("ann"), 1, "APPROVED")
    held = github.hold("PUT", r"/pulls/1/merge$", "after")
    under_way = asyncio.create_task(steward.rounds())
    await held.arrived()
    await github.outage()
    held.drop()
    await under_way
    assert isinstance(await steward.mainline.reject(1, "console:bob", "no"), Decision)
    await github.restore()
    assert isinstance(await steward.mainline.reject(1, "console:bob", "no"), Decision)
    assert steward.proposal().merge == github.main() == steward.bot.running


async def test_what_was_turned_down_while_it_was_judged_again_is_not_merged(
    steward: World, github: GitHub
) -> None:
    """Main moved, the gate judges anew, and somebody rejects it meanwhile while GitHub does not let it be closed."""
    await steward.proposed("words")
    github.push(github.person("ann"), "main", {"README.md": "Other.\n"}, "Other")
    await steward.rounds()

    async def reject() -> None:
        github.fail(r"/pulls/1$", 500, times=9, method="PATCH")
        await steward.mainline.reject(1, "console:bob", "no")

    steward.gate.at_checks = reject
    github.review(github.person("ann"), 1, "APPROVED")
    await steward.rounds(2)
    assert steward.proposal().stage is Stage.REJECTED
    assert not github.pulls[1].merged
