"""Many models as one provider, for those who do not care who answers."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from agent.models.offers import Offer
from agent.providers.wire import whole
from agent.types import Ask, Completion, Prices, Routed

Stream = Callable[[Ask], AsyncGenerator[str | Routed | Completion, None]]


class AsOne:
    """Implements `agent.ports.ModelProvider` over a router's stream."""

    def __init__(self, offers: Sequence[Offer], stream: Stream, close: Callable[[], Awaitable[None]]) -> None:
        """Put it together.

        Args:
            offers: The models, the one that the settings have first in front.
            stream: Asks one of them.
            close: Lets go of connections.
        """
        self._offers = offers
        self._stream = stream
        self._close = close

    @property
    def model(self) -> str:
        """The model that the settings have first."""
        return self._offers[0].provider.model

    @property
    def prices(self) -> Prices:
        """The dearest of those that may answer: what an answer costs at most, whoever gives it."""
        known = [offer.provider.prices for offer in self._offers if offer.offered]
        return Prices(input=max(p.input for p in known), output=max(p.output for p in known))

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Completion, None]:
        """The answer in pieces, then whole; see `ModelProvider.stream`."""
        async with aclosing(self._stream(ask)) as pieces:
            async for piece in pieces:
                if not isinstance(piece, Routed):
                    yield piece

    async def complete(self, ask: Ask) -> Completion:
        """One whole answer; see `ModelProvider.complete`."""
        return await whole(self.stream(ask))

    async def close(self) -> None:
        """Let go of connections."""
        await self._close()
