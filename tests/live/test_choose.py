"""One of the named things is picked, and nothing else."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feature import Turn
from bot.live.choose.feature import MOST, choose, options

SHORT = ["".join(letters) for many in (2, 3) for letters in itertools.product("abxyz", repeat=many)]
WORDS = st.lists(st.sampled_from(SHORT), min_size=2, max_size=12, unique=True)


async def chosen(text: str, random: float = 0.0) -> str:
    return await choose(Turn(text=text, author="console:ann", conversation="c", random=lambda: random))


@given(WORDS, st.floats(0, 1, exclude_max=True))
async def test_what_is_chosen_was_named(words: list[str], random: float) -> None:
    """Whatever chance says, the answer names one of the options."""
    answer = await chosen(", ".join(words), random)
    assert any(word in answer for word in words)


@given(WORDS)
def test_options_are_what_stands_between_commas(words: list[str]) -> None:
    """Every word is an option, once, in the order in which they were said."""
    assert options(", ".join([*words, words[0]])) == words


def test_options_may_be_parted_by_words() -> None:
    """Commas, bars and "or" all part options; a word that merely holds "or" does not."""
    assert options("tea, coffee | water or corn") == ["tea", "coffee", "water", "corn"]


async def test_chance_decides() -> None:
    """The first and the last option can both be chosen."""
    assert "tea" in await chosen("tea or milk", 0.0)
    assert "milk" in await chosen("tea or milk", 0.99)


async def test_a_plain_question_gets_a_plain_answer() -> None:
    """Yes or no is answered with the bare word."""
    assert len(await chosen("yes or no")) < 6


@pytest.mark.parametrize("text", ["", "tea", "tea, tea", "or"])
async def test_one_thing_is_no_choice(text: str) -> None:
    """Less than two options is answered with how to ask."""
    assert "/choose" in await chosen(text)


async def test_too_many_options_are_refused() -> None:
    """There is a bound, and it is named."""
    assert str(MOST) in await chosen(",".join(str(number) for number in range(MOST + 1)))
