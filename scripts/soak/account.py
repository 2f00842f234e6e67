"""What became of each message: answered once, doubled, lost with a reason or without, or out of order."""

import asyncio
import sqlite3
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from discord.utils import snowflake_time
from town import Town

from tests.fakes.discord.things import Channel, Message

PATIENCE = 600.0
"""Seconds that the bot gets in the end to answer what is left."""
MOST_SHOWN = 10
"""Faults of a kind that are printed one by one."""


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
