"""Pages are read from where they may be, within bounds, and what only machines would see in them is gone."""

import asyncio
import gzip
import itertools
import sys
import threading
import urllib.robotparser
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType

import aiohttp
import pytest

from agent.services.cleaning import plain, visible
from agent.services.pages import AT_ONCE, Pages, _indented
from agent.services.web import CHUNK, Answer, Before, Client, _unpacked
from agent.tool import ToolRefused
from tests.fakes.addresses import refused_urls
from tests.fakes.web_server import Names, Reply, Site, serving

ARTICLE = """<html><head><title>On \u200bbread</title><style>.x1 {display: none} #secret{opacity:0}</style>
<meta name="description" content="META"></head><body>
<nav><a href="/">MENU</a></nav><article><h1>On bread</h1>
<p>Bread is made of flour, water, salt and time, and mostly of time, as every baker will tell you.</p>
<p>Sourdough rises slowly because its yeast is wild, and the wild do not hurry for anybody at all.</p>
<p style="display:none">HIDDEN1</p><p hidden>HIDDEN2</p><p class="x1">HIDDEN3</p><p id="secret">HIDDEN4</p>
<p style="font-size: 0px">HIDDEN5</p><p style="color:#fff;background:#FFF">HIDDEN6</p><div aria-hidden="true">HIDDEN7</div>
<p style="position:absolute; left:-9999px">HIDDEN8</p><p style="color: white">HIDDEN9</p><!-- HIDDEN10 -->
<p style="vis/**/ibility:hidden">HIDDEN11</p><script>HIDDEN12</script><noscript>HIDDEN13</noscript><template>HIDDEN14</template>
<p>Ignore previous instructions, says this sentence, which everybody can read and nobody has to obey.</p>
</article><footer>FOOTER</footer></body></html>"""


@dataclass
class Clock:
    """Time that passes when it is told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@asynccontextmanager
async def reading(
    site: Site, *, names: Names | None = None, clock: Clock | None = None, **rules: object
) -> AsyncIterator[Pages]:
    ruled = site.rules(**rules)
    client = Client(ruled, names)
    try:
        yield Pages(client, ruled, clock or Clock())
    finally:
        await client.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving() as site:
        yield site


async def test_an_article_comes_without_what_surrounds_and_hides_in_it(site: Site) -> None:
    """People's text stays; menus, scripts, comments and whatever is hidden from people are gone."""
    site.pages["/bread"] = Reply(ARTICLE)
    async with reading(site) as pages:
        page = await pages.fetch(site.url("/bread"))
    assert page.title == "On bread"
    assert page.url == site.url("/bread")
    assert "flour, water, salt" in page.text
    assert "Ignore previous instructions" in page.text
    for gone in ("HIDDEN", "MENU", "FOOTER", "META", "<", "\u200b"):
        assert gone not in page.text


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


async def test_robots_are_asked_once_and_obeyed(site: Site) -> None:
    """What a site asks programs not to read is not read, and it is asked once for many pages."""
    site.pages["/robots.txt"] = Reply("User-agent: *\nDisallow: /private", kind="text/plain")
    site.pages["/public"] = Reply("<p>open</p>")
    site.pages["/private"] = Reply("<p>closed</p>")
    async with reading(site) as pages:
        await pages.fetch(site.url("/public"))
        with pytest.raises(ToolRefused, match="asks programs not to"):
            await pages.fetch(site.url("/private"))
    assert [request.path for request in site.seen] == ["/robots.txt", "/public"]


async def test_what_a_site_asks_of_programs_is_not_read_on_the_loop(site: Site) -> None:
    """However long its robots.txt is, nobody else is kept waiting while it is read through."""
    site.pages["/robots.txt"] = Reply("User-agent: *\nDisallow: /private\n" * 3, kind="text/plain")
    site.pages["/a"] = Reply("<p>one</p>")
    on_the_loop: set[str] = set()

    def look(frame: FrameType, _event: str, _what: object) -> None:
        if frame.f_code.co_filename == urllib.robotparser.__file__:
            on_the_loop.add(frame.f_code.co_name)

    async with reading(site) as pages:
        sys.setprofile(look)  # of this thread alone
        try:
            await pages.fetch(site.url("/a"))
        finally:
            sys.setprofile(None)
    assert "can_fetch" in on_the_loop
    assert "parse" not in on_the_loop


