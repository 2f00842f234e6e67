"""`read_file` reads a text file of the shared folder."""

from typing import Annotated

from pydantic import Field

from agent.tool import Context, Result, ToolRefused, tool

MEBI = 1024 * 1024
LARGEST = 100
LINES = 400


@tool(uses=["files"], permission="trusted", seconds=30, examples=["read_file(file_path='notes/plan.md')"])
async def read_file(
    context: Context,
    file_path: Annotated[str, "path within the shared folder, with /", Field(min_length=1, max_length=1000)],
    max_size_mb: Annotated[int, "a larger file is not read", Field(ge=1, le=LARGEST)] = 1,
    first_line: Annotated[int, "where to begin; a call shows 400 lines", Field(ge=1)] = 1,
) -> Result:
    """Read a text file of the shared folder, some hundred lines at a time."""
    if not 1 <= max_size_mb <= LARGEST:
        raise ToolRefused(f"max_size_mb must be between 1 and {LARGEST}")
    part = await context.files.read(file_path, max_size_mb * MEBI, first_line, LINES)
    if not part.shown:
        raise ToolRefused(f"{file_path} has only {part.lines} lines")
    rest = part.lines - (first_line - 1 + part.shown)
    end = [f"[{rest} more lines; go on with first_line={first_line + part.shown}]"] if rest else []
    return Result(text="\n".join([part.text, *end]), untrusted=True)
