"""Writes 200 MB to its output, in pieces."""

import sys

from sandbox.hostile.attempt import Facts, Said


def main(facts: Facts) -> Said:
    """The report comes after the flood, if it comes."""
    piece = facts.hostname[:1] * 1_000_000
    for _ in range(200):
        sys.stdout.write(piece)
    return {}
