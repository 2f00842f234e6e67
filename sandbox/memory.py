"""How much memory a process and all that it started hold, as far as Linux tells."""

import os
from pathlib import Path

PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def tree_memory(pid: int) -> int:
    """Bytes held by a process and its descendants; what several of them share counts only once where known."""
    return sum(_own(member) for member in _tree(pid))


def _tree(pid: int) -> list[int]:
    members = [pid]
    for member in members:  # grows while it is walked
        members += _children(PROC / str(member) / "task")
    return members


def _children(tasks: Path) -> list[int]:
    """What the threads of a process have started; nothing of those that end while they are looked at."""
    found: list[int] = []
    try:
        threads = list(tasks.iterdir())
    except OSError:
        return found
    for thread in threads:
        try:
            found += map(int, (thread / "children").read_text("ascii").split())
        except (OSError, ValueError):
            continue
    return found


def _own(pid: int) -> int:
    """The proportional share where it may be read, else what is resident and not shared."""
    try:
        for line in (PROC / str(pid) / "smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        resident, shared = (PROC / str(pid) / "statm").read_text("ascii").split()[1:3]
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * _PAGE
