"""Git over http: fetches and pushes by `git http-backend`, for whoever may."""

import asyncio
import os
from dataclasses import dataclass

from aiohttp import web

from tests.fakes.github import merging
from tests.fakes.github.http import Refusal, Request
from tests.fakes.github.state import World

_DECLINED = (b"hook declined", b"protected branch hook declined")
"""What git says of a ref that the hook refuses, and what GitHub says."""
_ASKED = {"WWW-Authenticate": 'Basic realm="GitHub"'}


@dataclass(frozen=True, slots=True)
class Answer:
    """What git's program answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class Smart:
    """Serves the repository to git."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pushing = asyncio.Lock()

    async def serve(self, http: web.Request, request: Request, body: bytes) -> web.Response:
        """Answer one request of git's."""
        world = self._world
        rest = request.path.removeprefix(f"/{world.full_name}.git").removeprefix(f"/{world.full_name}")
        pushing = rest == "/git-receive-pack" or request.query.get("service") == "git-receive-pack"
        if request.by is None:
            return web.Response(status=401, text="Authentication required", headers=_ASKED)
        try:
            if pushing:
                request.need("write", "contents:write")
            else:
                request.need("read", "contents:read")
        except Refusal:
            said = f"Permission to {world.full_name}.git denied to {request.by.login}."
            return web.Response(
                status=403 if pushing else 404, text=f"remote: {said}" if pushing else "Not Found"
            )
        if rest != "/git-receive-pack":
            return _sent(await self._run(http, rest, request, body))
        async with self._pushing:
            before = world.git.refs()
            answer = await self._run(http, rest, request, body)
            after = world.git.refs()
            for ref in sorted(before.keys() | after.keys()):
                if not ref.startswith("refs/pull/") and before.get(ref) != after.get(ref):
                    merging.pushed(world, request.by, ref, before.get(ref, ""), after.get(ref, ""))
        return _sent(Answer(answer.status, answer.headers, _worded(answer.body)))

    async def _run(self, http: web.Request, rest: str, request: Request, body: bytes) -> Answer:
        world, by = self._world, request.who
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(world.git.path), "PATH_INFO": rest}
        env |= {"GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": http.method, "QUERY_STRING": http.query_string}
        env |= {"CONTENT_TYPE": http.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body))}
        env |= {"REMOTE_USER": by.login, "REMOTE_ADDR": "127.0.0.1", "GIT_CONFIG_NOSYSTEM": "1"}
        env |= {
            "HOME": str(world.git.path),
            "LC_ALL": "C.UTF-8",
            "STANDIN_PROTECTED": self._protected(admin=by.may("admin")),
        }
        env |= {"HTTP_CONTENT_ENCODING": http.headers.get("Content-Encoding", "")}
        env |= {"GIT_PROTOCOL": http.headers.get("Git-Protocol", "")}
        process = await asyncio.create_subprocess_exec(
            *("git", "http-backend"),
            env=env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        told, _ = await process.communicate(body)
        head, _, rest_of = told.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        status = int(headers.pop("Status", "200").split()[0]) if head else 500
        return Answer(status, headers, rest_of)

    def _protected(self, *, admin: bool) -> str:
        """The rules of pushes, for the hook."""
        rules = self._world.protections.items()
        bound = [(name, rule) for name, rule in rules if rule.admins or not admin]
        kinds = [
            (n, "pull" if rule.reviews is not None or rule.queue or rule.checks else "push")
            for n, rule in bound
        ]
        return " ".join(f"refs/heads/{name}:{kind}" for name, kind in kinds)


def _sent(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


def _packets(data: bytes) -> list[bytes | None]:
    """The lines of git's protocol in some bytes; None for each pause."""
    found: list[bytes | None] = []
    while len(data) >= 4:
        size = int(data[:4], 16)
        found.append(data[4:size] if size else None)
        data = data[max(size, 4) :]
    return found


def _bytes(packets: list[bytes | None]) -> bytes:
    return b"".join(b"0000" if one is None else b"%04x" % (len(one) + 4) + one for one in packets)


def _worded(body: bytes) -> bytes:
    """The answer to a push with GitHub's words where the hook refused something."""
    if _DECLINED[0] not in body:
        return body
    made: list[bytes | None] = []
    for one in _packets(body):
        if one is None or one[:1] != b"\1":
            made.append(one)
            continue
        inner = [line and _reworded(line) for line in _packets(one[1:])]
        made.append(b"\1" + _bytes(inner))
    return _bytes(made)


def _reworded(line: bytes) -> bytes:
    return line.replace(*_DECLINED) if line.startswith(b"ng ") else line
