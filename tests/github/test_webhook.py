"""What becomes of webhooks: the steward is told to look where something may have changed, and of nothing else."""

import asyncio
import json
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession

from bot.api import health
from bot.api.deliveries import KEPT_SECONDS, MOST, Deliveries, names
from bot.api.frame import LONGEST_BODY, CannotListen, application, serving
from bot.api.github import MOST_A_MINUTE, PATH
from bot.api.hints import Hints
from bot.api.webhook import CONCERNS
from bot.settings import Listen
from tests.fakes.github.server import GitHub
from tests.github.webhooks import NO_EXAMPLES, REPOSITORY, SECRET, Sent, edge, examples, said, sign

ROOT = Path(__file__).parents[2]
KINDS = sorted({kind for kind, _ in examples()})
needs_examples = pytest.mark.skipif(not KINDS, reason=NO_EXAMPLES)


@needs_examples
@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
async def test_each_of_githubs_own_examples_is_taken_and_wakes_the_steward_only_where_it_concerns_us(
    tmp_path: Path, *, form: bool
) -> None:
    """All of them, of every kind, are answered without a fault; those that may have changed something here are a hint each."""
    assert len(KINDS) == 58
    wrong: list[str] = []
    due = 0
    answered: Counter[str] = Counter()
    async with edge(tmp_path, now=iter(range(0, 10**6, 60)).__next__) as hooked:
        for at, (kind, payload) in enumerate(examples()):
            answer = await hooked.send(Sent.of(payload, kind, f"00000000-0000-0000-0000-{at:012}", form=form))
            answered[kind] += 1
            ours = (payload.get("repository") or {}).get("full_name") == REPOSITORY
            concerns = ours and kind in CONCERNS
            if kind == "push":
                concerns = ours and payload["ref"] == "refs/heads/main"
            due += concerns
            if (answer.status, answer.said["status"]) != (202, "accepted" if concerns else "ignored"):
                wrong.append(f"{kind}: {answer.status} {answer.said}")
            told = await hooked.counted()
            if told != due:
                wrong.append(f"{kind}: {told} hints in place of {due}")
    assert not wrong
    assert sorted(answered) == KINDS
    assert due > 40


@pytest.mark.parametrize("kind", sorted(CONCERNS))
async def test_every_kind_that_concerns_us_wakes_the_steward_once(tmp_path: Path, kind: str) -> None:
    """A minimal payload of ours is enough, for it is not believed anyway."""
    async with edge(tmp_path) as hooked:
        answer = await hooked.send(Sent.of(said(ref="refs/heads/main"), kind))
        assert (answer.status, answer.said) == (202, {"status": "accepted"})
        assert await hooked.counted() == 1


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"action": "opened", "repository": {"full_name": "somebody/else"}}, "pull_request"),
        ({"action": "opened", "repository": {"full_name": f"{REPOSITORY}x"}}, "pull_request"),
        ({"action": "opened", "repository": {"full_name": ["Codertocat", "Hello-World"]}}, "pull_request"),
        ({"action": "opened", "repository": REPOSITORY}, "pull_request"),
        ({"action": "opened"}, "pull_request"),
        ({"action": "opened", "repository": None}, "pull_request"),
        (said(ref="refs/heads/improve/1-roll"), "push"),
        (said(ref="refs/tags/main"), "push"),
        (said(ref="main"), "push"),
        (said(ref={"refs/heads/main": 1}), "push"),
        (said(), "push"),
        (said(comment={"body": "/approve 1"}), "issue_comment"),
        (said(), "star"),
        (said(), "a_kind_of_tomorrow"),
        (said(zen="Keep it logically awesome.", hook_id=1), "ping"),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value)[:60],
)
async def test_what_concerns_another_or_changes_nothing_is_taken_and_wakes_nobody(
    tmp_path: Path, payload: dict[str, object], kind: str
) -> None:
    """GitHub is told that it came, so that it does not come again; no hint leaves."""
    async with edge(tmp_path) as hooked:
        answer = await hooked.send(Sent.of(payload, kind))
        assert (answer.status, answer.said["status"]) == (202, "ignored")
        assert await hooked.counted() == 0


