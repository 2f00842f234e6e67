"""Runs a program that it brought along: from the scratch folder, from memory, and as memory."""

import ctypes
import mmap
import os
import shutil
from pathlib import Path

from sandbox.hostile.attempt import Facts, Said, attempt, system_call


def main(_: Facts) -> Said:
    """Scripts for an interpreter that is there anyway are no matter; programs of the machine are."""
    return {
        "programs in the scratch folder": attempt(_scratch),
        "code mapped from the scratch folder": attempt(_mapped),
        "programs in memory": attempt(_memory),
    }


def _copy() -> Path:
    path = Path("program")
    shutil.copyfile("/usr/bin/true", path)
    path.chmod(0o755)
    return path


def _run(path: str) -> None:
    """Run a program; it must not have been found a fault with."""
    child = os.posix_spawn(path, [path], {})
    os.waitpid(child, 0)


def _scratch() -> None:
    _run(str(_copy().absolute()))


def _mapped() -> None:
    with _copy().open("rb") as file:
        mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()


def _memory() -> None:
    opened = system_call("memfd_create", ctypes.c_char_p(b"program").value or b"", 0)
    os.write(opened, Path("/usr/bin/true").read_bytes())
    _run(f"/proc/self/fd/{opened}")
