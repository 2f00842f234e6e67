"""`/choose tea, coffee or water` picks one."""

import re

from bot.feature import Registry, Turn

MOST = 50


def options(text: str) -> list[str]:
    """Split what was said at commas, bars and the word "or"; what stands there twice counts once."""
    found: list[str] = []
    for part in re.split(r",|\||\bor\b", text):
        option = part.strip()
        if option and option not in found:
            found.append(option)
    return found


def _is_plain_question(given: list[str]) -> bool:
    if len(given) == 2 and all(option.lower() in ["yes", "no"] for option in given):
        return True
    return False


async def choose(turn: Turn) -> str:
    """Pick one of the things that were named."""
    given = options(turn.text)
    if len(given) < 2:
        return "Give me at least two things to choose from: /choose tea, coffee or water."
    elif len(given) > MOST:
        return f"That is too much to choose from; name at most {MOST} things."
    picked = given[int(turn.random() * len(given))]
    if _is_plain_question(given):
        return f"{picked.capitalize()}."
    return f"I choose {picked}."


def setup(registry: Registry) -> None:
    """Answer to /choose."""
    registry.command("choose", choose, usage="choose A, B or C", summary="let chance decide")
