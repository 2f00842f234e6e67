"""The repository: its settings, refs, commits, activity and hooks, as operations of the interface."""

import base64
from collections.abc import Callable
from hashlib import sha1
from typing import Any

from tests.fakes.github import merging, review_shapes, shapes
from tests.fakes.github.http import REPO, Page, Refusal, Request, Route, invalid
from tests.fakes.github.state import SETTINGS, Hook, World
from tests.fakes.github.things import Json

_HOOK = REPO + "/hooks/{hook_id}"


def _get(world: World, request: Request) -> Any:
    return shapes.repository(world, request.need("read", "metadata:read"))


def _change(world: World, request: Request) -> Any:
    who = request.need("admin", "administration:write")
    world.settings |= {name: one for name, one in request.fields.items() if name in SETTINGS}
    return shapes.repository(world, who)


def _ref(world: World, name: str, commit: str) -> Json:
    url = shapes.api(world)
    kind = {"type": "commit", "sha": commit, "url": f"{url}/git/commits/{commit}"}
    return {"ref": name, "node_id": f"REF_{name}", "url": f"{url}/git/{name}", "object": kind}


def _one_ref(world: World, request: Request) -> Any:
    request.need("read", "contents:read")
    name = f"refs/{request.parts['ref']}"
    found = world.git.find(name)
    if not found:
        raise Refusal(404, "Not Found")
    return _ref(world, name, found)


def _matching(world: World, request: Request) -> Page:
    request.need("read", "contents:read")
    start = f"refs/{request.parts['ref']}"
    return Page([_ref(world, name, one) for name, one in world.git.refs().items() if name.startswith(start)])


def _new_ref(world: World, request: Request) -> Any:
    who, said = request.need("write", "contents:write"), request.fields
    name, commit = str(said["ref"]), world.git.find(str(said["sha"]))
    if not name.startswith("refs/") or name.count("/") < 2:
        raise Refusal(422, "Reference name must start with 'refs/' and have at least two slashes.")
    if not commit:
        raise Refusal(422, "Object does not exist")
    if name in world.git.refs():
        raise Refusal(422, "Reference already exists")
    world.git.move(name, commit)
    merging.pushed(world, who, name, "", commit)
    return _ref(world, name, commit)


def _held(world: World, request: Request) -> tuple[str, str]:
    name = f"refs/{request.parts['ref']}"
    found = world.git.refs(name).get(name)
    if not found:
        raise Refusal(422, "Reference does not exist")
    if name.removeprefix("refs/heads/") in world.protections:
        raise Refusal(422, "Repository rule violations found\n\nChanges must be made through a pull request.")
    return name, found


def _move_ref(world: World, request: Request) -> Any:
    who = request.need("write", "contents:write")
    name, old = _held(world, request)
    commit = world.git.find(str(request.fields["sha"]))
    if not commit:
        raise Refusal(422, "Object does not exist")
    if not request.fields.get("force") and not world.git.within(old, commit):
        raise Refusal(422, "Update is not a fast forward")
    world.git.move(name, commit)
    merging.pushed(world, who, name, old, commit)
    return _ref(world, name, commit)


def _drop_ref(world: World, request: Request) -> None:
    who = request.need("write", "contents:write")
    name, old = _held(world, request)
    world.git.move(name, "")
    merging.pushed(world, who, name, old, "")


def _commit(world: World, request: Request) -> Any:
    request.need("read", "contents:read")
    found = world.git.commit(request.parts["ref"])
    if found is None:
        raise Refusal(422, f"No commit found for SHA: {request.parts['ref']}")
    changed = world.git.changed(found.parents[0], found.sha, patches=True) if found.parents else ()
    counts = {
        "additions": sum(one.added for one in changed),
        "deletions": sum(one.deleted for one in changed),
    }
    stats = counts | {"total": sum(counts.values())}
    files = [shapes.file(world, one, found.sha) for one in changed]
    return shapes.commit(world, found) | {"stats": stats, "files": files}


