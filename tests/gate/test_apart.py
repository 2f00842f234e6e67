"""What is made of main's tests and of a proposal's own, when they ran apart from each other."""

import pytest

from policies.decision import Severity
from selfedit.gate.apart import apart
from selfedit.gate.assemble import Assembly, Settings
from selfedit.gate.dealing import LARGEST_POOL, Lasted, deal
from selfedit.gate.evidence import Told
from selfedit.gate.manifest import judge_apart
from selfedit.types import Check

OLD, NEW = "tests/live/test_old.py", "tests/live/test_new.py"
SETTINGS = Settings(
    ruff="",
    mypy="",
    imports="",
    pytest="pyproject.toml",
    types_on=(),
    tests=("tests",),
    path=(".",),
    plain_names=True,
)


def assembled(**files: bytes) -> Assembly:
    """Files of tests by their bare names, beside one of live code."""
    paths = {f"tests/live/{name.replace('__', '.')}": data for name, data in files.items()}
    return Assembly({"app/live/x.py": b"", **paths}, SETTINGS, "")


def test_tests_are_dealt_out_by_how_long_they_took() -> None:
    """Where one file took as long as all others together, it is dealt alone, however short it is; unknown ones by their text."""
    files = {f"test_{name}__py": b"x" * 100 for name in "bcd"} | {"test_a__py": b"x"}
    tests = assembled(**files)
    lasted = {f"tests/live/test_{name}.py": Lasted(9.0 if name == "a" else 1.0) for name in "abc"}
    (first, second), pool = deal(tests, 2, ["tests"], lasted)
    assert first == ["tests/live/test_a.py"]
    assert len(second) + len(pool) == 3
    emptied = assembled(test_a__py=b"", test_new__py=b"x")
    shares, pool = deal(emptied, 2, ["tests"], lasted)
    assert (sorted(shares), pool) == ([["tests/live/test_a.py"], ["tests/live/test_new.py"]], [])


def test_tests_that_wait_come_first() -> None:
    """A file that has nothing to do for a good part of its time begins a share, and is not left for the end."""
    tests = assembled(**{f"test_{name}__py": b"x" * 100 for name in "abcdefgh"})
    lasted = {path: Lasted(1.0) for path in tests.files} | {"tests/live/test_g.py": Lasted(0.5, 0.4)}
    shares, _ = deal(tests, 2, ["tests"], lasted)
    assert [share[0] for share in shares if "tests/live/test_g.py" in share] == ["tests/live/test_g.py"]
    brief = lasted | {"tests/live/test_g.py": Lasted(0.04, 0.04)}
    assert "tests/live/test_g.py" in deal(tests, 2, ["tests"], brief)[1]


@pytest.mark.parametrize("many", [3, 20, 108])
def test_every_file_of_tests_is_dealt_once_and_the_shortest_are_for_whoever_is_done(many: int) -> None:
    """Each file is in one share or in the pool, and none of the pool takes longer than one in a share."""
    tests = assembled(**{f"test_{number}__py": b"x" * 10 * (number + 1) for number in range(many)})
    shares, pool = deal(tests, 2, ["tests"])
    dealt = [path for share in shares for path in share]
    assert sorted([*dealt, *pool]) == sorted(path for path in tests.files if "test_" in path)
    assert len(pool) <= LARGEST_POOL
    assert pool or many == 3
    lengths = [len(tests.files[path]) for path in pool]
    assert lengths == sorted(lengths, reverse=True)
    assert max(lengths, default=0) < min(len(tests.files[path]) for path in dealt)


def told(broken: str = "", **outcomes: str) -> Told:
    """What a witness tells of tests: `old_a` stands for the test `a` in the old file."""
    events: list[dict[str, object]] = [{"broken": broken, "why": "E   no"}] if broken else []
    for name, outcome in outcomes.items():
        kind, _, test = name.partition("_")
        events.append({"id": f"tests/live/test_{kind}.py::{test}", "outcome": outcome, "why": "E   no"})
    return Told.model_validate(
        {
            "exit": 1,
            "timed_out": False,
            "seconds": 1.0,
            "out": "",
            "err": "",
            "dropped": False,
            "told": events,
            "sentinel": ["failed"],
            "garbled": False,
        }
    )


def judged(mains: Told, own: Told, *, rewritten: frozenset[str] = frozenset()) -> Check:
    """The check, where main has two tests in its one file."""
    expected = (f"{OLD}::a", f"{OLD}::b")
    return judge_apart(
        mains,
        own,
        expected=expected,
        rewritten=rewritten,
        own_expected=expected if rewritten else (),
    )


def test_a_change_without_tests_is_not_split() -> None:
    """Where no file of tests differs, nothing runs twice."""
    live = Assembly({"app/live/x.py": b"1", f"{OLD}": b"a"}, SETTINGS, "")
    base = Assembly({"app/live/x.py": b"0", f"{OLD}": b"a"}, SETTINGS, "")
    assert apart(live, base, ("tests/live/",)) is None


def test_main_keeps_its_files_of_tests() -> None:
    """What a proposal adds is not there, what it rewrites or takes away is as it was; its own are run by name."""
    head = assembled(test_old__py=b"weaker", test_new__py=b"new", words__json=b"1")
    base = assembled(test_old__py=b"old", test_gone__py=b"gone", words__json=b"1")
    both = apart(head, base, ("tests/live/",))
    assert both is not None
    assert dict(both.mains.files) == dict(base.files)
    assert both.own == (NEW, OLD)
    assert both.rewritten == {OLD, "tests/live/test_gone.py"}


def test_a_file_that_tests_may_read_concerns_them_all() -> None:
    """Where a helper or a file of data differs, every test of the proposal runs beside main's."""
    both = apart(assembled(words__json=b"2"), assembled(words__json=b"1"), ("tests/live/",))
    assert both is not None
    assert both.own == ("tests/live",)


def test_a_test_of_main_that_fails_stops_the_change() -> None:
    """However well the proposal's own tests do."""
    check = judged(told(old_a="passed", old_b="failed"), told(new_c="passed"))
    assert [(finding.rule, finding.severity) for finding in check.findings] == [
        ("test_failed", Severity.REFUSE)
    ]
    assert not check.passed


def test_a_rewritten_test_that_fails_on_main_is_for_a_person() -> None:
    """The change passes, and says which of main's tests it does not fulfil any more."""
    mains, own = told(old_a="passed", old_b="failed"), told(old_a="passed", old_b="passed", new_c="passed")
    check = judged(mains, own, rewritten=frozenset({OLD}))
    assert [(finding.rule, finding.severity) for finding in check.findings] == [
        ("main_test_fails", Severity.REVIEW)
    ]
    assert check.passed
    assert check.summary == "3 passed, 1 of them new, 1 of main's own to look at"


def test_a_test_that_the_proposal_takes_away_is_missed() -> None:
    """It passes among main's and is not among the proposal's."""
    check = judged(told(old_a="passed", old_b="passed"), told(old_a="passed"), rewritten=frozenset({OLD}))
    assert [finding.rule for finding in check.findings] == ["manifest_missing"]
    assert not check.passed


def test_a_file_that_does_not_load_hides_no_other() -> None:
    """A rewritten file whose old version cannot be loaded is to be looked at; a test missing elsewhere still counts."""
    check = judged(
        told("tests/live/test_other.py"),
        told(new_c="passed"),
        rewritten=frozenset({"tests/live/test_other.py"}),
    )
    assert {finding.rule for finding in check.findings} == {"main_test_fails", "manifest_missing"}
    assert not check.passed
