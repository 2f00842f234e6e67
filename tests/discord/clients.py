"""The unmodified client, as tests use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import discord
from discord import app_commands

from tests.fakes.discord.server import DiscordServer

READY_SECONDS = 0.05
"""How long the client waits for another server before it says that it is ready; its own default is 2."""
SECONDS = 10.0
"""Whatever a test waits for comes far sooner."""

AnyClient = TypeVar("AnyClient", bound=discord.Client)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        """What time it is."""
        return self.seconds


class Listener(discord.Client):
    """Writes down what it hears, and does nothing by itself."""

    def __init__(self, intents: discord.Intents | None = None, **options: Any) -> None:
        options.setdefault("allowed_mentions", discord.AllowedMentions.none())
        super().__init__(intents=intents or usual_intents(), guild_ready_timeout=READY_SECONDS, **options)
        self.heard: asyncio.Queue[discord.Message] = asyncio.Queue()
        self.connection: asyncio.Task[None]
        """Ends when the client gives up."""
        self.events: asyncio.Queue[str] = asyncio.Queue()

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Tell of an event while there is a loop to do so: the library goes on for a while when it is closed."""
        if not self.is_closed():
            super().dispatch(event, *args, **kwargs)

    async def on_message(self, message: discord.Message) -> None:
        """Keep what others write."""
        if message.author != self.user:
            self.heard.put_nowait(message)

    async def next(self) -> discord.Message:
        """The next message of somebody else."""
        return await asyncio.wait_for(self.heard.get(), SECONDS)

    async def on_ready(self) -> None:
        """A session has begun."""
        self.events.put_nowait("ready")

    async def on_resumed(self) -> None:
        """A session goes on."""
        self.events.put_nowait("resumed")

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Do not wait the five seconds that Discord asks for."""

    async def session(self) -> str:
        """The next of `ready` and `resumed`."""
        return await asyncio.wait_for(self.events.get(), SECONDS)


class Sharded(discord.AutoShardedClient):
    """A client with several sessions."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents(guilds=True), guild_ready_timeout=READY_SECONDS)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Do not wait the five seconds that Discord asks for."""


class Commander(Listener):
    """A listener with commands; they are registered when it starts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.tree = app_commands.CommandTree(self)

    async def setup_hook(self) -> None:
        """Register the commands with the server."""
        await self.tree.sync()


def usual_intents() -> discord.Intents:
    """What a bot that chats needs."""
    intents = discord.Intents.default()
    intents.message_content = True
    return intents


@asynccontextmanager
async def connected(server: DiscordServer, client: AnyClient) -> AsyncIterator[AnyClient]:
    """A client that is ready, and is closed for certain when the block is left.

    Raises:
        discord.DiscordException: The client gave up.
    """
    tasks: list[asyncio.Task[None]] = []
    try:
        await client.login(server.token)
        tasks += [asyncio.create_task(client.connect()), asyncio.create_task(client.wait_until_ready())]
        if isinstance(client, Listener):
            client.connection = tasks[0]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=SECONDS)
        if tasks[0].done():
            tasks[0].result()
        assert tasks[1].done(), "the client did not become ready"
        yield client
    finally:
        for task in tasks[1:]:
            task.cancel()
        await client.close()
        await asyncio.gather(*tasks, return_exceptions=True)
