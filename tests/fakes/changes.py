"""One small live feature, its test, and what the policies say of a change to a file."""

from policies.decision import Severity
from policies.edits import Blob, Change, review_changes
from policies.load import load_rules

HERE = load_rules()
FEATURE = "bot/live/greet/feature.py"
BASE = '''"""Greets."""

from bot.feature import Registry, Turn


async def greet(turn: Turn) -> str:
    """Say hello."""
    return f"Hello, {turn.author}!"


def setup(registry: Registry) -> None:
    """Answer to /greet."""
    registry.command("greet", greet, usage="greet", summary="says hello")
'''
TESTS = '''"""Greeting."""

import pytest

from bot.live.greet.feature import greet
from bot.feature import Turn


@pytest.fixture
def turn() -> Turn:
    return Turn(text="", author="console:ann", conversation="c")


async def test_it_greets(turn: Turn) -> None:
    assert "ann" in await greet(turn)
'''


def blob(text: str | bytes, mode: str = "100644") -> Blob:
    data = text.encode() if isinstance(text, str) else text
    return Blob(mode, len(data), data)


def refused(path: str, new: str | bytes | None, old: str | None = None, mode: str = "100644") -> set[str]:
    """The rules that refuse one file's change."""
    change = Change(path, None if old is None else blob(old), None if new is None else blob(new, mode))
    found = review_changes([change], HERE).findings
    return {finding.rule for finding in found if finding.severity is Severity.REFUSE}
