"""Leaves a process behind that has no parent, no session and no streams, and that writes files later."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from sandbox.hostile.attempt import Facts, Said


def main(facts: Facts) -> Said:
    """Whether anything is left is for the outside to say."""
    ready, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_IGN)
            os.closerange(0, 3)
            os.write(tell, b"x")
            while facts.hostname:
                for folder in (facts.scratch, *facts.folders):
                    with suppress(OSError):
                        (Path(folder) / "late").write_text("I am still here")
                time.sleep(0.05)
        os._exit(0)
    os.read(ready, 1)
    os.wait()
    return {}
