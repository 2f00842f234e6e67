"""The bot as a process of its own, with a steward of prepared answers on the other end of its link."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from tests.fakes.plans import echo, plan
from tests.fakes.process import running

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "http://somebody:pass%20word@gw.example:8080/v1?api_key=abcdef123"
LOGS = """
import logging, sys
from pathlib import Path

import httpx2

from bot.app import log_to

address, key, home = sys.argv[1:]
log_to(Path(home), [key])
client = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200)))
client.get(address)
log = logging.getLogger("theseus.some")
log.info("asked with %s", key)
try:
    raise ValueError(f"no good: {key}")
except ValueError:
    log.exception("failed")
"""
STUCK = """
    async def stand_still(turn):
        if turn.text == "stop":
            while True: pass
        return "moving"
    def setup(r): r.chat(stand_still)
"""


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


def test_the_log_holds_no_secret(tmp_path: Path) -> None:
    """Neither requests of libraries nor messages nor tracebacks bring a secret into the log."""
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, "-c", LOGS, ADDRESS, "canary-key", str(home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    log = (home / "bot.log").read_text(encoding="utf-8")
    assert "asked with (hidden)" in log
    assert "no good: (hidden)" in log
    assert "gw.example" not in log
