"""All that is known of a proposal in words, where a card has no room for it. Pure."""

from selfedit.answers import render
from selfedit.types import Proposal


def facts(one: Proposal) -> str:
    """All that is known of a proposal, as the console shows it, with the goal in front."""
    goal = f"Goal: {one.goal}\n\n" if one.goal else ""
    return goal + render.plain(render.proposal(one), width=100)
