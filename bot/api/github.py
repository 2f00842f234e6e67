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
MOST_BYTES = 16 * 1024 * 1024
"""So many are held of all bodies that are coming in at a moment; whoever would bring more is asked to come again. Bodies that come
slowly therefore hold nobody up."""
BODY_SECONDS = 5.0
"""How long somebody may take to send one. GitHub sends it at once, and waits ten seconds for the answer."""


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
        self._held = 0

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
        packed = [one for one in headers.getall("Content-Encoding", []) if one.strip().lower() != "identity"]
        if not content_type or packed:
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
        read = bytearray()
        try:
            async with asyncio.timeout(self._body_seconds):
                async for piece in request.content.iter_any():
                    read += piece
                    self._held += len(piece)
                    if len(read) > request.client_max_size:
                        raise web.HTTPRequestEntityTooLarge(request.client_max_size, len(read))
                    if self._held > MOST_BYTES:
                        return _come_again()
            return bytes(read)
        except TimeoutError:
            answer = no(HTTPStatus.REQUEST_TIMEOUT, "This took too long to come.")
        except (ClientError, ConnectionError, web.RequestPayloadError, asyncio.IncompleteReadError):
            answer = no(HTTPStatus.BAD_REQUEST, "Not all of it came.")
        finally:
            self._held -= len(read)
        answer.force_close()
        return answer


def _one(request: web.Request, name: str) -> str:
    """A header that has to be there once; empty where it is not."""
    values = request.headers.getall(name, [])
    return values[0] if len(values) == 1 else ""


def _come_again() -> web.Response:
    answer = no(HTTPStatus.SERVICE_UNAVAILABLE, "Too much comes at once; send it again in a minute.")
    answer.headers["Retry-After"] = "60"
    answer.force_close()
    return answer


def _heard(status: str, why: str = "") -> web.Response:
    said = {"status": status, "why": why} if why else {"status": status}
    return web.json_response(said, status=HTTPStatus.ACCEPTED)
