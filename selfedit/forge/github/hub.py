"""Pull requests of one repository as GitHub offers them: finding, making, changing; each can be done twice."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from selfedit.forge.github.client import Client, No
from selfedit.forge.github.payload import Fields, rows
from selfedit.forge.github.reading import NOBODY, account
from selfedit.forge.github.settings import GitHubSettings
from selfedit.forge.github.texts import LABELS
from selfedit.ports import ForgeDown
from selfedit.pulls import Account
from selfedit.words import one_line

_READY = "mutation($id:ID!){markPullRequestReadyForReview(input:{pullRequestId:$id}){pullRequest{isDraft}}}"
_DRAFT = "mutation($id:ID!){convertPullRequestToDraft(input:{pullRequestId:$id}){pullRequest{isDraft}}}"
_TO_DRAFT = "convert_to_draft"
_MARKS = (_TO_DRAFT, "ready_for_review")
"""Events after which a pull request is a draft, or none any more."""
SOMEBODY = NOBODY.model_copy(update={"login": "somebody"})
_RIGHTS = ("contents", "pull_requests", "issues", "checks")
"""What an App has to be allowed to write."""


@dataclass(frozen=True, slots=True)
class Me:
    """Who Theseus is there.

    Attributes:
        account: The account that it writes as.
        app: The number of its App; 0 where it acts with a token.
    """

    account: Account
    app: int = 0


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request, as far as changing it goes. `raw` is all that GitHub sent."""

    number: int
    node: str
    url: str
    branch: str
    base: str
    head: str
    open: bool
    draft: bool
    merged: str
    title: str
    body: str
    labels: tuple[str, ...]
    state: str
    """Whether it could be merged, in GitHub's words (`clean`, `behind`, `blocked`, `dirty`, `unknown`)."""
    raw: Any


