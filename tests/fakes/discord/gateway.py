"""The gateway: sessions that outlive their connections, and everything that goes wrong on the way to a client."""

import asyncio
import json
import secrets
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from tests.fakes.discord.link import Closed, Link, Session
from tests.fakes.discord.state import World
from tests.fakes.discord.things import Event, Json
from tests.fakes.discord.welcome import chunks, ready, whole

DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME = 0, 1, 2, 3, 4, 6
RECONNECT, MEMBERS, INVALID, HELLO, ACK = 7, 8, 9, 10, 11
GUILDS, GUILD_MEMBERS, MESSAGE_CONTENT = 1 << 0, 1 << 1, 1 << 15
ALL_INTENTS = (1 << 17) - 1 | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25


class Gateway:
    """All sessions, and what a test may do to them. Set the attributes before the client connects."""

    def __init__(self, world: World, token: str) -> None:
        self._world, self._token = world, token
        self.heartbeat_ms = 41_250
        self.acknowledges = True
        """False: heartbeats are not answered."""
        self.silent = False
        """True: connections stay open and nothing comes through them any more, in either direction."""
        self.down = False
        """True: new connections are turned away with 503."""
        self.identify_every = 0.0
        """Seconds between two identifies of one concurrency key; who comes earlier gets an invalid session."""
        self.allowed_intents = ALL_INTENTS
        """What is switched on for the application; others close the connection with 4014."""
        self.guilds_a_shard = 2500
        """More servers for one shard close the connection with 4011."""
        self.chunk = 1000
        """Members in one answer to a request for members."""
        self.sessions: dict[str, Session] = {}
        self.links: list[Link] = []
        self.resumes = self.beats = 0
        self.put_off = 0
        """Identifies that came too soon."""
        self.turned_away = 0
        """Connections that came while the gateway was down."""
        self.received: list[Json] = []
        """What clients sent, tokens taken out, heartbeats left out."""
        self.closes: list[int | None] = []
        """With which codes clients closed; 1006 or None for a connection that just ended."""
        self._identified: dict[int, float] = {}

    @property
    def identifies(self) -> int:
        """How many sessions have begun."""
        return self._world.identified

    @property
    def connected(self) -> bool:
        """Whether a client has identified or resumed on an open connection."""
        return any(session.link is not None for session in self.sessions.values())

    def drop(self) -> None:
        """Cut every connection as a failing network does."""
        for link in [*self.links]:
            link.cut()

    def close(self, code: int) -> None:
        """Close every connection with a code."""
        for link in [*self.links]:
            link.close(code)

    def ask_reconnect(self) -> None:
        """Ask every client to connect anew and resume (op 7)."""
        for link in [*self.links]:
            link.send({"op": RECONNECT, "d": None, "s": None, "t": None})

    def invalidate(self, *, resumable: bool) -> None:
        """Tell every client that its session is invalid (op 9); one that is not resumable is forgotten."""
        for link in [*self.links]:
            if link.session is not None and not resumable:
                self.sessions.pop(link.session.id, None)
            link.send({"op": INVALID, "d": resumable, "s": None, "t": None})

    def ask_heartbeat(self) -> None:
        """Ask every client for a heartbeat now (op 1)."""
        for link in [*self.links]:
            link.send({"op": HEARTBEAT, "d": None, "s": None, "t": None})

    def forget(self) -> None:
        """Forget every session, so that none can be resumed; open connections are closed."""
        self.sessions.clear()
        self.close(4009)

    def hear(self, event: Event) -> None:
        """Pass an event on to the sessions that asked for its kind."""
        for session in self.sessions.values():
            wanted = not event.intents or event.intents & session.intents
            if wanted and session.covers(event.guild):
                self._dispatch(session, event.name, self._visible(session, event))

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        if self.down:
            self.turned_away += 1
            self._world.changed()
            return web.Response(status=503, text="no healthy upstream")
        socket = web.WebSocketResponse(autoping=True, max_msg_size=1 << 16)
        await socket.prepare(request)
        link = Link(socket, request, self._world.clock())
        self.links.append(link)
        self._world.changed()
        writing = asyncio.create_task(link.write())
        if request.query.get("v") not in ("9", "10"):
            link.close(4012)
        else:
            link.send({"op": HELLO, "d": {"heartbeat_interval": self.heartbeat_ms}, "s": None, "t": None})
        try:
            await self._read(link)
        finally:
            self._end(link)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        return socket

    async def _read(self, link: Link) -> None:
        async for frame in link.socket:
            if self.silent:
                continue
            try:
                link.count(self._world.clock())
                if frame.type is not WSMsgType.TEXT:
                    raise Closed(4002)  # noqa: TRY301 - one place closes
                self._receive(link, json.loads(frame.data))
            except Closed as closed:
                link.close(closed.code)
            except (ValueError, KeyError, TypeError):
                link.close(4002)
            self._world.changed()

    def _end(self, link: Link) -> None:
        self.links.remove(link)
        code, session = link.socket.close_code, link.session
        if not link.given_up:
            self.closes.append(code)
        if session is not None and session.link is link:
            session.link = None
            # Whoever says goodbye properly has no session left to come back to.
            if code in (WSCloseCode.OK, WSCloseCode.GOING_AWAY) and not link.given_up:
                self.sessions.pop(session.id, None)
        self._world.changed()

    def _receive(self, link: Link, message: Json) -> None:
        op = message["op"]
        data: Any = message.get("d")
        if op == HEARTBEAT:
            self.beats += 1
            if self.acknowledges:
                link.send({"op": ACK, "d": None, "s": None, "t": None})
            return
        clean = {**data, "token": ""} if isinstance(data, dict) and "token" in data else data
        self.received.append({"op": op, "d": clean})
        if op in (IDENTIFY, RESUME):
            if link.session is not None:
                raise Closed(4005)
            if data["token"].removeprefix("Bot ") != self._token:
                raise Closed(4004)
            (self._identify if op == IDENTIFY else self._resume)(link, data)
        elif link.session is None:
            raise Closed(4003)
        elif op == MEMBERS:
            self._members(link.session, data)
        elif op not in (PRESENCE, VOICE):
            raise Closed(4001)

    def _identify(self, link: Link, data: Json) -> None:
        intents, shard = data["intents"], tuple(data.get("shard") or (0, 1))
        if not isinstance(intents, int) or intents & ~ALL_INTENTS:
            raise Closed(4013)
        if intents & ~self.allowed_intents:
            raise Closed(4014)
        number, count = shard
        if not 0 <= number < count:
            raise Closed(4010)
        now = self._world.clock()
        if now - self._identified.get(number, now - 10**6) < self.identify_every:
            self.put_off += 1
            link.send({"op": INVALID, "d": False, "s": None, "t": None})
            return
        self._identified[number] = now
        session = Session(secrets.token_hex(16), intents, (number, count), link=link)
        guilds = [guild for guild in self._world.guilds.values() if session.covers(guild)]
        if len(guilds) > self.guilds_a_shard:
            raise Closed(4011)
        self._world.identified += 1
        self.sessions[session.id] = link.session = session
        bot = self._world.bot
        self._dispatch(session, "READY", ready(bot, guilds, session.id, session.shard, self.url))
        for guild in guilds if intents & GUILDS else ():
            self._dispatch(session, "GUILD_CREATE", {**whole(guild, bot, intents), "unavailable": False})

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self._world.base.replace("http", "ws", 1) + "/gateway/"

    def _resume(self, link: Link, data: Json) -> None:
        session, seen = self.sessions.get(data["session_id"]), data["seq"]
        if session is None:
            link.send({"op": INVALID, "d": False, "s": None, "t": None})
            return
        if not isinstance(seen, int) or not 0 <= seen <= len(session.sent):
            raise Closed(4007)
        if session.link is not None:
            session.link.cut()  # the client is here now; what it left behind is half open
        self.resumes += 1
        link.session, session.link = session, link
        for payload in session.sent[seen:]:
            link.send(payload)
        self._dispatch(session, "RESUMED", {"_trace": []})

    def _dispatch(self, session: Session, name: str, data: Any) -> None:
        payload = {"op": DISPATCH, "t": name, "s": len(session.sent) + 1, "d": data}
        session.sent.append(payload)
        if session.link is not None and not self.silent:
            session.link.send(payload)

    def _visible(self, session: Session, event: Event) -> Json:
        """An event's data as a session may see it: what people write is for those with the intent for it."""
        message = event.message
        if message is None or session.intents & MESSAGE_CONTENT or event.guild is None:
            return event.data
        bot = self._world.bot.id
        if message.author.id == bot or bot in {one["id"] for one in event.data["mentions"]}:
            return event.data
        return {**event.data, "content": "", "embeds": [], "attachments": [], "components": []}

    def _members(self, session: Session, asked: Json) -> None:
        everybody = asked.get("user_ids") is None and not asked.get("query") and not asked.get("limit")
        if everybody and not session.intents & GUILD_MEMBERS:
            raise Closed(4014)
        for answer in chunks(self._world.guilds[str(asked["guild_id"])], asked, self.chunk):
            self._dispatch(session, "GUILD_MEMBERS_CHUNK", answer)
