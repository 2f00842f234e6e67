"""Engines are asked in order, through their own real clients, and what they find is put in order."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import aiohttp
import pytest
from aiohttp import web

from agent.services.search import Ddgs, Engine, Exa, Search, canonical, rank
from agent.tool import Found, ToolRefused
from policies.load import WebRules, load_rules
from policies.urls import Target, read_url
from tests.fakes.web_server import Reply, Site

RULES = load_rules().web
HITS = """<html><body><div class="results"><div class="result__body"><h2>{title}</h2><a href="{url}">{snippet}</a></div>
<div class="result__body"><h2>Advert</h2><a href="https://duckduckgo.com/y.js?ad=1">buy</a></div></div></body></html>"""


class Broken:
    """An engine that never answers."""

    name = "broken"

    async def search(self, _query: str, _most: int) -> Sequence[Found]:
        """Wait for what does not come."""
        await asyncio.Event().wait()
        return ()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_exa_is_asked_with_its_key_and_its_hits_come_clean(session: aiohttp.ClientSession) -> None:
    """Exa's interface is spoken as it is documented, and titles hold no invisible characters."""
    asked: list[tuple[str | None, dict[str, object]]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.headers.get("x-api-key"), await request.json()))
        hit = {"id": "1", "url": "https://example.org/a", "title": "A\u200b  B", "highlights": ["one", "two"]}
        return web.json_response(
            {"requestId": "r", "results": [hit, {"url": "http://10.0.0.1/", "title": None}]}
        )

    app = web.Application()
    app.router.add_post("/search", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    server = web.TCPSite(runner, "127.0.0.1", 0)
    await server.start()
    try:
        search = Search([Exa("key-1", session, f"http://127.0.0.1:{runner.addresses[0][1]}")], RULES)
        found = await search.search("a b", 5)
    finally:
        await runner.cleanup()
    assert list(found) == [Found("A B", "https://example.org/a", "one two")]
    assert [key for key, _ in asked] == ["key-1"]
    assert asked[0][1]["query"] == "a b"
    assert asked[0][1]["numResults"] == 5


async def test_the_ddgs_library_reads_an_engine_s_page(site: Site) -> None:
    """Hits of the engine's result page come with title, address and snippet, advertisements left out."""
    page = HITS.format(title="On bread", url="https://example.org/bread", snippet="flour and time")
    site.pages["/html/"] = Reply(page)
    search = Search([Ddgs("duckduckgo", 5, site.url("/html/"))], RULES)
    found = await search.search("bread", 5)
    assert list(found) == [Found("On bread", "https://example.org/bread", "flour and time")]


async def test_when_one_engine_is_down_the_next_is_asked(site: Site, session: aiohttp.ClientSession) -> None:
    """Errors, empty answers and an engine that hangs are each passed over."""
    page = HITS.format(title="On bread", url="https://example.org/bread", snippet="flour")
    site.pages["/html/"] = Reply(page)
    site.pages["/empty/"] = Reply("<html><body></body></html>")
    rules = WebRules(**{**RULES.model_dump(), "search_seconds": 0.5})
    engines: list[Engine] = [
        Exa("key", session, site.url("/down")),
        Broken(),
        Ddgs("no-such-engine", 1),
        Ddgs("duckduckgo", 1, site.url("/empty/")),
        Ddgs("duckduckgo", 1, site.url("/html/")),
    ]
    assert [hit.title for hit in await Search(engines, rules).search("bread", 5)] == ["On bread"]


async def test_when_none_answers_the_reasons_are_said(site: Site, session: aiohttp.ClientSession) -> None:
    """Without an answer there is one sentence that names each engine, and never a key."""
    with pytest.raises(ToolRefused) as caught:
        await Search(
            [Exa("very-secret", session, site.url("/down")), Ddgs("duckduckgo", 1, site.url("/gone"))], RULES
        ).search("x", 3)
    assert "Exa answers with status 404" in str(caught.value)
    assert "duckduckgo" in str(caught.value)
    assert "very-secret" not in str(caught.value)
    with pytest.raises(ToolRefused, match="no engine is set up"):
        await Search([], RULES).search("x", 3)


@pytest.mark.parametrize(("query", "most"), [("", 5), ("\u200b \n", 5), ("x" * 1001, 5), ("x", 0), ("x", 51)])
async def test_bounds_are_held(query: str, most: int) -> None:
    """A query is neither empty nor too long, and no more results can be asked for than fifty."""
    with pytest.raises(ToolRefused, match="between 1 and"):
        await Search([Broken()], RULES).search(query, most)


def test_the_relevant_hit_comes_first_and_twins_are_one() -> None:
    """What speaks of the question beats what came first; two addresses of one page are one hit, with the longer snippet."""
    found = [
        Found("Shop", "https://shop.example/", "buy things"),
        Found("Height of Mont Blanc", "http://www.example.org/mont-blanc/?utm_source=x", "4806 m"),
        Found(
            "Height of Mont Blanc", "https://example.org/mont-blanc#top", "The height of Mont Blanc is 4806 m"
        ),
        Found("Local", "http://localhost/", "height of Mont Blanc"),
    ]
    ranked = rank("height of Mont Blanc", found, RULES)
    assert [hit.title for hit in ranked] == ["Height of Mont Blanc", "Shop"]
    assert ranked[0].snippet == "The height of Mont Blanc is 4806 m"


def test_a_title_counts_as_well_as_a_snippet() -> None:
    """A hit whose title answers beats earlier ones that have nothing to do with the question."""
    found = [
        Found("Shop", "https://a.example/"),
        Found("Bread and time", "https://b.example/"),
        Found("", "https://c.example/", "bread"),
    ]
    ranked = rank("bread time", found, RULES)
    assert ranked[0].title == "Bread and time"
    assert {hit.title for hit in ranked} == {"Bread and time", "Shop", "c.example"}


def test_different_pages_stay_apart() -> None:
    """A query or a path that differs is another page."""
    targets = [
        read_url(url, RULES)
        for url in ("https://a.example/?p=1", "https://a.example/?p=2", "https://a.example/b")
    ]
    assert len({canonical(target) for target in targets if isinstance(target, Target)}) == 3
