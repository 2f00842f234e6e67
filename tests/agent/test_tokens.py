"""Counting tokens where no provider has counted: never too few by much, never a download, never a crash."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.models.tokens import ERROR, count, estimate, guess, load_tables, size
from agent.types import Ask, Image, Message, ToolSpec

ROOT = Path(__file__).resolve().parents[2]
ENGLISH = (
    "The quick brown fox jumps over the lazy dog, and nobody asked it to. Some say that this sentence has been "
    "written more often than any other; others say that it has never been meant."
)
ENGLISH_TOKENS = 39
"""Of the text above, as the o200k_base table counts them: each word and each mark is one token."""


def test_english_is_estimated_within_the_stated_error() -> None:
    """For plain English the estimate is at least what is true, and no more above it than stated."""
    assert ENGLISH_TOKENS <= guess(ENGLISH) <= ENGLISH_TOKENS * (1 + ERROR)


@given(st.text())
def test_any_text_has_an_estimate(text: str) -> None:
    """Whatever the text, lone surrogates included, there is a number, and it is positive where there is text."""
    assert (guess(text) > 0) == bool(text)


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens(one: str, two: str) -> None:
    """A longer text comes to no fewer tokens."""
    assert guess(one + two) >= max(guess(one), guess(two))


def test_a_request_counts_everything_in_it() -> None:
    """Tools, pictures and each message add to what a request comes to."""
    message = Message(role="user", text="How is Oslo?")
    plain = Ask(messages=(message,))
    tool = ToolSpec(name="weather", description="Tells the weather.", parameters={"type": "object"})
    picture = message.model_copy(update={"images": (Image(kind="image/png", data=b"x"),)})
    assert estimate(plain) < estimate(Ask(messages=(message, message)))
    assert estimate(plain) < estimate(Ask(messages=(message,), tools=(tool,)))
    assert estimate(plain) + 1000 < estimate(Ask(messages=(picture,)))


@given(st.text(), st.integers(min_value=-10, max_value=1000))
def test_what_fits_for_sure_is_not_counted_again(text: str, room: int) -> None:
    """A request's size is never below the estimate, and is the estimate itself where the room is what matters."""
    ask = Ask(messages=(Message(role="user", text=text),))
    assert size(ask, room) >= estimate(ask)
    assert size(ask, room) <= max(room, estimate(ask))


async def test_without_its_tables_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the tables are not on this machine, none is loaded, and counting falls back to the estimate."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert await load_tables() == ()
    assert count(ENGLISH, "gpt-6.1-sol") == guess(ENGLISH)


def test_a_damaged_table_is_left_out(tmp_path: Path) -> None:
    """A file in the cache that is no table changes nothing, and no connection is tried to mend it."""
    for name in ("o200k_base", "cl100k_base"):
        address = f"https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
        (tmp_path / hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()).write_bytes(
            b"nonsense"
        )
    code = (
        "import asyncio, socket\n"
        "def no(*a, **k): raise SystemExit('it reached for the net')\n"
        "socket.getaddrinfo = no\n"
        "from agent.models.tokens import load_tables\n"
        "print(asyncio.run(load_tables()))"
    )
    env = {"TIKTOKEN_CACHE_DIR": str(tmp_path), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=ROOT, env=env, check=False, capture_output=True, text=True
    )
    assert done.stdout.strip() == "()", done.stderr
