"""`look_at_image` asks the service that it is lent, and says that its answer is from outside."""

from dataclasses import dataclass, field

import pytest

from agent.live.tools.look_at_image import look_at_image
from agent.tool import Context, Result, ToolRefused


@dataclass
class Eyes:
    """Stands for a model that sees, and notes what it was asked."""

    asked: list[tuple[str, str]] = field(default_factory=list)

    async def look(self, image: str, question: str) -> str:
        """A red cat."""
        self.asked.append((image, question))
        return "a red cat"


async def test_it_asks_by_the_pictures_name() -> None:
    """Name and question are handed on, and what comes back may be anybody's words."""
    eyes = Eyes()
    context = Context(caller="console:ann", conversation="c", lent={"vision": eyes})
    result = await look_at_image(context, "cat.png", "What colour?")
    assert result == Result(text="a red cat", untrusted=True)
    assert eyes.asked == [("cat.png", "What colour?")]


async def test_without_a_question_it_asks_what_is_to_be_seen() -> None:
    """The name alone is enough, and asks for any text on the picture, too."""
    eyes = Eyes()
    await look_at_image(Context(caller="a", conversation="c", lent={"vision": eyes}), "cat.png")
    assert "text" in eyes.asked[0][1]


async def test_without_its_service_it_says_so() -> None:
    """What is not lent is a refusal."""
    with pytest.raises(ToolRefused, match="there is none here"):
        await look_at_image(Context(caller="a", conversation="c"), "cat.png", "?")
