"""Webhooks as GitHub sends them, and the surface that takes them: a steward on the real link counts the hints."""

import asyncio
import hashlib
import hmac
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bot.api import health
from bot.api.deliveries import Deliveries
from bot.api.frame import application, serving
from bot.api.github import PATH, Webhook
from bot.api.hints import Hints
from bot.settings import Listen
from selfedit import protocol as say
from tests.fakes.node import MISSING, MODULES
from tests.fakes.steward import FakeSteward, linked

SECRET = "It's a Secret to Everybody"
REPOSITORY = "Codertocat/Hello-World"
BRANCH = "main"
EXAMPLES = MODULES / "@octokit" / "webhooks-examples" / "api.github.com" / "index.json"
NO_EXAMPLES = MISSING


@cache
def examples() -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """GitHub's own examples: the event's kind and what is said, each; none where they are not installed."""
    if not EXAMPLES.is_file():
        return ()
    kinds = json.loads(EXAMPLES.read_text("utf-8"))
    return tuple((kind["name"], each) for kind in kinds for each in kind["examples"])


def said(**more: Any) -> dict[str, Any]:
    """A payload of our repository, no longer than it has to be."""
    return {"action": "opened", "repository": {"full_name": REPOSITORY}, **more}


def sign(body: bytes, secret: str = SECRET, method: str = "sha256") -> str:
    """What GitHub puts into `X-Hub-Signature-256`."""
    return f"{method}={hmac.new(secret.encode(), body, method).hexdigest()}"


@dataclass
class Sent:
    """One delivery, of which a test may change any part.

    Attributes:
        body: As it is sent.
        headers: Those that GitHub sends.
    """

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, payload: Any, kind: str = "pull_request", delivery: str = "", *, form: bool = False
    ) -> "Sent":
        """As GitHub would send it; by default each payload has a delivery id of its own."""
        body = json.dumps(payload).encode()
        if form:
            body = urlencode({"payload": body.decode()}).encode()
        unique = hashlib.sha256(kind.encode() + body).hexdigest()
        delivery = delivery or f"{unique[:8]}-{unique[8:12]}-{unique[12:16]}-{unique[16:20]}-{unique[20:32]}"
        content_type = "application/x-www-form-urlencoded" if form else "application/json"
        return cls(
            body,
            {
                "Content-Type": content_type,
                "X-GitHub-Event": kind,
                "X-GitHub-Delivery": delivery,
                "X-Hub-Signature-256": sign(body),
                "User-Agent": "GitHub-Hookshot/044aadd",
            },
        )


@dataclass(frozen=True)
class Answer:
    """What was answered."""

    status: int
    said: dict[str, Any]
    headers: Mapping[str, str]


class Edge:
    """The surface, and the steward behind it."""

    def __init__(
        self,
        port: int,
        session: aiohttp.ClientSession,
        link: tuple[FakeSteward, say.Peer],
        hints: Hints,
        moment: asyncio.Event,
    ) -> None:
        self.port, self._session = port, session
        self._steward, self._peer = link
        self._hints, self._moment = hints, moment

    async def send(self, sent: Sent, path: str = PATH, method: str = "POST", body: Any = None) -> Answer:
        """Send a delivery, or, in place of its body, something else."""
        data = sent.body if body is None else body
        if isinstance(data, bytes):
            data = io.BytesIO(data)  # the library wants long ones so
        async with self._session.request(
            method, f"http://127.0.0.1:{self.port}{path}", data=data, headers=sent.headers
        ) as answer:
            return Answer(answer.status, await answer.json(), dict(answer.headers))

    async def raw(self, head: Sequence[str], body: bytes = b"", *, end: bool = False) -> bytes:
        """Say something on a connection of its own, perhaps hang up half of it, and hear all that is answered."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write("\r\n".join([f"POST {PATH} HTTP/1.1", "Host: here", *head, "", ""]).encode() + body)
        if end:
            writer.write_eof()
        try:
            return await reader.read()
        finally:
            writer.close()

    async def counted(self) -> int:
        """How often the steward was told to look, once all that was gathered has left."""
        self._moment.set()
        await self._hints.settled()
        await self._peer.call(say.Status())  # comes behind every hint that left before
        return sum(isinstance(each, say.Hint) for each in self._steward.asked)


@asynccontextmanager
async def edge(
    home: Path,
    *,
    secret: str = SECRET,
    repository: str = REPOSITORY,
    gathers: bool = False,
    **how: Any,
) -> AsyncIterator[Edge]:
    """A surface with a webhook, in a home.

    Args:
        home: Where deliveries are kept.
        secret: What it knows of GitHub.
        repository: Which it takes for ours.
        gathers: Whether hints wait until they are counted, in place of a moment.
        how: What else `Webhook` takes.
    """
    steward = FakeSteward({})
    moment = asyncio.Event()
    if not gathers:
        moment.set()

    async def ignore(_body: Any) -> None:
        return None

    async with linked(steward, ignore) as peer, aiohttp.ClientSession() as session:

        async def tell() -> None:
            await peer.notify(say.Hint())

        async def rest() -> None:
            await moment.wait()

        with closing(Deliveries(home / "webhooks.sqlite3")) as deliveries:
            hints = Hints(tell, deliveries, rest)
            webhook = Webhook(hints, secret=secret, repository=repository, branch=BRANCH, **how)
            app = application([*health.routes(lambda: True), *webhook.routes()])
            async with serving(Listen("127.0.0.1", 0), app) as port:
                telling = asyncio.create_task(hints.run())
                yield Edge(port, session, (steward, peer), hints, moment)
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
