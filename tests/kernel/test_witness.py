"""What the witness tells of how long tests last is about the tests, and not about the machine; none is run twice."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import zip_longest
from typing import cast

import pytest

from selfedit.gate.inside.witness import Lasting, Pool

SPIN = "import os; os.sched_setaffinity(0, {%d}); print(flush=True)\nwhile True: pass"
WORK = 0.3
"""Seconds on a processor."""


def test_waiting_counts() -> None:
    """A test that sleeps lasts as long as it sleeps, and has nothing to do meanwhile; while it works, it has."""
    lasting = Lasting()
    time.sleep(0.06)
    seconds, idle = lasting.so_far()
    assert 0.05 <= idle <= seconds
    lasting.begin()
    until = time.thread_time() + WORK
    while time.thread_time() < until:
        pass
    seconds, idle = lasting.so_far()
    assert idle < 0.5 * seconds


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
            (seconds, _), wall = lasting.so_far(), time.monotonic() - began
        finally:
            os.sched_setaffinity(0, mine)
            other.kill()
    assert 0.9 * WORK <= seconds < 0.8 * wall


@dataclass(frozen=True)
class Item:
    """As much of a test as is looked at when tests are dealt."""

    nodeid: str


def test_each_test_of_the_pool_is_run_by_one_witness() -> None:
    """Whoever is done draws the next file, and none that another has drawn."""
    pool = [f"tests/test_{number}.py" for number in range(5)]
    reading, writing = os.pipe()
    os.write(writing, bytes(range(len(pool))))
    os.close(writing)
    shared = [f"{path}::test_{name}" for path in pool for name in "ab"]
    drawn = []
    for own in ("tests/test_x.py::test_a", "tests/test_y.py::test_a"):
        mine, files = Pool(reading, pool).apart([cast("pytest.Item", Item(name)) for name in [own, *shared]])
        assert [item.nodeid for item in mine] == [own]
        assert [item.nodeid for path in pool for item in files[path]] == shared
        drawn.append(Pool(reading, pool).draw())
    ran = [[path for path in each if path] for each in zip(*zip_longest(*drawn), strict=True)]
    os.close(reading)
    assert all(ran)
    assert sorted(path for each in ran for path in each) == pool
