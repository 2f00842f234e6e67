"""Lets people write to the bot while its connection, its process and its steward fail, and counts what became of each message.

    PYTHONPATH=. python scripts/soak/messages.py [--seconds 300] [--away 180] [--seed 1]
    PYTHONPATH=. python scripts/soak/messages.py --swaps 100

Discord is a stand-in in this process; steward and bot are real ones. In the first form five messages a second arrive in
several places, and every few seconds something fails: the gateway in each way it knows, the REST interface, the bot (ended in
good order or by `kill -9`), the steward (likewise). In the end each message has to be answered once, or marked lost with its
reason, and the answers of each place have to stand in the order of their questions. In the second form live code is swapped
again and again under the same load, in one process and one session, and nothing may grow.

Prints what was counted; exits 1 where something was doubled, is not accounted for, came out of order, or grew, and where the
bot asked more often than Discord lets it.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from account import account, settled
from town import Town, discord, load, town
from trouble import Trouble

from selfedit.types import LoadPlan
from tests.fakes.plans import plan
from tests.fakes.process import Process, running
from tests.fakes.world import FAST, World, clone, git

MOST_COMPLAINTS = 100
"""Lines of the bot's log that are printed where something is wrong."""
LONG_SECONDS = 200.0
"""A run has to be so long for silence of the gateway to be tried."""
GROWTH_OF_MEMORY, GROWTH_OF_OBJECTS = 1.15, 1.10
"""What may be there after the second half of the swaps, measured by what was there after the first."""
SLOW = '''
"""Chat that takes its time, so that what fails finds answers under way."""

import asyncio

from bot.feature import Registry, Turn


async def reply(turn: Turn) -> str:
    """The same text, after a while."""
    await asyncio.sleep(1.5 * turn.random())
    return f"An answer to {turn.text}"


def setup(registry: Registry) -> None:
    """Answer chat."""
    registry.chat(reply)
'''
COUNTED = """
    import asyncio
    import gc
    import json

    from bot.feature import Registry, Turn

    WORD = {word!r}


    async def reply(turn: Turn) -> str:
        if turn.text != "census":
            return WORD + " " + turn.text
        gc.collect()
        known = gc.get_objects()
        clients = [one for one in known if type(one).__module__ == "bot.discord.client"]
        found = {{
            "tasks": len(asyncio.all_tasks()),
            "objects": len(known),
            "handlers": sum(len(names) for one in clients for names in one._listeners.values())
            + sum(len(one.tree.get_commands()) + len(one.persistent_views) for one in clients),
            "generations": sum(type(one).__name__ == "Generation" for one in known),
        }}
        return json.dumps(found)


    def setup(registry: Registry) -> None:
        registry.chat(reply)
"""


def complaints(home: Path) -> list[str]:
    """What the bot's log says beside what is usual, the last of it."""
    lines = (home / "bot.log").read_text(errors="replace").splitlines()
    return [line for line in lines if " WARNING " in line or " ERROR " in line][-MOST_COMPLAINTS:]


async def troubled(seconds: float, away: float, seed: int, folder: Path) -> int:
    """The first form; how many faults there are."""
    dice = random.Random(seed)  # noqa: S311 - a seeded choice is the point
    root, home = clone(folder / "repo", FAST, {"bot/live/chat/feature.py": SLOW}), folder / "home"
    print(f"commit {git(root, 'rev-parse', '--short', 'HEAD')}, seed {seed}", flush=True)
    loop = asyncio.get_running_loop()
    async with discord() as server:
        place = town(server)
        settings = {"DISCORD_TOKEN": server.token, "THESEUS_DISCORD_API": server.api}
        async with World(root, home, settings) as world:
            await server.until(lambda: server.gateway.connected, 60)
            for channel, people in place.places:  # from here on the bot knows where people speak
                mention = f"<@{server.bot.id}> hello" if channel.guild is not None else "hello"
                place.asked.append(server.say(people[0], channel, mention))
            await server.until(lambda: all(place.answers().values()), 60)
            stop, trouble = asyncio.Event(), Trouble(server, world, dice, long=seconds >= LONG_SECONDS)
            asking = asyncio.create_task(load(place, dice, stop))
            end = loop.time() + seconds
            for name in trouble.names():
                if loop.time() > end:
                    break
                await asyncio.sleep(dice.uniform(0.5, 3.0))
                print(
                    f"{datetime.now().astimezone():%H:%M:%S} {len(place.asked):>6} messages, then {name}",
                    flush=True,
                )
                await trouble.meet(name)
            if away:
                print(f"{len(place.asked):>6} messages, then {away:.0f} s away", flush=True)
                await trouble.away(away)
            stop.set()
            await asking
            await settled(place, home)
            faults = account(place, home, trouble.met)
            if faults:
                print(*complaints(home), world.printed()[-3000:], sep="\n", file=sys.stderr)
        server.rest.wrong.clear()  # counted
    return faults


