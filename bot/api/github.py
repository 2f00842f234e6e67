"""The path at which GitHub tells that something has happened. Nothing is done here but to wake the steward.

In this order: how often, in which form, how long, by whom; only then is anything of it read.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import ClientError, web

from bot.api import webhook
from bot.api.deliveries import names
from bot.api.frame import no
from bot.api.hints import Hints
from policies.limits import too_often

PATH = "/webhooks/github"
MOST_A_MINUTE = 600
"""Requests, whoever sends them. A busy repository has a few in a second, and what is missed is found by looking."""
MOST_BODIES = 16
"""So many are read at a time; who comes meanwhile waits for their turn, with nothing of theirs in memory yet."""
BODY_SECONDS = 10.0
"""How long somebody may take to send one. GitHub itself waits ten seconds for the answer."""


class Webhook:
    """The path."""

    def __init__(
        self,
        hints: Hints,
        *,
        secret: str,
        repository: str,
        branch: str,
        now: Callable[[], float] = time.time,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        """Put it together.

        Args:
            hints: What wakes the steward.
            secret: What GitHub signs with; empty: nothing is taken.
            repository: Ours, as `owner/name`; empty: nothing is taken.
            branch: The one that is followed.
            now: Seconds since the epoch.
            body_seconds: How long a body may take to come.
        """
        self._hints = hints
        self._secret, self._repository, self._branch = secret, repository, branch
        self._now, self._body_seconds = now, body_seconds
        self._asked: deque[float] = deque(maxlen=MOST_A_MINUTE)
        self._reading = asyncio.Semaphore(MOST_BODIES)

    def routes(self) -> list[web.RouteDef]:
        """Where it is reached, and how."""
        return [web.post(PATH, self.told)]

    async def told(self, request: web.Request) -> web.Response:
        """Take one delivery."""
        if not (self._secret and self._repository):
            missing = "GITHUB_REPOSITORY" if self._secret else "GITHUB_WEBHOOK_SECRET"
            return no(HTTPStatus.SERVICE_UNAVAILABLE, f"No webhook is taken here: {missing} is not set.")
        if over := self._too_often():
            return over
        headers = request.headers
        content_type = webhook.known_type(_one(request, "Content-Type"))
        if not content_type or headers.get("Content-Encoding", "identity") != "identity":
            why = f"Send {webhook.JSON} or {webhook.FORM}, as it is."
            return no(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, why)
        body = await self._body(request)
        if isinstance(body, web.Response):
            return body
        if not webhook.signed(self._secret, body, _one(request, "X-Hub-Signature-256")):
            return no(HTTPStatus.UNAUTHORIZED, "X-Hub-Signature-256 does not fit what was sent.")
        kind, delivery = _one(request, "X-GitHub-Event"), _one(request, "X-GitHub-Delivery")
        if not webhook.well_formed(kind, delivery):
            return no(HTTPStatus.BAD_REQUEST, "X-GitHub-Event and X-GitHub-Delivery have to name the event.")
        said = webhook.read(body, content_type)
        if said is None:
            return no(HTTPStatus.BAD_REQUEST, "What was sent is not JSON that GitHub would send.")
        if why := webhook.idle(kind, said, self._repository, self._branch):
            return _heard("ignored", why)
        known = names(delivery, body)
        try:
            if self._hints.heard(known):
                return _heard("ignored", "heard before")
        except sqlite3.Error:
            pass  # one hint more does no harm
        self._hints.owe(known)
        return _heard("accepted")

    def _too_often(self) -> web.Response | None:
        now = self._now()
        if over := too_often(self._asked, MOST_A_MINUTE, now, PATH):
            answer = no(HTTPStatus.TOO_MANY_REQUESTS, over.why)
            answer.headers["Retry-After"] = str(max(1, round(over.again - now)))
            return answer
        self._asked.append(now)
        return None

    async def _body(self, request: web.Request) -> bytes | web.Response:
        """What was sent, as it is; no more of it is read than may be."""
        length = request.content_length
        if length is not None and length > request.client_max_size:
            raise web.HTTPRequestEntityTooLarge(request.client_max_size, length)
        try:
            async with self._reading, asyncio.timeout(self._body_seconds):
                return await request.read()
        except TimeoutError:
            answer = no(HTTPStatus.REQUEST_TIMEOUT, "This took too long to come.")
        except (ClientError, web.RequestPayloadError, asyncio.IncompleteReadError):
            answer = no(HTTPStatus.BAD_REQUEST, "Not all of it came.")
        answer.force_close()
        return answer


def _one(request: web.Request, name: str) -> str:
    """A header that has to be there once; empty where it is not."""
    values = request.headers.getall(name, [])
    return values[0] if len(values) == 1 else ""


def _heard(status: str, why: str = "") -> web.Response:
    said = {"status": status, "why": why} if why else {"status": status}
    return web.json_response(said, status=HTTPStatus.ACCEPTED)
