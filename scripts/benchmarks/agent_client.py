"""One way of the agent benchmark in a process of its own: does what each line of its input says, and prints what it cost.

    python agent_client.py WAY ADDRESS

It is run by the interpreter of the way's environment; `agent_turns.py` speaks to it.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from agent_ways import Way, way


def resident_kb() -> int:
    """Resident memory of this process in KiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


async def _looked_up(asked: Way, conversation: str, word: str) -> bool:
    said = await asked.ask(conversation, f"look {word}")
    return f"{word} is {word[::-1]} in English" in said


async def turns(asked: Way, first: int, number: int) -> int:
    """So many turns, one after the other, each in a new conversation; how many were answered rightly."""
    return sum([await _looked_up(asked, f"c{each}", f"word{each}") for each in range(first, first + number)])


async def crowd(asked: Way, first: int, number: int) -> int:
    """The same, all at once."""
    return sum(
        await asyncio.gather(
            *(_looked_up(asked, f"c{each}", f"word{each}") for each in range(first, first + number))
        )
    )


async def grow(asked: Way, first: int, number: int, turns_each: int) -> int:
    """So many conversations of so many turns each."""
    right = 0
    for turn in range(turns_each):
        for each in range(first, first + number):
            right += await _looked_up(asked, f"c{each}", f"word{turn}")
    return right


async def slow(asked: Way, first: int) -> int:
    """One turn in which a model calls two tools that take a second each."""
    said = await asked.ask(f"c{first}", "wait for me")
    return "waited" in said


WORK: dict[str, Callable[..., Coroutine[None, None, int]]] = {
    "turns": turns,
    "crowd": crowd,
    "grow": grow,
    "slow": slow,
}


def main() -> None:
    """Serve the lines of the input."""
    name, address = sys.argv[1:]
    before = resident_kb()
    with asyncio.Runner() as runner:
        began, used = time.perf_counter(), time.process_time()
        asked = way(name, address)
        right = int(runner.run(_looked_up(asked, "first", "first")))
        first = {"cpu": time.process_time() - used, "wall": time.perf_counter() - began, "right": right}
        print(json.dumps({**first, "kb": resident_kb() - before}), flush=True)
        for line in sys.stdin:
            do = json.loads(line)
            work = WORK[do.pop("do")]
            gc.collect()
            kb, began, used = resident_kb(), time.perf_counter(), time.process_time()
            right = runner.run(work(asked, **do))
            told = {
                "cpu": time.process_time() - used,
                "wall": time.perf_counter() - began,
                "right": int(right),
            }
            gc.collect()
            print(json.dumps({**told, "kb": resident_kb() - kb}), flush=True)
        runner.run(asked.close())


if __name__ == "__main__":
    main()
