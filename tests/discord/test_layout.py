"""Generated answers of models, as they are sent: whole, within limits, closed, silent, and without a secret."""

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.guardrails.redaction import HIDDEN
from bot.discord.conversation.layout import LONGEST, MOST_MESSAGES, NOTHING, fit, lay_out, pieces, units
from policies.credentials import CREDENTIALS

DISCORD_TAKES = 2_000
"""Characters of one message, by Discord's documentation of messages."""
EXAMPLES = 200
"""Of each property; `tests/discord/test_answers.py` tries the first with 2,000."""
KEYS = (
    "sk-ant-api03-" + "Ab3_" * 8,
    "ghp_" + "x1Y2" * 10,
    "AIza" + "Q9-z" * 9,
    "AKIA" + "ABCD1234" * 2,
    "-----BEGIN PRIVATE KEY-----\nMIIB\nq8w9\n-----END PRIVATE KEY-----",
)
"""Texts of the forms that keys have; none of them ever was one."""
RINGS = re.compile(r"@everyone|@here|<@[!&]?\d+>")
CARD = re.compile(r"(?<!<https://)discord\.gg/\w")

LANGUAGE = 30
"""Characters of the longest name of a language."""
NOT_SHOWN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})

words = st.sampled_from(
    [
        *(
            "word ",
            "longer words ",
            "\n",
            "\n\n",
            "\r\n",
            "\r\n\r\n",
            "# Heading\n",
            "**Steps:**\n",
            "\t",
            " ",
        ),
        *(
            "- point\n",
            "1. first\n",
            "  - below\n",
            "* star ",
            "> quoted\n",
            "> " + "quoted words " * 200 + "\n",
        ),
        *("| a | b |\n", "|---|---|\n", "| cell | " + "c" * 90 + " |\n"),
        *(
            "`code` ",
            "```\n",
            "\n```\n",
            "```py\n",
            "```diff\n",
            "````md\n",
            "````\n",
            "see ```x``` ",
            "``",
            "`",
        ),
        *("~~~\n", "~~~py\n", "~~~~\n", "~~struck~~ "),
        *("x" * 700, "ab" * 1_200, "y" * 20_000, "[" * 300, "word " * 900, "字" * 900),
        *(
            "👩‍👩‍👧 " * 40,
            "👍🏽" * 1_100,
            "é" * 900,
            "שלום עולם ",
            "مرحبا ",
            "\u202e",
            "\u200b",
            "\u200d",
            "\ud800",
        ),
        *("https://example.org/" + "a" * 90 + " ", "[a link with words](https://example.org/x) "),
        *(
            "@everyone ",
            "@here",
            "@",
            "<@1234567890> ",
            "<@!1234567890>",
            "<@&1234567890> ",
            "<",
            "@@everyone",
        ),
        *("discord.gg/abcdef ", "https://discord.gg/abc ", "https://www.discord.com/invite/xyz. ", "<"),
        *(f"{key} " for key in KEYS),
    ]
)
answers = st.lists(st.one_of(words, words, st.text(max_size=30)), max_size=60).map("".join)


@settings(max_examples=EXAMPLES)
@given(answers)
@example("word " * 3 + "é" * 1_810 + "discord.gg/abcdef ")
def test_any_answer_leaves_whole_and_fit(text: str) -> None:
    """Whatever a model says is sent whole, within limits, with closed blocks, without a ping, a card or a secret."""
    is_sent_whole_and_fit(text)


def is_sent_whole_and_fit(text: str) -> None:
    """What has to hold for any text that is sent."""
    layout = lay_out(text)
    whole = layout.file.decode() if layout.file is not None else "\n".join(layout.messages)
    assert 1 <= len(layout.messages) <= MOST_MESSAGES
    for message in layout.messages:
        assert message.strip()
        assert units(message) <= DISCORD_TAKES
        assert message.count("```") % 2 == 0
        assert not RINGS.search(message)
    assert not RINGS.search(whole)
    assert not CARD.search(whole)
    assert not any(pattern.search(whole) for _, pattern in CREDENTIALS)
    if pieces(fit(text)):
        # A block of code that was cut names its language again; nothing else is added, and nothing is lost.
        sent = iter(_said(whole))
        assert all(sign in sent for sign in _said(fit(text)))
        assert len(_said(whole)) - len(_said(fit(text))) <= LANGUAGE * (len(layout.messages) - 1)
    else:
        assert whole == NOTHING
        assert _said(fit(text)) == ""


