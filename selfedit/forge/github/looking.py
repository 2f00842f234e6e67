"""Asking GitHub for everything that counts of one pull request, as far as it counts now."""

import time
from typing import Any
from urllib.parse import quote

from selfedit.forge.github import reading
from selfedit.forge.github.checks import Requirements, failed_runs, requirements
from selfedit.forge.github.client import No
from selfedit.forge.github.hub import Hub, Pull
from selfedit.forge.github.payload import Fields, rows
from selfedit.forge.github.settings import GitHubSettings
from selfedit.ports import ForgeDown
from selfedit.pulls import PullState

QUEUE_FOR = 300.0
"""So many seconds a branch that has no merge queue is taken to have none."""
_HIDDEN = (403, 404)
_QUEUE = (
    "query($owner:String!,$name:String!,$branch:String!,$number:Int!){repository(owner:$owner,name:$name)"
    "{mergeQueue(branch:$branch){id} pullRequest(number:$number){id isInMergeQueue}}}"
)


class Looking:
    """Reads pull requests and the rules of their base."""

    def __init__(self, hub: Hub, settings: GitHubSettings) -> None:
        self._hub = hub
        self._settings = settings
        self._no_queue_until = 0.0

    async def state(self, pull: Pull, *, was_ready: bool = False) -> PullState:
        """What a pull request is now.

        Args:
            pull: The pull request.
            was_ready: It is known to have been ready for review.

        Raises:
            ForgeDown: Something of it could not be found out, or makes no sense.
        """
        hub, client = self._hub, self._hub.client
        me = (await hub.me()).account.id
        base, number = hub.base, pull.number
        if not pull.open:
            issue = None if pull.merged else await client.get(f"{base}/issues/{number}", no=(403, 404, 410))
            return reading.pull_state(reading.Seen(pull=pull.raw, issue=_or_none(issue)), me)
        target = Fields(pull.raw, "a pull request").object("base").text("ref")
        reviews = await client.every(f"{base}/pulls/{number}/reviews")
        comments = await client.every(f"{base}/pulls/{number}/comments") if reviews else []
        runs = await client.every(f"{base}/commits/{pull.head}/check-runs?filter=latest", key="check_runs")
        activity, commits = await self._pushes(pull)
        wanted, queued = await self._rules(target, number)
        seen = reading.Seen(
            pull=pull.raw,
            reviews=reviews,
            comments=comments,
            runs=runs,
            statuses=await client.every(f"{base}/commits/{pull.head}/status", key="statuses"),
            annotations={run: await self._annotations(run) for run in failed_runs(runs)},
            activity=activity,
            commits=commits,
            roles=await self._roles(reviews),
            requirements=wanted,
            queued=queued,
            drafted_by=await hub.drafted_by(pull, was_ready=was_ready),
        )
        return reading.pull_state(seen, me)

    async def has_queue(self, branch: str, number: int) -> tuple[bool, bool]:
        """Whether a branch has a merge queue, and whether a pull request stands in it.

        Raises:
            ForgeDown: It could not be found out.
        """
        if time.monotonic() < self._no_queue_until:
            return False, False
        variables = {"owner": self._settings.owner, "name": self._settings.name}
        got = await self._hub.client.graphql(_QUEUE, {**variables, "branch": branch, "number": number})
        if isinstance(got, No):
            if (
                "mergeQueue" in got.message or "isInMergeQueue" in got.message
            ):  # an Enterprise that has none yet
                return False, False
            if "not accessible" in got.message:  # the App has no right to that; the rules tell it, too
                rules = await self._hub.client.every(
                    f"{self._hub.base}/rules/branches/{quote(branch, safe='')}", no=_HIDDEN
                )
                ruled = [] if isinstance(rules, No) else rows(rules, "rules")
                return any(rule.text("type") == "merge_queue" for rule in ruled), False
            raise ForgeDown(f"GitHub does not say whether {branch} has a merge queue: {got.message}", 120.0)
        repository = Fields(got, "an answer").object("repository")
        pull = repository.maybe("pullRequest")
        if not repository.has("mergeQueue"):
            self._no_queue_until = time.monotonic() + QUEUE_FOR
            return False, False
        return True, pull is not None and pull.flag("isInMergeQueue", default=False)

    async def _rules(self, branch: str, number: int) -> tuple[Requirements, bool]:
        client, base, name = self._hub.client, self._hub.base, quote(branch, safe="")
        there = _or_none(await client.get(f"{base}/branches/{name}", no=_HIDDEN))
        rules = await client.every(f"{base}/rules/branches/{name}", no=_HIDDEN)
        queue, queued = await self.has_queue(branch, number)
        return requirements(there, _or_none(rules), queue), queued

    async def _pushes(self, pull: Pull) -> tuple[Any, Any]:
        client, base = self._hub.client, self._hub.base
        activity = await client.every(
            f"{base}/activity?ref={quote(f'refs/heads/{pull.branch}', safe='')}", no=(*_HIDDEN, 422)
        )
        if not isinstance(activity, No) and not reading.brought(activity):
            return activity, None
        return _or_none(activity), await client.every(f"{base}/pulls/{pull.number}/commits")

    async def _roles(self, reviews: object) -> dict[str, tuple[str, ...]]:
        people = {}
        for review in rows(reviews, "reviews"):
            who = reading.account(review.maybe("user"))
            if who.person:
                people[who.id] = who.login
        found = {}
        for who_id, login in people.items():
            path = f"{self._hub.base}/collaborators/{quote(login, safe='')}/permission"
            got = await self._hub.client.get(path, no=(404,))
            found[who_id] = () if isinstance(got, No) else reading.roles(got, who_id)
        return found

    async def _annotations(self, run: int) -> Any:
        return await self._hub.client.get(f"{self._hub.base}/check-runs/{run}/annotations?per_page=50")


def _or_none(got: Any) -> Any:
    return None if isinstance(got, No) else got
