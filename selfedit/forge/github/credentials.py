"""What requests are signed with: a token as it is, or an App's, which lasts an hour and is renewed before that."""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from gidgethub.apps import get_jwt

from selfedit.forge.github.settings import App, Secret, Token
from selfedit.ports import ForgeDown

SPARE = 300.0
"""An installation's token is renewed so many seconds before it expires: what began with it can end with it."""

Exchange = Callable[[str, Secret], Awaitable[Any]]
"""Posts to a path with a JWT; the answer."""


class Credential:
    """The token of the moment."""

    def __init__(self, given: Token | App, exchange: Exchange) -> None:
        self._given = given
        self._exchange = exchange
        self._kept: Secret | None = None
        self._until = 0.0

    @property
    def is_app(self) -> bool:
        """Whether it is an App, which may make check runs; a token may not."""
        return isinstance(self._given, App)

    async def token(self) -> Secret:
        """What a request goes with now.

        Raises:
            ForgeDown: An App's token could not be had.
        """
        if isinstance(self._given, Token):
            return self._given.secret
        if self._kept is None or time.time() >= self._until - SPARE:
            await self._renew(self._given)
        if self._kept is None:
            raise ForgeDown("GitHub gave no token for the App")
        return self._kept

    def forget(self) -> bool:
        """GitHub does not accept it any more: whether another can be had."""
        self._kept = None
        return self.is_app

    def jwt(self) -> Secret:
        """What an App says that it is the App with; it lasts minutes.

        Raises:
            ForgeDown: There is no App.
        """
        if not isinstance(self._given, App):
            raise ForgeDown("a token speaks for no App")
        return Secret(get_jwt(app_id=self._given.id, private_key=self._given.key.reveal(), expiration=540))

    async def _renew(self, app: App) -> None:
        answer = await self._exchange(f"/app/installations/{app.installation}/access_tokens", self.jwt())
        token = answer.get("token") if isinstance(answer, dict) else None
        expires = answer.get("expires_at") if isinstance(answer, dict) else None
        try:
            until = datetime.fromisoformat(expires or "").timestamp()
        except (ValueError, TypeError):
            until = time.time() + 3600  # GitHub's documentation: they expire after one hour
        if not isinstance(token, str) or not token:
            raise ForgeDown("GitHub gave no token for the App")
        self._kept, self._until = Secret(token), until
