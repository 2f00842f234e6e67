"""Hands the session at the gateway over to the next process, so that Discord repeats to it what it missed.

A session that goes on is not told again of the servers and channels there are. So a journal of what tells of them is kept,
with the session's id and the last sequence number behind which everything was accepted; the next process feeds the journal
to the library, and connects where the last one stopped. Where anything about it is missing or odd, it begins anew.

This is the one module that knows the library from inside. The token is not kept, nor any message.
"""

import asyncio
import json
import logging
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast

import aiohttp
import discord
import yarl
from discord.backoff import ExponentialBackoff
from discord.gateway import DiscordWebSocket, ReconnectWebSocket

YOUNG_SECONDS = 600.0
"""An older session is not tried; Discord keeps one for some minutes and says itself when it is gone."""
KEEP_SECONDS = 1.0
"""How often the sequence number is kept. What came after it is repeated, and known by the inbox."""
MOST_BYTES = 32_000_000
"""Of a journal. A larger one is given up, and the next process begins anew."""
MOST_FAILURES = 5
"""Connections in a row that came to nothing, after which the session is given up."""
CONNECT_SECONDS, CLOSE_SECONDS = 60.0, 1.0
STAYS_OPEN = 4000
"""Closing with 1000 or 1001 would end the session at Discord."""

_NAME = re.compile(r'"t"\s*:\s*"([A-Z_]+)"')
_HEAD = 160
"""Characters at the beginning of an event, or at its end, in which its name stands."""
_KEPT = re.compile(
    "READY|GUILD_(CREATE|UPDATE|DELETE)|GUILD_ROLE_(CREATE|UPDATE|DELETE)|GUILD_MEMBER_UPDATE"
    "|CHANNEL_(CREATE|UPDATE|DELETE)|THREAD_(CREATE|UPDATE|DELETE|LIST_SYNC)"
)
_READY = ("v", "user", "guilds", "application", "session_id", "resume_gateway_url", "shard")
_LISTS = (
    *("presences", "voice_states", "emojis", "stickers", "guild_scheduled_events"),
    *("stage_instances", "soundboard_sounds"),
)
_TABLES = """
CREATE TABLE IF NOT EXISTS session (
    one INTEGER PRIMARY KEY CHECK (one = 1), owner TEXT NOT NULL, id TEXT NOT NULL, gateway TEXT NOT NULL,
    sequence INTEGER NOT NULL, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS structure (
    name TEXT NOT NULL, subject TEXT NOT NULL, sequence INTEGER NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (name, subject)
);
"""

log = logging.getLogger("theseus.discord")


@dataclass(frozen=True, slots=True)
class Left:
    """A session that can be gone on with.

    Attributes:
        id: Its id.
        gateway: Where it is resumed.
        sequence: The last event that is known to be accepted.
        events: What tells of servers and channels, as names and contents.
    """

    id: str
    gateway: str
    sequence: int
    events: tuple[tuple[str, dict[str, Any]], ...]


