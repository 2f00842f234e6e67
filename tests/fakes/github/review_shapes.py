"""Pull requests, reviews and comments in the shape in which GitHub tells of them."""

from tests.fakes.github import rules, shapes
from tests.fakes.github.state import World
from tests.fakes.github.things import Account, Comment, Json, LineComment, Mark, Pull, Review


def _association(world: World, who: Account) -> str:
    return "OWNER" if who is world.owner else "COLLABORATOR" if who.may("read") else "NONE"


def label(world: World, name: str) -> Json:
    """A label."""
    made: Json = {"id": int.from_bytes(name.encode()[:6], "big"), "node_id": f"LA_{name}", "name": name}
    made |= {
        "url": f"{shapes.api(world)}/labels/{name}",
        "default": False,
        "color": "ededed",
        "description": None,
    }
    return made | {
        key: one for key, one in world.labels.get(name, {}).items() if key in ("color", "description")
    }


def pull(world: World, one: Pull) -> Json:
    """A pull request as lists have it."""
    api, html = shapes.api(world), f"{world.base}/{world.full_name}/pull/{one.number}"
    url, issue = f"{api}/pulls/{one.number}", f"{api}/issues/{one.number}"
    links = {
        "self": url,
        "html": html,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{api}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{api}/statuses/{one.head}",
    }
    made: Json = {
        "url": url,
        "id": one.id,
        "node_id": f"PR_{one.number}",
        "html_url": html,
        "number": one.number,
    }
    made |= {"diff_url": f"{html}.diff", "patch_url": f"{html}.patch", "issue_url": issue}
    made |= {"commits_url": links["commits"], "review_comments_url": links["review_comments"]}
    made |= {"review_comment_url": links["review_comment"], "comments_url": links["comments"]}
    made |= {
        "statuses_url": links["statuses"],
        "state": "open" if one.open else "closed",
        "locked": one.locked,
    }
    made |= {
        "title": one.title,
        "user": shapes.user(world, one.by),
        "body": one.body or None,
        "milestone": None,
    }
    made |= {"labels": [label(world, name) for name in one.labels], "active_lock_reason": None}
    made |= {
        "created_at": one.at,
        "updated_at": one.updated,
        "closed_at": one.closed_at,
        "merged_at": one.merged_at,
    }
    made |= {"merge_commit_sha": one.merge_sha or None, "assignee": None}
    made |= {"assignees": [shapes.user(world, who) for who in one.assignees], "draft": one.draft}
    made |= {"requested_reviewers": [shapes.user(world, who) for who in one.asked], "requested_teams": []}
    made |= {"head": _end(world, one.branch, one.head), "base": _end(world, one.base, one.base_sha)}
    made |= {"_links": {name: {"href": link} for name, link in links.items()}, "auto_merge": None}
    return made | {"author_association": _association(world, one.by)}


def _end(world: World, branch: str, commit: str) -> Json:
    owner = world.owner
    made: Json = {"label": f"{owner.login}:{branch}", "ref": branch, "sha": commit}
    return made | {"user": shapes.user(world, owner), "repo": shapes.repository(world)}


def whole_pull(world: World, one: Pull, *, known: bool = True) -> Json:
    """A pull request by itself; whether it can be merged may not be known yet."""
    changed = world.git.changed(one.base_sha, one.head) if one.open else ()
    made = pull(world, one)
    state = rules.mergeable_state(world, one) if known and one.open else "unknown"
    made |= {"merged": one.merged, "merged_by": shapes.maybe(world, one.merged_by), "mergeable_state": state}
    made |= {"mergeable": bool(one.merge_sha) if known and one.open else None, "rebaseable": None}
    made |= {"comments": len(one.comments), "review_comments": sum(len(r.comments) for r in one.reviews)}
    made |= {"commits": len(world.git.between(one.base_sha, one.head)), "maintainer_can_modify": False}
    made |= {"additions": sum(c.added for c in changed), "deletions": sum(c.deleted for c in changed)}
    return made | {"changed_files": len(changed)}


