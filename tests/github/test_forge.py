"""Proposals as pull requests: shown once, kept up to date, closed with the reason, found again after a crash."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from policies.decision import Finding, Severity
from selfedit.forge.github.forge import open_forge
from selfedit.forge.github.settings import read_settings
from selfedit.forge.github.verdicts import GATE
from selfedit.ports import ForgeDown
from selfedit.types import Stage
from tests.fakes.github.description import Description, Missing
from tests.github.forge_world import ForgeWorld, forge_world
from tests.github.steward_world import reach

both = pytest.mark.parametrize("world", ["app", "token"], indirect=True)
"""Tried as an App and with a token, where that may make a difference."""


@pytest.fixture
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, described: Description | Missing
) -> AsyncIterator[ForgeWorld]:
    """A forge that acts as an App, unless a test says otherwise."""
    async with forge_world(tmp_path, described, app=getattr(request, "param", "app") == "app") as made:
        yield made


def writes(world: ForgeWorld) -> int:
    """How many requests changed something, git's and those for tokens left out."""
    every = [one for one in world.github.requests if one.method in ("POST", "PATCH", "PUT", "DELETE")]
    return sum(not one.path.endswith(("/graphql", "-pack", "/access_tokens")) for one in every)


@both
async def test_a_draft_is_announced_and_becomes_ready_when_it_passed(world: ForgeWorld) -> None:
    """There is one pull request from the first head on: a draft while it is judged, then ready for review."""
    one = world.proposal()
    shown = await world.forge.announce(one)
    assert shown is not None
    pull = world.github.pulls[shown.pull]
    assert (pull.draft, pull.head, pull.branch, pull.base) == (True, one.head, one.branch, "main")
    assert "being judged" in pull.body
    passed = await world.forge.open(world.judged(one))
    assert passed == shown
    assert not pull.draft
    assert "**passed**" in pull.body
    assert pull.labels == ["theseus"]
    assert len(world.github.pulls) == 1


@both
async def test_doing_it_again_writes_nothing(world: ForgeWorld) -> None:
    """Everything that stands there already is left as it is, also by another process that knows of nothing."""
    one = world.judged(world.proposal())
    first = await world.forge.open(one)
    before = writes(world)
    assert await world.forge.open(one) == first
    assert await world.again_opened(one) == first
    assert writes(world) == before


async def test_a_new_head_is_pushed_to_the_same_pull_request(world: ForgeWorld) -> None:
    """A head that leads on, and one that does not but replaces our own, are shown in the same place."""
    one = world.proposal()
    shown = await world.forge.announce(one)
    assert shown is not None
    for head in (world.head("more", one.head), world.head("something else")):
        again = world.judged(one.model_copy(update={"head": head, "pull": shown.pull}))
        assert await world.forge.open(again) == shown
        assert world.github.pulls[shown.pull].head == head
    assert len(world.github.pulls) == 1


async def test_work_of_people_on_the_branch_is_not_pushed_over(world: ForgeWorld) -> None:
    """What somebody put on the branch stays, whatever head is to be shown."""
    one = await world.opened()
    ann = world.github.person("ann")
    theirs = world.github.push(ann, one.branch, {"agent/live/greeting.md": "mine\n"})
    other = world.judged(one.model_copy(update={"head": world.head("other")}))
    shown = await world.forge.open(other)
    assert shown.pull == one.pull
    assert world.github.branch(one.branch) == theirs
    await world.forge.close(other.model_copy(update={"stage": Stage.FAILED}), "it does not fit")
    assert world.github.branch(one.branch) == theirs


async def test_a_branch_that_somebody_else_made_is_said_so(world: ForgeWorld) -> None:
    """A branch of the same name that is not ours is neither used nor replaced."""
    ann, one = world.github.person("ann"), world.proposal()
    theirs = world.github.push(ann, one.branch, {"x.md": "x\n"})
    with pytest.raises(ForgeDown, match="commits that Theseus did not put there"):
        await world.forge.announce(one)
    assert world.github.branch(one.branch) == theirs
    assert not world.github.pulls


@both
async def test_closing_says_why_once_and_tidies_up(world: ForgeWorld) -> None:
    """The reason is a comment, the branch goes, and doing it again changes nothing."""
    one = await world.opened()
    ended = one.model_copy(update={"stage": Stage.REJECTED})
    await world.forge.close(ended, "we want @octocat to fix #1 first")
    pull = world.github.pulls[one.pull]
    assert not pull.open
    assert [comment.body.count("turned down") for comment in pull.comments] == [1]
    assert "`@octocat`" in pull.comments[0].body
    assert not world.github.branch(one.branch)
    before = writes(world)
    await world.forge.close(ended, "we want something else")
    assert (len(pull.comments), writes(world)) == (1, before)


async def test_what_people_closed_stays_closed(world: ForgeWorld) -> None:
    """Opening it again is for people."""
    one = await world.opened()
    ann = world.github.person("ann")
    world.github.close(ann, one.pull)
    world.github.delete_branch(ann, one.branch)
    before = writes(world)
    assert (await world.forge.open(one)).pull == one.pull
    assert not world.github.pulls[one.pull].open
    assert not world.github.branch(one.branch)
    assert writes(world) == before
    assert list(await world.forge.shown()) == []


