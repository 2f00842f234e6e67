"""A child takes memory until it is stopped; its parent looks away and ends well."""

import os

from sandbox.hostile.attempt import Facts, Said

MEBI = 1024 * 1024


def main(facts: Facts) -> Said:
    """Whether the parent's good end hides it is for the outside to say."""
    child = os.fork()
    if child == 0:
        held = [bytearray(b"x") * MEBI for _ in range(2 * facts.memory_mb)]
        os._exit(len(held) % 2)
    os.waitpid(child, 0)
    return {}
