"""The server: takes every request, writes it down, lets faults happen, and answers."""

import asyncio
import json
import re
import socket
import traceback
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from tests.fakes.github import (
    checks,
    graphql,
    people,
    protection,
    pulls,
    repository,
    reviews,
)
from tests.fakes.github.description import Judge
from tests.fakes.github.faults import Faults
from tests.fakes.github.http import Page, Refusal, Request, Route, Table, paged, to_bytes
from tests.fakes.github.smart import Smart
from tests.fakes.github.state import World

API = "/api/v3"
VERSIONS = ("2022-11-28", "2026-03-10")
LARGEST = 64 * 1024 * 1024
_PRIMARY = "API rate limit exceeded for user ID {}. If you reach out to GitHub Support for help, please include the request ID."


def _rate(_world: World, _request: Request) -> Any:
    raise AssertionError("answered where the limit is known")


class Server:
    """One server, on a port of its own."""

    def __init__(self, world: World, judge: Judge) -> None:
        self.world, self.faults, self._judge = world, Faults(), judge
        self._smart = Smart(world)
        self.requests: list[Request] = []
        self.arrival = asyncio.Event()
        """Set, and renewed, whenever a request arrives."""
        self.violations: list[str] = []
        """What did not fit GitHub's description, in requests and in what they were answered: where, and what."""
        self.failures: list[str] = []
        """Mistakes of the stand-in itself."""
        every = [part.routes() for part in (pulls, reviews, checks, people, protection, repository)]
        self._table = Table(
            [*(route for routes in every for route in routes), Route("GET", "/rate_limit", _rate)]
        )
        app = web.Application(client_max_size=LARGEST)
        app.router.add_route("*", "/{rest:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._socket: socket.socket | None = None
        self._site: web.SockSite | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen, on the port that it had if it had one."""
        if self._site is None:
            if self._socket is None:
                if self.port == 0:
                    await self._runner.setup()
                self._socket = _bound(self.port)
            self.port = self._socket.getsockname()[1]
            self._site = web.SockSite(self._runner, self._socket)
            await self._site.start()

    async def refuse(self) -> None:
        """Refuse connections, and end those that there are; the port is kept."""
        if self._site is not None:
            await self._site.stop()
            self._site, self._socket = None, _bound(self.port)
            server = self._runner.server
            for connection in list(server.connections) if server is not None else ():
                if connection.transport is not None:
                    connection.transport.abort()

    async def close(self) -> None:
        """End it."""
        self.faults.let_all_go()
        await self._runner.cleanup()
        if self._socket is not None:
            self._socket.close()

    async def _take(self, http: web.Request) -> web.StreamResponse:
        path = http.path
        api = path.startswith(API + "/") or path == API
        request = Request(http.method, path.removeprefix(API) if api else path, query=dict(http.query))
        request.headers = {name.title(): value for name, value in http.headers.items()}
        body = await http.read()
        request.body = _parsed(body, http.content_type)
        self.requests.append(request)
        self.arrival.set()
        self.arrival = asyncio.Event()
        waited = not self.faults.hanging.is_set()
        await self.faults.hanging.wait()
        await asyncio.sleep(self.faults.seconds)
        held = self.faults.next_hold(http.method, path, "before")
        if waited or (held is not None and await held.stop()):
            return _lost(http)
        answer = self.faults.next_failure(http.method, path)
        if answer is None:
            answer = await self._answer(http, request, body, api=api)
        else:
            answer.headers.update({**self.faults.limit.headers(), **answer.headers})
        request.status = answer.status
        held = self.faults.next_hold(http.method, path, "after")
        if held is not None and await held.stop():
            return _lost(http)
        return answer

    async def _answer(self, http: web.Request, request: Request, body: bytes, *, api: bool) -> web.Response:
        try:
            if (onward := self._moved(request, api=api)) is not None:
                return onward
            if not api and request.path.startswith(f"/{self.world.full_name}"):
                self._recognise_git(request)
                return await self._smart.serve(http, request, body)
            return self._rest(request, api=api)
        except Refusal as why:
            return self._sent(request, why.status, why.body())
        except Exception as error:  # noqa: BLE001 - a mistake in here must show in the test, not as a dead socket
            self.failures.append("".join(traceback.format_exception(error)))
            return self._sent(request, 500, {"message": f"the stand-in failed: {error!r}"})

    def _recognise_git(self, request: Request) -> None:
        try:
            people.recognise(self.world, request)
        except Refusal:
            request.by = None  # git is asked for another password

    def _rest(self, request: Request, *, api: bool) -> web.Response:
        if not request.headers.get("User-Agent"):
            raise Refusal(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.",
            )
        if (version := request.headers.get("X-Github-Api-Version")) not in (None, *VERSIONS):
            raise Refusal(400, f"API version {version} is not supported.")
        people.recognise(self.world, request)
        limit = self.faults.limit
        if limit.over():
            raise Refusal(403, _PRIMARY.format(request.by.id if request.by else 0))
        if request.path in ("/graphql", "/api/graphql"):
            limit.used += 1
            graphql.must_be_post(request)
            return self._sent(request, 200, graphql.answer(self.world, request))
        route, request.parts = self._table.find(request.method, request.path) if api else (None, {})
        if route is None:
            self._note(request, "there is no such operation in the stand-in")
            raise Refusal(404, "Not Found")
        request.template = route.template
        if "owner" in request.parts and self._elsewhere(request):
            raise Refusal(404, "Not Found")
        if route.answer is _rate:
            return self._sent(request, 200, self._rates())
        return self._carried_out(route, request)

    def _moved(self, request: Request, *, api: bool) -> web.Response | None:
        """Where the repository is asked for by a name that it had: sent on, as there, to its number or to its name of today."""
        world, by_number = self.world, "/repositories/1296269"
        if api and request.path.startswith(by_number):
            request.path = f"/repos/{world.full_name}{request.path.removeprefix(by_number)}"
        found = re.match(r"/repos/([^/]+/[^/]+)" if api else r"/([^/]+/[^/]+?)(?:\.git)?(?=/)", request.path)
        if found is None or found[1].lower() not in world.former:
            return None
        rest = request.path[found.end() :]
        query = f"?{urlencode(request.query)}" if request.query else ""
        place = f"{API}{by_number}{rest}" if api else f"/{world.full_name}.git{rest}"
        status = 301 if request.method == "GET" else 307
        return web.Response(status=status, headers={"Location": f"{world.base}{place}{query}"})

    def _elsewhere(self, request: Request) -> bool:
        told = f"{request.parts['owner']}/{request.parts['repo']}"
        return told.lower() != self.world.full_name.lower()

    def _carried_out(self, route: Route, request: Request) -> web.Response:
        for fault in self._judge.asked(request):
            self._note(request, fault)
        answer, link = route.answer(self.world, request), ""
        if isinstance(answer, Page):
            answer, link = paged(self.world, request, answer)
        data = b"" if answer is None else to_bytes(answer)
        status = 204 if answer is None else route.status
        for fault in self._judge.told(request, status, data):
            self._note(request, f"the stand-in's own answer: {fault}")
        mark = f'W/"{sha256(data).hexdigest()}"'
        headers = {"Link": link} if link else {}
        if request.method == "GET" and data:
            headers["ETag"] = mark
            if mark in request.headers.get("If-None-Match", ""):
                return self._finished(request, web.Response(status=304, headers=headers))
        self.faults.limit.used += 1
        request.answer = answer
        return self._finished(request, _response(status, data, headers))

    def _note(self, request: Request, fault: str) -> None:
        self.violations.append(f"{request.method} {request.path}: {fault}")

    def _rates(self) -> Any:
        limit = self.faults.limit
        core = {
            "limit": limit.limit,
            "used": limit.used,
            "remaining": limit.limit - limit.used,
            "reset": limit.reset,
        }
        return {"resources": {"core": core, "search": core, "graphql": core}, "rate": core}

    def _sent(self, request: Request, status: int, answer: Any) -> web.Response:
        request.answer = answer
        return self._finished(request, _response(status, to_bytes(answer), {}))

    def _finished(self, request: Request, response: web.Response) -> web.Response:
        response.headers.update(self.faults.limit.headers())
        response.headers["X-GitHub-Api-Version-Selected"] = request.headers.get(
            "X-Github-Api-Version", VERSIONS[0]
        )
        response.headers["X-GitHub-Media-Type"] = "github.v3; format=json"
        response.headers["X-GitHub-Request-Id"] = f"{len(self.requests):04X}:1234"
        response.headers["Date"] = self.world.http_date()
        return response


def _response(status: int, data: bytes, headers: dict[str, str]) -> web.Response:
    if not data:
        return web.Response(status=status, headers=headers)
    return web.Response(
        status=status, body=data, content_type="application/json", charset="utf-8", headers=headers
    )


def _parsed(body: bytes, kind: str) -> Any:
    """The body of a request, where it is JSON or might be."""
    if not body or "git" in kind:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def _lost(http: web.Request) -> web.Response:
    """Cut the connection; nobody gets what is returned."""
    if http.transport is not None:
        http.transport.abort()
    return web.Response(status=500)


def _bound(port: int) -> socket.socket:
    """A socket that has a port and does not listen yet."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made
