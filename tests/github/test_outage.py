"""GitHub away, limited, failing or slow, at any stage: nothing is lost or done twice, people are told, and the rest goes on."""

import asyncio
import functools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from selfedit.forge.github.forge import open_forge
from selfedit.types import Request, Stage
from tests.fakes.github.server import GitHub
from tests.github.forge_world import settings_of
from tests.github.scenarios import at
from tests.github.steward_world import ASKED_BY, World, draft

TEN_MINUTES, STEP = 600, 5
MANY = 100_000


@pytest.fixture
async def steward(github: GitHub, tmp_path: Path) -> AsyncIterator[World]:
    """A steward's parts, on the repository that GitHub has; whoever makes another from it closes that."""
    made = at(github, tmp_path)
    yield made
    await made.close()


async def begin(github: GitHub, kind: str) -> None:
    """Trouble of a kind, until it is ended."""
    if kind == "away":
        await github.outage()
    elif kind == "failing":
        github.fail("", 502, times=MANY)
    else:
        github.secondary_limit("", retry_after=120, times=MANY)


async def end(github: GitHub, steward: World, kind: str) -> World:
    """The trouble is over; what waits for a real clock does so in a new process that did not hear of it."""
    if kind == "away":
        await github.restore()
        steward.clock.now += TEN_MINUTES
        return steward
    for failure in github.faults._failures:
        failure.times = 0
    if kind == "failing":
        steward.clock.now += TEN_MINUTES
        return steward
    return await steward.again()


async def ten_minutes(steward: World) -> int:
    """Ten minutes of the reconciler's clock, with a hint every few seconds; how often GitHub was really asked."""
    asked = 0
    for _ in range(TEN_MINUTES // STEP):
        steward.clock.now += STEP
        steward.reconciler.wake()
        asked += await steward.reconciler.tick()
    return asked


@pytest.mark.parametrize("kind", ["away", "failing", "limited"])
async def test_trouble_at_every_stage(steward: World, github: GitHub, kind: str) -> None:
    """While it is being shown, approved, merged and taken back: each goes on where it stood, once."""
    ann = github.person("ann")
    await begin(github, kind)
    steward.author.ready.append(draft("words"))
    made = await steward.pipeline.improve(Request(requested_by=ASKED_BY, goal="words"))
    assert (made.stage, github.pulls) == (Stage.OPENED, {})
    assert "not shown to reviewers" in made.why
    known = [steward.reconciler.asked]
    assert await ten_minutes(steward) <= 11
    assert [*known, steward.reconciler.asked] == [False, True]
    assert f"{github.repository} on 127.0.0.1" in steward.reconciler.status()
    assert "cannot be asked" in steward.reconciler.status()
    steward = await end(github, steward, kind)
    assert await steward.reconciler.tick()
    assert "cannot be asked" not in steward.reconciler.status()
    assert (len(github.pulls), steward.proposal().why) == (1, "")

    await begin(github, kind)
    github.review(ann, 1, "APPROVED")
    rows = steward.record.ledger.last_hash
    await ten_minutes(steward)
    assert steward.record.ledger.last_hash == rows
    steward = await end(github, steward, kind)
    await steward.rounds(2)
    one = steward.proposal()
    assert (one.stage, github.main(), len(github.made("PUT", "/merge"))) == (Stage.LIVE, one.merge, 1)

    await begin(github, kind)
    answer = await steward.mainline.take_back(1, "console:ann", "not wanted")
    assert steward.bot.running == one.before
    assert "not taken back on GitHub yet" in getattr(answer, "why", "")
    await ten_minutes(steward)
    steward = await end(github, steward, kind)
    await steward.rounds(3)
    assert (steward.proposal().stage, len(github.pulls)) == (Stage.REVERTED, 2)
    assert (steward.repo.main(), steward.faults()) == (github.main(), [])
    if kind == "limited":
        await steward.close()


@pytest.mark.parametrize("point", [r"/merge$", r"/pulls$", r"/statuses/", r"/graphql$"])
async def test_one_fault_anywhere_is_made_good(steward: World, github: GitHub, point: str) -> None:
    """An answer of 500 to any one kind of request, some times: the same end, with one pull request and one merge."""
    github.fail(point, 500, times=6)
    steward.author.ready.append(draft("words"))
    await steward.pipeline.improve(Request(requested_by=ASKED_BY, goal="words"))
    await steward.rounds(4)
    github.review(github.person("ann"), 1, "APPROVED")
    await steward.rounds(7)
    one = steward.proposal()
    assert (one.stage, one.merge, len(github.pulls)) == (Stage.LIVE, github.main(), 1)
    assert [status.state for status in github.statuses(one.head)][-1] == "success"
    assert github.pulls[1].labels
    assert steward.faults() == []


async def test_one_proposal_at_fault_does_not_hold_up_others(steward: World, github: GitHub) -> None:
    """What cannot be read of one pull request keeps that one waiting, and no other."""
    await steward.proposed("words")
    await steward.proposed("other words")
    github.fail(r"/pulls/1/reviews", 500, times=MANY)
    for number in (1, 2):
        github.review(github.person("ann"), number, "APPROVED")
    await steward.rounds(2)
    assert [steward.proposal(number).stage for number in (1, 2)] == [Stage.OPENED, Stage.APPROVED]


async def test_answers_that_come_late_or_never(github: GitHub, tmp_path: Path) -> None:
    """Whoever keeps every request waiting, or for ever, gets one pull request and one merge in the end all the same."""
    opener = functools.partial(open_forge, settings_of(github, app=False), backoff=0.001, patience=1.5)
    made = at(github, tmp_path)
    await made.close()
    steward = World(tmp_path, opener)
    try:
        await github.outage(hanging=True)
        made_one = await steward.proposed("words")
        assert "not shown to reviewers" in made_one.why
        await github.restore()
        github.slow(0.1)
        await steward.rounds(2)
        github.review(github.person("ann"), 1, "APPROVED")
        held = github.hold("PUT", r"/merge$", when="after")
        merging = asyncio.create_task(steward.rounds(1))
        await held.arrived()
        await merging  # GitHub has merged; the answer was never heard
        held.drop()
        await steward.rounds(3)
        one = steward.proposal()
        assert (one.stage, one.merge, len(github.pulls)) == (Stage.LIVE, github.main(), 1)
        assert len(github.made("PUT", "/merge")) == 1
        assert steward.faults() == []
    finally:
        await steward.close()
