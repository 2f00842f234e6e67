"""Pages are read from where they may be, through every redirect and name, and within bounds."""

import gzip
import zlib

import aiohttp
import pytest

from agent.services.web import CHUNK, Client, _unpacked
from agent.tool import ToolRefused
from tests.agent.reading_pages import reading
from tests.fakes.addresses import refused_urls
from tests.fakes.web_server import Names, Reply, Site, serving


async def test_nothing_of_ours_goes_out_with_a_request(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request carries no cookie, no key and no referrer, and no proxy of the environment is used."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    site.pages["/a"] = Reply("<p>one</p>", headers={"Set-Cookie": "id=1", "Cache-Control": "no-store"})
    async with reading(site) as pages:
        await pages.fetch(site.url("/a"))
        await pages.fetch(site.url("/a"))
    sent = {name for request in site.seen for name in request.headers}
    assert sent == {"Host", "Accept", "Accept-Encoding", "User-Agent"}


async def test_no_address_of_the_table_is_connected_to(site: Site) -> None:
    """Of all addresses that are refused none reaches a server that waits for it, by name or by number."""
    hosts = [
        "127.0.0.1",
        "localhost",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f000001",
        "a.localhost",
    ]
    async with reading(site, names=Names(["127.0.0.1"]), exempt=()) as pages:
        for url in [
            *refused_urls(),
            *(f"http://{host}:{site.port}/" for host in hosts),
            "http://example.org/",
        ]:
            with pytest.raises(ToolRefused):
                await pages.fetch(url)
    assert site.seen == []


async def test_a_name_that_changes_its_mind_is_not_followed(site: Site) -> None:
    """A name that first stands for an allowed place and then for another is refused when it does."""
    site.pages["/a"] = Reply("<p>one</p>", headers={"Cache-Control": "no-store", "Connection": "close"})
    async with serving("127.0.0.2", site.port) as trap:
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        async with reading(site, names=names, robots=False) as pages:
            url = f"http://rebinding.example:{site.port}/a"
            assert (await pages.fetch(url)).text == "one"
            with pytest.raises(ToolRefused, match="public net"):
                await pages.fetch(url)
    assert trap.seen == []


async def test_a_name_with_one_bad_address_among_good_ones_is_refused(site: Site) -> None:
    """Which of its addresses would be taken must not be left to chance."""
    async with reading(site, names=Names(["127.0.0.1", "10.0.0.1"])) as pages:
        with pytest.raises(ToolRefused, match=r"10\.0\.0\.1"):
            await pages.fetch(f"http://mixed.example:{site.port}/")
    assert site.seen == []


async def test_the_socket_itself_is_judged(site: Site) -> None:
    """Even where nobody asked before, no socket is opened to a place that is not allowed."""
    async with serving("127.0.0.2", site.port) as trap:
        client = Client(site.rules())
        try:
            with pytest.raises(aiohttp.ClientConnectorError) as caught:
                await client._opened().get(f"http://127.0.0.2:{site.port}/")
        finally:
            await client.close()
    assert "public net" in str(caught.value.os_error)
    assert trap.seen == []


@pytest.mark.parametrize(
    "where",
    [
        "http://127.0.0.2:{port}/",
        "file:///etc/passwd",
        "//[::1]:{port}/",
        "http://127.0.0.1:1/",
        "http://a@127.0.0.1:{port}/",
        "/loop",
    ],
)
async def test_each_redirect_is_judged_like_the_first_address(site: Site, where: str) -> None:
    """A redirect leads nowhere where its address would not be fetched, and not in a circle."""
    site.pages["/loop"] = Reply(status=302, headers={"Location": where.format(port=site.port)})
    async with serving("127.0.0.2", site.port) as trap, reading(site) as pages:
        with pytest.raises(ToolRefused):
            await pages.fetch(site.url("/loop"))
    assert trap.seen == []
    assert set(site.paths) == {"/loop"}
    assert len(site.paths) <= site.rules().redirects + 1


async def test_a_redirect_is_followed_to_the_page(site: Site) -> None:
    """A page that moved is read, and named by where it is now."""
    site.pages["/old"] = Reply(status=301, headers={"Location": "new#part"})
    site.pages["/new"] = Reply("<p>moved</p>")
    async with reading(site) as pages:
        page = await pages.fetch(site.url("/old"))
    assert (page.text, page.url) == ("moved", site.url("/new"))


async def test_a_long_page_is_cut(site: Site) -> None:
    """No more is read than allowed, and the text says that it goes on, however long the page would be."""
    site.pages["/endless"] = Reply(b"word " * 2000, kind="text/plain", endless=True)
    async with reading(site, page_bytes=200_000, text_chars=1000) as pages:
        page = await pages.fetch(site.url("/endless"))
    assert len(page.text) < 1100
    assert page.text.endswith("[the page goes on beyond this]")


@pytest.mark.parametrize("packed", ["gzip", "deflate"])
async def test_a_bomb_is_unpacked_no_further_than_allowed(site: Site, packed: str) -> None:
    """A small file that unpacks to a large one is cut as a large one is."""
    raw = b"0" * 30_000_000
    body = gzip.compress(raw) if packed == "gzip" else zlib.compress(raw)
    site.pages["/bomb"] = Reply(body, kind="text/plain", headers={"Content-Encoding": packed})
    site.pages["/small"] = Reply(
        gzip.compress(b"all of it") if packed == "gzip" else zlib.compress(b"all of it"),
        kind="text/plain",
        headers={"Content-Encoding": packed},
    )
    async with reading(site, page_bytes=100_000, text_chars=200_000) as pages:
        bomb = await pages.fetch(site.url("/bomb"))
        small = await pages.fetch(site.url("/small"))
    assert 100_000 <= len(bomb.text) < 100_100
    assert small.text == "all of it"


async def test_a_bomb_never_stands_unpacked_in_memory(site: Site) -> None:
    """What is unpacked comes in small pieces, however much lies in one piece of what was sent."""
    site.pages["/bomb"] = Reply(gzip.compress(b"0" * 30_000_000), headers={"Content-Encoding": "gzip"})
    client = Client(site.rules())
    try:
        async with client._opened().get(site.url("/bomb")) as response:
            sizes = [len(piece) async for piece in _unpacked(response, 10_000_000)]
    finally:
        await client.close()
    assert sum(sizes) == 30_000_000
    assert max(sizes) <= CHUNK


async def test_a_server_that_stalls_is_left(site: Site) -> None:
    """A page that does not come within its time is given up, with a sentence that says so."""
    site.pages["/slow"] = Reply("<p>half", stalls=True)
    async with reading(site, seconds=0.3) as pages:
        with pytest.raises(ToolRefused, match="within"):
            await pages.fetch(site.url("/slow"))


async def test_an_error_is_named_by_its_status(site: Site) -> None:
    """A page of words about an error is not taken for the page that was asked for."""
    site.pages["/x"] = Reply("<p>Nothing here, but in many words.</p>", status=404)
    async with reading(site) as pages:
        with pytest.raises(ToolRefused, match="status 404"):
            await pages.fetch(site.url("/x"))


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"MZ", kind="application/octet-stream"),
        Reply(b"x", kind="image/png"),
        Reply("x", status=404),
        Reply("x", status=500),
        Reply("", kind="text/html"),
        Reply(b"x", kind="text/plain", headers={"Content-Encoding": "br"}),
        Reply(b"no gzip", kind="text/plain", headers={"Content-Encoding": "gzip"}),
    ],
)
async def test_what_is_no_page_is_refused(site: Site, reply: Reply) -> None:
    """Programs, pictures, errors, empty pages and unknown packings are refused with a sentence."""
    site.pages["/x"] = reply
    async with reading(site) as pages:
        with pytest.raises(ToolRefused, match=r"\w"):
            await pages.fetch(site.url("/x"))
