"""What the policies on a change refuse, and what they must let pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.change import lines_changed
from policies.decision import Severity
from policies.edits import RULES, Change, review_changes, review_edits
from tests.fakes.changes import BASE, FEATURE, HERE, TESTS, blob, refused

HONEST = {
    "a changed answer": (FEATURE, BASE.replace("Hello", "Good day"), BASE),
    "a new feature": ("bot/live/wave/feature.py", BASE, None),
    "a deleted helper": ("bot/live/greet/words.py", None, '"""Words."""\n'),
    "a prompt": (
        "agent/live/prompts/chat.md",
        "Be kind. Use emoji: 👩‍💻 ❤️ naïve — “quoted”.\n",
        "Be kind.\n",
    ),
    "constants": (
        FEATURE,
        BASE
        + "\nWORDS = {'a': [1, 2.5, -3], 'b': (None, ...)}\nLIMIT: int = 60 * 60\nNAMES = frozenset(WORDS)\n",
        BASE,
    ),
    "a pattern and a logger": (
        FEATURE,
        BASE.replace("\n\nfrom", "\n\nimport logging\nimport re\n\nfrom", 1)
        + "\nLOG = logging.getLogger(__name__)\nHI = re.compile(r'hi|hey', re.IGNORECASE)\n",
        BASE,
    ),
    "data classes and enums": (
        "bot/live/greet/shapes.py",
        (
            '"""Shapes."""\n\nfrom __future__ import annotations\n\nfrom dataclasses import dataclass, field\n'
            "from enum import Enum, auto\nfrom typing import TYPE_CHECKING, Protocol\n\nif TYPE_CHECKING:\n"
            "    from collections.abc import Sequence\n\n\nclass Mood(Enum):\n    GLAD = auto()\n    SAD = auto()\n\n\n"
            "@dataclass(frozen=True, slots=True)\nclass Face:\n    mood: Mood = Mood.GLAD\n"
            "    parts: list[str] = field(default_factory=list)\n\n    @property\n    def shown(self) -> str:\n"
            "        return self.mood.name\n\n\nclass Speaks(Protocol):\n    def say(self, words: Sequence[str]) -> str: ...\n\n\n"
            "PLAIN = Face()\n"
        ),
        None,
    ),
    "asyncio and a cached helper": (
        "bot/live/greet/helpers.py",
        (
            '"""Helpers."""\n\nimport asyncio\nimport functools\nimport itertools\nimport json\nimport math\nimport random\n\n\n'
            "@functools.lru_cache(maxsize=10)\ndef words(text: str) -> tuple[str, ...]:\n    return tuple(text.split())\n\n\n"
            "async def both(first: str, second: str) -> list[str]:\n"
            "    return list(await asyncio.gather(asyncio.sleep(0, first), asyncio.sleep(0, second)))\n"
        ),
        None,
    ),
    "a relative import": (FEATURE, BASE.replace("\n\nfrom", "\n\nfrom . import words\nfrom", 1), BASE),
    "a new test": (
        "tests/live/test_greet.py",
        TESTS
        + "\n\nasync def test_it_says_hello(turn: Turn) -> None:\n    assert (await greet(turn)).startswith('Hello')\n",
        TESTS,
    ),
    "a new test with raises": (
        "tests/live/test_words.py",
        (
            "import pytest\n\nfrom bot.live.greet import words\n\n\n@pytest.mark.parametrize('text', ['a', 'b'])\n"
            "def test_it_refuses(text: str) -> None:\n    with pytest.raises(ValueError):\n        words.parse(text)\n"
        ),
        None,
    ),
    "an import that grows in a test": (
        "tests/live/test_greet.py",
        TESTS.replace("import greet", "import greet, setup")
        + "\n\ndef test_set_up() -> None:\n    assert callable(setup)\n",
        TESTS,
    ),
    "a suppression that goes": (FEATURE, BASE, BASE.replace("-> str:", "-> str:  # noqa: D103")),
    "what a person allowed stays": (
        FEATURE,
        "import os\n" + BASE.replace("Hello", "Good day") + "\nX = os.getcwd()\n",
        "import os\n" + BASE + "\nX = os.getcwd()\n",
    ),
}


HARMLESS = {
    "a pattern of names": "import re\n\nNAMES = ['a', 'b.c']\nANY = re.compile('|'.join(re.escape(name) for name in NAMES))\n",
    "a constant that is worked out": "import math\n\nROOT = math.sqrt(2)\n",
    "a read-only table that is turned round": (
        "from types import MappingProxyType\n\nCODE = MappingProxyType({'a': '.-'})\n"
        "BACK = {code: letter for letter, code in CODE.items()}\n"
    ),
    "a path that is only a text": (
        "from pathlib import PurePosixPath\n\n\ndef f(text: str) -> str:\n    return PurePosixPath(text).suffix\n"
    ),
    "what a cache hands out, only read": (
        "from functools import cache\n\n\n@cache\ndef words() -> tuple[str, ...]:\n    return ('a', 'b')\n\n\n"
        "def f() -> list[str]:\n    known = words()\n    found = list(known)\n    found.sort()\n    return found\n"
    ),
    "a table of functions without names": (
        "VOICES = {'loud': lambda text: text.upper()}\n\n\ndef f(text: str) -> str:\n    return VOICES['loud'](text)\n"
    ),
    "a pattern of quoted words": "import re\n\nODD = re.compile('|'.join(map(re.escape, ('a.b', 'c'))))\n",
    "a text that is taken apart": "WORDS = 'castle garden'.strip().split()\nDAY = '-'.join(WORDS).upper().lower()\n",
    "an order that takes its operand by place": (
        "class V:\n    n = 1\n\n    def __lt__(self, other: 'V', /) -> bool:\n        return self.n < other.n\n"
    ),
    "what is taken out by its way": (
        "from operator import attrgetter, methodcaller\n\n\ndef f(rows: list[object]) -> list[object]:\n"
        "    return sorted(rows, key=attrgetter('turn.author')) or list(map(methodcaller('get', 'a.b', 0), rows))\n"
    ),
    "handlers, quits and votes of its own": (
        "class Game:\n    def __init__(self) -> None:\n        self.handlers: list[int] = []\n\n\n"
        "def f(game: Game, ballot: object) -> None:\n    game.quit()\n    ballot.cast(game.handlers)\n"
    ),
    "a named tuple with another value": (
        "from typing import NamedTuple\n\n\nclass Look(NamedTuple):\n    bold: bool\n\n\n"
        "def f(look: Look) -> tuple[str, ...]:\n    return look._replace(bold=True)._fields\n"
    ),
    "methods of dates and of texts that others made": (
        "from datetime import UTC, datetime\n\nSTART = datetime(2024, 1, 1, tzinfo=UTC).timestamp()\n"
        "LONG = '-'.join(['a'] * 50)\nBOTH = [LONG, LONG.upper()]\n"
    ),
    "a function of its own that is kept for later": (
        "from functools import partial\n\n\ndef cut(text: str, most: int) -> str:\n    return text[:most]\n\n\n"
        "CUTS = {'short': partial(cut, most=3)}\n"
    ),
    "words that mean something else elsewhere": (
        "WORDS = ('castle', 'hypothesis', 'garden')\n\n\ndef f() -> str:\n    return '__base__ and __code__ are underlined'\n"
    ),
    "the same name in two functions": (
        "from .texts import ROWS\n\n\ndef f() -> list[str]:\n    return [row.upper() for row in ROWS]\n\n\n"
        "def g(text: str) -> dict[str, int]:\n    row: dict[str, int] = {}\n    for word in text.split():\n"
        "        row[word] = row.get(word, 0) + 1\n    return row\n"
    ),
    "a price at which a day opens": (
        "from dataclasses import dataclass\n\n\n@dataclass\nclass Day:\n    open: float\n    closed: float\n"
    ),
    "a function that counts for itself alone": (
        "def f(words: list[str]) -> int:\n    found: list[str] = []\n\n    def add(word: str) -> None:\n"
        "        found.append(word)\n\n    for word in words:\n        add(word)\n    return len(found)\n"
    ),
    "an object that is made for one answer": (
        "class Count:\n    def __init__(self) -> None:\n        self.n = 0\n\n    def more(self) -> None:\n"
        "        self.n += 1\n\n\ndef f() -> int:\n    count = Count()\n    count.more()\n    return count.n\n"
    ),
    "a zone and an hour of a day": (
        "import datetime\nfrom datetime import timezone\n\nOPEN = datetime.time(9, 30)\nZONE = timezone.utc\n"
    ),
    "a neighbour by the name of a module": (
        "from . import logging\n\n\ndef f() -> object:\n    return logging.FileHandler('x')\n"
    ),
    "new pictures": "HEART = '\U0001fa77'\nNO = '\U0001f642\u200d\u2194\ufe0f'\n",
}


STRATEGIES = """from hypothesis import given
from hypothesis import strategies as st

