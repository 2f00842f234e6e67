"""What both backends hold to, as one object, and what they say that it shields.

A run's caller chooses limits and nothing else. What an engine or a kernel cannot hold is not left out in
silence: it stands among the `protections` as not held, and `sandbox.probe` tries out whether that is true.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from sandbox.types import Limits, Protection

MEBI = 1024 * 1024
_SCRATCH = "/tmp"  # noqa: S108 - the private, empty one inside, not the host's
_ENVIRONMENT = MappingProxyType(
    {
        "GIT_PYTHON_REFRESH": "quiet",
        "HOME": _SCRATCH,
        "LANG": "C.UTF-8",
        "LOGNAME": "sandbox",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": _SCRATCH,
        "USER": "sandbox",
    }
)


@dataclass(frozen=True, slots=True)
class SandboxProfile:
    """All that holds for every run, whatever runs. Bounds that differ from run to run are `Limits`.

    Both backends besides: no network but a loopback of its own, no capabilities and no way to new ones, an
    own count of processes, host name and message queues, a root that cannot be written to, no mounts.
    """

    user: int = 65534
    """The user and group inside; as root bubblewrap takes one of `users` instead."""
    users: range = range(64000, 65000)
    """Ids that Debian leaves unallocated; each run takes one, so that runs do not share a count of processes."""
    hostname: str = "sandbox"
    scratch: str = _SCRATCH
    """The one folder that can be written to: empty, private, in memory. Also home and working folder."""
    scratch_options: tuple[str, ...] = ("rw", "noexec", "nosuid", "nodev", "mode=1777")
    type_cache: str = "/opt/theseus/mypy-cache"
    """Where the read-only mypy cache stands inside."""
    environment: Mapping[str, str] = field(default_factory=lambda: _ENVIRONMENT)
    """The whole of it, but for PATH. Nothing of the host's."""
    system_calls: str = "seccomp.json"
    """The allow-list: a file that stands beside this one."""
    cpus: int = min(2, os.cpu_count() or 1)
    open_files: int = 1024
    core_bytes: int = 0
    """No files of a crash."""
    oom_score: int = 500
    """When the host itself runs out of memory, a run goes first. It may lower this, but not below the engine's own."""
    stderr_bytes: int = 256 * 1024
    """Stderr is for diagnosis alone; what exceeds this is dropped."""
    flood_factor: int = 4
    """A program that writes so many times what may be kept is ended."""
    grace_seconds: int = 5
    """The time-out held from inside strikes so much later than the one held from outside."""


PROFILE = SandboxProfile()


class Shield(StrEnum):
    """What stands between a run and its host, one by one."""

    NETWORK = "no network"
    RIGHTS = "no capabilities, no new privileges"
    WRITES = "read-only but for a private /tmp"
    HOST = "nothing of the host's is seen"
    CALLS = "system calls on an allow-list"
    MEMORY = "memory of the whole run"
    SWAP = "no swap"
    PROCESSES = "number of processes"
    PROCESSORS = "processors"
    SIZES = "size of /tmp, of a file, and of what is open"
    FILES = "number of files in /tmp"
    EXECUTE = "no programs run from /tmp"
    ENDS = "every run ends, with all that it started"
    OOM = "out-of-memory kills are seen"
    CRASH = "a crash starts nothing outside"
    NAMESPACE = "a user namespace of its own"
    PATHS = "paths outside are not told"


EXTRA = frozenset({Shield.CRASH, Shield.NAMESPACE, Shield.PATHS})
"""What the full profile does not demand: the host's and the engine's own settings decide on these."""


def stated(missing: Mapping[Shield, str], details: Mapping[Shield, str]) -> tuple[Protection, ...]:
    """What a backend says of itself: every shield, held or not.

    Args:
        missing: Those that it does not hold, each with the reason or with what it does instead.
        details: A word on some of those that it holds.
    """
    return tuple(
        Protection(
            name=shield, held=shield not in missing, detail=missing.get(shield) or details.get(shield, "")
        )
        for shield in Shield
    )


def reduced(protections: tuple[Protection, ...]) -> bool:
    """Whether something of the full profile is not held."""
    return any(not found.held and found.name not in EXTRA for found in protections)


def crash_handler() -> str:
    """The program that this kernel starts, outside of any sandbox, when a process crashes; empty if none."""
    try:
        pattern = Path("/proc/sys/kernel/core_pattern").read_text("utf-8").strip()
    except OSError:
        return ""
    return pattern if pattern.startswith("|") else ""


class Capture:
    """Takes what a program says, keeps as much as is allowed, and knows a flood when it sees one."""

    def __init__(self, limits: Limits) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.truncated = False
        self._stdout_room = limits.output_bytes
        self._flood = PROFILE.flood_factor * (limits.output_bytes + PROFILE.stderr_bytes)

    def take(self, stream: Literal["stdout", "stderr"], data: bytes | memoryview) -> bool:
        """Keep what fits; False when the program should be ended because it floods."""
        self._flood -= len(data)
        if stream == "stderr":
            self.stderr += data[: PROFILE.stderr_bytes - len(self.stderr)]
        else:
            room = self._stdout_room - len(self.stdout)
            self.truncated = self.truncated or len(data) > room
            self.stdout += data[:room]
        return self._flood > 0
