"""`ask_agent` hands a question to another agent."""

from typing import Annotated

from pydantic import Field

from agent.tool import Context, Result, tool


@tool(
    uses=["agents"],
    seconds=180,
    examples=["ask_agent(agent='researcher', question='Who built the first lighthouse?')"],
)
async def ask_agent(
    context: Context,
    agent: Annotated[
        str, "researcher: finds out from several sources; reviewer: finds what is wrong with a text"
    ],
    question: Annotated[
        str, "all that the agent has to know; it sees nothing else", Field(min_length=1, max_length=16_000)
    ],
) -> Result:
    """Have another agent work on a question that needs many steps, and get its answer."""
    return await context.agents.ask(agent, question)
