"""Check runs, commit statuses and runs of Actions: the operations, and how Actions makes them."""

from collections.abc import Sequence
from typing import Any

from tests.fakes.github import shapes
from tests.fakes.github.http import REPO, Page, Refusal, Request, Route, invalid
from tests.fakes.github.state import ACTIONS, World
from tests.fakes.github.things import CheckRun, Json, Line, Status

ANNOTATIONS = 50
"""How many annotations one request may bring."""
SUMMARY = 65_535
DESCRIPTION = 140
_STATES = ("error", "failure", "pending", "success")


def act(
    world: World, head: str, name: str, conclusion: str | None, *, summary: str, annotations: Sequence[Line]
) -> CheckRun:
    """Let a job of Actions begin, or end where there is a conclusion."""
    found = next(
        (one for one in world.runs.values() if (one.head, one.name, one.app) == (head, name, ACTIONS)), None
    )
    if found is None or (found.status == "completed" and conclusion is None):
        found = CheckRun(world.id(), ACTIONS, name, head, "in_progress", started=world.now(), run=world.id())
        world.runs[found.id] = found
        world.emit("check_run", "created", world.actions_bot, name, {"check_run": found})
    if conclusion is not None:
        found.status, found.conclusion, found.completed = "completed", conclusion, world.now()
        level = "notice" if conclusion in ("success", "neutral") else "failure"
        found.annotations = [
            {"path": path, "start_line": line, "end_line": line, "annotation_level": level, "message": text}
            for path, line, text in annotations
        ]
        found.output = {"title": name, "summary": summary}
        world.emit("check_run", "completed", world.actions_bot, f"{name} {conclusion}", {"check_run": found})
        body: Json = {
            "workflow_run": {"id": found.run, "head_sha": head, "name": name, "conclusion": conclusion}
        }
        world.emit("workflow_run", "completed", world.actions_bot, f"{name} {conclusion}", body)
    return found


def _own(world: World, request: Request) -> CheckRun:
    request.need("read", "checks:read")
    found = world.runs.get(request.number("check_run_id"))
    if found is None:
        raise Refusal(404, "Not Found")
    return found


def _app(request: Request) -> int:
    if request.app is None:
        request.need("write")
        raise Refusal(403, "You must authenticate via a GitHub App.")
    request.need("write", "checks:write")
    return request.app.id


def _create(world: World, request: Request) -> Any:
    app, said = _app(request), request.fields
    head = world.git.find(str(said.get("head_sha", "")))
    if not head:
        raise invalid("CheckRun", f"No commit found for SHA: {said.get('head_sha')}", "head_sha")
    made = CheckRun(world.id(), app, str(said["name"]), head, started=said.get("started_at") or world.now())
    _fill(world, made, said)
    world.runs[made.id] = made
    world.emit(
        "check_run",
        "created",
        request.who,
        f"{made.name} {made.conclusion or made.status}",
        {"check_run": made},
    )
    return shapes.run(world, made)


def _change(world: World, request: Request) -> Any:
    found, app = _own(world, request), _app(request)
    if found.app != app:
        raise Refusal(
            403, "Invalid app_id `{app}` - check run can only be modified by the GitHub App that created it."
        )
    _fill(world, found, request.fields)
    if found.status == "completed":
        about = f"{found.name} {found.conclusion}"
        world.emit("check_run", "completed", request.who, about, {"check_run": found})
    return shapes.run(world, found)


def _fill(world: World, run: CheckRun, said: Json) -> None:
    output = said.get("output") or {}
    if len(output.get("annotations", ())) > ANNOTATIONS:
        raise invalid("CheckRun", f"annotations exceeds a maximum quantity of {ANNOTATIONS}", "annotations")
    if any(len(str(output.get(name) or "").encode()) > SUMMARY for name in ("summary", "text")):
        raise invalid("CheckRun", f"Only {SUMMARY} characters are allowed", "summary")
    run.name = str(said.get("name", run.name))
    run.details_url = said.get("details_url", run.details_url)
    run.external_id = said.get("external_id", run.external_id)
    run.output |= {name: one for name, one in output.items() if name != "annotations"}
    run.annotations += output.get("annotations", ())
    run.status = said.get("status", run.status)
    if "conclusion" in said:
        run.status, run.conclusion = "completed", said["conclusion"]
        run.completed = said.get("completed_at") or world.now()
    elif run.status == "completed" and run.conclusion is None:
        raise invalid("CheckRun", "conclusion is required when status is completed", "conclusion")
    elif run.status != "completed":
        run.conclusion = run.completed = None


def _get(world: World, request: Request) -> Any:
    return shapes.run(world, _own(world, request))


def _annotations(world: World, request: Request) -> Page:
    found = _own(world, request)
    empty = dict.fromkeys(("start_column", "end_column", "title", "raw_details"))
    where = f"{world.base}/{world.full_name}/blob/{found.head}"
    return Page([empty | one | {"blob_href": f"{where}/{one['path']}"} for one in found.annotations])


def _commit(world: World, request: Request) -> str:
    request.need("read", "contents:read")
    found = world.git.find(request.parts["ref"])
    if not found:
        raise Refusal(422, f"No commit found for SHA: {request.parts['ref']}")
    return found


def _runs(world: World, request: Request) -> Page:
    head, query = _commit(world, request), request.query
    found = [one for one in world.runs.values() if one.head == head]
    if query.get("filter", "latest") == "latest":
        found = list({(one.name, one.app): one for one in found}.values())
    for name, of in (("check_name", "name"), ("status", "status"), ("app_id", "app")):
        found = [one for one in found if name not in query or str(getattr(one, of)) == query[name]]
    return Page([shapes.run(world, one) for one in found], "check_runs")


