"""Crashes with much in memory: no file of it should be left, and nothing should be started outside to look at it."""

import os
import resource
from contextlib import suppress
from pathlib import Path

from sandbox.hostile.attempt import HELD, THROUGH, Facts, Said, attempt

MEBI = 1024 * 1024


def main(facts: Facts) -> Said:
    """The bound on such files cannot be lifted; where the kernel hands them to a program no bound counts."""
    lifted = attempt(_lift)
    child = os.fork()
    if child == 0:
        held = bytearray(b"x") * (8 * MEBI)
        os.chdir(facts.scratch)
        os.abort() if held else None
    os.waitpid(child, 0)
    pattern = ""
    with suppress(OSError):
        pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    found = [str(path) for path in Path(facts.scratch).glob("*core*")]
    return {
        "a higher bound on crash files": lifted,
        "crash files": f"{THROUGH}: {', '.join(found)}" if found else f"{HELD}: none",
        "programs started by a crash": f"{THROUGH}: {pattern}"
        if pattern.startswith("|")
        else f"{HELD}: none",
    }


def _lift() -> None:
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except ValueError as error:
        raise PermissionError(1, str(error)) from error
