"""What requests are signed with: a token as it is, or an App's, which lasts an hour and is renewed before that."""

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import jwt

from selfedit.forge.github.settings import App, Secret, Token
from selfedit.ports import ForgeDown

SPARE = 300.0
"""An installation's token is renewed so many seconds before it expires: what began with it can end with it."""

AGO, LASTS = 60, 540
"""Seconds that what an App signs is dated back, for small differences of clocks, and for which it holds from then on; GitHub takes ten
minutes at most."""
NOTED = 30.0
"""Clocks that differ by fewer seconds are taken for the same."""

Exchange = Callable[[str], Awaitable[Any]]
"""Posts to a path as the App itself; the answer."""


class Credential:
    """The token of the moment."""

    def __init__(self, given: Token | App, exchange: Exchange) -> None:
        self._given = given
        self._exchange = exchange
        self._kept: Secret | None = None
        self._until = 0.0
        self._ahead = 0.0
        self.granted: Mapping[str, str] = {}
        """What the App may there, by GitHub's names; empty where that is not known."""

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
        if self._kept is None or self._now() >= self._until - SPARE:
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
        issued = int(self._now()) - AGO
        claims = {"iat": issued, "exp": issued + LASTS, "iss": self._given.id}
        return Secret(jwt.encode(claims, self._given.key.reveal(), algorithm="RS256"))

    def note_date(self, date: str) -> bool:
        """Go by GitHub's clock, which decides what has expired; whether it is another than was thought.

        Args:
            date: What GitHub says that the time is, as in the header of an answer; anything else changes nothing.
        """
        try:
            ahead = parsedate_to_datetime(date).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return False
        before, self._ahead = self._ahead, ahead if abs(ahead) > NOTED else 0.0
        return abs(self._ahead - before) > NOTED

    def _now(self) -> float:
        return time.time() + self._ahead

    async def _renew(self, app: App) -> None:
        answer = await self._exchange(f"/app/installations/{app.installation}/access_tokens")
        token = answer.get("token") if isinstance(answer, dict) else None
        expires = answer.get("expires_at") if isinstance(answer, dict) else None
        try:
            until = datetime.fromisoformat(expires or "").timestamp()
        except (ValueError, TypeError):
            until = self._now() + 3600  # GitHub's documentation: they expire after one hour
        if not isinstance(token, str) or not token:
            raise ForgeDown("GitHub gave no token for the App")
        granted = answer.get("permissions")
        self.granted = granted if isinstance(granted, dict) else {}
        self._kept, self._until = Secret(token), until
