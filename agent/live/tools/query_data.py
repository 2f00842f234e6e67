"""`query_data` reads databases that the operator opened to tools."""

from typing import Annotated

from pydantic import Field

from agent.tool import Context, Result, tool


@tool(
    uses=["data"],
    permission="trusted",
    seconds=30,
    examples=["query_data()", "query_data(sql='SELECT count(*) FROM shop.orders')"],
)
async def query_data(
    context: Context,
    sql: Annotated[
        str, "one SELECT in SQLite's language; empty to see which tables there are", Field(max_length=10_000)
    ] = "",
    max_rows: Annotated[int, "how many rows", Field(ge=1, le=200)] = 50,
) -> Result:
    """Read from the databases. Call it without sql first, to see the tables; they are named as database.table."""
    if not sql.strip():
        return Result(text=await context.data.tables(), untrusted=True)
    return Result(text=await context.data.query(sql, max_rows), untrusted=True)
