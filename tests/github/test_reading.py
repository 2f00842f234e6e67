"""From what GitHub sends to what is decided by."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfedit.forge.github.checks import Requirements, requirements, runs
from selfedit.forge.github.reading import Seen, pull_state, pushers, reviews, roles
from selfedit.ports import ForgeDown
from tests.github.webhooks import examples

HEAD, OTHER = "a" * 40, "b" * 40
ME = "github:99"
ANN = {"id": 1, "login": "ann", "type": "User"}
BOB = {"id": 2, "login": "bob", "type": "User"}
BOT = {"id": 3, "login": "helper[bot]", "type": "Bot"}
OURS = {"id": 99, "login": "theseus-bot", "type": "User"}
PULL = {
    "number": 5,
    "html_url": "https://github.com/o/r/pull/5",
    "state": "open",
    "draft": False,
    "merged": False,
    "head": {"ref": "improve/5-x", "sha": HEAD},
    "base": {"ref": "main"},
}


def review(
    number: int, user: Any, state: str, head: str | None = HEAD, body: str | None = None
) -> dict[str, Any]:
    return {"id": number, "user": user, "state": state, "commit_id": head, "body": body}


def newest(*found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one.by.login: (one.state, one.head) for one in reviews(list(found), [], {}, ME)}


def run(number: int, name: str, conclusion: str | None = "success", app: int = 15368) -> dict[str, Any]:
    status = "in_progress" if conclusion is None else "completed"
    return {
        "id": number,
        "name": name,
        "status": status,
        "conclusion": conclusion,
        "app": {"id": app, "slug": "a"},
    }


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([review(1, ANN, "APPROVED")], {"ann": ("approved", HEAD)}),
        ([review(1, ANN, "APPROVED", OTHER)], {"ann": ("approved", OTHER)}),
        ([review(1, ANN, "APPROVED", None)], {"ann": ("approved", "")}),
        ([review(1, ANN, "APPROVED"), review(2, ANN, "COMMENTED")], {"ann": ("approved", HEAD)}),
        (
            [review(1, ANN, "APPROVED"), review(2, ANN, "CHANGES_REQUESTED")],
            {"ann": ("changes_requested", HEAD)},
        ),
        (
            [review(2, ANN, "CHANGES_REQUESTED"), review(1, ANN, "APPROVED")],
            {"ann": ("changes_requested", HEAD)},
        ),
        ([review(1, ANN, "CHANGES_REQUESTED"), review(2, ANN, "APPROVED")], {"ann": ("approved", HEAD)}),
        ([review(1, ANN, "DISMISSED")], {}),
        ([review(1, ANN, "APPROVED"), review(2, ANN, "DISMISSED")], {}),
        ([review(1, ANN, "DISMISSED"), review(2, ANN, "APPROVED", OTHER)], {"ann": ("approved", OTHER)}),
        ([review(1, ANN, "COMMENTED", body="hm")], {"ann": ("commented", HEAD)}),
        ([review(1, ANN, "PENDING")], {}),
        ([review(1, BOT, "APPROVED"), review(2, OURS, "APPROVED"), review(3, None, "APPROVED")], {}),
        ([review(1, {"id": 4, "login": "x[bot]", "type": "User"}, "APPROVED")], {}),
        (
            [review(1, ANN, "APPROVED"), review(2, BOB, "CHANGES_REQUESTED")],
            {"ann": ("approved", HEAD), "bob": ("changes_requested", HEAD)},
        ),
    ],
)
def test_the_newest_opinion_of_each_person_counts(
    found: list[dict[str, Any]], expected: dict[str, tuple[str, str]]
) -> None:
    """As GitHub counts: comments take nothing back, what is dismissed is gone, programs and Theseus have no opinion."""
    assert newest(*found) == expected


def test_a_login_that_was_taken_over_gives_no_rights() -> None:
    """The answer about a login has to be about the account that reviewed."""
    answer = {"permission": "admin", "user": {**ANN, "permissions": {"admin": True, "push": True}}}
    assert "github:role/admin" in roles(answer, "github:1")
    assert roles(answer, "github:2") == ()
    assert roles({"permission": "admin", "user": None}, "github:1") == ()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"permission": "admin", "user": ANN}, "admin maintain write triage read"),
        ({"permission": "write", "user": ANN}, "write triage read"),
        ({"permission": "read", "user": ANN}, "read"),
        ({"permission": "none", "user": ANN}, ""),
        (
            {"permission": "write", "user": {**ANN, "permissions": {"maintain": True, "push": True}}},
            "maintain write triage read",
        ),
        ({"permission": "write", "user": {**ANN, "permissions": {"pull": True, "push": False}}}, "read"),
    ],
)
def test_roles_follow_from_access(answer: dict[str, Any], expected: str) -> None:
    """Who may administrate may write as well; what GitHub says in detail goes before the one word."""
    assert roles(answer, "github:1") == tuple(f"github:role/{name}" for name in expected.split())


def test_who_pushed_is_known_by_activity_or_else_by_commits() -> None:
    """Deletions put nothing there; Theseus is left out."""
    activity = [
        {"activity_type": "push", "actor": ANN},
        {"activity_type": "force_push", "actor": OURS},
        {"activity_type": "branch_deletion", "actor": BOB},
        {"activity_type": "push", "actor": None},
        {"activity_type": "push", "actor": ANN},
    ]
    assert [one.login for one in pushers(activity, None, ME)] == ["ann"]
    for kind in ("force_push", "branch_creation", "pr_merge", "merge_queue_merge"):
        assert [one.login for one in pushers([{"activity_type": kind, "actor": BOB}], None, ME)] == ["bob"]
    assert [
        one.login
        for one in pushers(None, [{"author": ANN, "committer": BOB}, {"author": None, "committer": {}}], ME)
    ] == ["ann", "bob"]


def test_the_newest_run_of_each_name_counts() -> None:
    """A job that was started again replaces what it said before; two Apps of one name are two."""
    found = runs(
        [run(1, "check", "failure"), run(2, "check"), run(3, "check", None, app=7)], [], {}, Requirements()
    )
    assert [(one.name, one.state) for one in found] == [("check", "passed"), ("check", "waiting")]


@pytest.mark.parametrize(
    ("conclusion", "state"),
    [
        ("success", "passed"),
        ("neutral", "passed"),
        ("skipped", "passed"),
        ("failure", "failed"),
        ("cancelled", "waiting"),
        ("timed_out", "failed"),
        ("action_required", "waiting"),
        ("startup_failure", "waiting"),
        ("stale", "waiting"),
        ("of a later year", "failed"),
        (None, "waiting"),
    ],
)
def test_only_what_ended_well_has_passed(conclusion: str | None, state: str) -> None:
    """As GitHub itself counts it; a word that nobody knows is no good end."""
    found = runs([run(1, "check", conclusion)], [], {}, Requirements())
    assert [one.state for one in found] == [state]


def test_a_required_check_of_an_app_is_satisfied_by_that_app_alone() -> None:
    """Another's run of the same name, or a status that anybody may set, is something else."""
    wanted = requirements(
        {
            "protected": True,
            "protection": {
                "required_status_checks": {
                    "contexts": ["check"],
                    "checks": [{"context": "check", "app_id": 15368}],
                }
            },
        },
        [],
        None,
    )
    other = runs([run(1, "check", app=7)], [{"id": 1, "context": "check", "state": "success"}], {}, wanted)
    assert ("check", "waiting", True) in [(one.name, one.state, one.required) for one in other]
    right = runs([run(1, "check")], [], {}, wanted)
    assert [(one.state, one.required) for one in right] == [("passed", True)]


