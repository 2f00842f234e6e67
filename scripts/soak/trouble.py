"""What can fail while people write: the gateway, the interface for requests, the bot, the steward."""

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

from town import POSTS

from tests.fakes.discord.server import DiscordServer
from tests.fakes.world import World

SILENCE_SECONDS = 90.0
"""By then the client has given a connection up through which nothing comes; it waits a minute."""


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
