"""The rules of branches as the interface tells of them: classic protection and rulesets."""

from typing import Any

from tests.fakes.github import shapes
from tests.fakes.github.http import REPO, Page, Refusal, Request, Route
from tests.fakes.github.state import World
from tests.fakes.github.things import Json, Protection

_BRANCH = REPO + "/branches/{branch}"
_PROTECTION = _BRANCH + "/protection"
_RULESET = REPO + "/rulesets/{ruleset_id}"
OWN = 1
"""The id of the ruleset that `Protection.ruleset` or a merge queue stands for."""


def classic(world: World, branch: str) -> Protection | None:
    """A branch's protection, where it is one of the old kind."""
    found = world.protections.get(branch)
    return None if found is None or found.ruleset else found


def _checks(rule: Protection) -> Json:
    apps = dict(rule.apps)
    checks = [{"context": name, "app_id": apps.get(name)} for name in rule.checks]
    return {"contexts": list(rule.checks), "checks": checks}


def _branch(world: World, request: Request) -> Any:
    request.need("read", "contents:read")
    name = request.parts["branch"]
    found = world.git.commit(f"refs/heads/{name}")
    if found is None:
        raise Refusal(404, "Branch not found")
    url, rule = f"{shapes.api(world)}/branches/{name}", classic(world, name)
    protection: Json = {"enabled": rule is not None}
    level = "off" if rule is None or not rule.checks else "everyone" if rule.admins else "non_admins"
    protection["required_status_checks"] = {"enforcement_level": level, **_checks(rule or Protection())}
    return {
        "name": name,
        "commit": shapes.commit(world, found),
        "_links": {"self": url, "html": f"{world.base}/{world.full_name}/tree/{name}"},
        "protected": name in world.protections,
        "protection": protection,
        "protection_url": f"{url}/protection",
    }


def _branches(world: World, request: Request) -> Page:
    request.need("read", "contents:read")
    every = []
    for ref, commit in world.git.refs("refs/heads/").items():
        name = ref.removeprefix("refs/heads/")
        about = {"sha": commit, "url": f"{shapes.api(world)}/commits/{commit}"}
        every.append({"name": name, "commit": about, "protected": name in world.protections})
    return Page(every)


def _shown(world: World, branch: str, rule: Protection) -> Json:
    url = f"{shapes.api(world)}/branches/{branch}/protection"
    made: Json = {"url": url, "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": rule.admins}}
    if rule.checks or rule.strict:
        at = f"{url}/required_status_checks"
        made["required_status_checks"] = {
            "url": at,
            "strict": rule.strict,
            "contexts_url": f"{at}/contexts",
            **_checks(rule),
        }
    if rule.reviews is not None:
        made["required_pull_request_reviews"] = {
            "url": f"{url}/required_pull_request_reviews",
            "dismiss_stale_reviews": rule.dismiss_stale,
            "require_code_owner_reviews": rule.code_owners,
            "required_approving_review_count": rule.reviews,
            "require_last_push_approval": rule.last_push,
        }
    made["required_linear_history"] = {"enabled": rule.linear}
    made["required_signatures"] = {"url": f"{url}/required_signatures", "enabled": False}
    for name in (
        "allow_force_pushes",
        "allow_deletions",
        "block_creations",
    ):
        made[name] = {"enabled": False}
    made["required_conversation_resolution"] = {"enabled": rule.conversations}
    return made | {name: {"enabled": False} for name in ("lock_branch", "allow_fork_syncing")}


def _admin(request: Request) -> None:
    """Only administrators hear of protections at all."""
    if request.app is None and not request.who.may("admin"):
        raise Refusal(404, "Not Found")
    request.need("admin", "administration:read" if request.method == "GET" else "administration:write")


def _get(world: World, request: Request) -> Any:
    _admin(request)
    name = request.parts["branch"]
    if not world.git.branch(name):
        raise Refusal(404, "Branch not found")
    rule = classic(world, name)
    if rule is None:
        raise Refusal(404, "Branch not protected")
    return _shown(world, name, rule)


def _put(world: World, request: Request) -> Any:
    _admin(request)
    name, said = request.parts["branch"], request.fields
    if not world.git.branch(name):
        raise Refusal(404, "Branch not found")
    checks, reviews = said.get("required_status_checks") or {}, said.get("required_pull_request_reviews")
    named = checks.get("checks") or [{"context": one} for one in checks.get("contexts", ())]
    rule = Protection(
        checks=tuple(one["context"] for one in named),
        strict=checks.get("strict", False),
        reviews=None if reviews is None else reviews.get("required_approving_review_count", 1),
        dismiss_stale=(reviews or {}).get("dismiss_stale_reviews", False),
        code_owners=(reviews or {}).get("require_code_owner_reviews", False),
        last_push=(reviews or {}).get("require_last_push_approval", False),
        admins=bool(said.get("enforce_admins")),
        linear=bool(said.get("required_linear_history")),
        conversations=bool(said.get("required_conversation_resolution")),
        apps=tuple(
            (one["context"], one["app_id"]) for one in named if one.get("app_id", -1) not in (None, -1)
        ),
    )
    world.protections[name] = rule
    return _shown(world, name, rule)