class Journal:
    """What the next process has to know of a session, in the shelf of the home."""

    def __init__(self, shelf: sqlite3.Connection, clock: Callable[[], float] = time.time) -> None:
        self._shelf, self._clock = shelf, clock
        shelf.executescript(_TABLES)
        self._size = shelf.execute("SELECT COALESCE(SUM(LENGTH(data)), 0) FROM structure").fetchone()[0]

    def hear(self, event: str, owner: str) -> None:
        """Keep an event, as it came, if it tells of the session, or of servers and channels.

        Args:
            event: The whole event.
            owner: Whose session it is.
        """
        found = _NAME.search(event, 0, _HEAD) or _NAME.search(event, max(0, len(event) - _HEAD))
        if found is None or not _KEPT.fullmatch(found[1]):
            return
        whole = json.loads(event)
        name, sequence, data = whole["t"], whole["s"], whole["d"]
        if name == "READY":
            self.forget()
            values = (owner, data["session_id"], data["resume_gateway_url"], sequence, self._clock())
            self._shelf.execute("INSERT OR REPLACE INTO session VALUES (1, ?, ?, ?, ?, ?)", values)
        elif name.startswith("CHANNEL") and "guild_id" not in data:
            return  # between two: known from the first message on, and it would name somebody
        elif name == "GUILD_MEMBER_UPDATE" and data["user"]["id"] != owner.partition(":")[0]:
            return
        elif self._shelf.execute("SELECT 1 FROM session").fetchone() is None:
            return  # of a session that was given up
        text = json.dumps(_trimmed(name, data, owner.partition(":")[0]), separators=(",", ":"))
        self._size += len(text)
        row = (name, _subject(name, data), sequence, text)
        self._shelf.execute("INSERT OR REPLACE INTO structure VALUES (?, ?, ?, ?)", row)
        if self._size > MOST_BYTES:
            log.warning("what is known of servers is too much to be handed over")
            self.forget()

    def keep(self, session: str, sequence: int) -> None:
        """Everything up to an event of a session was accepted."""
        values = (sequence, self._clock(), session)
        self._shelf.execute("UPDATE session SET sequence = ?, at = ? WHERE id = ?", values)

    def left(self, owner: str) -> Left | None:
        """The session that the last process had, if it is this owner's and young."""
        row = self._shelf.execute("SELECT owner, id, gateway, sequence, at FROM session").fetchone()
        if row is None or row[0] != owner or not 0 <= self._clock() - row[4] <= YOUNG_SECONDS:
            return None
        kept = self._shelf.execute("SELECT name, data FROM structure ORDER BY sequence").fetchall()
        try:
            events = tuple((name, json.loads(data)) for name, data in kept)
        except ValueError:
            return None
        if not events or events[0][0] != "READY":
            return None
        return Left(row[1], row[2], row[3], events)

    def forget(self) -> None:
        """There is no session to go on with."""
        self._size = 0
        self._shelf.execute("DELETE FROM session")
        self._shelf.execute("DELETE FROM structure")


