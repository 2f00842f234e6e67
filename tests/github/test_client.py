"""Asking a GitHub that is slow, broken, limited or not what it says it is, without ever showing the credential."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from selfedit.forge.github.client import Client, No
from selfedit.forge.github.settings import GitHubSettings, read_settings
from selfedit.ports import ForgeDown

CANARY = "ghp_canaryCANARYcanaryCANARYcanaryCANARY1"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Wire:
    """A server that says what a test wants, and what it heard."""

    settings: GitHubSettings
    answers: list[Answer] = field(default_factory=list)
    heard: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def then(self, answer: Answer, times: int = 1) -> None:
        """Let it answer so the next times."""
        self.answers += [answer] * times


def says(data: Any = None, status: int = 200, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(data if data is not None else {}, status=status, headers=named)

    return answer


def raw(body: bytes, status: int = 200, kind: str = "text/html", **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status, content_type=kind, headers=headers)

    return answer


async def hangs_up(request: web.Request) -> web.StreamResponse:
    """Begin an answer, and hang up in the middle of it."""
    answer = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await answer.prepare(request)
    await answer.write(b'{"a": ')
    if request.transport is not None:
        request.transport.abort()
    return answer


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    made: list[Wire] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        made[0].heard.append(
            (request.method, request.path_qs, {k.lower(): v for k, v in request.headers.items()})
        )
        return await (made[0].answers.pop(0) if made[0].answers else says({"id": 1}))(request)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    settings = read_settings(
        {
            "GITHUB_REPOSITORY": "o/r",
            "GITHUB_TOKEN": CANARY,
            "GITHUB_API_URL": f"http://127.0.0.1:{port}/api/v3",
        }
    )
    assert settings is not None
    made.append(Wire(settings))
    yield made[0]
    await runner.cleanup()


@pytest.fixture
async def client(wire: Wire) -> AsyncIterator[Client]:
    made = Client(wire.settings, backoff=0.001)
    yield made
    await made.end()


def assert_silent(error: BaseException) -> None:
    """No exception in the chain, nor anything that it holds, shows the credential."""
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen:
        seen.append(following)
        assert CANARY not in f"{following!r} {following} {following.args!r} {vars(following)!r}"
        following = following.__cause__ or following.__context__


FAULTS: dict[str, Answer] = {
    "a fault of theirs": says({"message": "oops"}, 500),
    "a page in place of an answer": raw(b"<html>Bad Gateway</html>", 502),
    "no JSON": raw(b"{nope", 200, "application/json"),
    "another alphabet": raw(b"\xff\xfe\xfa", 200, "application/json"),
    "a well without a bottom": raw(b"[" * 100_000, 200, "application/json"),
    "ten megabytes": raw(b'"' + b"x" * 10_000_000 + b'"', 200, "application/json"),
    "half an answer": hangs_up,
    "another host": says({}, 302, location="http://127.0.0.2:9/api/v3/x"),
    "a circle": says({}, 301, location="/api/v3/thing"),
    "a status that there is not": says({}, 799),
    "a limit that is no number": says(
        {}, 200, x_ratelimit_limit="a", x_ratelimit_remaining="b", x_ratelimit_reset="c"
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_could_not_be_found_out_is_a_sentence(
    wire: Wire, client: Client, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each fault ends as one exception with a sentence, after a few tries, and tells nobody the credential."""
    caplog.set_level(logging.DEBUG)
    wire.then(FAULTS[fault], 20)
    with pytest.raises(ForgeDown) as caught:
        await client.get("/thing")
    assert str(caught.value).startswith(("GitHub", "there"))
    assert "\n" not in str(caught.value)
    assert caught.value.again >= 1
    assert client.health.trouble == str(caught.value)
    assert_silent(caught.value)
    assert CANARY not in caplog.text
    assert CANARY not in repr(client.__dict__)


async def test_nobody_there_is_a_sentence(wire: Wire, client: Client) -> None:
    """A GitHub that cannot be reached is waited for."""
    gone = wire.settings.__class__(**{**_fields(wire.settings), "api": "http://127.0.0.1:9/api/v3"})
    lost = Client(gone, backoff=0.001)
    with pytest.raises(ForgeDown, match="cannot be reached") as caught:
        await lost.get("/thing")
    assert_silent(caught.value)
    await lost.end()
    assert await client.get("/thing") == {"id": 1}


def _fields(settings: GitHubSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__slots__}


async def test_a_silent_one_is_not_waited_for_without_end(wire: Wire) -> None:
    """An answer that does not come is given up."""

    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    hurried = Client(wire.settings, patience=0.2)
    wire.then(hang, 5)
    with pytest.raises(ForgeDown, match="in time"):
        await hurried.send("POST", "/thing", {})
    assert len(wire.heard) == 1
    await hurried.end()


async def test_a_question_is_repeated_and_a_change_is_not(wire: Wire, client: Client) -> None:
    """Only what changes nothing is asked again by itself."""
    wire.then(says({}, 502), 2)
    assert await client.get("/thing") == {"id": 1}
    wire.then(says({}, 502))
    with pytest.raises(ForgeDown):
        await client.send("POST", "/thing", {})
    assert [method for method, _, _ in wire.heard] == ["GET", "GET", "GET", "POST"]


