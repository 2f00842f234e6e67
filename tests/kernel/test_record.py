"""The state is what the ledger's moves add up to, before and after a restart."""

from pathlib import Path

import pytest

from selfedit.editing.edits import parse_edits
from selfedit.history.ledger import Ledger
from selfedit.history.record import IllegalMove, Record
from selfedit.history.state import change_id
from selfedit.types import Draft, GateReport, Request, Stage

EDITS = parse_edits('[{"op": "delete_symbol", "path": "bot/live/a.py", "target": "f"}]')


def drafted(record: Record, number: int = 1) -> None:
    request = Request(requested_by="console:ann", goal="less")
    draft = Draft(title="Less", reason="because", edits=EDITS, author="person")
    record.write("requested", number, request=request.model_dump(mode="json"))
    record.write("drafted", number, draft=draft.model_dump(mode="json"))
    record.write("headed", number, base="b", head="h", branch="improve/1-less")


def merged(record: Record, number: int = 1) -> None:
    report = GateReport(verdict="passed", base="b", head="h", tree="t", policy="p")
    drafted(record, number)
    record.write("gated", number, report=report.model_dump(mode="json"))
    record.write("opened", number)
    record.write("approved", number, by="console:ann", head="h", self_approved=True)
    record.write("merging", number, old="b", new=f"m{number}")
    record.write("merged", number, merge=f"m{number}", base="b")


def test_a_restart_sees_what_was_there_before(tmp_path: Path) -> None:
    """Folding the ledger again gives the same state as having lived through it."""
    record = Record(Ledger(tmp_path))
    record.write("genesis", commit="b", tree="t0")
    merged(record)
    record.write("live", 1, commit="m1")
    again = Record(Ledger(tmp_path))
    assert again.proposals == record.proposals
    assert again.proposals[1].stage is Stage.LIVE
    assert (again.genesis, again.newest, again.kept) == ("b", "m1", "b")


def test_a_revision_replaces_what_is_under_review_and_voids_its_approvals(tmp_path: Path) -> None:
    """The draft, head and verdict are the new ones, nobody has approved them, and what it cost is added."""
    record = Record(Ledger(tmp_path))
    drafted(record)
    passed = GateReport(verdict="passed", base="b", head="h", tree="t", policy="p")
    record.write("gated", 1, report=passed.model_dump(mode="json"))
    record.write("opened", 1)
    record.write("unrevised", 1, heard=["review:1"], why="no", tokens=5, cost=0.5)
    record.write("endorsed", 1, by="github:2", head="h")
    draft = Draft(title="Fewer", reason="so", edits=EDITS, author="model", model="m", tokens=7, cost=0.25)
    again = GateReport(verdict="passed", base="b2", head="h2", tree="t2", policy="p")
    facts = {"draft": draft.model_dump(mode="json"), "report": again.model_dump(mode="json")}
    record.write("revised", 1, base="b2", head="h2", heard=["review:2"], **facts)
    now = record.proposals[1]
    assert (now.stage, now.title, now.base, now.head, now.report) == (
        Stage.OPENED,
        "Fewer",
        "b2",
        "h2",
        again,
    )
    assert (now.approvals, now.approved_head) == ((), "")
    assert (now.heard, now.revisions, now.tokens, now.cost) == (("review:1", "review:2"), 2, 12, 0.75)
    assert record.has_passed("t2", "p")
    assert Record(Ledger(tmp_path)).proposals == record.proposals


def test_what_is_not_open_is_not_revised(tmp_path: Path) -> None:
    """A merged proposal has no move back under review."""
    record = Record(Ledger(tmp_path))
    record.write("genesis", commit="b", tree="t0")
    merged(record)
    with pytest.raises(IllegalMove):
        record.write("revised", 1, base="b", head="h2", heard=[], draft={}, report={})


def test_an_illegal_move_is_refused_and_leaves_no_row(tmp_path: Path) -> None:
    """What the table of moves does not know never reaches the ledger."""
    record = Record(Ledger(tmp_path))
    drafted(record)
    before = record.ledger.last_hash
    with pytest.raises(IllegalMove):
        record.write("kept", 1, commit="x")
    assert record.ledger.last_hash == before


def test_an_announced_merge_is_pending_until_confirmed_or_abandoned(tmp_path: Path) -> None:
    """Recovery finds exactly the moves of main whose effect is in doubt."""
    record = Record(Ledger(tmp_path))
    record.write("genesis", commit="b", tree="t0")
    merged(record)
    assert not record.pending
    record.write("reverting", 1, old="m1", new="r1", why="bad", by="x")
    assert Record(Ledger(tmp_path)).pending[1].data["new"] == "r1"
    record.write("reverted", 1, revert="r1", why="bad", by="x")
    assert not Record(Ledger(tmp_path)).pending
    assert record.reverts_of(EDITS) == 1


def test_only_passed_and_installed_trees_need_no_judging(tmp_path: Path) -> None:
    """A tree counts under the policy that judged it; the genesis counts under any."""
    record = Record(Ledger(tmp_path))
    record.write("genesis", commit="b", tree="t0")
    merged(record)
    assert record.has_passed("t", "p")
    assert not record.has_passed("t", "another policy")
    assert record.has_passed("t0", "another policy")


