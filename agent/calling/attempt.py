"""One attempt to run a tool: held to its time, ended when nobody waits any more, taken back when it fails."""

import asyncio
import logging
import traceback
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from agent.calling.stretch import Computing, Stretches, bounded
from agent.calling.toolbox import Tool
from agent.guardrails.redaction import shortened, whereabouts
from agent.tool import Context, ToolRefused

UNDO_SECONDS = 10.0
GRACE_SECONDS = 0.5
"""How long a call that was cancelled may take to end."""

log = logging.getLogger("theseus.tools")


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that came to nothing; `text` is for the model."""

    outcome: Literal["refused", "late", "failed"]
    text: str
    error: str
    """The class of what was raised."""


async def attempt(tool: Tool, context: Context, arguments: dict[str, Any]) -> object:
    """What a tool returned, or a `Failure`. Raises nothing but a cancellation."""
    running = asyncio.create_task(_call(tool, context, arguments), name=tool.name)
    try:
        done, _ = await asyncio.wait({running}, timeout=tool.manifest.seconds)
    except asyncio.CancelledError:
        await _surely(_taken_back(running, tool, context, arguments))
        raise
    if not done:
        limit = f"Not done: {tool.name} did not end within {tool.manifest.seconds:g} s."
        text = limit + await _surely(_taken_back(running, tool, context, arguments))
        return Failure("late", text, "TimeoutError")
    result = _Raised(asyncio.CancelledError()) if running.cancelled() else running.result()
    if not isinstance(result, _Raised):
        return result
    if isinstance(result.error, ToolRefused):
        # A refusal says that nothing was done, so there is nothing of this call's to take back.
        return Failure("refused", f"Not done: {await _said(result.error)}", "ToolRefused")
    undone = await _surely(_undo(tool, context, arguments))
    log.warning("%s failed: %s", tool.name, whereabouts(result.error))
    error = type(result.error).__name__
    return Failure("failed", f"{tool.name} failed: {error}: {await _said(result.error)}{undone}", error)


@dataclass(frozen=True, slots=True)
class _Raised:
    """What a tool raised. Kept as a value: an exit or an interrupt of live code is its error, not our end."""

    error: BaseException


async def _call(tool: Tool, context: Context, arguments: dict[str, Any], *, undo: bool = False) -> object:
    run = tool.manifest.undo if undo else tool.run
    task = asyncio.current_task()
    try:
        return None if run is None else await Stretches(run(context, **arguments))
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        if isinstance(error, MemoryError | Computing):
            # What the tool has taken hangs on the frames of its error, and is needed now to go on.
            traceback.clear_frames(error.__traceback__)
        return _Raised(error)


async def _surely(work: Coroutine[Any, Any, str]) -> str:
    """Wait for what has to be done to the end, however often that is cancelled meanwhile. It holds itself to its time."""
    doing = asyncio.create_task(work)
    cancelled = False
    while not doing.done():
        try:
            await asyncio.wait({doing})
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
    return doing.result()


async def _taken_back(
    running: "asyncio.Task[object]", tool: Tool, context: Context, arguments: dict[str, Any]
) -> str:
    await _end(running)
    return await _undo(tool, context, arguments)


async def _end(running: "asyncio.Task[object]") -> None:
    """Cancel a call and wait a little; what will not end is left behind, so that nobody waits for it."""
    running.cancel()
    await asyncio.wait({running}, timeout=GRACE_SECONDS)
    if not running.done():
        log.error("%s does not end, though it was cancelled", running.get_name())


async def _undo(tool: Tool, context: Context, arguments: dict[str, Any]) -> str:
    if tool.manifest.undo is None:
        return " What it may have changed by then stays changed." if tool.manifest.writes else ""
    back = asyncio.create_task(_call(tool, context, arguments, undo=True), name=f"{tool.name}, back")
    # Waiting does not cancel it: a call that is half taken back is the worst of all.
    done, _ = await asyncio.wait({back}, timeout=UNDO_SECONDS)
    if not done or back.cancelled() or isinstance(back.result(), _Raised):
        log.warning("%s could not be taken back", tool.name)
        return " It could not be taken back; tell the person."
    return " What it had done was taken back."


async def _said(error: BaseException) -> str:
    try:
        return shortened(" ".join((await bounded(lambda: str(error))).split()))
    except BaseException:  # noqa: BLE001 - an error's text is live code as well, which may exit; nothing is waited for
        return ""
