"""A short run of each long one: kills at random moments, and swaps while messages flow in."""

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