def test_rules_of_both_kinds_are_put_together() -> None:
    """Protection and rulesets add up, any App (-1, null) is any, and our own check is not one of others."""
    branch = {
        "protected": True,
        "protection": {
            "required_status_checks": {
                "contexts": ["a", "theseus/gate"],
                "checks": [{"context": "a", "app_id": -1}],
            }
        },
    }
    rules = [
        {"type": "required_status_checks", "parameters": {"required_status_checks": [{"context": "b"}]}},
        {"type": "merge_queue", "parameters": {}},
        {"type": "something_new"},
    ]
    assert requirements(branch, rules, None) == Requirements(
        frozenset({("a", 0), ("b", 0)}), known=True, queue=True
    )
    assert not requirements(None, rules, None).known
    assert not requirements(branch, None, None).known
    assert not requirements({"protected": True}, [], None).known
    assert requirements({"protected": False}, [], None) == Requirements()


def test_what_is_not_known_is_required() -> None:
    """Where the rules cannot be read, whatever runs counts."""
    state = pull_state(Seen(pull=PULL, runs=[run(1, "x")], requirements=Requirements(known=False)), ME)
    assert [one.required for one in state.runs] == [True]
    assert state.checks_required
    assert not pull_state(Seen(pull=PULL, runs=[run(1, "x")]), ME).checks_required


