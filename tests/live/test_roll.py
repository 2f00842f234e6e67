"""Dice fall within their bounds, and what is no dice is answered kindly."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feature import Turn
from bot.live.roll.feature import MOST_DICE, MOST_SIDES, parse, roll, throw


async def rolled(text: str, random: float = 0.5) -> str:
    return await roll(Turn(text=text, author="console:ann", conversation="c", random=lambda: random))


@given(st.integers(1, MOST_DICE), st.integers(2, MOST_SIDES), st.floats(0, 1, exclude_max=True))
def test_each_die_shows_one_of_its_sides(count: int, sides: int, random: float) -> None:
    """As many dice as asked for, each between one and its number of sides."""
    dice = throw(count, sides, lambda: random)
    assert len(dice) == count
    assert all(1 <= die <= sides for die in dice)


@given(st.integers(1, 99), st.integers(2, 999), st.integers(-99, 99))
def test_dice_are_read_as_they_are_written(count: int, sides: int, added: int) -> None:
    """Count, sides and what is added come back as they were said, blanks and capitals notwithstanding."""
    assert parse(f"{count}d{sides}{added:+}") == (count, sides, added)
    assert parse(f" {count} D {sides} ") == (count, sides, 0)


async def test_the_total_counts_every_die_and_what_is_added() -> None:
    """The last number of the answer is the sum of all before it."""
    numbers = [int(number) for number in re.findall(r"\d+", await rolled("4d6+3"))]
    assert sum(numbers[:-1]) == numbers[-1]


async def test_without_saying_which_one_die_is_rolled() -> None:
    """Nothing asked for is a die with six sides."""
    assert "1" in await rolled("", random=0.0)
    assert "6" in await rolled("", random=0.99)


@pytest.mark.parametrize(
    "text",
    ["0d6", f"{MOST_DICE + 1}d6", "1d1", f"1d{MOST_SIDES + 1}"],
    ids=["no dice", "too many dice", "no sides", "too many sides"],
)
async def test_what_cannot_be_rolled_names_the_bound(text: str) -> None:
    """Too few, too many, too small or too large: the answer says what is possible."""
    answer = await rolled(text)
    assert str(MOST_DICE) in answer or str(MOST_SIDES) in answer


@given(st.text(alphabet="d0123456789+- x", max_size=30))
async def test_any_text_is_answered(text: str) -> None:
    """No text makes rolling fail, and none is answered with a wall of text."""
    assert 0 < len(await rolled(text)) < 2000
