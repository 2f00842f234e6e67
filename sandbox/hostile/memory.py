"""Takes memory, a mebibyte at a time, to twice what it may have."""

from sandbox.hostile.attempt import HELD, THROUGH, Facts, Said

MEBI = 1024 * 1024


def main(facts: Facts) -> Said:
    """Every page is written to, so that it is there for real."""
    held: list[bytearray] = []
    try:
        for _ in range(2 * facts.memory_mb):
            held.append(bytearray(b"x") * MEBI)  # noqa: PERF401 - what was had before the refusal must stay
    except MemoryError:
        had = len(held)
        held.clear()
        return {"memory of a process": f"{HELD}: {had} MiB, then no more"}
    return {"memory of a process": f"{THROUGH}: {len(held)} MiB"}
