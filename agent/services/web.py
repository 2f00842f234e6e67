"""The way to the net: one client that judges every address, also the one that a name turns out to stand for.

`Client.get` follows redirects by hand, so that each is judged like the first address, and asks the policy once more
about the socket's own address when it is opened: no answer of a name server can slip in between. It sends no cookie,
no key and nothing of the environment's, and reads no more than it is allowed to, packed or unpacked.
"""

import asyncio
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from agent.tool import ToolRefused
from policies.decision import Decision
from policies.load import WebRules
from policies.urls import Target, read_url, review_place, rules_for

REDIRECTS = frozenset({301, 302, 303, 307, 308})
CHUNK = 64 * 1024
CONNECTIONS = 20

Before = Callable[[Target], Awaitable[None]]
"""Asked before a page is; raises `ToolRefused` to stop it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said, its body already unpacked and cut to what is allowed."""

    target: Target
    """Where it was found in the end."""
    status: int
    kind: str
    """Content type without parameters, small letters."""
    charset: str | None
    body: bytes
    cut: bool
    """The body went on beyond what is allowed."""
    cache_control: str
    age: float


@dataclass(frozen=True, slots=True)
class _Call:
    """How something is asked for; a page by default."""

    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None

    @property
    def good(self) -> Collection[int]:
        """The states whose body is read: of a page one, since the others are no page."""
        made = (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED)
        return made if self.headers else made[:1]


class Client:
    """Gets pages from the public net, and from nowhere else. Make it and close it on one event loop."""

    def __init__(self, rules: WebRules, resolver: AbstractResolver | None = None) -> None:
        self._rules = rules
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None
        self._writer: Client | None = None

    async def get(
        self, url: str, *, kinds: tuple[str, ...], most_bytes: int, before: Before | None = None
    ) -> Answer:
        """Get one page, through at most as many redirects as the rules allow.

        Args:
            url: As it was given.
            kinds: Content types that are read; the body of any other is left where it is.
            most_bytes: How much of the body is read.
            before: Asked about each address, before it is.

        Raises:
            ToolRefused: The address, or what is there, is not allowed, or cannot be had.
            TimeoutError: It took longer than the rules allow.
        """
        for _ in range(self._rules.redirects + 1):
            target = self.judge(url)
            if before is not None:
                await before(target)
            found = await self._once(target, kinds, most_bytes)
            if isinstance(found, Answer):
                return found
            url = urljoin(target.url, found)
        raise ToolRefused(
            f"{url} is more than {self._rules.redirects} redirects away; give the address of the page itself"
        )

    async def send(
        self,
        method: str,
        url: str,
        *,
        kinds: tuple[str, ...],
        most_bytes: int,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Answer:
        """Make one call of an interface for programs. No redirect is followed: what is asked is what was described.

        Args:
            method: As HTTP names it.
            url: As it was described.
            kinds: Content types that are read.
            most_bytes: How much of the body is read.
            headers: Sent beside our own.
            body: What is sent along.

        Raises:
            ToolRefused: The address, or what is there, is not allowed, or cannot be had.
            TimeoutError: It took longer than the rules allow.
        """
        target = self.judge(url, method)
        client = self if method == "GET" else self._for_writing(method)
        found = await client._once(target, kinds, most_bytes, _Call(method, headers, body))  # noqa: SLF001 - ours
        if isinstance(found, str):
            raise ToolRefused(f"{target.host} sends callers elsewhere; describe the address that it names")
        return found

    def judge(self, url: str, method: str = "GET") -> Target:
        """What may be asked for at an address, by that method.

        Raises:
            ToolRefused: Nothing; the policy says no.
        """
        judged = read_url(url, rules_for(method, self._rules))
        if isinstance(judged, Decision):
            raise ToolRefused(judged.why)
        return judged

    async def close(self) -> None:
        """Let go of connections."""
        if self._writer is not None:
            await self._writer.close()
        if self._session is not None:
            await self._session.close()

    def _for_writing(self, method: str) -> "Client":
        """A client for calls that may change something: its sockets lead only where those may."""
        if self._writer is None:
            self._writer = Client(rules_for(method, self._rules), self._resolver)
        return self._writer

    async def _once(
        self, target: Target, kinds: tuple[str, ...], most_bytes: int, call: "_Call | None" = None
    ) -> Answer | str:
        """The answer, or the address of a redirect."""
        call = call or _Call()
        try:
            async with self._opened().request(
                call.method, target.url, headers=call.headers, data=call.body, allow_redirects=False
            ) as response:
                if response.status in REDIRECTS and "Location" in response.headers:
                    return response.headers["Location"]
                if response.status not in call.good:
                    return _answer(target, response, b"", cut=False)
                if response.content_type.lower() not in kinds or "Content-Type" not in response.headers:
                    raise ToolRefused(
                        f"{target.url} is {response.content_type}, which is not read; only {', '.join(kinds)} is"
                    )
                body, cut = await _body(response, most_bytes)
                return _answer(target, response, body, cut=cut)
        except aiohttp.ClientConnectorError as error:
            refused = _refusal(error)
            raise refused or ToolRefused(f"{target.host} cannot be reached; use another source") from error
        except TimeoutError:
            raise
        except (aiohttp.ClientError, ValueError, zlib.error) as error:
            raise ToolRefused(
                f"{target.host} did not answer as a web server does; use another source"
            ) from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=_Judging(self._rules, self._resolver),
                socket_factory=self._socket,
                use_dns_cache=False,
                limit=CONNECTIONS,
                limit_per_host=4,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self._rules.user_agent, "Accept-Encoding": "gzip, deflate"},
                timeout=aiohttp.ClientTimeout(total=self._rules.seconds),
                auto_decompress=False,  # unpacked here, within bounds
                trust_env=False,
            )
        return self._session

    def _socket(self, place: tuple[int, int, int, str, tuple[str | int, ...]]) -> socket.socket:
        """A socket for one connection; the last word on where it may lead, whatever was judged before."""
        family, kind, protocol, _, address = place
        decision = review_place(str(address[0]), int(address[1]), self._rules)
        if not decision.allowed:
            raise _NotThere(decision.why)
        return socket.socket(family=family, type=kind, proto=protocol)


