"""What the witness tells of how long tests last is about the tests, and not about the machine."""

import os
import subprocess
import sys
import time

from selfedit.gate.inside.witness import Lasting

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