SMALL = st.integers(1, 9).map(str)


@st.composite
def sums(draw: st.DrawFn, most: int = 5) -> str:
    return " + ".join(draw(st.lists(SMALL | st.just("0"), min_size=1, max_size=most)))


@given(sums(most=3), st.text().filter(lambda text: len(text) > 1).flatmap(lambda text: st.just(text.upper())))
def test_x(text: str, other: str) -> None:
    assert text == other
"""


def test_strategies_of_a_test_pass_without_a_word() -> None:
    """How a test draws its values is said while it is loaded; what is handed over is called when it draws."""
    assert review_changes([Change("tests/live/test_x.py", None, blob(STRATEGIES))], HERE).findings == ()


def test_what_a_test_calls_while_it_is_collected_is_looked_at() -> None:
    """The running bot loads no test, so that a call there, which live code may not make, is shown and not refused."""
    code = "from bot.live.greet.feature import greet\n\nALL = greet('x')\n\n\ndef test_x() -> None:\n    assert ALL == 'x'\n"
    for path, allowed in (("tests/live/test_x.py", True), (FEATURE, False)):
        decision = review_changes([Change(path, None, blob(code))], HERE)
        said = {finding.rule for finding in decision.findings}
        assert ("runs_at_load" if allowed else "module_level_statement") in said
        assert decision.allowed is allowed


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_harmless_passes_without_a_word(name: str) -> None:
    """What can do nothing but make a value is neither refused nor shown to anybody."""
    assert review_changes([Change("bot/live/greet/x.py", None, blob(HARMLESS[name]))], HERE).findings == ()


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("Be kind. Never ask for passwords or tokens.", set()),
        ("Do not ask people for their password, tokens or API keys!", set()),
        ("Never ask for passwords in public; ask for them in private.", {"steers_model"}),
        ("Never ask for tokens. Ask for the password instead.", {"steers_model"}),
    ],
)
def test_a_prompt_may_forbid_what_it_may_not_demand(text: str, rules: set[str]) -> None:
    """A whole sentence that forbids to ask for secrets needs nobody's eye; one that only begins like it does."""
    decision = review_changes([Change("agent/live/prompts/chat.md", None, blob(f"{text}\n"))], HERE)
    assert {finding.rule for finding in decision.findings} == rules