async def test_the_branches_under_review_are_known(world: ForgeWorld) -> None:
    """Those of proposals with an open pull request, and no others."""
    one = await world.opened(7)
    two = await world.opened(8)
    ann = world.github.person("ann")
    world.github.push(ann, "feature", {"x.md": "x\n"})
    world.github.open(ann, "feature", "A feature")
    assert set(await world.forge.shown()) == {one.branch, two.branch}


@both
async def test_a_remark_is_made_once_and_found_by_its_mark_in_our_own_words_only(world: ForgeWorld) -> None:
    """Somebody who copies the mark keeps nothing from being said."""
    one = await world.opened()
    pull = world.github.pulls[one.pull]
    await world.forge.remark(one, "waits-1", "It waits for @octocat.")
    (ours,) = pull.comments
    await world.forge.remark(one, "waits-1", "It waits for somebody else.")
    assert len(pull.comments) == 1
    other = await world.opened(8)
    world.github.comment(world.github.person("ann"), other.pull, ours.body)
    await world.forge.remark(other, "waits-1", "It waits.")
    assert [one.by.login for one in world.github.pulls[other.pull].comments][1:] == [ours.by.login]


@both
async def test_the_gates_word_is_on_the_head(world: ForgeWorld) -> None:
    """Pending while it is judged, then what the gate said; as a check run of the App, or else as a status."""
    one = world.proposal()
    await world.forge.announce(one)
    note = Finding(rule="style", severity=Severity.NOTE, path="agent/live/greeting.md", line=1, message="hm")
    passed = world.judged(one, findings=[note])
    if world.forge_is_app:
        (run,) = world.github.checks(one.head)
        assert (run.name, run.status) == (GATE, "in_progress")
        await world.forge.open(passed)
        (run,) = world.github.checks(one.head)
        assert (run.conclusion, run.annotations[0]["path"]) == ("success", "agent/live/greeting.md")
    else:
        assert [each.state for each in world.github.statuses(one.head)] == ["pending"]
        await world.forge.open(passed)
        assert [each.state for each in world.github.statuses(one.head)] == ["pending", "success"]
        assert {each.context for each in world.github.statuses(one.head)} == {GATE}


async def test_every_finding_becomes_an_annotation(world: ForgeWorld) -> None:
    """GitHub takes fifty in one request; the others follow, once each."""
    many = [
        Finding(rule=f"r{at}", path="agent/live/greeting.md", line=1, message=f"number {at}")
        for at in range(120)
    ]
    failed = world.judged(world.proposal(), "failed", many).model_copy(update={"stage": Stage.FAILED})
    await world.forge.announce(world.proposal(failed.head))
    await world.forge.close(failed, "it failed")
    (run,) = world.github.checks(failed.head)
    assert run.conclusion == "failure"
    assert [each["message"] for each in run.annotations] == [f"number {at}" for at in range(120)]


async def test_labels_say_where_to_look_closely(world: ForgeWorld) -> None:
    """A point for a person to look at is a label, made where the repository has none."""
    look = Finding(rule="look", severity=Severity.REVIEW, message="a person has to look")
    one = world.judged(world.proposal(), findings=[look])
    shown = await world.forge.open(one)
    assert world.github.pulls[shown.pull].labels == ["theseus", "theseus: look closely"]


async def test_main_is_brought_here_below_our_own_refs(world: ForgeWorld) -> None:
    """No branch here moves; the commit is there to be looked at."""
    assert await world.forge.main() == world.small.base
    new = world.github.push(world.github.person("ann"), "main", {"x.md": "x\n"})
    assert await world.forge.main() == new
    assert world.small.repo.refs("refs/theseus/remote/") == {"refs/theseus/remote/main": new}
    assert world.small.repo.main() == world.small.base
    assert set(world.small.repo.refs("refs/heads/")) == {"refs/heads/main"}


async def test_a_wrong_repository_is_told_from_an_empty_one(world: ForgeWorld) -> None:
    """Whoever mistyped the name is not told to push to it."""
    elsewhere = reach(world.github.api, "harbour/thesus", world.github.token)(world.small.repo)
    try:
        with pytest.raises(ForgeDown, match="is GITHUB_REPOSITORY right"):
            await elsewhere.main()
    finally:
        await elsewhere.end()
    world.github.git.move("refs/heads/main", "")
    with pytest.raises(ForgeDown, match="push it there first"):
        await world.forge.main()


async def test_an_installation_that_is_none_is_named(world: ForgeWorld) -> None:
    """Whoever copied the wrong number reads which setting it is."""
    github = world.github
    given = read_settings(
        {
            "GITHUB_REPOSITORY": github.repository,
            "GITHUB_API_URL": github.api,
            "GITHUB_APP_ID": str(github.app_id),
            "GITHUB_APP_KEY": github.app_key,
            "GITHUB_INSTALLATION_ID": "9",
        }
    )
    assert given is not None
    forge = open_forge(given, world.small.repo, backoff=0.001)
    try:
        with pytest.raises(ForgeDown, match="no installation of the number in GITHUB_INSTALLATION_ID"):
            await forge.main()
    finally:
        await forge.end()
