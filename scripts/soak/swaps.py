"""Swaps generations while messages flow in without pause: each is answered exactly once, by one generation.

    PYTHONPATH=. python scripts/soak/swaps.py [--swaps 50]

A real bot process is fed lines as fast as it takes them, while its steward swaps between two generations. Each answer
names the generation at its start and at its end. Prints the longest pause of the event loop; exits 1 if an answer is
missing, comes twice, or was made by two generations.
"""

import argparse
import asyncio
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

from selfedit.types import LoadPlan
from tests.fakes.plans import plan
from tests.fakes.process import Process, running

FEATURE = """
    import asyncio

    from bot.feature import Registry, Turn
    from .word import WORD


    async def reply(turn: Turn) -> str:
        first = WORD
        await asyncio.sleep(0.001)
        return f"answer to {{turn.text}}: {{first}} {{WORD}}"


    def setup(registry: Registry) -> None:
        registry.chat(reply)
"""


def generation(number: int) -> LoadPlan:
    """Live code that signs its answers with a number."""
    files = {
        "bot/live/reply/__init__.py": '"""Replies."""\n',
        "bot/live/reply/word.py": f'WORD = "g{number}"\n',
        "bot/live/reply/feature.py": FEATURE.format(),
    }
    return plan(files, f"{number:040x}")


async def feed(bot: Process, stop: asyncio.Event) -> int:
    """Type lines without pause until told to stop; how many."""
    typed = 0
    while not stop.is_set():
        bot.type(f"message {typed}")
        typed += 1
        await bot.drain()
        await asyncio.sleep(0)
    return typed


async def soak(swaps: int) -> tuple[Counter[str], set[str], int, float, float]:
    """Swap under load: answers by message, words seen, messages typed, longest swap and longest loop pause in ms."""
    with tempfile.TemporaryDirectory(prefix="theseus-soak-") as home:
        async with running(Path(home)) as bot:
            await bot.load(generation(0))
            stop, lines = asyncio.Event(), list[str]()
            reading = asyncio.create_task(bot.collect(lines, "answer to last"))
            feeding = asyncio.create_task(feed(bot, stop))
            longest = 0.0
            for number in range(1, swaps + 1):
                loaded = await bot.load(generation(number))
                longest = max(longest, loaded.pause_ms)
                await asyncio.sleep(0.02)
            stop.set()
            typed = await feeding
            bot.type("last")
            await asyncio.wait_for(reading, 120)
            lag = 0.0
            while not bot.steward.beats.empty():
                lag = max(lag, bot.steward.beats.get_nowait().heartbeat.lag_ms)
    found = [match for line in lines if (match := re.search(r"answer to (message \d+): (g\d+) (g\d+)", line))]
    torn = [match[0] for match in found if match[2] != match[3]]
    if torn:
        raise AssertionError(f"answered by two generations: {torn[:3]}")
    return Counter(match[1] for match in found), {match[2] for match in found}, typed, longest, lag


def main() -> int:
    """Run as asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--swaps", type=int, default=50)
    swaps = parser.parse_args().swaps
    answers, words, typed, longest, lag = asyncio.run(soak(swaps))
    missing = [f"message {n}" for n in range(typed) if not answers[f"message {n}"]]
    twice = [message for message, times in answers.items() if times > 1]
    print(
        f"{swaps} swaps, {typed} messages, {len(answers)} answered, {len(words)} generations seen in answers"
    )
    print(f"longest swap {longest:.3f} ms, longest pause of the event loop {lag:.1f} ms")
    if missing or twice:
        print(f"missing: {missing[:5]}; answered twice: {twice[:5]}")
    return 1 if missing or twice else 0


if __name__ == "__main__":
    sys.exit(main())
