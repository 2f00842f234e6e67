"""Runs code that a model wrote: in the sandbox or not at all, without a network, and within small limits."""

import asyncio
from collections.abc import Awaitable, Callable

from agent.services.cleaning import plain
from agent.tool import ToolRefused
from policies.load import ServiceRules
from sandbox.types import Command, Limits, Outcome, Sandbox, SandboxUnavailable

MOST_CODE = 50_000
"""Characters of a program."""
LEAST_SECONDS = 0.5
AT_ONCE = 2
"""Programs that run side by side."""

OpenSandbox = Callable[[], Awaitable[Sandbox]]
"""Opens the sandbox, or hands over the one that is open; raises `SandboxUnavailable`."""


class SandboxRunner:
    """The sandbox as a tool sees it: code goes in, what it printed comes out. The sandbox is opened at first use."""

    def __init__(self, open_sandbox: OpenSandbox, rules: ServiceRules) -> None:
        self._open = open_sandbox
        self._rules = rules
        self._running = asyncio.Semaphore(AT_ONCE)

    async def python(self, code: str, seconds: float) -> str:
        """Run a Python program, and tell what it printed and how it ended.

        Args:
            code: The program; it gets no input and no file.
            seconds: How long it may take; never more than the rules allow.

        Raises:
            ToolRefused: The program is too long, or there is no sandbox.
        """
        if not code.strip() or len(code) > MOST_CODE:
            raise ToolRefused(f"a program has between 1 and {MOST_CODE:,} characters; send a shorter one")
        limits = Limits(
            seconds=min(max(seconds, LEAST_SECONDS), self._rules.run_seconds),
            memory_mb=self._rules.run_memory_mb,
            processes=16,
            scratch_mb=32,
            scratch_files=1024,
            file_mb=16,
            output_bytes=self._rules.run_output_bytes,
        )
        try:
            async with self._running:
                sandbox = await self._open()
                argv = (sandbox.python, "-I", "-B", "-X", "utf8", "-")
                command = Command(
                    argv=argv, stdin=code.encode(errors="replace"), limits=limits, purpose="tool"
                )
                outcome = await sandbox.run(command)
        except SandboxUnavailable as error:
            raise ToolRefused(f"code can be run in a sandbox only: {error}") from error
        return _told(outcome, limits, self._rules.run_output_bytes)


def _told(outcome: Outcome, limits: Limits, most: int) -> str:
    said = [_ending(outcome, limits)]
    for name, data in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
        if text := plain(data[:most].decode(errors="replace")):
            said.append(f"{name}:\n{text}")
    if outcome.truncated:
        said.append(f"[it printed more than {limits.output_bytes:,} bytes; the rest is dropped]")
    return "\n".join(said)


def _ending(outcome: Outcome, limits: Limits) -> str:
    if outcome.timed_out:
        return f"It was ended after {limits.seconds:g} s, the longest it may take."
    if outcome.out_of_memory:
        return f"It was ended because it needed more than {limits.memory_mb} MiB of memory."
    if outcome.exit_code is None:
        return "It was ended from outside."
    return f"It ended with exit code {outcome.exit_code} after {outcome.seconds:.1f} s."
