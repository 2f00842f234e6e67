"""GraphQL, as far as there is no other way: drafts, and the merge queue."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.github import merging, rules
from tests.fakes.github.http import Refusal, Request
from tests.fakes.github.state import World
from tests.fakes.github.things import Json, NotPossible, Pull, Queued


class Wrong(Exception):
    """An error of GraphQL: its type, and what it says."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def answer(world: World, request: Request) -> Json:
    """Answer a query or a mutation; errors come with status 200, as there."""
    request.need("read", "pull_requests:read")
    query, given = str(request.fields.get("query", "")), request.fields.get("variables") or {}
    try:
        for name, act in _MUTATIONS.items():
            if re.search(rf"\b{name}\b", query):
                request.need("write", "pull_requests:write")
                return {"data": {name: act(world, request, _input(query, given))}}
        return {"data": _query(world, query, given)}
    except Wrong as why:
        return {"data": None, "errors": [{"type": why.kind, "path": [], "message": str(why)}]}
    except NotPossible as why:
        return {"data": None, "errors": [{"type": "UNPROCESSABLE", "path": [], "message": str(why)}]}


def _input(query: str, given: Mapping[str, Any]) -> Json:
    """What a mutation is told: `input: $x`, or `input: {name: $variable, name: "text"}`."""
    if (whole := re.search(r"input:\s*\$(\w+)", query)) is not None:
        return dict(given[whole[1]])
    inside = re.search(r"input:\s*\{([^}]*)\}", query)
    if inside is None:
        raise Wrong("INVALID", "there is no input")
    made = {}
    for name, value in re.findall(r'(\w+):\s*(\$\w+|"[^"]*"|true|false)', inside[1]):
        made[name] = given.get(value[1:]) if value[0] == "$" else value.strip('"')
    return {name: value for name, value in made.items() if value is not None}


def _find(world: World, node: Any) -> Pull:
    found = next((one for one in world.pulls.values() if f"PR_{one.number}" == node), None)
    if found is None:
        raise Wrong("NOT_FOUND", f"Could not resolve to a node with the global id of '{node}'.")
    return found


def _draft(world: World, request: Request, said: Json) -> Json:
    pull = _find(world, said.get("pullRequestId"))
    merging.mark(world, pull, request.who, draft=True)
    return {"pullRequest": _shown(world, pull), "clientMutationId": None}


def _ready(world: World, request: Request, said: Json) -> Json:
    pull = _find(world, said.get("pullRequestId"))
    merging.mark(world, pull, request.who, draft=False)
    return {"pullRequest": _shown(world, pull), "clientMutationId": None}


def _enqueue(world: World, request: Request, said: Json) -> Json:
    pull = _find(world, said.get("pullRequestId"))
    request.need("write", "contents:write")
    entry = merging.enqueue(world, pull, request.who, said.get("expectedHeadOid", ""))
    return {"mergeQueueEntry": _entry(world, entry), "clientMutationId": None}


def _dequeue(world: World, request: Request, said: Json) -> Json:
    pull = _find(world, said.get("id"))
    entry = pull.queued
    merging.dequeue(world, pull, request.who)
    return {"mergeQueueEntry": _entry(world, entry), "clientMutationId": None}


_MUTATIONS: Mapping[str, Callable[[World, Request, Json], Json]] = {
    "convertPullRequestToDraft": _draft,
    "markPullRequestReadyForReview": _ready,
    "enqueuePullRequest": _enqueue,
    "dequeuePullRequest": _dequeue,
}


def _query(world: World, query: str, given: Mapping[str, Any]) -> Json:
    """A pull request by its number or its node id, and the merge queue of a branch."""
    if re.search(r"\bnode\s*\(", query):
        return {"node": _shown(world, _find(world, given.get("id", _text(query, "id"))))}
    owner, name = world.full_name.split("/")
    told = (
        str(given.get("owner", _text(query, "owner"))),
        str(given.get("name", given.get("repo", _text(query, "name")))),
    )
    if (told[0].lower(), told[1].lower()) != (owner.lower(), name.lower()):
        raise Wrong("NOT_FOUND", f"Could not resolve to a Repository with the name '{'/'.join(told)}'.")
    inside: Json = {}
    if re.search(r"\bpullRequest\s*\(", query):
        number = given.get("number", given.get("pull", _text(query, "number")))
        found = world.pulls.get(int(number))
        if found is None:
            raise Wrong("NOT_FOUND", f"Could not resolve to a PullRequest with the number of {number}.")
        inside["pullRequest"] = _shown(world, found)
    if re.search(r"\bmergeQueue\b", query):
        branch = str(given.get("branch", _text(query, "branch") or "main"))
        rule = rules.protection(world, branch)
        entries = [_entry(world, one) for one in world.queue]
        inside["mergeQueue"] = {"id": "MQ_1", "entries": {"nodes": entries, "totalCount": len(entries)}}
        if rule is None or not rule.queue:
            inside["mergeQueue"] = None
    if not inside:
        raise Wrong("INVALID", "the stand-in knows no such query")
    return {"repository": inside}


def _text(query: str, name: str) -> str:
    found = re.search(rf'\b{name}:\s*"?([\w./-]+)"?', query)
    return found[1] if found else ""


def _entry(world: World, entry: Queued | None) -> Json | None:
    if entry is None:
        return None
    place = world.queue.index(entry) + 1 if entry in world.queue else 0
    state = "AWAITING_CHECKS" if entry.trial else "UNMERGEABLE"
    made: Json = {"id": f"MQE_{entry.id}", "position": place, "state": state, "enqueuedAt": entry.at}
    made |= {"headCommit": {"oid": entry.trial}, "solo": False, "jump": False}
    return made | {"pullRequest": {"number": entry.pull, "id": f"PR_{entry.pull}"}}


def _shown(world: World, pull: Pull) -> Json:
    state = "MERGED" if pull.merged else "OPEN" if pull.open else "CLOSED"
    status = rules.mergeable_state(world, pull).upper() if pull.open else "UNKNOWN"
    made: Json = {"id": f"PR_{pull.number}", "number": pull.number, "isDraft": pull.draft, "state": state}
    made |= {
        "headRefOid": pull.head,
        "headRefName": pull.branch,
        "mergeStateStatus": status,
        "merged": pull.merged,
    }
    made |= {"isInMergeQueue": pull.queued is not None, "mergeQueueEntry": _entry(world, pull.queued)}
    made |= {"url": f"{world.base}/{world.full_name}/pull/{pull.number}", "isMergeQueueEnabled": False}
    rule = rules.protection(world, pull.base)
    made["isMergeQueueEnabled"] = rule is not None and rule.queue
    return made | {"mergeCommit": {"oid": pull.merge_sha} if pull.merged else None}


def must_be_post(request: Request) -> None:
    """GraphQL is asked by POST alone."""
    if request.method != "POST":
        raise Refusal(404, "Not Found")