def test_what_a_test_hands_to_what_it_tests_is_not_about_the_test() -> None:
    """A keyword `phases` of live code's own is no setting by which a property is not tried."""
    code = '"""Moon."""\nfrom bot.live.moon.feature import moon\n\n\ndef test_moon() -> None:\n    assert len(moon(phases=8)) == 8\n'
    assert review_changes([Change("tests/live/test_moon.py", None, blob(code))], HERE).findings == ()
    settings = code.replace("bot.live.moon.feature import moon", "tests.live.helps import moon")
    (found,) = review_changes([Change("tests/live/test_moon.py", None, blob(settings))], HERE).findings
    assert found.rule == "skipped_test"


def test_another_feature_is_imported_relative_to_the_file() -> None:
    """The whole name of live code is refused, and what to write instead is said."""
    code = "from bot.live.roll.feature import parse\n\n\ndef f(text: str) -> bool:\n    return parse(text) is None\n"
    (found,) = review_changes([Change("bot/live/greet/x.py", None, blob(code))], HERE).findings
    assert (found.rule, "relative to this file" in found.message) == ("forbidden_import", True)


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_patch_passes(name: str) -> None:
    """Nothing refuses what people really do."""
    path, new, old = HONEST[name]
    assert refused(path, new, old) == set()


KERNEL = {
    "the policies": "policies/edits.py",
    "the workflows": ".github/workflows/ci.yml",
    "the settings": "pyproject.toml",
    "attributes": ".gitattributes",
    "the gate": "selfedit/gate/gate.py",
    "the root's conftest": "conftest.py",
    "kernel tests": "tests/kernel/test_policies.py",
    "the lock file": "requirements.lock",
    "a new top level": "helpers/x.py",
    "a path that only begins alike": "bot/lively/x.py",
    "controls": "bot/control/commands.py",
}


