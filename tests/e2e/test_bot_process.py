"""The bot as a process of its own, with a steward of prepared answers on the other end of its link."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.__main__ import ROOT, hand_over
from selfedit import protocol as say
from selfedit.types import LoadPlan
from tests.fakes.plans import echo, plan
from tests.fakes.steward import FakeSteward

STUCK = """
    async def stand_still(turn):
        if turn.text == "stop":
            while True: pass
        return "moving"
    def setup(r): r.chat(stand_still)
"""


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

    async def until(self, text: str) -> None:
        """Read its output up to a line that holds a text."""
        assert self.process.stdout is not None
        while text not in (line := (await self.process.stdout.readline()).decode()):
            assert line, f"its output ended without {text!r}"

    async def ended(self) -> int:
        """Its exit code; it has to come soon."""
        return await asyncio.wait_for(self.process.wait(), 20)


@asynccontextmanager
async def running(home: Path, settings: dict[str, str] | None = None) -> AsyncIterator[Process]:
    ours, theirs = socket.socketpair()
    env, secrets = hand_over(settings or {})
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


async def test_it_lives_loads_answers_and_ends_in_order(tmp_path: Path) -> None:
    """A heartbeat before anything is loaded, then answers of what was loaded, and a clean end when it is told to."""
    async with running(tmp_path) as bot:
        assert (await bot.steward.beats.get()).heartbeat.commit == ""
        await bot.load(echo("ahoy"))
        bot.type("hello")
        await bot.until("ahoy hello")
        bot.process.send_signal(signal.SIGTERM)
        assert await bot.ended() == 0


async def test_the_end_of_input_asks_the_steward_to_end(tmp_path: Path) -> None:
    """When its input has ended and all is answered, it asks for the end and waits to be told."""
    async with running(tmp_path) as bot:
        await bot.load(echo("ahoy"))
        bot.type("hello")
        assert bot.process.stdin is not None
        bot.process.stdin.close()
        await bot.until("ahoy hello")
        await bot.steward.beats.get()
        while "Quit" not in bot.steward.kinds():
            await bot.steward.beats.get()
        assert bot.process.returncode is None


async def test_it_does_not_outlive_its_steward(tmp_path: Path) -> None:
    """Once the link is closed the process ends by itself."""
    async with running(tmp_path) as bot:
        await bot.load(echo("ahoy"))
        await bot.peer.close()
        assert await bot.ended() == 0


async def test_even_a_stuck_one_does_not_outlive_its_steward(tmp_path: Path) -> None:
    """Live code that blocks the event loop for ever cannot keep an orphan alive."""
    async with running(tmp_path) as bot:
        await bot.load(plan({"bot/live/a/feature.py": STUCK}))
        bot.type("go")
        await bot.until("moving")
        bot.type("stop")
        await bot.until("> stop")
        await bot.peer.close()
        assert await bot.ended() == 0


async def test_a_line_that_killed_it_is_answered_by_the_next(tmp_path: Path) -> None:
    """A bot that is killed over a line leaves it for the next one, which answers it with the code it is given."""
    async with running(tmp_path) as bot:
        await bot.load(plan({"bot/live/a/feature.py": STUCK}))
        bot.type("stop")
        await bot.until("> stop")
        bot.process.kill()
        await bot.ended()
    async with running(tmp_path) as bot:
        await bot.load(echo("ahoy"))
        await bot.until("ahoy stop")


async def test_its_environment_shows_no_secret(tmp_path: Path) -> None:
    """A running bot knows its keys, and no other process can read them from its environment."""
    async with running(tmp_path, {"OPENAI_API_KEY": "canary"}) as bot:
        await bot.load(echo("ahoy"))
        await bot.until("A language model is set up")
        environ = await asyncio.to_thread(Path(f"/proc/{bot.process.pid}/environ").read_bytes)
        assert b"canary" not in environ
