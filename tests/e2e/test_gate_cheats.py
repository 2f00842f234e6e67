"""Code that tries to talk its judge round. The policy refuses all of it; here it is let through to the witnesses."""

import pytest

from selfedit.types import GateReport
from tests.e2e.gate_world import GateWorld, failing, opened_sandbox, rules_of, world
from tests.fakes.small_repo import GREET, text

__all__ = ["opened_sandbox", "world"]

CHEAT = '''
    """Greets."""

    from app.core import polite, run

    CODE = "{code}"
    {at_import}

    def greet(name: str) -> str:
        """Say something wrong, and cheat."""
        run(CODE)
        return f"Wrong, {{polite(name)}}!"
'''


def cheat(code: str, at_import: str = "") -> str:
    """A feature that gives a wrong answer after running some code."""
    return CHEAT.format(code=text(code).encode().hex(), at_import=at_import)


async def cheated(
    world: GateWorld, code: str, at_import: str = "", **sections: dict[str, object]
) -> GateReport:
    """The report on a head that fails a test, unless its cheat works."""
    head = world.small.change({GREET: cheat(code, at_import)})
    return await world.gate(**sections).judge(world.small.base, head)


async def test_an_exit_in_the_middle_is_no_report(world: GateWorld) -> None:
    """A process that ends itself with code 0 has not passed, and what it was doing is named."""
    report = await cheated(world, "import os; os._exit(0)")
    assert {"tests"} <= failing(report)
    assert "no_report" in rules_of(report)
    found = next(finding for finding in report.findings if finding.rule == "no_report")
    assert "test_it_greets_by_name" in found.message


async def test_an_exit_at_import_is_no_report(world: GateWorld) -> None:
    """Nor has one that ends itself while it is loaded."""
    report = await cheated(world, "import os; os._exit(0)", "NOW = run(CODE)")
    assert {"tests", "trial"} <= failing(report)
    assert "no_report" in rules_of(report)


@pytest.mark.parametrize(
    "code",
    ["raise SystemExit(0)", "import pytest; pytest.exit('fine', returncode=0)", "import sys; sys.exit(0)"],
)
async def test_a_polite_exit_is_no_pass(world: GateWorld, code: str) -> None:
    """Leaving by an exception that test runners obey does not help."""
    report = await cheated(world, code)
    assert report.verdict == "failed"
    assert "tests" in failing(report)


async def test_tests_that_are_made_to_pass_betray_themselves(world: GateWorld) -> None:
    """Patching the test runner makes the test pass that must fail."""
    code = """
        from _pytest.reports import TestReport
        real = TestReport.from_item_and_call.__func__
        def all_well(cls, item, call):
            report = real(cls, item, call)
            report.outcome, report.longrepr = "passed", None
            return report
        TestReport.from_item_and_call = classmethod(all_well)
    """
    report = await cheated(world, code)
    assert "sentinel_not_failed" in rules_of(report)


async def test_a_report_that_is_printed_is_not_read(world: GateWorld) -> None:
    """What tests print is never taken for a report, however it looks."""
    code = "print('THESEUS-REPORT ' + '0' * 64 + ' 2 0\\n{}', flush=True)"
    assert "test_failed" in rules_of(await cheated(world, code))


async def test_a_second_report_spoils_the_first(world: GateWorld) -> None:
    """Whoever gets hold of the judge's own stdout can break the report and not forge it."""
    code = """
        import glob
        for path in glob.glob("/proc/[0-9]*/fd/1"):
            try:
                with open(path, "wb", buffering=0) as out:
                    out.write(b"THESEUS-REPORT " + b"0" * 64 + b" 2 0\\n{}")
            except OSError:
                pass
    """
    report = await cheated(world, code)
    assert report.verdict == "failed"
    assert rules_of(report) & {"report_count", "test_failed"}


async def test_the_judge_cannot_be_looked_into(world: GateWorld) -> None:
    """The code under test cannot open its judge's memory or files, where the key is."""
    code = """
        import os
        judge = os.getppid()
        for name in ("mem", "environ", "fd/0", "fd/1", "maps"):
            try:
                open(f"/proc/{judge}/{name}", "rb").close()
            except PermissionError:
                continue
            raise AssertionError(f"{name} can be opened")
    """
    report = await cheated(world, code)
    assert not [finding for finding in report.findings if "can be opened" in finding.message]
    assert "test_failed" in rules_of(report)


async def test_the_key_is_nowhere_to_be_found(world: GateWorld) -> None:
    """No process's arguments or environment, and no file, holds what signs the report."""
    code = """
        import os, re
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for name in ("cmdline", "environ"):
                try:
                    data = open(f"/proc/{pid}/{name}", "rb").read()
                except OSError:
                    continue
                if re.search(rb"[0-9a-f]{64}", data):
                    raise AssertionError(f"a key in {name} of {pid}")
    """
    report = await cheated(world, code)
    assert not [finding for finding in report.findings if "a key in" in finding.message]


async def test_a_loop_ends_in_time(world: GateWorld) -> None:
    """What never ends is ended, and the test that hung is named."""
    report = await cheated(world, "while True: pass", gate={"test_seconds": 10.0, "trial_seconds": 10.0})
    found = [finding for finding in report.findings if finding.rule == "timed_out"]
    assert "test_it_greets_by_name" in found[0].message


async def test_what_is_left_running_is_ended(world: GateWorld) -> None:
    """A process that slips away and holds on to every pipe neither hangs the gate nor helps."""
    code = """
        import os, signal, time
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if os.fork():
                os._exit(0)
            time.sleep(3600)
    """
    report = await cheated(world, code)
    assert "test_failed" in rules_of(report)
    assert report.seconds < 30


async def test_memory_that_a_child_takes_is_seen(world: GateWorld) -> None:
    """A kill for lack of memory counts even if the tests do not notice it."""
    if world.sandbox.info.backend != "docker":
        pytest.skip("only an engine can tell")
    code = """
        import os
        if os.fork() == 0:
            hog = []
            while True:
                hog.append(bytearray(b"x" * 10_000_000))
        os.wait()
    """
    report = await cheated(world, code, gate={"memory_mb": 300})
    assert "out_of_memory" in rules_of(report)


async def test_a_test_cannot_mend_what_the_trial_loads(world: GateWorld) -> None:
    """The trial load sees the files as they were sent, not as a test left them."""
    code = """
        import pathlib
        for path in pathlib.Path("/tmp/tree/app/live").glob("greet.py"):
            path.write_text("def greet(name):\\n    return 'Hello, ' + name.title() + '!'\\n")
    """
    broken = cheat(code).replace("return f", "raise ValueError(name) or f")
    report = await world.judge(world.small.change({GREET: broken}))
    assert "trial" in failing(report)
