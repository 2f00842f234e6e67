"""Pages are read as people see them, as often as their sites allow, and kept as long as they say."""

import asyncio
import itertools
import sys
import threading
import urllib.robotparser
from collections.abc import Callable
from functools import partial
from types import FrameType

import pytest

from agent.services.cleaning import plain, visible
from agent.services.pages import AT_ONCE, Pages, _indented
from agent.services.web import Answer, Before, Client
from agent.tool import ToolRefused
from tests.agent.reading_pages import Clock, reading
from tests.fakes.web_server import Reply, Site

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
