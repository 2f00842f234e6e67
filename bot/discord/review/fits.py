"""Whether what somebody wants still fits a proposal, and the sentences for when it does not. Pure."""

import discord
from pydantic import BaseModel

from bot.discord.review.points import Act
from bot.discord.text import named, one_line
from policies.rights import Capability, Person
from selfedit.answers import render
from selfedit.answers.telling import SHORT
from selfedit.types import STANDING, Proposal, Stage

NEEDS: dict[Act, Capability] = {
    Act.DIFF: "see",
    Act.PAGE: "see",
    Act.FILE: "see",
    Act.ASK: "see",
    Act.APPROVE: "approve",
    Act.SURE_APPROVE: "approve",
    Act.REJECT: "approve",
    Act.ROLLBACK: "approve",
    Act.SURE_ROLLBACK: "approve",
    Act.REASON: "approve",
}
"""What somebody must be allowed to do to use a component; to leave something as it is takes no right."""
SUCCESS, DANGER = discord.ButtonStyle.success, discord.ButtonStyle.danger
NOT_YOURS = "That is for who asked; press the button on the card yourself."
_WANTS = {
    Act.APPROVE: "approved",
    Act.SURE_APPROVE: "approved",
    Act.REJECT: "rejected",
    Act.ROLLBACK: "taken back",
    Act.SURE_ROLLBACK: "taken back",
}


def unfit(one: Proposal, act: Act) -> str:
    """Why that cannot be done at the stage where a proposal is; empty where it can."""
    if act not in _WANTS:
        return ""
    if act in (Act.ROLLBACK, Act.SURE_ROLLBACK):
        fits, which = one.stage in STANDING, "a merged one"
    else:
        fits, which = one.stage is Stage.OPENED, "an open one"
    return "" if fits else f"Proposal {one.number} is {one.stage.value}; only {which} can be {_WANTS[act]}."


def moved(number: int, now: str, shown: str) -> str:
    """What was shown is not what is there any more."""
    return (
        f"Proposal {number} is at `{now[:SHORT] or 'nothing'}` now, and this was `{shown[:SHORT] or 'nothing'}`: look at it "
        f"again, its card is brought up to date."
    )


def said(answer: BaseModel) -> str:
    """An answer of the steward in words."""
    text = named(one_line(render.plain(render.answer(answer)), 1500))
    return text[:1].upper() + text[1:] or "Done."


def discord_id(person: Person) -> int:
    """Somebody's id at Discord; 0 for people elsewhere."""
    surface, _, name = person.id.partition(":")
    return int(name) if surface == "discord" and name.isdigit() else 0