@settings(max_examples=EXAMPLES)
@given(answers)
def test_making_fit_twice_changes_nothing(text: str) -> None:
    """A text that is fit already leaves as it is."""
    assert fit(fit(text)) == fit(text)


@pytest.mark.parametrize(
    "block",
    [
        "```py\n" + "x = 1\n" * 150 + "```",
        "| a | b |\n|---|---|\n" + "| one | two |\n" * 60,
        "".join(f"- point {at} of many\n" for at in range(60)),
        "> said by somebody\n" * 50,
        "words of one paragraph " * 40,
    ],
    ids=["code", "table", "list", "quote", "paragraph"],
)
@pytest.mark.parametrize("before", [100, 1_000, 1_800])
def test_what_fits_into_a_message_is_not_cut(block: str, before: int) -> None:
    """Whatever stands before it, a block is in one message as a whole."""
    cut = pieces("word " * (before // 5) + "\n\n" + block + "\n\nThat was it.")
    assert [piece for piece in cut if block.strip() in piece]


def test_a_heading_goes_with_what_stands_below_it() -> None:
    """No message ends with the heading of the next one."""
    cut = pieces("word " * 300 + "\n\n## Code\n\n```py\n" + "x = 1\n" * 100 + "```")
    assert cut[1].startswith("## Code\n\n```py")


def test_a_long_quotation_goes_on_as_one() -> None:
    """Each part of a long line that is quoted stands in a quotation."""
    cut = pieces("> " + "quoted words " * 400)
    assert len(cut) > 1
    assert all(piece.startswith("> ") for piece in cut)


def test_size_is_that_of_two_halves_where_a_sign_has_two() -> None:
    """Signs beyond the first plane count twice, so that nobody's way of counting finds too much."""
    cut = pieces("🚢" * 3_000)
    assert all(len(piece) * 2 == units(piece) <= LONGEST for piece in cut)
    assert "".join(cut) == "🚢" * 3_000


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("~~~py\nx\n~~~", "```py\nx\n```"),
        ("~~~\nx", "```\nx\n```"),
        ("~~~md\n```py\nx\n```\n~~~", "~~~md\n```py\nx\n```\n~~~"),
        ("a ~~b~~ c", "a ~~b~~ c"),
    ],
)
def test_code_between_tildes_is_shown_as_code(text: str, sent: str) -> None:
    """Discord knows backticks alone; what they would close too early stays as it is."""
    assert lay_out(text).messages == (sent,)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("see discord.gg/abc.", "see <https://discord.gg/abc>."),
        ("https://ptb.discord.com/invite/abc?event=1", "<https://discord.gg/abc>"),
        ("[come](https://discord.gg/abc)", "[come](<https://discord.gg/abc>)"),
        ("<https://discord.gg/abc>", "<https://discord.gg/abc>"),
        ("https://example.org/a", "https://example.org/a"),
    ],
)
def test_an_invitation_shows_no_card(text: str, sent: str) -> None:
    """A link to another server is a link and no more; other links stay as they are."""
    assert lay_out(text).messages == (sent,)


def test_a_key_does_not_leave_in_pieces_or_files() -> None:
    """What looks like a key is taken out before a text is cut, and out of the file as well."""
    layout = lay_out(f"{'word ' * 379}{KEYS[0]} " + "word " * 3_000)
    assert layout.file is not None
    assert HIDDEN in layout.file.decode()
    assert KEYS[0][:20] not in layout.file.decode()


def _said(text: str) -> str:
    """What a text says, without what a cut may add or leave out: spaces, fences, marks of quotations."""
    return text.translate(_SHOWN)


class _Shown(dict[int, int | None]):
    """What each character becomes: itself or nothing; worked out when it is met for the first time."""

    def __missing__(self, number: int) -> int | None:
        sign = chr(number)
        shown = sign not in "`>" and unicodedata.category(sign) not in NOT_SHOWN
        self[number] = number if shown else None
        return self[number]


_SHOWN = _Shown()
