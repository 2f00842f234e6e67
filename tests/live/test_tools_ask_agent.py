"""`ask_agent` hands a question on, and what comes back as it came."""

import pytest

from agent.live.tools.ask_agent import ask_agent
from agent.tool import Context, Result, ToolRefused


class Agents:
    """Other agents that may be asked."""

    async def ask(self, agent: str, question: str) -> Result:
        """An answer from outside, by one agent alone."""
        if agent != "researcher":
            raise ToolRefused("there is no such agent")
        return Result(f"about {question}", ("https://a.example/",), untrusted=True)


CONTEXT = Context(caller="console:ann", conversation="here", lent={"agents": Agents()})


async def test_an_answer_keeps_its_sources_and_its_origin() -> None:
    """Text, addresses and where they come from are passed on unchanged."""
    answer = await ask_agent(CONTEXT, "researcher", "ships")
    assert answer == Result("about ships", ("https://a.example/",), untrusted=True)


async def test_what_agents_refuse_is_passed_on() -> None:
    """Whoever does not exist is told of as the kernel tells it."""
    with pytest.raises(ToolRefused, match="no such agent"):
        await ask_agent(CONTEXT, "stranger", "ships")
