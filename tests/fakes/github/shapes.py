"""Accounts, the repository, commits and checks in the shape in which GitHub tells of them."""

from tests.fakes.github.git import Changed, Commit, Name
from tests.fakes.github.state import ACTIONS, App, World
from tests.fakes.github.things import Account, CheckRun, Json, Status

_USER = (
    "followers",
    "subscriptions",
    "organizations",
    "repos",
    "received_events",
)
_REPO = {
    "archive": "/{archive_format}{/ref}",
    "assignees": "{/user}",
    "blobs": "/git/blobs{/sha}",
    "branches": "{/branch}",
    "collaborators": "{/collaborator}",
    "comments": "{/number}",
    "commits": "{/sha}",
    "compare": "/{base}...{head}",
    "contents": "/{+path}",
    "contributors": "",
    "deployments": "",
    "downloads": "",
    "events": "",
    "forks": "",
    "git_commits": "/git/commits{/sha}",
    "git_refs": "/git/refs{/sha}",
    "git_tags": "/git/tags{/sha}",
    "hooks": "",
    "issue_comment": "/issues/comments{/number}",
    "issue_events": "/issues/events{/number}",
    "issues": "{/number}",
    "keys": "{/key_id}",
    "labels": "{/name}",
    "languages": "",
    "merges": "",
    "milestones": "{/number}",
    "notifications": "{?since,all,participating}",
    "pulls": "{/number}",
    "releases": "{/id}",
    "stargazers": "",
    "statuses": "/{sha}",
    "subscribers": "",
    "subscription": "",
    "tags": "",
    "teams": "",
    "trees": "/git/trees{/sha}",
}
"""The addresses within a repository's, and how they go on."""


def api(world: World) -> str:
    """Address of the repository in the interface."""
    return f"{world.base}/api/v3/repos/{world.full_name}"


def user(world: World, who: Account) -> Json:
    """An account."""
    url = f"{world.base}/api/v3/users/{who.login}"
    made: Json = {"login": who.login, "id": who.id, "node_id": f"U_{who.id}", "gravatar_id": ""}
    made |= {
        "avatar_url": f"{world.base}/avatars/u/{who.id}",
        "url": url,
        "html_url": f"{world.base}/{who.login}",
    }
    made |= {f"{one}_url": f"{url}/{one}" for one in _USER}
    made |= {"following_url": f"{url}/following{{/other_user}}", "gists_url": f"{url}/gists{{/gist_id}}"}
    made |= {"starred_url": f"{url}/starred{{/owner}}{{/repo}}", "events_url": f"{url}/events{{/privacy}}"}
    return made | {"type": who.kind, "user_view_type": "public", "site_admin": False}


def maybe(world: World, who: Account | None) -> Json | None:
    """An account, where there is one."""
    return None if who is None else user(world, who)


def permissions(who: Account) -> Json:
    """What somebody may do, in the five words that GitHub has for it."""
    names = {"admin": "admin", "maintain": "maintain", "push": "write", "triage": "triage", "pull": "read"}
    return {name: who.may(access) for name, access in names.items()}  # type: ignore[arg-type]


def repository(world: World, viewer: Account | None = None) -> Json:
    """The repository in short, or whole as one who looks at it sees it."""
    name = world.full_name.partition("/")[2]
    url, html = api(world), f"{world.base}/{world.full_name}"
    made: Json = {"id": 1296269, "node_id": "R_kgDOABPHjQ", "name": name, "full_name": world.full_name}
    made |= {
        "private": False,
        "owner": user(world, world.owner),
        "html_url": html,
        "fork": False,
    }
    made |= {"url": url}
    for part, rest in _REPO.items():
        made[f"{part}_url"] = url + (rest if rest[:5] in ("/git/", "/issu") else f"/{part}{rest}")
    made |= {"created_at": world.created, "updated_at": world.touched, "pushed_at": world.touched}
    made |= {"git_url": f"git://{world.full_name}.git", "ssh_url": f"git@127.0.0.1:{world.full_name}.git"}
    made |= {
        "clone_url": f"{html}.git",
        "svn_url": html,
        "mirror_url": None,
        "language": "Python",
        "license": None,
    }
    made |= {"size": 1, "stargazers_count": 0, "watchers_count": 0, "forks_count": 0, "open_issues_count": 0}
    made |= {"forks": 0, "open_issues": 0, "watchers": 0, "default_branch": "main", "visibility": "public"}
    made |= {
        "has_downloads": False,
        "has_pages": False,
        "has_discussions": False,
        "disabled": False,
        "topics": [],
    }
    made |= {"allow_forking": True, "is_template": False, "web_commit_signoff_required": False}
    made |= world.settings
    if viewer is not None:
        made |= {"permissions": permissions(viewer), "network_count": 0, "subscribers_count": 0}
    return made


def _person(name: Name, at: str) -> Json:
    return {"name": name[0], "email": name[1], "date": at}


def _account(world: World, name: Name) -> Json | None:
    """The account that an address belongs to, where it is one that GitHub made."""
    login = name[1].partition("+")[2].removesuffix("@users.noreply.github.com")
    found = world.accounts.get(login.lower())
    return None if found is None else user(world, found)