class Hub:
    """The repository's pull requests."""

    def __init__(self, client: Client, settings: GitHubSettings) -> None:
        self.client = client
        self._settings = settings
        self._me: Me | None = None
        self.base = f"/repos/{settings.repository}"

    async def me(self) -> Me:
        """Who Theseus is there; asked once.

        Raises:
            ForgeDown: It could not be found out.
        """
        if self._me is None:
            if self.client.credential.is_app:
                app = Fields(await self.client.get("/app", as_app=True), "an App")
                login = quote(f"{app.text('slug')}[bot]")
                user = Fields(await self.client.get(f"/users/{login}"), "an account")
                self._me = Me(account(user), app.number("id"))
            else:
                self._me = Me(account(Fields(await self.client.get("/user"), "an account")))
        return self._me

    async def find(self, number: int, branch: str) -> Pull | None:
        """The pull request of a branch of this repository: by its number where that is known, open ones first.

        Raises:
            ForgeDown: It could not be found out.
        """
        if number:
            got = await self.client.get(f"{self.base}/pulls/{number}", no=(404,))
            if not isinstance(got, No) and self._ours(Fields(got, "a pull request"), branch):
                return self._pull(got)
        if not branch:
            return None
        owner = quote(self._settings.owner, safe="")
        listed = await self.client.every(f"{self.base}/pulls?state=all&head={owner}:{quote(branch, safe='')}")
        found = [one for one in rows(listed, "pull requests") if self._ours(one, branch)]
        if not found:
            return None
        best = max(found, key=lambda one: (one.text("state") == "open", one.number("number")))
        return await self.again(best.number("number"))

    async def again(self, number: int) -> Pull:
        """A pull request as it is now."""
        return self._pull(await self.client.get(f"{self.base}/pulls/{number}"))

    async def branches(self, prefix: str) -> set[str]:
        """The branches of this repository below a prefix that have an open pull request."""
        listed = rows(await self.client.every(f"{self.base}/pulls?state=open"), "pull requests")
        names = {one.object("head").text("ref", default=""): one for one in listed}
        return {name for name, one in names.items() if name.startswith(prefix) and self._ours(one, name)}

    async def tip(self, branch: str) -> str:
        """The commit that a branch names there; empty where there is none."""
        got = await self.client.get(f"{self.base}/git/ref/heads/{quote(branch)}", no=(404,))
        return "" if isinstance(got, No) else Fields(got, "a ref").object("object").commit("sha")

    async def lacks(self, branch: str) -> str:
        """Why a branch is not there: it was never pushed, or is called otherwise, or the repository is not to be seen either."""
        repository = self._settings.repository
        got = await self.client.get(self.base, no=(403, 404))
        if isinstance(got, No):
            return f"{repository} is not to be seen there; is GITHUB_REPOSITORY right, and may this App or token read it?"
        first = Fields(got, "a repository").text("default_branch", default=branch)
        other = (
            ""
            if first == branch
            else f" (if it is {one_line(first, 60)} now, say so under [repo] in policies/rules.toml)"
        )
        return f"{repository} on GitHub has no branch {branch}; push it there first{other}"

    async def hindrance(self) -> str:
        """Why nothing can be changed in the repository though it can be read, as a sentence; empty where nothing is known of such.

        Raises:
            ForgeDown: It could not be found out.
        """
        got = Fields(await self.client.get(self.base), "a repository")
        name = got.text("full_name")
        if name.lower() != self._settings.repository.lower():
            return f"it is called {one_line(name, 140)} now; set GITHUB_REPOSITORY to that, and start again"
        if got.flag("archived", default=False):
            return "it is archived, so nothing can be proposed or merged there"
        if self.client.credential.is_app:
            granted = self.client.credential.granted
            lacking = [right for right in _RIGHTS if granted and granted.get(right) != "write"]
            if lacking:
                rights = ", ".join(right.replace("_", " ") for right in lacking)
                return f"the App may not write {rights} there; give it that right (docs/github.md)"
        elif (may := got.maybe("permissions")) is not None and not may.flag("push", default=True):
            return "this account may only read there, so nothing can be proposed; give it write access (docs/github.md)"
        return ""

    async def create(self, branch: str, base: str, title: str, body: str, *, draft: bool) -> Pull:
        """Open a pull request; where somebody was faster, the one that is there."""
        data = {"title": title, "head": branch, "base": base, "body": body, "draft": draft}
        data["maintainer_can_modify"] = False
        got = await self.client.send("POST", f"{self.base}/pulls", data, no=(422,))
        if isinstance(got, No) and draft and "draft" in got.message.lower():  # not on every plan
            return await self.create(branch, base, title, body, draft=False)
        if not isinstance(got, No):
            return self._pull(got)
        found = await self.find(0, branch)
        if found is None or not found.open:
            raise ForgeDown(f"GitHub opens no pull request for {branch}: {got.message}", 300.0)
        return found

    async def drafted_by(self, pull: Pull, *, was_ready: bool) -> Account | None:
        """Who marked a pull request as a draft after it had been ready for review; None where it is none, or Theseus's own mark.

        Args:
            pull: The pull request.
            was_ready: It is known to have been ready, and Theseus marks none as a draft after that. So it is somebody's mark
                also where GitHub does not say whose.
        """
        if not (pull.draft and pull.open):
            return None
        listed = await self.client.every(f"{self.base}/issues/{pull.number}/events", no=(403, 404, 410))
        if isinstance(listed, No):
            return SOMEBODY if was_ready else None
        marks = [one for one in rows(listed, "events") if one.text("event", default="") in _MARKS]
        newest = max(marks, key=lambda one: one.number("id"), default=None)
        if newest is None or newest.text("event") != _TO_DRAFT:
            return None
        by = account(newest.maybe("actor"))
        return None if by.id == (await self.me()).account.id else by

    async def edit(self, pull: Pull, **fields: str) -> None:
        """Change what differs of a pull request's title, body or state."""
        now = {"title": pull.title, "body": pull.body, "state": "open" if pull.open else "closed"}
        new = {name: value for name, value in fields.items() if now[name] != value}
        if new:
            await self.client.send("PATCH", f"{self.base}/pulls/{pull.number}", new)

    async def mark(self, pull: Pull, *, draft: bool) -> None:
        """Make a pull request a draft, or ready for review. Where a plan knows no drafts it stays as it is."""
        if pull.draft == draft:
            return
        got = await self.client.graphql(_DRAFT if draft else _READY, {"id": pull.node}, changes=True)
        if isinstance(got, No) and not draft:
            raise ForgeDown(
                f"GitHub does not make pull request {pull.number} ready for review: {got.message}", 120.0
            )

    async def label(self, pull: Pull, *names: str) -> None:
        """Put labels on a pull request; those that the repository does not have are made."""
        missing = [name for name in names if name not in pull.labels]
        for name in missing:
            there = await self.client.get(f"{self.base}/labels/{quote(name, safe='')}", no=(404,))
            if isinstance(there, No):
                colour, description = LABELS[name]
                label = {"name": name, "color": colour, "description": description}
                await self.client.send("POST", f"{self.base}/labels", label, no=(422,))
        if missing:
            path = f"{self.base}/issues/{pull.number}/labels"
            await self.client.send("POST", path, {"labels": missing}, no=(410,))

    async def say(self, pull: Pull, key: str, text: str) -> None:
        """Comment once for each key: found again by a mark in comments of our own account.

        Where nobody may comment, because the conversation is locked or there is none, nothing is said.
        """
        mark = _mark(key)
        me = (await self.me()).account.id
        path = f"{self.base}/issues/{pull.number}/comments"
        there = await self.client.every(path, no=(410,))
        if isinstance(there, No):
            return
        for one in rows(there, "comments"):
            if one.text("body", default="").endswith(mark) and account(one.maybe("user")).id == me:
                return
        body = {"body": f"{text.rstrip()}\n\n{mark}"}
        got = await self.client.send("POST", path, body, no=(403, 410))
        if isinstance(got, No) and got.status == 403 and "locked" not in got.message.lower():  # noqa: PLR2004 - Forbidden
            raise ForgeDown(
                f"GitHub does not let Theseus comment ({got.message}); look at its rights there", 300.0
            )

    def _ours(self, pull: Fields, branch: str) -> bool:
        """Whether a pull request's head is that branch of this repository; forks have branches of all names.

        The repository is known by its id: its name may have been changed.
        """
        head, home = pull.object("head"), pull.object("base").object("repo")
        there = head.maybe("repo")
        if there is None or there.number("id") != home.number("id") or head.text("ref") != branch:
            return False
        return there.text("full_name").lower() == home.text("full_name").lower()

    def _pull(self, got: Mapping[str, Any]) -> Pull:
        one = Fields(got, "a pull request")
        head = one.object("head")
        merged = one.flag("merged", default=False)
        return Pull(
            number=one.number("number"),
            node=one.text("node_id"),
            url=one.text("html_url", default=""),
            branch=head.text("ref"),
            base=one.object("base").text("ref"),
            head=head.commit("sha"),
            open=one.text("state") == "open",
            draft=one.flag("draft", default=False),
            merged=one.commit("merge_commit_sha") if merged else "",
            title=one.text("title"),
            body=one.text("body", default="").replace("\r\n", "\n"),
            labels=tuple(label.text("name") for label in one.objects("labels")),
            state=one.text("mergeable_state", default="unknown"),
            raw=got,
        )


def _mark(key: str) -> str:
    plain = key if re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,60}", key) and "--" not in key else ""
    return f"<!-- theseus:{plain or hashlib.sha256(key.encode()).hexdigest()[:24]} -->"