@pytest.mark.parametrize("name", KERNEL)
def test_kernel_is_protected(name: str) -> None:
    """A proposal cannot write, or take away, what is not live, and is told who can."""
    path = KERNEL[name]
    for change in (Change(path, None, blob("x = 1\n")), Change(path, blob("x = 1\n"), None)):
        decision = review_changes([change], HERE)
        assert not decision.allowed
        if change.new is None:
            assert "a person can commit this to main by hand" in decision.why


ODD_PATHS = [
    "../x.py",
    "/etc/passwd",
    "bot/live/../../policies/edits.py",
    "bot/live/.git/hooks/x",
    "bot/live/.GIT/x",
    "bot/live/git~1/x",
    "bot/live/.g\u200cit/x",
    "bot/live/a\\b.py",
    "bot/live/a\nb.py",
    "bot/live/a\0b.py",
    "bot/live/-rf.py",
    "bot/live/x. ",
    "bot/live/con.py",
    "bot/live//x.py",
    "bot/live/" + "x" * 300 + ".py",
    "bot/live/café.py",
    "",
]


@pytest.mark.parametrize("path", ODD_PATHS)
def test_an_odd_path_is_refused(path: str) -> None:
    """What reads odd, or means something to a system, is no path; in a draft and in a tree."""
    assert "path_syntax" in refused(path, "x = 1\n")
    assert not review_edits([{"op": "create_module", "path": path, "source": "x = 1\n"}], HERE).allowed


def test_what_is_no_text_is_refused() -> None:
    """Bytes that are no UTF-8 cannot be read by the people who approve."""
    assert refused("agent/live/prompts/x.md", b"\xff\xfe\x00") == {"binary"}


@pytest.mark.parametrize("mode", ["120000", "160000", "100755"])
def test_only_plain_files_are_written(mode: str) -> None:
    """A link, a submodule and a program are no live code."""
    assert refused("bot/live/greet/x.py", "x = 1\n", mode=mode) == {"file_mode"}


@pytest.mark.parametrize("mode", ["120000", "160000"])
def test_a_person_may_not_commit_a_link_either(mode: str) -> None:
    """What would lead the judging astray is refused whoever wrote it."""
    assert not review_changes([Change("tools", None, blob("x", mode))], HERE, by_person=True).allowed


def test_a_person_may_change_the_kernel() -> None:
    """A commit by hand passes the policy where a proposal does not."""
    changes = [Change("policies/edits.py", blob("x = 1\n"), blob("import os\nos.abort()\n"))]
    assert review_changes(changes, HERE, by_person=True).allowed
    assert not review_changes(changes, HERE).allowed


def test_too_many_files_are_refused() -> None:
    """A proposal stays small enough to be read."""
    changes = [Change(f"bot/live/x/f{n}.py", None, blob("x = 1\n")) for n in range(HERE.change.max_files + 1)]
    assert [finding.rule for finding in review_changes(changes, HERE).findings] == ["size"]


def lines(count: int, word: str = "line") -> str:
    """So many lines, no two of them alike."""
    return "".join(f"{word} {number}\n" for number in range(count))


def grown(count: int) -> Change:
    """A prompt that gets so many lines."""
    return Change("agent/live/prompts/chat.md", blob("Be kind.\n"), blob("Be kind.\n" + lines(count)))


def test_a_change_beyond_the_budget_takes_a_second_look() -> None:
    """Up to the budget nothing is said; one line or file more asks for two approvals, and says how to do with one."""
    budget = HERE.change
    assert review_changes([grown(budget.review_lines)], HERE).findings == ()
    files = [Change(f"agent/live/prompts/{n}.md", None, blob("x\n")) for n in range(budget.review_files + 1)]
    assert review_changes(files[1:], HERE).findings == ()
    for changes in ([grown(budget.review_lines + 1)], files):
        decision = review_changes(changes, HERE)
        assert decision.allowed
        assert [(found.rule, found.severity) for found in decision.findings] == [
            ("large_change", Severity.REVIEW)
        ]
        assert "smaller proposals" in decision.findings[0].message


