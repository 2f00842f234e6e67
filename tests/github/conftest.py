"""The stand-in for GitHub, with every request that comes to it held against GitHub's own description."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.github.description import Description, Missing, read
from tests.fakes.github.server import GitHub


@pytest.fixture(scope="session")
def described() -> Description | Missing:
    """GitHub's own description of its interface, or why there is none here."""
    try:
        return read()
    except Missing as why:
        return why


@pytest.fixture
async def github(tmp_path: Path, described: Description | Missing) -> AsyncIterator[GitHub]:
    """A GitHub of its own; a request that GitHub would not understand fails the test."""
    judge = described if isinstance(described, Description) else None
    async with GitHub(tmp_path / "github", judge=judge) as one:
        yield one
        assert one.violations == []
