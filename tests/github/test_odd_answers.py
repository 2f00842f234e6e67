"""What GitHub may do as well: other clocks and names, drafts and locks of people, rights that are missing, checks nobody failed."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest

from policies.decision import Decision
from selfedit.forge.github.client import Client
from selfedit.forge.github.verdicts import GATE
from selfedit.ports import ForgeDown
from selfedit.types import Stage
from tests.fakes.github.description import Description, Missing
from tests.fakes.github.server import GitHub
from tests.github.forge_world import ForgeWorld, forge_world
from tests.github.scenarios import MORE
from tests.github.steward_world import World


@pytest.fixture
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, described: Description | Missing
) -> AsyncIterator[ForgeWorld]:
    """A forge that acts as an App, unless a test says otherwise."""
    async with forge_world(tmp_path, described, app=getattr(request, "param", "app") == "app") as made:
        yield made


@pytest.mark.parametrize("ahead", [-900.0, -300.0, 300.0, 900.0, 7200.0])
async def test_a_clock_that_is_wrong_here_keeps_no_app_out(world: ForgeWorld, ahead: float) -> None:
    """By what it signs, and by when its token expires: GitHub's clock counts, and a token still serves many requests."""
    world.github.world.ahead = ahead
    client = Client(world.settings, backoff=0.001)
    for _ in range(3):
        assert (await client.get(f"/repos/{world.github.repository}"))["default_branch"] == "main"
    made = [one for one in world.github.made("POST", "/access_tokens") if one.status == 201]
    assert len(made) == 1
    await client.end()


