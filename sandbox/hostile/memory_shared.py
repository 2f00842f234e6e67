"""Takes more memory than it may have, though no process of it does: as files in the scratch folder."""

from pathlib import Path

from sandbox.hostile.attempt import HELD, THROUGH, Facts, Said

MEBI = 1024 * 1024


def main(facts: Facts) -> Said:
    """The scratch folder must be given more room than there is memory, for this to tell anything."""
    wanted = facts.memory_mb + facts.memory_mb // 2
    with Path("hoard").open("wb", buffering=0) as file:
        for number in range(wanted):
            try:
                file.write(b"x" * MEBI)
            except OSError as error:
                return {"memory held as files": f"{HELD}: {number} MiB, then {error.strerror}"}
    return {"memory held as files": f"{THROUGH}: {wanted} MiB"}
