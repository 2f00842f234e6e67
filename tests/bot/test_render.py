"""Answers are shown whole, plain where nobody looks at a screen, and cannot steer a terminal."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from policies.decision import Finding, Severity
from sandbox.types import Protection, SandboxInfo
from selfedit import protocol as say
from selfedit.answers import render
from selfedit.editing.edits import parse_edits
from selfedit.types import Check, FileDiff, GateReport, Stage, Traced
from tests.fakes.steward import STATUS, proposal

EDITS = parse_edits('[{"op": "delete_symbol", "path": "bot/live/a.py", "target": "unused"}]')
REPORT = GateReport(
    verdict="failed",
    base="a" * 40,
    head="b" * 40,
    policy="p",
    sandbox=SandboxInfo(backend="bubblewrap", image="sha256:" + "d" * 64, reduced=True),
    checks=(
        Check(name="lint", passed=True, seconds=0.42, summary="nothing found"),
        Check(
            name="tests",
            passed=False,
            seconds=2.5,
            summary="1 of 9 failed",
            findings=(
                Finding(rule="test_failed", path="tests/live/test_a.py", line=7, message="1 != 2"),
                Finding(
                    rule="loosened_types", severity=Severity.REVIEW, path="bot/live/a.py", message="uses Any"
                ),
            ),
        ),
    ),
    seconds=3.1,
)
FULL = proposal(
    stage=Stage.FAILED,
    reason="It is shorter.",
    edits=EDITS,
    report=REPORT,
    why="tests failed",
    notes=("mended",),
)
BODIES = [
    say.ProposalIs(proposal=FULL),
    say.ProposalsAre(proposals=(FULL, proposal(2))),
    say.ProposalsAre(proposals=()),
    say.DiffIs(
        number=1, head="b" * 40, files=(FileDiff(path="a", text="--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n"),)
    ),
    STATUS,
    say.WhyIs(
        running="a" * 40, traced=(Traced(path="a.py", name="f", commit="c" * 40, proposal=1, title="Less"),)
    ),
    say.WhyIs(running="", traced=()),
    say.Progress(number=1, stage=Stage.GATED, text="gate: passed", seconds=3.2),
    say.News(text="kept"),
    say.Done(text="halted"),
    say.Refused(why="no"),
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_plain_output_is_plain(body: object) -> None:
    """In a pipe there are no colours, no boxes, no blanks at line ends, and there is something to read."""
    text = render.plain(render.answer(body))  # type: ignore[arg-type]  # each is a message
    assert text.strip()
    assert text.isascii()
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_proposal_shows_all_that_a_reviewer_needs() -> None:
    """Title, reason, edits in words, each check, each finding with its place, the sandbox and that it is reduced."""
    text = render.plain(render.proposal(FULL))
    for part in (
        "Roll better",
        "It is shorter.",
        "delete unused in bot/live/a.py",
        "mended",
        "lint",
        "2.5",
        "1 of 9 failed",
        "tests/live/test_a.py:7: 1 != 2 [test_failed]",
        "review: uses Any",
        "bubblewrap",
        "reduced",
        "bbbbbbbbbbbb",
        "tests failed",
    ):
        assert part in text


def test_hashes_and_long_lines_are_not_cut() -> None:
    """However long the rest of a line is, it is neither cut nor broken in a pipe."""
    long = "x" * 500
    assert long in render.plain(render.diff([FileDiff(path="a", text=f"+{long}\n")]))
    assert "b" * 12 in render.plain(render.proposals([proposal(title="t " * 300)]))
    found = (Finding(rule="r", path="p", message=f"{long} {long}"),)
    check = Check(name="lint", passed=False, seconds=1, summary="", findings=found)
    judged = proposal(report=REPORT.model_copy(update={"checks": (check,)}))
    assert f"{long} {long}" in render.plain(render.proposal(judged))


def test_the_status_names_what_does_not_hold() -> None:
    """A protection that is missing is said to be missing."""
    now = STATUS.model_copy(
        update={
            "protections": (
                Protection(name="no network", held=True),
                Protection(name="memory limit", held=False),
            )
        }
    )
    lines = render.plain(render.status(now)).splitlines()
    assert any("does not hold: memory limit" in line for line in lines)
    assert any("holds: no network" in line and "not" not in line for line in lines)


@given(st.text())
def test_no_text_can_steer_a_terminal(text: str) -> None:
    """Whatever characters a title or message has, none that moves a cursor or hides text comes through."""
    shown = render.shown(text)
    assert all(char.isprintable() or char in "\n\t\u200d" for char in shown)
    out = io.StringIO()
    render.write(render.proposal(proposal(title=text)), file=out)
    assert all(char.isprintable() or char in "\n\t\u200d" for char in out.getvalue())


def test_what_the_findings_say_is_not_said_twice() -> None:
    """A reason that only repeats the findings is left out; any other is shown."""
    repeated = render.plain(render.proposal(FULL.model_copy(update={"why": "a.py:7: 1 != 2 [test_failed]"})))
    assert repeated.count("1 != 2") == 1
    assert "tests failed" in render.plain(render.proposal(FULL))


def test_markup_in_outside_text_is_shown_as_it_is() -> None:
    """Square brackets in a title are part of the title."""
    assert "[bold]x[/bold]" in render.plain(render.brief(proposal(title="[bold]x[/bold]")))


def test_a_terminal_breaks_lines_between_words() -> None:
    """Of several lines, too, each word stays whole; a line of a diff stays one line."""
    out = io.StringIO()
    console = Console(file=out, width=20, force_terminal=True, color_system=None)
    words = "Each of these words is whole"
    render.show(console, Text(f"{words}\n  {words}"), render.diff([FileDiff(path="a", text=f"+{words}\n")]))
    lines = out.getvalue().split("\n")
    assert lines[-2] == f"+{words}"
    assert max(map(len, lines[:-2])) <= 20
    assert " ".join(" ".join(lines[:-2]).split()) == f"{words} {words}"


def test_what_was_ended_says_that_the_rest_is_the_reason() -> None:
    """Whoever turned it down or took it back reads the reason as one."""
    for stage in (Stage.REJECTED, Stage.REVERTED):
        assert "\nReason: too late" in render.plain(render.brief(proposal(7, stage, why="too late")))
    assert "Reason" not in render.plain(render.brief(proposal(7, Stage.OPENED, why="main has moved")))


def test_the_next_step_fits_the_stage() -> None:
    """An open proposal can be approved, a live one taken back, and after the end nothing is asked for."""
    assert "/approve 7" in render.next_step(proposal(7))
    assert "/rollback" in render.next_step(proposal(7, Stage.LIVE))
    assert render.next_step(proposal(7, Stage.REJECTED)) == ""


PULL = "https://github.example/owner/name/pull/12"


def test_a_proposal_says_where_it_is_on_github() -> None:
    """Number and address of its pull request stand with what is known of it, in the list, and in what to do next."""
    one = proposal(7, pull=12, url=PULL)
    assert f"; pull request #12 {PULL}" in render.plain(render.proposal(one))
    assert f"\nPull request #12: {PULL}" in render.plain(render.brief(one))
    assert "#12" in render.plain(render.proposals([one, proposal(6)]))
    assert "pull request" not in render.plain(render.proposals([proposal(6)]))
    assert PULL in render.next_step(one)
    why = say.WhyIs(
        running="a" * 40, traced=(Traced(path="a", name="f", commit="c", proposal=7, title="x", pull=12),)
    )
    assert "7 (#12)" in render.plain(render.answer(why))


def test_who_approved_elsewhere_is_called_as_there() -> None:
    """By the login beside the service, without a sign that could steer a terminal; others as they are."""
    names = (("github:1", "octo\x1b[31mcat"),)
    said = render.plain(render.proposal(proposal(approvals=("github:1", "console:ann"), names=names)))
    assert "approved by octo\\x1b[31mcat on GitHub and console:ann (self-approved)" in said


def test_what_an_approved_proposal_waits_for_is_said() -> None:
    """The stage lasts where a forge asks for more."""
    one = proposal(7, Stage.APPROVED, why="it waits for the check `check` on GitHub")
    assert "Approved: it waits for the check" in render.plain(render.proposal(one))
    assert "it waits for the check" in render.plain(render.brief(one))


def test_what_serves_no_more_is_said_to_while_its_pull_request_waits() -> None:
    """Whoever rolled back reads that it is done here, and where main follows; afterwards nothing is said of it."""
    one = proposal(7, Stage.LIVE, merge="d" * 40, revert_url=PULL)
    for said in (render.plain(render.brief(one)), render.plain(render.proposal(one))):
        assert (
            f"What ran before it serves already; main follows when what takes it back is merged: {PULL}"
            in said
        )
    assert "serves already" not in render.plain(
        render.brief(one.model_copy(update={"stage": Stage.REVERTED}))
    )


def test_status_has_a_line_on_the_forge_where_there_is_one() -> None:
    """Whether GitHub answers is seen beside the rest."""
    said = render.plain(render.answer(STATUS.model_copy(update={"forge": "GitHub owner/name, answering"})))
    assert "GitHub owner/name, answering" in said
    assert "pull requests" not in render.plain(render.answer(STATUS))


def test_progress_that_nobody_waits_for_names_its_proposal() -> None:
    """What a forge says hours later is of one of several; beside a command it is clear of which."""
    step = say.Progress(number=7, stage=Stage.APPROVED, text="it waits", seconds=3.2)
    assert "proposal 7: it waits" in render.plain(render.progress(step, unasked=True))
    assert "7" not in render.plain(render.progress(step))


def test_what_is_taken_back_already_is_not_offered_a_rollback() -> None:
    """Where main follows by a pull request, the words after a rollback do not ask for another."""
    live = proposal(7, Stage.LIVE)
    assert "/rollback" in render.next_step(live)
    assert render.next_step(live.model_copy(update={"revert_url": PULL})) == ""
