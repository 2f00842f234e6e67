"""How fast code is swapped, against the naive way: ending the process and starting it again with the new code.

Both bring another commit's live code to answer a message, turn and turn about, in real bot processes. Two things are
compared: how long nobody is answered (the pause), and how long it takes until the new code answers.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from selfedit.types import LoadPlan, SourceFile
from tests.fakes.plans import blob_of
from tests.fakes.process import Process, running

ROOT = Path(__file__).resolve().parents[2]


def this_code(number: int) -> LoadPlan:
    """The live code of this repository, made different by a number that `/roll help` answers with."""
    files = []
    for folder in ("bot/live", "agent/live"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".md"):
                name, text = path.relative_to(ROOT).as_posix(), path.read_text()
                text = text.replace("Say it like", f"Number {number}: say it like")
                files.append(SourceFile(path=name, blob=blob_of(text), text=text))
    return LoadPlan(commit=f"{number:040x}", tree="0" * 40, files=tuple(files))


async def swap(bot: Process, number: int) -> tuple[float, float]:
    """Swap new code in: seconds without anybody to answer, seconds until the new code answers."""
    began = time.perf_counter()
    loaded = await bot.load(this_code(number))
    bot.type("/roll help")
    await bot.until(f"Number {number}:")
    return loaded.pause_ms / 1000, time.perf_counter() - began


async def restart(number: int) -> tuple[float, float]:
    """End a process and start one with new code: the same two times, which are one here."""
    with tempfile.TemporaryDirectory() as home:
        async with running(Path(home)) as old:
            await old.load(this_code(number - 1))
            began = time.perf_counter()
            old.process.terminate()
            await old.ended()
            async with running(Path(home)) as new:
                await new.load(this_code(number))
                new.type("/roll help")
                await new.until(f"Number {number}:")
                spent = time.perf_counter() - began
    return spent, spent


async def compare(rounds: int) -> None:
    """Take turns and print the medians of the pairs."""
    pauses, waits = [], []
    swaps, restarts = [], []
    with tempfile.TemporaryDirectory() as home:
        async with running(Path(home)) as bot:
            await bot.load(this_code(0))
            for number in range(1, rounds + 1):
                pause, wait = await swap(bot, number)
                gone, again = await restart(number + 10_000)
                pauses.append(gone / pause)
                waits.append(again / wait)
                swaps.append((pause, wait))
                restarts.append(again)
    print(f"swap of generations against restart of the process, {rounds} pairs, medians")
    pause, wait = (statistics.median(column) for column in zip(*swaps, strict=True))
    print(
        f"  nobody answers:          {pause * 1000:9.3f} ms against {statistics.median(restarts) * 1000:7.0f} ms"
    )
    print(
        f"  until new code answers:  {wait * 1000:9.1f} ms against {statistics.median(restarts) * 1000:7.0f} ms"
    )
    print(f"ratio swap/pause {statistics.median(pauses):.0f} times shorter (at least 100 wanted)")
    print(f"ratio swap/new-code {statistics.median(waits):.1f} times sooner")


def main() -> int:
    """Run as asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    asyncio.run(compare(parser.parse_args().rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
