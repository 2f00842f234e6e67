"""The whole life of a proposal whose `main` lives on GitHub, on the real adapter and a stand-in with a real repository."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.github.server import GitHub
from tests.github.scenarios import at, life
from tests.github.steward_world import World

TRANSCRIPT = Path(__file__).with_name("life.txt")


@pytest.fixture
async def steward(github: GitHub, tmp_path: Path) -> AsyncIterator[World]:
    """A steward's parts, on the repository that GitHub has."""
    made = at(github, tmp_path)
    yield made
    await made.close()


async def test_the_whole_life(steward: World, github: GitHub) -> None:
    """From a request over red checks, changes, approvals and a merge to a revert, as the text beside this tells it."""
    told = await life(steward, github)
    assert "\n".join(told) + "\n" == TRANSCRIPT.read_text()
    assert steward.faults() == []
    assert not github.made("PATCH", "/git/refs/heads/main")
    asked = [move.data["head"] for move in steward.record.ledger.moves() if move.kind == "merging"]
    assert asked == [steward.proposal().approved_head]