class Handover:
    """Takes over the last process's session, and prepares this one's for the next."""

    def __init__(
        self, client: discord.Client, shelf: sqlite3.Connection, settled: Callable[[], bool]
    ) -> None:
        """Prepare it.

        Args:
            client: Whose session it is.
            shelf: Where the journal is kept.
            settled: Whether everything that was heard is accepted by now.
        """
        self._client, self._settled = client, settled
        self._journal = Journal(shelf)
        self._alone = not isinstance(client, discord.AutoShardedClient)
        """Several sessions at once are not handed over; what they miss is read afterwards."""
        self.feeding = False
        """Whether the library is being told what is known already, which is news to nobody."""

    @property
    def _socket(self) -> DiscordWebSocket | None:
        """The connection; None before the first."""
        return cast("DiscordWebSocket | None", self._client.ws)

    def _owner(self) -> str:
        """Whose session this is: the bot, its token, and the gateway."""
        user, token = self._client.user, self._client.http.token or ""
        sign = sha256(f"session of {token}".encode()).hexdigest()[:16]
        return f"{user.id if user else 0}:{sign}:{DiscordWebSocket.DEFAULT_GATEWAY}"

    def hear(self, event: str) -> None:
        """Hear every event as it comes."""
        if not self._alone:
            return
        try:
            self._journal.hear(event, self._owner())
        except (ValueError, KeyError, TypeError, sqlite3.Error) as error:
            log.warning("the session cannot be handed over: %s", type(error).__name__)
            with suppress(sqlite3.Error):
                self._journal.forget()

    async def save(self) -> None:
        """Note how far everything is accepted."""
        socket = self._socket
        if not self._alone or socket is None or not socket.session_id or socket.sequence is None:
            return
        session, sequence = socket.session_id, socket.sequence
        await asyncio.sleep(
            0
        )  # by then whoever was told of it has begun, and accepted what was to be accepted
        if self._settled():
            try:
                self._journal.keep(session, sequence)
            except sqlite3.Error:
                log.exception(
                    "how far everything is accepted cannot be noted; the next process may hear some of it again"
                )

    async def watch(self) -> None:
        """Note it again and again."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            await self.save()

    async def leave(self) -> None:
        """Close the connection, but not the session."""
        socket = self._socket
        if self._alone and socket is not None and socket.open:
            with suppress(TimeoutError):
                await asyncio.wait_for(socket.close(STAYS_OPEN), CLOSE_SECONDS)

    async def go_on(self, begun: Callable[[], None]) -> None:
        """Go on with the last process's session for as long as it lasts; returns at once if there is none.

        Args:
            begun: Called when servers and channels are known, before anything is heard.

        Raises:
            discord.ConnectionClosed: Discord does not want this bot.
        """
        left = self._journal.left(self._owner()) if self._alone else None
        if left is None or not self._feed(left):
            return
        begun()
        log.info("the session of the last process goes on")
        await self._resume(left)

    def _feed(self, left: Left) -> bool:
        """Tell the library what is known of servers and channels; whether that worked."""
        parsers = self._client._connection.parsers  # noqa: SLF001 - a resumed session is not told of servers
        self.feeding = True
        try:
            for name, data in left.events:
                parsers[name](data)
        except Exception as error:  # noqa: BLE001 - whatever it is, a fresh session makes all of it good
            log.warning("the session of the last process is of no use: %s", type(error).__name__)
            self._journal.forget()
            return False
        finally:
            self.feeding = False
        return True

    async def _resume(self, left: Left) -> None:
        """The library's own loop, begun with a session that is there."""
        client, pauses, failures = self._client, ExponentialBackoff[Any](), 0
        session: str | None = left.id
        sequence: int | None = left.sequence
        gateway = yarl.URL(left.gateway)
        while not client.is_closed() and failures < MOST_FAILURES:
            heard = sequence
            try:
                connecting = DiscordWebSocket.from_client(
                    client, resume=True, session=session, sequence=sequence, gateway=gateway
                )
                client.ws = await asyncio.wait_for(connecting, CONNECT_SECONDS)
                while True:
                    await client.ws.poll_event()
            except ReconnectWebSocket as again:
                client.dispatch("disconnect")
                if not again.resume:
                    break
            except discord.ConnectionClosed:
                break  # a fresh session will be told why
            except (OSError, aiohttp.ClientError, TimeoutError):
                client.dispatch("disconnect")
                await asyncio.sleep(pauses.delay())
            socket = self._socket
            if socket is not None and socket.session_id == left.id:
                session, sequence, gateway = socket.session_id, socket.sequence, socket.gateway
            failures = failures + 1 if sequence == heard else 0
        if not client.is_closed():  # else this session is for the next process
            self._journal.forget()


def _subject(name: str, data: dict[str, Any]) -> str:
    """What an event tells of; a later one of the same name about the same takes its place."""
    if name.startswith("GUILD_ROLE"):
        return str(data.get("role_id") or data["role"]["id"])
    if name in ("GUILD_MEMBER_UPDATE", "THREAD_LIST_SYNC"):
        return str(data["guild_id"])
    return str(data.get("id", ""))


def _trimmed(name: str, data: dict[str, Any], bot: str) -> dict[str, Any]:
    """What is kept of an event: of a server its shape and the bot's own part in it, and nobody else's."""
    if name == "READY":
        return {key: data[key] for key in _READY if key in data}
    if name == "GUILD_CREATE":
        made = {**data, "unavailable": False, **{key: [] for key in _LISTS if key in data}}
        made["members"] = [one for one in data.get("members", ()) if one["user"]["id"] == bot]
        made["channels"] = [{**one, "topic": None} for one in data.get("channels", ())]
        return made
    return {**data, "topic": None} if "topic" in data else data