# Swaps


def generation(number: int) -> LoadPlan:
    """Live code that signs its answers with a number, and counts what there is when it is asked to."""
    files = {"bot/live/counted/feature.py": COUNTED.format(word=f"g{number}")}
    return plan(files, f"{number:040x}")


@dataclass(frozen=True)
class Census:
    """What there is in the bot's process at one moment."""

    tasks: int
    objects: int
    handlers: int
    generations: int
    memory: int
    """Resident, in kB."""


async def census(place: Town, bot: Process) -> Census:
    """Ask the bot to count, between two questions."""
    people, server = place.places[0][1], place.server
    direct = server.direct(people[-1])
    there = len(direct.messages)
    server.say(people[-1], direct, "census")
    await server.until(lambda: len(direct.messages) > there + 1, 60)
    return Census(**json.loads(direct.messages[-1].content), memory=resident(bot.process.pid))


def resident(process: int) -> int:
    """How much memory a process has, in kB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


async def swapped(swaps: int, seed: int, folder: Path) -> int:
    """The second form; how many faults there are."""
    dice = random.Random(seed)  # noqa: S311 - a seeded choice is the point
    async with discord() as server:
        place = town(server)
        settings = {"DISCORD_TOKEN": server.token, "THESEUS_DISCORD_API": server.api}
        async with running(folder, settings) as bot:
            await bot.load(generation(0))
            await server.until(lambda: server.gateway.connected, 60)
            stop = asyncio.Event()
            asking = asyncio.create_task(load(place, dice, stop))
            counted = []
            for number in range(1, swaps + 1):
                await bot.load(generation(number))
                await asyncio.sleep(0.2)
                if number in (swaps // 4, swaps // 2, swaps):
                    # Counted at rest: what is under way differs from moment to moment.
                    stop.set()
                    await asking
                    await settled(place, folder)
                    counted.append(await census(place, bot))
                    print(f"after {number:>4} swaps: {counted[-1]}", flush=True)
                    stop.clear()
                    asking = asyncio.create_task(load(place, dice, stop))
            stop.set()
            await asking
            await settled(place, folder)
            faults = account(place, folder, Counter())
        begun = server.gateway.identifies
        server.rest.wrong.clear()  # counted
    _, half, last = counted
    grown = [
        name
        for name, most in (("tasks", half.tasks + 8), ("handlers", half.handlers))
        if getattr(last, name) > most
    ]
    grown += ["memory"] if last.memory > GROWTH_OF_MEMORY * half.memory else []
    grown += ["objects"] if last.objects > GROWTH_OF_OBJECTS * half.objects else []
    grown += ["generations"] if last.generations > half.generations + 1 else []
    print(
        f"{swaps} swaps in {begun} session, {server.gateway.resumes} reconnects, grown: {grown or 'nothing'}"
    )
    return faults + len(grown) + (begun != 1) + server.gateway.resumes


def main() -> int:
    """Run as asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300.0, help="how long things fail")
    parser.add_argument("--away", type=float, default=0.0, help="seconds out of reach at the end of it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--swaps", type=int, default=0, help="swap live code so often instead")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="theseus-soak-") as name:
        folder = Path(name)
        run = (
            swapped(given.swaps, given.seed, folder)
            if given.swaps
            else troubled(given.seconds, given.away, given.seed, folder)
        )
        faults = asyncio.run(run)
    print("all holds" if not faults else f"{faults} faults", f"(seed {given.seed})")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
