"""`fetch_page` reads one page of the net."""

from typing import Annotated

from pydantic import Field

from agent.tool import Context, Result, tool

LONGEST_ADDRESS = 2048


@tool(uses=["web"], seconds=30, examples=["fetch_page(url='https://www.python.org/')"])
async def fetch_page(
    context: Context,
    url: Annotated[str, "the whole address, with https://", Field(max_length=LONGEST_ADDRESS)],
) -> Result:
    """Read the text of one web page. Only public pages can be read."""
    page = await context.web.fetch(url)
    kept = " (read a while ago)" if page.cached else ""
    text = f"{page.title}\n{page.url}{kept}\n\n{page.text}".strip()
    return Result(text=text, sources=(page.url,), untrusted=True)
