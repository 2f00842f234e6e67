"""One attempt at a call: whatever a tool does to itself, and whoever goes away, what has to be taken back is."""

import asyncio
import logging
from typing import Any

import pytest

from agent.calling.attempt import Failure, attempt
from agent.calling.executor import Calls
from agent.calling.toolbox import BadTool, Toolbox
from agent.tool import Context, Manifest, ToolRefused
from agent.types import ToolCall
from policies.load import load_rules
from tests.fakes.tools import HERE, box, call, echo

RULES = load_rules()
CONTEXT = Context(caller="discord:7", conversation="here")


def tried(tools: Toolbox, name: str, **arguments: Any) -> asyncio.Task[object]:
    """An attempt that is under way."""
    tool = tools.find(name)
    assert tool is not None
    return asyncio.create_task(attempt(tool, CONTEXT, arguments))


async def test_a_tool_that_cancels_itself_has_failed() -> None:
    """Cancelling its own task is the tool's failure, not the end of the turn, and not of what takes it back either."""
    back: list[str] = []

    async def quits(context: Context) -> str:
        """Quit."""
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        return context.caller

    async def undo(context: Context) -> str:
        back.append(context.caller)
        return await quits(context)

    result = await tried(box(quits, quits=Manifest(writes=True, undo=undo)), "quits")
    assert isinstance(result, Failure)
    assert (result.outcome, back) == ("failed", ["discord:7"])
    assert "could not be taken back" in result.text


async def test_an_error_that_exits_when_it_is_read_ends_nothing() -> None:
    """An error's text is live code: one that raises an exit is a refusal without a word, and the process goes on."""

    class Leaves(ToolRefused):
        def __str__(self) -> str:
            raise SystemExit

    async def leaves(_context: Context) -> str:
        """Refuse."""
        raise Leaves

    result = await tried(box(leaves), "leaves")
    assert isinstance(result, Failure)
    assert (result.outcome, result.text) == ("refused", "Not done: ")


async def test_a_second_cancellation_does_not_keep_the_first_from_taking_back() -> None:
    """However often a call is cancelled while it ends, what it did is taken back before the cancellation goes on."""
    pages: list[str] = []
    written, ending, end = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def write(context: Context) -> str:
        """Write, and take a while to end."""
        pages.append(context.caller)
        written.set()
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await end.wait()
        return "written"

    async def undo(context: Context) -> str:
        pages.remove(context.caller)
        return "gone"

    running = tried(box(write, write=Manifest(writes=True, undo=undo, seconds=60)), "write")
    await written.wait()
    running.cancel()
    await ending.wait()
    running.cancel()
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.sleep(0)
    end.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert pages == []


async def test_a_refusal_takes_nothing_back() -> None:
    """What was there before a call refused to make it again is still there after."""
    pages = {"plan"}

    async def make(context: Context, page: str) -> str:
        """Make a page."""
        if page in pages:
            raise ToolRefused(f"{page} exists already, {context.caller}")
        pages.add(page)
        return page

    async def undo(context: Context, page: str) -> str:
        assert context.caller
        pages.discard(page)
        return page

    result = await tried(box(make, make=Manifest(writes=True, undo=undo)), "make", page="plan")
    assert isinstance(result, Failure)
    assert (result.outcome, pages) == ("refused", {"plan"})


@pytest.mark.parametrize("fits", [True, False])
def test_what_takes_back_is_called_as_the_tool_is(*, fits: bool) -> None:
    """A tool whose undo does not take what the tool takes is refused when it is loaded."""

    async def write(context: Context, page: str) -> str:
        """Write."""
        return f"{context.caller} {page}"

    async def same(context: Context, page: str) -> str:
        return f"{context.caller} {page}"

    async def other(context: Context) -> str:
        return context.caller

    manifest = Manifest(writes=True, undo=same if fits else other)
    if fits:
        assert box(write, write=manifest).find("write") is not None
    else:
        with pytest.raises(BadTool, match="undo of write"):
            box(write, write=manifest)


async def test_what_cannot_be_lent_is_a_result(caplog: pytest.LogCaptureFixture) -> None:
    """When what a tool needs cannot even be loaded, the model reads that it failed, and the operator why."""

    async def lend() -> dict[str, Any]:
        raise ImportError("no module named what it takes")

    with caplog.at_level(logging.WARNING):
        answered = await Calls(RULES, lend).run(box(echo, echo=Manifest(uses=("web",))), call("echo"), HERE)
    assert answered.outcome == "failed"
    assert "no module" in caplog.text


async def test_blank_arguments_are_none() -> None:
    """Arguments that are nothing but spaces are as good as none, also once text from outside is there."""
    tools = box(echo, echo=Manifest(uses=("web",)))
    blank = ToolCall(id="1", name="echo", arguments="  ")
    answered = await Calls(RULES).run(tools, blank, HERE, outside=())
    assert answered.outcome == "ok"


async def test_an_answer_is_not_kept_for_another_generation() -> None:
    """A tool whose code was changed without a new version answers anew, and after a rollback the old one as it did."""
    generations = []
    for number in range(2):

        async def probe(context: Context) -> str:
            """Probe."""
            return f"{probe.__module__} {context.caller}"

        probe.__module__ = f"generation_{number}"
        generations.append(box(probe, probe=Manifest(cache_seconds=60)))
    calls = Calls(RULES)
    outcomes = [(await calls.run(generations[at], call("probe"), HERE)).outcome for at in (0, 0, 1, 0)]
    assert outcomes == ["ok", "cached", "ok", "cached"]
