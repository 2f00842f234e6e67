"""What the two processes cost: memory at rest, and time from the start to the first answer.

The comparison is with the same bot when it imports at its start every SDK that it may come to need, as most bots do.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from selfedit import protocol as say
from tests.fakes.world import World, clone

EAGER = "import anthropic, discord, docker, git, libcst, openai, prompt_toolkit\n"


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def first_answer(root: Path, home: Path) -> float:
    """Seconds from the start of `python -m bot` to the answer of a line that was waiting."""
    world = World(root, home)
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "bot"],
        cwd=root,
        env=world.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise OSError("no pipes")
        process.stdin.write("/roll 1d6\n")
        process.stdin.close()
        for line in process.stdout:
            if "You rolled" in line:
                break
        spent = time.perf_counter() - began
        process.stdout.read()
    return spent


async def memory(root: Path, home: Path) -> tuple[float, float]:
    """MiB of steward and bot when nothing goes on."""
    async with World(root, home) as world:
        await asyncio.sleep(1)
        status: say.StatusIs = await world.ask(say.Status())
        return resident_mb(status.steward_pid), resident_mb(status.bot_pid)


def main() -> int:
    """Run as asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="theseus-bench-") as name:
        folder = Path(name)
        lazy = clone(folder / "lazy")
        main_file = (lazy / "bot/__main__.py").read_text()
        head, found, rest = main_file.partition("\nimport ")
        eager = clone(folder / "eager", files={"bot/__main__.py": f"{head}\n{EAGER}{found.lstrip()}{rest}"})
        for root in (lazy, eager):
            first_answer(
                root, folder / f"home-{root.name}"
            )  # the first start of all makes a key and a ledger
        pairs = [
            tuple(first_answer(root, folder / f"home-{root.name}") for root in (lazy, eager))
            for _ in range(rounds)
        ]
        steward, bot = asyncio.run(memory(lazy, folder / "home-lazy"))
        eager_steward, eager_bot = asyncio.run(memory(eager, folder / "home-eager"))
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"start to the first answer, {rounds} pairs, medians: {mine:.2f} s; with all SDKs imported {theirs:.2f} s"
    )
    print(f"ratio start {statistics.median(b / a for a, b in pairs):.1f} times sooner")
    print(
        f"memory at rest: steward {steward:.0f} MiB, bot {bot:.0f} MiB; with all SDKs {eager_steward:.0f} and {eager_bot:.0f}"
    )
    print(f"ratio memory {(eager_steward + eager_bot) / (steward + bot):.1f} times less")
    print(json.dumps({"cpus": os.cpu_count(), "python": sys.version.split()[0]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