def _set_status(world: World, request: Request) -> Any:
    who, said = request.need("write", "statuses:write"), request.fields
    sha = request.parts["sha"]
    head = world.git.find(sha) if len(sha) == 40 else ""
    if not head:
        raise Refusal(422, f"No commit found for SHA: {sha}")
    if said.get("state") not in _STATES:
        raise invalid("Status", "state is not included in the list", "state")
    if len(said.get("description") or "") > DESCRIPTION:
        raise invalid(
            "Status", f"description is too long (maximum is {DESCRIPTION} characters)", "description"
        )
    made = Status(
        *(world.id(), who, said.get("context", "default"), said["state"], head),
        *(said.get("description"), said.get("target_url"), world.now()),
    )
    world.statuses.append(made)
    body = {"sha": head, "state": made.state, "context": made.context, "description": made.description}
    world.emit("status", "", who, f"{made.context} {made.state}", body)
    return shapes.status(world, made)


def _statuses(world: World, request: Request) -> Page:
    head = _commit(world, request)
    return Page([shapes.status(world, one) for one in reversed(world.statuses) if one.head == head])


def _combined(world: World, request: Request) -> Page:
    head = _commit(world, request)
    newest = {one.context: one for one in world.statuses if one.head == head}
    states = {one.state for one in newest.values()}
    state = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
    url = f"{shapes.api(world)}/commits/{head}"
    more = {"state": state, "sha": head, "repository": shapes.repository(world), "commit_url": url}
    return Page(
        [_without_creator(world, one) for one in newest.values()], "statuses", more | {"url": f"{url}/status"}
    )


def _without_creator(world: World, one: Status) -> Json:
    made = shapes.status(world, one)
    del made["creator"]
    return made


def _workflow_run(world: World, one: CheckRun) -> Json:
    """The run of a workflow that a job belongs to; here each has one job."""
    url, html = (
        f"{shapes.api(world)}/actions/runs/{one.run}",
        f"{world.base}/{world.full_name}/actions/runs/{one.run}",
    )
    branch = next((pull.branch for pull in world.pulls.values() if pull.head == one.head), "main")
    made: Json = {"id": one.run, "name": one.name, "node_id": f"WFR_{one.run}", "head_branch": branch}
    made |= {"head_sha": one.head, "path": f".github/workflows/{one.name}.yml", "display_title": one.name}
    made |= {"run_number": one.run, "run_attempt": 1, "event": "pull_request", "status": one.status}
    made |= {
        "conclusion": one.conclusion,
        "workflow_id": 1,
        "check_suite_id": one.id,
        "url": url,
        "html_url": html,
    }
    made |= {"check_suite_node_id": f"CS_{one.id}", "pull_requests": [], "created_at": one.started}
    made |= {
        "updated_at": one.completed or one.started,
        "run_started_at": one.started,
        "previous_attempt_url": None,
    }
    for name in ("jobs", "logs", "artifacts", "cancel", "rerun"):
        made[f"{name}_url"] = f"{url}/{name}"
    found = world.git.commit(one.head)
    made |= {"workflow_url": f"{shapes.api(world)}/actions/workflows/1", "referenced_workflows": []}
    made |= {"check_suite_url": f"{shapes.api(world)}/check-suites/{one.id}"}
    made |= {
        "actor": shapes.user(world, world.actions_bot),
        "triggering_actor": shapes.user(world, world.actions_bot),
    }
    made |= {"repository": shapes.repository(world), "head_repository": shapes.repository(world)}
    if found is not None:
        names = {"author": found.author, "committer": found.committer}
        made["head_commit"] = {
            "id": found.sha,
            "tree_id": found.tree,
            "message": found.message,
            "timestamp": found.committed,
            **{role: {"name": name[0], "email": name[1]} for role, name in names.items()},
        }
    return made


def _workflow_runs(world: World, request: Request) -> Page:
    request.need("read", "actions:read")
    found = [one for one in world.runs.values() if one.app == ACTIONS]
    if "head_sha" in request.query:
        found = [one for one in found if one.head == request.query["head_sha"]]
    if "status" in request.query:
        found = [one for one in found if request.query["status"] in (one.status, one.conclusion)]
    return Page([_workflow_run(world, one) for one in reversed(found)], "workflow_runs")


def _one_workflow_run(world: World, request: Request) -> Any:
    request.need("read", "actions:read")
    number = request.number("run_id")
    found = next((one for one in world.runs.values() if one.run == number), None)
    if found is None:
        raise Refusal(404, "Not Found")
    return _workflow_run(world, found)


def routes() -> list[Route]:
    """The operations."""
    one = REPO + "/check-runs/{check_run_id}"
    return [
        Route("POST", REPO + "/check-runs", _create, 201),
        Route("GET", one, _get),
        Route("PATCH", one, _change),
        Route("GET", one + "/annotations", _annotations),
        Route("GET", REPO + "/commits/{ref}/check-runs", _runs),
        Route("GET", REPO + "/commits/{ref}/statuses", _statuses),
        Route("GET", REPO + "/commits/{ref}/status", _combined),
        Route("POST", REPO + "/statuses/{sha}", _set_status, 201),
        Route("GET", REPO + "/actions/runs", _workflow_runs),
        Route("GET", REPO + "/actions/runs/{run_id}", _one_workflow_run),
    ]
