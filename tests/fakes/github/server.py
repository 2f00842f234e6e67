"""The stand-in as a test uses it: a GitHub on loopback, and what people and Actions do on it."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.fakes.github import hooks, people
from tests.fakes.github.acts import Acts
from tests.fakes.github.description import Judge, Unjudged
from tests.fakes.github.faults import Hold, When
from tests.fakes.github.git import Bare
from tests.fakes.github.http import Request
from tests.fakes.github.serving import API, Server
from tests.fakes.github.state import Hook, World
from tests.fakes.github.things import (
    CheckRun,
    Event,
    Queued,
    Status,
)


class GitHub(Acts):
    """A GitHub of its own, up while the block lasts.

    What people do are plain calls, which raise `NotPossible` where GitHub would not let them.

    Attributes:
        repository: Its one repository, as owner/name.
        bare: The repository itself, on disk; `git` runs git in it.
        pulls: The pull requests, by number.
        bot: The account of Theseus that `token` belongs to; it may write.
        token: A personal access token of that account.
        app: The App of Theseus; its permissions can be changed.
        app_bot: The account as which the App acts.
        app_key: Its private key, as PEM text.
    """

    repository = "harbour/theseus"

    def __init__(self, folder: Path, *, start: Path | None = None, judge: Judge | None = None) -> None:
        """Prepare one.

        Args:
            folder: An empty place for the repository.
            start: A repository whose `main` becomes main there; a commit with a README where there is none.
            judge: Holds requests against GitHub's description.
        """
        self.bare = folder / f"{self.repository}.git"
        world = World(Bare(self.bare, start), self.repository)
        super().__init__(world)
        self.server = Server(world, judge or Unjudged())
        self.faults = self.server.faults
        self.bot = world.account("theseus-bot", "write")
        self.token = self.bot.token
        self.app, self.app_key = people.make_app(world, "theseus")
        self.app_bot, self.app_id, self.installation_id = self.app.bot, self.app.id, self.app.installation
        self.deliveries = hooks.Deliveries(world)
        world.hear = self.deliveries.hear
        world.payload = lambda body, by: hooks.payload(world, body, by)

    async def __aenter__(self) -> Self:
        await self.server.start()
        self.world.base = f"http://127.0.0.1:{self.server.port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.deliveries.close()
        await self.server.close()

    # What there is

    @property
    def api(self) -> str:
        """Base address of the REST interface, as http://127.0.0.1:PORT/api/v3."""
        return self.world.base + API

    @property
    def graphql(self) -> str:
        """Address of GraphQL, where an Enterprise server has it."""
        return f"{self.world.base}/api/graphql"

    @property
    def clone_url(self) -> str:
        """Where git finds the repository over http."""
        return f"{self.world.base}/{self.repository}.git"

    @property
    def requests(self) -> list[Request]:
        """Every request that came, those of git too."""
        return self.server.requests

    @property
    def violations(self) -> list[str]:
        """What did not fit GitHub's description, and mistakes of the stand-in itself."""
        return [*self.server.violations, *self.server.failures]

    @property
    def events(self) -> list[Event]:
        """What happened."""
        return self.world.events

    @property
    def queue(self) -> list[Queued]:
        """The merge queue; checks run on each entry's `trial`."""
        return self.world.queue

    def checks(self, head: str) -> list[CheckRun]:
        """The check runs on a commit."""
        return [one for one in self.world.runs.values() if one.head == head]

    def statuses(self, head: str) -> list[Status]:
        """The commit statuses on a commit, the oldest first."""
        return [one for one in self.world.statuses if one.head == head]

    def branch(self, name: str) -> str:
        """The commit of a branch; empty where there is none."""
        return self.git.branch(name)

    def main(self) -> str:
        """The commit of main."""
        return self.git.branch("main")

    def made(self, method: str, ending: str = "") -> list[Request]:
        """The requests of that method whose path ends like that."""
        return [one for one in self.requests if one.method == method and one.path.endswith(ending)]

    async def came(self, method: str, path: str, times: int = 1) -> None:
        """Wait until so many requests of that method have arrived whose path has that pattern."""
        pattern = re.compile(path)
        async with asyncio.timeout(60):
            while (
                sum(one.method == method and bool(pattern.search(one.path)) for one in self.requests) < times
            ):
                await self.server.arrival.wait()

    # Who listens

    def webhook(self, url: str, secret: str, events: Sequence[str] = ("*",)) -> None:
        """Let what happens from now on be told there."""
        made = Hook(self.world.id(), url, secret, list(events))
        self.world.hooks[made.id] = made

    async def delivered(self) -> None:
        """Wait until the webhooks have been told of everything that happened so far."""
        await self.deliveries.delivered()

    def rename(self, name: str) -> None:
        """Let the repository have another name from now on; by the old one, requests are sent on."""
        self.world.former.add(self.world.full_name.lower())
        self.world.full_name = f"{self.world.owner.login}/{name}"

    def expire_tokens(self) -> None:
        """Let the hour of every installation token be over."""
        self.world.tokens.clear()

    # What goes wrong

    def hold(self, method: str, path: str, when: When = "before") -> Hold:
        """Stop the next request of that method whose path has that pattern: git's too, at r"/git-receive-pack$"."""
        return self.faults.hold(method, path, when)

    def fail(
        self,
        path: str,
        status: int,
        times: int = 1,
        *,
        method: str = "*",
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> None:
        """Answer the next such requests like that, and do nothing; a 5xx without a body comes as a page."""
        self.faults.fail(path, status, times=times, method=method, headers=headers, body=body)

    def secondary_limit(
        self, path: str = "", retry_after: int | None = None, times: int = 1, status: int = 403
    ) -> None:
        """Answer the next such requests with the secondary limit."""
        self.faults.secondary(path, retry_after, times, status)

    def primary_limit(self, reset_in: int = 3600) -> None:
        """Let the hour's requests be used up, for so many seconds."""
        limit = self.faults.limit
        limit.use_up(reset_in)

    def slow(self, seconds: float) -> None:
        """Let every answer take so long from now on."""
        self.faults.seconds = seconds

    async def outage(self, *, hanging: bool = False) -> None:
        """Refuse connections, or take requests and never answer them, until `restore`."""
        if hanging:
            self.faults.hanging.clear()
        else:
            await self.server.refuse()

    async def restore(self) -> None:
        """End an outage; what hung is lost."""
        self.faults.hanging.set()
        await self.server.start()
