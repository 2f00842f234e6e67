"""`run_code` runs a Python program in the sandbox."""

from typing import Annotated

from pydantic import Field

from agent.tool import Context, Result, tool


@tool(uses=["runner"], seconds=60, examples=["run_code(code='print(sum(range(101)))')"])
async def run_code(
    context: Context,
    code: Annotated[str, "a whole program that prints what it finds", Field(min_length=1, max_length=50_000)],
    seconds: Annotated[float, "how long it may take", Field(gt=0, le=60)] = 10.0,
) -> Result:
    """Run a Python program in a sandbox without network, files or input, and tell what it printed."""
    return Result(text=await context.runner.python(code, seconds), untrusted=True)
