"""Counts what Discord answers to requests, so that limits and failures are seen in `/status` before people feel them."""

from collections.abc import Callable
from types import SimpleNamespace

import aiohttp


def counted(count: Callable[[int], None]) -> aiohttp.TraceConfig:
    """What the library is given so that the status of each answer is counted.

    Args:
        count: Is told each of them.
    """

    async def ended(
        session: aiohttp.ClientSession, context: SimpleNamespace, done: aiohttp.TraceRequestEndParams
    ) -> None:
        del session, context
        count(done.response.status)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(ended)
    return trace
