"""One connection to the gateway, and the session that outlives it."""

import asyncio
import json
import zlib
from dataclasses import dataclass, field

from aiohttp import web

from tests.fakes.discord.things import Guild, Json

CLOSED = {
    4000: "Unknown error.",
    4001: "Unknown opcode.",
    4002: "Error while decoding payload.",
    4003: "Not authenticated.",
    4004: "Authentication failed.",
    4005: "Already authenticated.",
    4007: "Invalid seq.",
    4008: "Rate limited.",
    4009: "Session timed out.",
    4010: "Invalid shard.",
    4011: "Sharding required.",
    4012: "Invalid API version.",
    4013: "Invalid intent(s).",
    4014: "Disallowed intent(s).",
}
SENT_A_MINUTE = 120
"""Messages that a connection may send in a minute before it is closed."""


class Closed(Exception):
    """The connection is to be closed with a code."""

    def __init__(self, code: int) -> None:
        super().__init__(CLOSED[code])
        self.code = code


@dataclass(slots=True, eq=False)
class Session:
    """What the gateway knows of a client that has identified; the connection may be gone."""

    id: str
    intents: int
    shard: tuple[int, int]
    sent: list[Json] = field(default_factory=list)
    """Every event of the session; its place is its sequence number less one."""
    link: "Link | None" = None

    def covers(self, guild: Guild | None) -> bool:
        """Whether events of a server, or of direct messages, belong to this shard."""
        number, count = self.shard
        return (number == 0) if guild is None else (int(guild.id) >> 22) % count == number


class Link:
    """One WebSocket connection."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, clock: float) -> None:
        self.socket, self.request = socket, request
        self.session: Session | None = None
        self.given_up = False
        """This end closed it, or cut it."""
        self.compressor = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None
        self._queue: asyncio.Queue[Json | int | None] = asyncio.Queue()
        self._window, self._received = clock, 0

    def send(self, payload: Json) -> None:
        """Put a payload behind those that are on their way."""
        self._queue.put_nowait(payload)

    def close(self, code: int) -> None:
        """Close it after what is on its way."""
        self.given_up = True
        self._queue.put_nowait(code)

    def cut(self) -> None:
        """Cut it at once, without a word."""
        self.given_up = True
        self._queue.put_nowait(None)
        if self.request.transport is not None:
            self.request.transport.abort()

    async def write(self) -> None:
        """Send what is put into the queue, one after the other."""
        while (item := await self._queue.get()) is not None:
            if isinstance(item, int):
                await self.socket.close(code=item, message=CLOSED.get(item, "").encode())
                return
            text = json.dumps(item)
            try:
                if self.compressor is None:
                    await self.socket.send_str(text)
                else:
                    data = self.compressor.compress(text.encode())
                    await self.socket.send_bytes(data + self.compressor.flush(zlib.Z_SYNC_FLUSH))
            except ConnectionError:
                return

    def count(self, now: float) -> None:
        """Count one message of the client."""
        if now - self._window >= 60:
            self._window, self._received = now, 0
        self._received += 1
        if self._received > SENT_A_MINUTE:
            raise Closed(4008)