def bare_commit(world: World, one: Commit) -> Json:
    """What git knows of a commit."""
    url = api(world)
    reason = {
        "verified": False,
        "reason": "unsigned",
        "signature": None,
        "payload": None,
        "verified_at": None,
    }
    return {
        "url": f"{url}/git/commits/{one.sha}",
        "author": _person(one.author, one.authored),
        "committer": _person(one.committer, one.committed),
        "message": one.message,
        "comment_count": 0,
        "tree": {"sha": one.tree, "url": f"{url}/git/trees/{one.tree}"},
        "verification": reason,
    }


def commit(world: World, one: Commit) -> Json:
    """A commit, with who is behind it."""
    url, html = api(world), f"{world.base}/{world.full_name}/commit"
    parents = [{"sha": p, "url": f"{url}/commits/{p}", "html_url": f"{html}/{p}"} for p in one.parents]
    made: Json = {
        "sha": one.sha,
        "node_id": f"C_{one.sha}",
        "commit": bare_commit(world, one),
        "parents": parents,
    }
    made |= {"url": f"{url}/commits/{one.sha}", "html_url": f"{html}/{one.sha}"}
    made |= {"comments_url": f"{url}/commits/{one.sha}/comments"}
    return made | {"author": _account(world, one.author), "committer": _account(world, one.committer)}


def git_commit(world: World, one: Commit) -> Json:
    """A commit as an object of git."""
    bare = bare_commit(world, one)
    html = f"{world.base}/{world.full_name}/commit"
    del bare["comment_count"]
    url = f"{api(world)}/git/commits"
    parents = [{"sha": p, "url": f"{url}/{p}", "html_url": f"{html}/{p}"} for p in one.parents]
    return bare | {
        "sha": one.sha,
        "node_id": f"C_{one.sha}",
        "html_url": f"{html}/{one.sha}",
        "parents": parents,
    }


def file(world: World, one: Changed, head: str) -> Json:
    """A changed file."""
    url, html = api(world), f"{world.base}/{world.full_name}"
    made: Json = {"sha": one.blob, "filename": one.path, "status": one.status, "additions": one.added}
    made |= {"deletions": one.deleted, "changes": one.added + one.deleted}
    made |= {"blob_url": f"{html}/blob/{head}/{one.path}", "raw_url": f"{html}/raw/{head}/{one.path}"}
    made |= {"contents_url": f"{url}/contents/{one.path}?ref={head}"}
    made |= {"patch": one.patch} if one.patch else {}
    return made | ({"previous_filename": one.previous} if one.previous else {})


def app(world: World, one: App) -> Json:
    """An App."""
    html = f"{world.base}/github-apps/{one.slug}"
    made: Json = {"id": one.id, "slug": one.slug, "node_id": f"A_{one.id}", "client_id": f"Iv1.{one.id}"}
    made |= {"owner": user(world, world.owner), "name": one.name, "description": "", "external_url": html}
    made |= {"html_url": html, "created_at": world.created, "updated_at": world.created}
    return made | {"permissions": one.permissions or {"checks": "write"}, "events": ["pull_request"]}


def run(world: World, one: CheckRun) -> Json:
    """A check run."""
    url, html = api(world), f"{world.base}/{world.full_name}"
    by = world.apps[one.app]
    pulls = [
        {
            "id": pull.id,
            "number": pull.number,
            "url": f"{url}/pulls/{pull.number}",
            "head": {"ref": pull.branch, "sha": pull.head, "repo": _short(world)},
            "base": {"ref": pull.base, "sha": pull.base_sha, "repo": _short(world)},
        }
        for pull in world.pulls.values()
        if pull.head == one.head and pull.open
    ]
    output = {name: one.output.get(name) for name in ("title", "summary", "text")}
    output |= {"annotations_count": len(one.annotations)}
    output |= {"annotations_url": f"{url}/check-runs/{one.id}/annotations"}
    page = f"{html}/actions/runs/{one.run}/job/{one.id}" if one.app == ACTIONS else f"{html}/runs/{one.id}"
    return {
        "id": one.id,
        "node_id": f"CR_{one.id}",
        "name": one.name,
        "head_sha": one.head,
        "url": f"{url}/check-runs/{one.id}",
        "html_url": page,
        "external_id": one.external_id,
        "details_url": one.details_url or page,
        "status": one.status,
        "conclusion": one.conclusion,
        "started_at": one.started,
        "completed_at": one.completed,
        "output": output,
        "check_suite": {"id": by.id * 7 + int(one.head[:6], 16)},
        "app": app(world, by),
        "pull_requests": pulls,
    }


def _short(world: World) -> Json:
    return {"id": 1296269, "url": api(world), "name": world.full_name.partition("/")[2]}


def status(world: World, one: Status) -> Json:
    """A commit status."""
    url = f"{api(world)}/statuses/{one.head}"
    made: Json = {
        "url": url,
        "id": one.id,
        "node_id": f"SC_{one.id}",
        "state": one.state,
        "context": one.context,
    }
    made |= {"avatar_url": f"{world.base}/avatars/u/{one.by.id}", "description": one.description}
    made |= {"target_url": one.target_url, "created_at": one.at, "updated_at": one.at}
    return made | {"creator": user(world, one.by)}
