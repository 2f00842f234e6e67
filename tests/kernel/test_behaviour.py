"""What two commits' trial loads say of the difference between them, and what of it stops a proposal."""

import json

import pytest

from policies.decision import Finding, Severity
from selfedit.gate.behaviour import compare, difference
from selfedit.gate.evidence import Step
from selfedit.gate.trial import Answered, Trial, read_trial


def turn(
    said: str = "hello", answer: str = "Hello.", *, but: dict[str, object] | None = None, **more: object
) -> Answered:
    """A turn that went well, `but` for some of it."""
    values = {"place": "talk-0", "said": said, "answer": answer, **more, **(but or {})}
    return Answered.model_validate(values)


def trial(*turns: Answered, commands: tuple[str, ...] = ("roll",), **more: object) -> Trial:
    """A trial in which code could serve."""
    return Trial.model_validate(
        {"ok": True, "features": ("roll",), "commands": commands, "script": "abc", "turns": turns, **more}
    )


def found(base: Trial, head: Trial) -> list[tuple[str, Severity]]:
    """The findings of a comparison, by rule and weight."""
    return [(finding.rule, finding.severity) for finding in compare(base, head).findings]


def step(out: str, code: int | None = 0, **more: object) -> Step:
    """The end of a trial's process."""
    values = {"exit": code, "timed_out": False, "seconds": 1.0, "out": out, "err": "", "dropped": False}
    return Step.model_validate({**values, **more})


def test_what_a_trial_writes_is_read() -> None:
    """The last line, as the trial's own model writes it."""
    told = trial(turn(), kept=3)
    assert read_trial(step(f"noise\n{told.model_dump_json()}\n")) == told


def test_a_refusal_keeps_the_name_of_its_rule() -> None:
    """What a trial refuses, it refuses by name."""
    refused = Trial(ok=False, rule="reload_grows", why="it grows")
    finding = read_trial(step(refused.model_dump_json(), code=1))
    assert isinstance(finding, Finding)
    assert (finding.rule, finding.severity) == ("reload_grows", Severity.REFUSE)
    assert "it grows" in finding.message


@pytest.mark.parametrize(
    ("out", "code", "more", "rule"),
    [
        ("", 0, {}, "no_report"),
        ("", None, {"timed_out": True}, "timed_out"),
        ("[1]", 0, {}, "no_report"),
        ('{"ok": true, "why": "", "features": [], "commands": []} and more', 0, {}, "no_report"),
        (trial().model_dump_json(), 1, {}, "exit_mismatch"),
        (Trial(ok=False, rule="load_acts").model_dump_json(), 0, {}, "exit_mismatch"),
    ],
)
def test_what_does_not_add_up_is_no_trial(
    out: str, code: int | None, more: dict[str, object], rule: str
) -> None:
    """Silence, a time-out, another shape or an exit code that says otherwise is a refusal."""
    finding = read_trial(step(out, code, **more))
    assert isinstance(finding, Finding)
    assert (finding.rule, finding.severity) == (rule, Severity.REFUSE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"more": 1},
        {"kept": -1},
        {"kept": "3"},
        {"turns": [{"place": "a", "said": "b", "ms": -1.0}]},
        {"turns": [{"place": "a", "said": "b", "answer": "x" * 3000}]},
        {"turns": [{"place": "a", "said": "b", "steady": 1}]},
        {"rule": "Some Rule"},
    ],
)
def test_a_trial_of_another_shape_is_refused(wrong: dict[str, object]) -> None:
    """A field too many, of another kind or out of bounds: nothing of it is believed."""
    finding = read_trial(step(json.dumps(trial().model_dump(mode="json") | wrong)))
    assert isinstance(finding, Finding)
    assert finding.rule == "no_report"


def test_the_same_behaviour_has_no_findings() -> None:
    """Base against base passes without a word, and the summary counts the answers."""
    same = trial(turn(ms=0.2, requests=1, tokens=50), turn("/roll", "4", place="talk-1"))
    check = compare(same, same)
    assert (check.passed, check.findings) == (True, ())
    assert check.summary == "0 of 2 answers differ, 0 broken, 1.0x time, 1.0x tokens"


def test_another_answer_is_shown_and_lets_pass() -> None:
    """A different answer is a note with both texts."""
    check = compare(trial(turn("/roll", "4")), trial(turn("/roll", "4 (2d6)")))
    (finding,) = check.findings
    assert check.passed
    assert (finding.rule, finding.severity) == ("behaviour", Severity.NOTE)
    assert finding.message == '"/roll": "4" -> "4 (2d6)"'
    assert check.summary.startswith("1 of 1 answer differs, 0 broken")


@pytest.mark.parametrize(
    "now", [{"answer": "", "error": "roll failed: ZeroDivisionError"}, {"answer": " \n"}]
)
def test_an_answer_that_fails_now_is_refused(now: dict[str, object]) -> None:
    """A turn that worked on base and raises, or says nothing, on head stops the proposal."""
    check = compare(trial(turn()), trial(turn(but=now)))
    assert not check.passed
    assert [(each.rule, each.severity) for each in check.findings] == [("behaviour_broken", Severity.REFUSE)]
    assert "1 broken" in check.summary


