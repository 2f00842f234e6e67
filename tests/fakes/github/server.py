"""The stand-in as a test uses it: a GitHub on loopback, and what people and Actions do on it."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.fakes.github import checks, hooks, merging, people, reviews
from tests.fakes.github.description import Judge, Unjudged
from tests.fakes.github.faults import Hold, When
from tests.fakes.github.git import Bare
from tests.fakes.github.http import Request
from tests.fakes.github.serving import API, Server
from tests.fakes.github.state import Hook, World, signature
from tests.fakes.github.things import (
    Account,
    CheckRun,
    Comment,
    Event,
    How,
    Line,
    NotPossible,
    Permission,
    Protection,
    Pull,
    Queued,
    Review,
    Status,
    Verdict,
)


class GitHub:
    """A GitHub of its own, up while the block lasts.

    What people do are plain calls, which raise `NotPossible` where GitHub would not let them.

    Attributes:
        repository: Its one repository, as owner/name.
        bare: The repository itself.
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
        self.git = Bare(self.bare, start)
        self.world = world = World(self.git, self.repository)
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
    def pulls(self) -> dict[int, Pull]:
        """The pull requests, by number."""
        return self.world.pulls

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

    # What people do

    def person(self, login: str, permission: Permission = "write") -> Account:
        """Make somebody with access to the repository; the same name again changes their access."""
        return self.world.account(login, permission)

    def review(
        self,
        who: Account,
        pull: int,
        state: Verdict,
        body: str = "",
        *,
        comments: Sequence[Line] = (),
        head: str | None = None,
    ) -> Review:
        """Let somebody review a pull request: its head, or an older one."""
        one = self.pulls[pull]
        return reviews.review(self.world, one, who, state, body=body, lines=comments, head=head or one.head)

    def dismiss(self, who: Account, pull: int, review: int) -> None:
        """Let somebody dismiss a review."""
        reviews.dismiss(self.world, self.pulls[pull], review, who)

    def comment(self, who: Account, pull: int, body: str) -> Comment:
        """Let somebody comment."""
        return reviews.comment(self.world, self.pulls[pull], who, body)

    def push(
        self, who: Account, branch: str, files: Mapping[str, str | None], message: str = "A change"
    ) -> str:
        """Let somebody put a commit on a branch (past every protection); None takes a file away. The commit."""
        old = self.git.branch(branch)
        new = self.git.put(branch, files, message, signature(who))
        merging.pushed(self.world, who, f"refs/heads/{branch}", old, new)
        return new

    def force(self, who: Account, branch: str, commit: str) -> None:
        """Let somebody set a branch to a commit that the repository has, whatever it was."""
        old = self.git.branch(branch)
        self.git.move(f"refs/heads/{branch}", commit)
        merging.pushed(self.world, who, f"refs/heads/{branch}", old, self.git.find(commit))

    def open(self, who: Account, branch: str, title: str, body: str = "", *, draft: bool = False) -> int:
        """Let somebody open a pull request from a branch to main; its number."""
        world, head = self.world, self._there(branch)
        made = Pull(
            *(world.number(), world.id(), who, title, body, branch, "main", head, self.main()),
            *(world.now(), world.now()),
            draft=draft,
            last_pusher=who,
        )
        merging.opened(world, made, who)
        return made.number

    def press_merge(self, who: Account, pull: int, how: How = "merge") -> str:
        """Let somebody press the button; the commit that main became."""
        return merging.merge(self.world, self.pulls[pull], who, how)

    def close(self, who: Account, pull: int) -> None:
        """Let somebody close a pull request without merging it."""
        merging.close(self.world, self.pulls[pull], who)

    def reopen(self, who: Account, pull: int) -> None:
        """Let somebody open it again."""
        merging.reopen(self.world, self.pulls[pull], who)

    def delete_branch(self, who: Account, branch: str) -> None:
        """Let somebody delete a branch; its pull requests are closed, as there."""
        old = self._there(branch)
        self.git.move(f"refs/heads/{branch}", "")
        merging.pushed(self.world, who, f"refs/heads/{branch}", old, "")

    def _there(self, branch: str) -> str:
        if not (found := self.git.branch(branch)):
            raise NotPossible(f"There is no branch {branch}.")
        return found

    def run(
        self,
        head: str,
        name: str,
        conclusion: str | None = "success",
        summary: str = "",
        annotations: Sequence[Line] = (),
    ) -> CheckRun:
        """Let a job of Actions begin (None), or end; a second call for the same head and name goes on with the first."""
        return checks.act(self.world, head, name, conclusion, summary=summary, annotations=annotations)

    def protect(self, branch: str = "main", **rules: Any) -> Protection:
        """Set the rules of a branch: the fields of `Protection`."""
        made = self.world.protections[branch] = Protection(**rules)
        return made

    def advance_queue(self) -> list[int]:
        """Let the merge queue merge what stands first while its checks passed; the numbers of those that were."""
        return merging.advance(self.world)

    def webhook(self, url: str, secret: str, events: Sequence[str] = ("*",)) -> None:
        """Let what happens from now on be told there."""
        made = Hook(self.world.id(), url, secret, list(events))
        self.world.hooks[made.id] = made

    async def delivered(self) -> None:
        """Wait until the webhooks have been told of everything that happened so far."""
        await self.deliveries.delivered()

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
