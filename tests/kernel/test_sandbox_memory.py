"""How the memory of a run is looked at from outside."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sandbox.memory import tree_memory

BUSY = """
import subprocess, threading
def start_and_end():
    while True:
        subprocess.run(["/bin/true"])
for _ in range(4):
    threading.Thread(target=start_and_end).start()
print(flush=True)
"""
HOLDING = """
import os, sys, time
held = bytearray(64 * 2**20)
held[::4096] = b"x" * len(held[::4096])
if len(sys.argv) > 1:
    print(flush=True)
    time.sleep(60)
code = sys.orig_argv[3]
os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-I", "-c", code, "child"])
"""
LOOKS = 400
MEBI = 1024 * 1024


@pytest.fixture
def busy() -> Iterator[int]:
    """The id of a process whose children come and go all the time."""
    with subprocess.Popen([sys.executable, "-I", "-c", BUSY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def test_children_that_end_while_they_are_looked_at_are_no_memory(busy: int) -> None:
    """A program that starts and ends others as fast as it can is measured each time, and holds little."""
    assert all(0 < tree_memory(busy) < 512 * MEBI for _ in range(LOOKS))


def test_what_a_child_holds_counts() -> None:
    """A process and its child that hold 64 MiB each are seen to hold both."""
    with subprocess.Popen(
        [sys.executable, "-I", "-c", HOLDING], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        held = tree_memory(process.pid)
        os.killpg(process.pid, signal.SIGKILL)
    assert 128 * MEBI <= held < 256 * MEBI


def test_a_process_that_is_gone_holds_nothing() -> None:
    """An id that nobody has any more is no error."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert tree_memory(process.pid) == 0