def test_missing_and_null_fields_are_borne() -> None:
    """What is not needed may be anything."""
    state = pull_state(Seen(pull={**PULL, "draft": None, "html_url": None, "merged_by": None}), ME)
    assert (state.number, state.head, state.draft, state.url) == (5, HEAD, False, "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "half-open"},
        {"state": None},
        {"merged": "no"},
        {"merged": True},
        {"merged": True, "state": "closed", "merge_commit_sha": None},
        {"head": None},
        {"head": {"ref": "x", "sha": "; rm -rf /"}},
        {"head": {"ref": "x", "sha": HEAD.upper()}},
        {"number": True},
        {"number": "5"},
        {"base": {}},
    ],
)
def test_what_makes_no_sense_is_no_answer(wrong: dict[str, Any]) -> None:
    """Nothing is guessed where it is relied on."""
    with pytest.raises(ForgeDown, match="makes no sense"):
        pull_state(Seen(pull={**PULL, **wrong}), ME)


def test_githubs_own_examples_are_read() -> None:
    """Payloads as GitHub has sent them, with every field that it has."""
    read = 0
    for _, sent in examples():
        if isinstance(pull := sent.get("pull_request"), dict) and "merged" in pull:
            assert pull_state(Seen(pull=pull), ME).number == pull["number"]
            read += 1
        if isinstance(said := sent.get("review"), dict):
            assert len(reviews([said], [], {}, ME)) <= 1
            read += 1
        if isinstance(check := sent.get("check_run"), dict):
            assert [one.name for one in runs([check], [], {}, Requirements())] == [check["name"]]
            read += 1
    if not read:
        pytest.skip("GitHub's examples are not installed: scripts/setup counterparts")


WHOLE: dict[str, Any] = {
    "pull": PULL,
    "reviews": [review(1, ANN, "APPROVED"), review(2, BOB, "CHANGES_REQUESTED", body="no")],
    "comments": [
        {"id": 1, "pull_request_review_id": 2, "user": BOB, "body": "here", "path": "a.py", "line": 3}
    ],
    "runs": [
        {**run(1, "check", "failure"), "output": {"title": "t", "summary": "s", "annotations_count": 1}}
    ],
    "statuses": [{"id": 1, "context": "ci", "state": "pending", "description": None, "target_url": None}],
    "activity": [{"activity_type": "push", "actor": ANN}],
}


def spots(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of everything within."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [at, *(spot for key, value in inner for spot in spots(value, (*at, key)))]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([spot for spot in spots(WHOLE) if spot]),
    st.sampled_from([None, 0, -1, True, "", "x", [], {}, [None], {"id": None}, 10**30, "APPROVED"]),
)
def test_whatever_stands_in_a_field_it_is_read_or_refused(spot: tuple[Any, ...], value: object) -> None:
    """No payload, however broken, ends in anything but a state or the one exception, and none adds an approval."""
    sent = copy.deepcopy(WHOLE)
    place = sent
    for key in spot[:-1]:
        place = place[key]
    place[spot[-1]] = value
    try:
        state = pull_state(Seen(**sent), ME)
    except ForgeDown:
        return
    approvals = {one.by.id for one in state.reviews if one.state == "approved"}
    assert approvals <= {"github:1", "github:2", "github:0", "github:-1", f"github:{10**30}"}
    assert len(approvals) <= 2
