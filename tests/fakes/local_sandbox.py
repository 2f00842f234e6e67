"""A stand-in for a sandbox that ISOLATES NOTHING: it runs the command as a plain child process.

Only for tests of what runs inside a sandbox, with code that the test itself wrote.
"""

import asyncio
import contextlib
import sys
import tempfile
import time

from sandbox.types import Command, Outcome, SandboxInfo


class LocalSandbox:
    """Runs commands in an empty folder of their own, with this interpreter, and counts them."""

    info = SandboxInfo(backend="local", image="none", reduced=True)
    python = sys.executable
    type_cache = ""

    def __init__(self) -> None:
        self.ran = 0

    async def run(self, command: Command) -> Outcome:
        """Run a command. Of the limits, only time counts."""
        self.ran += 1
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                cwd=folder,
                env={"PATH": "/usr/bin:/bin", "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8"},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                said = process.communicate(command.stdin)
                stdout, stderr = await asyncio.wait_for(said, command.limits.seconds)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                return Outcome(exit_code=None, timed_out=True, seconds=time.monotonic() - started)
        seconds = time.monotonic() - started
        return Outcome(exit_code=process.returncode, stdout=stdout, stderr=stderr, seconds=seconds)

    async def close(self) -> None:
        """Nothing is held."""
