"""Whether a change is tested: its new tests can fail, its lines run, and faults in them are noticed."""

import json
from pathlib import Path

import pytest

from policies.decision import Severity
from policies.load import load_rules
from selfedit.gate.change import Wish, change_check
from selfedit.gate.changed import felt_in
from selfedit.gate.evidence import Step
from selfedit.types import Check
from tests.fakes.small_repo import FILES, GREET, GREET_TEST, text
from tests.fakes.trying import SETTINGS, SMALL, tried, wished

ROOT = Path(__file__).parents[2]
COUNT = "app/live/count.py"
COUNT_TEST = "tests/live/test_count.py"
COUNTING = '''
    """Counts."""

    MOST = 3


    def count(number: int) -> str:
        """Whether there are too many."""
        if number > MOST:
            return "too many"
        return "fine"
'''
COUNTING_TESTS = """
    from app.live.count import count


    def test_three_are_fine() -> None:
        assert count(3) == "fine"


    def test_four_are_too_many() -> None:
        assert count(4) == "too many"
"""


def data(source: str) -> bytes:
    return text(source).encode()


def judged(
    folder: Path,
    changes: dict[str, str | None],
    base: dict[str, bytes] = SMALL,
    *,
    seconds: float = 60.0,
    untested: Severity = Severity.NOTE,
) -> Check:
    asked, files = wished(changes, base, seconds=seconds)
    assert asked is not None
    return change_check(tried(folder, asked, files, base, ["app.core"]), asked, untested)


def of(check: Check, rule: str) -> list[tuple[str, int | None]]:
    return [(finding.path, finding.line) for finding in check.findings if finding.rule == rule]


def test_a_change_that_is_tested_has_nothing_to_be_told_of(tmp_path: Path) -> None:
    """Tests that fail without the change, run each line and notice each fault leave nothing open."""
    check = judged(tmp_path, {COUNT: COUNTING, COUNT_TEST: COUNTING_TESTS})
    assert check.passed
    assert check.findings == ()
    assert check.summary == "7 of 7 faults noticed, the new tests can fail"


def test_what_no_test_runs_is_told_with_its_lines(tmp_path: Path) -> None:
    """Lines that run in no test are named, a run of them once, as heavily as the rules want it."""
    source = (
        FILES[GREET].rstrip()
        + '\n\n\n        def part() -> str:\n            a = 1\n\n            b = 2\n            return f"{a}{b}"\n'
    )
    check = judged(tmp_path, {GREET: source}, untested=Severity.REVIEW)
    assert check.passed
    assert of(check, "change_not_covered") == [(GREET, 12)]
    assert [finding.severity for finding in check.findings] == [Severity.REVIEW]
    assert "lines 12 to 15" in check.findings[0].message


def test_a_fault_that_nobody_notices_is_shown(tmp_path: Path) -> None:
    """What survives is told with its line and the difference."""
    tests = COUNTING_TESTS.replace("count(3)", "count(1)").replace("count(4)", "count(9)")
    check = judged(tmp_path, {COUNT: COUNTING, COUNT_TEST: tests})
    assert check.passed
    assert of(check, "mutant_survived") == [(COUNT, 3), (COUNT, 8)]
    assert "`- if number > MOST:` / `+ if number >= MOST:`" in check.findings[1].message


def test_untested_code_can_be_refused(tmp_path: Path) -> None:
    """Where the rules say so, a fault that nobody notices refuses."""
    tests = COUNTING_TESTS.replace("count(3)", "count(1)").replace("count(4)", "count(9)")
    check = judged(tmp_path, {COUNT: COUNTING, COUNT_TEST: tests}, untested=Severity.REFUSE)
    assert not check.passed


@pytest.mark.parametrize(
    "body",
    [
        'with mock.patch.object(count, "count", return_value="fine"):\n        assert count.count(2) == "fine"',
        "assert count.count(1) in (None, 'fine', 'too many', '')",
        "assert count.__name__.endswith('count')",
    ],
    ids=["mocks what it tests", "demands next to nothing", "never calls it"],
)
def test_new_tests_that_cannot_fail_are_refused(tmp_path: Path, body: str) -> None:
    """A file of new tests that pass without the change and notice no fault says nothing."""
    base = {**SMALL, COUNT: data(COUNTING.replace("too many", "many"))}
    tests = f"from unittest import mock\n\nfrom app.live import count\n\n\ndef test_it() -> None:\n    assert mock\n    {body}\n"
    check = judged(tmp_path, {COUNT: COUNTING, COUNT_TEST: tests}, base)
    assert not check.passed
    assert of(check, "new_test_must_fail_on_base") == [(COUNT_TEST, None)]
    assert check.summary.startswith("the new tests in")


