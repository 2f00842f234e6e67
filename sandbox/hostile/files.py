"""Fills the scratch folder: one huge file, many large ones, very many empty ones, and all open at once."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from sandbox.hostile.attempt import HELD, THROUGH, Facts, Said, named

MEBI = 1024 * 1024
ROOM = 1.05
"""File systems count in blocks and keep a few entries of their own."""


def main(facts: Facts) -> Said:
    """Each of the bounds in turn, with what was made taken away again in between."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    Path("fill").mkdir()
    os.chdir("fill")
    said = {
        "size of a file": _until(_grow("one"), facts.file_mb),
        "size of the scratch folder": _until(_large(facts.file_mb), facts.scratch_mb),
        "number of files": _until(_empty, facts.scratch_files),
    }
    kept: list[int] = []
    said["open files"] = _until(
        lambda _: kept.append(os.open("/dev/null", os.O_RDONLY)), facts.open_files, after=lambda: _close(kept)
    )
    return said


def _close(opened: list[int]) -> None:
    for number in opened:
        os.close(number)


def _until(deed: Callable[[int], object], most: int, after: Callable[[], object] = bool) -> str:
    """Do something until it is refused; it should be, after so many times."""
    done, met = 0, ""
    while done <= most * ROOM + 1 and not met:
        try:
            deed(done)
            done += 1
        except OSError as error:
            met = named(error)
    after()
    for path in Path().iterdir():
        path.unlink()
    return f"{HELD}: {done}, then {met}" if met else f"{THROUGH}: {done} and more"


def _grow(name: str) -> Callable[[int], object]:
    def grow(_: int) -> None:
        with Path(name).open("ab", buffering=0) as file:
            if file.write(b"x" * MEBI) < MEBI:
                file.write(b"x" * MEBI)

    return grow


def _large(file_mb: int) -> Callable[[int], object]:
    def large(number: int) -> None:
        _grow(f"large{number // file_mb}")(number)

    return large


def _empty(number: int) -> None:
    Path(f"empty{number}").touch(exist_ok=False)
