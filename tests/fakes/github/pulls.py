"""Pull requests: the operations of the interface."""

from typing import Any

from tests.fakes.github import merging, review_shapes, shapes
from tests.fakes.github.http import REPO, Page, Refusal, Request, Route, invalid
from tests.fakes.github.state import World
from tests.fakes.github.things import NotPossible, Pull

_ONE = REPO + "/pulls/{pull_number}"
_WRITES = "pull_requests:write"


def find(world: World, request: Request, part: str = "pull_number") -> Pull:
    """The pull request that a path names."""
    request.need("read", "pull_requests:read")
    found = world.pulls.get(request.number(part))
    if found is None:
        raise Refusal(404, "Not Found")
    return found


def _list(world: World, request: Request) -> Page:
    request.need("read", "pull_requests:read")
    query = request.query
    state, head, base = query.get("state", "open"), query.get("head", ""), query.get("base", "")
    if head and ":" in head:
        owner, _, head = head.partition(":")
        if owner.lower() != world.owner.login.lower():
            return Page([])
    newest = query.get("direction", "desc" if query.get("sort", "created") == "created" else "asc") == "desc"
    by = {"updated": lambda one: (one.updated, one.number)}.get(
        query.get("sort", ""), lambda one: (one.at, one.number)
    )
    found = [
        one
        for one in world.pulls.values()
        if (state == "all" or one.open == (state == "open"))
        and (not head or one.branch == head)
        and (not base or one.base == base)
    ]
    return Page([review_shapes.pull(world, one) for one in sorted(found, key=by, reverse=newest)])


def _create(world: World, request: Request) -> Any:
    who, said = request.need("read", _WRITES), request.fields
    head, base = str(said.get("head", "")).rpartition(":")[2], str(said.get("base", ""))
    there, below = world.git.branch(head), world.git.branch(base)
    if not there or not below:
        name = "base" if there else "head"
        error = {"resource": "PullRequest", "field": name, "code": "invalid"}
        raise Refusal(422, "Validation Failed", [error])
    if any(one.open and one.branch == head and one.base == base for one in world.pulls.values()):
        raise invalid("PullRequest", f"A pull request already exists for {world.owner.login}:{head}.")
    if world.git.within(there, below):
        raise invalid("PullRequest", f"No commits between {base} and {head}")
    made = Pull(
        *(world.number(), world.id(), who),
        *(str(said.get("title") or ""), str(said.get("body") or ""), head, base, there, below),
        *(world.now(), world.now()),
        draft=bool(said.get("draft", False)),
    )
    pusher = next((one["by"] for one in world.activity if one["ref"] == f"refs/heads/{head}"), "")
    made.last_pusher = world.accounts.get(pusher, who)
    merging.opened(world, made, who)
    return review_shapes.whole_pull(world, made, known=False)


