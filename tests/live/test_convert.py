"""Conversions agree with each other, and what does not go together is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feature import Turn
from bot.live.convert.feature import LENGTHS, OTHER_NAMES, WEIGHTS, answer, convert, unit

AMOUNTS = st.floats(-1e6, 1e6)


async def answered(text: str) -> str:
    return await answer(Turn(text=text, author="console:ann", conversation="c"))


@given(AMOUNTS, st.sampled_from([LENGTHS, WEIGHTS]), st.data())
def test_there_and_back_is_where_one_began(
    amount: float, table: dict[str, float], data: st.DataObject
) -> None:
    """Converting to another unit of its kind and back gives the same amount."""
    source, target = data.draw(st.sampled_from(sorted(table))), data.draw(st.sampled_from(sorted(table)))
    there = convert(amount, source, target)
    assert there is not None
    assert convert(there, target, source) == pytest.approx(amount)


@given(AMOUNTS)
def test_temperatures_agree_both_ways(amount: float) -> None:
    """Celsius and Fahrenheit undo each other."""
    there = convert(amount, "c", "f")
    assert there is not None
    assert convert(there, "f", "c") == pytest.approx(amount, abs=1e-6)


def test_known_values() -> None:
    """Water freezes at 32 F, a mile has 1609 metres and a bit, a kilo two pounds and a fifth."""
    assert convert(0, "c", "f") == 32
    assert convert(1, "mile", "m") == pytest.approx(1609.344)
    assert convert(1, "kg", "pound") == pytest.approx(2.2046, abs=1e-4)


def test_every_other_name_means_a_unit() -> None:
    """No name leads nowhere."""
    units = {unit(name) for name in OTHER_NAMES}
    assert [name for name in units if convert(1, name, name) is None] == []
    assert unit("Miles") == "mile"


@pytest.mark.parametrize(("source", "target"), [("m", "kg"), ("c", "m"), ("parsec", "m")])
def test_lengths_are_no_weights(source: str, target: str) -> None:
    """What does not go together has no answer."""
    assert convert(1, source, target) is None


async def test_a_question_is_answered_with_its_number() -> None:
    """Amounts may have a comma or a point, and units their everyday names."""
    assert "8.0" in await answered("5 miles to km")
    assert "21" in await answered("70 F to C")
    assert "0.5" in await answered("0,5 km in kilometers")


@given(st.text(max_size=60))
async def test_any_text_is_answered(text: str) -> None:
    """No text makes converting fail."""
    assert await answered(text)
