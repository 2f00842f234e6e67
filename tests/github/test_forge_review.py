"""What the forge sees of a pull request, and how GitHub is asked to merge: by its rules, and only what was approved."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from policies.decision import Decision
from selfedit.forge.github.client import Client
from selfedit.ports import ForgeDown
from selfedit.pulls import PullState
from tests.fakes.github.description import Description, Missing
from tests.github.forge_world import ForgeWorld, forge_world


@pytest.fixture
async def world(tmp_path: Path, described: Description | Missing) -> AsyncIterator[ForgeWorld]:
    """A forge that acts as an App."""
    async with forge_world(tmp_path, described) as made:
        yield made


async def seen(world: ForgeWorld, one: object) -> PullState:
    state = await world.forge.look(one)  # type: ignore[arg-type]  # a proposal
    assert state is not None
    return state


def rule_of(answer: str | Decision) -> str:
    assert isinstance(answer, Decision)
    assert not answer.allowed
    return answer.findings[0].rule


async def test_nothing_is_seen_of_what_is_not_there(world: ForgeWorld) -> None:
    """A proposal that was never shown has no pull request."""
    assert await world.forge.look(world.proposal()) is None
    assert await world.forge.look(world.proposal(pull=99)) is None
    assert rule_of(await world.forge.merge(world.proposal(), "t", "m")) == "closed"


async def test_an_approval_is_seen_with_its_head_and_the_right_of_who_gave_it(world: ForgeWorld) -> None:
    """Who, by an id that cannot be taken over, with which access, of which commit."""
    one = await world.opened()
    ann, eve = world.github.person("ann", "maintain"), world.github.person("eve", "read")
    world.github.review(ann, one.pull, "APPROVED", "fine")
    world.github.review(eve, one.pull, "APPROVED")
    state = await seen(world, one)
    assert [(each.by.id, each.state, each.head) for each in state.reviews] == [
        (f"github:{ann.id}", "approved", one.head),
        (f"github:{eve.id}", "approved", one.head),
    ]
    assert state.reviews[0].by.roles == (
        "github:role/maintain",
        "github:role/write",
        "github:role/triage",
        "github:role/read",
    )
    assert state.reviews[1].by.roles == ("github:role/read",)
    assert [each.text for each in state.reviews[0].remarks] == ["fine"]
    assert (state.open, state.draft, state.base, state.pushed_by, state.runs) == (True, False, "main", (), ())


async def test_a_dismissed_approval_is_none_and_a_comment_takes_none_back(world: ForgeWorld) -> None:
    """As on GitHub: what was said last of the change as a whole counts."""
    one = await world.opened()
    ann, bob = world.github.person("ann"), world.github.person("bob")
    given = world.github.review(ann, one.pull, "APPROVED")
    world.github.review(bob, one.pull, "APPROVED")
    world.github.review(
        bob, one.pull, "COMMENTED", "by the way", comments=[("agent/live/greeting.md", 1, "here")]
    )
    world.github.dismiss(ann, one.pull, given.id)
    (left,) = (await seen(world, one)).reviews
    assert (left.by.login, left.state) == ("bob", "approved")
    assert [(each.text, each.path, each.line) for each in left.remarks] == [
        ("by the way", "", 0),
        ("here", "agent/live/greeting.md", 1),
    ]


async def test_somebody_elses_push_is_seen_and_its_commits_are_here(world: ForgeWorld) -> None:
    """The new head can be judged here, and who pushed it is no judge of it."""
    one = await world.opened()
    ann = world.github.person("ann")
    new = world.github.push(ann, one.branch, {"agent/live/greeting.md": "hi\n"})
    state = await seen(world, one)
    assert state.head == new
    assert world.small.repo.resolve(new) == new
    assert [each.login for each in state.pushed_by] == ["ann"]
    assert set(world.small.repo.refs("refs/heads/")) == {"refs/heads/main"}


async def test_the_committers_count_where_github_does_not_say_who_pushed(world: ForgeWorld) -> None:
    """An Enterprise without the list of activity still names the accounts behind commits."""
    one = await world.opened()
    world.github.push(world.github.person("ann"), one.branch, {"agent/live/greeting.md": "hi\n"})
    world.github.fail(r"/activity", 404, method="GET")
    assert "ann" in [each.login for each in (await seen(world, one)).pushed_by]


@pytest.mark.parametrize("ruleset", [False, True])
async def test_required_checks_are_known_before_they_run(world: ForgeWorld, ruleset: bool) -> None:  # noqa: FBT001 - a parameter
    """From protection and from rulesets; our own word is not among the checks of others."""
    world.github.protect(checks=("check", "theseus/gate"), ruleset=ruleset)
    one = await world.opened()
    state = await seen(world, one)
    assert [(run.name, run.state, run.required) for run in state.runs] == [("check", "waiting", True)]
    world.github.run(one.head, "check", "failure", "broken", [("agent/live/greeting.md", 1, "no")])
    world.github.run(one.head, "extra", "success")
    runs = {run.name: run for run in (await seen(world, one)).runs}
    assert (runs["check"].state, runs["extra"].state) == ("failed", "passed")
    assert (runs["check"].required, runs["extra"].required) == (True, False)
    assert [(each.path, each.line, each.by.person) for each in runs["check"].remarks] == [
        ("agent/live/greeting.md", 1, False)
    ]


async def test_rules_that_cannot_be_read_make_every_check_required(world: ForgeWorld) -> None:
    """What is not known is taken for the stricter."""
    one = await world.opened()
    world.github.run(one.head, "extra", "success")
    world.github.fail(r"/rules/branches/", 403, method="GET")
    state = await seen(world, one)
    assert [run.required for run in state.runs] == [True]
    assert state.checks_required


async def test_a_merge_is_the_one_that_was_approved(world: ForgeWorld) -> None:
    """The merge's parents are what main was and the head; asking again answers the same commit."""
    one = await world.opened()
    before = world.github.main()
    merge = await world.forge.merge(one, "Merge proposal 7: fixes #1", "by @octocat\n\nProposal: 7")
    assert isinstance(merge, str)
    assert await world.forge.main() == merge
    assert world.small.repo.parents(merge) == (before, one.head)
    said = world.small.repo.message(merge)
    assert "Proposal: 7" in said
    assert "#1" not in said
    assert "@octocat" not in said
    assert await world.forge.merge(one, "again", "again") == merge
    state = await seen(world, one)
    assert (state.merged, state.open) == (merge, False)
    assert state.merged_by is not None
    assert not state.merged_by.person
    assert len(world.github.made("PUT", "/merge")) == 1


