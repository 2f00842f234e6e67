"""How many tokens a text comes to, where no provider has counted yet.

tiktoken counts exactly, for OpenAI's models, where its tables are on this machine already: it would fetch them else,
which must not happen while somebody waits for an answer. Everywhere else an estimate stands in.
"""

import asyncio
import functools
import hashlib
import importlib
import importlib.util
import os
import re
from collections.abc import Callable
from pathlib import Path

from agent.types import Ask

ERROR = 0.5
"""The estimate's error, measured against OpenAI's two newest tables: for prose and code it is at least what is true, and
up to so much (as a share) above it; for lists of hashes it is within a twentieth. Scripts other than Latin come out
higher still; only whitespace alone comes out lower."""
IMAGE_TOKENS = 1600
"""What a picture comes to at most with the vendors that are known."""
_MESSAGE_TOKENS = 4
"""What stands between messages."""
_RUNS = re.compile(
    r"(?P<letters>[A-Za-z]+)|(?P<digits>[0-9]+)|(?P<marks>[!-/:-@\[-`{-~]+)|(?P<lines>\s*\n\s*|\s{2,})"
)
_A_TOKEN = {"letters": 5, "digits": 3, "marks": 2, "lines": 12}
"""Characters of a kind that one token holds at least. A single space belongs to the word behind it."""
_TABLES = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
"""SHA-256 of each table, as tiktoken knows it: a copy that differs would be fetched anew."""
_PLACE = "https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
"""Where tiktoken would fetch a table from: the name of its copy in the cache comes from this."""


def count(text: str, model: str = "") -> int:
    """Tokens of a text: exact where the model's table is loaded, else an estimate that is rather too high."""
    counter = _counters.get(_table(model))
    return counter(text) if counter else guess(text)


def guess(text: str) -> int:
    """Tokens of a text by its looks alone; see `ERROR`."""
    total = 0
    for run in _RUNS.finditer(text):
        length = run.end() - run.start()
        total += -(-length // _A_TOKEN[run.lastgroup or ""])
    if not text.isascii():
        total += sum(
            len(character.encode("utf-8", "replace")) - 1 or 1 for character in text if character > "\x7f"
        )
    return max(total, bool(text))


def estimate(ask: Ask, model: str = "") -> int:
    """Tokens that a request comes to, tools and pictures included, without its answer."""
    total = len(ask.messages) * _MESSAGE_TOKENS
    for message in ask.messages:
        total += count(message.text, model) + len(message.images) * IMAGE_TOKENS
        total += sum(guess(call.name + call.arguments) for call in message.calls)
    return total + sum(guess(tool.model_dump_json()) for tool in ask.tools)


def size(ask: Ask, room: int, model: str = "") -> int:
    """Tokens of a request: the estimate, or, where that fits into the room anyway, a bound that costs nothing to find.

    No token is shorter than a byte.
    """
    most = sum(len(tool.description) + len(str(tool.parameters)) for tool in ask.tools)
    for message in ask.messages:
        texts = (message.text, *(call.name + call.arguments for call in message.calls))
        most += sum(len(text) if text.isascii() else 4 * len(text) for text in texts)
        most += _MESSAGE_TOKENS + len(message.images) * IMAGE_TOKENS
    return most if most <= room else estimate(ask, model)


async def load_tables() -> tuple[str, ...]:
    """Load the tables that are on this machine, in a thread; their names. Never fetches anything."""
    return await asyncio.to_thread(_load)


_counters: dict[str, Callable[[str], int]] = {}


def _load() -> tuple[str, ...]:
    for name, digest in _TABLES.items():
        if name not in _counters and _is_here(name, digest):
            counter = _counter(name)
            if counter is not None:
                _counters[name] = counter
    return tuple(_counters)


def _is_here(name: str, digest: str) -> bool:
    """Whether tiktoken's cache holds the table, unharmed; its file is called by the hash of where it comes from."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", "")
    if not folder or importlib.util.find_spec("tiktoken") is None:
        return False
    # The name of a file, not a signature.
    file = hashlib.sha1(_PLACE.format(name=name).encode(), usedforsecurity=False).hexdigest()
    try:
        return hashlib.sha256(Path(folder, file).read_bytes()).hexdigest() == digest
    except OSError:
        return False


def _counter(name: str) -> Callable[[str], int] | None:
    try:
        encoding = importlib.import_module("tiktoken").get_encoding(name)
    except (ImportError, ValueError, OSError):
        return None  # a table that is damaged: the estimate stays
    return lambda text: len(encoding.encode(text, disallowed_special=()))


@functools.cache
def _table(model: str) -> str:
    """The table that a model counts by; empty where nobody says."""
    if model.startswith(("gpt-4o", "gpt-4.1", "gpt-5", "gpt-6", "o1", "o3", "o4")):
        return "o200k_base"
    return "cl100k_base" if model.startswith(("gpt-4", "gpt-3.5")) else ""
