"""A vendor's client, made at the first question: loading an SDK takes longer than starting the bot."""

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from pydantic import SecretStr


class _Client(Protocol):
    async def close(self) -> None:
        """Let go of connections."""


C = TypeVar("C", bound=_Client)


class Connection(Generic[C]):
    """The one client of an address, for all who ask there."""

    def __init__(self, sdk: Callable[[], Callable[[str, str], C]], key: SecretStr, address: str) -> None:
        """Remember how it is made; nothing is loaded yet.

        Args:
            sdk: Loads the SDK; what makes a client from a key and an address.
            key: What the vendor knows us by.
            address: Where it is.
        """
        self._sdk = sdk
        self._key = key
        self._address = address
        self._client: C | None = None

    async def client(self) -> C:
        """The client; the first to ask waits for the SDK."""
        if self._client is None:
            make = await asyncio.to_thread(self._sdk)
            if self._client is None:  # another question may have been quicker
                self._client = make(self._key.get_secret_value(), self._address)
        return self._client

    async def close(self) -> None:
        """Let go of connections; may be called twice."""
        if self._client is not None:
            await self._client.close()
