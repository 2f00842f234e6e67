"""Reviews, comments and labels: the operations of the interface, and how people make them."""

from collections.abc import Sequence
from typing import Any

from tests.fakes.github import merging, review_shapes
from tests.fakes.github.http import REPO, Page, Refusal, Request, Route
from tests.fakes.github.pulls import find
from tests.fakes.github.state import World
from tests.fakes.github.things import Account, Comment, Line, LineComment, NotPossible, Pull, Review, Verdict

_PULL = REPO + "/pulls/{pull_number}"
_REVIEW = _PULL + "/reviews/{review_id}"
_ISSUE = REPO + "/issues/{issue_number}"
_COMMENT = REPO + "/issues/comments/{comment_id}"
_WRITES = "pull_requests:write"
_STATES: dict[str, Verdict] = {
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
}


def review(
    world: World, pull: Pull, by: Account, state: Verdict, *, body: str, lines: Sequence[Line], head: str
) -> Review:
    """Write a review down."""
    if state in ("APPROVED", "CHANGES_REQUESTED") and by is pull.by:
        raise NotPossible(
            f"Can not {'approve' if state == 'APPROVED' else 'request changes on'} your own pull request"
        )
    if state != "APPROVED" and not body and not lines:
        raise NotPossible("A review that does not approve needs a body or comments")
    made = Review(world.id(), by, state, body, head, world.now())
    for path, line, text in lines:
        made.comments.append(LineComment(world.id(), made.id, by, text, path, line, head, world.now()))
    pull.reviews.append(made)
    pull.asked = [one for one in pull.asked if one is not by]
    pull.updated = world.now()
    body_of = {"pull_request": pull, "review": made}
    world.emit("pull_request_review", "submitted", by, f"#{pull.number} {state.lower()}", body_of)
    for one in made.comments:
        told = {"pull_request": pull, "comment": one}
        world.emit(
            "pull_request_review_comment", "created", by, f"#{pull.number} {one.path}:{one.line}", told
        )
    return made


def dismiss(world: World, pull: Pull, review_id: int, by: Account) -> Review:
    """Dismiss a review."""
    found = next((one for one in pull.reviews if one.id == review_id), None)
    if found is None or found.state not in ("APPROVED", "CHANGES_REQUESTED"):
        raise NotPossible("Can not dismiss a review that neither approves nor asks for changes")
    found.state = "DISMISSED"
    pull.updated = world.now()
    body = {"pull_request": pull, "review": found}
    world.emit("pull_request_review", "dismissed", by, f"#{pull.number}", body)
    return found


def comment(world: World, pull: Pull, by: Account, body: str) -> Comment:
    """Write a comment down."""
    made = Comment(world.id(), pull.number, by, body, world.now(), world.now())
    pull.comments.append(made)
    pull.updated = made.at
    world.emit("issue_comment", "created", by, f"#{pull.number}", {"issue": pull, "comment": made})
    return made


def _list(world: World, request: Request) -> Page:
    one = find(world, request)
    return Page([review_shapes.review(world, one, each) for each in one.reviews])


def _create(world: World, request: Request) -> Any:
    one, who, said = find(world, request), request.need("read", _WRITES), request.fields
    state = _STATES.get(str(said.get("event", "")))
    if state is None:
        raise Refusal(422, "Validation Failed", ["Could not resolve to event of a review"])
    lines = [
        (each["path"], each.get("line", each.get("position", 1)), each["body"])
        for each in said.get("comments", ())
    ]
    try:
        made = review(
            *(world, one, who, state),
            body=said.get("body") or "",
            lines=lines,
            head=said.get("commit_id") or one.head,
        )
    except NotPossible as why:
        raise Refusal(422, "Unprocessable Entity", [str(why)]) from why
    return review_shapes.review(world, one, made)


def _one(world: World, request: Request) -> tuple[Pull, Review]:
    pull, number = find(world, request), request.number("review_id")
    found = next((one for one in pull.reviews if one.id == number), None)
    if found is None:
        raise Refusal(404, "Not Found")
    return pull, found


def _get(world: World, request: Request) -> Any:
    return review_shapes.review(world, *_one(world, request))


def _lines_of_one(world: World, request: Request) -> Page:
    pull, found = _one(world, request)
    shown = [review_shapes.line_comment(world, pull, one) for one in found.comments]
    for one in shown:
        for name in (
            "line",
            "original_line",
            "subject_type",
            "start_line",
            "original_start_line",
            "start_side",
        ):
            one.pop(name, None)  # of these that list says nothing
    return Page(shown)


def _dismiss(world: World, request: Request) -> Any:
    pull, found = _one(world, request)
    who = request.need("write", _WRITES)
    try:
        return review_shapes.review(world, pull, dismiss(world, pull, found.id, who))
    except NotPossible as why:
        raise Refusal(422, "Unprocessable Entity", [str(why)]) from why


def _lines(world: World, request: Request) -> Page:
    pull = find(world, request)
    every = [each for one in pull.reviews for each in one.comments]
    return Page([review_shapes.line_comment(world, pull, one) for one in every])


def _comments(world: World, request: Request) -> Page:
    pull, since = find(world, request, "issue_number"), request.query.get("since", "")
    return Page([review_shapes.comment(world, one) for one in pull.comments if one.updated >= since])


