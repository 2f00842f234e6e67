"""What the process with the code under test offers to contracts by a short name. The kernel's part is imported here."""

import itertools
import secrets
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bot import __main__ as start
from bot.control import commands as control
from bot.feature import Turn
from bot.generation import Generation, build
from bot.trial import compiled_below, plan_of

ROOT = Path(__file__).parents[2]
sys.argv[:] = [str(ROOT / "bot" / "__main__.py")]
NOW = time.time()
"""One moment for all turns, so that the same question can have the same answer."""
WHO, WHERE = f"discord:{secrets.randbits(60)}", str(secrets.randbits(60))
"""Nobody that live code could know."""
_loaded: list[Generation] = []
_known = compiled_below(ROOT)
"""Main's live code, which is what is there by now: what is the same later is not compiled again."""


class Model:
    """A model that gives one answer, or none and says why; it remembers what it was told."""

    def __init__(self, missing: str | None, pieces: list[str]) -> None:
        self.missing = missing
        self._pieces = pieces
        self.told: list[str] = []

    async def answer(self, conversation: str, text: str, instructions: str) -> AsyncIterator[str]:
        """The answer, piece by piece."""
        self.told += [conversation, text, instructions]
        for piece in self._pieces:
            yield piece


def begin() -> None:
    """Bring the live code to life, as the bot does and with the bot's own main module as the main one."""
    start.__name__ = "__main__"
    sys.modules["__main__"] = start
    _loaded.append(build(plan_of(ROOT), _known))


def commands() -> list[dict[str, Any]]:
    """Every command that works, with its usage and summary, and whether it is live."""
    return [
        {"name": info.name, "usage": info.usage, "summary": info.summary, "live": info.live}
        for info in _loaded[0].infos
    ]


async def turn(
    line: str, chance: tuple[float, ...] = (0.5,), missing: str | None = None, model: list[str] | None = None
) -> str:
    """What the live code answers to one line.

    Args:
        line: A live command, or a line of chat.
        chance: What it gets from its source of chance, over and over.
        missing: Why there is no model; there is one if it is None and `model` is not.
        model: What the model answers, in pieces.
    """
    answer, _ = await _said(line, chance, missing, model)
    return answer


async def told(line: str, model: list[str]) -> list[str]:
    """What the model was told when a line was said: the conversation, the line, the instructions."""
    _, seen = await _said(line, (0.5,), None, model)
    return seen


async def _said(
    line: str, chance: tuple[float, ...], missing: str | None, model: list[str] | None
) -> tuple[str, list[str]]:
    generation = _loaded[0]
    name, text = control.split(line) or (None, line.strip())
    given = itertools.cycle(chance)
    brain = Model(missing, model or [])
    asked = Turn(
        text=text,
        author=WHO,
        conversation=WHERE,
        commands=generation.infos,
        brain=None if missing is None and model is None else brain,
        prompts=dict(generation.prompts),
        random=lambda: next(given),
        now=NOW,
    )
    return await generation.respond(name, asked), brain.told
