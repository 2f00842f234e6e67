"""Messages of commits, which GitHub reads as well once they are on main."""

import re

import pytest

from selfedit.history.attestation import attested, of_revert
from selfedit.history.messages import head_message, revert_message
from tests.github.test_texts import NASTY, proposal

ACTING = re.compile(r"@\w|#\d|GH-\d|://|\[skip ci\]", re.IGNORECASE)


@pytest.mark.parametrize("text", [*NASTY, "fixes [skip ci] #1"])
def test_a_commit_closes_no_issue_and_tells_nobody(text: str) -> None:
    """Whatever title, reason and edits say, and why it is taken back; what vouches for it stays readable."""
    one = proposal(text).model_copy(update={"merge": "a" * 40})
    assert not ACTING.search(head_message(7, one))
    vouched = of_revert(one, "c" * 40, "discord:1", "d" * 64, passed=True)
    message = revert_message(one, "discord:1", text[:500], "e" * 64, vouched)
    assert not ACTING.search(message.partition("Attestation:")[0])
    assert attested(message) == vouched
