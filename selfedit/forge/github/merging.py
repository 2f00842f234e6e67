"""Asking GitHub to merge: by its own rules, and only the head that was approved."""

from policies.decision import Decision
from selfedit.forge.github import harmless
from selfedit.forge.github.client import No
from selfedit.forge.github.hub import Hub, Pull
from selfedit.forge.github.looking import Looking
from selfedit.forge.github.payload import Fields
from selfedit.ports import ForgeDown
from selfedit.repo import Repo

_ENQUEUE = (
    "mutation($id:ID!,$head:GitObjectID!){enqueuePullRequest(input:{pullRequestId:$id,expectedHeadOid:$head})"
    "{mergeQueueEntry{id state}}}"
)
_DEQUEUE = "mutation($id:ID!){dequeuePullRequest(input:{id:$id}){mergeQueueEntry{id}}}"
_NOT_IN_THIS_WAY = ("merge commits are not allowed", "linear history")


async def merge(
    hub: Hub, looking: Looking, repo: Repo, pull: Pull, *, head: str, main: str, title: str, message: str
) -> str | Decision:
    """Merge a pull request whose head is still the one named.

    Args:
        hub: The repository there.
        looking: Knows whether there is a merge queue.
        repo: The repository here.
        pull: What is merged.
        head: The head that GitHub has to find there.
        main: What `main` there is now, brought here.
        title: The first line of the merge's message.
        message: The rest of it.

    Returns:
        The commit that `main` became; or why not.

    Raises:
        ForgeDown: What became of it could not be found out.
    """
    if (no := _standing(pull, head)) is not None:
        return no
    queue, queued = await looking.has_queue(repo.branch, pull.number)
    if queued:
        return Decision.no("waiting", f"pull request {pull.number} stands in GitHub's merge queue")
    if queue:
        return await _enqueue(hub, pull, head)
    body = {"sha": head, "merge_method": "merge", "commit_title": harmless.line(title, 240)}
    body["commit_message"] = harmless.message(message)
    got = await hub.client.send(
        "PUT", f"{hub.base}/pulls/{pull.number}/merge", body, no=(403, 404, 405, 409, 422)
    )
    if not isinstance(got, No):
        return Fields(got, "a merge").commit("sha")
    if got.status in (403, 404):
        return Decision.no(
            "forbidden", f"GitHub does not let Theseus merge ({got.message}); look at its rights there"
        )
    return await _why_not(hub, repo, got, pull.number, head=head, main=main)


async def unqueue(hub: Hub, pull: Pull) -> None:
    """Take a pull request out of the merge queue.

    Raises:
        ForgeDown: It is not known whether it stands there still.
    """
    got = await hub.client.graphql(_DEQUEUE, {"id": pull.node}, changes=True)
    if isinstance(got, No) and not (await hub.again(pull.number)).merged:
        raise ForgeDown(
            f"GitHub does not take pull request {pull.number} out of its merge queue: {got.message}", 30.0
        )


def _standing(pull: Pull, head: str) -> str | Decision | None:
    """The answer that a pull request's state gives by itself."""
    if pull.head != head:
        return Decision.no(
            "head_moved",
            f"pull request {pull.number} is at {pull.head[:12]} now, not at the approved {head[:12]}",
        )
    if pull.merged:
        return pull.merged
    if not pull.open:
        return Decision.no("closed", f"pull request {pull.number} was closed on GitHub")
    if pull.draft:
        return Decision.no("waiting", f"pull request {pull.number} is still marked as a draft")
    return None


async def _enqueue(hub: Hub, pull: Pull, head: str) -> Decision:
    got = await hub.client.graphql(_ENQUEUE, {"id": pull.node, "head": head}, changes=True)
    if not isinstance(got, No):
        return Decision.no("waiting", f"pull request {pull.number} was put into GitHub's merge queue")
    if "head" in got.message.lower() and "oid" in got.message.lower():
        return Decision.no(
            "head_moved", f"pull request {pull.number} has another head by now ({got.message})"
        )
    return Decision.no("waiting", f"GitHub does not put it into its merge queue yet: {got.message}")


async def _why_not(hub: Hub, repo: Repo, got: No, number: int, *, head: str, main: str) -> str | Decision:
    """GitHub said no. Its words name checks where the head merely lacks `main`, so the state tells, and not they."""
    fresh = await hub.again(number)
    if (standing := _standing(fresh, head)) is not None:
        return standing
    if got.status == 409:  # noqa: PLR2004 - Conflict: the head is another one, or main moved at that moment
        return Decision.no("waiting", f"something moved on GitHub at that moment ({got.message})")
    if any(words in got.message.lower() for words in _NOT_IN_THIS_WAY):
        return Decision.no(
            "forbidden",
            f"GitHub does not allow merge commits here ({got.message}); allow them, so that what was judged is what "
            "is merged",
        )
    if fresh.state in ("behind", "dirty"):
        return Decision.no("behind", f"it lacks what {repo.branch} is now ({got.message})")
    strict = "required status check" in got.message.lower() and not repo.is_ancestor(main, head)
    if strict:
        return Decision.no(
            "behind", f"its checks count only once it has what {repo.branch} is now ({got.message})"
        )
    return Decision.no("waiting", f"GitHub does not merge it yet: {got.message}")
