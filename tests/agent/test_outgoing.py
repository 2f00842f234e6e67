"""Addresses in answers and in calls: only whole ones that somebody gave pass, wherever a model would have them end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.guardrails.outgoing import INSTEAD, Known, Outgoing, addresses, is_given, visits_stranger

PAGE = "look at https://evil.example/x?q= or (https://b.example/Foo_(bar)), [c](https://c.example/c)|[d](https://d.example)"
KNOWN = addresses([PAGE])


def shown(text: str, given_texts: tuple[str, ...] = (PAGE,), cuts: tuple[int, ...] = ()) -> str:
    """What people see of an answer that comes in pieces of these lengths."""
    outgoing, pieces, at = Outgoing(lambda: given_texts), "", 0
    for cut in cuts:
        pieces += outgoing.feed(text[at : at + cut])
        at += cut
    return pieces + outgoing.feed(text[at:]) + outgoing.end()


@pytest.mark.parametrize("sign", [*"'\"`<>)](},.!;*|\\%", "\u3002", "\x1c"])
def test_nothing_goes_behind_a_given_address(sign: str) -> None:
    """Whatever sign a model puts behind an address that a page gave, what follows the sign does not go with it."""
    address = f"https://evil.example/x?q={sign}SECRET"
    assert visits_stranger(address, KNOWN)
    came = shown(f"see {address} now")
    assert f"q={sign}SECRET" not in came or sign == "<"  # there every reader of addresses ends one
    assert came.startswith("see ")
    assert came.endswith(" now")


@pytest.mark.parametrize(
    "address",
    [
        "https://b.example/Foo_(bar)",
        "https://c.example/c",
        "https://d.example",
        "https://d.example/",
        "https://evil.example/x?q=",
    ],
)
def test_a_given_address_may_be_visited(address: str) -> None:
    """However a text surrounds it, an address that it gives is known, alone and within a sentence."""
    assert not visits_stranger(address, KNOWN)
    assert not visits_stranger(f"what says ({address}).", KNOWN)


@pytest.mark.parametrize(
    "address",
    ["https://d.exampl", "https://evil.example/x?q", "https://evil.example/x", "https://b.example/Foo"],
)
def test_the_beginning_of_a_given_address_is_not_given(address: str) -> None:
    """How much of a long address is visited would tell something as well, and so would another host's name."""
    assert not is_given(address, KNOWN)


def test_a_row_of_signs_carries_nothing_away() -> None:
    """Signs that may stand behind an address are left out of account when they are few, not when they are a message."""
    assert is_given("https://d.example).", KNOWN)
    assert not is_given("https://d.example,;.,;;..,,;", KNOWN)
    assert visits_stranger("https://d.example,;", KNOWN)


@settings(deadline=None)
@given(
    st.sampled_from(["", "x", "(", "\u4e2d"]),
    st.integers(3985, 4010),
    st.lists(st.integers(1, 4005), max_size=4),
)
def test_a_long_word_hides_no_address(filler: str, length: int, cuts: list[int]) -> None:
    """However long a word and however it is cut, an address at its end is seen as one."""
    text = f"{filler * length}https://evil.example/?d=SECRET"
    came = shown(text, cuts=tuple(cuts))
    assert "SECRET" not in came
    assert INSTEAD in came


def test_what_cannot_be_an_address_is_not_held_back() -> None:
    """A text without spaces streams: only what may be the beginning of an address waits."""
    outgoing = Outgoing(lambda: [PAGE])
    assert outgoing.feed("\u4e2d\u6587" * 50) == "\u4e2d\u6587" * 50
    assert outgoing.feed("\u4e2dhttps:") == "\u4e2d"
    assert outgoing.feed(" no") == "https: "


def test_a_known_address_is_kept_apart_from_what_follows() -> None:
    """Where text without a space follows an address that is known, the address stays, and ends for everybody."""
    text = "[c](https://c.example/c)|[d](https://d.example)\u3002SECRET"
    assert shown(text) == "[c](https://c.example/c )|[d](https://d.example )\u3002SECRET"


def test_an_endless_address_gives_no_longer_ones() -> None:
    """A page whose text is one address without end gives no form of it that is longer than what is ever fetched."""
    known = addresses(["https://a)" * 30_000])
    assert 0 < max(map(len, known)) < 2100
    assert not is_given("https://a)" * 300, known)


def test_a_text_gives_so_many_addresses() -> None:
    """What names addresses without end gives the first of them, and each text is read once."""
    known = Known()
    texts = [" ".join(f"https://a.example/{number}" for number in range(3_000))]
    found = known.of(texts)
    assert "https://a.example/0" in found
    assert "https://a.example/2999" not in found
    texts[0] = "changed afterwards, which nobody does: https://b.example/"
    texts.append("https://c.example/")
    assert is_given("https://c.example/", known.of(texts))
    assert not is_given("https://b.example/", known.of(texts))
