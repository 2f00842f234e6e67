"""What the policies on a change refuse, and what they must let pass."""

import pytest

from policies.decision import Severity
from policies.edits import RULES, Blob, Change, review_changes, review_edits
from policies.load import load_rules

HERE = load_rules()
FEATURE = "bot/live/greet/feature.py"
BASE = '''"""Greets."""

from bot.feature import Registry, Turn


async def greet(turn: Turn) -> str:
    """Say hello."""
    return f"Hello, {turn.author}!"


def setup(registry: Registry) -> None:
    """Answer to /greet."""
    registry.command("greet", greet, usage="greet", summary="says hello")
'''
TESTS = '''"""Greeting."""

import pytest

from bot.live.greet.feature import greet
from bot.feature import Turn


@pytest.fixture
def turn() -> Turn:
    return Turn(text="", author="console:ann", conversation="c")


async def test_it_greets(turn: Turn) -> None:
    assert "ann" in await greet(turn)
'''


def blob(text: str | bytes, mode: str = "100644") -> Blob:
    data = text.encode() if isinstance(text, str) else text
    return Blob(mode, len(data), data)


def refused(path: str, new: str | bytes | None, old: str | None = None, mode: str = "100644") -> set[str]:
    """The rules that refuse one file's change."""
    change = Change(path, None if old is None else blob(old), None if new is None else blob(new, mode))
    found = review_changes([change], HERE).findings
    return {finding.rule for finding in found if finding.severity is Severity.REFUSE}


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
    "the gate": "selfedit/gate.py",
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


