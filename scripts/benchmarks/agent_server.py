"""The model that every way of the agent benchmark asks: calls a tool once a turn, then answers with what it said.

    PYTHONPATH=. python scripts/benchmarks/agent_server.py

prints its address and serves until it is ended. What it answers follows from the request alone, so that many
conversations can be held at once and each answer can be told right from wrong.
"""

import asyncio
import sys
from typing import Any

from agent.providers.scripted import OVER, Script, Turn, Use
from tests.fakes.scripted import serving

TALK = "Here is what I have found out for you about the word that you asked for, said at some length: "
"""Goes before what the tool said, so that an answer streams in about as many pieces as a short one has tokens."""


class Asked(Script):
    """Answers a request by its last message, and keeps none of them."""

    def __init__(self) -> None:
        super().__init__([])

    def next(self, request: dict[str, Any], key: str = "") -> Turn:
        """A call for a question, an answer for a result."""
        del key
        last = request["messages" if "messages" in request else "input"][-1]
        said = last.get("content") or last.get("output") or ""
        if isinstance(said, list):  # some send a text in parts
            said = "".join(part.get("text", "") for part in said)
        if last.get("role") == "tool" or last.get("type") == "function_call_output":
            return Turn(text=f"{TALK * 3}{said}")
        word, _, what = said.partition(" ")
        if word == "look":
            return Turn(calls=(Use(name="look_up", arguments={"word": what, "language": "English"}),))
        if word == "wait":
            return Turn(calls=tuple(Use(name="wait", arguments={"seconds": 1.0, "who": who}) for who in "ab"))
        return OVER

    def fault(self, what: str) -> None:
        """Say what was ill-formed: a way that asks so is none to compare with."""
        sys.stderr.write(f"ill-formed: {what}\n")


async def main() -> None:
    """Serve until ended."""
    async with serving("openai", Asked()) as address:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
