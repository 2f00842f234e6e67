"""Work that blocks, beside the event loop, in a thread that never keeps the process from ending."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function in a thread of its own and wait for what it returns or raises.

    Unlike the loop's own pool, the thread is abandoned at the end of the process: a read that never
    returns, or live code that never ends, must not hold it up.
    """
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if waiting.done():
            return
        if error is None:
            waiting.set_result(result)  # type: ignore[arg-type]  # without an error there is a result
        else:
            waiting.set_exception(error)

    def work() -> None:
        result, error = None, None
        try:
            result = function(*args, **kwargs)
        except BaseException as caught:  # noqa: BLE001 - handed to whoever waits
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop was closed in the meantime
            loop.call_soon_threadsafe(finish, result, error)

    threading.Thread(target=work, name=getattr(function, "__name__", "work"), daemon=True).start()
    return await waiting
