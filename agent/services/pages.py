"""Reads pages for a model: asks robots.txt, fetches, takes the text out of the page, and keeps it for a while."""

import asyncio
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.robotparser import RobotFileParser

from agent.services.cleaning import plain, visible
from agent.services.threads import Threads
from agent.services.web import Answer, Client
from agent.tool import Page, ToolRefused
from policies.load import WebRules
from policies.urls import Target

ROBOTS_KINDS = ("text/plain", "text/html")
ROBOTS_BYTES = 500_000
"""What RFC 9309 asks a reader to take in at least."""
ROBOTS_SECONDS = 3600.0
MOST_HTML = 600_000
"""Characters of a page's HTML that are looked through for its text; more takes many seconds."""
AT_ONCE = 2
"""Pages whose text is taken out side by side, each in a thread."""
_LOOKED_THROUGH = 4
"""Times the characters that are handed on, since some may be taken out."""
HTML = ("text/html", "application/xhtml+xml")

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,10})")
_NOT_KEPT = re.compile(r"(?:^|[\s,])(?:no-store|no-cache|private)(?:$|[\s,=])")
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w-]{1,40})", re.IGNORECASE)

_WEB_CHARSET = re.compile(
    r"utf-?(?:8|16)(?:-?[lb]e)?|(?:us-)?ascii|iso-?8859-\d{1,2}|latin-?\d|windows-\d{3,4}|cp\d{3,4}|macintosh"
    r"|koi8-[ru]|gb(?:k|2312|18030)|big5(?:-hkscs)?|shift[-_]jis|euc-(?:jp|kr)|iso-2022-jp",
    re.IGNORECASE,
)
"""The others that Python knows are no texts of the web, and some take long."""


@dataclass(frozen=True, slots=True)
class _Kept:
    page: Page
    until: float


class Pages:
    """Fetches pages; holds what it fetched in memory. Made and closed on one event loop."""

    def __init__(self, client: Client, rules: WebRules, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._rules = rules
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._robots: OrderedDict[str, tuple[RobotFileParser, float]] = OrderedDict()
        self._threads = Threads(AT_ONCE)

    async def fetch(self, url: str) -> Page:
        """The text of one page.

        Raises:
            ToolRefused: It is not allowed, or there is nothing to read; says why.
        """
        asked = self._client.judge(url).url
        kept = self._kept.get(asked)
        if kept is not None and self._clock() < kept.until:
            self._kept.move_to_end(asked)
            return replace(kept.page, cached=True)
        try:
            async with asyncio.timeout(self._rules.seconds):
                answer = await self._client.get(
                    url,
                    kinds=self._rules.kinds,
                    most_bytes=self._rules.page_bytes,
                    before=self._ask_robots if self._rules.robots else None,
                )
                if answer.status != HTTPStatus.OK:
                    raise ToolRefused(
                        f"{answer.target.url} answers with status {answer.status}; use another source"
                    )
                page = await self._threads.run(_read, answer, self._rules.text_chars)
        except TimeoutError as error:
            raise ToolRefused(
                f"{asked} did not come within {self._rules.seconds:g} s; use another source"
            ) from error
        self._keep(asked, page, answer)
        return page

    def _keep(self, asked: str, page: Page, answer: Answer) -> None:
        said = _MAX_AGE.search(answer.cache_control)
        seconds = float(said[1]) - answer.age if said else self._rules.cache_seconds
        if _NOT_KEPT.search(answer.cache_control) or seconds <= 0:
            self._kept.pop(asked, None)
            return
        self._kept[asked] = _Kept(page, self._clock() + min(seconds, self._rules.longest_cache_seconds))
        self._kept.move_to_end(asked)
        while len(self._kept) > self._rules.cache_pages:
            self._kept.popitem(last=False)

    async def _ask_robots(self, target: Target) -> None:
        robots, until = self._robots.get(target.origin, (None, 0.0))
        if robots is None or self._clock() >= until:
            robots = await self._read_robots(target)
            self._robots[target.origin] = robots, self._clock() + ROBOTS_SECONDS
            while len(self._robots) > self._rules.cache_pages:
                self._robots.popitem(last=False)
        if not robots.can_fetch(self._rules.user_agent, target.url):
            raise ToolRefused(f"{target.host} asks programs not to read {target.url}; use another source")

    async def _read_robots(self, target: Target) -> RobotFileParser:
        """What a site asks of programs; a site that has no rules allows all, one that fails allows nothing."""
        robots = RobotFileParser()
        answer = await self._client.get(
            f"{target.origin}/robots.txt", kinds=ROBOTS_KINDS, most_bytes=ROBOTS_BYTES
        )
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise ToolRefused(f"{target.host} cannot say now what programs may read; use another source")
        text = _text(answer) if answer.status == HTTPStatus.OK else ""
        await asyncio.to_thread(robots.parse, text.splitlines())  # the longest take a noticeable while
        return robots


def _read(answer: Answer, most_chars: int) -> Page:
    """A page's readable text. Blocks; its time grows with the size of the page."""
    raw = _text(answer)
    title = ""
    if answer.kind in HTML:
        title, text = _article(raw[:MOST_HTML])
    elif answer.kind == "application/json" and not answer.cut:
        text = _indented(raw, most_chars)
    else:
        text = plain(raw)
    if not text:
        raise ToolRefused(f"{answer.target.url} has no text that can be read; use another source")
    if answer.cut or len(text) > most_chars or (answer.kind in HTML and len(raw) > MOST_HTML):
        text = f"{text[:most_chars]}\n[the page goes on beyond this]"
    return Page(url=answer.target.url, title=title[:300], text=text)


def _article(html: str) -> tuple[str, str]:
    import trafilatura  # a sixth of a second that only reading a page needs

    try:
        title, seen = visible(html)
    except ValueError:
        return "", ""
    text = trafilatura.extract(seen, include_comments=False, include_tables=True, include_links=False)
    return title, plain(text or "")


def _indented(raw: str, most_chars: int) -> str:
    """JSON as people read it, where it is not long: indents make what is nested deeply many times longer."""
    try:
        text = json.dumps(json.loads(raw), ensure_ascii=False, indent=1 if len(raw) <= most_chars else None)
    except (ValueError, RecursionError):
        text = raw
    return plain(text[: _LOOKED_THROUGH * most_chars])


def _text(answer: Answer) -> str:
    found = _CHARSET.search(answer.body[:2048]) if answer.kind in HTML else None
    named = answer.charset or (found[1].decode() if found else "utf-8")
    try:
        return answer.body.decode(named if _WEB_CHARSET.fullmatch(named) else "utf-8", errors="replace")
    except LookupError:
        return answer.body.decode(errors="replace")
