"""What it means to run a command in isolation: the port that both backends fill."""

from collections.abc import Callable
from typing import Protocol

from pydantic import BaseModel, ConfigDict

Progress = Callable[[str], None]
"""Told one short sentence at a time while something slow goes on."""


class Limits(BaseModel):
    """What one run may use. Memory in MiB, time in seconds of wall clock, output in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = 180.0
    memory_mb: int = 1536
    processes: int = 128
    scratch_mb: int = 256
    """Size of the private, empty, writable /tmp. Nothing else can be written."""
    scratch_files: int = 32768
    file_mb: int = 64
    """Largest single file."""
    output_bytes: int = 8 * 1024 * 1024
    """Stdout beyond this is dropped, and the outcome says `truncated`."""


class Command(BaseModel):
    """A program to run: no shell, no environment, no mounts of the caller's choice.

    The program gets its input over stdin and answers over stdout; its working folder is /tmp.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    argv: tuple[str, ...]
    stdin: bytes = b""
    limits: Limits = Limits()
    purpose: str = "run"
    """A word for labels and logs."""


class Outcome(BaseModel):
    """What became of a command. A failing command is an outcome, not an exception."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exit_code: int | None
    """None when it was ended from outside (time-out, engine)."""
    stdout: bytes = b""
    stderr: bytes = b""
    seconds: float = 0.0
    timed_out: bool = False
    out_of_memory: bool = False
    """The engine's own flag, where it has one: true even if only a child was killed."""
    truncated: bool = False


class Protection(BaseModel):
    """One thing that shields the host, and whether this backend holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    held: bool
    detail: str = ""


class SandboxInfo(BaseModel):
    """What a report says of the place where the judging was done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str
    """`docker` or `bubblewrap`."""
    image: str
    """Digest of the image, or a hash of the host's interpreter and packages."""
    reduced: bool
    """True where the backend holds less than the full profile."""
    protections: tuple[Protection, ...] = ()


class SandboxUnavailable(Exception):
    """No sandbox can be had. Its text is one sentence for people that says what to install."""


class Started(Protocol):
    """A run that was started ahead, and waits for the rest of its input. It is good for one use."""

    @property
    def alive(self) -> bool:
        """Whether it still waits; what has ended before its time is of no use."""

    async def finish(self, rest: bytes) -> Outcome:
        """Give it the rest of its input, and wait for its end; the time of its limits runs from here.

        Raises:
            SandboxUnavailable: The engine could not be reached or failed, so nothing is known of the command.
        """

    async def hear(self, rest: bytes, whole: Callable[[bytes], bool]) -> Outcome:
        """Give it the rest of its input, and wait for its end or, where an end takes long, until its stdout is `whole`.

        Returns:
            As `finish` does where it ended before; else an outcome without an exit code: it ends behind the caller's back.

        Raises:
            SandboxUnavailable: The engine could not be reached or failed, so nothing is known of the command.
        """

    async def drop(self) -> None:
        """End it without having used it; may be called twice."""


class Sandbox(Protocol):
    """A place in which untrusted programs run: never one at hand means never a run outside."""

    @property
    def info(self) -> SandboxInfo:
        """What this place is and holds."""

    @property
    def python(self) -> str:
        """Path, inside, of the interpreter that has the project's dependencies and tools."""

    @property
    def type_cache(self) -> str:
        """Path, inside, of the read-only mypy cache for third-party packages; empty if there is none."""

    async def run(self, command: Command) -> Outcome:
        """Run a command in a sandbox made for it alone, and take the sandbox away.

        Raises:
            SandboxUnavailable: The engine could not be reached or failed, so nothing is known of the command.
        """

    def start_ahead(self, command: Command, *, wait_seconds: float) -> Started:
        """Start a command in a sandbox made for it alone, with the first part of its input.

        Args:
            command: What to run; its limits count from when it has the rest of its input.
            wait_seconds: It is ended when the rest has not come for so long.
        """

    async def close(self) -> None:
        """Let go of what is held; may be called twice."""
