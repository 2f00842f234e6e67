"""`/roll 2d6+1` rolls dice."""

import re
from collections.abc import Callable

from bot.feature import Registry, Turn

MOST_DICE = 100
MOST_SIDES = 1000
USAGE = "Say it like /roll 2d6+1: how many dice, how many sides, and what to add."
DICE = re.compile(r"(\d{0,4})d(\d{1,5})([+-]\d{1,6})?")


def parse(text: str) -> tuple[int, int, int] | None:
    """Read `2d6+1` as count, sides and what is added; None when it is no such thing."""
    found = DICE.fullmatch(text.replace(" ", "").lower())
    if found is None:
        return None
    else:
        count = int(found[1]) if found[1] else 1
        added = int(found[3]) if found[3] else 0
        return count, int(found[2]), added


def throw(count: int, sides: int, random: Callable[[], float]) -> list[int]:
    """Throw dice, one number for each."""
    rolled = []
    for _ in range(count):
        rolled.append(int(random() * sides) + 1)
    return rolled


def _total(rolled: list[int], added: int) -> int:
    total = added
    for one in rolled:
        total = total + one
    return total


def _show(rolled: list[int], added: int) -> str:
    if len(rolled) == 1 and added == 0:
        return f"You rolled {rolled[0]}."
    shown = " + ".join(str(one) for one in rolled)
    if added > 0:
        shown = shown + f" + {added}"
    elif added < 0:
        shown = shown + f" - {-added}"
    return f"You rolled {shown} = {_total(rolled, added)}."


async def roll(turn: Turn) -> str:
    """Roll the dice that were asked for; one with six sides if none were."""
    asked = parse(turn.text or "1d6")
    if asked is None:
        return f"I do not know the dice {turn.text.strip()!r}. {USAGE}"
    count, sides, added = asked
    if count < 1 or count > MOST_DICE:
        return f"I can roll 1 to {MOST_DICE} dice at a time, not {count}."
    if sides < 2 or sides > MOST_SIDES:
        return f"A die has 2 to {MOST_SIDES} sides, not {sides}."
    return _show(throw(count, sides, turn.random), added)


def setup(registry: Registry) -> None:
    """Answer to /roll."""
    registry.command("roll", roll, usage="roll [2d6+1]", summary="roll dice")
