"""What reviewers and checks on a forge complain about, as an author is told of it. Pure: data of strangers, cut to a length."""

from collections.abc import Iterable

from policies.decision import Finding
from selfedit.pulls import PullState, Review, Run

LONGEST_SAYING = 2000
"""Characters of what somebody wrote that are handed to an author."""


def complaints(state: PullState, reviews: Iterable[Review]) -> dict[str, list[Finding]]:
    """What is complained about, by keys under which each complaint is known again.

    Args:
        state: The pull request; a check that failed and that nobody requires is there without a finding.
        reviews: Those of its reviews whose word counts.
    """
    asked = {f"review:{one.id}": _of_review(one) for one in reviews if one.state == "changes_requested"}
    failed = [run for run in state.runs if run.state == "failed"]
    return asked | {f"run:{run.name}:{state.head}": _of_run(run) if run.required else [] for run in failed}


def _of_review(review: Review) -> list[Finding]:
    said = [
        Finding(rule="review", path=one.path, line=one.line or None, message=one.text[:LONGEST_SAYING])
        for one in review.remarks
        if one.text.strip()
    ]
    return said or [Finding(rule="review", message="changes are asked for, without a word on which")]


def _of_run(run: Run) -> list[Finding]:
    said = [
        Finding(rule="check", path=one.path, line=one.line or None, message=one.text[:LONGEST_SAYING])
        for one in run.remarks[:20]
        if one.text.strip()
    ]
    first = Finding(
        rule="check", message=f"{run.name} failed: {run.summary or 'it does not say why'}"[:LONGEST_SAYING]
    )
    return [first, *said]