class _NotThere(OSError):
    """A connection that the policy does not allow; an `OSError` because aiohttp hands on nothing else."""


class _Judging(AbstractResolver):
    """Resolves names, and refuses one that stands for any address that is not allowed."""

    def __init__(self, rules: WebRules, resolver: AbstractResolver | None) -> None:
        self._rules = rules
        self._resolver = resolver or aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for place in found:
            decision = review_place(place["host"], port, self._rules)
            if not decision.allowed:
                raise _NotThere(decision.why)
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _refusal(error: aiohttp.ClientConnectorError) -> ToolRefused | None:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _NotThere):
            return ToolRefused(str(cause))
        cause = cause.__cause__
    return None


def _answer(target: Target, response: aiohttp.ClientResponse, body: bytes, *, cut: bool) -> Answer:
    age = response.headers.get("Age", "0")
    return Answer(
        target=target,
        status=response.status,
        kind=response.content_type.lower(),
        charset=response.charset,
        body=body,
        cut=cut,
        cache_control=", ".join(response.headers.getall("Cache-Control", ())).lower(),
        age=float(age) if age.isdecimal() else 0.0,
    )


async def _body(response: aiohttp.ClientResponse, most: int) -> tuple[bytes, bool]:
    """The body up to a number of bytes, and whether there was more."""
    read = bytearray()
    async for piece in _unpacked(response, most + 1):
        read += piece
        if len(read) > most:
            return bytes(read[:most]), True
    return bytes(read), False


async def _unpacked(response: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    packed = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packed not in ("identity", "gzip", "x-gzip", "deflate"):
        raise ToolRefused(
            f"{response.host} sends its pages packed as {packed}, which is not read; use another source"
        )
    inflate = None if packed == "identity" else zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    received = 0
    async for raw in response.content.iter_chunked(CHUNK):
        received += len(raw)
        rest = raw
        while inflate is not None and rest:
            yield inflate.decompress(rest, CHUNK)
            rest = inflate.unconsumed_tail
            await asyncio.sleep(0)  # a small file may unpack to a large one
        if inflate is None:
            yield raw
        if received > most:
            return
    if inflate is not None:
        yield inflate.flush()
