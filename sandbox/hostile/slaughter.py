"""Kills every process that it may send a signal to."""

import contextlib
import os
import signal

from sandbox.hostile.attempt import Facts, Said


def main(_: Facts) -> Said:
    """Who is still alive outside is for the outside to say."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError):
            os.kill(-1, number)
    return {}
