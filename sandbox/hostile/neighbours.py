"""Looks for other processes: only its own should be in sight, and of the first one nothing that it has not itself."""

import os
from pathlib import Path

from sandbox.hostile.attempt import HELD, THROUGH, Facts, Said, first

FEW = 16
"""A sandbox of its own has the first process, a time-out and this one; any machine has more than this."""


def main(_: Facts) -> Said:
    """Nothing is done to what is found."""
    seen = sum(1 for _ in Path("/proc").glob("[0-9]*"))
    names = os.listdir("/proc/self/ns")  # noqa: PTH208 - names are what is wanted
    return {
        "processes in sight": f"{HELD if seen <= FEW else THROUGH}: {seen}",
        "namespaces of the first process": first({name: _same(f"ns/{name}") for name in names}),
        "the root of the first process": _same("root"),
        "memory of the first process": _memory(),
    }


def _same(name: str) -> str:
    """Whether a thing of the first process is what this one has as well, if it can be seen at all."""
    try:
        other, own = Path(f"/proc/1/{name}").stat(), Path(f"/proc/self/{name}").stat()
    except OSError as error:
        return f"{HELD}: {error.strerror}"
    same = (other.st_dev, other.st_ino) == (own.st_dev, own.st_ino)
    return f"{HELD}: the same" if same else f"{THROUGH}: another"


def _memory() -> str:
    """Where the first process runs as the same user its memory opens, and holds nothing but a small `init`."""
    try:
        with Path("/proc/1/mem").open("rb", buffering=0):
            program = Path("/proc/1/cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
    except OSError as error:
        return f"{HELD}: {error.strerror}"
    own = program.endswith(("docker-init", "tini", "bwrap"))
    return f"{HELD if own else THROUGH}: that of {program}"