async def test_the_name_of_the_repository_is_read_as_github_reads_it(tmp_path: Path) -> None:
    """Upper and lower case are the same in a repository's name."""
    async with edge(tmp_path, repository=REPOSITORY.upper()) as hooked:
        assert (await hooked.send(Sent.of(said()))).said == {"status": "accepted"}
        assert await hooked.counted() == 1


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


async def test_what_is_packed_is_not_unpacked(tmp_path: Path) -> None:
    """GitHub sends its payloads as they are; what could grow on the way in is refused by its name."""
    sent = Sent.of(said())
    head = [f"{name}: {value}" for name, value in sent.headers.items()]
    head += ["Content-Encoding: gzip", f"Content-Length: {len(sent.body)}", "Connection: close"]
    async with edge(tmp_path) as hooked:
        assert (await hooked.raw(head, sent.body))[9:12] in (b"415", b"400")
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


async def test_what_comes_again_has_no_effect_also_in_the_next_process(tmp_path: Path) -> None:
    """The same delivery at once, later, and after a restart: taken, and the steward is told once."""
    sent = Sent.of(said())
    async with edge(tmp_path, gathers=True) as hooked:
        assert (await hooked.send(sent)).said == {"status": "accepted"}
        again = await hooked.send(sent)
        assert (again.status, again.said) == (202, {"status": "ignored", "why": "heard before"})
        assert await hooked.counted() == 1
        assert (await hooked.send(sent)).said["why"] == "heard before"
        assert await hooked.counted() == 1
    async with edge(tmp_path) as hooked:
        assert (await hooked.send(sent)).said["why"] == "heard before"
        assert await hooked.counted() == 0


async def test_a_copied_body_under_another_delivery_id_has_no_effect(tmp_path: Path) -> None:
    """The id is not signed, so that what was copied on its way is known by its body as well."""
    sent = Sent.of(said())
    async with edge(tmp_path) as hooked:
        await hooked.send(sent)
        assert await hooked.counted() == 1
        sent.headers["X-GitHub-Delivery"] = "11111111-2222-3333-4444-555555555555"
        assert (await hooked.send(sent)).said["why"] == "heard before"
        assert await hooked.counted() == 1


async def test_a_delivery_is_remembered_only_when_the_hint_has_left(tmp_path: Path) -> None:
    """What was taken just before the process ended may come again, and then wakes the steward."""
    sent = Sent.of(said())
    async with edge(tmp_path, gathers=True) as hooked:
        assert (await hooked.send(sent)).said == {"status": "accepted"}
    async with edge(tmp_path) as hooked:
        assert (await hooked.send(sent)).said == {"status": "accepted"}
        assert await hooked.counted() == 1


async def test_what_the_steward_was_not_told_of_may_come_again(tmp_path: Path) -> None:
    """The steward is not there: the delivery does not count as heard, and sent once more it is told of."""
    ends: list[Exception | None] = [ConnectionError(), None]

    async def tell() -> None:
        if (error := ends.pop(0)) is not None:
            raise error

    async def rest() -> None:
        """No more comes."""

    with closing(Deliveries(tmp_path / "kept.sqlite3")) as deliveries:
        hints, one = Hints(tell, deliveries, rest), names("delivery-1", b"body")
        running = asyncio.create_task(hints.run())
        for heard in (False, True):
            hints.owe(one)
            await hints.settled()
            assert (hints.heard(one), deliveries.heard(one)) == (heard, heard)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_out_of_order_is_no_matter(tmp_path: Path) -> None:
    """Events of one pull request, told backwards, are a hint each: what they say is not believed."""
    async with edge(tmp_path) as hooked:
        for at, action in enumerate(["closed", "synchronize", "ready_for_review", "opened"], start=1):
            assert (await hooked.send(Sent.of(said(action=action)))).said == {"status": "accepted"}
            assert await hooked.counted() == at