def test_new_tests_of_old_code_are_welcome(tmp_path: Path) -> None:
    """A test of code that is as it was passes on main, and counts if it notices a fault there."""
    base = {**SMALL, COUNT: data(COUNTING)}
    check = judged(tmp_path, {COUNT_TEST: COUNTING_TESTS}, base)
    assert check.passed
    assert check.findings == ()


def test_old_tests_in_a_file_that_grew_are_not_asked(tmp_path: Path) -> None:
    """Only the tests that main does not have need to fail there."""
    tests = (
        FILES[GREET_TEST].rstrip()
        + '\n\n\n        def test_it_asks() -> None:\n            assert greet("ann").endswith("?")\n'
    )
    check = judged(tmp_path, {GREET: FILES[GREET].replace("!", "?"), GREET_TEST: tests})
    assert check.passed
    assert "the new tests can fail" in check.summary


def test_code_that_is_gone_is_missed_when_put_back(tmp_path: Path) -> None:
    """A change that takes lines away is tested by whoever notices that they are there again."""
    before = COUNTING.replace(
        '    return "fine"', '    if number == 2:\n            return "two"\n        return "fine"'
    )
    base = {**SMALL, COUNT: data(before), COUNT_TEST: data(COUNTING_TESTS)}
    unnoticed = judged(tmp_path / "one", {COUNT: COUNTING}, base)
    assert of(unnoticed, "mutant_survived") == [(COUNT, 10)]
    assert "`if number == 2:` is put back" in unnoticed.findings[0].message
    more = COUNTING_TESTS + '\n\n    def test_two_are_fine() -> None:\n        assert count(2) == "fine"\n'
    assert judged(tmp_path / "two", {COUNT: COUNTING, COUNT_TEST: more}, base).findings == ()


def test_a_fault_that_never_ends_is_noticed(tmp_path: Path) -> None:
    """A test that hangs has noticed."""
    source = '"""Counts."""\n\n\ndef count(number: int) -> str:\n    """Down."""\n    while number:\n        number -= 1\n    return "fine"\n'
    tests = 'from app.live.count import count\n\n\ndef test_it() -> None:\n    assert count(2) == "fine"\n'
    check = judged(tmp_path, {COUNT: source, COUNT_TEST: tests})
    assert "`- number -= 1` / `+ number += 1`" not in str(check.findings)
    assert "3 of 5 faults noticed" in check.summary


@pytest.mark.parametrize(
    "end",
    ["assert not MARK.exists()", "MARK.exists() and os._exit(0)", "MARK.exists() and time.sleep(600)"],
    ids=["fails", "ends its process", "hangs"],
)
def test_a_test_that_fails_by_itself_notices_nothing(tmp_path: Path, end: str) -> None:
    """What does not come to a good end a second time without any fault is not believed to have noticed one."""
    names = "import os\n    import time\n    from pathlib import Path\n\n"
    first = f"{names}    from app.live.count import count\n\n    MARK = Path('ran')\n"
    once = f"\n\n    def test_once() -> None:\n        assert count(1) == 'fine'\n        {end}\n        MARK.touch()\n"
    check = judged(tmp_path, {COUNT: COUNTING, COUNT_TEST: f"\n    {first}{once}"})
    assert check.summary.startswith("0 of 7 faults noticed")


def test_what_there_was_no_time_for_is_told(tmp_path: Path) -> None:
    """Without time nothing is known, so nothing is refused, and a person is asked to look at new tests."""
    check = judged(tmp_path, {COUNT: COUNTING, COUNT_TEST: COUNTING_TESTS}, seconds=0.0)
    assert check.passed
    assert check.summary == "0 of 7 faults noticed, 7 not tried (time)"
    assert {finding.rule: finding.severity for finding in check.findings} == {
        "new_test_not_tried": Severity.REVIEW,
        "change_not_measured": Severity.NOTE,
    }


def test_what_main_shows_of_new_tests_waits_for_nothing(tmp_path: Path) -> None:
    """Tests that cannot even be loaded on main can fail, however long they take with the change."""
    tests = COUNTING_TESTS.replace(
        "    from app.live.count import count\n",
        "    import time\n\n    from app.live.count import count\n\n    time.sleep(60)\n",
    )
    check = judged(tmp_path, {COUNT: COUNTING, COUNT_TEST: tests}, seconds=8.0)
    assert check.passed
    assert {finding.rule for finding in check.findings} == {"change_not_measured"}
    assert check.summary.endswith("the new tests can fail")


