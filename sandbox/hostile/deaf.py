"""Ignores every signal that can be ignored, in three sessions, for ever."""

import os
import signal

from sandbox.hostile.attempt import Facts, Said


def main(_: Facts) -> Said:
    """Never returns."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    for _fork in range(2):
        if os.fork() == 0:
            os.setsid()
    while signal.valid_signals():
        signal.pause()
    return {}
