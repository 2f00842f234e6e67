"""A small web on loopback: pages by path, each with its own faults, and a count of who came."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from policies.load import WebRules, load_rules


@dataclass(frozen=True)
class Reply:
    """What a path answers."""

    body: bytes | str = ""
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    stalls: bool = False
    """Sends its headers, and then nothing."""
    endless: bool = False
    """Repeats its body for as long as somebody reads."""


@dataclass
class Site:
    """A running server."""

    port: int
    pages: dict[str, Reply] = field(default_factory=dict)
    seen: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    """What came along with each request."""
    came: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the first request."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/") -> str:
        """An address of it by number."""
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def paths(self) -> list[str]:
        """Which paths were asked for, robots.txt apart."""
        return [request.path for request in self.seen if request.path != "/robots.txt"]

    def rules(self, **changed: object) -> WebRules:
        """The bot's rules, with this one place exempt."""
        exempt = (f"127.0.0.1:{self.port}",)
        return WebRules(**{**load_rules().web.model_dump(), "exempt": exempt, **changed})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.seen.append(request)
        self.came.set()
        self.bodies.append(await request.read())
        reply = self.pages.get(request.path, Reply(status=404))
        body = reply.body.encode() if isinstance(reply.body, str) else reply.body
        response = web.StreamResponse(
            status=reply.status, headers={"Content-Type": reply.kind, **reply.headers}
        )
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            await response.write(body)
            while reply.endless:
                await response.write(body)
            if reply.stalls:
                await self.over.wait()
            await response.write_eof()
        return response


@contextlib.asynccontextmanager
async def serving(address: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Site]:
    """A site on loopback for as long as the block lasts."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        site = Site(port=listener.getsockname()[1])
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", site.answer)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        try:
            yield site
        finally:
            site.over.set()
            await runner.cleanup()


class Names(AbstractResolver):
    """Looks names up in a list of answers: one a question, the last for all that follow."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The next answer, whatever the family."""
        del family
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in answer
        ]

    async def close(self) -> None:
        """Nothing is held."""
