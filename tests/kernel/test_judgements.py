"""The small policies: zones, health, approval, rules."""

from dataclasses import replace
from pathlib import Path

import pytest

from policies.health import Judgement, Sample, judge
from policies.load import RulesProblem, load_rules
from policies.merge import Candidate, may_approve, may_decide
from policies.rights import Person
from policies.zones import Zone, zone_of

RULES = load_rules()
ME = "console:ann"
OPERATOR = Person(ME)


@pytest.mark.parametrize(
    "path", ["bot/live/help/feature.py", "agent/live/prompts/chat.md", "tests/live/test_x.py"]
)
def test_live_folders_are_live(path: str) -> None:
    """What lies below a live folder may change by itself."""
    assert zone_of(path, RULES.zones.live) is Zone.LIVE


@pytest.mark.parametrize(
    "path",
    [
        "bot/lively/x.py",
        "bot/live/../app.py",
        "bot/live/./x.py",
        "bot/live//x.py",
        "/bot/live/x.py",
        "bot\\live\\x.py",
        "bot/live/x.py\n",
        "bot/live/.git/hooks/x",
        "bot/live/.GIT/x",
        "bot/live/git~1/x",
        "bot/live/.g\u200cit/x",
        "bot/live/nul.py",
        "bot/live/-rf",
        "bot/live/x.py ",
        "bot/live/x.",
        "bot/live/\uff58.py",
        "BOT/live/x.py",
        "bot/live",
        "tests/conftest.py",
        "pyproject.toml",
        "policies/rules.toml",
        "",
        "bot/live/" + "x" * 300,
    ],
)
def test_everything_else_is_kernel(path: str) -> None:
    """A path that nobody thought of, or whose spelling is doubtful, is kernel."""
    assert zone_of(path, RULES.zones.live) is Zone.KERNEL


GOOD = Sample(requests=10, errors=0, p95_ms=20, lag_ms=5)


@pytest.mark.parametrize(
    ("now", "elapsed", "expected"),
    [
        (GOOD, 1, Judgement.WAIT),
        (GOOD, 61, Judgement.KEEP),
        (replace(GOOD, requests=0), 61, Judgement.KEEP),
        (replace(GOOD, errors=1), 1, Judgement.WAIT),
        (replace(GOOD, requests=1, errors=1), 1, Judgement.WAIT),
        (replace(GOOD, requests=1, errors=1), 61, Judgement.REVERT),
        (replace(GOOD, errors=3), 1, Judgement.REVERT),
        (replace(GOOD, lag_ms=2500), 1, Judgement.REVERT),
        (replace(GOOD, p95_ms=900), 61, Judgement.KEEP),
        (replace(GOOD, p95_ms=1500), 1, Judgement.REVERT),
        (replace(GOOD, requests=2, p95_ms=1500), 1, Judgement.WAIT),
    ],
)
def test_worse_code_is_taken_back_and_good_code_kept(
    now: Sample, elapsed: float, expected: Judgement
) -> None:
    """Errors, latency and pauses beyond the bounds revert; a quiet window keeps."""
    assert judge(GOOD, now, elapsed, RULES.watch)[0] is expected


def test_slow_code_that_was_slow_before_is_not_worse() -> None:
    """Latency is judged against the code that ran before."""
    slow = replace(GOOD, p95_ms=1500)
    assert judge(slow, replace(GOOD, p95_ms=2000), 61, RULES.watch)[0] is Judgement.KEEP


OPEN = Candidate(
    number=1,
    stage="opened",
    head="a" * 40,
    requested_by=ME,
    verdict="passed",
    judged_head="a" * 40,
    judged_policy=RULES.policy,
    reverts=0,
)


def test_the_operator_may_approve_an_open_passed_proposal() -> None:
    """At the console, requester and approver may be one."""
    assert may_approve(OPEN, OPERATOR, None, RULES).allowed
    assert may_approve(OPEN, OPERATOR, "a" * 40, RULES).allowed


@pytest.mark.parametrize(
    ("candidate", "looked_at", "rule"),
    [
        (OPEN, "b" * 40, "head_moved"),
        (replace(OPEN, stage="gated"), None, "not_open"),
        (replace(OPEN, stage="failed"), None, "not_open"),
        (replace(OPEN, verdict="unknown"), None, "not_judged"),
        (replace(OPEN, judged_head="c" * 40), None, "not_judged"),
        (replace(OPEN, judged_policy="other"), None, "policy_changed"),
        (replace(OPEN, reverts=2), None, "frozen"),
    ],
)
def test_nothing_stale_or_unjudged_is_approved(
    candidate: Candidate, looked_at: str | None, rule: str
) -> None:
    """An approval counts for the head that was looked at and judged under these rules, or not at all."""
    assert [finding.rule for finding in may_approve(candidate, OPERATOR, looked_at, RULES).findings] == [rule]


def test_elsewhere_only_another_maintainer_decides() -> None:
    """Outside of the console an approver is a named maintainer and not the requester."""
    rules = RULES.model_copy(
        update={"approval": RULES.approval.model_copy(update={"maintainers": ("discord:1", "discord:2")})}
    )
    assert may_decide(Person("discord:1"), "discord:2", rules).allowed
    assert not may_decide(Person("discord:1"), "discord:1", rules).allowed
    assert not may_decide(Person("discord:3"), "discord:1", rules).allowed


def test_the_policy_hash_changes_with_a_rule(tmp_path: Path) -> None:
    """A verdict under other numbers is another verdict."""
    over = tmp_path / "over.toml"
    over.write_text("[watch]\nwindow_seconds = 1.0\n")
    changed = load_rules(over)
    assert changed.watch.window_seconds == 1.0
    assert changed.zones == RULES.zones
    assert changed.policy != RULES.policy
    assert load_rules().policy == RULES.policy


@pytest.mark.parametrize(
    "text", ["[watch]\nwindow = 1\n", "[zones]\nlive = 3\n", "not toml", "[nonsense]\nx = 1\n"]
)
def test_wrong_rules_are_named(tmp_path: Path, text: str) -> None:
    """A rule that is misspelt, of the wrong kind, or no rule at all, is an error that names the file."""
    over = tmp_path / "over.toml"
    over.write_text(text)
    with pytest.raises(RulesProblem, match=r"over\.toml"):
        load_rules(over)
