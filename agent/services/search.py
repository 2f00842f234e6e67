"""Searches the net: engines are asked one after the other until one has an answer, which is then put in order.

Exa is asked first where its key is set; the others come through the ddgs library, which reads the result pages of public
engines with an HTTP client of its own. So the page client's filter does not see these requests: they go to the engines'
own addresses, whatever a name server says of these, and follow no redirect. What the engines find is judged by the filter,
and a hit that could not be fetched is left out.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp

from agent.services.cleaning import line
from agent.tool import Found, ToolRefused
from policies.load import WebRules
from policies.urls import Target, read_url

MOST_QUERY = 1000
MOST_RESULTS = 50
SNIPPET_CHARS = 400
EXA = "https://api.exa.ai"
PAGES = 3
"""Result pages that one engine is asked for at most."""

_WORD = re.compile(r"\w+")
_TRACKS = re.compile(r"utm_\w+|fbclid|gclid|msclkid|mc_[ce]id|igshid|ref|ref_src")


class SearchFailed(Exception):
    """An engine has no answer. Its text says which, and why, without secrets."""


class Engine(Protocol):
    """Something that searches."""

    @property
    def name(self) -> str:
        """How people call it."""

    async def search(self, query: str, most: int) -> Sequence[Found]:
        """Hits, best first.

        Raises:
            SearchFailed: It could not be reached, or makes no sense.
        """


class Search:
    """Asks engines in order."""

    def __init__(self, engines: Sequence[Engine], rules: WebRules) -> None:
        self._engines = engines
        self._rules = rules

    async def search(self, query: str, most: int) -> Sequence[Found]:
        """Hits for a query, best first, each page once.

        Raises:
            ToolRefused: The query is empty or too long, or no engine answers.
        """
        query = line(query)
        if not query or len(query) > MOST_QUERY:
            raise ToolRefused(
                f"a query has between 1 and {MOST_QUERY} characters; say what to search for in that"
            )
        if not 1 <= most <= MOST_RESULTS:
            raise ToolRefused(f"between 1 and {MOST_RESULTS} results can be asked for")
        problems: list[str] = []
        for engine in self._engines:
            try:
                async with asyncio.timeout(self._rules.search_seconds):
                    found = await engine.search(query, most)
            except SearchFailed as error:
                problems.append(str(error))
            except TimeoutError:
                problems.append(f"{engine.name} took longer than {self._rules.search_seconds:g} s")
            else:
                if ranked := rank(query, found, self._rules)[:most]:
                    return ranked
                problems.append(f"{engine.name} found nothing")
        raise ToolRefused(f"nothing was found on the net: {'; '.join(problems) or 'no engine is set up'}")


class Exa:
    """Exa's search interface."""

    name = "Exa"

    def __init__(self, key: str, session: aiohttp.ClientSession, base: str = EXA) -> None:
        self._key = key
        self._session = session
        self._base = base.rstrip("/")

    async def search(self, query: str, most: int) -> Sequence[Found]:
        """Hits as Exa orders them."""
        asked = {"query": query, "numResults": most, "contents": {"highlights": {"numSentences": 2}}}
        try:
            async with self._session.post(
                f"{self._base}/search", json=asked, headers={"x-api-key": self._key}, allow_redirects=False
            ) as response:
                if not response.ok:
                    raise SearchFailed(f"Exa answers with status {response.status}")
                body: Any = await response.json()
            return [
                Found(
                    title=line(str(hit.get("title") or hit["url"])),
                    url=str(hit["url"]),
                    snippet=line(" ".join(hit.get("highlights") or [hit.get("text") or ""]))[:SNIPPET_CHARS],
                )
                for hit in body["results"]
            ]
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SearchFailed(f"Exa did not answer as it should ({type(error).__name__})") from error


class Ddgs:
    """One engine of the ddgs library, asked in a thread."""

    def __init__(self, name: str, seconds: float, address: str = "") -> None:
        self.name = name
        self._seconds = seconds
        self._address = address

    async def search(self, query: str, most: int) -> Sequence[Found]:
        """Hits as the engine orders them, from as many of its pages as it takes."""
        return await asyncio.to_thread(self._search, query, most)

    def _search(self, query: str, most: int) -> list[Found]:
        from ddgs.engines import ENGINES

        kind = ENGINES["text"].get(self.name)
        if kind is None:
            raise SearchFailed(f"the ddgs library knows no engine {self.name}")
        engine: Any = kind(timeout=max(1, round(self._seconds)))
        # Its client is the library's own, which no filter of ours sees: it goes to the engine and nowhere from there.
        engine.http_client.client.follow_redirects = False
        if self._address:
            engine.search_url = self._address
        found: dict[str, Found] = {}
        end = time.monotonic() + self._seconds
        for page in range(1, PAGES + 1):
            try:
                hits = engine.search(query, page=page) or []
            except Exception as error:  # each engine reads its own pages, and fails in its own way
                if found:
                    break
                raise SearchFailed(f"{self.name} did not answer ({type(error).__name__})") from error
            before = len(found)
            for hit in hits:
                snippet = line(hit.body)[:SNIPPET_CHARS]
                found.setdefault(hit.href, Found(title=line(hit.title), url=hit.href, snippet=snippet))
            if len(found) >= most or len(found) == before or time.monotonic() > end:
                break
        return list(found.values())


def rank(query: str, found: Sequence[Found], rules: WebRules) -> list[Found]:
    """Hits that may be fetched, each page once, the most relevant first.

    A hit counts for the share of the query's words that its title and, for half as much, its snippet hold, and for its
    place in the engine's own order. Of two that name the same page the better one stays, with the longer snippet.
    """
    words = {word.casefold() for word in _WORD.findall(query)}
    best: dict[str, tuple[float, Found]] = {}
    for at, hit in enumerate(found):
        target = read_url(hit.url, rules)
        if not isinstance(target, Target):
            continue
        score = _share(words, hit.title) + 0.5 * _share(words, hit.snippet) + 1 / (at + 2)
        known = best.get(canonical(target))
        snippet = max(hit.snippet, known[1].snippet if known else "", key=len)
        first = known[1] if known and known[0] >= score else Found(hit.title, target.url)
        best[canonical(target)] = (
            max(score, known[0] if known else 0.0),
            Found(first.title or target.host, first.url, snippet),
        )
    return [hit for _, hit in sorted(best.values(), key=lambda pair: -pair[0])]


def canonical(target: Target) -> str:
    """What two addresses of one page have in common: neither scheme, `www.`, marks of campaigns, nor a last slash."""
    parts = urlsplit(target.url)
    kept = sorted(
        pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKS.fullmatch(pair[0])
    )
    return f"{target.host.removeprefix('www.')}{parts.path.rstrip('/')}?{urlencode(kept)}"


def _share(words: set[str], text: str) -> float:
    return len(words & {word.casefold() for word in _WORD.findall(text)}) / max(1, len(words))