def _commits(world: World, request: Request) -> Page:
    request.need("read", "contents:read")
    at = world.git.find(request.query.get("sha", "main"))
    if not at:
        raise Refusal(404, "Not Found")
    return Page([shapes.commit(world, one) for one in world.git.log(at)])


def _git_commit(world: World, request: Request) -> Any:
    request.need("read", "contents:read")
    found = world.git.commit(request.parts["commit_sha"])
    if found is None:
        raise Refusal(404, "Not Found")
    return shapes.git_commit(world, found)


def _pulls_of(world: World, request: Request) -> Page:
    request.need("read", "pull_requests:read")
    sha = request.parts["commit_sha"]
    found = [
        one
        for one in world.pulls.values()
        if sha in (one.head, one.merge_sha) or world.git.within(sha, one.head)
    ]
    return Page([review_shapes.pull(world, one) for one in found if not world.git.within(sha, one.base_sha)])


def _compare(world: World, request: Request) -> Any:
    request.need("read", "contents:read")
    old, _, new = request.parts["basehead"].partition("...")
    base, head = world.git.commit(old), world.git.commit(new)
    if base is None or head is None:
        raise Refusal(404, "Not Found")
    ahead, behind = world.git.between(base.sha, head.sha), world.git.between(head.sha, base.sha)
    left = world.git.commit(world.git.run("merge-base", base.sha, head.sha).strip())
    url, html = (
        f"{shapes.api(world)}/compare/{old}...{new}",
        f"{world.base}/{world.full_name}/compare/{old}...{new}",
    )
    state = "diverged" if ahead and behind else "ahead" if ahead else "behind" if behind else "identical"
    return {
        "url": url,
        "html_url": html,
        "permalink_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "base_commit": shapes.commit(world, base),
        "merge_base_commit": shapes.commit(world, left or base),
        "status": state,
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": [shapes.commit(world, one) for one in ahead],
        "files": [
            shapes.file(world, one, head.sha) for one in world.git.changed(base.sha, head.sha, patches=True)
        ],
    }


def _contents(world: World, request: Request) -> Any:
    request.need("read", "contents:read")
    path, at = request.parts["path"], request.query.get("ref", "main")
    commit = world.git.find(at)
    text = world.git.text(commit, path) if commit else None
    if text is None:
        raise Refusal(404, "Not Found")
    data, url = text.encode(), f"{shapes.api(world)}/contents/{path}?ref={at}"
    blob = sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    links = {
        "git_url": f"{shapes.api(world)}/git/blobs/{blob}",
        "html_url": f"{world.base}/{world.full_name}/blob/{at}/{path}",
    }
    made: Json = {"type": "file", "encoding": "base64", "size": len(data), "name": path.rpartition("/")[2]}
    made |= {"path": path, "content": base64.encodebytes(data).decode(), "sha": blob, "url": url, **links}
    made |= {"download_url": f"{world.base}/raw/{world.full_name}/{at}/{path}"}
    return made | {"_links": {"self": url, "git": links["git_url"], "html": links["html_url"]}}


def _activity(world: World, request: Request) -> Page:
    request.need("read", "contents:read")
    query, found = request.query, world.activity
    for name, of in (("activity_type", "activity_type"), ("actor", "by")):
        found = [one for one in found if name not in query or one[of] == query[name].lower()]
    if "ref" in query:
        found = [one for one in found if one["ref"] in (query["ref"], f"refs/heads/{query['ref']}")]
    if query.get("direction") == "asc":
        found = list(reversed(found))
    return Page(
        [
            {name: each for name, each in one.items() if name != "by"}
            | {"actor": shapes.maybe(world, world.accounts.get(one["by"], world.ghost))}
            for one in found
        ]
    )


