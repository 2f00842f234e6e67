"""What the port `Upstream` promises holds on GitHub's adapter and on its fake."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from policies.decision import Decision
from selfedit.ports import Upstream
from selfedit.repo import Repo
from selfedit.types import GateReport, Proposal, Stage
from tests.fakes.github.server import GitHub
from tests.fakes.small_repo import GREET, SmallRepo
from tests.fakes.upstream import MemoryUpstream
from tests.fakes.world import git
from tests.github.steward_world import on


@pytest.fixture
def small(tmp_path: Path) -> SmallRepo:
    """The repository here."""
    (tmp_path / "repo").mkdir()
    return SmallRepo(tmp_path / "repo")


@pytest.fixture(params=["fake", "GitHub"])
async def forge(
    request: pytest.FixtureRequest, small: SmallRepo, github: GitHub, tmp_path: Path
) -> AsyncIterator[Upstream]:
    """Each of them, with the same on `main` as here."""
    git(small.root, "push", "--quiet", "--force", str(github.bare), "main:main")
    fake = request.param == "fake"
    made: Upstream = MemoryUpstream(small.repo, tmp_path / "bare") if fake else on(github)(small.repo)
    yield made
    await made.end()


def proposal(small: SmallRepo, words: str = "Say hello to all.", **more: object) -> Proposal:
    """One that passed and was approved."""
    head = small.edit(GREET, "Say hello.", words)
    report = GateReport(
        verdict="passed", base=small.base, head=head, tree=small.repo.tree_of(head), policy="p"
    )
    made = Proposal(
        number=1,
        stage=Stage.APPROVED,
        title="Greet all",
        requested_by="discord:1",
        branch="improve/1-greet-all",
        base=small.base,
        head=head,
        approved_head=head,
        report=report,
    )
    return made.model_copy(update=more)


def rule(answer: object) -> str:
    """Which "no" it was."""
    assert isinstance(answer, Decision), answer
    return answer.findings[0].rule


async def test_a_pull_request_is_one_however_often_it_is_shown(forge: Upstream, small: SmallRepo) -> None:
    """Unfinished first, then ready, then with another head: the same number all along."""
    one = proposal(small)
    assert await forge.look(one) is None
    first = await forge.announce(one)
    state = await forge.look(one)
    assert first is not None
    assert state is not None
    assert (state.number, state.open, state.draft, state.head) == (first.pull, True, True, one.head)
    assert rule(await forge.merge(one, "Title", "Message")) == "waiting"
    again = [await forge.open(one), await forge.open(one)]
    assert [shown.pull for shown in again] == [first.pull] * 2
    newer = small.change({GREET: '"""Other."""\n'}, on=one.head)
    other = one.model_copy(update={"head": newer, "report": None})
    assert (await forge.open(other)).pull == first.pull
    state = await forge.look(other)
    assert state is not None
    assert (state.draft, state.head, state.base) == (False, newer, "main")
    assert await forge.shown() == {one.branch}


async def test_only_the_approved_head_is_merged_and_once(forge: Upstream, small: SmallRepo) -> None:
    """Another head is a no; the right one becomes a merge of main and itself; asked again it is the same commit."""
    one = proposal(small)
    await forge.open(one)
    stale = one.model_copy(update={"approved_head": small.base})
    assert rule(await forge.merge(stale, "Title", "Message")) == "head_moved"
    merged = await forge.merge(one, "Title", "Message")
    assert isinstance(merged, str)
    assert await forge.main() == merged
    assert small.repo.parents(merged) == (small.base, one.head)
    assert await forge.merge(one, "Title", "Message") == merged
    state = await forge.look(one)
    assert state is not None
    assert (state.merged, state.open) == (merged, False)


async def test_what_was_closed_is_not_merged(forge: Upstream, small: SmallRepo) -> None:
    """Closed, twice if need be; then a merge is refused and main stays."""
    one = proposal(small)
    await forge.open(one)
    ended = one.model_copy(update={"stage": Stage.REJECTED})
    for _ in range(2):
        await forge.close(ended, "not wanted")
    assert rule(await forge.merge(one, "Title", "Message")) in ("closed", "head_moved")
    assert (await forge.main(), await forge.shown()) == (small.base, set())


async def test_what_takes_back_is_a_pull_request_of_its_own(forge: Upstream, small: SmallRepo) -> None:
    """It is shown, looked at and merged like the other, at its own head alone."""
    one = proposal(small)
    await forge.open(one)
    merged = await forge.merge(one, "Title", "Message")
    assert isinstance(merged, str)
    assert await forge.look_at_revert(one) is None
    repo: Repo = small.repo
    undo = repo.commit(repo.tree_of(small.base), [await forge.main()], "Take it back")
    shown = [await forge.propose_revert(one, undo, "why") for _ in range(2)]
    assert shown[0].pull == shown[1].pull != one.pull
    assert rule(await forge.merge_revert(one, small.base)) == "head_moved"
    back = await forge.merge_revert(one, undo)
    assert isinstance(back, str)
    assert (await forge.main(), repo.tree_of(back)) == (back, repo.tree_of(small.base))
