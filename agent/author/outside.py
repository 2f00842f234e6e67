"""Complaints of strangers about a change, as a model is shown them: cleaned, cut, numbered, each with where it belongs."""

from collections.abc import Sequence

from agent.guardrails.screen import Screen
from policies.decision import Finding
from selfedit.words import one_line

MOST = 40
"""So many complaints are shown; a review of a change of a few hundred lines seldom has more."""
LONGEST = 2_000
"""Characters of each that are shown."""
_NO_QUOTES = 1
"""Words in a row that count as a quotation: strangers were never shown our instructions, so none are looked for."""


def quoted(complaints: Sequence[Finding], secrets: Sequence[str]) -> str:
    """Complaints as text for a model, which is still to be marked as material.

    What nobody can see is taken out, so that the model reads what people read; so are keys, whoever's they are, and
    mentions.

    Args:
        complaints: What strangers and their checks said.
        secrets: The process's own keys.
    """
    rows = []
    for number, complaint in enumerate(complaints[:MOST], 1):
        place = _clean(one_line(complaint.place, 300), secrets)
        text = _clean(complaint.message, secrets)
        cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}\n(cut off here)"
        rows.append(f"[{number}] {place}\n{cut}".replace(" \n", "\n"))
    if len(complaints) > MOST:
        rows.append(f"(and {len(complaints) - MOST} more, which are not shown)")
    return "\n\n".join(rows)


def _clean(text: str, secrets: Sequence[str]) -> str:
    screen = Screen(secrets, "", _NO_QUOTES)
    return screen.feed(text) + screen.end()
