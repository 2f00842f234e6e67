"""A stand-in for a sandbox that ISOLATES NOTHING: it runs the command as a plain child process.

Only for tests of what runs inside a sandbox, with code that the test itself wrote.
"""

import asyncio
import contextlib
import sys
import tempfile

from sandbox.ahead import Ahead, Feed, at_once
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
        return await self._run(command, at_once(command))

    def start_ahead(self, command: Command, *, wait_seconds: float) -> Ahead:
        """Start a command with the first part of its input."""
        return Ahead(self._run, command, wait_seconds, set())

    async def _run(self, command: Command, feed: Feed) -> Outcome:
        self.ran += 1
        with tempfile.TemporaryDirectory() as folder:
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                cwd=folder,
                env={"PATH": "/usr/bin:/bin", "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8"},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            stdin = process.stdin
            assert stdin is not None

            async def write(data: bytes) -> None:
                stdin.write(data)
                await stdin.drain()

            async def feeding() -> None:
                await feed.send(write)
                stdin.close()

            fed = asyncio.create_task(feeding())
            try:
                async with feed.timed():
                    stdout, stderr = await asyncio.gather(_all(process.stdout), _all(process.stderr))
                    await process.wait()
            except TimeoutError:
                return Outcome(exit_code=None, timed_out=True, seconds=feed.seconds)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                fed.cancel()
                await asyncio.gather(fed, return_exceptions=True)
        return Outcome(exit_code=process.returncode, stdout=stdout, stderr=stderr, seconds=feed.seconds)

    async def close(self) -> None:
        """Nothing is held."""


async def _all(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()
