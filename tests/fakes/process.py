"""The bot as a process of its own, with a steward of prepared answers on the other end of its link."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.__main__ import ROOT, hand_over
from selfedit import protocol as say
from selfedit.types import LoadPlan
from tests.fakes.steward import FakeSteward


class Process:
    """A running bot."""

    def __init__(self, process: asyncio.subprocess.Process, steward: FakeSteward, peer: say.Peer) -> None:
        self.process, self.steward, self.peer = process, steward, peer

    async def load(self, what: LoadPlan) -> say.Loaded:
        """Have it serve a plan."""
        answer = await self.peer.call(say.Load(plan=what))
        assert isinstance(answer, say.Loaded), answer
        return answer

    def type(self, line: str) -> None:
        """Put a line into its input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    async def drain(self) -> None:
        """Wait until it has room for more input."""
        assert self.process.stdin is not None
        await self.process.stdin.drain()

    async def collect(self, lines: list[str], last: str) -> None:
        """Add the lines of its output to a list, up to one that holds a text."""
        assert self.process.stdout is not None
        while line := (await self.process.stdout.readline()).decode():
            lines.append(line)
            if last in line:
                return

    async def until(self, text: str) -> None:
        """Read its output up to a line that holds a text; it has to come soon."""
        assert self.process.stdout is not None
        seen = ""
        try:
            async with asyncio.timeout(120):
                while text not in (line := (await self.process.stdout.readline()).decode()):
                    assert line, f"its output ended without {text!r}"
                    seen += line
        except TimeoutError:
            raise AssertionError(f"no {text!r} came, but {seen!r}") from None

    async def ended(self) -> int:
        """Its exit code; it has to come soon."""
        return await asyncio.wait_for(self.process.wait(), 120)


@asynccontextmanager
async def running(home: Path, settings: dict[str, str] | None = None) -> AsyncIterator[Process]:
    """A bot process, ended for certain when the block is left."""
    ours, theirs = socket.socketpair()
    env, secrets = hand_over(settings or {})
    env = {"EMBEDDED_MODEL": "false"} | env  # unless a test wants it
    env |= {"PATH": os.environ["PATH"], "THESEUS_HOME": str(home), "THESEUS_LINK": str(theirs.fileno())}
    env["THESEUS_SECRETS_FD"] = str(secrets)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot"),
        cwd=ROOT,
        env=env,
        pass_fds=[theirs.fileno(), secrets],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    theirs.close()
    os.close(secrets)
    steward = FakeSteward({})
    reader, writer = await asyncio.open_unix_connection(sock=ours, limit=say.LINE_LIMIT)
    peer = say.Peer(reader, writer, steward.answer)
    reading = asyncio.create_task(peer.run())
    try:
        yield Process(process, steward, peer)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await peer.close()
        await reading