class Looks:
    """Which merges GitHub has tried so far: it does so after somebody asked, not before it answers."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, str, str]] = set()

    def get(self, world: World, request: Request) -> Any:
        """One pull request."""
        one = find(world, request)
        key = (one.number, one.head, world.git.branch(one.base))
        known = key in self._seen
        self._seen.add(key)
        return review_shapes.whole_pull(world, one, known=known)


def _change(world: World, request: Request) -> Any:
    one, said = find(world, request), request.fields
    who = request.who
    if who is not one.by:
        request.need("write", _WRITES)
    try:
        if said.get("state") == "closed" and one.open:
            merging.close(world, one, who)
        elif said.get("state") == "open" and not one.open:
            merging.reopen(world, one, who)
    except NotPossible as why:
        raise invalid("PullRequest", str(why), "state") from why
    before = (one.title, one.body, one.base)
    one.title, one.body = str(said.get("title", one.title)), str(said.get("body", one.body) or "")
    if (base := said.get("base", one.base)) != one.base:
        if not world.git.branch(base):
            raise invalid("PullRequest", "base is invalid", "base")
        one.base = base
        merging.refresh(world, one)
    if (one.title, one.body, one.base) != before:
        merging.tell(world, one, "edited", who)
    return review_shapes.whole_pull(world, one)


def _merge(world: World, request: Request) -> Any:
    one = find(world, request)
    who, said = request.need("write", "contents:write"), request.body or {}
    how = said.get("merge_method", "merge")
    try:
        commit = merging.merge(
            *(world, one, who, how),
            head=said.get("sha", ""),
            title=said.get("commit_title") or "",
            message=said.get("commit_message"),
        )
    except merging.Modified as why:
        raise Refusal(409, str(why)) from why
    except NotPossible as why:
        raise Refusal(405, str(why)) from why
    return {"sha": commit, "merged": True, "message": "Pull Request successfully merged"}


def _merged(world: World, request: Request) -> None:
    if not find(world, request).merged:
        raise Refusal(404, "Not Found")


def _update(world: World, request: Request) -> Any:
    one = find(world, request)
    who, said = request.need("write", _WRITES), request.body or {}
    if said.get("expected_head_sha", one.head) != one.head:
        raise invalid("PullRequest", "expected head sha didn't match current head ref.")
    git, below = world.git, world.git.branch(one.base)
    tree = git.merged_tree(one.head, below)
    if not tree:
        raise invalid("PullRequest", "merge conflict between base and head")
    if not git.within(below, one.head):
        old, message = one.head, f"Merge branch '{one.base}' into {one.branch}"
        made = git.write(tree, [one.head, below], message, (who.login, "noreply@github.com"))
        git.move(f"refs/heads/{one.branch}", made)
        merging.pushed(world, who, f"refs/heads/{one.branch}", old, made)
    url = f"{shapes.api(world)}/pulls/{one.number}"
    return {"message": "Updating pull request branch.", "url": url}


def _files(world: World, request: Request) -> Page:
    one = find(world, request)
    return Page(
        [
            shapes.file(world, each, one.head)
            for each in world.git.changed(one.base_sha, one.head, patches=True)
        ]
    )


def _commits(world: World, request: Request) -> Page:
    one = find(world, request)
    return Page([shapes.commit(world, each) for each in world.git.between(one.base_sha, one.head)])


def _asked(world: World, request: Request) -> Any:
    one = find(world, request)
    return {"users": [shapes.user(world, who) for who in one.asked], "teams": []}


def _ask(world: World, request: Request) -> Any:
    one, who = find(world, request), request.need("write", _WRITES)
    for login in request.fields.get("reviewers", ()):
        found = world.accounts.get(str(login).lower())
        if found is one.by:
            raise Refusal(422, "Review cannot be requested from pull request author.")
        if found is None or not found.may("read"):
            raise Refusal(422, "Reviews may only be requested from collaborators.")
        if found not in one.asked:
            one.asked.append(found)
            merging.tell(world, one, "review_requested", who)
    return review_shapes.pull(world, one)


def _no_longer_ask(world: World, request: Request) -> Any:
    one = find(world, request)
    request.need("write", _WRITES)
    names = {str(login).lower() for login in request.fields.get("reviewers", ())}
    one.asked = [who for who in one.asked if who.login.lower() not in names]
    return review_shapes.pull(world, one)


def routes() -> list[Route]:
    """The operations, of one server."""
    return [
        Route("GET", REPO + "/pulls", _list),
        Route("POST", REPO + "/pulls", _create, 201),
        Route("GET", _ONE, Looks().get),
        Route("PATCH", _ONE, _change),
        Route("PUT", _ONE + "/merge", _merge),
        Route("GET", _ONE + "/merge", _merged, 204),
        Route("PUT", _ONE + "/update-branch", _update, 202),
        Route("GET", _ONE + "/files", _files),
        Route("GET", _ONE + "/commits", _commits),
        Route("GET", _ONE + "/requested_reviewers", _asked),
        Route("POST", _ONE + "/requested_reviewers", _ask, 201),
        Route("DELETE", _ONE + "/requested_reviewers", _no_longer_ask),
    ]