def issue(world: World, one: Pull, *, closer: bool = False) -> Json:
    """The issue that each pull request is as well."""
    api, html = shapes.api(world), f"{world.base}/{world.full_name}/pull/{one.number}"
    url = f"{api}/issues/{one.number}"
    made: Json = {
        "url": url,
        "repository_url": api,
        "labels_url": f"{url}/labels{{/name}}",
        "id": one.id + 500_000,
    }
    made |= {"comments_url": f"{url}/comments", "events_url": f"{url}/events", "html_url": html}
    made |= {
        "node_id": f"PR_{one.number}",
        "number": one.number,
        "title": one.title,
        "body": one.body or None,
    }
    made |= {"user": shapes.user(world, one.by), "labels": [label(world, name) for name in one.labels]}
    made |= {"state": "open" if one.open else "closed", "locked": False, "assignee": None, "milestone": None}
    made |= {"assignees": [], "comments": len(one.comments), "created_at": one.at, "updated_at": one.updated}
    made |= {
        "closed_at": one.closed_at,
        "author_association": _association(world, one.by),
        "draft": one.draft,
    }
    made |= {"active_lock_reason": None, "state_reason": None}
    about = {"url": f"{api}/pulls/{one.number}", "html_url": html, "diff_url": f"{html}.diff"}
    made |= {"pull_request": about | {"patch_url": f"{html}.patch", "merged_at": one.merged_at}}
    return made | ({"closed_by": shapes.maybe(world, one.closed_by)} if closer else {})


def mark(world: World, one: Mark) -> Json:
    """A change between draft and ready for review, as an event of the issue that a pull request is."""
    made: Json = {"id": one.id, "node_id": f"EV_{one.id}", "event": one.event, "created_at": one.at}
    made |= {"url": f"{shapes.api(world)}/issues/events/{one.id}", "actor": shapes.user(world, one.by)}
    return made | {"commit_id": None, "commit_url": None, "performed_via_github_app": None}


def comment(world: World, one: Comment) -> Json:
    """A comment."""
    api, html = shapes.api(world), f"{world.base}/{world.full_name}/pull/{one.pull}#issuecomment-{one.id}"
    made: Json = {"url": f"{api}/issues/comments/{one.id}", "html_url": html, "id": one.id}
    made |= {
        "issue_url": f"{api}/issues/{one.pull}",
        "node_id": f"IC_{one.id}",
        "user": shapes.user(world, one.by),
    }
    made |= {
        "created_at": one.at,
        "updated_at": one.updated,
        "body": one.body,
        "performed_via_github_app": None,
    }
    return made | {"author_association": _association(world, one.by)}


def review(world: World, pr: Pull, one: Review) -> Json:
    """A review."""
    html = f"{world.base}/{world.full_name}/pull/{pr.number}#pullrequestreview-{one.id}"
    url = f"{shapes.api(world)}/pulls/{pr.number}"
    made: Json = {
        "id": one.id,
        "node_id": f"PRR_{one.id}",
        "user": shapes.user(world, one.by),
        "body": one.body,
    }
    made |= {"state": one.state, "html_url": html, "pull_request_url": url, "submitted_at": one.at}
    made |= {"_links": {"html": {"href": html}, "pull_request": {"href": url}}, "commit_id": one.head}
    return made | {"author_association": _association(world, one.by)}


def line_comment(world: World, pr: Pull, one: LineComment) -> Json:
    """A remark on a line; where the head is another one by now it has no line any more."""
    api = shapes.api(world)
    url, html = (
        f"{api}/pulls/comments/{one.id}",
        f"{world.base}/{world.full_name}/pull/{pr.number}#discussion_r{one.id}",
    )
    line = one.line if one.head == pr.head else None
    made: Json = {"url": url, "pull_request_review_id": one.review, "id": one.id, "node_id": f"PRRC_{one.id}"}
    made |= {"diff_hunk": "@@ -1 +1 @@", "path": one.path, "commit_id": pr.head if line else one.head}
    made |= {"original_commit_id": one.head, "user": shapes.user(world, one.by), "body": one.body}
    made |= {"created_at": one.at, "updated_at": one.at, "html_url": html, "side": "RIGHT", "line": line}
    made |= {
        "pull_request_url": f"{api}/pulls/{pr.number}",
        "author_association": _association(world, one.by),
    }
    links = {"self": url, "html": html, "pull_request": f"{api}/pulls/{pr.number}"}
    made |= {"_links": {name: {"href": link} for name, link in links.items()}, "original_line": one.line}
    made |= {"start_line": None, "original_start_line": None, "start_side": None, "subject_type": "line"}
    return made | {"position": line, "original_position": one.line}
