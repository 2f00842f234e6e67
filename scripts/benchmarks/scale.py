"""What a verdict costs as a repository grows: in files, and in tests.

    PYTHONPATH=. python scripts/benchmarks/scale.py [--files 100 5000] [--tests 100 1000 3000]

A small bot is padded with modules or with tests, and the same honest head is judged by never-used sandboxes that stand
ready, by ones that are started when it comes, and by the naive way. The cost of getting the tree together and in
is printed beside them.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from gate_ways import ahead, late, naive

from sandbox.choose import open_sandbox
from sandbox.types import Sandbox, SandboxUnavailable
from selfedit.gate.assemble import assemble
from selfedit.gate.gate import Gate
from selfedit.gate.judging import pack
from selfedit.home import home_for, make_home
from tests.fakes.small_repo import FILES, GREET, SmallRepo, small_rules

ROOT = Path(__file__).resolve().parents[2]
TESTS_A_FILE = 50
MODULE = '"""Module {number}."""\n\n\ndef value() -> int:\n    """A number."""\n    return {number}\n'
TEST = '\n\ndef test_{number}() -> None:\n    assert polite(" n{number} ") == "N{number}"\n'


def main() -> int:
    """Run it; 2 where there is no engine."""
    parser = argparse.ArgumentParser(description="Judge ever larger repositories.")
    parser.add_argument("--files", type=int, nargs="*", default=[100, 5000])
    parser.add_argument("--tests", type=int, nargs="*", default=[100, 1000, 3000])
    given = parser.parse_args()
    if shutil.which("docker") is None:
        print("the naive way needs the docker command; install it to compare", file=sys.stderr)
        return 2
    try:
        return asyncio.run(compare(given.files, given.tests))
    except SandboxUnavailable as error:
        print(error, file=sys.stderr)
        return 2


async def compare(files: Sequence[int], tests: Sequence[int]) -> int:
    """Print a line for each size; how many verdicts were not what they should be."""
    home = make_home(home_for(ROOT))
    sandbox = await open_sandbox("docker", root=ROOT, home=home, owner=f"scale-{os.getpid()}", tell=print)
    wrong = 0
    print(
        f"{'repository':<14} {'tree':>8} {'pack':>7} {'ahead':>8} {'late':>8} {'naive':>8}   {'times faster (late)':>20}"
    )
    try:
        for name, padding in [
            *((f"{number} files", modules(number)) for number in files),
            *((f"{number} tests", files_of_tests(number)) for number in tests),
        ]:
            with tempfile.TemporaryDirectory() as folder:
                wrong += await _line(name, {**FILES, **padding}, Path(folder), sandbox)
    finally:
        await sandbox.close()
    return wrong


async def _line(name: str, files: dict[str, str], folder: Path, sandbox: Sandbox) -> int:
    (folder / "repo").mkdir()
    small = SmallRepo(folder / "repo", files)
    rules = small_rules(folder)
    head = small.edit(GREET, "Say hello.", "Say hello to somebody.")

    async def opened() -> Sandbox:
        return sandbox

    def new() -> Gate:
        return Gate(small.repo, opened, rules, folder / "caches")

    await late(new(), small.base, head)  # fills the caches
    started = time.monotonic()
    assembly = assemble(small.repo, small.base, head, rules)
    read = time.monotonic()
    pack({"tree": assembly.files})
    packed = time.monotonic()
    first = await ahead(new(), small.base, head)
    second = await late(new(), small.base, head)
    third, _ = await asyncio.to_thread(naive, small.repo, rules, sandbox.info.image, small.base, head)
    print(
        f"{name:<14} {read - started:>6.2f} s {packed - read:>5.2f} s {first.seconds:>6.2f} s {second.seconds:>6.2f} s "
        f"{third.seconds:>6.2f} s   {third.seconds / first.seconds:>10.1f} ({third.seconds / second.seconds:.1f})",
        flush=True,
    )
    return sum(each.verdict != "passed" for each in (first, second, third))


def modules(number: int) -> dict[str, str]:
    """So many modules of a kernel, a hundred to a package."""
    found = {}
    for each in range(number):
        package = f"app/part{each // 100}"
        found[f"{package}/__init__.py"] = '"""A part."""\n'
        found[f"{package}/m{each}.py"] = MODULE.format(number=each)
    return found


def files_of_tests(number: int) -> dict[str, str]:
    """So many tests of the kernel."""
    found = {}
    for first in range(0, number, TESTS_A_FILE):
        body = "".join(TEST.format(number=each) for each in range(first, first + TESTS_A_FILE))
        found[f"tests/kernel/test_more_{first}.py"] = f"from app.core import polite\n{body}"
    return found


if __name__ == "__main__":
    sys.exit(main())
