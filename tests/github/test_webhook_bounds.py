"""Whoever sends too much, too often, too slowly or no HTTP at all holds nobody up."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from bot.api import health
from bot.api.connections import MOST as MOST_AT_ONCE
from bot.api.connections import Connections, Malformed
from bot.api.frame import LONGEST_BODY, CannotListen, application, serving
from bot.api.github import MOST_A_MINUTE, PATH
from bot.settings import Listen
from tests.github.webhooks import Sent, edge, said, sign


async def test_whoever_asks_too_often_is_told_when_it_works_again(tmp_path: Path) -> None:
    """Beyond so many in a minute: 429 with a time, before anything is read; a minute later all is well."""
    moment = [1000.0]
    async with edge(tmp_path, now=lambda: moment[0]) as hooked:
        forged = Sent(b"{}", {"Content-Type": "application/json"})
        for _ in range(MOST_A_MINUTE):
            assert (await hooked.send(forged)).status == 401
        refused = await hooked.send(Sent.of(said()))
        assert (refused.status, refused.headers["Retry-After"]) == (429, "60")
        moment[0] += 61
        assert (await hooked.send(Sent.of(said()))).status == 202
        assert await hooked.counted() == 1


async def test_what_is_too_long_is_refused_by_what_it_says_of_itself(tmp_path: Path) -> None:
    """Of a body that says to be longer than may be, nothing is waited for: 413."""
    async with edge(tmp_path) as hooked:
        head = ["Content-Type: application/json", f"Content-Length: {25 * 1024 * 1024}"]
        answer = await hooked.raw(head, b"{")
        assert answer.startswith(b"HTTP/1.1 413")
        assert str(LONGEST_BODY).encode() in answer
        assert await hooked.counted() == 0


async def test_what_comes_in_chunks_without_a_length_is_bounded_as_well(tmp_path: Path) -> None:
    """A body in chunks is taken up to the bound, and not beyond: 413, though it never ends."""
    sent = Sent.of(said())

    async def in_pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(sent.body), 7):
            yield sent.body[at : at + 7]

    async with edge(tmp_path) as hooked:
        assert (await hooked.send(sent, body=in_pieces())).status == 202
        assert await hooked.counted() == 1
        head = ["Content-Type: application/json", "Transfer-Encoding: chunked"]
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        answer = await hooked.raw(head, chunk * (LONGEST_BODY // 65536 + 1), end=True)
        assert answer.startswith(b"HTTP/1.1 413")
        assert await hooked.counted() == 1


async def test_the_longest_body_that_may_be_is_taken(tmp_path: Path) -> None:
    """The bound is what it says: one byte more is refused."""
    body = json.dumps(said(text="x" * LONGEST_BODY)).encode()
    whole = json.dumps(said(text="x" * (2 * LONGEST_BODY - len(body)))).encode()
    sent = Sent.of(said())
    async with edge(tmp_path) as hooked:
        for sending, status in ((whole, 202), (whole + b" ", 413)):
            sent.headers["X-Hub-Signature-256"] = sign(sending)
            assert (await hooked.send(sent, body=sending)).status == status
        assert await hooked.counted() == 1


async def test_a_body_of_which_a_part_never_comes_has_no_effect(tmp_path: Path) -> None:
    """Whoever hangs up in the middle is forgotten, and the next delivery is taken."""
    sent = Sent.of(said())
    head = [f"{name}: {value}" for name, value in sent.headers.items()] + [
        f"Content-Length: {len(sent.body)}"
    ]
    async with edge(tmp_path) as hooked:
        assert b"202" not in await hooked.raw(head, sent.body[:-5], end=True)
        assert await hooked.counted() == 0
        assert (await hooked.send(sent)).said == {"status": "accepted"}
        assert await hooked.counted() == 1


async def test_a_body_that_comes_too_slowly_is_given_up(tmp_path: Path) -> None:
    """Whoever does not send what they announced is told so, and holds nobody up."""
    head = ["Content-Type: application/json", "Content-Length: 100"]
    async with edge(tmp_path, body_seconds=0.01) as hooked:
        assert (await hooked.raw(head, b"{")).startswith(b"HTTP/1.1 408")
        assert await hooked.counted() == 0


async def test_health_says_whether_live_code_serves() -> None:
    """200 once it does, 503 before."""
    live: list[str] = []
    async with (
        serving(Listen("127.0.0.1", 0), application(health.routes(lambda: bool(live)))) as port,
        ClientSession() as session,
    ):
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert (answer.status, await answer.json()) == (503, {"status": "starting"})
        live.append("a commit")
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ok"})


async def test_a_port_that_is_taken_is_one_sentence() -> None:
    """It names the address and the setting."""
    async with serving(Listen("127.0.0.1", 0), application([])) as port:
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port} already.*THESEUS_HTTP.*Chat goes on"):
            async with serving(Listen("127.0.0.1", port), application([])):
                raise AssertionError("two programs listen on one port")


NO_HTTP = {
    "another length as well": ["Content-Length: 3", "Content-Length: 4"],
    "a length below nothing": ["Content-Length: -3"],
    "a length and chunks": ["Content-Length: 3", "Transfer-Encoding: chunked"],
    "a sign that is none": ["X-Name: a\0b"],
    "a header without end": ["X-Name: " + "a" * 20_000],
    "too many headers": [f"X-Name-{at}: a" for at in range(500)],
}


async def test_what_is_no_http_is_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is answered by a short sentence that says nothing of libraries; all of them together are said once, without a trace."""
    async with edge(tmp_path) as hooked:
        for name, head in NO_HTTP.items():
            answer = await hooked.raw(head, b"abc")
            assert answer.startswith(b"HTTP/1.0 400"), name
            assert b"\r\nServer: Theseus\r\n" in answer, name
            assert b"aiohttp" not in answer, name
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"], name
        begun = ["Content-Type: application/json", "Transfer-Encoding: chunked"]
        await hooked.raw(begun, b"5\r\nhello\r\n", end=True)  # hangs up in the middle
        packed = [*begun, "Content-Encoding: gzip", "Connection: close"]
        assert b" 415 " in await hooked.raw(packed, b"5\r\nhello\r\n0\r\n\r\n")
        assert (await hooked.send(Sent.of(said()))).status == 202
    assert ["malformed" in record.message for record in caplog.records] == [True]
    assert caplog.records[0].exc_info is None