def test_what_failed_before_may_fail_or_work_now() -> None:
    """A turn that fails on both sides says nothing of the change; one that works now is a note."""
    failing = trial(turn(answer="", error="no"))
    assert found(failing, failing) == []
    assert found(failing, trial(turn())) == [("behaviour", Severity.NOTE)]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({"ms": 10.0}, {"ms": 300.0}, [("behaviour_slower", Severity.REVIEW)]),
        ({"ms": 1.0}, {"ms": 40.0}, []),
        ({"ms": 500.0}, {"ms": 900.0}, []),
        ({"tokens": 1000}, {"tokens": 3000}, [("behaviour_costlier", Severity.REVIEW)]),
        ({"tokens": 10}, {"tokens": 90}, []),
        ({"tokens": 1000}, {"tokens": 1200}, []),
        ({}, {"deeds": ("it writes 'x'",)}, [("behaviour_acts", Severity.REVIEW)]),
        ({"deeds": ("it writes 'x'",)}, {"deeds": ("it writes 'x'",)}, []),
        ({}, {"steady": False}, [("behaviour_unsteady", Severity.REVIEW)]),
        ({"steady": False}, {"steady": False, "answer": "other"}, []),
    ],
)
def test_what_a_person_has_to_look_at(
    before: dict[str, object], now: dict[str, object], expected: list[tuple[str, Severity]]
) -> None:
    """Slower or costlier beyond factor and floor, a new deed, an unsteady answer: for review, never a refusal."""
    base, head = trial(turn(but=before)), trial(turn(but=now))
    assert found(base, head) == expected
    assert compare(base, head).passed


def test_the_slowest_of_many_stands_for_all() -> None:
    """However many answers take longer, it is said once, of the one that takes longest."""
    base = trial(*(turn(place=f"talk-{n}", said=f"line {n}", ms=1.0) for n in range(3)))
    head = trial(*(turn(place=f"talk-{n}", said=f"line {n}", ms=100.0 + n) for n in range(3)))
    (finding,) = compare(base, head).findings
    assert finding.message == 'answering "line 2" takes longer: 1 ms before, 102 ms now, and 2 more answers'


def test_memory_that_grows_with_each_round_is_for_review() -> None:
    """Blocks that every round leaves taken are told of when base leaves none."""
    assert found(trial(kept=3), trial(kept=300)) == [("behaviour_hoards", Severity.REVIEW)]
    assert found(trial(kept=300), trial(kept=300)) == []


def test_a_command_that_is_gone_is_for_review() -> None:
    """Its turns are not broken: that nobody answers to it any more is said once."""
    base = trial(turn("/roll"), turn("/roll ?", place="talk-1"))
    head = trial(turn("/roll", "", known=False), commands=())
    assert found(base, head) == [("behaviour_gone", Severity.REVIEW)]


def test_a_new_command_is_noted_and_looked_at_when_it_fails() -> None:
    """Base has nothing to compare it with, so that its failure is for a person."""
    more = turn("/toss ?", "", place="talk-1", error="toss failed: ValueError")
    assert found(trial(turn()), trial(turn(), more, commands=("roll", "toss"))) == [
        ("behaviour_new", Severity.NOTE),
        ("behaviour_fails", Severity.REVIEW),
    ]


@pytest.mark.parametrize(
    ("base", "head"),
    [
        (trial(turn()), trial(turn(), script="other")),
        (trial(turn()), trial()),
        (trial(turn()), trial(turn(), turn("and this"))),
        (trial(turn()), trial(turn(), turn())),
        (trial(turn()), Trial(ok=False, rule="trial", why="no")),
        (trial(turn()), Finding(rule="timed_out", message="too long")),
        (Finding(rule="timed_out", message="too long"), trial(turn())),
    ],
    ids=["other conversations", "a turn less", "a turn more", "a turn twice", "not ok", "no head", "no base"],
)
def test_what_cannot_be_compared_is_refused(base: Trial | Finding, head: Trial | Finding) -> None:
    """Without the same turns on both sides, nothing is known, and that is no pass."""
    check = compare(base, head)
    assert not check.passed
    assert [finding.rule for finding in check.findings] == ["no_report"]


def test_people_may_rewrite_conversations() -> None:
    """Then what both sides were told is compared."""
    base = trial(turn(), turn("old", place="talk-1"))
    head = trial(turn(answer="Hi."), turn("new", place="talk-1"), script="other")
    check = compare(base, head, rewritten=True)
    assert check.passed
    assert [finding.message for finding in check.findings] == ['"hello": "Hello." -> "Hi."']


def test_of_long_answers_the_part_that_differs_is_shown() -> None:
    """What both have in front is left out, and each text is bounded."""
    shown = difference("a" * 500 + "old end", "a" * 500 + "new end" + "b" * 500)
    assert "old end" in shown
    assert "new end" in shown
    assert len(shown) < 400


def test_nothing_is_hidden_in_what_is_shown() -> None:
    """Control characters, reversed writing and line ends of an answer are spelled out."""
    shown = difference("plain", "a\u202eb\x1b[2J\nc\u200b")
    assert shown == '"plain" -> "a\\u202eb\\u001b[2J\\nc\\u200b"'
