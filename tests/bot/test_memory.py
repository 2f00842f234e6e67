"""What a tool may take of the bot's own process."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

HOG = """
    import asyncio
    import sys

    from agent.chat.calls import Calls
    from agent.tool import Context
    from bot.app import bound_memory
    from policies.load import load_rules
    from tests.fakes.tools import HERE, box, call


    async def hog(context: Context, megabytes: int) -> str:
        \"\"\"Take memory.\"\"\"
        return f"{context.caller} has {len(bytearray(megabytes * 2**20)):,}"


    async def main() -> None:
        rules = load_rules()
        bound_memory(1024)
        for megabytes in (64, 1024, 64):
            answered = await Calls(rules).run(box(hog), call("hog", megabytes=megabytes), HERE)
            print(answered.outcome, answered.error, "has" in answered.text)


    asyncio.run(main())
"""


def test_a_tool_that_wants_too_much_memory_fails_alone() -> None:
    """A gigabyte more than there is ends one call, with the class of its error, and the next call works."""
    ran = subprocess.run(
        [sys.executable, "-c", dedent(HOG)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["ok  True", "failed MemoryError False", "ok  True"]
