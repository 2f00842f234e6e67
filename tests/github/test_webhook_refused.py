"""Webhooks that are not taken: not signed, of another form, or without a name."""

import gzip
import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from bot.api.github import PATH
from tests.github.webhooks import REPOSITORY, SECRET, Sent, edge, said, sign


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        sign(json.dumps(said()).encode(), "another secret"),
        sign(json.dumps(said()).encode() + b" "),
        sign(json.dumps(said()).encode(), method="sha1"),
        sign(json.dumps(said()).encode())[:-1],
        sign(json.dumps(said()).encode()) + "0",
        sign(json.dumps(said()).encode()).upper(),
        sign(json.dumps(said()).encode()).removeprefix("sha256="),
        sign(json.dumps(said()).encode()).replace("sha256", "sha1"),
        sign(json.dumps(said()).encode(), ""),
        "sha256=" + "ä" * 64,
        "sha256=" + "\udcff" * 64,
        "sha256=" + "0" * 64,
    ],
    ids=range(15),
)
async def test_what_is_not_signed_with_the_secret_is_refused(tmp_path: Path, signature: str | None) -> None:
    """Whatever else stands in place of the signature over this very body: 401, and no hint."""
    sent = Sent.of(said())
    del sent.headers["X-Hub-Signature-256"]
    if signature is not None:
        sent.headers["X-Hub-Signature-256"] = signature
    # The old signature alone is none: it can be forged.
    sent.headers["X-Hub-Signature"] = sign(sent.body, method="sha1")
    async with edge(tmp_path) as hooked:
        answer = await hooked.send(sent)
        assert answer.status == 401
        assert "X-Hub-Signature-256" in answer.said["error"]
        assert await hooked.counted() == 0


async def test_a_signature_said_twice_is_none(tmp_path: Path) -> None:
    """Nobody has to guess which of two signatures counts, even where one is right."""
    sent = Sent.of(said())
    head = [f"{name}: {value}" for name, value in sent.headers.items()]
    head += [
        "X-Hub-Signature-256: sha256=" + "0" * 64,
        f"Content-Length: {len(sent.body)}",
        "Connection: close",
    ]
    async with edge(tmp_path) as hooked:
        assert (await hooked.raw(head, sent.body)).startswith(b"HTTP/1.1 401")
        assert await hooked.counted() == 0


async def test_a_changed_body_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    """What does not fit its signature is 401, whether or not it could be read."""
    async with edge(tmp_path) as hooked:
        for body in (b"{", b"\xff\xfe", b"[" * 100_000, b"", json.dumps(said(more=1)).encode()):
            assert (await hooked.send(Sent.of(said()), body=body)).status == 401
        assert await hooked.counted() == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"repository": {"full_name": "Codertocat/Hello-World"}',
        b"[]",
        b'"text"',
        b"null",
        b"\xff\xfe\x00",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a": ' * 100_000 + b"1" + b"}" * 100_000,
        b"1" * 10_000,
    ],
    ids=range(10),
)
async def test_what_is_signed_but_no_payload_is_refused_in_good_order(tmp_path: Path, body: bytes) -> None:
    """Truncated, nested without end, or no object: 400 as JSON, and the next delivery is taken."""
    sent = Sent.of(said())
    async with edge(tmp_path) as hooked:
        sent.headers["X-Hub-Signature-256"] = sign(body)
        answer = await hooked.send(sent, body=body)
        assert answer.status == 400
        assert "error" in answer.said
        assert (await hooked.send(Sent.of(said()))).status == 202
        assert await hooked.counted() == 1


