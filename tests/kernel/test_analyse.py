"""Analysers and their fixes on many small files at once: what is found, what comes out, what is left alone."""

import asyncio
from collections.abc import Mapping

import pytest

from selfedit.authors.analyse import CodeReport, Improvement, analyse
from selfedit.authors.express import as_edits
from selfedit.authors.maintain import RANKS
from selfedit.editing.codemod import Applied, apply_edits
from tests.fakes.local_sandbox import LocalSandbox

SETTINGS = '[project]\nrequires-python = ">=3.11"\n[tool.ruff]\nline-length = 110\n'

MENDED = {
    "dead code takes its import and its comment along": (
        "spare_json",
        'import json\nimport re\n\nKEPT1 = re.compile("a")\n\n\n# An old one.\ndef spare_json() -> str:\n    """Old."""\n    return json.dumps(1)\n\n\nprint(KEPT1)\n',
        'import re\n\nKEPT1 = re.compile("a")\n\n\nprint(KEPT1)\n',
    ),
    "a dead constant takes one gap along": (
        "SPARE1",
        "KEPT2 = 1\n\nSPARE1 = 2\n\nprint(KEPT2)\n",
        "KEPT2 = 1\n\nprint(KEPT2)\n",
    ),
    "a dead constant takes its docstring along": (
        "SPARE2",
        'KEPT3 = 1\n"""One."""\nSPARE2 = 2\n"""Two."""\nKEPT4 = 3\n\nprint(KEPT3, KEPT4)\n',
        'KEPT3 = 1\n"""One."""\nKEPT4 = 3\n\nprint(KEPT3, KEPT4)\n',
    ),
    "a comment that speaks for others, too, stays": (
        "SPARE3",
        "# Both.\nSPARE3 = 2\nKEPT5 = 3\n\nprint(KEPT5)\n",
        "# Both.\nKEPT5 = 3\n\nprint(KEPT5)\n",
    ),
    "a new import stands where the import sorter wants it": (
        "tried",
        'import json\n\n\ndef tried() -> None:\n    """Try."""\n    try:\n        print(json)\n    except ValueError:\n        pass\n\n\ntried()\n',
        'import contextlib\nimport json\n\n\ndef tried() -> None:\n    """Try."""\n    with contextlib.suppress(ValueError):\n        print(json)\n\n\ntried()\n',
    ),
    "a redundant cast goes, and its import with it": (
        "recast",
        'from typing import TypeVar, cast\n\nT = TypeVar("T")\n\n\ndef recast(text: str, other: T) -> T:\n    """Cast."""\n    print(cast(str, text))\n    return other\n\n\nrecast("", 1)\n',
        'from typing import TypeVar\n\nT = TypeVar("T")\n\n\ndef recast(text: str, other: T) -> T:\n    """Cast."""\n    print(text)\n    return other\n\n\nrecast("", 1)\n',
    ),
    "an ignore of no use goes where all types are known": (
        "ignoring",
        'def ignoring() -> None:\n    """Ignore."""\n    print(1)  # type: ignore[call-arg]\n\n\nignoring()\n',
        'def ignoring() -> None:\n    """Ignore."""\n    print(1)\n\n\nignoring()\n',
    ),
    "letters of several bytes do not move a fix": (
        "lettered",
        'def lettered(word: str) -> None:\n    """Letters."""\n    print("ä😀", True if word == "é😀" else False, "ü")\n\n\nlettered("")\n',
        'def lettered(word: str) -> None:\n    """Letters."""\n    print("ä😀", word == "é😀", "ü")\n\n\nlettered("")\n',
    ),
    "carriage returns stay": (
        "returned",
        'def returned(word: str) -> int:\r\n    """Return."""\r\n    number = len(word)\r\n    return number\r\n\r\n\r\nreturned("")\r\n',
        'def returned(word: str) -> int:\r\n    """Return."""\r\n    return len(word)\r\n\r\n\r\nreturned("")\r\n',
    ),
    "several findings in one place are one improvement": (
        "joined",
        'def joined(words: list[str]) -> list[str]:\n    """Join."""\n    found = []\n    for word in words:\n        if word == "a" or word == "b":\n            found.append(word)\n    return found\n\n\njoined([])\n',
        'def joined(words: list[str]) -> list[str]:\n    """Join."""\n    return [word for word in words if word in {"a", "b"}]\n\n\njoined([])\n',
    ),
}
"""By what it shows: the unit, the file before, and after its improvement was applied as typed edits."""

