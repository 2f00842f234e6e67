"""No spelling of a place that is not public leads to a connection: the interpreter itself counts them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings

from agent.services.pages import Pages
from agent.services.search import Ddgs, Search
from agent.services.web import Client
from agent.tool import ToolRefused
from policies.load import load_rules
from tests.fakes.addresses import NUMBERS, mutated_urls, refused_urls
from tests.fakes.connects import watched
from tests.fakes.web_server import Names, Reply, Site, serving

RULES = load_rules().web
MEASURED = [
    *("64:ff9b::a9fe:a9fe", "::169.254.169.254", "fec0::1", "::ffff:169.254.169.254", "fd00:ec2::254"),
    *("2002:a9fe:a9fe::", "2001:0:a9fe:a9fe::", "64:ff9b:1::a9fe:a9fe", "::1", "::", "::ffff:127.0.0.1"),
    *("224.0.0.1", "192.88.99.1", "100.64.0.1", "0.0.0.0", "127.0.0.1", "169.254.169.254", "10.0.0.1"),  # noqa: S104 - to be refused
    *("2852039166", "0xA9FEA9FE", "0251.0376.0251.0376", "169.254.43518", "127.1", "0x7f.1", "0"),
    *("\u2460\u2465\u2468.254.169.254", "127\u30020\u30020\u30021", "\u24dbocalhost", "a@127.0.0.1:80@b"),
    *("example.org\\@127.0.0.1", "localhost"),
]
"""What was measured: each of these is taken by some library, or the kernel, for a place nearby, or passes for a public one."""


@asynccontextmanager
async def reading(site: Site | None = None, names: Names | None = None) -> AsyncIterator[Pages]:
    # A busy machine may take long over a long page, and how long is not what is asked here.
    rules = site.rules(robots=False, seconds=120) if site else RULES
    client = Client(rules, names)
    try:
        yield Pages(client, rules)
    finally:
        await client.close()


def url_of(host: str) -> str:
    return f"http://[{host}]/" if host.count(":") > 1 and "@" not in host else f"http://{host}/"


async def test_no_measured_address_and_none_of_the_table_is_connected_to() -> None:
    """For all of them not one connection is tried, and none is even looked up: the text alone is refused."""
    async with reading() as pages:
        with watched() as tried:
            for url in [*map(url_of, MEASURED), *refused_urls()]:
                with pytest.raises(ToolRefused):
                    await pages.fetch(url)
    assert len(MEASURED) >= 30
    assert tried == []


@settings(max_examples=200)
@given(mutated_urls())
async def test_of_two_hundred_mutations_none_is_connected_to(url: str) -> None:
    """In whatever way an address of the surroundings is spelled, nothing is tried."""
    async with reading() as pages:
        with watched() as tried, pytest.raises(ToolRefused):
            await pages.fetch(url)
    assert tried == []


@pytest.mark.parametrize("place", [*NUMBERS, "::1", "fd00:ec2::254", "64:ff9b::a9fe:a9fe", "::ffff:10.0.0.1"])
async def test_a_name_that_stands_for_such_a_place_is_not_connected_to(place: str) -> None:
    """Whatever a name server answers, alone or beside a public address, no connection is tried."""
    for answer in ([place], ["93.184.215.14", place], [place, "93.184.215.14"]):
        async with reading(names=Names(answer)) as pages:
            with watched() as tried, pytest.raises(ToolRefused):
                await pages.fetch("http://example.org/")
            assert tried == []


async def test_a_page_at_an_allowed_address_is_connected_to() -> None:
    """The same client, the same count: where it is allowed, one connection is made, to that very address."""
    async with serving() as site, reading(site) as pages:
        site.pages["/"] = Reply("<p>Here.</p>")
        with watched() as tried:
            assert (await pages.fetch(site.url())).text == "Here."
    assert tried == [("127.0.0.1", site.port)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "host", ["127.0.0.2", "127.1", "0x7f000002", "[::1]", "169.254.169.254", "localhost", "0"]
)
async def test_no_kind_of_redirect_leads_nearby(status: int, host: str) -> None:
    """A page that is allowed sends on to one that is not: the first is the only connection."""
    async with serving() as site, reading(site) as pages:
        for to in (f"http://{host}/", f"http://{host}:{site.port}/x", f"//{host}/", f"HTTP://{host}:80"):
            site.pages["/"] = Reply(status=status, headers={"Location": to, "Cache-Control": "no-store"})
            with watched() as tried, pytest.raises(ToolRefused):
                await pages.fetch(site.url())
            assert set(tried) <= {("127.0.0.1", site.port)}


async def test_a_body_of_any_length_that_is_said_is_read_no_further_than_allowed() -> None:
    """A page that says it has ten thousand million bytes is cut like any other."""
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10000000000\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b"word " * 1000)
                sent += 5000
                await writer.drain()
        except ConnectionError:
            pass

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    site = Site(server.sockets[0].getsockname()[1])
    async with server, reading(site) as pages:
        page = await pages.fetch(site.url())
    assert len(page.text) <= RULES.text_chars + 100
    assert sent < 10_000_000_000


async def test_an_engine_that_sends_elsewhere_is_not_followed() -> None:
    """The library that asks engines has a client of its own: it goes to the engine's address, and no redirect from there."""
    async with serving() as engine, serving("127.0.0.2", 0) as trap:
        engine.pages["/html/"] = Reply(
            status=302, headers={"Location": f"http://127.0.0.2:{trap.port}/html/"}
        )
        search = Search([Ddgs("duckduckgo", 5, engine.url("/html/"))], RULES)
        with pytest.raises(ToolRefused, match="duckduckgo"):
            await search.search("bread", 3)
    assert engine.paths
    assert trap.seen == []
