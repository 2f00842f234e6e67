"""Writes to its output and its errors for ever."""

import sys

from sandbox.hostile.attempt import Facts, Said


def main(facts: Facts) -> Said:
    """Never returns."""
    line = f"{facts.hostname}\n" * 1000
    while line:
        sys.stdout.write(line)
        sys.stderr.write(line)
    return {}
