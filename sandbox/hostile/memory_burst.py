"""Takes more memory than the run may have, in processes that each stay within it, for a moment only."""

import os
import select
import signal

from sandbox.hostile.attempt import HELD, THROUGH, Facts, Said

MEBI = 1024 * 1024
CHILDREN = 4
SECONDS = 3.0
"""Who has not said by then that it has its memory does not get it."""


def main(facts: Facts) -> Said:
    """Each child takes three quarters; all that say that they had it, had it at the same time."""
    share = facts.memory_mb * 3 // 4
    ready, tell = os.pipe()
    children = [_child(share, ready, tell) for _ in range(CHILDREN)]
    os.close(tell)
    had = 0
    while had < CHILDREN and select.select([ready], [], [], SECONDS)[0] and os.read(ready, 1):
        had += 1
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    total = had * share
    return {
        "memory of several processes": f"{THROUGH if total > facts.memory_mb else HELD}: {total} MiB at once"
    }


def _child(share: int, ready: int, tell: int) -> int:
    if child := os.fork():
        return child
    os.close(ready)
    held = bytearray(b"x") * (share * MEBI)
    os.write(tell, b"x" if held else b"")
    signal.pause()
    os._exit(0)
