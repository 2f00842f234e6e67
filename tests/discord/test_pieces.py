"""How a text is cut into messages, each of which Discord takes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.discord.conversation.layout import LONGEST, pieces

WORDS = st.sampled_from(
    [
        *("word ", "longer words ", "\n", "\n\n", "- point\n", "| a | b |\n", "    indented\n", "`code` "),
        *(
            "```\n",
            "\n```\n",
            "```py\n",
            "```diff\n",
            "see ```x``` ",
            "x" * 700,
            "ab" * 1200,
            "👩‍👩‍👧 " * 40,
            "é" * 900,
        ),
        *(
            "https://example.org/" + "a" * 90 + " ",
            "[a link with words](https://example.org/x) ",
            "שלום ",
            "> quoted\n",
        ),
    ]
)


@given(st.lists(WORDS, max_size=60).map("".join))
def test_long_answers_arrive_whole(text: str) -> None:
    """Cut into messages that Discord takes, every word still arrives, in order."""
    cut = pieces(text)
    assert all(0 < len(piece) <= LONGEST for piece in cut)
    assert _words("".join(cut)) == _words(text)


@given(st.lists(WORDS, max_size=60).map("".join))
def test_no_block_of_code_is_left_open(text: str) -> None:
    """Whatever a model leaves open or a cut goes through, each message is closed in itself."""
    assert all(piece.count("```") % 2 == 0 for piece in pieces(text))


def test_a_block_of_code_goes_on_as_it_began() -> None:
    """A block that is cut has its language in each message, and nothing outside of it is taken into it."""
    code = "\n".join(f"line_{at} = {at}" for at in range(300))
    cut = pieces(f"Before:\n```py\n{code}\n```\nAfter.")
    assert len(cut) > 2
    assert cut[0].startswith("Before:\n```py\nline_0")
    assert all(piece.startswith("```py\nline_") for piece in cut[1:])
    assert all(piece.endswith("\n```") for piece in cut[:-1])
    assert cut[-1].endswith("\n```\nAfter.")


def test_paragraphs_stay_whole_where_they_can() -> None:
    """A text is cut where it has a pause."""
    paragraphs = [
        f"{name} " * 90 + "\nsecond line" for name in ("one", "two", "three", "four", "five", "six")
    ]
    cut = pieces("\n\n".join(paragraphs))
    assert len(cut) > 1
    assert all(piece.endswith("second line") for piece in cut)


@pytest.mark.parametrize(
    "whole",
    ["[all of these words](https://example.org/" + "p" * 300 + ")", "https://example.org/" + "q" * 900],
)
def test_links_stay_whole(whole: str) -> None:
    """A link is not cut, also where it has spaces in it."""
    cut = pieces("word " * 330 + whole + " word" * 300)
    assert [piece for piece in cut if whole in piece]


@pytest.mark.parametrize("one", ["👩‍👩‍👧", "e\u0301", "👍🏽"])
def test_characters_stay_whole(one: str) -> None:
    """What people see as one character is not cut."""
    for before in range(6):
        assert all(
            set(piece.removeprefix("x" * before)) <= set(one) for piece in pieces("x" * before + one * 2000)
        )
        assert all(
            piece.removeprefix("x" * before).startswith(one[0]) for piece in pieces("x" * before + one * 2000)
        )


@pytest.mark.parametrize("text", ["", " \n ", "```\n```", "\n\n"])
def test_nothing_to_say_is_not_said(text: str) -> None:
    """Without a word there is no message."""
    assert pieces(text) == []


def _words(text: str) -> str:
    """What a text says, without what a cut may add or leave out."""
    return re.sub(r"```(py|diff)?|[\s`]", "", text)
