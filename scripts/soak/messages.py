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
import contextlib
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from discord.utils import snowflake_time

from selfedit.types import LoadPlan
from tests.fakes.discord.description import Missing, read
from tests.fakes.discord.server import DiscordServer, serving
from tests.fakes.discord.things import Channel, Message, User
from tests.fakes.plans import plan
from tests.fakes.process import Process, running
from tests.fakes.world import FAST, World, clone, git

A_SECOND = 5
"""Messages that arrive in a second."""
PATIENCE = 600.0
"""Seconds that the bot gets in the end to answer what is left."""
POSTS = "POST /channels/{channel_id}/messages"
POSTS_AT_ONCE, POSTS_SECONDS = 5, 5.0
"""Discord's own limit for messages in one channel."""
HEARTBEAT_MS = 1_000
SILENCE_SECONDS = 90.0
"""By then the client has given a connection up through which nothing comes; it waits a minute."""
MOST_SHOWN = 10
"""Faults of a kind that are printed one by one."""
MOST_COMPLAINTS = 100
"""Lines of the bot's log that are printed where something is wrong."""
LONG_SECONDS = 200.0
"""A run has to be so long for that to be tried."""
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


@dataclass
class Town:
    """People, the places in which they write, and what they wrote."""

    server: DiscordServer
    places: list[tuple[Channel, list[User]]]
    asked: list[Message] = field(default_factory=list)

    def ask(self, dice: random.Random, text: str) -> Message:
        """Let somebody ask something somewhere."""
        channel, people = dice.choice(self.places)
        mention = f"<@{self.server.bot.id}> " if channel.guild is not None else ""
        said = self.server.say(dice.choice(people), channel, mention + text)
        self.asked.append(said)
        return said

    def answers(self) -> dict[str, list[Message]]:
        """What answers each question."""
        found: dict[str, list[Message]] = {said.id: [] for said in self.asked}
        for channel, _ in self.places:
            for one in channel.messages:
                to = str((one.data.get("message_reference") or {}).get("message_id"))
                if one.author is self.server.bot and to in found:
                    found[to].append(one)
        return found


def town(server: DiscordServer) -> Town:
    """Two servers, a thread, and direct messages."""
    people = [server.user(name) for name in ("ann", "bob", "cleo", "dan", "eve", "fay")]
    places: list[tuple[Channel, list[User]]] = []
    for name in ("Harbour", "Lighthouse"):
        guild = server.guild(name, *people)
        rooms = [server.room(guild, each) for each in ("general", "help", "off-topic")]
        places += [(room, people) for room in (*rooms, server.thread(rooms[0], people[0], "aside"))]
    return Town(server, [*places, *((server.direct(one), [one]) for one in people[:2])])


@contextlib.asynccontextmanager
async def discord() -> AsyncIterator[DiscordServer]:
    """A stand-in with Discord's own limit for messages, which holds each request against Discord's description."""
    try:
        judge = read().faults
    except Missing:
        async with serving() as server:
            yield limited(server)
        return
    async with serving(judge) as server:
        yield limited(server)


def limited(server: DiscordServer) -> DiscordServer:
    """The same, with limits, and heartbeats in quick succession."""
    server.gateway.heartbeat_ms = HEARTBEAT_MS
    server.faults.keep(POSTS, POSTS_AT_ONCE, POSTS_SECONDS)
    return server


async def load(place: Town, dice: random.Random, stop: asyncio.Event) -> None:
    """Ask something five times a second until told to stop."""
    while not stop.is_set():
        place.ask(dice, f"question {len(place.asked)}")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1 / A_SECOND)


# What fails


class Trouble:
    """Everything that can fail, one after the other."""

    def __init__(self, server: DiscordServer, world: World, dice: random.Random, *, long: bool) -> None:
        self._server, self._world, self._dice = server, world, dice
        self.met: Counter[str] = Counter()
        gateway, faults = server.gateway, server.faults
        self._quick: dict[str, Callable[[], object]] = {
            "reset": gateway.drop,
            "op 7": gateway.ask_reconnect,
            "op 9, resumable": lambda: gateway.invalidate(resumable=True),
            "op 9, not resumable": lambda: gateway.invalidate(resumable=False),
            "session forgotten": gateway.forget,
            "closed with 4000": lambda: gateway.close(4000),
            "429": lambda: faults.limit(POSTS, 0.5),
            "429, global": lambda: faults.limit(POSTS, 0.5, scope="global"),
            "429, without headers": lambda: faults.limit(POSTS, 0.5, headers=False),
            "Cloudflare's page, 429": lambda: faults.cloudflare(POSTS),
            "Cloudflare's page, 520": lambda: faults.cloudflare(POSTS, 520),
            "503": lambda: faults.fail(POSTS, 503),
            "answer cut": lambda: faults.cut(POSTS, done=True),
            "request cut": lambda: faults.cut(POSTS, done=False),
        }
        self._slow: dict[str, Callable[[], Awaitable[None]]] = {
            "away": lambda: self.away(dice.uniform(3.0, 10.0)),
            "bot ended": lambda: self._bot(signal.SIGTERM),
            "bot kill -9": lambda: self._bot(signal.SIGKILL),
            "steward ended": lambda: self._steward(signal.SIGTERM),
            "steward kill -9": lambda: self._steward(signal.SIGKILL),
        }
        if long:
            self._slow["silence"] = self._silence

    def names(self) -> Iterator[str]:
        """All of them, in an order of its own, again and again."""
        while True:
            # What takes a process down comes twice as often as what the library meets by itself.
            names = [*self._quick, *self._slow, *self._slow]
            self._dice.shuffle(names)
            yield from names

    async def meet(self, name: str) -> None:
        """Let it happen, and wait until the bot can be heard of again."""
        self.met[name] += 1
        if name in self._quick:
            self._quick[name]()
        else:
            await self._slow[name]()

    async def away(self, seconds: float) -> None:
        """The gateway is out of reach for so long, and then takes sessions up again."""
        gateway = self._server.gateway
        gateway.down = True
        gateway.drop()
        await asyncio.sleep(seconds)
        gateway.down = False

    async def _silence(self) -> None:
        gateway = self._server.gateway
        resumed = gateway.resumes
        gateway.silent = True
        await self._server.until(lambda: not gateway.links, SILENCE_SECONDS)
        gateway.silent = False
        await self._server.until(lambda: gateway.resumes > resumed, SILENCE_SECONDS)

    async def _bot(self, how: signal.Signals) -> None:
        status = await self._world.until(lambda status: bool(status.running))
        with contextlib.suppress(ProcessLookupError):
            os.kill(status.bot_pid, how)
        await self._world.until(lambda new: bool(new.running) and new.bot_pid != status.bot_pid)

    async def _steward(self, how: signal.Signals) -> None:
        if self._world.process is not None:
            self._world.process.send_signal(how)
        await self._world.ended()
        await self._world.end()
        await self._world.start()


