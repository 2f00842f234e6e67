"""A short run of each long one: kills at random moments, swaps while messages flow in, and both on Discord."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def soak(name: str, *args: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, f"scripts/soak/{name}.py", *args],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_swaps_lose_and_double_no_message() -> None:
    """Twenty swaps while lines flow in: every message answered once, by one generation."""
    said = soak("swaps", "--swaps", "20")
    typed, answered = map(int, re.findall(r"(\d+) messages, (\d+) answered", said)[0])
    assert typed == answered > 0


def test_a_few_kills_leave_nothing_behind(caches: Path) -> None:
    """Steward or bot killed at random moments: after each, everything that must hold holds."""
    said = soak("kills", "--count", "4", "--seed", "3", "--caches", str(caches))
    assert "4 of 4 kills survived" in said


def test_whatever_fails_no_message_is_lost_or_doubled() -> None:
    """Bot and steward ended and killed, gateway and interface failing: each message answered once or marked, in order."""
    said = soak("messages", "--seconds", "25", "--seed", "1")
    asked, once = map(int, re.findall(r"messages (\d+), answered once (\d+), doubled 0", said)[0])
    assert asked >= once > 0
    assert re.search(r"lost: marked \d+, not marked 0", said)
    assert "out of order: 0" in said


def test_swaps_on_discord_make_nothing_grow() -> None:
    """Twenty swaps while people write: one session, no reconnect, and no more tasks, handlers or memory than before."""
    said = soak("messages", "--swaps", "20")
    assert "20 swaps in 1 session, 0 reconnects, grown: nothing" in said
