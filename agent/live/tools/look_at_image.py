"""`look_at_image` asks a model that sees about a picture that somebody attached."""

from typing import Annotated

from pydantic import Field

from agent.tool import Context, Result, tool


@tool(
    uses=["vision"],
    seconds=120,
    examples=["look_at_image(image='cat.png', question='What colour is the cat?')"],
)
async def look_at_image(
    context: Context,
    image: Annotated[str, "name of a picture that was attached here", Field(min_length=1, max_length=200)],
    question: Annotated[
        str, "what you want to know of it", Field(min_length=1, max_length=2000)
    ] = "What is to be seen on this picture? Read out any text on it.",
) -> Result:
    """Find out what is on a picture that was attached in this conversation and that you do not see yourself."""
    return Result(text=await context.vision.look(image, question), untrusted=True)
