"""The stand-in for GitHub, with every request that comes to it held against GitHub's own description."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from gidgethub.aiohttp import GitHubAPI

from tests.fakes.github.description import Description, Missing, read
from tests.fakes.github.server import GitHub
from tests.fakes.github.things import Account
from tests.github.asking import client
from tests.github.scenarios import at
from tests.github.steward_world import World


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


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections of a client."""
    async with aiohttp.ClientSession() as one:
        yield one


@pytest.fixture
def api(github: GitHub, session: aiohttp.ClientSession) -> GitHubAPI:
    """A client with the token of Theseus."""
    return client(github, session)


@pytest.fixture
def ann(github: GitHub) -> Account:
    """Somebody who may write."""
    return github.person("ann")


@pytest.fixture
async def steward(github: GitHub, tmp_path: Path) -> AsyncIterator[World]:
    """A steward's parts, on the repository that GitHub has."""
    made = at(github, tmp_path)
    yield made
    await made.close()
