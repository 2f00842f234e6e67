"""People who write to the bot in several places of a stand-in for Discord, five times a second."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.fakes.discord.description import Missing, read
from tests.fakes.discord.server import DiscordServer, serving
from tests.fakes.discord.things import Channel, Message, User

A_SECOND = 5
"""Messages that arrive in a second."""
POSTS = "POST /channels/{channel_id}/messages"
POSTS_AT_ONCE, POSTS_SECONDS = 5, 5.0
"""Discord's own limit for messages in one channel."""
HEARTBEAT_MS = 1_000


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
