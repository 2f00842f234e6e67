"""A GitHub that breaks off in the middle: whatever was lost, asking again ends with one of everything."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from selfedit.ports import ForgeDown
from selfedit.types import Proposal, Stage
from tests.fakes.github.description import Description, Missing
from tests.github.forge_world import ForgeWorld, forge_world

STEPS = {
    "the push": ("POST", r"/git-receive-pack$"),
    "the pull request": ("POST", r"/pulls$"),
    "the gate's word": ("POST", r"/check-runs$"),
    "the label": ("POST", r"/labels$"),
    "making it ready": ("POST", r"/graphql$"),
    "the comment": ("POST", r"/comments$"),
    "closing it": ("PATCH", r"/pulls/\d+$"),
}


@pytest.fixture
async def world(tmp_path: Path, described: Description | Missing) -> AsyncIterator[ForgeWorld]:
    """A forge that acts as an App."""
    async with forge_world(tmp_path, described) as made:
        yield made


async def story(world: ForgeWorld, head: str) -> Proposal:
    """A whole life without a merge, by a forge that knows of nothing that was before; it can be told twice."""
    forge = world.again()
    try:
        one = world.proposal(head)
        await forge.announce(one)
        passed = world.judged(one)
        await forge.open(passed)
        ended = passed.model_copy(update={"stage": Stage.REJECTED})
        await forge.close(ended, "not wanted")
        return ended
    finally:
        await forge.end()


def settled(world: ForgeWorld) -> None:
    """That there is one of everything, in its last state."""
    (pull,) = world.github.pulls.values()
    (comment,) = pull.comments
    assert (pull.open, pull.labels) == (False, ["theseus"])
    assert "not wanted" in comment.body
    *earlier, run = world.github.checks(pull.head)
    assert run.conclusion == "success"
    assert len(earlier) <= 1  # where it was told to be judged anew, after a verdict
    assert not world.github.branch(pull.branch)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_lost_connection_leaves_one_of_everything(world: ForgeWorld, step: str, when: str) -> None:
    """Each step may be lost on its way there or on its way back."""
    method, path = STEPS[step]
    hold = world.github.hold(method, path, when)  # type: ignore[arg-type]  # one of the two words
    head = world.head("hello")
    first = asyncio.create_task(story(world, head))
    await hold.arrived()
    hold.drop()
    (lost,) = await asyncio.gather(first, return_exceptions=True)
    assert isinstance(lost, ForgeDown) or step == "the push"  # which git itself tries again
    await story(world, head)
    settled(world)


async def test_an_outage_is_waited_for(world: ForgeWorld) -> None:
    """Nothing is reached, then everything; the line of the status says which."""
    one = await world.opened()
    await world.github.outage()
    with pytest.raises(ForgeDown, match="cannot be reached"):
        await world.forge.look(one)
    assert "cannot be reached" in world.forge.status()
    await world.github.restore()
    assert await world.forge.look(one) is not None
    assert "answered" in world.forge.status()


@pytest.mark.parametrize("retry_after", [None, 90])
async def test_a_limit_stops_everything_that_goes_there(world: ForgeWorld, retry_after: int | None) -> None:
    """Nothing is asked until the time is over, and whoever waits is told how long that is."""
    one = await world.opened()
    world.github.secondary_limit(retry_after=retry_after)
    with pytest.raises(ForgeDown) as caught:
        await world.forge.look(one)
    assert caught.value.again == pytest.approx(retry_after or 60, abs=5)
    before = len(world.github.requests)
    for asked in (world.forge.main, world.forge.shown):
        with pytest.raises(ForgeDown):
            await asked()
    with pytest.raises(ForgeDown):
        await world.forge.merge(one, "t", "m")
    assert len(world.github.requests) == before


async def test_the_hours_requests_are_used_up(world: ForgeWorld) -> None:
    """It goes on when the hour is over."""
    one = await world.opened()
    world.github.primary_limit(1800)
    with pytest.raises(ForgeDown) as caught:
        await world.forge.look(one)
    assert caught.value.again == pytest.approx(1800, abs=30)


async def test_looking_again_costs_little(world: ForgeWorld) -> None:
    """Where nothing has changed, GitHub says so and sends nothing."""
    one = await world.opened()
    world.github.review(world.github.person("ann"), one.pull, "APPROVED")
    first = await world.forge.look(one)
    await world.forge.look(one)  # by now GitHub has worked out whether it can be merged
    before = len(world.github.requests)
    assert await world.forge.look(one) == first
    asked = [each for each in world.github.requests[before:] if each.method == "GET"]
    assert asked
    assert all("if-none-match" in {name.lower() for name in each.headers} for each in asked)


async def test_no_log_and_no_exception_shows_a_credential(
    world: ForgeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong, with everything written down that libraries have to say."""
    caplog.set_level(logging.DEBUG)
    one = await world.opened()
    token = (await world.forge._client.token()).reveal()
    world.github.push(world.github.person("ann"), "main", {"x.md": "x\n"})
    for path in (r"/pulls/", r"/info/refs", r"/git/ref"):
        world.github.fail(path, 500, 9)
        asked = world.forge.look(one) if path == r"/pulls/" else world.forge.main()
        with pytest.raises(ForgeDown) as caught:
            await asked
        assert token not in repr(caught.value)
        assert caught.value.__cause__ is None
    assert token not in caplog.text
