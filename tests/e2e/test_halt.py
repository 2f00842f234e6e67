"""A halt that the operator says to the steward, whatever the bot is doing."""

import asyncio
import socket

from selfedit import protocol as say
from selfedit.process.place import Place
from selfedit.process.steward import Steward
from tests.e2e.desk_world import ME, place

__all__ = ["place"]


async def nobody(_body: object) -> None:
    """What nobody hears."""


async def test_a_bot_that_does_not_listen_holds_no_halt_up(place: Place) -> None:
    """Self-editing is halted and the operator answered although the bot reads nothing of what it is told."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    writer.write(b" " * 10_000_000)  # more than any buffer takes, and nobody reads
    steward = Steward(place, ["true"])
    steward._bot._peer = say.Peer(reader, writer, nobody)
    async with asyncio.timeout(30):
        answer = await steward._answer_operator(say.Halt(by=ME))
    assert isinstance(answer, say.Done), answer
    assert steward.desk.record.halted
    for telling in steward._tellings:
        telling.cancel()
    await asyncio.gather(*steward._tellings, return_exceptions=True)
    theirs.close()
    writer.transport.abort()
    await steward.desk.close()
