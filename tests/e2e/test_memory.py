"""What a tool may take of the bot's own process."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

BEGIN = """
    import asyncio

    from agent.calling.executor import Calls
    from agent.tool import Context
    from bot.app import bound_memory
    from policies.load import load_rules
    from tests.fakes.tools import HERE, box, call


    async def hog(context: Context, megabytes: int) -> str:
        \"\"\"Take memory.\"\"\"
        return f"{context.caller} has {len(bytearray(megabytes * 2**20)):,}"


    async def filling(context: Context, bytes_each: int) -> str:
        \"\"\"Take memory, little by little, and without end.\"\"\"
        kept = [context.caller]
        while True:
            kept.append(context.caller + "x" * bytes_each)


    async def ran(name: str, **arguments: int) -> None:
        answered = await Calls(load_rules()).run(box(hog, filling), call(name, **arguments), HERE)
        print(answered.outcome, answered.error, "has" in answered.text, flush=True)
"""
ALL_AT_ONCE = """
    async def main() -> None:
        bound_memory(1024)
        for megabytes in (64, 1024, 64):
            await ran("hog", megabytes=megabytes)


    asyncio.run(main())
"""
BY_LITTLE = """
    async def main() -> None:
        bound_memory(512)
        for bytes_each in (5_000,):
            await ran("filling", bytes_each=bytes_each)
            await ran("hog", megabytes=64)


    asyncio.run(main())
"""


def _printed(program: str) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-c", dedent(BEGIN) + dedent(program)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_a_tool_that_wants_too_much_memory_fails_alone() -> None:
    """A gigabyte more than there is ends one call, with the class of its error, and the next call works."""
    assert _printed(ALL_AT_ONCE) == ["ok  True", "failed MemoryError False", "ok  True"]


def test_a_tool_that_fills_up_little_by_little_gives_it_back() -> None:
    """What a tool took in many small pieces until there was no more is free again when its call has failed."""
    assert _printed(BY_LITTLE) == ["failed MemoryError False", "ok  True"]
