"""Steward and bot speak JSON lines: every call is answered, and a lost end is an error, not a wait."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import BaseModel

from selfedit import protocol as say
from selfedit.types import Heartbeat, Request


@asynccontextmanager
async def pair(left: say.Answer, right: say.Answer) -> AsyncIterator[tuple[say.Peer, say.Peer]]:
    one, two = socket.socketpair()
    ends = []
    for sock, answer in ((one, left), (two, right)):
        reader, writer = await asyncio.open_unix_connection(sock=sock, limit=say.LINE_LIMIT)
        ends.append(say.Peer(reader, writer, answer))
    jobs = [asyncio.create_task(end.run()) for end in ends]
    try:
        yield ends[0], ends[1]
    finally:
        for end in ends:
            await end.close()
        await asyncio.gather(*jobs)


async def silent(_: BaseModel) -> BaseModel | None:
    return None


async def test_many_calls_at_once_get_their_own_answers() -> None:
    """Answers find the call that they belong to, in whatever order they come."""

    async def slow_first(body: say.Show) -> BaseModel:
        await asyncio.sleep(0.05 if body.number == 0 else 0)
        return say.Done(text=str(body.number))

    async with pair(silent, slow_first) as (left, _):
        answers = await asyncio.gather(*(left.call(say.Show(number=n)) for n in range(20)))
    assert [answer.text for answer in answers] == [str(n) for n in range(20)]


async def test_both_ends_may_ask_while_they_answer() -> None:
    """A call may be answered with the help of a call in the other direction."""
    ends: dict[str, say.Peer] = {}

    async def ask_back(_: BaseModel) -> BaseModel:
        answer: BaseModel = await ends["right"].call(say.Why())
        return answer

    async def know(_: BaseModel) -> BaseModel:
        return say.WhyIs(running="abc", traced=())

    async with pair(know, ask_back) as (left, right):
        ends["right"] = right
        assert (await left.call(say.Status())).running == "abc"


async def test_whoever_waits_hears_of_a_lost_end() -> None:
    """If the other process dies, the caller gets ConnectionError and later calls do too."""
    asked = asyncio.Event()

    async def never(_: BaseModel) -> BaseModel:
        asked.set()
        await asyncio.Event().wait()
        return say.Done()

    async with pair(silent, never) as (left, right):
        waiting = asyncio.create_task(left.call(say.Status()))
        await asked.wait()
        await right.close()
        with pytest.raises(ConnectionError):
            await waiting
        with pytest.raises(ConnectionError):
            await left.call(say.Status())
        await left.notify(say.News(text="nobody hears this, and that is no error"))


async def test_notices_want_no_answer() -> None:
    """A heartbeat arrives and nothing comes back."""
    heard: asyncio.Queue[BaseModel] = asyncio.Queue()

    async def note(body: BaseModel) -> None:
        await heard.put(body)

    async with pair(silent, note) as (left, _):
        await left.notify(say.Beat(heartbeat=Heartbeat(commit="abc", requests=3)))
        assert await heard.get() == say.Beat(heartbeat=Heartbeat(commit="abc", requests=3))


@pytest.mark.parametrize(
    "line", [b"hello\n", b'{"id": 1, "body": {"kind": "nonsense"}}\n', b"\xff\xfe\n", b"[]\n"]
)
async def test_a_line_that_is_no_message_ends_the_conversation(line: bytes) -> None:
    """Nobody guesses at what a stranger on the socket might mean."""
    one, two = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=one)
    peer = say.Peer(reader, writer, silent)
    job = asyncio.create_task(peer.run())
    two.sendall(line)
    await asyncio.wait_for(job, 5)
    assert peer.closed.is_set()
    two.close()


async def test_a_large_message_passes() -> None:
    """A load plan with the text of many files is one line."""

    async def measure(body: say.Improve) -> BaseModel:
        return say.Done(text=str(len(body.request.goal or "")))

    async with pair(silent, measure) as (left, _):
        big = {str(n): "x" * 100_000 for n in range(50)}
        await left.notify(say.AskDraft(id="1", request=Request(requested_by="a:b"), files=big))
        answer = await left.call(say.Improve(request=Request(requested_by="a:b", goal="y" * 4000)))
    assert answer.text == "4000"
