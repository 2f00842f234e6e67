"""One request: who makes it, what it asks for, how it is answered; and the table of what there is."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.github.state import App, World
from tests.fakes.github.things import Account, Json, Permission

_WIDE = ("ref", "branch", "path", "basehead")
"""Parts of a path that may hold slashes."""
PER_PAGE, MOST = 30, 100


class Refusal(Exception):
    """What is answered instead: a status and GitHub's words for it."""

    def __init__(self, status: int, message: str, errors: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.status, self.message, self.errors = status, message, errors

    def body(self) -> Json:
        """The error's body."""
        more = {"errors": list(self.errors)} if self.errors else {}
        about = "https://docs.github.com/rest"
        return {"message": self.message, **more, "documentation_url": about, "status": str(self.status)}


def invalid(resource: str, message: str, field_name: str = "") -> Refusal:
    """A refusal of what a body says."""
    error = {"resource": resource, "code": "custom", "message": message}
    return Refusal(422, "Validation Failed", [error | ({"field": field_name} if field_name else {})])


@dataclass(slots=True)
class Request:
    """A request that came in, and how it was answered."""

    method: str
    path: str
    """Below the base address, without the query."""
    template: str = ""
    """The path with the names of its parts, as GitHub's description has it; empty where there is no such thing."""
    parts: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    by: Account | None = None
    app: App | None = None
    """The App in whose name it comes: by a token of its installation, or (with `by` empty) by its key."""
    permissions: Mapping[str, str] = field(default_factory=dict)
    """What the installation's token allows."""
    status: int = 0
    answer: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"

    @property
    def who(self) -> Account:
        """Whoever asks, which has to be somebody."""
        if self.by is None:
            raise Refusal(401, "Requires authentication")
        return self.by

    @property
    def fields(self) -> Json:
        """The body, which has to be an object."""
        if not isinstance(self.body, dict):
            raise Refusal(400, "Problems parsing JSON")
        return self.body

    def number(self, name: str) -> int:
        """A part of the path that is a number."""
        try:
            return int(self.parts[name])
        except ValueError:
            raise Refusal(404, "Not Found") from None

    def need(self, permission: Permission, app_permission: str = "") -> Account:
        """Refuse whoever may not do that; `app_permission` is what an App needs, as pull_requests:write."""
        who = self.who
        name, _, access = app_permission.partition(":")
        if self.app is not None:
            if name and self.permissions.get(name) not in ("write", access):
                raise Refusal(403, "Resource not accessible by integration")
        elif not who.may(permission):
            raise Refusal(403 if who.may("read") else 404, f"Must have {permission} rights to Repository.")
        return who


@dataclass(frozen=True, slots=True)
class Page:
    """A list that is answered page by page; `key` wraps it with its length."""

    items: Sequence[Any]
    key: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


Answer = Callable[[World, Request], Any]
"""Answers a request with JSON, a `Page`, or None for an empty answer."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the interface."""

    method: str
    template: str
    answer: Answer
    status: int = 200


REPO = "/repos/{owner}/{repo}"


class Table:
    """What there is, found by method and path; the first that fits."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = routes
        self._patterns = [(_pattern(route.template), route) for route in routes]

    def find(self, method: str, path: str) -> tuple[Route | None, Mapping[str, str]]:
        """What answers a request, and the parts of its path; None where there is no such thing."""
        for pattern, route in self._patterns:
            if route.method == method and (found := pattern.fullmatch(path)):
                return route, found.groupdict()
        return None, {}


def _pattern(template: str) -> re.Pattern[str]:
    def part(found: re.Match[str]) -> str:
        return f"(?P<{found[1]}>{'.+' if found[1] in _WIDE else '[^/]+'})"

    return re.compile(re.sub(r"\{(\w+)\}", part, template.replace(".", r"\.")))


def paged(world: World, request: Request, page: Page) -> tuple[Any, str]:
    """The part of a list that is asked for, and the header that names its neighbours."""
    try:
        size, at = int(request.query.get("per_page", PER_PAGE)), int(request.query.get("page", 1))
    except ValueError:
        size, at = PER_PAGE, 1
    size, at = max(1, min(size, MOST)), max(1, at)
    last = max(1, -(-len(page.items) // size))
    here = [(name, n) for name, n in (("prev", at - 1), ("next", at + 1)) if 1 <= n <= last]
    here += [("last", last)] * (at < last) + [("first", 1)] * (at > 1)
    address = f"{world.base}/api/v3{request.path}"
    others = "".join(f"{name}={value}&" for name, value in request.query.items() if name != "page")
    link = ", ".join(f'<{address}?{others}page={n}>; rel="{name}"' for name, n in here)
    shown = list(page.items[(at - 1) * size : at * size])
    body = {"total_count": len(page.items), page.key: shown, **page.more} if page.key else shown
    return body, link if last > 1 else ""


def to_bytes(answer: Any) -> bytes:
    """JSON as it is sent."""
    return json.dumps(answer, separators=(",", ":")).encode()