async def test_what_did_not_change_is_not_sent_again(wire: Wire, client: Client) -> None:
    """An answer with an ETag is asked for with it, and a 304 gives what was kept."""
    wire.then(says({"id": 2}, etag='"one"'))
    assert await client.get("/thing") == {"id": 2}

    async def unchanged(request: web.Request) -> web.Response:
        assert request.headers["If-None-Match"] == '"one"'
        return web.Response(status=304, headers={"ETag": '"one"'})

    wire.then(unchanged)
    assert await client.get("/thing") == {"id": 2}
    assert await client.get("/thing") == {"id": 1}


async def test_pages_are_read_to_the_end_and_within_the_host(wire: Wire, client: Client) -> None:
    """A list is whole or nothing is known; a next page elsewhere is not asked for."""
    base = wire.settings.api
    wire.then(says([1], link=f'<{base}/list?page=2>; rel="next"'))
    wire.then(says([2]))
    assert await client.every("/list") == [1, 2]
    wire.then(says([1], link='<http://127.0.0.2:9/list>; rel="next"'))
    with pytest.raises(ForgeDown, match="another host"):
        await client.every("/list")
    wire.then(says([1], link=f'<{base}/list?page=2>; rel="next"'), 100)
    with pytest.raises(ForgeDown, match="more of it"):
        await client.every("/list")


LIMITS = {
    "secondary with a header": (
        says({"message": "You have exceeded a secondary rate limit"}, 403, retry_after="77"),
        (70, 80),
    ),
    "secondary without one": (says({"message": "You have exceeded a secondary rate limit"}, 403), (59, 61)),
    "too many": (says({"message": "slow down"}, 429), (59, 61)),
    "a header that makes no sense": (says({"message": "x"}, 429, retry_after="9" * 12), (7000, 7300)),
    "maintenance": (says({"message": "x"}, 503, retry_after="30"), (29, 31)),
}


@pytest.mark.parametrize("kind", LIMITS)
async def test_a_limit_is_honoured(wire: Wire, client: Client, kind: str) -> None:
    """Nothing is sent before the time that GitHub asks for is over, and who asks is told how long."""
    answer, (least, most) = LIMITS[kind]
    wire.then(answer)
    with pytest.raises(ForgeDown, match="left alone") as caught:
        await client.get("/thing")
    assert least <= caught.value.again <= most
    for _ in range(3):
        with pytest.raises(ForgeDown, match="left alone"):
            await client.send("POST", "/other", {})
    assert len(wire.heard) == 1


async def test_the_hours_limit_is_honoured_until_it_begins_anew(wire: Wire, client: Client) -> None:
    """Where the requests of an hour are used up, nothing is sent before the moment that GitHub names."""
    wire.then(
        says(
            {"message": "API rate limit exceeded"},
            403,
            x_ratelimit_limit="5000",
            x_ratelimit_remaining="0",
            x_ratelimit_reset=str(int(time.time()) + 1200),
        )
    )
    with pytest.raises(ForgeDown, match="left alone") as caught:
        await client.get("/thing")
    assert 1100 <= caught.value.again <= 1300
    with pytest.raises(ForgeDown, match="left alone"):
        await client.get("/other")
    assert len(wire.heard) == 1


async def test_an_expected_no_is_a_value(wire: Wire, client: Client) -> None:
    """What a caller reckons with comes back as an answer, everything else as a fault."""
    wire.then(says({"message": "Base branch was modified"}, 405), 2)
    assert await client.send("PUT", "/merge", {}, no=(405, 409)) == No(405, "Base branch was modified")
    with pytest.raises(ForgeDown, match="405: Base branch"):
        await client.send("PUT", "/merge", {})
    wire.then(says({"message": "Validation Failed", "errors": [{"field": "x", "code": "invalid"}]}, 422))
    got = await client.send("POST", "/pulls", {}, no=(422,))
    assert isinstance(got, No)
    assert got.status == 422


async def test_a_redirection_within_the_host_is_followed(wire: Wire, client: Client) -> None:
    """A renamed repository is still found; a change is not turned into a question on the way."""
    wire.then(says({}, 301, location="/api/v3/repositories/1/thing"))
    assert await client.get("/thing") == {"id": 1}
    wire.then(says({}, 302, location="/api/v3/repositories/1/thing"))
    with pytest.raises(ForgeDown, match="sends on"):
        await client.send("POST", "/thing", {})
    assert [path for _, path, _ in wire.heard] == [
        "/api/v3/thing",
        "/api/v3/repositories/1/thing",
        "/api/v3/thing",
    ]


async def test_a_refused_token_is_said_so(wire: Wire, client: Client) -> None:
    """Somebody has to give another; the sentence does not show the one that is refused."""
    wire.then(says({"message": "Bad credentials"}, 401))
    with pytest.raises(ForgeDown, match="does not accept GITHUB_TOKEN") as caught:
        await client.get("/thing")
    assert_silent(caught.value)
    assert wire.heard[0][2]["authorization"] == f"token {CANARY}"


async def test_graphql_says_no_in_its_own_way(wire: Wire, client: Client) -> None:
    """Errors come with status 200 there; they are values, and what makes no sense is a fault."""
    wire.then(says({"data": {"a": 1}}))
    assert await client.graphql("query{a}", {}) == {"a": 1}
    wire.then(says({"data": None, "errors": [{"type": "NOT_FOUND", "message": "no such thing"}]}))
    assert await client.graphql("query{a}", {}) == No(200, "no such thing")
    empty: list[int] = []
    for nonsense in (empty, {"errors": "x"}, {"data": 3}):
        wire.then(says(nonsense))
        with contextlib.suppress(ForgeDown):
            assert isinstance(await client.graphql("query{a}", {}), No)
    assert {path for _, path, _ in wire.heard} == {"/api/graphql"}