def test_the_same_change_has_the_same_name(tmp_path: Path) -> None:
    """What was turned down is recognised when it is proposed again."""
    record = Record(Ledger(tmp_path))
    drafted(record)
    record.write("refused", 1, why="no")
    assert (
        change_id(parse_edits('[{"target": "f", "op": "delete_symbol", "path": "bot/live/a.py"}]'))
        in record.unwanted()
    )


def opened(record: Record, head: str = "h") -> None:
    """A proposal that is shown elsewhere and waits for reviewers."""
    drafted(record)
    report = GateReport(verdict="passed", base="b", head=head, tree="t", policy="p")
    record.write("shown", 1, pull=7, url="https://example.org/7", branch="improve/1-less")
    record.write("gated", 1, report=report.model_dump(mode="json"))
    record.write("opened", 1)


def test_what_is_seen_elsewhere_is_remembered(tmp_path: Path) -> None:
    """Where a proposal is shown, what it waits for, what was answered, and what people are called survive a restart."""
    record = Record(Ledger(tmp_path))
    opened(record)
    assert record.wait(1, "for checks")
    assert not record.wait(1, "for checks")
    record.write("heard", 1, keys=["review:1", "run:check:h"])
    record.write("named", 1, names={"github:1": "ann"})
    one = Record(Ledger(tmp_path)).proposals[1]
    assert (one.pull, one.url, one.why) == (7, "https://example.org/7", "for checks")
    assert (one.heard, one.names) == (("review:1", "run:check:h"), (("github:1", "ann"),))


def test_a_head_that_people_pushed_voids_approvals(tmp_path: Path) -> None:
    """Another head without a draft: the edits stay, nobody has approved it, and who pushed it is known."""
    record = Record(Ledger(tmp_path))
    opened(record)
    record.write("approved", 1, by="github:1", head="h", basis="github:role/write")
    record.write("merging", 1, old="b", head="h", there=True)
    assert (list(record.asked), record.pending) == ([1], {})
    report = GateReport(verdict="failed", base="b", head="h2", policy="p").model_dump(mode="json")
    record.write("revised", 1, base="b", head="h2", report=report, pushed_by=["github:2"])
    one = record.proposals[1]
    assert (one.stage, one.head, one.approvals, one.pushed_by) == (Stage.OPENED, "h2", (), ("github:2",))
    assert (one.edits, one.revisions, record.asked) == (EDITS, 0, {})
    record.write("revised", 1, base="b2", head="h3", report=report)
    assert list(record.proposals[1].pushed_by) == ["github:2"]
    record.write("revised", 1, base="b2", head="h4", report=report, pushed_by=["github:3", "github:2"])
    assert list(record.proposals[1].pushed_by) == ["github:2", "github:3"]


def test_an_approval_can_be_taken_back(tmp_path: Path) -> None:
    """With it goes the wish to have it merged; other approvals stay."""
    record = Record(Ledger(tmp_path))
    opened(record)
    record.write("endorsed", 1, by="github:1", head="h", basis="github:role/write")
    record.write("approved", 1, by="github:2", head="h", basis="github:role/write")
    record.write("merging", 1, old="b", head="h", there=True)
    record.write("unendorsed", 1, by="github:1", why="it does not stand any more")
    one = record.proposals[1]
    assert (one.stage, one.approvals, record.asked) == (Stage.OPENED, ("github:2",), {})


def test_what_became_elsewhere_and_fails_is_owed_at_once(tmp_path: Path) -> None:
    """One row says that it was merged, that nobody vouches for it, and that it is to be taken back."""
    record = Record(Ledger(tmp_path))
    record.write("genesis", commit="b", tree="t0")
    opened(record)
    record.write("approved", 1, by="github:1", head="h", basis="merged there")
    facts = {"merge": "m", "base": "b", "unvouched": "it fails", "condemned": "it fails"}
    record.write("merged", 1, **facts, there=True)
    assert (record.newest, record.owed, record.unvouched) == ("m", {1: "it fails"}, {"m": "it fails"})
    record.write("reverting", 1, old="m", new="r", why="it fails", by="theseus:watch", there=True)
    assert (list(record.takebacks), record.pending) == ([1], {})
    record.write("revert_shown", 1, pull=8, url="https://example.org/8")
    assert record.proposals[1].revert_url == "https://example.org/8"
    record.write("reverting", 1, old="m2", new="r2", why="it fails", by="theseus:watch", there=True)
    assert record.proposals[1].revert_url == ""
    record.write("reverted", 1, revert="r2", why="it fails", by="theseus:watch", vouched="v")
    assert (record.takebacks, record.owed, record.unvouched, record.newest) == ({}, {}, {}, "r2")


def test_what_turns_out_to_be_on_main_already_is_not_the_newest(tmp_path: Path) -> None:
    """A merge that lies below a commit that somebody vouched for since is ours, and main is that later one."""
    record = Record(Ledger(tmp_path))
    record.write("genesis", commit="b", tree="t0")
    opened(record)
    record.write("adopting", commit="c", old="c", tree="t2", policy="p")
    record.write("adopted", commit="c", tree="t2", policy="p")
    record.write("approved", 1, by="github:1", head="h", basis="merged there")
    record.write("merged", 1, merge="m", base="b", there=True, within=True)
    assert (record.newest, set(record.commits)) == ("c", {"b", "c", "m"})
