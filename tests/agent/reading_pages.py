"""Pages read through the guarded client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from agent.services.pages import Pages
from agent.services.web import Client
from tests.fakes.web_server import Names, Site


@dataclass
class Clock:
    """Time that passes when it is told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@asynccontextmanager
async def reading(
    site: Site, *, names: Names | None = None, clock: Clock | None = None, **rules: object
) -> AsyncIterator[Pages]:
    ruled = site.rules(**rules)
    client = Client(ruled, names)
    try:
        yield Pages(client, ruled, clock or Clock())
    finally:
        await client.close()
