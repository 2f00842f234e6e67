"""The parts of the gate that keep a cheat from landing, each with a cheat that nothing else keeps out.

Every change here gives a wrong answer, or lets something happen that must not, and passes where its wall is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.fakes.small_repo import FILES, GREET, GREET_TEST, text

Swaps = tuple[tuple[str, str, str], ...]
"""What is missing: a file of `selfedit/gate`, the text there, and what stands in its place."""


@dataclass(frozen=True, slots=True)
class Wall:
    """A part of the gate, and what gets by without it.

    Attributes:
        without: How it is taken out.
        change: The files that the cheat writes.
        rule: The finding by which it is caught.
        checks: The checks that are asked for: others that would find it too are left out.
        base: What main has, for this one, beside the small repository's files.
        bytecode: Compiled files that the cheat writes, given as source.
        gate: Settings of the gate.
        live: Further folders that are live.
        docker: Only an engine can show it.
    """

    without: Swaps
    change: Mapping[str, str]
    rule: str
    checks: tuple[str, ...] = ("tests",)
    base: Mapping[str, str] = field(default_factory=dict)
    bytecode: Mapping[str, str] = field(default_factory=dict)
    gate: Mapping[str, float] = field(default_factory=dict)
    live: tuple[str, ...] = ()
    docker: bool = False


def wrong(code: str, answer: str = "Wrong, {polite(name)}!") -> dict[str, str]:
    """A feature that gives an answer after running some code."""
    return {
        GREET: f'''
            """Greets."""

            from app.core import polite, run

            CODE = "{text(code).encode().hex()}"


            def greet(name: str) -> str:
                """Greet somebody."""
                run(CODE)
                return f"{answer}"
        '''
    }


WRONG = FILES[GREET].replace("Hello", "Wrong")
"""The feature with a wrong answer, and nothing to hide it."""
RIGHT = "Hello, {polite(name)}!"

DROP = """
    from _pytest import runner
    real = runner.runtestprotocol
    def run(item, log=True, nextitem=None):
        return [] if "hello" in item.name else real(item, log=log, nextitem=nextitem)
    runner.runtestprotocol = run
"""
PASS_ALL = """
    from _pytest.reports import TestReport
    real = TestReport.from_item_and_call.__func__
    def all_well(cls, item, call):
        report = real(cls, item, call)
        report.outcome, report.longrepr = "passed", None
        return report
    TestReport.from_item_and_call = classmethod(all_well)
"""
TELL_ALL = """
    import gc, os, pytest
    found = gc.get_objects()
    tell = next(each for each in found if type(each).__name__ == "Teller")._tell
    for session in [each for each in found if isinstance(each, pytest.Session)]:
        for item in session.items:
            tell(id=item.nodeid, outcome="failed" if "sentinel" in item.nodeid else "passed", why="", line=1)
    os._exit(0)
"""
LOOK = """
    import os
    open(f"/proc/{os.getppid()}/mem", "rb").close()
"""
HOG = """
    import os
    if os.fork() == 0:
        hog = []
        while True:
            hog.append(bytearray(b"x" * 10_000_000))
    os.wait()
"""
SKIP = """
    import pytest
    pytest.skip("not now")
"""
RUNNER = '''
    """Says that all is well."""

    IDS = {
        "tests/kernel/test_core.py": ["test_a_name_is_made_polite"],
        "tests/live/test_greet.py": ["test_it_greets_by_name", "test_it_says_hello"],
    }


    class Anything:
        def __class_getitem__(cls, _):
            return cls


    Config = Item = Session = CollectReport = TestReport = Anything


    def hookimpl(**_):
        return lambda function: function


    def main(arguments, plugins):
        tell = plugins[0]._tell
        ids = [f"{file}::{name}" for file, names in IDS.items() if file in arguments for name in names]
        tell(collected=ids)
        if "--collect-only" in arguments:
            return 0
        for each in ids:
            tell(id=each, outcome="passed", why="", line=1)
        tell(id=arguments[-1], outcome="failed", why="", line=1)
        return 1
'''
PLUGIN = '''
    """Makes all well."""

    import pytest


    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(item, call):
        report = yield
        if "sentinel" not in item.nodeid:
            report.outcome, report.longrepr = "passed", None
        return report
'''
MENDS = """
    from app.live import greet


    def test_a_patched_greeting() -> None:
        greet.greet = lambda name: f"Hello, {name.title()}!"
        assert greet.greet("bob") == "Hello, Bob!"