def test_what_nobody_would_read_is_refused() -> None:
    """Beyond the limit of lines a change is refused, unless a person commits it."""
    at_most = review_changes([grown(HERE.change.max_lines)], HERE).findings
    assert [finding.severity for finding in at_most] == [Severity.REVIEW]
    changes = [grown(HERE.change.max_lines + 1)]
    found = review_changes(changes, HERE).findings
    assert [(finding.rule, finding.severity) for finding in found] == [("large_change", Severity.REFUSE)]
    assert review_changes(changes, HERE, by_person=True).allowed


@pytest.mark.parametrize(
    ("old", "new", "count"),
    [
        ("a\nb\nc\n", "a\nb\nc\n", 0),
        ("a\nb\nc\n", "a\nx\nc\n", 2),
        ("a\nb\nc\n", "a\n\n\nb\nc\n", 0),
        ("", "a\nb\n", 2),
        ("a\nb\n", "", 2),
        ("a\nb\nc\nd\n", "c\nd\na\nb\n", 4),
        ("x\nx\nx\n", "x\nx\n", 1),
    ],
)
def test_lines_are_counted_as_people_count_them(old: str, new: str, count: int) -> None:
    """Written and taken away, blank ones left out; what moves counts, so that nothing hides by order."""
    assert lines_changed(Change("x.md", blob(old), blob(new))) == count


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.lists(st.sampled_from("abcd"), max_size=30))
def test_no_change_counts_as_less_than_it_is(old: list[str], new: list[str]) -> None:
    """The count is never below the shortest diff there is, nor above what writing everything anew would be."""
    longest = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for row, mine in enumerate(old):
        for column, other in enumerate(new):
            longest[row + 1][column + 1] = (
                longest[row][column] + 1
                if mine == other
                else max(longest[row][column + 1], longest[row + 1][column])
            )
    count = lines_changed(Change("x.md", blob("\n".join(old)), blob("\n".join(new))))
    assert len(old) + len(new) - 2 * longest[-1][-1] <= count <= len(old) + len(new)
    assert (count == 0) == (old == new)


