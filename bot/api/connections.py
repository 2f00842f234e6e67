"""Who is connected to the HTTP surface: so many at a time, and whoever says nothing, or no HTTP, holds nobody up.

What is malformed is answered by one short sentence and said in the log by one line a minute, whoever sends how much of it.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

MOST = 256
"""So many at a time. Where there are more, the one that waits longest without asking anything is hung up on, so that nobody can
use up the sockets that chat needs, nor shut others out by holding connections open."""
IDLE_SECONDS = 15.0
"""A connection on which nothing is asked any more is closed after so long."""
SAID_EVERY = 60.0
"""Seconds between two lines in the log on what was malformed."""

log = logging.getLogger("theseus.api")


class Malformed:
    """Counts what came that is no HTTP, and says it now and then."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Prepare.

        Args:
            now: Seconds of a clock that does not go back.
        """
        self._now = now
        self._count, self._not_before = 0, 0.0

    def heard(self, who: str, why: str) -> None:
        """Something came that cannot be understood."""
        self._count += 1
        if (now := self._now()) >= self._not_before:
            log.warning(
                "%d malformed requests came, the last from %s (%s)", self._count, who, ascii(why[:100])
            )
            self._count, self._not_before = 0, now + SAID_EVERY


class Connections:
    """Takes connections for an application."""

    def __init__(self, answering: web.Server, malformed: Malformed | None = None) -> None:
        """Prepare.

        Args:
            answering: What answers requests.
            malformed: Hears of what is none.
        """
        self._answering = answering
        self._malformed = malformed or Malformed()

    def accept(self) -> asyncio.BaseProtocol:
        """What a new connection speaks to."""
        there = [one for one in self._answering.connections if one.transport is not None]
        if len(there) >= MOST and not self._make_room(there):
            return _Full()
        return _Connection(self._answering, self._malformed)

    def _make_room(self, there: list[RequestHandler]) -> bool:
        """Hang up on somebody who asks nothing: first on whoever never did, the oldest of them."""
        idle = [one for one in there if isinstance(one, _Connection) and one.idle]
        longest = min(idle, key=lambda one: one.asked, default=None)  # of equals the first, the oldest
        if longest is not None:
            longest.force_close()
        return longest is not None


class _Connection(RequestHandler):
    """One connection."""

    __slots__ = ("_heard_of",)

    def __init__(self, answering: web.Server, malformed: Malformed) -> None:
        super().__init__(
            answering,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=1.0,
            auto_decompress=False,  # nothing that could grow is unpacked
        )
        self.access_logger, self._logging_enabled = None, False
        self._heard_of = malformed

    @property
    def idle(self) -> bool:
        """Whether nothing is asked at this moment."""
        return self._current_request is None and not self._messages

    @property
    def asked(self) -> bool:
        """Whether something was ever asked."""
        return self._request_count > 0

    def force_close(self) -> None:
        """Hang up; on whoever does not take what they are sent, without waiting until they do: they would count no more."""
        transport = self.transport
        super().force_close()
        if isinstance(transport, asyncio.Transport) and transport.get_write_buffer_size():
            transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the application never saw, because it is no HTTP, or because whoever asked is gone."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        if not self._is_theirs(exc):
            super().log_exception("a request failed", exc_info=exc)
        self._heard_of.heard(str(request.remote), message or type(exc).__name__)
        why = "This is no HTTP that is understood here." if status < HTTPStatus.INTERNAL_SERVER_ERROR else ""
        answer = web.json_response(
            {"error": why or "This failed."}, status=status, headers={"Server": "Theseus"}
        )
        answer.force_close()
        return answer

    def log_exception(self, *args: object, **kw: object) -> None:
        """What a connection broke of: by whoever is there it is one line now and then, by a fault of ours all that is known."""
        if self._is_theirs(kw.get("exc_info")):
            self._heard_of.heard("somebody", type(kw["exc_info"]).__name__)
        else:
            super().log_exception(*args, **kw)

    def _is_theirs(self, exc: object) -> bool:
        return isinstance(exc, (HttpProcessingError, ConnectionError, ClientError))


class _Full(asyncio.Protocol):
    """Hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()