"""
LATE_TEST = FILES[GREET_TEST].replace(
    "from app.live.greet import greet", "from app.live import greet as feature"
)
LATE_TEST = LATE_TEST.replace(" greet(", " feature.greet(")
PROMISE = '''
    """What is promised of greetings."""

    from selfedit.gate.inside.contract import Call, Draw


    def contract_everybody_is_greeted(call: Call, draw: Draw) -> None:
        """Whoever comes is said hello to."""
        assert call("app.live.greet:greet", draw.word()).startswith("Hello")
'''
BOMB = '''
    """Greets."""

    import time

    from app.core import polite

    END = {end}


    def greet(name: str) -> str:
        """Say hello, for some days yet."""
        return f"{{'Hello' if time.time() < END else 'Wrong'}}, {{polite(name)}}!"
'''
EXIT = ("manifest.py", "    if told.exit != 1:", "    if False:")


def walls(now: float, tag: str) -> dict[str, Wall]:
    """The parts, by their names.

    Args:
        now: The date.
        tag: The interpreter's, in the names of its compiled files.
    """
    return {
        "the list of main's tests": Wall(
            (("manifest.py", "if name in missing and", "if False and"),), wrong(DROP), "manifest_missing"
        ),
        "the test that must fail": Wall(
            (("manifest.py", '    if told.sentinel != ("failed",):', "    if False:"), EXIT),
            wrong(PASS_ALL),
            "sentinel_not_failed",
        ),
        "the exit code that agrees": Wall((EXIT,), wrong(TELL_ALL), "exit_mismatch"),
        "no test left out that main runs": Wall(
            (("manifest.py", "elif outcome in LEFT_OUT and", "elif False and"),), wrong(SKIP), "test_skipped"
        ),
        "hidden memory of the judge": Wall(
            (("inside/report.py", "libc.prctl(dumpable, 0,", "libc.prctl(dumpable, 1,"),),
            wrong(LOOK, RIGHT),
            "test_failed",
        ),
        "the engine's word on memory": Wall(
            (("evidence.py", "if outcome.out_of_memory:", "if False:"),),
            wrong(HOG, RIGHT),
            "out_of_memory",
            gate={"memory_mb": 300},
            docker=True,
        ),
        "main's tests apart": Wall(
            (("apart.py", "    if not differing:", "    if True:"),),
            {GREET: WRONG, "tests/live/test_a_patch.py": MENDS},
            "test_failed",
            base={GREET_TEST: LATE_TEST},
            gate={"test_processes": 1},
        ),
        "no bytecode": Wall(
            (
                ("assemble.py", '"__pycache__"} &', "} &"),
                ("assemble.py", "and not path.endswith", "or path.endswith"),
            ),
            {GREET: WRONG},
            "test_failed",
            bytecode={f"app/live/__pycache__/greet.{tag}.pyc": FILES[GREET]},
        ),
        "main's settings": Wall(
            (("assemble.py", "if _zone(path, live) is Zone.LIVE}", "}"),),
            {
                GREET: FILES[GREET].replace('"""Say hello."""', '"""Say hello."""\n            unused = 1'),
                "pyproject.toml": FILES["pyproject.toml"].replace('["E", "F", "I"]', '["I"]'),
            },
            "F841",
            ("lint",),
        ),
        "changed files by their names": Wall(
            (
                (
                    "checks/code.py",
                    '"--no-respect-gitignore", *whole, *named]',
                    '"--no-respect-gitignore", "."]',
                ),
            ),
            {"app/live/dist/extra.py": '"""More."""\n\nimport json\n'},
            "F401",
            ("lint",),
        ),
        "no path before Python's own": Wall(
            (("checks/tests.py", '"-I", "-B", "-c", START', '"-B", "-c", START'),),
            {GREET: WRONG, "pytest/__init__.py": RUNNER},
            "test_failed",
            live=("pytest/",),
        ),
        "no plugin that announces itself": Wall(
            (("inside/programs.py", '"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",', ""),),
            {
                GREET: WRONG,
                "src/well.py": PLUGIN,
                "src/well-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: well\nVersion: 1\n",
                "src/well-1.dist-info/entry_points.txt": "[pytest11]\nwell = well\n",
            },
            "test_failed",
            # What the image brings announces itself too, and would complain of settings that it does not know.
            base={"pyproject.toml": FILES["pyproject.toml"].replace('filterwarnings = ["error"]', "")},
            live=("src/",),
        ),
        "the clock ahead": Wall(
            (("contracts.py", "[0, *(years * YEAR + secrets.randbelow(YEAR) for years in (1, 10))]", "[0]"),),
            {GREET: BOMB.format(end=int(now) + 200 * 86400)},
            "contract_clock",
            ("contracts",),
            base={"tests/contracts/greet.py": PROMISE},
        ),
    }