async def test_another_head_is_not_merged(world: ForgeWorld) -> None:
    """Neither one that is seen, nor one that comes between looking and merging."""
    one = await world.opened()
    ann = world.github.person("ann")
    hold = world.github.hold("PUT", r"/merge$")
    asking = asyncio.create_task(world.forge.merge(one, "t", "m"))
    await hold.arrived()
    world.github.push(ann, one.branch, {"agent/live/greeting.md": "hi\n"})
    hold.release()
    assert rule_of(await asking) == "head_moved"
    assert rule_of(await world.forge.merge(one, "t", "m")) == "head_moved"
    assert not world.github.pulls[one.pull].merged


async def test_a_merge_waits_for_what_githubs_rules_want(world: ForgeWorld) -> None:
    """Branch protection binds Theseus too."""
    world.github.protect(checks=("check",), strict=False, reviews=1)
    one = await world.opened()
    assert rule_of(await world.forge.merge(one, "t", "m")) == "waiting"
    world.github.run(one.head, "check", "success")
    assert rule_of(await world.forge.merge(one, "t", "m")) == "waiting"
    world.github.review(world.github.person("ann"), one.pull, "APPROVED")
    assert isinstance(await world.forge.merge(one, "t", "m"), str)


async def test_a_head_that_lacks_main_is_behind(world: ForgeWorld) -> None:
    """Where GitHub wants heads that contain main, its words name checks; the answer says what it takes."""
    world.github.protect(checks=("check",), strict=True, reviews=None)
    one = await world.opened()
    world.github.run(one.head, "check", "success")
    world.github.push(world.github.person("ann"), "main", {"x.md": "x\n"})
    assert rule_of(await world.forge.merge(one, "t", "m")) == "behind"
    ours = await world.forge.main()
    head = world.small.repo.commit(world.small.repo.merge_tree(ours, one.head), [ours, one.head], "again")  # type: ignore[arg-type]  # no conflict
    fresh = world.judged(one.model_copy(update={"head": head}))
    await world.forge.open(fresh)
    world.github.run(head, "check", "success")
    assert isinstance(
        await world.forge.merge(fresh.model_copy(update={"approved_head": head}), "t", "m"), str
    )


async def test_a_conflict_is_behind(world: ForgeWorld) -> None:
    """It has to contain what main is now before anything can be merged."""
    one = await world.opened()
    world.github.push(world.github.person("ann"), "main", {"agent/live/greeting.md": "other\n"})
    assert rule_of(await world.forge.merge(one, "t", "m")) == "behind"


