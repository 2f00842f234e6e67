"""What both backends share: what the inside looks like, and how a run's output is kept within bounds."""

import os
from typing import Literal

from sandbox.types import Limits

SCRATCH = "/tmp"  # noqa: S108 - the private, empty one inside, not the host's
TYPE_CACHE = "/opt/theseus/mypy-cache"
"""Where the read-only mypy cache stands inside, in both backends."""
HOSTNAME = "sandbox"
CPUS = min(2, os.cpu_count() or 1)
OPEN_FILES = 1024
STDERR_BYTES = 256 * 1024
"""Stderr is for diagnosis alone; what exceeds this is dropped."""
FLOOD_FACTOR = 4
"""A program that writes so many times what may be kept is ended."""
GRACE_SECONDS = 5
"""The time-out held from inside strikes so much later than the one held from outside."""

ENVIRONMENT = {
    "GIT_PYTHON_REFRESH": "quiet",
    "HOME": SCRATCH,
    "LANG": "C.UTF-8",
    "LOGNAME": HOSTNAME,
    "PYTHONDONTWRITEBYTECODE": "1",
    "TMPDIR": SCRATCH,
    "USER": HOSTNAME,
}
"""The whole environment inside, but for PATH. Nothing of the host's."""


class Capture:
    """Takes what a program says, keeps as much as is allowed, and knows a flood when it sees one."""

    def __init__(self, limits: Limits) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.truncated = False
        self._stdout_room = limits.output_bytes
        self._flood = FLOOD_FACTOR * (limits.output_bytes + STDERR_BYTES)

    def take(self, stream: Literal["stdout", "stderr"], data: bytes | memoryview) -> bool:
        """Keep what fits; False when the program should be ended because it floods."""
        self._flood -= len(data)
        if stream == "stderr":
            self.stderr += data[: STDERR_BYTES - len(self.stderr)]
        else:
            room = self._stdout_room - len(self.stdout)
            self.truncated = self.truncated or len(data) > room
            self.stdout += data[:room]
        return self._flood > 0
