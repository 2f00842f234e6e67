"""Forks for ever, in every process that it has made."""

import contextlib
import os

from sandbox.hostile.attempt import Facts, Said


def main(facts: Facts) -> Said:
    """Never returns."""
    while facts.processes:
        with contextlib.suppress(OSError, MemoryError):
            os.fork()
    return {}