@pytest.mark.parametrize(
    "code",
    [
        "import os; [os.write(fd, b'{\"tests\": 1}\\n') for fd in (1, 2)]; print('{}')",
        'import os; os.write(3, b\'{"last": true}\\n{"id": 1}\\n[]\\nx\\n{"collected": 3}\\n\')',
        "import os; os._exit(0)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    ],
    ids=["prints", "writes where it is told", "exits", "dies"],
)
def test_code_under_test_cannot_write_the_report(tmp_path: Path, code: str) -> None:
    """Whatever the code under test does, there is one report, of the form and about the faults that were asked for."""
    source = f'"""Counts."""\n\nfrom app.core import run\n\n\ndef count(number: int) -> str:\n    """Cheat."""\n    run("{code.encode().hex()}")\n    return "too many" if number > 3 else "fine"\n'
    asked, files = wished({COUNT: source, COUNT_TEST: COUNTING_TESTS})
    assert asked is not None
    step = tried(tmp_path, asked, files)
    assert (step.exit, len(step.out.splitlines())) == (0, 1)
    assert change_check(step, asked).summary


def test_a_judge_that_is_killed_is_no_pass(tmp_path: Path) -> None:
    """Code that ends those who run it ends the check, which then says no."""
    code = b"import os, signal; os.kill(os.getppid(), signal.SIGKILL)".hex()
    source = f'"""Counts."""\n\nfrom app.core import run\n\n\ndef count(number: int) -> str:\n    """Cheat."""\n    run("{code}")\n    return "fine"\n'
    check = judged(tmp_path, {COUNT: source, COUNT_TEST: COUNTING_TESTS})
    assert not check.passed
    assert check.findings[0].rule == "no_report"


# A live feature of this repository


def test_live_code_is_followed_under_any_file_name(tmp_path: Path) -> None:
    """Lines of a real feature count as run when a generation runs them, which is loaded from texts and no file."""
    rules = load_rules()
    kept = (
        "pyproject.toml",
        "policies/",
        "sandbox/",
        "selfedit/",
        "agent/",
        "bot/",
        "tests/__init__.py",
        "tests/fakes/",
    )
    base = {
        str(path.relative_to(ROOT)): path.read_bytes()
        for path in ROOT.rglob("*")
        if path.is_file()
        and path.suffix in (".py", ".toml", ".json")
        and str(path.relative_to(ROOT)).startswith(kept)
    }
    feature = "bot/live/roll/feature.py"
    source = base[feature].decode()
    changed = source.replace(
        "    count, sides, added = asked\n",
        '    count, sides, added = asked\n    if sides == 13:\n        return "Never thirteen."\n',
    )
    assert changed != source
    tests = """
        from pathlib import Path

        from bot.feature import Turn
        from bot.generation import build
        from tests.fakes.plans import plan

        PATH = "bot/live/roll/feature.py"


        async def rolled(text: str) -> str:
            generation = build(plan({PATH: (Path.cwd() / PATH).read_text()}))
            return await generation.respond("roll", Turn(text=text, author="console:ann", conversation="c"))


        async def test_never_thirteen() -> None:
            assert "Never" in await rolled("1d13")
            assert "Never" not in await rolled("1d12")
    """
    asked, files = wished(
        {feature: changed, "tests/live/test_never.py": tests},
        base,
        zones=rules.zones,
        tests=("tests/live",),
        pytest=(*SETTINGS, "-p", "pytest_asyncio.plugin"),
    )
    assert asked is not None
    check = change_check(tried(tmp_path, asked, files, base, ["bot.generation", "selfedit.types"]), asked)
    assert check.findings == ()
    assert "the new tests can fail" in check.summary
    assert "5 of 5 faults noticed" in check.summary


# What is to be tried


def lines(old: str, new: str) -> tuple[int, ...]:
    asked, _ = wished({COUNT: new}, {**SMALL, COUNT: data(old)})
    return () if asked is None else asked.lines.get(COUNT, ())


def test_only_code_counts_as_changed() -> None:
    """Comments, docstrings, blank lines and what is for the type checker need no test."""
    new = COUNTING.replace('"""Counts."""', '"""Counts it."""\n\n    # A note.\n').replace(
        "if number", "if  number"
    )
    assert lines(COUNTING, new) == (11,)
    typed = COUNTING.replace("MOST = 3", "MOST = 3\n    if TYPE_CHECKING:\n        from app import core\n")
    assert lines(COUNTING, typed) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"app/live/words.md": "Hello.\n"},
        {"app/core.py": '"""Other."""\n\nX = 1\n'},
        {GREET: "# A note.\n" + FILES[GREET].lstrip("\n").replace("        ", "")},
        {GREET: None},
    ],
    ids=["text", "kernel", "comment", "file gone"],
)
def test_without_changed_live_code_or_tests_nothing_is_tried(changes: dict[str, str | None]) -> None:
    """There is nothing to test in a prompt, and the kernel is not a proposal's."""
    assert wished(changes)[0] is None