# What became of it


@dataclass(frozen=True)
class Row:
    """What the bot's inbox says of a message."""

    state: str
    tries: int
    reason: str


def rows(home: Path) -> dict[str, Row]:
    """The row of every message in the bot's inbox."""
    shelf = sqlite3.connect(next(home.rglob("discord.sqlite3")), timeout=30.0)
    try:
        found = shelf.execute("SELECT id, state, tries, reason FROM inbox").fetchall()
    finally:
        shelf.close()
    return {str(one): Row(state, tries, reason) for one, state, tries, reason in found}


async def settled(place: Town, home: Path) -> None:
    """Wait until every message is answered or marked, or for as long as that may take."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while loop.time() < end:
        known = rows(home)
        if all(said.id in known and known[said.id].state in ("answered", "lost") for said in place.asked):
            return
        await asyncio.sleep(0.5)


def account(place: Town, home: Path, met: Counter[str]) -> int:
    """Print what became of every message; how many faults there are."""
    server, known, answers = place.server, rows(home), place.answers()
    lost = {one: row.reason for one, row in known.items() if row.state == "lost" and one in answers}
    once = [one for one, found in answers.items() if len(found) == 1 and one not in lost]
    doubled = [one for one, found in answers.items() if len(found) > 1]
    unmarked = [one for one, found in answers.items() if not found and one not in lost]
    turned = [pair for channel, _ in place.places for pair in disorder(channel, answers, lost)]
    print(f"{sum(met.values())} faults: {', '.join(f'{name} {times}' for name, times in met.most_common())}")
    print(f"sessions begun {server.gateway.identifies}, resumed {server.gateway.resumes}")
    print(f"messages {len(place.asked)}, answered once {len(once)}, doubled {len(doubled)}")
    print(f"lost: marked {len(lost)}, not marked {len(unmarked)} {' '.join(unmarked)}".rstrip())
    for why, times in Counter(lost.values()).most_common():
        print(f"  {times} because {why}")
    print(f"out of order: {len(turned)}")
    print(f"429 beyond those made to happen: {server.faults.exceeded}")
    print(f"requests that Discord would not take: {len(server.rest.wrong)}")
    asked = {said.id: said for said in place.asked}

    def show(what: str, *those: str) -> None:
        print(f"  {what}:")
        for one in those:
            print("    " + record(asked[one], known.get(one), answers[one]))

    for earlier, later in turned:
        show("out of order", earlier, later)
    for what, those in (("doubled", doubled), ("not marked", unmarked), ("lost", [*lost])):
        if those:
            show(what, *those[:MOST_SHOWN])
    for wrong in server.rest.wrong[:MOST_SHOWN]:
        print(f"  would not be taken: {wrong}")
    return len(doubled) + len(unmarked) + len(turned) + len(server.rest.wrong) + server.faults.exceeded


def disorder(
    channel: Channel, answers: dict[str, list[Message]], lost: dict[str, str]
) -> list[tuple[str, str]]:
    """Questions of a place, the earlier and the next one, whose answers stand the other way round."""
    asked = [
        one.id for one in channel.messages if one.id in answers and one.id not in lost and answers[one.id]
    ]
    return [
        (earlier, later)
        for earlier, later in pairwise(asked)
        if int(answers[later][0].id) < int(answers[earlier][0].id)
    ]


def record(said: Message, row: Row | None, answers: list[Message]) -> str:
    """A question with its row and its answers, each with its time, which is that of `bot.log`."""
    kept = f"{row.state}, {row.tries} tries {row.reason}".rstrip() if row else "no row"
    given = "; ".join(f"{one.id} at {moment(one)} {one.content!r}" for one in answers) or "none"
    return f"{said.id} in {said.channel.id} at {moment(said)} {said.content!r}: {kept}; answers: {given}"


def moment(message: Message) -> str:
    """When a message was written, as the clock of this machine shows it."""
    return f"{snowflake_time(int(message.id)).astimezone():%H:%M:%S.%f}"[:-3]


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
