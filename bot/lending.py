"""Opens what tools are lent, at the first call that asks for any of it: starting the bot does not pay for it."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.thread import in_thread
from policies.load import Rules
from sandbox.bubblewrap import open_bubblewrap
from sandbox.types import Sandbox

if TYPE_CHECKING:
    from agent.ports import Api
    from agent.services.lend import Services

log = logging.getLogger("theseus.tools")


class Lending:
    """The services of this process.

    Code that a model wrote runs in bubblewrap here, whatever the gate uses: this process has no way to Docker's socket.
    """

    def __init__(self, rules: Rules, home: Path, exa_key: str = "") -> None:
        self._rules = rules
        self._home = home
        self._exa_key = exa_key
        self._opening = asyncio.Lock()
        self._opening_sandbox = asyncio.Lock()
        """Its own: trying a sandbox out takes a while, in which everything else is lent."""
        self._services: Services | None = None
        self._sandbox: Sandbox | None = None

    async def lent(self) -> Mapping[str, Any]:
        """Everything that can be lent, by service."""
        async with self._opening:
            if self._services is None:
                await in_thread(_load)
                from agent.services.lend import open_services

                self._services = open_services(
                    self._rules, self._home, self._open_sandbox, exa_key=self._exa_key
                )
        return self._services.lent

    async def api(self) -> "Api":
        """The way to the net for tools that people made of data."""
        lent = await self.lent()
        found: Api = lent["api"]
        return found

    async def close(self) -> None:
        """Let go of connections."""
        if self._services is not None:
            await self._services.close()

    async def _open_sandbox(self) -> Sandbox:
        async with self._opening_sandbox:
            if self._sandbox is None:
                root = Path(__file__).parents[1]
                self._sandbox = await open_bubblewrap(root=root, home=self._home, tell=log.info, types=False)
        return self._sandbox


def _load() -> None:
    """Load what costs the event loop a pause otherwise."""
    import agent.services.lend  # noqa: F401 - loaded for what follows
