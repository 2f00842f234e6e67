"""The steward's desk where `main` lives on GitHub: chosen by settings, told in the status, and of use without a running steward."""

import os
from pathlib import Path

import pytest

from selfedit import protocol as say
from selfedit.process.client import ask
from selfedit.process.desk import Desk
from selfedit.process.place import Place
from selfedit.process.steward import Steward
from selfedit.running.bot_process import FORGE_SECRETS
from selfedit.start import python
from selfedit.types import Stage
from tests.fakes.github.server import GitHub
from tests.fakes.small_repo import SmallRepo
from tests.github.scenarios import at
from tests.github.steward_world import on

ME = "console:operator"


async def place_with_a_proposal(github: GitHub, folder: Path) -> Place:
    """Where a proposal waits for reviewers, and no steward runs."""
    steward = at(github, folder)
    await steward.proposed("words")
    await steward.close()
    return Place(folder / "repo", folder / "home", steward.rules, on(github))


async def test_an_approval_at_the_command_line_merges_there(github: GitHub, tmp_path: Path) -> None:
    """Without a running steward: what happened on GitHub is looked at first, then it is merged there and followed here."""
    place = await place_with_a_proposal(github, tmp_path)
    answer = await ask(place, say.Approve(number=1, by=ME), lambda _: None)
    assert isinstance(answer, say.ProposalIs), answer
    assert (answer.proposal.stage, answer.proposal.merge) == (Stage.MERGED, github.main())
    assert github.pulls[1].merged
    back = await ask(place, say.Rollback(number=1, by=ME), lambda _: None)
    assert isinstance(back, say.ProposalIs), back
    assert (back.proposal.stage, len(github.pulls)) == (Stage.REVERTED, 2)


async def test_what_was_closed_there_is_seen_at_the_command_line(github: GitHub, tmp_path: Path) -> None:
    """Nobody approves what somebody has closed meanwhile."""
    place = await place_with_a_proposal(github, tmp_path)
    github.close(github.person("ann"), 1)
    answer = await ask(place, say.Approve(number=1, by=ME), lambda _: None)
    assert isinstance(answer, say.Refused)
    assert "rejected" in answer.why


async def test_the_status_says_where_proposals_are_reviewed(github: GitHub, tmp_path: Path) -> None:
    """One line, and a hint from the bot has the steward look there at once."""
    place = await place_with_a_proposal(github, tmp_path)
    steward = Steward(place, python(place.root, "bot"))
    reconciler = steward.desk.reconciler
    assert reconciler is not None
    assert await reconciler.tick()
    status = await steward.desk.answer(say.Status())
    assert isinstance(status, say.StatusIs)
    assert "harbour/theseus" in status.forge
    github.close(github.person("ann"), 1)
    assert await steward._hear(say.Hint()) is None
    await reconciler.round()
    assert steward.desk.record.proposals[1].stage is Stage.REJECTED
    await steward.desk.close()


async def test_without_settings_main_lives_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token alone names no repository: then nothing is asked of anybody, and the token is gone all the same."""
    monkeypatch.setenv("THESEUS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_0123456789")
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    (tmp_path / "repo").mkdir()
    place = Place.here(SmallRepo(tmp_path / "repo").root)
    desk = Desk(place, None, lambda _: None)
    assert (desk.reconciler, place.upstream) == (None, None)
    assert "GITHUB_TOKEN" not in os.environ
    await desk.close()


def test_what_the_forge_is_reached_with_leaves_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process that the steward starts inherits it, and none is given it by accident."""
    monkeypatch.setenv("THESEUS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GITHUB_REPOSITORY", "harbour/theseus")
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_0123456789")
    (tmp_path / "repo").mkdir()
    place = Place.here(SmallRepo(tmp_path / "repo").root)
    assert place.upstream is not None
    assert not any(name.startswith("GITHUB_") and name in os.environ for name in FORGE_SECRETS)
