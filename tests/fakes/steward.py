"""A steward made of prepared answers, on the other end of a real link."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel

from selfedit import protocol as say
from selfedit.types import Proposal, Stage

Answers = Mapping[type[BaseModel], Callable[[Any], BaseModel]]

STATUS = say.StatusIs(
    running="a" * 40, main="a" * 40, sandbox="none needed", steward_pid=1, bot_pid=2, home="/nowhere"
)


class FakeSteward:
    """Remembers what it was asked, and answers from a table; what is not in it is refused."""

    def __init__(self, answers: Answers) -> None:
        self.answers: dict[type[BaseModel], Callable[[Any], BaseModel]] = {
            say.Status: lambda _: STATUS,
            say.Quit: lambda _: say.Done(),
            **answers,
        }
        self.asked: list[BaseModel] = []
        self.beats: asyncio.Queue[say.Beat] = asyncio.Queue()
        self.peer: say.Peer | None = None

    async def answer(self, body: BaseModel) -> BaseModel | None:
        """Answer, and remember that it was asked."""
        if isinstance(body, say.Beat):
            self.beats.put_nowait(body)
            return None
        self.asked.append(body)
        make = self.answers.get(type(body))
        return make(body) if make else say.Refused(why=f"no answer was prepared for {type(body).__name__}")

    def kinds(self) -> list[str]:
        """What was asked, by name."""
        return [type(body).__name__ for body in self.asked]


@asynccontextmanager
async def linked(steward: FakeSteward, answer: say.Answer) -> AsyncIterator[say.Peer]:
    """The bot's end of a link to a steward, for as long as the block lasts."""
    ours, theirs = socket.socketpair()
    ends = []
    for sock, how in ((ours, answer), (theirs, steward.answer)):
        reader, writer = await asyncio.open_unix_connection(sock=sock, limit=say.LINE_LIMIT)
        ends.append(say.Peer(reader, writer, how))
    steward.peer = ends[1]
    running = [asyncio.create_task(end.run()) for end in ends]
    try:
        yield ends[0]
    finally:
        for end in ends:
            await end.close()
        await asyncio.gather(*running)


def proposal(number: int = 1, stage: Stage = Stage.OPENED, **fields: Any) -> Proposal:
    """A proposal with what is not of interest filled in."""
    fields = {"title": "Roll better", "requested_by": "console:ann", "head": "b" * 40, **fields}
    return Proposal(number=number, stage=stage, **fields)
