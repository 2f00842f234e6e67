"""Whose approval counts where `main` lives elsewhere: one person under two names, who pushed, one here and one there."""

from pathlib import Path

from policies.load import Rules, load_rules
from policies.merge import Candidate, may_approve, side_lacking
from policies.rights import Person

WRITER = frozenset({"github:role/write"})


def rules(folder: Path, text: str = "") -> Rules:
    """The rules, with some others under [github]."""
    over = folder / "over.toml"
    over.write_text(f"[github]\n{text}")
    return load_rules(over)


def candidate(policy: str, asked: str = "discord:1", **more: tuple[str, ...]) -> Candidate:
    """One that has passed and waits for approvals."""
    return Candidate(
        number=1,
        stage="opened",
        head="h",
        requested_by=asked,
        verdict="passed",
        judged_head="h",
        judged_policy=policy,
        reverts=0,
        **more,
    )


def said(one: Candidate, by: str, held: Rules) -> str:
    """Why somebody who may write there may not approve it; empty where they may."""
    decision = may_approve(one, Person(by, WRITER), "h", held)
    return decision.findings[0].rule if decision.findings else ""


def test_nobody_approves_their_own_wish_under_another_name(tmp_path: Path) -> None:
    """Who is one and the same by the rules asked for it, approved it or pushed to it, whatever they are called."""
    held = rules(tmp_path, 'same_people = [["discord:1", "github:2"]]')
    assert said(candidate(held.policy), "github:2", held) == "self_approval"
    assert said(candidate(held.policy), "github:3", held) == ""
    other = candidate(held.policy, "discord:9", approvals=("discord:1",))
    assert said(other, "github:2", held) == "approved_before"
    assert (
        said(candidate(held.policy, "discord:9", pushed_by=("discord:1",)), "github:2", held) == "own_commits"
    )


def test_the_operator_alone_may_approve_whatever_they_did(tmp_path: Path) -> None:
    """At the console one person is all in one, where the rules let them; else not even there."""
    held = rules(tmp_path)
    one = candidate(held.policy, "console:operator", pushed_by=("console:operator",))
    assert said(one, "console:operator", held) == ""
    approval = held.approval.model_copy(update={"console_self_approval": False})
    strict = held.model_copy(update={"approval": approval})
    assert said(one, "console:operator", strict) == "self_approval"
    pushed = candidate(held.policy, pushed_by=("console:operator",))
    assert said(pushed, "console:operator", strict) == "own_commits"


def test_one_here_and_one_there(tmp_path: Path) -> None:
    """Where the rules ask for both, the side that has not approved is named; else either is enough."""
    both = rules(tmp_path, 'approvals = "both"')
    assert side_lacking(("discord:1",), "github", both) == "there"
    assert side_lacking(("github:1",), "github", both) == "here"
    assert side_lacking(("github:1", "discord:1"), "github", both) == ""
    assert side_lacking(("github:1",), "", both) == ""
    assert side_lacking(("github:1",), "github", rules(tmp_path)) == ""