@pytest.mark.parametrize(
    "fields",
    [
        [("payload", "{")],
        [("other", json.dumps(said()))],
        [("payload", json.dumps(said())), ("payload", json.dumps(said()))],
        [("payload", json.dumps(said())), *((f"x{number}", "1") for number in range(100))],
    ],
    ids=["no JSON", "no payload", "two payloads", "a hundred fields"],
)
async def test_a_form_holds_one_payload_and_little_else(
    tmp_path: Path, fields: list[tuple[str, str]]
) -> None:
    """A form of another shape is refused, though it is signed."""
    body = urlencode(fields).encode()
    sent = Sent.of(said(), form=True)
    sent.headers["X-Hub-Signature-256"] = sign(body)
    async with edge(tmp_path) as hooked:
        assert (await hooked.send(sent, body=body)).status == 400
        assert await hooked.counted() == 0


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/html",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "application/json, text/html",
        "application/json2",
        "application/octet-stream",
    ],
)
async def test_only_githubs_two_content_types_are_taken(tmp_path: Path, content_type: str) -> None:
    """Anything else is 415, though its signature fits."""
    sent = Sent.of(said())
    sent.headers["Content-Type"] = content_type
    async with edge(tmp_path) as hooked:
        assert (await hooked.send(sent)).status == 415
        sent.headers["Content-Type"] = "Application/JSON; charset=utf-8"
        assert (await hooked.send(sent)).status == 202
        assert await hooked.counted() == 1


@pytest.mark.parametrize("packings", [("gzip",), ("identity", "gzip"), ("gzip", "identity"), ("deflate",)])
async def test_what_is_packed_is_not_unpacked(tmp_path: Path, packings: tuple[str, ...]) -> None:
    """GitHub sends its payloads as they are; what could grow on the way in is refused by its name, also by a second one."""
    sent = Sent.of(said())
    packed = gzip.compress(sent.body)
    head = [f"{name}: {value}" for name, value in sent.headers.items()]
    head += [f"Content-Encoding: {packing}" for packing in packings]
    async with edge(tmp_path) as hooked:
        answer = await hooked.raw([*head, f"Content-Length: {len(packed)}", "Connection: close"], packed)
        assert answer[9:12] == b"415"
        assert await hooked.counted() == 0


@pytest.mark.parametrize("missing", ["X-GitHub-Event", "X-GitHub-Delivery"])
@pytest.mark.parametrize("value", [None, "", "a b", "x" * 200, "../../etc/passwd", "é", "' OR 1=1"])
async def test_an_event_and_its_delivery_have_to_be_named(
    tmp_path: Path, missing: str, value: str | None
) -> None:
    """Without both, well-formed, nothing is done: 400."""
    sent = Sent.of(said())
    del sent.headers[missing]
    if value is not None:
        sent.headers[missing] = value
    async with edge(tmp_path) as hooked:
        assert (await hooked.send(sent)).status == 400
        assert await hooked.counted() == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
async def test_it_is_told_by_post_alone(tmp_path: Path, method: str) -> None:
    """Every other way is 405, as JSON, and says which is right."""
    async with edge(tmp_path) as hooked:
        answer = await hooked.send(Sent.of(said()), method=method)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert answer.said["error"]
        assert await hooked.counted() == 0


@pytest.mark.parametrize(
    ("secret", "repository", "named"),
    [
        ("", REPOSITORY, "GITHUB_WEBHOOK_SECRET"),
        (SECRET, "", "GITHUB_REPOSITORY"),
        ("", "", "GITHUB_WEBHOOK_SECRET"),
    ],
)
async def test_without_a_secret_or_a_repository_nothing_is_taken(
    tmp_path: Path, secret: str, repository: str, named: str
) -> None:
    """It is never open: not for what is signed with an empty secret, and not for whatever repository; 503 says what to set."""
    async with edge(tmp_path, secret=secret, repository=repository) as hooked:
        sent = Sent.of(said())
        sent.headers["X-Hub-Signature-256"] = sign(sent.body, secret)
        answer = await hooked.send(sent)
        assert answer.status == 503
        assert named in answer.said["error"]
        assert await hooked.counted() == 0


async def test_other_paths_are_said_not_to_be_there_as_json(tmp_path: Path) -> None:
    """One place turns errors into JSON."""
    async with edge(tmp_path) as hooked:
        for path in ("/", "/webhooks", f"{PATH}/", "/webhooks/gitlab", "/../etc/passwd"):
            answer = await hooked.send(Sent.of(said()), path=path)
            assert (answer.status, list(answer.said)) == (404, ["error"])
            assert answer.headers["Server"] == "Theseus"
        assert await hooked.counted() == 0
