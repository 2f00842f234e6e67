"""What the witness tells of how long tests last is about the tests, and not about the machine; none is run twice."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import zip_longest
from typing import cast

import pytest

from selfedit.gate.inside.witness import Dealt, Lasting

SPIN = "import os; os.sched_setaffinity(0, {%d}); print(flush=True)\nwhile True: pass"
WORK = 0.3
"""Seconds on a processor."""


def test_waiting_counts() -> None:
    """A test that sleeps lasts as long as it sleeps."""
    lasting = Lasting()
    time.sleep(0.05)
    assert lasting.seconds() >= 0.05


def test_what_others_take_of_a_processor_does_not_count() -> None:
    """On a processor that is shared, the time of the others is left out."""
    mine = os.sched_getaffinity(0)
    processor = min(mine)
    with subprocess.Popen([sys.executable, "-c", SPIN % processor], stdout=subprocess.PIPE) as other:
        try:
            os.sched_setaffinity(0, {processor})
            assert other.stdout is not None
            other.stdout.readline()
            lasting, began, until = Lasting(), time.monotonic(), time.process_time() + WORK
            while time.process_time() < until:
                pass
            seconds, wall = lasting.seconds(), time.monotonic() - began
        finally:
            os.sched_setaffinity(0, mine)
            other.kill()
    assert 0.9 * WORK <= seconds < 0.8 * wall


@dataclass(frozen=True)
class Item:
    """As much of a test as is looked at when tests are dealt."""

    nodeid: str


def test_each_test_of_the_pool_is_run_by_one_witness() -> None:
    """Whoever is done gets the next file; each runs its own tests first but for the last, which ends its run."""
    pool = [f"tests/test_{number}.py" for number in range(5)]
    reading, writing = os.pipe()
    os.write(writing, bytes(range(len(pool))))
    os.close(writing)
    shared = [f"{path}::test_{name}" for path in pool for name in "ab"]
    runs = []
    for own in ("tests/test_x.py", "tests/test_y.py"):
        names = [f"{own}::test_a", *shared, f"{own}::test_z", "/judge/test_s.py::test_s"]
        runs.append(Dealt(reading, pool).out([cast("pytest.Item", Item(name)) for name in names]))
    ran = [
        [item.nodeid for item in each if item is not None] for each in zip(*zip_longest(*runs), strict=True)
    ]
    os.close(reading)
    for each, own in zip(ran, ("x", "y"), strict=True):
        assert each[:2] == [f"tests/test_{own}.py::test_a", f"tests/test_{own}.py::test_z"]
        assert each[-1] == "/judge/test_s.py::test_s"
        assert len(each) > 3
    assert sorted(name for each in ran for name in each[2:-1]) == sorted(shared)
