"""What goes wrong on demand: requests that are held or lost, errors, limits, outages, slowness."""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web

When = Literal["before", "after"]
_SECONDARY = (
    '{"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",'
    ' "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"}'
)
_PAGE = (
    "<!DOCTYPE html><html><head><title>Unicorn! &middot; GitHub</title></head><body><h1>%d</h1></body></html>"
)


class Hold:
    """A request that a test stops on its way: before anything happened, or before the answer is sent."""

    def __init__(self, method: str, path: str, when: When) -> None:
        self.method, self.path, self.when = method, re.compile(path), when
        self.used = False
        self._arrived, self._let_go = asyncio.Event(), asyncio.Event()
        self._dropped = False

    async def arrived(self, seconds: float = 60) -> None:
        """Wait until the request is stopped here."""
        await asyncio.wait_for(self._arrived.wait(), seconds)

    def release(self) -> None:
        """Let it go on."""
        self._let_go.set()

    def drop(self) -> None:
        """Let its connection be lost: held before, it never happens; held after, its sender never learns of it."""
        self._dropped = True
        self._let_go.set()

    async def stop(self) -> bool:
        """Stop a request here; whether its connection is lost."""
        self._arrived.set()
        await self._let_go.wait()
        return self._dropped


@dataclass(slots=True)
class _Failure:
    method: str
    path: re.Pattern[str]
    status: int
    times: int
    headers: Mapping[str, str]
    body: str


@dataclass(slots=True)
class Limit:
    """The primary limit of requests within an hour."""

    limit: int = 5000
    used: int = 0
    reset: int = field(default_factory=lambda: int(time.time()) + 3600)

    def headers(self) -> dict[str, str]:
        """What every answer says of it."""
        left = max(0, self.limit - self.used)
        told = {"Limit": self.limit, "Remaining": left, "Reset": self.reset, "Used": self.used}
        return {f"X-RateLimit-{name}": str(one) for name, one in told.items()} | {
            "X-RateLimit-Resource": "core"
        }

    def use_up(self, seconds: int) -> None:
        """Let nothing be left of it for so long."""
        self.used, self.reset = self.limit, int(time.time()) + seconds

    def over(self) -> bool:
        """Whether nothing is left of it, at this time."""
        if time.time() >= self.reset:
            self.used, self.reset = 0, int(time.time()) + 3600
        return self.used >= self.limit


class Faults:
    """The faults that are still to happen."""

    def __init__(self) -> None:
        self._holds: list[Hold] = []
        self._failures: list[_Failure] = []
        self.seconds = 0.0
        """How long every answer takes."""
        self.hanging = asyncio.Event()
        self.hanging.set()
        """Set while requests are taken up at all."""
        self.limit = Limit()

    def hold(self, method: str, path: str, when: When) -> Hold:
        """Stop the next such request."""
        made = Hold(method, path, when)
        self._holds.append(made)
        return made

    def fail(
        self,
        path: str,
        status: int,
        *,
        times: int = 1,
        method: str = "*",
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> None:
        """Answer the next such requests like that, and do nothing; a 5xx without a body comes as a page."""
        if body is None:
            body = (
                _PAGE % status
                if status >= 500
                else f'{{"message": "Failed on purpose", "status": "{status}"}}'
            )
        self._failures.append(_Failure(method, re.compile(path), status, times, headers or {}, body))

    def secondary(self, path: str, retry_after: int | None, times: int, status: int = 403) -> None:
        """Answer the next such requests with the secondary limit."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.fail(path, status, times=times, headers=headers, body=_SECONDARY)

    def next_hold(self, method: str, path: str, when: When) -> Hold | None:
        """What stops a request at that point, if something does; it stops one only."""
        for one in self._holds:
            if one.when == when and not one.used and one.method == method and one.path.search(path):
                one.used = True
                return one
        return None

    def next_failure(self, method: str, path: str) -> web.Response | None:
        """What a request is answered instead of being carried out."""
        for one in self._failures:
            if one.times > 0 and one.method in ("*", method) and one.path.search(path):
                one.times -= 1
                kind = "text/html" if one.body.startswith("<") else "application/json"
                return web.Response(
                    status=one.status, text=one.body, content_type=kind, headers=dict(one.headers)
                )
        return None

    def let_all_go(self) -> None:
        """End every hold, so that nothing waits when the stand-in goes."""
        for one in self._holds:
            one.drop()
        self.hanging.set()
