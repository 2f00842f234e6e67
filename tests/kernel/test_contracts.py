"""Contracts are asked of a process that shares nothing with what compares; what comes back is read strictly."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfedit.gate.contracts import YEAR, argv, contracts_check, line, wanted
from selfedit.gate.evidence import Step
from selfedit.gate.inside.contract import Draw
from selfedit.gate.inside.contracts import keep_together
from tests.fakes.contracts import CONTRACTS, HONEST, SUMS, after, judge, rules, run


@pytest.mark.parametrize(
    "source",
    [
        HONEST,
        "async def add(one, other):\n    return one + other\n",
        "import time\n\ndef add(one, other):\n    time.time()\n    print('hello')\n    return one + other\n",
    ],
    ids=["plain", "a coroutine", "reads the clock and prints"],
)
def test_honest_code_passes(tmp_path: Path, source: str) -> None:
    """Code that does what was promised passes under every clock, whatever it prints."""
    check = judge(tmp_path, {SUMS: source})
    assert (check.passed, check.findings) == (True, ())


def test_who_asks_and_who_answers_share_a_processor() -> None:
    """They work in turns, so that none of them waits for a processor to be woken."""
    mine = os.sched_getaffinity(0)
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            keep_together([os.getpid(), other.pid])
            assert os.sched_getaffinity(0) == os.sched_getaffinity(other.pid)
            assert len(os.sched_getaffinity(0)) == 1
        finally:
            os.sched_setaffinity(0, mine)
            other.kill()


def test_a_stable_answer_may_not_change(tmp_path: Path) -> None:
    """What is called stable is answered in the very same way each time, even where every answer is allowed."""
    contract = """
        from selfedit.gate.inside.contract import stable

        @stable
        def contract_a_word(call, draw):
            assert call("app.sums:add", "a", "b").startswith("ab")
    """
    counts = "import itertools\ncount = itertools.count()\ndef add(one, other):\n    return f'{one}{other}{next(count) // 100}'\n"
    check = judge(tmp_path, {SUMS: counts, "tests/contracts/sums.py": contract}, shifts=[0])
    assert rules(check) == {"contract"}
    assert "answered otherwise" in check.findings[0].message
    assert re.search(r"app\.sums:add\('a', 'b'\) -> 'ab\d'", check.findings[0].message)


@pytest.mark.parametrize(
    ("late", "said"),
    [
        ("raise ValueError('tired')", r"raised 'ValueError: tired'"),
        ("__import__('os')._exit(0)", "exit code 0"),
    ],
    ids=["raises", "ends"],
)
def test_what_becomes_of_calls_in_a_row_is_told(tmp_path: Path, late: str, said: str) -> None:
    """Code that gives up only after many calls is found out, though they are not waited for one by one."""
    tires = (
        "import itertools\ncount = itertools.count()\n"
        f"def add(one, other):\n    if next(count) > 200:\n        {late}\n    return one + other\n"
    )
    check = judge(tmp_path, {SUMS: tires}, shifts=[0])
    assert not check.passed
    assert re.search(said, check.findings[0].message)
    assert "app.sums:add(" in check.findings[0].message


def test_what_is_not_called_stable_is_not_asked_hundreds_of_times(tmp_path: Path) -> None:
    """Only the calls in a row find out what counts further than the other calls go."""
    unstable = {path: text.replace("@stable", "") for path, text in CONTRACTS.items()}
    assert judge(
        tmp_path,
        {SUMS: after("next(count) > 200", "import itertools\ncount = itertools.count()"), **unstable},
        shifts=[0],
    ).passed


BOMB = time.time() + 200 * 86_400
DAY = time.strftime("%Y-%m-%d", time.gmtime(BOMB))
CLOCKS = {
    "time.time": (f"time.time() > {BOMB}", "import time"),
    "time, by name": (f"time() > {BOMB}", "from time import time"),
    "time_ns": (f"time_ns() > {BOMB}e9", "from time import time_ns"),
    "clock_gettime": (f"clock_gettime(CLOCK_REALTIME) > {BOMB}", "from time import *"),
    "gmtime": (f"strftime('%Y-%m-%d', gmtime()) > '{DAY}'", "from time import gmtime, strftime"),
    "strftime": (f"strftime('%Y-%m-%d') > '{DAY}'", "from time import strftime"),
    "datetime.now": (f"str(datetime.now()) > '{DAY}'", "from datetime import datetime"),
    "datetime.now in a zone": (f"str(datetime.now(timezone.utc)) > '{DAY}'", "from datetime import *"),
    "datetime.utcnow": (f"str(datetime.datetime.utcnow()) > '{DAY}'", "import datetime"),
    "a class of its own": (f"str(D.today()) > '{DAY}'", "import datetime\nclass D(datetime.datetime): pass"),
    "date.today": (f"str(date.today()) > '{DAY}'", "from datetime import date"),
    "the date of a mail": (
        "parsedate_to_datetime(formatdate()).timestamp() > " + str(BOMB),
        "from email.utils import *",
    ),
}


def test_a_bomb_of_a_date_goes_off_in_here(tmp_path: Path) -> None:
    """What is right until next year passes under today's clock, and fails under next year's, whatever it asks for the time."""
    tree: dict[str, str] = {}
    for number, clock in enumerate(CLOCKS.values()):
        contract = CONTRACTS["tests/contracts/sums.py"].replace("two_numbers", f"{number}_and_more")
        tree[f"tests/contracts/sums_{number}.py"] = contract.replace("app.sums", f"app.sums_{number}")
        tree[f"app/sums_{number}.py"] = after(*clock)
    check = judge(tmp_path, {SUMS: HONEST, **tree}, shifts=[0, YEAR], runs=5)
    assert rules(check) == {"contract_clock"}
    went_off = {int(finding.path.removesuffix(".py").rpartition("_")[2]) for finding in check.findings}
    assert [name for number, name in enumerate(CLOCKS) if number not in went_off] == []
    assert all(f"@{YEAR} shows it again" in finding.message for finding in check.findings)


def test_a_far_bomb_needs_a_far_clock(tmp_path: Path) -> None:
    """Five years from now are within reach of the last clock that is tried where nobody says which."""
    check = judge(tmp_path, {SUMS: after(f"time.time() > {BOMB + 5 * YEAR}", "import time")}, runs=5)
    assert rules(check) == {"contract_clock"}
    assert re.search(r"with the clock at \d{4}-\d\d-\d\d", check.findings[0].message)


def test_nothing_under_test_is_in_the_judge(tmp_path: Path) -> None:
    """A contract cannot import what it speaks of: the tree is not where its process looks for modules."""
    contract = "import app.sums\n\ndef contract_it(call, draw):\n    assert app.sums.add(1, 1) == 2\n"
    check = judge(tmp_path, {SUMS: HONEST, "tests/contracts/near.py": contract})
    assert "ModuleNotFoundError" in check.findings[0].message


def test_a_finding_can_be_had_again_by_its_seed(tmp_path: Path) -> None:
    """The seed that a finding names draws the same values again; without it they are others each time."""
    tree = {SUMS: "def add(one, other):\n    return one + other + (one % 2 == 1)\n"}
    first = judge(tmp_path, tree, shifts=[0]).findings[0].message
    seed = first.partition("seed ")[2].split()[0]
    assert judge(tmp_path, tree, seed, shifts=[0]).findings[0].message == first
    assert judge(tmp_path, tree, shifts=[0]).findings[0].message != first


def test_a_finding_shows_call_answer_and_place(tmp_path: Path) -> None:
    """Whoever has to mend it is shown the property, the line, what was asked and what was answered."""
    found = judge(tmp_path, {SUMS: "def add(one, other):\n    return 'much'\n"}, shifts=[0]).findings[0]
    assert (found.path, found.line) == ("tests/contracts/sums.py", 8)
    for part in ("A sum is what", "`assert call(", "app.sums:add(", "-> 'much'"):
        assert part in found.message


@pytest.mark.parametrize(
    "body", ["raise KeyError(one)", "raise Odd(one)"], ids=["plain", "with a text that fails"]
)
def test_an_exception_can_be_what_is_promised(tmp_path: Path, body: str) -> None:
    """A contract may ask for an exception, and gets its kind and text, whatever the exception itself does."""
    contract = """
        def contract_it_raises(call, draw):
            raised = call.raises("app.sums:add", draw.word(), 1)
            assert raised and raised.kind in ("KeyError", "Odd")
            assert call.raises("app.sums:fine", draw.text()) is None
    """
    odd = "class Odd(Exception):\n    def __str__(self): return 1 / 0\n\ndef fine(text):\n    return text\n"
    source = f"{odd}\ndef add(one, other):\n    {body}\n"
    assert judge(tmp_path, {SUMS: source, "tests/contracts/sums.py": contract}, shifts=[0]).passed


def test_answers_come_as_plain_values(tmp_path: Path) -> None:
    """Tuples, sets and dataclasses come as what JSON can say; what cannot be said is an error, not an answer."""
    contract = """
        def contract_values(call, draw):
            assert call("app.sums:several") == [[1, 2], [3], {"name": "Ann"}, None, 0.5, "\\ud800"]
            assert call.raises("app.sums:odd").kind == "TypeError"
    """
    source = """
        from dataclasses import dataclass

        @dataclass
        class Person:
            name: str

        def several():
            return (1, 2), {3}, Person("Ann"), None, 0.5, "\\ud800"

        def odd():
            return object()
    """
    check = judge(tmp_path, {SUMS: source, "tests/contracts/sums.py": contract}, shifts=[0])
    assert (check.passed, check.findings) == (True, ())


@given(st.text(), st.integers(-50, 50), st.integers(0, 50), st.integers(0, 80))
def test_what_is_drawn_is_within_its_bounds_and_comes_again(
    stream: str, low: int, more: int, longest: int
) -> None:
    """Each kind of value keeps to its bounds, texts can be printed and sent, and a stream gives the same values again."""
    high = low + more
    draw, same = Draw(stream, more), Draw(stream, more)
    for each in (draw, same):
        assert low <= each.integer(low, high) <= high
        assert low <= each.number(low, high) <= high
        assert all(0 <= chance < 1 for chance in each.chances(5))
        assert 2 <= len(each.word(2, 9)) <= 9
        assert len(set(each.some("abcdef", 2, 4))) in (2, 3, 4)
        assert each.in_turn("abc") == "abc"[more % 3]
        text = each.text(longest, ["km"])
        assert len(text.encode()) >= len(text) <= longest
        assert text.isprintable()
    assert draw.drawn == same.drawn


def test_no_contract_is_no_pass(tmp_path: Path) -> None:
    """A tree whose files hold no contract is red, and so is a wish for one that is not there."""
    assert not judge(tmp_path, {SUMS: HONEST, "tests/contracts/sums.py": "x = 1\n"}).passed
    assert not run(argv(sys.executable, str(tmp_path)), line(only=["contract_of_nothing"])).passed


GOOD = {"contracts": 1, "calls": 9, "shifts": [0], "seed": "a", "seconds": 0.1, "findings": []}
BAD = {**GOOD, "findings": [{"rule": "contract", "path": "", "line": None, "message": "no"}]}


@pytest.mark.parametrize(
    ("out", "code", "rule"),
    [
        ("", 0, "no_report"),
        ("fine\n", 0, "no_report"),
        (json.dumps({"findings": []}), 0, "no_report"),
        (json.dumps({**GOOD, "more": 1}), 0, "no_report"),
        (json.dumps({**GOOD, "calls": 0}), 0, "no_report"),
        (json.dumps(GOOD), 1, "exit_mismatch"),
        (json.dumps(GOOD), None, "exit_mismatch"),
        (json.dumps(BAD), 0, "exit_mismatch"),
        (json.dumps(BAD), 1, "contract"),
    ],
)
def test_only_a_whole_report_that_fits_the_exit_code_counts(out: str, code: int | None, rule: str) -> None:
    """A report that is missing, of another shape or at odds with the exit code is a finding."""
    step = Step(exit=code, timed_out=False, seconds=1, out=out, err="", dropped=False)
    assert rules(contracts_check(step)) == {rule}
    assert contracts_check(step.model_copy(update={"out": json.dumps(GOOD), "exit": 0})).passed


def test_what_takes_too_long_or_says_too_much_is_no_pass() -> None:
    """A judge that was ended, or whose words were cut, has not said that all is well."""
    good = Step(exit=0, timed_out=False, seconds=1, out=json.dumps(GOOD), err="", dropped=False)
    for what in ("timed_out", "dropped"):
        assert not contracts_check(good.model_copy(update={what: True})).passed


def test_a_repository_without_contracts_is_left_alone() -> None:
    """Only files that hold contracts ask for the check."""
    assert wanted(["tests/contracts/roll.py"])
    assert not wanted(["tests/contracts/subject.py", "tests/contracts/notes.md", "tests/live/test_roll.py"])
