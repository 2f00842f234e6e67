"""Waits out what the library does not: limits without `Via`, pages of the network before Discord, cut connections.

The library itself waits where Discord says 429 in its own words, and repeats after 500, 502, 504 and 524, five times each.
What is repeated here has to be safe to be done twice: reading, changing, and sending with a nonce.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

import aiohttp
import discord

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the second try, and at most between two; each time twice as many."""
PATIENCE_SECONDS = 300.0
"""So long something is tried again."""
PROMISE_SECONDS = 2.5
"""So long a first answer to what was used is tried again; Discord waits three seconds for it."""
TAKEN = 40060
"""Discord's code for a first answer where there is one already."""
UNREACHABLE = (discord.HTTPException, aiohttp.ClientError, OSError)
"""How it ends when Discord refuses something, or cannot be reached."""

T = TypeVar("T")
log = logging.getLogger("theseus.discord")


async def patiently(do: Callable[[], Awaitable[T]], seconds: float = PATIENCE_SECONDS) -> T:
    """Do something at Discord, again and again while it cannot be reached.

    Args:
        do: What is done; called for each try.
        seconds: How long it is tried again.

    Raises:
        discord.HTTPException: It is refused, or could not be done in time.
        aiohttp.ClientError: Discord could not be reached in time.
        OSError: Likewise.
    """
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + seconds, FIRST_PAUSE
    while True:
        try:
            return await do()
        except UNREACHABLE as error:
            wait = _wait(error, pause)
            if wait is None or loop.time() + wait > end:
                raise
            log.warning("Discord is tried again in %.1f s: %s", wait, type(error).__name__)
        await asyncio.sleep(wait)
        pause = min(2 * pause, LONGEST_PAUSE)


async def promptly(do: Callable[[], Awaitable[object]]) -> None:
    """Give a first answer to what was used; it is tried again for as long as Discord waits for one.

    Raises:
        discord.HTTPException: It is refused, or came too late.
        aiohttp.ClientError: Discord could not be reached in time.
        OSError: Likewise.
    """
    try:
        await patiently(do, PROMISE_SECONDS)
    except discord.HTTPException as error:
        if error.code != TAKEN:  # else Discord had it already, and only its word on that was lost
            raise


def passes(error: Exception) -> bool:
    """Whether what went wrong may be over in a while."""
    return _wait(error, FIRST_PAUSE) is not None


def _wait(error: Exception, pause: float) -> float | None:
    """Seconds before something is tried again; None where that is useless."""
    if not isinstance(error, discord.HTTPException):
        return pause
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        told = error.response.headers.get("Retry-After", "")
        return max(pause, float(told)) if told.isdigit() else pause
    return pause if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR else None