CHEATS: dict[str, tuple[str, str, str, str | None]] = {
    # name: rule, path, new content, old content
    "a skip in a new test": ("skipped_test", "tests/live/test_x.py", "import pytest\n\n\n@pytest.mark.skip\ndef test_x() -> None:\n    assert f() == 1\n", None),
    "an expected failure": ("skipped_test", "tests/live/test_x.py", "import pytest\n\n\n@pytest.mark.xfail(strict=False)\ndef test_x() -> None:\n    assert f() == 1\n", None),
    "a skip inside": ("skipped_test", "tests/live/test_x.py", "import pytest\n\n\ndef test_x() -> None:\n    pytest.skip('later')\n    assert f()\n", None),
    "no cases": ("skipped_test", "tests/live/test_x.py", "import pytest\n\n\n@pytest.mark.parametrize('x', [])\ndef test_x(x: int) -> None:\n    assert x\n", None),
    "no assertion": ("asserts_nothing", "tests/live/test_x.py", "def test_x() -> None:\n    f()\n", None),
    "a tautology": ("asserts_nothing", "tests/live/test_x.py", "def test_x() -> None:\n    assert True or f()\n", None),
    "a swallowed failure": ("asserts_nothing", "tests/live/test_x.py", "def test_x() -> None:\n    try:\n        assert f()\n    except Exception:\n        pass\n", None),
    "a deleted test": ("weakened_test", "tests/live/test_greet.py", TESTS.partition("async def test")[0], TESTS),
    "a weakened test": ("weakened_test", "tests/live/test_greet.py", TESTS.replace('"ann" in', '"" in'), TESTS),
    "a renamed test": ("weakened_test", "tests/live/test_greet.py", TESTS.replace("test_it", "check_it"), TESTS),
    "a test that is overridden": ("weakened_test", "tests/live/test_greet.py", TESTS + "\n\ndef test_it_greets() -> None:\n    assert greet\n", TESTS),
    "a fixture that is overridden": ("weakened_test", "tests/live/test_greet.py", TESTS + "\n\nturn = 3\n", TESTS),
    "a changed expectation": ("weakened_test", "tests/live/answers.json", "[2]\n", "[1]\n"),
    "a plugin": ("pytest_machinery", "tests/live/test_x.py", "pytest_plugins = ['x']\n", None),
    "a hook": ("pytest_machinery", "tests/live/test_x.py", "def pytest_runtest_makereport(item, call):\n    return None\n", None),
    "a conftest": ("pytest_machinery", "tests/live/conftest.py", '"""Fixtures."""\n', None),
    "an autouse fixture": ("pytest_machinery", "tests/live/test_x.py", "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef calm() -> int:\n    return 1\n", None),
    "settings of pytest": ("tool_settings", "tests/live/pytest.toml", "x = 1\n", None),
    "settings of ruff": ("tool_settings", "bot/live/ruff.toml", "x = 1\n", None),
    "a start-up file": ("tool_settings", "bot/live/sitecustomize.py", "x = 1\n", None),
    "stale bytecode": ("extension", "bot/live/x.pyc", "x", None),
    "a stub": ("extension", "bot/live/x.pyi", "x: int\n", None),
    "a notebook": ("extension", "bot/live/x.ipynb", "{}", None),
    "an exit at import": ("module_level_statement", FEATURE, BASE + "\nraise SystemExit(0)\n", BASE),
    "a call at import": ("module_level_statement", FEATURE, BASE + "\nX = greet(None)\n", BASE),
    "a loop at import": ("module_level_statement", FEATURE, BASE + "\nfor x in range(3):\n    print(x)\n", BASE),
    "an own function by the name of a built-in": ("module_level_statement", FEATURE, BASE + "\n\ndef len(x):\n    return x\n\n\nX = len(3)\n", BASE),
    "a call in a default": ("module_level_statement", FEATURE, BASE + "\n\ndef f(x=greet(None)):\n    return x\n", BASE),
    "a call in an annotation": ("module_level_statement", FEATURE, BASE + "\n\ndef f(x: greet(None)) -> None:\n    return x\n", BASE),
    "a call in a class body": ("module_level_statement", FEATURE, BASE + "\n\nclass X:\n    y = greet(None)\n", BASE),
    "an import of os": ("forbidden_import", FEATURE, "import os\n" + BASE, BASE),
    "a new use of an allowed os": ("forbidden_import", FEATURE, "import os\n" + BASE + "\n\ndef f() -> None:\n    os.abort()\n", "import os\n" + BASE),
    "an import below": ("forbidden_import", FEATURE, "import importlib.util\n" + BASE, BASE),
    "the steward": ("forbidden_import", FEATURE, "from selfedit.gate import Gate\n" + BASE, BASE),
    "live code by its name": ("forbidden_import", FEATURE, "from bot.live.chat import feature\n" + BASE, BASE),
    "os through another": ("forbidden_import", FEATURE, "import logging\n" + BASE + "\n\ndef f() -> None:\n    logging.os.abort()\n", BASE),
    "a process": ("forbidden_import", FEATURE, "import asyncio\n" + BASE + "\n\nasync def f() -> None:\n    await asyncio.create_subprocess_exec('x')\n", BASE),
    "an import inside": ("import_not_at_top", FEATURE, BASE + "\n\ndef f() -> None:\n    import json\n", BASE),
    "exec": ("dynamic_code", FEATURE, BASE + "\n\ndef f() -> None:\n    exec('x')\n", BASE),
    "eval by another name": ("dynamic_code", FEATURE, BASE + "\n\ndef f() -> None:\n    e = eval\n    e('x')\n", BASE),
    "a name that only looks so": ("dynamic_code", FEATURE, BASE + "\n\ndef f() -> None:\n    \uff45val('x')\n", BASE),
    "a made-up attribute": ("dynamic_code", FEATURE, "import logging\n" + BASE + "\n\ndef f() -> None:\n    getattr(logging, 'o' + 's')\n", BASE),
    "a walk": ("dynamic_code", FEATURE, BASE + "\n\ndef f() -> None:\n    ().__class__.__base__.__subclasses__()\n", BASE),
    "a walk in a format": ("dynamic_code", FEATURE, BASE + "\n\ndef f() -> str:\n    return '{0.__globals__}'.format(f)\n", BASE),
    "a patched module": ("dynamic_code", FEATURE, "import time\n" + BASE + "\n\ndef f() -> None:\n    time.time = lambda: 0\n", BASE),
    "setattr on a module": ("dynamic_code", FEATURE, "import time\n" + BASE + "\n\ndef f() -> None:\n    setattr(time, 'time', 0)\n", BASE),
    "sensing pytest by its variable": ("test_detection", FEATURE, BASE + "\n\nX = 'PYTEST_CURRENT_TEST'\n", BASE),
    "sensing pytest by its module": ("test_detection", FEATURE, BASE + "\n\nX = 'pytest'\n", BASE),
    "sensing a container": ("test_detection", FEATURE, BASE + "\n\nX = '/.dockerenv'\n", BASE),
    "a value that equals all": ("lying_value", FEATURE, BASE + "\n\nclass X:\n    def __eq__(self, other: object) -> bool:\n        return True\n", BASE),
    "noqa": ("suppression_added", FEATURE, BASE.replace("-> str:", "-> str:  # noqa"), BASE),
    "noqa for a file": ("suppression_added", FEATURE, BASE + "# ruff: noqa\n", BASE),
    "type: ignore": ("suppression_added", FEATURE, BASE.replace("-> str:", "-> str:  # type: ignore[misc]"), BASE),
    "mypy for a file": ("suppression_added", FEATURE, "# mypy: ignore-errors\n" + BASE, BASE),
    "pyright": ("suppression_added", FEATURE, "# pyright: basic\n" + BASE, BASE),
    "no cover": ("suppression_added", FEATURE, BASE.replace("-> str:", "-> str:  # pragma: no cover"), BASE),
    "nosec": ("suppression_added", FEATURE, BASE.replace("-> str:", "-> str:  # nosec"), BASE),
    "no_type_check": ("suppression_added", FEATURE, BASE.replace("async def greet", "@typing.no_type_check\nasync def greet"), BASE),
    "reordered text": ("unicode", FEATURE, BASE.replace("Hello", "Hel\u202elo"), BASE),
    "an invisible space": ("unicode", "agent/live/prompts/chat.md", "Be\u200b kind.\n", None),
    "a look-alike name": ("unicode", FEATURE, BASE + "\n\ns\u0441ope = 1\n", BASE),
    "an odd line end": ("unicode", FEATURE, BASE.replace("\n\n\n", "\u2028\n\n"), BASE),
    "bare carriage returns": ("unicode", FEATURE, BASE + "x = 1\ry = 2\n", BASE),
    "another encoding": ("unicode", FEATURE, "# coding: utf-7\n" + BASE, BASE),
    "a form feed": ("unicode", FEATURE, BASE + "\f\nx = 1\n", BASE),
    "no Python": ("unparsable", FEATURE, "def f(:\n", BASE),
    "deep nesting": ("unparsable", FEATURE, "\n".join(["x = " + "(" * 400, ")" * 400, ""]), None),
    "a token of GitHub": ("secret", FEATURE, BASE + f"\nT = 'ghp_{'a1B2' * 9}'\n", BASE),
    "a key of AWS": ("secret", "agent/live/prompts/chat.md", "AKIA" + "ABCDEFGHIJKLMNOP\n", None),
    "a private key": ("secret", FEATURE, BASE + "\nK = '-----BEGIN OPENSSH " + "PRIVATE KEY-----'\n", BASE),
    "a long line": ("size", FEATURE, BASE + f"\nX = '{'x' * 600}'\n", BASE),
    "a large file": ("size", "agent/live/prompts/big.md", "x\n" * 200_000, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_refused_by_its_rule(name: str) -> None:
    """Each of these is refused, and by the rule that was made for it."""
    rule, path, new, old = CHEATS[name]
    assert rule in refused(path, new, old)


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


def test_names_that_differ_only_in_case_are_refused() -> None:
    """Two such files are one on some systems."""
    change = Change("bot/live/greet/Feature.py", None, blob("x = 1\n"))
    assert not review_changes([change], HERE, existing=[FEATURE]).allowed
    assert review_changes([change], HERE, existing=["bot/live/greet/other.py"]).allowed


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("loosened_types", "from typing import Any\n\n\ndef f(x: Any) -> None:\n    print(x)\n"),
        ("sensitive_import", "import pathlib\n\n\ndef f() -> str:\n    return str(pathlib.PurePath())\n"),
        ("dynamic_name", "def f(x: object, name: str) -> object:\n    return getattr(x, f'on_{name}')\n"),
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


def test_every_refusal_is_one_sentence() -> None:
    """What people read has no line breaks, and ends without being cut."""
    for rule, path, new, old in CHEATS.values():
        found = review_changes([Change(path, blob(old) if old else None, blob(new))], HERE).findings
        assert all("\n" not in finding.message and finding.message for finding in found), rule
