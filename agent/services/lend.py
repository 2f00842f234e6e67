"""Makes the services that tools are lent, from the rules and the state folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

from agent.services.api import Calling
from agent.services.data import Databases
from agent.services.files import Folder
from agent.services.pages import Pages
from agent.services.runner import OpenSandbox, SandboxRunner
from agent.services.search import Ddgs, Engine, Exa, Search
from agent.services.web import Client
from agent.tool import Found, Page
from policies.load import Rules

API = "api"
"""Lent to tools that people made as data, and to no live code: no manifest may name it."""


class Net:
    """Searching and fetching, together what a tool knows as the web. Made and closed on one event loop."""

    def __init__(self, pages: Pages, search: Search, client: Client, session: aiohttp.ClientSession) -> None:
        self._pages = pages
        self._search = search
        self._client = client
        self._session = session

    async def search(self, query: str, most: int) -> Sequence[Found]:
        """See `Search.search`."""
        return await self._search.search(query, most)

    async def fetch(self, url: str) -> Page:
        """See `Pages.fetch`."""
        return await self._pages.fetch(url)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()
        await self._session.close()


class Services:
    """Everything that the kernel lends to tools; `lent` goes into each `Context`, by service."""

    def __init__(self, lent: dict[str, Any], net: Net) -> None:
        self.lent = lent
        self._net = net

    async def close(self) -> None:
        """Let go of connections."""
        await self._net.close()


def open_services(
    rules: Rules,
    home: Path,
    open_sandbox: OpenSandbox,
    *,
    exa_key: str = "",
    resolver: AbstractResolver | None = None,
) -> Services:
    """Make what tools are lent: `web`, `api`, `runner`, `data` and `files`. Call it on the event loop; it starts nothing.

    Args:
        rules: Their parts `web` and `services` say what is allowed.
        home: The state folder, to which the rules' databases and folder are relative.
        open_sandbox: Asked for the sandbox when code is to be run first.
        exa_key: Exa's key; without it Exa is not asked.
        resolver: How names are looked up; the system's way if left out.
    """
    client = Client(rules.web, resolver)
    session = aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=rules.web.search_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )
    engines: list[Engine] = [Exa(exa_key, session)] if exa_key else []
    engines += [Ddgs(name, rules.web.search_seconds) for name in rules.web.engines]
    net = Net(Pages(client, rules.web), Search(engines, rules.web), client, session)
    lent: dict[str, Any] = {"web": net, "runner": SandboxRunner(open_sandbox, rules.services)}
    lent[API] = Calling(client, rules.web)
    if rules.services.databases:
        files = {name: home / path for name, path in rules.services.databases.items()}
        lent["data"] = Databases(files, rules.services)
    if rules.services.folder:
        lent["files"] = Folder(home / rules.services.folder)
    return Services(lent, net)
