"""One application for every path: one form of errors, bounds on what comes in, and a graceful end.

A module that has paths offers them as a list of `aiohttp.web.RouteDef`; what is said on them, also a "no", is JSON.
"""

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from aiohttp import web

from bot.api.connections import Connections
from bot.settings import Listen

LONGEST_BODY = 1024 * 1024
"""Bytes of a request's body, of which no more are read. What is said here is short: of GitHub's own examples of webhooks the
longest has 28 kB, and the texts of people in one are at most 64 Ki characters; that GitHub may send 25 MB helps nobody."""
END_SECONDS = 2.0
"""How long requests that are under way may go on when the process ends."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger("theseus.api")


class CannotListen(Exception):
    """There can be no HTTP surface. Its text is a sentence for the operator."""


def no(status: int, why: str) -> web.Response:
    """An expected "no": why, as a sentence."""
    return web.json_response({"error": why}, status=status)


def application(routes: Iterable[web.RouteDef]) -> web.Application:
    """Everything that is answered, at its paths."""
    app = web.Application(middlewares=[_as_json], client_max_size=LONGEST_BODY)
    app.add_routes([*routes])
    app.on_response_prepare.append(_nameless)
    return app


@asynccontextmanager
async def serving(listen: Listen, app: web.Application) -> AsyncIterator[int]:
    """Answer for as long as the block lasts; the port.

    Raises:
        CannotListen: That address cannot be had.
    """
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=END_SECONDS)
    await runner.setup()
    try:
        server = await _listening(listen, runner)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
    finally:
        with suppress(asyncio.TimeoutError):
            await runner.cleanup()


async def _listening(listen: Listen, runner: web.AppRunner) -> asyncio.Server:
    answering = runner.server
    if answering is None:
        raise RuntimeError("the application was not set up")
    accept = Connections(answering).accept
    try:
        return await asyncio.get_running_loop().create_server(accept, listen.host, listen.port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = f"another program listens on {listen} already; end it, or set THESEUS_HTTP to another port"
        else:
            why = f"nobody can listen on {listen} here ({error.strerror or error}); set THESEUS_HTTP to another address"
        raise CannotListen(f"There is no HTTP surface: {why}. Chat goes on without.") from error


async def _nameless(_request: web.Request, response: web.StreamResponse) -> None:
    """Say nothing of the libraries that answer, and of their versions."""
    response.headers["Server"] = "Theseus"


@web.middleware
async def _as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error as JSON; a fault of ours without its details."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        answer = no(error.status, _WORDS.get(error.status, f"{error.reason}."))
        if allowed := error.headers.get("Allow"):
            answer.headers["Allow"] = allowed
        if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            answer.force_close()
        return answer
    except ConnectionError:
        raise  # whoever asked is gone
    except Exception:
        log.exception("a request to %s failed", request.path)
        return no(
            HTTPStatus.INTERNAL_SERVER_ERROR, "This failed, by a fault of Theseus itself; its log says more."
        )


_WORDS: dict[int, str] = {
    HTTPStatus.NOT_FOUND: "There is nothing at this path.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This path is not asked in that way.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"This is too long; a body may have {LONGEST_BODY} bytes.",
}
