"""Whether the bot answers people, for whoever watches over its machine."""

from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web

PATH = "/healthz"


def routes(serves: Callable[[], bool]) -> list[web.RouteDef]:
    """The path; `serves` says whether live code does."""

    async def health(_request: web.Request) -> web.Response:
        if serves():
            return web.json_response({"status": "ok"})
        return web.json_response({"status": "starting"}, status=HTTPStatus.SERVICE_UNAVAILABLE)

    return [web.get(PATH, health)]
