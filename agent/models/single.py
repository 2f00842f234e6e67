"""One model alone, where there is nothing to choose: in rehearsals, and wherever somebody hands over a provider."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import islice

from agent.ports import ModelProvider, Offer
from agent.types import Ask, Completion, Needs, Prices, Routed, dearest


class OneModel:
    """Satisfies `agent.ports.Models` with a single provider. It neither retries nor chooses."""

    missing: str | None = None

    def __init__(self, provider: ModelProvider) -> None:
        self._provider = provider
        self._routes: deque[Routed] = deque(maxlen=100)

    @property
    def catalogue(self) -> Sequence[Offer]:
        """Nothing to choose from."""
        return ()

    async def stream(self, ask: Ask, needs: Needs) -> AsyncGenerator[str | Routed | Completion, None]:
        """Ask it; see `Models.stream`."""
        del needs
        route = Routed(
            vendor="", model=self._provider.model, why="It is the only one.", prices=self._provider.prices
        )
        self._routes.appendleft(route)
        yield route
        async with aclosing(self._provider.stream(ask)) as pieces:
            async for piece in pieces:
                yield piece

    def reckoned(self, needs: Needs) -> Prices:
        """As for any model, or its own prices where they are higher."""
        del needs
        return dearest([self._provider.prices])

    def stays(self, needs: Needs) -> bool:
        """Where it must; where the only model runs nobody says."""
        return needs.private

    def why(self, most: int = 10) -> Sequence[Routed]:
        """The newest routes, newest first."""
        return tuple(islice(self._routes, most))

    async def close(self) -> None:
        """Let go of connections."""
        await self._provider.close()
