"""What goes wrong on demand: limits of every kind, errors, delays, answers cut short. And real limits, where set."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any, Literal

from aiohttp import web

from tests.fakes.discord.things import Json

Scope = Literal["user", "global", "shared"]
_MAJOR = ("channel_id", "guild_id", "webhook_id", "interaction_id", "webhook_token")
_PAGE = "<!DOCTYPE html><html><head><title>Access denied | discord.com used Cloudflare</title></head></html>"


@dataclass(slots=True)
class Fault:
    """What happens to a request instead of, or on the way to, its answer."""

    method: str
    path: str
    """With `*` for any part; matched against the path and against its template."""
    times: int
    """How often it still happens."""
    status: int = 0
    """What is answered; 0: the request is carried out."""
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """How long the answer takes."""
    gate: asyncio.Event | None = None
    """The answer waits for this."""
    cut: bool = False
    """The connection is cut: in the middle of the answer, or before anything is done if `status` is not 0."""

    def fits(self, method: str, *paths: str) -> bool:
        """Whether it is meant for a request."""
        return self.method in ("*", method) and any(fnmatchcase(path, self.path) for path in paths)

    async def meet(self, request: web.Request) -> web.Response | None:
        """Let it happen; None when the request is carried out all the same."""
        await asyncio.sleep(self.seconds)
        if self.gate is not None:
            await self.gate.wait()
        if self.status == 0:
            return None
        if self.cut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=self.status)
        kind = "text/html" if self.body.startswith("<") else "application/json"
        return web.Response(
            status=self.status, body=self.body.encode(), content_type=kind, headers=self.headers
        )

    def cut_answer(self, answer: Any) -> bytes | None:
        """The answer's bytes, where it is to be cut in the middle."""
        return json.dumps(answer).encode() if self.cut and not self.status else None


@dataclass(slots=True)
class Bucket:
    """A real limit: so many calls of one operation, for one channel or server, in so many seconds."""

    limit: int
    seconds: float
    used: int = 0
    ends: float = 0.0
    retry_after: float = 0.0
    name: str = ""

    def take(self, now: float) -> None:
        """Count a call; `retry_after` is set when it is one too many."""
        if now >= self.ends:
            self.used, self.ends = 0, now + self.seconds
        self.retry_after = self.ends - now if self.used >= self.limit else 0.0
        self.used = min(self.used + 1, self.limit)

    def headers(self, *, limited: bool) -> dict[str, str]:
        """What tells the client where it stands."""
        after = max(0.0, self.ends - time.time())
        told = {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Remaining": str(self.limit - self.used)}
        told |= {"X-RateLimit-Reset": f"{self.ends:.3f}", "X-RateLimit-Reset-After": f"{after:.3f}"}
        told |= {"X-RateLimit-Bucket": self.name, "Via": "1.1 google"}
        return told | ({"Retry-After": str(int(after) + 1), "X-RateLimit-Scope": "user"} if limited else {})

    def body(self) -> Json:
        """The error's body."""
        return _limited(self.retry_after, everywhere=False)


class Faults:
    """The faults that are still to happen, and the limits that are kept."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._limits: dict[tuple[str, str], tuple[int, float]] = {}
        self._buckets: dict[tuple[str, ...], Bucket] = {}
        self.latency = 0.0
        """Seconds before every answer."""
        self.exceeded = 0
        """How often a real limit was exceeded; faults do not count."""

    def next(self, method: str, template: str, path: str) -> Fault | None:
        """What happens to a request."""
        for fault in self._waiting:
            if fault.times > 0 and fault.fits(method, template, path):
                fault.times -= 1
                return fault
        return Fault(method, path, 1, seconds=self.latency) if self.latency else None

    def count(self, method: str, template: str, parts: Mapping[str, str]) -> Bucket | None:
        """The real limit of a request, with the request counted; None where none was set."""
        rule = self._limits.get((method, template))
        if rule is None:
            return None
        key = (method, template, *(parts[name] for name in _MAJOR if name in parts))
        name = sha256(f"{method} {template}".encode()).hexdigest()[:16]
        bucket = self._buckets.setdefault(key, Bucket(*rule, name=name))
        bucket.take(time.time())
        self.exceeded += bucket.retry_after > 0
        return bucket

    def keep(self, operation: str, limit: int, seconds: float) -> None:
        """From now on, `METHOD /template` may be called so often in so many seconds for each channel or server."""
        method, _, template = operation.partition(" ")
        self._limits[method, template] = (limit, seconds)

    def limit(
        self,
        operation: str,
        retry_after: float,
        *,
        scope: Scope = "user",
        headers: bool = True,
        times: int = 1,
    ) -> Fault:
        """Answer 429. Without headers it says so in its body alone, as happens on some routes."""
        told = {"Via": "1.1 google"}
        if headers:
            told |= {"Retry-After": str(int(retry_after) + 1), "X-RateLimit-Scope": scope}
            if scope == "global":
                told["X-RateLimit-Global"] = "true"
            else:
                told |= {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0"}
                told |= {"X-RateLimit-Reset": f"{time.time() + retry_after:.3f}"}
                told |= {"X-RateLimit-Reset-After": f"{retry_after:.3f}", "X-RateLimit-Bucket": "made-up"}
        body = json.dumps(_limited(retry_after, everywhere=scope == "global"))
        return self._add(operation, times, status=429, body=body, headers=told)

    def cloudflare(self, operation: str, status: int = 429, *, times: int = 1) -> Fault:
        """Answer with the page of the network before Discord, which is no JSON and comes without `Via`."""
        return self._add(operation, times, status=status, body=_PAGE, headers={"Server": "cloudflare"})

    def fail(self, operation: str, status: int, *, code: int = 0, text: str = "", times: int = 1) -> Fault:
        """Answer with an error, without doing anything."""
        said = json.dumps({"message": text or f"{status}: made to fail", "code": code})
        return self._add(operation, times, status=status, body=said)

    def slow(self, operation: str, seconds: float, *, times: int = 1) -> Fault:
        """Do what is asked, but begin so much later."""
        return self._add(operation, times, seconds=seconds)

    def hold(self, operation: str, *, times: int = 1) -> asyncio.Event:
        """Do what is asked only when the event that this returns is set."""
        gate = asyncio.Event()
        self._add(operation, times, gate=gate)
        return gate

    def cut(self, operation: str, *, done: bool, times: int = 1) -> Fault:
        """Cut the connection: in mid answer after the work is `done`, or before anything was done."""
        return self._add(operation, times, cut=True, status=0 if done else 500)

    def _add(self, operation: str, times: int, **what: Any) -> Fault:
        method, _, path = operation.partition(" ")
        fault = Fault(method, path, times, **what)
        self._waiting.append(fault)
        return fault


def _limited(retry_after: float, *, everywhere: bool) -> Json:
    return {"message": "You are being rate limited.", "retry_after": retry_after, "global": everywhere}
