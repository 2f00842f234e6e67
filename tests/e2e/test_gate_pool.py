"""Files of tests that are for whichever process is done: each is run once, whatever code under test does to the pipe."""

import pytest

from tests.e2e.gate_world import GateWorld, failing, opened_sandbox, rules_of, world
from tests.fakes.small_repo import GREET, text

__all__ = ["opened_sandbox", "world"]

PARTS = 8
CONFTEST = '''
    """What is there once for all tests of a process."""

    from collections.abc import Iterator

    import pytest

    OPENED: list[int] = []


    @pytest.fixture(scope="session")
    def opened() -> Iterator[int]:
        """Can be opened only once."""
        OPENED.append(1)
        assert len(OPENED) == 1
        yield len(OPENED)
        OPENED.append(1)
'''
PART = '''
    """Tests."""

    import pytest

    from app.live.greet import greet


    @pytest.mark.parametrize("name", ["ann", "bob"])
    def test_part_{number}(opened: int, name: str) -> None:
        assert opened == 1
        assert name.title() in greet(name)
'''
GREETING = '''
    """Greets."""

    from app.core import polite, run

    CODE = "{code}"


    def greet(name: str) -> str:
        """Say hello, and do something else."""
        run(CODE)
        return f"Hello, {{polite(name)}}!"
'''
PIPES = """
    import os, stat
    there = [fd for fd in range(3, 64) if os.path.exists(f"/proc/self/fd/{fd}")]
    pipes = [fd for fd in there if stat.S_ISFIFO(os.fstat(fd).st_mode)]
    reading = [fd for fd in pipes if not int(open(f"/proc/self/fdinfo/{fd}").read().split("flags:")[1].split()[0], 8) & 1]
"""
EMPTIES = "    for fd in reading: os.read(fd, 100)\n"
FILLS = '    for fd in reading: os.write(os.open(f"/proc/self/fd/{fd}", os.O_WRONLY), bytes([0, 1, 200]))\n'


def with_parts(world: GateWorld) -> str:
    """A commit of main with some more files of tests."""
    parts = {f"tests/kernel/test_part_{number}.py": PART.format(number=number) for number in range(PARTS)}
    return world.small.change({"tests/conftest.py": CONFTEST, **parts})


async def test_each_file_is_run_once(world: GateWorld) -> None:
    """All tests run, and what is set up for a session is set up once in each process, and torn down at its end."""
    base = with_parts(world)
    head = world.small.edit(GREET, "Say hello.", "Say hello to somebody.", on=base)
    report = await world.gate(gate={"checks": ("tests",)}).judge(base, head)
    assert report.verdict == "passed", report.findings
    tests = next(check for check in report.checks if check.name == "tests")
    assert f"{2 * PARTS + 3} passed" in tests.summary, tests.summary


@pytest.mark.parametrize(("code", "rule"), [(EMPTIES, "manifest_missing"), (FILLS, "")])
async def test_the_pipe_of_the_pool_helps_no_cheat(world: GateWorld, code: str, rule: str) -> None:
    """Who takes the numbers keeps tests from being run, which shows; who adds some comes to no good end."""
    base = with_parts(world)
    cheat = GREETING.format(code=text(PIPES + code).encode().hex())
    report = await world.gate(gate={"checks": ("tests",)}).judge(
        base, world.small.change({GREET: cheat}, on=base)
    )
    assert report.verdict == "failed"
    assert failing(report) == {"tests"}
    assert rule in rules_of(report) | {""}
