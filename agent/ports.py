"""The seams of the agent: what it needs of the world."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from agent.types import Completion, Message, Prices, ToolSpec


class ProviderFailed(Exception):
    """A provider could not answer. Its text is a sentence for people, without secrets.

    Attributes:
        retryable: Whether the same request may work a little later (rate limit, 5xx, time-out).
    """

    def __init__(self, text: str, *, retryable: bool = False) -> None:
        super().__init__(text)
        self.retryable = retryable


class ModelProvider(Protocol):
    """A language model behind some vendor's interface."""

    @property
    def model(self) -> str:
        """The model's name, as the vendor spells it."""

    @property
    def prices(self) -> Prices:
        """What its tokens cost; zeros where unknown."""

    async def complete(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec] = (), max_tokens: int = 4096
    ) -> Completion:
        """One whole answer.

        Raises:
            ProviderFailed: The provider could not be reached, refused the request, or made no sense.
        """

    def stream(self, messages: Sequence[Message], max_tokens: int = 4096) -> AsyncGenerator[str, None]:
        """The answer's text, piece by piece, without tools.

        Raises:
            ProviderFailed: As for `complete`, also midway.
        """

    async def close(self) -> None:
        """Let go of connections."""