def _hook(world: World, one: Hook) -> Json:
    url = f"{shapes.api(world)}/hooks/{one.id}"
    config = {"url": one.url, "content_type": "json", "insecure_ssl": "0"} | (
        {"secret": "********"} if one.secret else {}
    )
    made: Json = {
        "type": "Repository",
        "id": one.id,
        "name": "web",
        "active": one.active,
        "events": one.events,
    }
    made |= {"config": config, "updated_at": world.created, "created_at": world.created, "url": url}
    made |= {"test_url": f"{url}/test", "ping_url": f"{url}/pings", "deliveries_url": f"{url}/deliveries"}
    return made | {"last_response": {"code": None, "status": "unused", "message": None}}


def _hooks(world: World, request: Request) -> Page:
    request.need("admin", "webhooks:read")
    return Page([_hook(world, one) for one in world.hooks.values()])


def _new_hook(world: World, request: Request) -> Any:
    request.need("admin", "webhooks:write")
    said = request.fields
    config = said.get("config") or {}
    if any(one.url == config.get("url") for one in world.hooks.values()):
        raise invalid("Hook", "Hook already exists on this repository")
    made = Hook(world.id(), config["url"], config.get("secret", ""), said.get("events") or ["push"])
    made.active = said.get("active", True)
    world.hooks[made.id] = made
    return _hook(world, made)


def _one_hook(world: World, request: Request) -> Any:
    write = request.method == "PATCH"
    request.need("admin", f"webhooks:{'write' if write else 'read'}")
    found = world.hooks.get(request.number("hook_id"))
    if found is None:
        raise Refusal(404, "Not Found")
    if write:
        config = request.fields.get("config") or {}
        found.url, found.secret = config.get("url", found.url), config.get("secret", found.secret)
        found.events, found.active = (
            request.fields.get("events", found.events),
            request.fields.get("active", found.active),
        )
    return _hook(world, found)


def _settings(name: str) -> tuple[Callable[[World, Request], Any], Callable[[World, Request], None]]:
    """How a group of settings of Actions is read and set."""

    def read(world: World, request: Request) -> Any:
        request.need("admin", "administration:read")
        return getattr(world, name)

    def put(world: World, request: Request) -> None:
        request.need("admin", "administration:write")
        getattr(world, name).update(request.fields)

    return read, put


def _owners(_world: World, request: Request) -> Any:
    request.need("read", "contents:read")
    return {"errors": []}


def routes() -> list[Route]:
    """The operations."""
    actions, put_actions = _settings("actions")
    workflow, put_workflow = _settings("workflow")
    return [
        Route("GET", REPO, _get),
        Route("PATCH", REPO, _change),
        Route("GET", REPO + "/git/ref/{ref}", _one_ref),
        Route("GET", REPO + "/git/matching-refs/{ref}", _matching),
        Route("POST", REPO + "/git/refs", _new_ref, 201),
        Route("PATCH", REPO + "/git/refs/{ref}", _move_ref),
        Route("DELETE", REPO + "/git/refs/{ref}", _drop_ref, 204),
        Route("GET", REPO + "/git/commits/{commit_sha}", _git_commit),
        Route("GET", REPO + "/commits/{commit_sha}/pulls", _pulls_of),
        Route("GET", REPO + "/commits", _commits),
        Route("GET", REPO + "/commits/{ref}", _commit),
        Route("GET", REPO + "/compare/{basehead}", _compare),
        Route("GET", REPO + "/contents/{path}", _contents),
        Route("GET", REPO + "/activity", _activity),
        Route("GET", REPO + "/codeowners/errors", _owners),
        Route("GET", REPO + "/hooks", _hooks),
        Route("POST", REPO + "/hooks", _new_hook, 201),
        Route("GET", _HOOK, _one_hook),
        Route("PATCH", _HOOK, _one_hook),
        Route("GET", REPO + "/actions/permissions", actions),
        Route("PUT", REPO + "/actions/permissions", put_actions, 204),
        Route("GET", REPO + "/actions/permissions/workflow", workflow),
        Route("PUT", REPO + "/actions/permissions/workflow", put_workflow, 204),
    ]
