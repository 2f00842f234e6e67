"""What has to be sent so that a repository on GitHub is set up as it is wanted: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from selfedit.forge.github.texts import LABELS
from selfedit.forge.github.wanted import SETTINGS, WORKFLOW, Found, Item, Payload, Wish, hook_of, name_of, on


@dataclass(frozen=True, slots=True)
class Change:
    """One request that sets something."""

    method: str
    path: str
    body: Mapping[str, Any]
    text: str


def changes(
    wish: Wish, found: Found, items: Sequence[Item], *, base: str, branch: str, secret: str
) -> list[Change]:
    """What has to be sent so that all that differs, and can be set, is as wanted; nothing where nothing differs."""
    differs = {item.place for item in items if item.standing == "differs"}
    made: list[Change] = []
    if "repository" in differs:
        made.append(Change("PATCH", base, _values(SETTINGS), "how pull requests are merged"))
    if "main" in differs and found.protection is not None:  # it is replaced as a whole, so it has to be known
        path = f"{base}/branches/{quote(branch, safe='')}/protection"
        made.append(
            Change("PUT", path, protection(wish, found.protection or {}), f"the protection of {branch}")
        )
    if "actions" in differs:
        path = f"{base}/actions/permissions/workflow"
        made.append(Change("PUT", path, _values(WORKFLOW), "what jobs may by default"))
    there = {name.lower() for name in found.labels or ()}
    for name, (colour, text) in LABELS.items():
        if "labels" in differs and name.lower() not in there:
            body = {"name": name, "color": colour, "description": text}
            made.append(Change("POST", f"{base}/labels", body, f"the label {name!r}"))
    if "webhook" in differs:
        own = hook_of(wish, found.hooks or ())
        method, path = ("PATCH", f"{base}/hooks/{own['id']}") if own else ("POST", f"{base}/hooks")
        made.append(Change(method, path, hook(wish, secret), f"the webhook to {wish.address}"))
    return made


def protection(wish: Wish, now: Payload) -> dict[str, Any]:
    """Classic protection as it is wanted; what is stricter now stays, and so does who may push."""
    reviews: Payload = now.get("required_pull_request_reviews") or {}
    there = (now.get("required_status_checks") or {}).get("checks") or ()
    checks = {str(one["context"]): int(one.get("app_id") or -1) for one in there}
    checks |= {name: app or max(checks.get(name, -1), -1) for name, app in wish.checks.items()}
    asked: dict[str, Any] = {
        "dismiss_stale_reviews": True,
        "require_code_owner_reviews": True,
        "require_last_push_approval": True,
        "required_approving_review_count": max(1, int(reviews.get("required_approving_review_count") or 0)),
    }
    if dismissal := reviews.get("dismissal_restrictions"):
        asked["dismissal_restrictions"] = _names(dismissal)
    restrictions = now.get("restrictions")
    return {
        "required_status_checks": {
            "strict": True,
            "contexts": [],
            "checks": [{"context": name, "app_id": app} for name, app in checks.items()],
        },
        "enforce_admins": True,
        "required_pull_request_reviews": asked,
        "restrictions": _names(restrictions) if restrictions else None,
        "required_linear_history": False,
        "allow_force_pushes": False,
        "allow_deletions": False,
        "block_creations": on(now, "block_creations"),
        "required_conversation_resolution": True,
        "lock_branch": on(now, "lock_branch"),
        "allow_fork_syncing": on(now, "allow_fork_syncing"),
    }


def hook(wish: Wish, secret: str) -> dict[str, Any]:
    """The webhook as it is wanted."""
    config = {"url": wish.address, "content_type": "json", "insecure_ssl": "0", "secret": secret}
    return {"active": True, "events": list(wish.events), "config": config}


def _values(pairs: Mapping[str, tuple[object, str]]) -> dict[str, object]:
    return {name: value for name, (value, _) in pairs.items()}


def _names(named: Payload) -> dict[str, list[str]]:
    """People, teams and Apps as they are set: by name."""
    return {kind: [name_of(one) for one in named.get(kind) or ()] for kind in ("users", "teams", "apps")}