def test_tests_that_speak_of_the_change_come_first() -> None:
    """Whoever imports the changed module, by whatever spelling, is likely to test it."""
    spoken = {
        "tests/live/test_a.py": b"from app.live.count import count\n",
        "tests/live/test_b.py": b"import app.live.count\n",
        "tests/live/test_c.py": b"from app.live import count\n",
        "tests/live/test_d.py": b"PATH = 'app/live/count.py'\n",
        "tests/live/test_e.py": b"from app.live.counter import count\n",
        "tests/live/help.py": b"from app.live.count import count\n",
    }
    asked, _ = wished({COUNT: COUNTING}, {**SMALL, **spoken})
    assert asked is not None
    assert asked.likely == tuple(f"tests/live/test_{letter}.py" for letter in "abcd")


# What comes back


def ended(out: str, code: int | None = 0, **more: object) -> Step:
    values = {"exit": code, "timed_out": False, "seconds": 1.0, "out": out, "err": "", "dropped": False}
    return Step.model_validate({**values, **more})


def whole(asked: Wish, **more: object) -> str:
    said = {"tests": 2, "looked": True, "complete": True, "reached": {}, "fresh": {}, "seconds": 1.0}
    return json.dumps({**said, "fates": ["killed"] * len(asked.mutants), **more})


def test_a_report_that_fits_is_believed() -> None:
    """The last line of what the program wrote is read."""
    asked, _ = wished({COUNT: COUNTING})
    assert asked is not None
    assert change_check(ended("noise\n" + whole(asked, reached={COUNT: [3, 6, 8, 9, 10]})), asked).passed


def test_lines_are_told_together_where_none_that_runs_lies_between() -> None:
    """Blanks and comments do not part a run of lines; a line that a test runs does."""
    asked, _ = wished({COUNT: COUNTING})
    assert asked is not None
    assert asked.lines == {COUNT: (3, 6, 8, 9, 10)}
    check = change_check(ended(whole(asked, reached={COUNT: [3, 9]})), asked)
    assert [finding.message.partition(" run")[0] for finding in check.findings] == ["lines 6 to 8", "line 10"]


@pytest.mark.parametrize(
    "step",
    [
        ended(""),
        ended("[]"),
        ended('{"tests": 1}'),
        ended("{}", timed_out=True, code=None),
        ended("whole", code=1),
        ended("whole", dropped=True),
        ended("fates"),
        ended("fresh"),
    ],
    ids=["nothing", "no object", "a part", "too late", "exit code", "cut", "other faults", "other tests"],
)
def test_what_does_not_fit_is_no_pass(step: Step) -> None:
    """Nothing that is missing, cut, at odds with the exit code or about something else passes."""
    asked, _ = wished({COUNT: COUNTING})
    assert asked is not None
    texts = {
        "whole": whole(asked),
        "fates": whole(asked, fates=["killed"]),
        "fresh": whole(asked, fresh={COUNT_TEST: "fails"}),
    }
    check = change_check(step.model_copy(update={"out": texts.get(step.out, step.out)}), asked)
    assert not check.passed
    assert {finding.rule for finding in check.findings} <= {"no_report", "timed_out"}


def test_a_change_is_felt_through_what_stands_on_it() -> None:
    """Tests of a feature are among those that are run soon when a helper of that feature changes; others are not."""
    files = {
        "bot/live/roll/dice.py": b"SIDES = 6\n",
        "bot/live/roll/feature.py": b"from bot.live.roll.dice import SIDES\n",
        "tests/live/test_roll.py": b"from bot.live.roll import feature\n",
        "tests/live/test_help.py": b"from bot.live.help import feature\n",
        "tests/bot/test_roll.py": b"from bot.live.roll import feature\n",
    }
    zones = load_rules().zones
    assert felt_in(["bot/live/roll/dice.py"], files, zones) == ["tests/live/test_roll.py"]
    assert felt_in(["tests/live/test_help.py"], files, zones) == ["tests/live/test_help.py"]
    assert felt_in(["agent/live/prompts/chat.md"], files, zones) == []
