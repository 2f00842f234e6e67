"""Webhooks: what happened goes, signed, to whoever wants to hear of it."""

import asyncio
import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.fakes.github import review_shapes, shapes
from tests.fakes.github.state import World
from tests.fakes.github.things import Account, CheckRun, Comment, Event, Json, LineComment, Pull, Review


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery, and how it was taken."""

    id: str
    event: str
    body: bytes
    headers: dict[str, str]
    status: int
    """0 where nobody answered."""


def payload(world: World, body: Json, by: Account) -> Json:
    """The body of an event as its hooks get it."""
    pull = body.get("pull_request") or body.get("issue")
    made = {name: _told(world, name, one, pull) for name, one in body.items()}
    made |= {"repository": shapes.repository(world), "sender": shapes.user(world, by)}
    if (
        world.apps
        and (app := next((one for one in world.apps.values() if one.installation), None)) is not None
    ):
        made["installation"] = {"id": app.installation, "node_id": f"I_{app.installation}"}
    return made


def _told(world: World, name: str, one: Any, pull: Any) -> Any:
    match one:
        case Pull() if name == "issue":
            return review_shapes.issue(world, one)
        case Pull():
            more = {"merged": one.merged, "merged_by": shapes.maybe(world, one.merged_by), "mergeable": None}
            return review_shapes.pull(world, one) | more | {"mergeable_state": "unknown"}
        case Review() if isinstance(pull, Pull):
            return review_shapes.review(world, pull, one) | {"state": one.state.lower()}
        case LineComment() if isinstance(pull, Pull):
            return review_shapes.line_comment(world, pull, one)
        case Comment():
            return review_shapes.comment(world, one)
        case CheckRun():
            return shapes.run(world, one)
        case Account():
            return shapes.user(world, one)
    return one


class Deliveries:
    """Sends events out, one after the other."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: asyncio.Queue[tuple[Event, str, str]] = asyncio.Queue()
        self._sending: asyncio.Task[None] | None = None
        self.made: list[Delivery] = []

    def hear(self, event: Event) -> None:
        """Take an event up for each hook that wants it."""
        for hook in self._world.hooks.values():
            if hook.active and ("*" in hook.events or event.name in hook.events):
                self._waiting.put_nowait((event, hook.url, hook.secret))
                if self._sending is None:
                    self._sending = asyncio.get_running_loop().create_task(self._run())

    async def delivered(self) -> None:
        """Wait until everything that happened so far has been sent."""
        await self._waiting.join()

    async def close(self) -> None:
        """Send nothing any more."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    async def _run(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            while True:
                event, url, secret = await self._waiting.get()
                try:
                    await self._send(session, event, url, secret)
                finally:
                    self._waiting.task_done()

    async def _send(self, session: aiohttp.ClientSession, event: Event, url: str, secret: str) -> None:
        body, headers = sealed(event, secret)
        status = 0
        try:
            async with session.post(url, data=body, headers=headers) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass  # GitHub does not try again either
        self.made.append(Delivery(headers["X-GitHub-Delivery"], event.name, body, headers, status))


def sealed(event: Event, secret: str) -> tuple[bytes, dict[str, str]]:
    """An event as it is delivered: its body, and its headers with the signature."""
    body = json.dumps(event.payload).encode()
    headers = {"X-GitHub-Event": event.name, "X-GitHub-Delivery": str(uuid.uuid4())}
    headers |= {"Content-Type": "application/json", "User-Agent": "GitHub-Hookshot/0000000"}
    if secret:
        mark = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers["X-Hub-Signature-256"] = f"sha256={mark}"
    return body, headers