def _comment(world: World, request: Request) -> Any:
    pull = find(world, request, "issue_number")
    who, body = request.need("read", _WRITES), str(request.fields.get("body") or "")
    if pull.locked and (request.app is not None or not who.may("write")):
        raise Refusal(403, "Unable to create comment because issue is locked.")
    if not body.strip():
        raise Refusal(
            422, "Validation Failed", [{"resource": "IssueComment", "code": "missing_field", "field": "body"}]
        )
    return review_shapes.comment(world, comment(world, pull, who, body))


def _found_comment(world: World, request: Request) -> Comment:
    request.need("read", "pull_requests:read")
    number = request.number("comment_id")
    for pull in world.pulls.values():
        for one in pull.comments:
            if one.id == number:
                return one
    raise Refusal(404, "Not Found")


def _read_comment(world: World, request: Request) -> Any:
    return review_shapes.comment(world, _found_comment(world, request))


def _change_comment(world: World, request: Request) -> Any:
    one = _found_comment(world, request)
    if request.who is not one.by:
        request.need("write", _WRITES)
    one.body, one.updated = str(request.fields["body"]), world.now()
    told = {"issue": world.pulls[one.pull], "comment": one}
    world.emit("issue_comment", "edited", request.who, f"#{one.pull}", told)
    return review_shapes.comment(world, one)


def _delete_comment(world: World, request: Request) -> None:
    one = _found_comment(world, request)
    if request.who is not one.by:
        request.need("write", _WRITES)
    world.pulls[one.pull].comments.remove(one)


def _issue(world: World, request: Request) -> Any:
    return review_shapes.issue(world, find(world, request, "issue_number"), closer=True)


def _change_issue(world: World, request: Request) -> Any:
    pull, said = find(world, request, "issue_number"), request.fields
    who = request.need("triage", _WRITES)
    if "labels" in said:
        _set(world, pull, who, [_name(one) for one in said["labels"]])
    pull.title, pull.body = str(said.get("title", pull.title)), str(said.get("body", pull.body) or "")
    if said.get("state") == "closed" and pull.open:
        merging.close(world, pull, who)
    return review_shapes.issue(world, pull, closer=True)


def _name(one: Any) -> str:
    return str(one["name"] if isinstance(one, dict) else one)


def _set(world: World, pull: Pull, by: Account, names: Sequence[str]) -> None:
    before, pull.labels = set(pull.labels), list(dict.fromkeys(names))
    for name in pull.labels:
        world.labels.setdefault(name, {})
        if name not in before:
            merging.tell(world, pull, "labeled", by, label={"name": name})


def _labels(world: World, request: Request) -> Page:
    pull = find(world, request, "issue_number")
    return Page([review_shapes.label(world, name) for name in pull.labels])


def _put_labels(world: World, request: Request) -> Any:
    pull, said = find(world, request, "issue_number"), request.body
    who = request.need("triage", _WRITES)
    names = [_name(one) for one in (said.get("labels", ()) if isinstance(said, dict) else said or ())]
    _set(world, pull, who, [*(pull.labels if request.method == "POST" else ()), *names])
    return [review_shapes.label(world, name) for name in pull.labels]


def _drop_label(world: World, request: Request) -> Any:
    pull, name = find(world, request, "issue_number"), request.parts["name"]
    request.need("triage", _WRITES)
    if name not in pull.labels:
        raise Refusal(404, "Label does not exist")
    pull.labels.remove(name)
    return [review_shapes.label(world, one) for one in pull.labels]


def _all_labels(world: World, request: Request) -> Page:
    request.need("read")
    return Page([review_shapes.label(world, name) for name in world.labels])


def _new_label(world: World, request: Request) -> Any:
    request.need("write", "issues:write")
    name = str(request.fields["name"])
    if name in world.labels:
        error = {"resource": "Label", "code": "already_exists", "field": "name"}
        raise Refusal(422, "Validation Failed", [error])
    world.labels[name] = dict(request.fields)
    return review_shapes.label(world, name)


def _one_label(world: World, request: Request) -> Any:
    if request.parts["name"] not in world.labels:
        raise Refusal(404, "Not Found")
    return review_shapes.label(world, request.parts["name"])


def _events(world: World, request: Request) -> Page:
    pull = find(world, request, "issue_number")
    return Page([review_shapes.mark(world, one) for one in pull.marks])


def routes() -> list[Route]:
    """The operations."""
    return [
        Route("GET", _PULL + "/reviews", _list),
        Route("POST", _PULL + "/reviews", _create),
        Route("GET", _REVIEW + "/comments", _lines_of_one),
        Route("PUT", _REVIEW + "/dismissals", _dismiss),
        Route("GET", _REVIEW, _get),
        Route("GET", _PULL + "/comments", _lines),
        Route("GET", _COMMENT, _read_comment),
        Route("PATCH", _COMMENT, _change_comment),
        Route("DELETE", _COMMENT, _delete_comment, 204),
        Route("GET", _ISSUE + "/comments", _comments),
        Route("POST", _ISSUE + "/comments", _comment, 201),
        Route("GET", _ISSUE + "/events", _events),
        Route("GET", _ISSUE + "/labels", _labels),
        Route("POST", _ISSUE + "/labels", _put_labels),
        Route("PUT", _ISSUE + "/labels", _put_labels),
        Route("DELETE", _ISSUE + "/labels/{name}", _drop_label),
        Route("GET", _ISSUE, _issue),
        Route("PATCH", _ISSUE, _change_issue),
        Route("GET", REPO + "/labels", _all_labels),
        Route("POST", REPO + "/labels", _new_label, 201),
        Route("GET", REPO + "/labels/{name}", _one_label),
    ]