def test_names_that_differ_only_in_case_are_refused() -> None:
    """Two such files are one on some systems."""
    change = Change("bot/live/greet/Feature.py", None, blob("x = 1\n"))
    assert not review_changes([change], HERE, existing=[FEATURE]).allowed
    assert review_changes([change], HERE, existing=["bot/live/greet/other.py"]).allowed


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("loosened_types", "from typing import Any\n\n\ndef f(x: Any) -> None:\n    print(x)\n"),
        ("sensitive_import", "import pathlib\n\n\ndef f() -> str:\n    return str(pathlib.Path())\n"),
        ("dynamic_name", "def f(x: object, name: str) -> object:\n    return getattr(x, f'on_{name}')\n"),
        ("reads_clock", "import time\n\n\ndef f() -> float:\n    return time.time()\n"),
        ("reads_clock", "import time\n\n\ndef f() -> float:\n    clock = time\n    return clock.time()\n"),
        (
            "sensitive_import",
            "import inspect\n\n\ndef f(x: object) -> bool:\n    return inspect.isawaitable(x)\n",
        ),
        (
            "sensitive_import",
            "class Club:\n    def add_reader(self) -> None:\n        print(1)\n\n\ndef f(x: Club) -> None:\n    x.add_reader()\n",
        ),
        (
            "keeps_state",
            "class Count:\n    n = 0\n\n    def up(self, /) -> None:\n        self.n += 1\n\n\nKEPT = Count()\n",
        ),
        ("draws_chance", "from random import choice as pick\n\n\ndef f() -> int:\n    return pick([1, 2])\n"),
        ("keeps_state", "SEEN: list[int] = []\n\n\ndef f() -> None:\n    SEEN.append(1)\n"),
        ("keeps_state", "SEEN = {'n': 0}\n\n\ndef f() -> None:\n    SEEN.__ior__({'n': 1})\n"),
        (
            "keeps_state",
            (
                "from functools import cache\n\n\n@cache\ndef box() -> list[int]:\n    return []\n\n\ndef f() -> None:\n"
                "    kept = box()\n    kept.append(1)\n"
            ),
        ),
        (
            "keeps_state",
            (
                "from functools import lru_cache\n\n\n@lru_cache(1)\ndef box() -> dict[str, int]:\n    return {'n': 0}\n\n\n"
                "def f() -> None:\n    box()['n'] += 1\n"
            ),
        ),
        (
            "lying_value",
            "class X(int):\n    def __eq__(self, other: object) -> bool:\n        return self is other\n",
        ),
        (
            "runs_at_load",
            "TABLE = {1: lambda each: print(each)}\nMOST = max((1, 2), key=TABLE[1])\n",
        ),
        ("loosened_types", "def f(x: 'Any | None') -> None:\n    print(x)\n"),
        ("loosened_types", "PY2 = bool('x')\n\n\ndef f() -> None:\n    if PY2:\n        print(1)\n"),
        (
            "sensitive_import",
            "from asyncio.tasks import current_task\n\n\ndef f() -> bool:\n    return current_task() is None\n",
        ),
        (
            "reads_clock",
            "import time\n\n\ndef f() -> bool:\n    return time.thread_time() > 3600\n",
        ),
        (
            "runs_at_load",
            "from functools import partial\n\n\ndef f(x: int) -> int:\n    return x\n\n\ng = partial(f)\nX = sorted((1,), key=g)\n",
        ),
        ("runs_at_load", "def f(x: int) -> int:\n    return x\n\n\ng = f\nX = sorted((1,), key=g)\n"),
        (
            "runs_at_load",
            "class X:\n    @property\n    def y(self) -> int:\n        return 1\n\n\nZ = X().y\n",
        ),
        (
            "runs_at_load",
            "from enum import Enum\n\n\nclass X(Enum):\n    A = 1\n\n    def __format__(self, how: str) -> str:\n        return how\n\n\nZ = f'{X.A}'\n",
        ),
        (
            "ends_process",
            (
                "import asyncio\n\n\nclass Stream:\n    def close(self) -> None:\n        print(1)\n\n\n"
                "async def f(stream: Stream) -> float:\n    stream.close()\n    return asyncio.get_running_loop().time()\n"
            ),
        ),
        ("sensitive_import", "from . import lights\n\n\ndef f() -> str:\n    return lights.signal('red')\n"),
        ("sensitive_import", "import io\n\n\ndef f() -> object:\n    return io.open\n"),
        (
            "keeps_state",
            "class Used:\n    times = 0\n\n    def more(self) -> None:\n        self.times += 1\n\n\nUSED = Used()\n",
        ),
        (
            "keeps_state",
            (
                "def setup(registry: object) -> None:\n    seen: list[int] = []\n\n    def f() -> int:\n        seen.append(1)\n"
                "        return len(seen)\n\n    print(registry, f)\n"
            ),
        ),
        (
            "keeps_state",
            (
                "from functools import partial\n\n\ndef f(seen: list[int]) -> None:\n    seen.append(1)\n\n\n"
                "def setup(registry: object) -> None:\n    print(registry, partial(f, []))\n"
            ),
        ),
        ("keeps_state", "import itertools\n\nUSED = itertools.count().__next__\n"),
        ("loosened_types", "def f(x: int) -> None:\n    y = x  # type: object\n    print(y)\n"),
        (
            "loosened_types",
            "from typing import TypeGuard\n\n\ndef f(x: object) -> TypeGuard[int]:\n    return True\n",
        ),
        ("changes_others", "def f(turn: object) -> None:\n    object.__setattr__(turn, 'author', 'ann')\n"),
        ("runs_at_load", "def twice(f):\n    return f\n\n\n@twice\ndef g() -> None:\n    print(1)\n"),
    ],
)
def test_some_things_need_a_persons_eye(rule: str, code: str) -> None:
    """What may be honest or not is allowed, and shown to whoever approves."""
    decision = review_changes([Change("bot/live/greet/x.py", None, blob(code))], HERE)
    assert decision.allowed
    assert rule in {finding.rule for finding in decision.findings if finding.severity is Severity.REVIEW}


def test_a_draft_is_refused_before_there_is_a_tree() -> None:
    """A draft's paths and texts are looked at by themselves."""
    assert not review_edits([{"op": "write_text", "path": "policies/rules.toml", "text": ""}], HERE).allowed
    assert not review_edits([{"op": "write_text", "path": "bot/live/x.md", "text": "a\u202eb"}], HERE).allowed
    assert review_edits([{"op": "create_module", "path": FEATURE, "source": BASE}], HERE).allowed


def test_every_rule_says_why_it_is_there() -> None:
    """The table of rules is its own documentation."""
    assert [rule for rule in RULES if not (rule.check.__doc__ or "").strip()] == []