async def test_while_github_is_away_its_clock_goes_on(
    world: ForgeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that was not answered tells nothing of the time: what was heard before it is old by then."""
    client = Client(world.settings, backoff=0.001)
    path = f"/repos/{world.github.repository}"
    await client.get(path)
    later = time.time() + 600
    monkeypatch.setattr(time, "time", lambda: later)
    lost = world.github.hold("POST", f"{path}/pulls$")
    lost.drop()
    with pytest.raises(ForgeDown):
        await client.send("POST", f"{path}/pulls", {})
    claims = jwt.decode(client.credential.jwt().reveal(), options={"verify_signature": False})
    assert later - claims["iat"] < 120
    await client.end()


async def test_a_key_that_is_refused_is_not_offered_for_ever(world: ForgeWorld) -> None:
    """With the clocks agreed, a refusal is one; what to do about it is said."""
    world.github.world.ahead = 300.0
    world.github.fail("/access_tokens", 401, times=9, body='{"message": "Bad credentials"}')
    with pytest.raises(ForgeDown, match="does not accept GITHUB_APP_KEY"):
        await world.forge.main()
    assert len(world.github.made("POST", "/access_tokens")) <= 2


async def test_a_repository_that_got_another_name_is_said_so(world: ForgeWorld) -> None:
    """Its pull requests are still known for ours, nothing is opened twice, and the status says what to set."""
    one = await world.opened()
    world.github.rename("argo")
    assert await world.forge.shown() == {one.branch}
    assert (await world.forge.open(one)).pull == one.pull
    assert "it is called harbour/argo now; set GITHUB_REPOSITORY" in world.forge.status()
    with pytest.raises(ForgeDown, match="is GITHUB_REPOSITORY its name of today"):
        await world.forge.announce(one.model_copy(update={"head": world.head("more", one.head)}))
    assert len(world.github.pulls) == 1


@pytest.mark.parametrize("world", ["token"], indirect=True)
async def test_a_token_that_may_only_read_is_said_so(world: ForgeWorld) -> None:
    """It answers every question, and the status says all the same that nothing can be proposed with it."""
    await world.forge.shown()
    assert "answered" in world.forge.status()
    world.github.person(world.github.bot.login, "read")
    await world.forge.shown()
    assert "this account may only read there" in world.forge.status()
    world.github.person(world.github.bot.login, "write")
    await world.forge.shown()
    assert "may only read" not in world.forge.status()


async def test_a_right_that_the_app_lacks_is_said_before_it_is_missed(world: ForgeWorld) -> None:
    """By what GitHub grants with each token, and, where it says nothing of that, by what it refused last."""
    world.github.app.permissions["checks"] = "read"
    await world.forge.shown()
    assert "the App may not write checks there" in world.forge.status()
    client = Client(world.settings, backoff=0.001)
    world.github.fail("/labels$", 403, body='{"message": "Resource not accessible by integration"}')
    label = {"name": "x", "color": "ffffff"}
    with pytest.raises(ForgeDown):
        await client.send("POST", f"/repos/{world.github.repository}/labels", label)
    await client.get(f"/repos/{world.github.repository}")
    assert "not accessible by integration" in client.health.refused
    await client.send("POST", f"/repos/{world.github.repository}/labels", label)
    assert client.health.refused == ""
    await client.end()


async def test_an_archived_repository_is_said_to_be_one(world: ForgeWorld) -> None:
    """Everything can be read there, and nothing changed."""
    world.github.world.settings["archived"] = True
    await world.forge.shown()
    assert "it is archived" in world.forge.status()


async def test_a_locked_conversation_keeps_nothing_open(world: ForgeWorld) -> None:
    """Where nobody may comment, a rejected proposal is closed all the same; a right that is missing is still said."""
    one = await world.opened()
    world.github.pulls[one.pull].locked = True
    await world.forge.close(one.model_copy(update={"stage": Stage.REJECTED}), "not wanted")
    assert not world.github.pulls[one.pull].open
    two = await world.opened(8)
    world.github.fail("/comments$", 403, method="POST", body='{"message": "Resource not accessible"}')
    with pytest.raises(ForgeDown, match="does not let Theseus comment"):
        await world.forge.remark(two, "key", "words")


async def test_a_closed_one_is_seen_where_there_are_no_issues(world: ForgeWorld) -> None:
    """Who closed it is not to be had then; that it is closed is."""
    one = await world.opened()
    world.github.close(world.github.person("ann"), one.pull)
    world.github.fail(r"/issues/\d+$", 410, body='{"message": "Issues are disabled for this repo"}')
    state = await world.forge.look(one)
    assert state is not None
    assert (state.open, state.closed_by) == (False, None)


async def test_a_queue_that_may_not_be_asked_for_is_known_by_the_rules(world: ForgeWorld) -> None:
    """An App without the right to read it: the rules of the branch tell whether there is one."""
    one = await world.opened()
    refusal = {
        "data": None,
        "errors": [{"type": "FORBIDDEN", "message": "Resource not accessible by integration"}],
    }
    world.github.fail("/graphql$", 200, times=9, body=json.dumps(refusal))
    world.github.protect(checks=("check",))
    world.github.run(one.head, "check")
    merged = await world.forge.merge(one, "t", "m")
    assert merged == world.github.main()


async def test_a_main_that_is_called_otherwise_is_said_so(world: ForgeWorld) -> None:
    """Renamed there, it is not to be found by its old name; where it is now is named."""
    sent = {"default_branch": "trunk", "full_name": world.github.repository}
    world.github.fail("/git/ref/heads/main$", 404)
    world.github.fail(rf"/repos/{world.github.repository}$", 200, body=json.dumps(sent))
    with pytest.raises(ForgeDown, match=r"no branch main; .*it is trunk now"):
        await world.forge.main()


async def test_what_nobody_failed_is_no_complaint(steward: World, github: GitHub) -> None:
    """A required check that was cancelled waits for a person to run it again; the author is not asked to mend anything."""
    github.protect(checks=("check",))
    await steward.proposed("words")
    github.run(github.pulls[1].head, "check", "cancelled")
    github.review(github.person("ann"), 1, "APPROVED")
    await steward.rounds(2)
    assert steward.author.heard == []
    assert "waits for checks on GitHub: check" in steward.proposal().why
    github.run(github.pulls[1].head, "check")
    await steward.rounds(2)
    assert steward.proposal().stage is Stage.LIVE


async def test_a_draft_of_a_person_is_left_one(steward: World, github: GitHub) -> None:
    """Somebody marks it as unfinished: it stays so, also after a restart, waits with their name, and goes on when they are done."""
    ann = github.person("ann")
    await steward.proposed("words")
    github.mark(ann, 1, draft=True)
    github.review(ann, 1, "APPROVED")
    await steward.rounds(2)
    steward = await steward.again()
    await steward.rounds(2)
    assert github.pulls[1].draft
    assert steward.proposal().why == (
        "it was marked as a draft by ann; mark it as ready for review on GitHub"
    )
    github.mark(ann, 1, draft=False)
    await steward.rounds(2)
    assert steward.proposal().stage is Stage.LIVE
    await steward.close()


@pytest.mark.parametrize("seen_ready", [True, False])
async def test_a_draft_mark_of_nobody_knows_whom_is_respected(
    steward: World, github: GitHub, *, seen_ready: bool
) -> None:
    """Who marked it may not be asked: once it was seen ready, it is not Theseus's own mark, also after a restart."""
    ann, events = github.person("ann"), r"/issues/1/events"
    github.fail(events, 403, times=99, body='{"message": "Resource not accessible by integration"}')
    if seen_ready:
        await steward.proposed("words")
        await steward.rounds()
        github.mark(ann, 1, draft=True)
    else:
        github.fail("/graphql", 500, times=9)
        await steward.proposed("words")
        assert github.pulls[1].draft
    steward = await steward.again()
    github.review(ann, 1, "APPROVED")
    for _ in range(3):
        steward.clock.now += 1000
        await steward.rounds()
    if seen_ready:
        assert github.pulls[1].draft
        assert "marked as a draft by somebody" in steward.proposal().why
    else:
        assert steward.proposal().stage is Stage.LIVE
    await steward.close()


async def test_a_head_that_people_pushed_says_that_it_is_judged(steward: World, github: GitHub) -> None:
    """From the first moment on there is a word on it, and the verdict after it, also where that is red."""
    await steward.proposed("words")
    words: list[str] = []

    async def judging() -> None:
        words.extend(one.state for one in github.statuses(github.pulls[1].head) if one.context == GATE)

    for text, last in (('"""More."""\n', "success"), ('"""A FAULT."""\n', "failure")):
        words.clear()
        steward.gate.at_checks = judging
        github.push(github.person("bob"), github.pulls[1].branch, {MORE: text}, "More")
        await steward.rounds()
        assert words == ["pending"]
        said = [one.state for one in github.statuses(github.pulls[1].head) if one.context == GATE]
        assert said == ["pending", last]


async def test_a_draft_is_not_merged_whatever_else_agrees(world: ForgeWorld) -> None:
    """GitHub would refuse it as well; nothing is asked for."""
    one = await world.opened()
    world.github.mark(world.github.person("ann"), one.pull, draft=True)
    state = await world.forge.look(one)
    assert state is not None
    assert state.drafted_by is not None
    assert state.drafted_by.login == "ann"
    answer = await world.forge.merge(one, "t", "m")
    assert isinstance(answer, Decision)
    assert answer.findings[0].rule == "waiting"
    assert world.github.made("PUT") == []
