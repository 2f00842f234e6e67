"""The REST interface: takes a request, writes it down, holds it against rules and faults, and answers."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

from tests.fakes.discord.faults import Faults
from tests.fakes.discord.refusals import Refusal
from tests.fakes.discord.rules import Upload
from tests.fakes.discord.state import World
from tests.fakes.discord.things import Json

API = "/api/v10"
LARGEST = 64 * 1024 * 1024
_FILE = re.compile(r"files?\[?(\d*)\]?")


@dataclass(slots=True)
class Call:
    """One request of the client, and how it was answered."""

    method: str
    path: str
    template: str
    """The path with the names of its parts, as `/channels/{channel_id}`."""
    parts: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    uploads: Sequence[Upload] = ()
    authorized: bool = False
    status: int = 0
    """What was answered; 0 while it is not."""
    answer: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    at: float = 0.0
    """When it came, by the monotonic clock."""

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"

    @property
    def fields(self) -> Json:
        """The body, which has to be an object."""
        if not isinstance(self.body, dict):
            raise Refusal(400, 50109, "The request body contains invalid JSON.")
        return self.body

    def limit(self, default: int, most: int) -> int:
        """How many things are asked for."""
        return max(1, min(most, int(self.query.get("limit", default))))


Answer = Callable[[World, Call], Any]
"""Answers a call with JSON, or None for an empty answer."""
Judge = Callable[[Call], list[str]]
"""Says what is wrong with a call that was answered, each in one sentence."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `open` ones need no token in a header: the path carries one, or none is needed."""

    method: str
    path: str
    answer: Answer
    open: bool = False
    status: int = 200


class Rest:
    """Serves routes, and remembers every call."""

    def __init__(self, world: World, token: str, faults: Faults, judge: Judge) -> None:
        self._world, self._token, self._faults, self._judge = world, token, faults, judge
        self.routes: list[Route] = []
        self.calls: list[Call] = []
        self.fetched: list[str] = []
        """Paths of the files that were fetched."""
        self.wrong: list[str] = []
        """What did not fit Discord's description, in calls and in what they were answered: where, and what."""
        self.failures: list[Exception] = []
        """Mistakes of the stand-in itself."""

    def add(self, app: web.Application, routes: Sequence[Route]) -> None:
        """Serve these routes, and say of every other path that it does not exist."""
        self.routes += routes
        for route in routes:
            app.router.add_route(route.method, API + route.path, self._serving(route))
        missing = Route("*", "/{rest:.*}", _nowhere, open=True)
        app.router.add_route("*", API + missing.path, self._serving(missing))
        app.router.add_get("/attachments/{rest:.*}", self._attachment)

    def made(self, method: str, template: str) -> list[Call]:
        """The calls of one operation, in order."""
        return [call for call in self.calls if (call.method, call.template) == (method, template)]

    def _serving(self, route: Route) -> Callable[[web.Request], Any]:
        async def serve(request: web.Request) -> web.StreamResponse:
            call = await self._read(request, route)
            self.calls.append(call)
            fault = self._faults.next(call.method, call.template, call.path)
            if fault is not None:
                call.status = fault.status
                self._world.changed()
                if (met := await fault.meet(request)) is not None:
                    return met
            over = self._faults.count(call.method, call.template, call.parts)
            if over is not None and over.retry_after:
                call.status = 429
                self._world.changed()
                return _reply(429, over.body(), over.headers(limited=True))
            call.status, call.answer = self._carry_out(route, call)
            self.wrong += (f"{call.method} {call.path}: {fault}" for fault in self._judge(call))
            self._world.changed()
            await asyncio.sleep(0)
            headers = over.headers(limited=False) if over is not None else {}
            shape = fault.cut_answer(call.answer) if fault is not None else None
            if shape is not None:
                return await _half(request, shape)
            return _reply(call.status, call.answer, headers)

        return serve

    async def _read(self, request: web.Request, route: Route) -> Call:
        template = request.path.removeprefix(API) if route.method == "*" else route.path
        said = request.headers.get("Authorization", "")
        call = Call(
            *(request.method, request.path.removeprefix(API), template),
            *(dict(request.match_info), dict(request.query)),
            authorized=said == f"Bot {self._token}",
            headers=dict(request.headers),
            at=time.monotonic(),
        )
        if request.content_type.startswith("multipart/"):
            call.body, call.uploads = await _parts(request)
        elif request.can_read_body:
            text = await request.text()
            call.body = json.loads(text) if text else None
        return call

    def _carry_out(self, route: Route, call: Call) -> tuple[int, Any]:
        try:
            if not (route.open or call.authorized):
                raise Refusal(401, 0, "401: Unauthorized")  # noqa: TRY301 - refusals are worded in one place
            answer = route.answer(self._world, call)
        except Refusal as refusal:
            error: Json = {"message": refusal.message, "code": refusal.code}
            return refusal.status, error | ({"errors": refusal.errors} if refusal.errors else {})
        except Exception as error:  # noqa: BLE001 - a mistake in here must show in the test, not as a dead socket
            self.failures.append(error)
            return 500, {"message": f"the stand-in failed: {error!r}", "code": 0}
        return (204 if answer is None else route.status), answer

    async def _attachment(self, request: web.Request) -> web.Response:
        self.fetched.append(request.path)
        data = self._world.files.get(request.path)
        if data is None:
            return web.Response(status=404, text="This content is no longer available.")
        return web.Response(body=data, content_type="application/octet-stream")


def _nowhere(_world: World, call: Call) -> Any:
    raise Refusal(404, 0, f"404: Not Found ({call.method} {call.path})")


async def _parts(request: web.Request) -> tuple[Any, list[Upload]]:
    body: Any = None
    uploads = []
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            continue  # a form within a form, which nobody sends
        data = bytes(await part.read(decode=True))
        if part.name == "payload_json":
            body = json.loads(data)
        elif (found := _FILE.fullmatch(part.name or "")) is not None:
            kind = part.headers.get("Content-Type", "application/octet-stream")
            uploads.append(Upload(part.filename or "file", data, kind, found[1]))
    return body or {}, uploads


def _reply(status: int, answer: Any, headers: Mapping[str, str]) -> web.Response:
    """An answer; the client wants exactly this content type, without a character set."""
    if status == 204:
        return web.Response(status=204, headers=headers)
    body = json.dumps(answer).encode()
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


async def _half(request: web.Request, body: bytes) -> web.StreamResponse:
    """Promise a whole answer, send its first half, and cut the connection."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.abort()
    return response
