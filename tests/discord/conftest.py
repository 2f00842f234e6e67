"""The stand-in, with every client of a test pointed at it."""

import logging
import re
from collections.abc import AsyncIterator, Iterator

import pytest
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.fakes.discord.description import Description, Missing, read
from tests.fakes.discord.rest import Judge
from tests.fakes.discord.server import DiscordServer, serving
from tests.fakes.discord.things import Channel, Guild, User

EXPECTED = re.compile(
    "being rate limited|Global rate limit|stopped responding|is not installed, voice|Attempting a reconnect"
)
"""What the client logs when it is limited, cut off, or first made without the libraries for voice."""


@pytest.fixture(scope="session")
def described() -> Description | Missing:
    """Discord's own description of its interface, or why there is none here."""
    try:
        return read()
    except Missing as why:
        return why


@pytest.fixture
async def server(
    monkeypatch: pytest.MonkeyPatch, described: Description | Missing
) -> AsyncIterator[DiscordServer]:
    """A stand-in to which every client of the test connects.

    Each request is held against Discord's description where there is one; what does not fit fails the test.
    """
    judge: Judge = described.faults if isinstance(described, Description) else lambda _call: []
    async with serving(judge) as one:
        monkeypatch.setattr(Route, "BASE", one.api)
        monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(one.gateway.url))
        yield one


@pytest.fixture(autouse=True)
def understood(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever the stand-in sends, the client takes without a complaint, but for what tests do to it on purpose."""
    caplog.set_level(logging.WARNING, "discord")
    yield
    said = [record.getMessage() for record in caplog.get_records("call") if record.name.startswith("discord")]
    assert [text for text in said if not EXPECTED.search(text)] == []


@pytest.fixture
def guild(server: DiscordServer) -> Guild:
    """A server with the bot and its owner on it."""
    return server.guild("Harbour")


@pytest.fixture
def room(server: DiscordServer, guild: Guild) -> Channel:
    """A channel on that server."""
    return server.room(guild, "general")


@pytest.fixture
def ann(server: DiscordServer, guild: Guild) -> User:
    """Somebody on that server."""
    return server.user("ann", guild)