async def test_what_happens_on_the_stand_in_is_told_by_its_own_webhooks(
    tmp_path: Path, github: GitHub
) -> None:
    """A pull request and a review there, signed and sent by the stand-in itself, are hints; a comment is none."""
    async with edge(tmp_path, repository=github.repository, gathers=True) as hooked:
        github.webhook(f"http://127.0.0.1:{hooked.port}{PATH}", SECRET)
        ann, bob = github.person("ann"), github.person("bob")
        github.push(ann, "wording", {"README.md": "better\n"}, "wording")
        number = github.open(ann, "wording", "Better wording")
        await github.delivered()
        assert await hooked.counted() == 1
    async with edge(tmp_path, repository=github.repository, gathers=True) as hooked:
        github.webhook(f"http://127.0.0.1:{hooked.port}{PATH}", SECRET)
        github.comment(bob, number, "/approve 1")
        await github.delivered()
        assert await hooked.counted() == 0
        github.review(bob, number, "APPROVED")
        await github.delivered()
        assert await hooked.counted() == 1


async def test_a_hundred_at_once_are_all_taken_and_are_one_hint(tmp_path: Path) -> None:
    """What comes in one moment wakes the steward once, and nobody waits for it."""
    async with edge(tmp_path, gathers=True) as hooked:
        every = [hooked.send(Sent.of(said(number=number))) for number in range(100)]
        answers = await asyncio.gather(*every)
        assert Counter(each.status for each in answers) == {202: 100}
        assert await hooked.counted() == 1
        again = await asyncio.gather(*(hooked.send(Sent.of(said(number=number))) for number in range(100)))
        assert Counter(each.said.get("why") for each in again) == {"heard before": 100}
        assert await hooked.counted() == 1


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


def test_what_was_heard_is_kept_for_a_time_and_up_to_a_number(tmp_path: Path) -> None:
    """Older deliveries, and the oldest of too many, are let go of, so that the file does not grow for ever."""
    moment = [0.0]
    deliveries = Deliveries(tmp_path / "kept.sqlite3", lambda: moment[0])
    old, new = names("old-delivery", b"old"), names("new-delivery", b"new")
    deliveries.remember([old])
    moment[0] = KEPT_SECONDS + 1
    deliveries.remember([new])
    deliveries.close()
    deliveries = Deliveries(tmp_path / "kept.sqlite3", lambda: moment[0])
    assert (deliveries.heard(old), deliveries.heard(new)) == (False, True)
    moment[0] += 1
    deliveries.remember([names(f"delivery-{number}", b"%d" % number) for number in range(MOST)])
    assert not deliveries.heard(new)
    assert deliveries.heard(names("delivery-7", b"7"))
    deliveries.close()
    with sqlite3.connect(tmp_path / "kept.sqlite3") as kept:
        assert kept.execute("SELECT COUNT(*) FROM heard").fetchone() == (2 * MOST,)
    kept.close()


async def test_what_was_heard_outlives_a_kill(tmp_path: Path) -> None:
    """A process that is killed in the moment after it wrote a delivery down has it written down."""
    program = (
        "import sys, time; from pathlib import Path; from bot.api.deliveries import Deliveries, names\n"
        "kept = Deliveries(Path(sys.argv[1])); kept.remember([names('delivery-1', b'body')])\n"
        "print('written', flush=True); time.sleep(60)"
    )
    path = tmp_path / "kept.sqlite3"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(path), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"written\n"
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    deliveries = Deliveries(path)
    assert deliveries.heard(names("delivery-1", b"another body"))
    assert deliveries.heard(names("another-delivery", b"body"))
    assert not deliveries.heard(names("another-delivery", b"another body"))
    deliveries.close()
