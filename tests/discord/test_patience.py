"""What the library does not wait out: limits in words of others than Discord."""

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.discord.patience import patiently


def limited(**headers: str) -> discord.HTTPException:
    """What is raised where something before Discord says that it is too much."""
    response: Any = SimpleNamespace(status=429, reason="Too Many Requests", headers=headers)
    return discord.HTTPException(response, "wait")


async def test_what_would_be_too_late_is_not_tried_again() -> None:
    """Whoever is told to come back in a minute, and has five seconds, does not ask a second time."""
    tries = 0

    async def ask() -> None:
        nonlocal tries
        tries += 1
        raise limited(**{"Retry-After": "60"})

    with pytest.raises(discord.HTTPException):
        await patiently(ask, 5.0)
    assert tries == 1


async def test_a_limit_without_a_time_is_tried_again() -> None:
    """Where it is not said how long to wait, the second try follows soon."""
    refusals = [limited()]

    async def ask() -> str:
        if refusals:
            raise refusals.pop()
        return "there"

    assert await patiently(ask, 5.0) == "there"
