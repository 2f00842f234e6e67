"""`search_web` searches the net."""

from typing import Annotated

from pydantic import Field

from agent.tool import Context, Result, tool

LONGEST_QUERY = 1000
MOST_RESULTS = 50


@tool(
    uses=["web"],
    aliases=["web_search"],
    seconds=30,
    cache_seconds=600,
    examples=["search_web(query='height of Mont Blanc')"],
)
async def search_web(
    context: Context,
    query: Annotated[
        str, "what to search for, in a few words", Field(min_length=1, max_length=LONGEST_QUERY)
    ],
    max_results: Annotated[int, "how many results", Field(ge=1, le=MOST_RESULTS)] = 8,
) -> Result:
    """Search the web, for what is newer than you know or has to be right. Read a page with fetch_page before you rely on it."""
    found = await context.web.search(query, max_results)
    text = "\n\n".join(
        f"{at}. {hit.title}\n{hit.url}\n{hit.snippet}".strip() for at, hit in enumerate(found, 1)
    )
    return Result(
        text=text,
        sources=tuple(hit.url for hit in found),
        untrusted=True,
        data=[{"title": hit.title, "url": hit.url, "snippet": hit.snippet} for hit in found],
    )