def _delete(world: World, request: Request) -> None:
    _admin(request)
    if classic(world, request.parts["branch"]) is None:
        raise Refusal(404, "Branch not protected")
    del world.protections[request.parts["branch"]]


def _own_rules(rule: Protection) -> list[Json]:
    """What rulesets say of a branch."""
    made: list[Json] = []
    if rule.ruleset:
        made += [{"type": "deletion"}, {"type": "non_fast_forward"}]
        if rule.linear:
            made.append({"type": "required_linear_history"})
        if rule.reviews is not None:
            about = {
                "dismiss_stale_reviews_on_push": rule.dismiss_stale,
                "require_code_owner_review": rule.code_owners,
                "require_last_push_approval": rule.last_push,
                "required_approving_review_count": rule.reviews,
                "required_review_thread_resolution": rule.conversations,
                "allowed_merge_methods": ["merge", "squash", "rebase"],
            }
            made.append({"type": "pull_request", "parameters": about})
        if rule.checks:
            apps = dict(rule.apps)
            named = [{"context": n} | ({"integration_id": apps[n]} if n in apps else {}) for n in rule.checks]
            about = {"required_status_checks": named, "strict_required_status_checks_policy": rule.strict}
            made.append({"type": "required_status_checks", "parameters": about})
    if rule.queue:
        about = {
            "check_response_timeout_minutes": 60,
            "grouping_strategy": "ALLGREEN",
            "max_entries_to_build": 5,
            "max_entries_to_merge": 5,
            "merge_method": "MERGE",
            "min_entries_to_merge": 1,
            "min_entries_to_merge_wait_minutes": 5,
        }
        made.append({"type": "merge_queue", "parameters": about})
    return made


def _rules(world: World, request: Request) -> Page:
    request.need("read", "metadata:read")
    rule = world.protections.get(request.parts["branch"], Protection())
    source = {"ruleset_source_type": "Repository", "ruleset_source": world.full_name}
    found = [one | source | {"ruleset_id": OWN} for one in _own_rules(rule)]
    for number, one in world.rulesets.items():
        found += [each | source | {"ruleset_id": number} for each in one.get("rules", ())]
    return Page(found)


def _every(world: World) -> dict[int, Json]:
    """The rulesets there are, with the one that stands for what `Protection` has of the kind."""
    own: dict[int, Json] = {}
    for branch, rule in world.protections.items():
        if rules := _own_rules(rule):
            names = {"include": [f"refs/heads/{branch}"], "exclude": []}
            body = {"name": branch, "target": "branch", "enforcement": "active", "rules": rules}
            own[OWN] = body | {"conditions": {"ref_name": names}}
    return own | world.rulesets


def _ruleset(world: World, number: int, one: Json, *, whole: bool = True) -> Json:
    made: Json = {"id": number, "name": one["name"], "target": one.get("target", "branch")}
    made |= {"source_type": "Repository", "source": world.full_name, "enforcement": one["enforcement"]}
    made |= {"node_id": f"RRS_{number}", "created_at": world.created, "updated_at": world.created}
    made["_links"] = {
        "self": {"href": f"{shapes.api(world)}/rulesets/{number}"},
        "html": {"href": f"{world.base}/{world.full_name}/rules/{number}"},
    }
    if whole:
        made |= {"bypass_actors": one.get("bypass_actors", []), "rules": one.get("rules", [])}
        made |= {"conditions": one.get("conditions", {})}
    return made


def _rulesets(world: World, request: Request) -> Page:
    request.need("read", "metadata:read")
    return Page([_ruleset(world, number, one, whole=False) for number, one in _every(world).items()])


def _one_ruleset(world: World, request: Request) -> Any:
    request.need("read", "metadata:read")
    found = _every(world).get(request.number("ruleset_id"))
    if found is None:
        raise Refusal(404, "Not Found")
    return _ruleset(world, request.number("ruleset_id"), found)


def _new_ruleset(world: World, request: Request) -> Any:
    _admin(request)
    number = world.id()
    world.rulesets[number] = dict(request.fields)
    return _ruleset(world, number, world.rulesets[number])


def _put_ruleset(world: World, request: Request) -> Any:
    _admin(request)
    number = request.number("ruleset_id")
    if number not in world.rulesets:
        raise Refusal(404, "Not Found")
    world.rulesets[number] |= request.fields
    return _ruleset(world, number, world.rulesets[number])


def routes() -> list[Route]:
    """The operations."""
    return [
        Route("GET", _PROTECTION, _get),
        Route("PUT", _PROTECTION, _put),
        Route("DELETE", _PROTECTION, _delete, 204),
        Route("GET", _BRANCH, _branch),
        Route("GET", REPO + "/branches", _branches),
        Route("GET", REPO + "/rules/branches/{branch}", _rules),
        Route("GET", REPO + "/rulesets", _rulesets),
        Route("POST", REPO + "/rulesets", _new_ruleset, 201),
        Route("GET", _RULESET, _one_ruleset),
        Route("PUT", _RULESET, _put_ruleset),
    ]