LEFT_ALONE = {
    "a fix that would lose a comment": 'def told() -> dict[str, int]:\n    """Tell."""\n    return dict(\n        [  # what old clients ask for\n            ("a", 1),\n        ]\n    )\n\n\ntold()\n',
    "an ignore where types are unknown": 'from bot.feature import Turn\n\n\ndef unsure() -> None:\n    """Ignore."""\n    print(Turn)  # type: ignore[call-arg]\n\n\nunsure()\n',
    "a method that nothing names": 'class Kept:\n    """Keep."""\n\n    def spare_method(self) -> int:\n        """Spare."""\n        return 1\n\n\nprint(Kept())\n',
    "what a decorator may register": 'from bot.feature import mark\n\n\n@mark\ndef spare_marked() -> int:\n    """Spare."""\n    return 1\n',
    "what the kernel calls": 'def setup(registry: object) -> None:\n    """Start."""\n    print(registry)\n',
    "what a test names": 'def spare_tested() -> int:\n    """Spare."""\n    return 1\n',
    "what a prompt names": 'def spare_prompted() -> int:\n    """Spare."""\n    return 1\n',
    "what a text in other code names": 'def spare_quoted() -> int:\n    """Spare."""\n    return 1\n',
    "an import that others may take from a package": "import json\n",
}


def _path(index: int, what: str, folder: str) -> str:
    return f"bot/live/{folder}{index}/{'__init__' if 'package' in what else 'feature'}.py"


PATHS = {what: _path(at, what, "m") for at, what in enumerate(MENDED)}
ALONE = {what: _path(at, what, "k") for at, what in enumerate(LEFT_ALONE)}
TESTS = 'def test_it() -> list[int]:\n    """Named: spare_tested."""\n    found = []\n    for one in [1]:\n        found.append(one * 2)\n    return found\n'
PAIR = '"""A."""\n\n\nclass Box:\n    """A box."""\n\n    @property\n    def size(self) -> int:\n        """Its size."""\n        return 1\n\n    @size.setter\n    def size(self, value: int) -> None:\n        if value == 1 or value == 2:\n            print(value)\n\n\nprint(Box().size)\n'
FILES = {
    **{PATHS[what]: f'"""A."""\n\n{before}' for what, (_, before, _) in MENDED.items()},
    **{ALONE[what]: f'"""A."""\n\n{before}' for what, before in LEFT_ALONE.items()},
    PATHS["carriage returns stay"]: f'"""A."""\r\n\r\n\r\n{MENDED["carriage returns stay"][1]}',
    "tests/live/test_a.py": TESTS,
    "agent/live/prompts/a.md": "Say `spare_prompted`.\n",
    "bot/live/other.py": 'print("spare_quoted")\n',
    "bot/live/pair.py": PAIR,
}
FILES = {
    path: text.replace('"""A."""\n\ndef ', '"""A."""\n\n\ndef ').replace(
        '"""A."""\n\nclass ', '"""A."""\n\n\nclass '
    )
    for path, text in FILES.items()
}


@pytest.fixture(scope="module")
def report() -> CodeReport:
    """One look at all files."""
    return asyncio.run(analyse(FILES, LocalSandbox(), pyproject=SETTINGS, ranks=RANKS))


def improved(report: CodeReport, path: str, unit: str) -> Improvement:
    return next(one for one in report.improvements if (one.path, one.unit) == (path, unit))


def applied(files: Mapping[str, str], one: Improvement) -> str:
    edits = as_edits(files, one.path, one.text)
    assert edits is not None
    outcome = apply_edits(files, edits)
    assert isinstance(outcome, Applied)
    return outcome.files[one.path]


