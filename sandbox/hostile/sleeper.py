"""Does nothing, for ever."""

import signal

from sandbox.hostile.attempt import Facts, Said


def main(_: Facts) -> Said:
    """Never returns."""
    while signal.valid_signals():
        signal.pause()
    return {}
