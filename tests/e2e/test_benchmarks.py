"""A short run of the benchmark that needs nothing else: proves that it runs and that all ways answer rightly. Times nothing."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WAYS = ("raw", "raw-responses", "theseus", "theseus-responses")


def test_every_way_of_a_turn_answers_rightly() -> None:
    """Over both interfaces, one by one and a hundred at once, each conversation hears the answer to its own question."""
    short = ("--here", "--rounds", "1", "--turns", "2", "--conversations", "3")
    done = subprocess.run(
        [sys.executable, "scripts/benchmarks/agent_turns.py", *short, "--ways", *WAYS],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    lines = {line.split()[0]: line for line in done.stdout.splitlines()[2:-1]}
    assert all("100/100" in lines[way] for way in WAYS)
    assert "ill-formed" not in done.stderr
