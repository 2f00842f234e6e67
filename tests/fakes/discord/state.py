"""Everything there is on the stand-in, and what is told when it changes."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from tests.fakes.discord.refusals import unknown
from tests.fakes.discord.things import DM, Channel, Event, Guild, Json, User

Clock = Callable[[], float]
"""Seconds since 1970."""
EPOCH_MS = 1_420_070_400_000
"""The first millisecond of 2015, from which Discord's ids count."""


class World:
    """Everything there is, and what is told when it changes."""

    def __init__(self, clock: Clock = time.time) -> None:
        self.clock = clock
        self.users: dict[str, User] = {}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, bytes] = {}
        """What attachments hold, by the path at which they are served."""
        self.commands: dict[str, list[Json]] = {}
        """Registered commands by server, global ones under the empty name."""
        self.shards = 1
        """How many sessions clients are told to have."""
        self.identified = 0
        """How many sessions have begun."""
        self.base = ""
        """Where the stand-in listens, as `http://127.0.0.1:1`."""
        self.hear: Callable[[Event], None] = lambda _event: None
        self._last = 0
        self._change = asyncio.Event()
        self.bot = self.user("theseus", bot=True)
        self.owner = self.user("operator")
        """Whose application the bot is."""
        self.application: Json = {}
        """What is said of the application beside what is usual, as `team` or `flags`."""

    def snowflake(self) -> str:
        """A new id, greater than all before."""
        self._last = max(self._last + 1, (int(self.clock() * 1000) - EPOCH_MS) << 22)
        return str(self._last)

    def now(self) -> str:
        """This moment, as Discord writes it."""
        return datetime.fromtimestamp(self.clock(), UTC).isoformat()

    def user(self, name: str, *, bot: bool = False) -> User:
        """Make somebody."""
        made = User(self.snowflake(), name, bot)
        self.users[made.id] = made
        return made

    def channel(self, channel_id: str) -> Channel:
        """A channel that is there."""
        if channel_id not in self.channels:
            raise unknown("Channel", 10003)
        return self.channels[channel_id]

    def guild(self, guild_id: str) -> Guild:
        """A server that is there."""
        if guild_id not in self.guilds:
            raise unknown("Guild", 10004)
        return self.guilds[guild_id]

    def direct(self, user: User) -> Channel:
        """The channel in which the bot and somebody write to each other; made at its first use."""
        for channel in self.channels.values():
            if channel.kind == DM and user.id in channel.people:
                return channel
        made = Channel(self.snowflake(), DM, "", people={self.bot.id: self.bot, user.id: user})
        self.channels[made.id] = made
        return made

    def emit(self, event: Event) -> None:
        """Tell what happened, to sessions and to whoever waits for a change."""
        self.hear(event)
        self.changed()

    def changed(self) -> None:
        """Let those look again who wait for something to become true."""
        self._change.set()
        self._change = asyncio.Event()

    async def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        """Wait for a condition on this world to become true.

        Raises:
            TimeoutError: It did not within so many seconds.
        """
        async with asyncio.timeout(seconds):
            while not condition():
                await self._change.wait()