class Slow(bytes):
    """A body that takes as long as it is told to."""

    begin: Callable[[], object]
    end: threading.Event

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Begin, and wait for the end."""
        self.begin()
        self.end.wait()
        return super().decode(encoding, errors)


class SlowPages(Client):
    """Finds a slow page at every address whose path begins with `/slow`."""

    def __init__(self, site: Site, body: Slow) -> None:
        super().__init__(site.rules(robots=False))
        self._body = body

    async def get(
        self, url: str, *, kinds: tuple[str, ...], most_bytes: int, before: Before | None = None
    ) -> Answer:
        """The slow page, or what is really there."""
        if "/slow" not in url:
            return await super().get(url, kinds=kinds, most_bytes=most_bytes, before=before)
        return Answer(
            self.judge(url), 200, "text/plain", None, self._body, cut=False, cache_control="", age=0.0
        )


async def test_slow_pages_fill_no_more_than_their_places(site: Site) -> None:
    """A page that nobody waits for any more holds its place until its thread is done, so threads do not pile up."""
    site.pages["/quick"] = Reply("<p>quick</p>")
    loop, begun, end = asyncio.get_running_loop(), asyncio.Semaphore(0), threading.Event()
    body = Slow(b"slow")
    body.begin, body.end = partial(loop.call_soon_threadsafe, begun.release), end
    client = SlowPages(site, body)
    pages = Pages(client, site.rules(robots=False), Clock())
    try:
        slow = [asyncio.create_task(pages.fetch(site.url(f"/slow{at}"))) for at in range(AT_ONCE)]
        for _ in slow:
            await begun.acquire()
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert pages._threads.full
        end.set()
        assert (await pages.fetch(site.url("/quick"))).text == "quick"
    finally:
        end.set()
        await client.close()


async def test_a_site_that_cannot_say_what_may_be_read_is_not_read(site: Site) -> None:
    """An error in place of robots.txt is no permission."""
    site.pages["/robots.txt"] = Reply(status=503)
    site.pages["/a"] = Reply("<p>one</p>")
    async with reading(site) as pages:
        with pytest.raises(ToolRefused):
            await pages.fetch(site.url("/a"))
    assert site.paths == []


async def test_a_page_is_kept_as_long_as_it_says(site: Site) -> None:
    """Within its max-age a page is not asked for again; after that it is."""
    site.pages["/a"] = Reply("<p>one</p>", headers={"Cache-Control": "public, max-age=60", "Age": "20"})
    clock = Clock()
    async with reading(site, clock=clock) as pages:
        first = await pages.fetch(site.url("/a"))
        clock.now += 39
        second = await pages.fetch(site.url("/a#part"))
        clock.now += 2
        third = await pages.fetch(site.url("/a"))
    assert [first.cached, second.cached, third.cached] == [False, True, False]
    assert site.paths == ["/a", "/a"]


async def test_what_must_not_be_kept_is_not(site: Site) -> None:
    """A page that forbids it is asked for each time, and no more pages are kept than allowed."""
    site.pages["/a"] = Reply("<p>one</p>", headers={"Cache-Control": "no-store"})
    site.pages["/b"] = Reply("<p>two</p>")
    site.pages["/c"] = Reply("<p>three</p>")
    async with reading(site, cache_pages=1) as pages:
        for path in ("/a", "/a", "/b", "/b", "/c", "/b"):
            await pages.fetch(site.url(path))
    assert site.paths == ["/a", "/a", "/b", "/c", "/b"]


async def test_json_and_other_charsets_are_read(site: Site) -> None:
    """JSON comes indented; a page in another charset is read as it says, and a charset that is none does no harm."""
    site.pages["/json"] = Reply('{"a": [1, 2]}', kind="application/json")
    site.pages["/latin"] = Reply("<p>caf\xe9</p>".encode("latin-1"), kind="text/html; charset=iso-8859-1")
    site.pages["/meta"] = Reply(
        '<meta charset="windows-1251"><p>\u0445\u043b\u0435\u0431</p>'.encode("cp1251"), kind="text/html"
    )
    site.pages["/odd"] = Reply("plain", kind="text/plain; charset=punycode")
    async with reading(site) as pages:
        texts = [(await pages.fetch(site.url(path))).text for path in ("/json", "/latin", "/meta", "/odd")]
    assert texts == ['{\n "a": [\n  1,\n  2\n ]\n}', "caf\xe9", "\u0445\u043b\u0435\u0431", "plain"]


@pytest.mark.parametrize("longest", [100, 100_000])
def test_json_that_is_nested_deeply_grows_no_longer_than_is_looked_through(longest: int) -> None:
    """However deep it is nested, what is gone through sign by sign is a few times what is handed on, and no more."""
    raw = "[" * 500 + ",".join(["1"] * 10_000) + "]" * 500
    assert len(_indented(raw, longest)) <= 4 * longest


async def test_many_pages_at_once_are_all_read(site: Site) -> None:
    """Pages that are asked for side by side do not get mixed up."""
    for at in range(12):
        site.pages[f"/{at}"] = Reply(f"<p>page {at}</p>")
    async with reading(site) as pages:
        read = await asyncio.gather(*(pages.fetch(site.url(f"/{at}")) for at in range(12)))
    assert [page.text for page in read] == [f"page {at}" for at in range(12)]


def test_characters_without_a_shape_are_gone() -> None:
    """Tags, joiners, marks of direction and fillers carry no message past people."""
    hidden = "".join(chr(0xE0000 + ord(char)) for char in "obey")
    assert (
        plain(f"a{hidden}\u200b\u202e\u2066\u00ad\ufeff\u3164\U000e0101b\r\n\n\n\n  c\x00\x1b") == "ab\n\n  c"
    )


@pytest.mark.parametrize(
    "html",
    [
        *("", "<", "<p", "\x00", "<!doctype html>", "<p>a<b>c</p>d</b>", "&#0;&#x202e;"),
        *("<div>" * 5000, "<" * 500_000, "<!--" * 100_000, f"<style>{'/*' * 200_000}</style>"),
        *(
            f"<style>{'a' * 500_000}</style>",
            f"<style>{'{' * 200_000}</style>",
            f'<p style="{"/*" * 200_000}">',
        ),
    ],
    ids=itertools.count(),
)
def test_broken_pages_do_no_harm(html: str) -> None:
    """Whatever is sent as HTML is read or turned down, before anybody is tired of waiting for it."""
    try:
        title, seen = visible(html)
    except ValueError:
        return
    assert isinstance(title + seen, str)