def test_how_much_was_malformed_is_said_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    """The first at once, and after a minute how many came meanwhile; what they sent cannot write lines of its own."""
    moment = [0.0]
    malformed = Malformed(lambda: moment[0])
    for moment[0] in (0.0, 1.0, 59.0, 60.0):
        malformed.heard("10.0.0.1", "odd\nline")
    lines = [record.message for record in caplog.records]
    assert [line.split()[0] for line in lines] == ["1", "3"]
    assert "\n" not in "".join(lines)


async def test_whoever_only_holds_connections_shuts_nobody_out(tmp_path: Path) -> None:
    """With every place taken by those who ask nothing, a delivery gets through, and one that is under way goes on."""
    sent = Sent.of(said())
    head = [f"{name}: {value}" for name, value in sent.headers.items()]
    length = [f"Content-Length: {len(sent.body)}", "Connection: close", "", ""]
    async with edge(tmp_path) as hooked:
        begun = await asyncio.open_connection("127.0.0.1", hooked.port)
        begun[1].write("\r\n".join([f"POST {PATH} HTTP/1.1", "Host: here", *head, *length]).encode())
        begun[1].write(sent.body[:5])
        idle = [await asyncio.open_connection("127.0.0.1", hooked.port) for _ in range(MOST_AT_ONCE)]
        assert (await hooked.send(Sent.of(said(number=1)))).said == {"status": "accepted"}
        begun[1].write(sent.body[5:])
        assert b'{"status": "accepted"}' in await begun[0].read()
        assert await idle[0][0].read() == b""  # the one that waited longest was hung up on
        for _, writer in [begun, *idle]:
            writer.close()


async def test_whoever_takes_no_answers_is_hung_up_on_for_good() -> None:
    """What was sent to somebody who reads nothing is not waited for: hung up on, they hold no socket any more."""

    async def long(_: web.Request) -> web.Response:
        return web.Response(text="x" * 9_000)

    runner = web.AppRunner(application([web.get("/long", long)]))
    await runner.setup()
    answering, loop = runner.server, asyncio.get_running_loop()
    assert answering is not None
    server = await loop.create_server(Connections(answering).accept, "127.0.0.1", 0)
    asked = b"GET /long HTTP/1.1\r\nHost: here\r\n\r\n"
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.setblocking(False)
        async with asyncio.timeout(60):
            await loop.sock_connect(deaf, server.sockets[0].getsockname())
            await loop.sock_sendall(deaf, asked)
            await loop.sock_recv(deaf, 1)
            (one,) = answering.connections
            assert isinstance(one.transport, asyncio.Transport)
            while not one.transport.get_write_buffer_size():
                await loop.sock_sendall(deaf, asked)
                await asyncio.sleep(0)
            held = one.transport.get_extra_info("socket")
        assert held.fileno() >= 0
        one.force_close()
        await asyncio.sleep(0)
        assert held.fileno() < 0
    server.close()
    await runner.cleanup()


async def test_slow_bodies_hold_nobody_up(tmp_path: Path) -> None:
    """However many have begun one and do not go on, a delivery is taken at once."""
    head = [
        f"POST {PATH} HTTP/1.1",
        "Host: here",
        "Content-Type: application/json",
        "Content-Length: 99",
        "",
        "",
    ]
    async with edge(tmp_path, body_seconds=60.0) as hooked:
        slow = [await asyncio.open_connection("127.0.0.1", hooked.port) for _ in range(40)]
        for _, writer in slow:
            writer.write("\r\n".join(head).encode() + b"{")
        assert (await hooked.send(Sent.of(said()))).status == 202
        for _, writer in slow:
            writer.close()