async def test_a_merge_queue_is_respected(world: ForgeWorld) -> None:
    """The head is put into it once, and merged by it; nothing goes past it."""
    world.github.protect(checks=(), reviews=None, queue=True)
    one = await world.opened()
    for _ in range(3):
        assert rule_of(await world.forge.merge(one, "t", "m")) == "waiting"
    assert (await seen(world, one)).queued
    assert len(world.github.queue) == 1
    assert not world.github.made("PUT", "/merge")
    world.github.advance_queue()
    merge = await world.forge.merge(one, "t", "m")
    assert merge == world.github.main()


async def test_what_people_did_is_seen(world: ForgeWorld) -> None:
    """Who pressed the button, and who closed it."""
    one, two = await world.opened(7), await world.opened(8)
    ann = world.github.person("ann")
    commit = world.github.press_merge(ann, one.pull, "squash")
    world.github.close(ann, two.pull)
    first, second = await seen(world, one), await seen(world, two)
    assert (first.merged, first.merged_by and first.merged_by.login, first.closed_by) == (commit, "ann", None)
    assert (second.open, second.merged, second.closed_by and second.closed_by.login) == (False, "", "ann")
    assert rule_of(await world.forge.merge(two, "t", "m")) == "closed"


async def test_a_merge_whose_answer_was_lost_is_found(world: ForgeWorld) -> None:
    """Whether it happened is not known then; asking again says so, and merges nothing twice."""
    one = await world.opened()
    hold = world.github.hold("PUT", r"/merge$", when="after")
    asking = asyncio.create_task(world.forge.merge(one, "t", "m"))
    await hold.arrived()
    hold.drop()
    with pytest.raises(ForgeDown):
        await asking
    assert await world.forge.merge(one, "t", "m") == world.github.main()
    assert len(world.github.made("PUT", "/merge")) == 1


async def test_a_merged_proposal_is_taken_back_by_a_pull_request(world: ForgeWorld) -> None:
    """The revert has a pull request of its own, one only, which is merged like any other."""
    one = await world.opened()
    merge = await world.forge.merge(one, "t", "m")
    assert isinstance(merge, str)
    await world.forge.main()
    repo = world.small.repo
    revert = repo.commit(repo.tree_of(world.small.base), [merge], "Revert")
    done = one.model_copy(update={"merge": merge})
    shown = await world.forge.propose_revert(done, revert, "it failed for @octocat")
    assert await world.forge.propose_revert(done, revert, "it failed for @octocat") == shown
    assert shown.pull != one.pull
    state = await world.forge.look_at_revert(done)
    assert state is not None
    assert (state.head, state.open, state.draft) == (revert, True, False)
    assert rule_of(await world.forge.merge_revert(done, merge)) == "head_moved"
    back = await world.forge.merge_revert(done, revert)
    assert back == world.github.main()
    assert world.github.git.text(str(back), "agent/live/greeting.md") is None


async def test_a_revert_that_somebody_closed_is_shown_anew_when_wanted_again(world: ForgeWorld) -> None:
    """The closed one stays closed."""
    one = await world.opened()
    merge = await world.forge.merge(one, "t", "m")
    assert isinstance(merge, str)
    await world.forge.main()
    revert = world.small.repo.commit(world.small.repo.tree_of(world.small.base), [merge], "Revert")
    first = await world.forge.propose_revert(one, revert, "it failed")
    world.github.close(world.github.person("ann"), first.pull)
    second = await world.forge.propose_revert(one, revert, "it failed")
    assert second.pull != first.pull
    assert (world.github.pulls[first.pull].open, world.github.pulls[second.pull].open) == (False, True)


async def test_a_pull_request_of_another_branch_is_not_ours(world: ForgeWorld) -> None:
    """A number that belongs to another branch is not taken for the proposal's."""
    ann = world.github.person("ann")
    world.github.push(ann, "feature", {"x.md": "x\n"})
    number = world.github.open(ann, "feature", "improve/7-greet-people")
    assert await world.forge.look(world.proposal(pull=number)) is None


async def test_a_pull_request_of_a_fork_is_not_ours(world: ForgeWorld) -> None:
    """Its branch is called like the proposal's, but stands in somebody else's repository."""
    one = world.proposal()
    number = (await world.forge.open(one)).pull
    assert await world.forge.shown() == {one.branch}
    client = Client(world.settings)
    sent = await client.get(f"/repos/{world.settings.repository}/pulls/{number}")
    await client.end()
    sent["head"]["repo"]["full_name"] = "somebody/theseus"
    world.github.fail(r"/pulls(\?|$)", 200, times=2, method="GET", body=json.dumps([sent]))
    world.github.fail(rf"/pulls/{number}$", 200, method="GET", body=json.dumps(sent))
    assert await world.forge.shown() == set()
    assert await world.forge.look(one.model_copy(update={"pull": number})) is None
