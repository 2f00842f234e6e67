"""Which checks of others a head has, and which its branch's rules want: pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from selfedit.forge.github.payload import Fields, rows
from selfedit.forge.github.verdicts import GATE
from selfedit.pulls import Account, Remark, Run, RunState

LONGEST = 10_000
"""Signs of a text by others that are read."""
_PASSED = ("success", "neutral", "skipped")
_RUNNING = ("queued", "in_progress", "waiting", "requested", "pending")
_TO_RUN_AGAIN = {
    "cancelled": "it was cancelled; run it again there",
    "stale": "GitHub gave it up, because it never ended; run it again there",
    "action_required": "it waits for somebody to act on it there",
    "startup_failure": "it could not be started; look at its workflow",
}
"""Conclusions that say nothing of the change, so that its author could mend nothing: they wait for a person."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a branch's rules want before they let anything be merged.

    Attributes:
        checks: The checks, and the App that each has to come from (0: any).
        known: Whether all of the rules could be read; else whatever runs counts as required.
        queue: Whether merges go through a queue.
        workflows: Whether checks are wanted whose names cannot be told.
    """

    checks: frozenset[tuple[str, int]] = frozenset()
    known: bool = True
    queue: bool = False
    workflows: bool = False


def requirements(branch: object, rules: object, queue: object) -> Requirements:
    """What a branch's rules want, from its protection and its rulesets together.

    Args:
        branch: What GitHub says of the branch; None where it does not say.
        rules: The rules that hold for it; None where it does not say.
        queue: Its merge queue as GraphQL has it: None where there is none, False where it does not say.
    """
    checks: set[tuple[str, int]] = set()
    known, queued, workflows = branch is not None and rules is not None, bool(queue), False
    if branch is not None:
        known &= _protection(Fields(branch, "a branch"), checks)
    for rule in rows(rules or [], "rules"):
        kind = rule.text("type")
        queued |= kind == "merge_queue"
        workflows |= kind == "workflows"
        if kind == "required_status_checks":
            for one in rule.object("parameters").objects("required_status_checks"):
                checks.add((one.text("context"), max(0, one.number("integration_id", default=0))))
    return Requirements(frozenset(one for one in checks if one[0] != GATE), known, queued, workflows)


def _protection(branch: Fields, checks: set[tuple[str, int]]) -> bool:
    """Add what a branch's protection asks for; False where it is protected and does not say how."""
    protection = branch.maybe("protection")
    if protection is None:
        return not branch.flag("protected", default=False)
    required = protection.maybe("required_status_checks")
    if required is None:
        return True
    for one in required.objects("checks"):
        checks.add((one.text("context"), max(0, one.number("app_id", default=0))))
    known = {name for name, _ in checks}
    checks.update((name, 0) for name in required.texts("contexts") if name not in known)
    return True


def checks_required(wanted: Requirements, runs: Collection[Run]) -> bool:
    """Whether anything is wanted of others before a merge."""
    return bool(wanted.checks) or wanted.workflows or (not wanted.known and bool(runs))


@dataclass(frozen=True, slots=True)
class _Result:
    name: str
    app: int
    state: RunState
    summary: str
    url: str
    remarks: tuple[Remark, ...] = ()


def failed_runs(found: object) -> list[int]:
    """The ids of check runs that failed and have something to say on lines."""
    return [
        run.number("id")
        for run in rows(found, "check runs")
        if run.text("name") != GATE
        and _state(run) == "failed"
        and (output := run.maybe("output")) is not None
        and output.number("annotations_count", default=0) > 0
    ]


def runs(
    check_runs: object, statuses: object, annotations: Mapping[int, object], wanted: Requirements
) -> tuple[Run, ...]:
    """The checks of a head, our own left out, and those that are wanted and have not been heard of."""
    results = [*_check_runs(check_runs, annotations), *_statuses(statuses)]
    missing = [
        Run(name=name, state="waiting", required=True, summary="it has not been heard of yet")
        for name, app in sorted(wanted.checks)
        if not any(one.name == name and app in (0, one.app) for one in results)
    ]
    return (*missing, *(_run(one, wanted) for one in results))


def _run(one: _Result, wanted: Requirements) -> Run:
    named = any(name == one.name and app in (0, one.app) for name, app in wanted.checks)
    required = named or not wanted.known or wanted.workflows
    return Run(
        name=one.name,
        state=one.state,
        required=required,
        summary=one.summary,
        url=one.url,
        remarks=one.remarks,
    )


def _check_runs(found: object, annotations: Mapping[int, object]) -> Iterable[_Result]:
    newest: dict[tuple[str, int], Fields] = {}
    for run in sorted(rows(found, "check runs"), key=lambda each: each.number("id")):
        app = run.maybe("app")
        newest[run.text("name"), app.number("id") if app else 0] = run
    for (name, number), run in newest.items():
        if name == GATE:
            continue
        output = run.maybe("output")
        said = [_TO_RUN_AGAIN.get(run.text("conclusion", default=""), "")]
        said += [output.text(part, default="") for part in ("title", "summary")] if output else []
        app = run.maybe("app")
        slug = app.text("slug", default="app") if app else "app"
        by = Account(id=f"github:app{number}", login=slug, person=False)
        yield _Result(
            name,
            number,
            _state(run),
            "\n".join(one for one in said if one)[:LONGEST],
            run.text("html_url", default=""),
            tuple(_annotation(one, by) for one in rows(annotations.get(run.number("id"), []), "annotations")),
        )


def _state(run: Fields) -> RunState:
    status = run.text("status")
    if status in _RUNNING:
        return "waiting"
    if status != "completed":
        raise run.nonsense(f"its status is {status[:20]!r}")
    if (conclusion := run.text("conclusion")) in _TO_RUN_AGAIN:
        return "waiting"
    return "passed" if conclusion in _PASSED else "failed"


def _statuses(found: object) -> Iterable[_Result]:
    states: Mapping[str, RunState] = {
        "success": "passed",
        "pending": "waiting",
        "failure": "failed",
        "error": "failed",
    }
    newest: dict[str, Fields] = {}
    for one in sorted(rows(found, "statuses"), key=lambda each: each.number("id")):
        newest[one.text("context")] = one
    for name, one in newest.items():
        if name == GATE:
            continue
        if (state := states.get(one.text("state"))) is None:
            raise one.nonsense("its state is none that there is")
        yield _Result(
            name, 0, state, one.text("description", default="")[:LONGEST], one.text("target_url", default="")
        )


def _annotation(one: Fields, by: Account) -> Remark:
    texts = [one.text(part, default="") for part in ("title", "message")]
    return Remark(
        id=0,
        by=by,
        text=": ".join(text for text in texts if text)[:LONGEST],
        path=one.text("path", default="")[:500],
        line=one.number("start_line", default=0),
    )