@pytest.mark.parametrize("what", MENDED)
def test_what_is_mended_comes_out_as_a_person_would_write_it(report: CodeReport, what: str) -> None:
    """The edits of an improvement make exactly the wanted text: formatted, imports in order, nothing else touched."""
    unit, before, after = MENDED[what]
    path = PATHS[what]
    expected = FILES[path].replace(before, after)
    assert expected != FILES[path]
    assert applied(FILES, improved(report, path, unit)) == expected


@pytest.mark.parametrize("what", LEFT_ALONE)
def test_what_could_be_wrong_to_change_is_left_alone(report: CodeReport, what: str) -> None:
    """Where a fix could take away more than it gives, there is no improvement."""
    assert [one.unit for one in report.improvements if one.path == ALONE[what]] == []


def test_what_nothing_names_is_told_even_where_it_is_not_mended(report: CodeReport) -> None:
    """The report speaks of dead methods and of what is decorated, for people to judge."""
    named = {f.message.split("`")[1] for f in report.dead if f.path in ALONE.values()}
    assert named == {"Kept.spare_method", "spare_marked", "json"}


def test_tests_are_read_and_never_changed(report: CodeReport) -> None:
    """A proposal may only add tests, so they bring findings and no improvement."""
    assert [f.rule for f in report.findings if f.path.startswith("tests/")] == ["PERF401"]
    assert not [one for one in report.improvements if one.path.startswith("tests/")]


def test_of_a_class_only_the_method_that_changes_is_edited(report: CodeReport) -> None:
    """A method is replaced by itself, also one of several with the same name."""
    one = improved(report, "bot/live/pair.py", "Box.size")
    edits = as_edits(FILES, one.path, one.text) or ()
    assert [(edit.op, getattr(edit, "target", "")) for edit in edits] == [("replace_function", "Box.size#2")]


def test_functions_come_with_complexity_and_whether_a_test_names_them(report: CodeReport) -> None:
    """McCabe's number counts the ways through; a name in any live test counts as tested."""
    known = {f.name: (f.complexity, f.tested) for f in report.functions}
    assert known["joined"] == (3, False)
    assert known["spare_tested"] == (1, True)
    assert known["Kept.spare_method"] == (1, False)
    assert report.hot_spots[0].name == "joined"
    assert "spare_tested" not in {f.name for f in report.untested}


def test_the_report_counts_by_rule_and_had_no_fault(report: CodeReport) -> None:
    """Each rule's findings are counted, the most frequent first, and every analyser was there."""
    assert report.faults == ()
    assert sum(report.by_rule.values()) == len(report.findings)
    counts = list(report.by_rule.values())
    assert counts == sorted(counts, reverse=True)
    assert report.by_rule["redundant-cast"] == 1


def test_two_looks_say_the_same_and_the_line_length_is_guessed(report: CodeReport) -> None:
    """The report does not depend on chance, nor, for code written in one width, on being told that width."""
    wide = f'WIDE = ["{"a" * 40}", "{"b" * 45}"]\nprint(WIDE)\n'
    files = {**FILES, "bot/live/wide.py": wide}
    told, guessed = (
        asyncio.run(analyse(files, LocalSandbox(), pyproject=settings, ranks=RANKS))
        for settings in (SETTINGS, "")
    )
    assert told == guessed
    assert told.improvements == report.improvements


@pytest.mark.parametrize(
    "new",
    [
        "VALUE = 2\n\n\ndef f() -> int:\n    return 1\n\n\nprint(f(), VALUE)\nprint(2)\n",
        "VALUE = 2\n\n\ndef g() -> int:\n    return 1\n\n\nprint(g(), VALUE)\n",
        "VALUE = (\n",
    ],
)
def test_a_text_that_edits_cannot_say_has_no_edits(new: str) -> None:
    """Changes outside of definitions, new definitions and broken syntax are refused, not half expressed."""
    old = "VALUE = 1\n\n\ndef f() -> int:\n    return 1\n\n\nprint(f(), VALUE)\n"
    assert as_edits({"bot/live/a.py": old}, "bot/live/a.py", new) is None
