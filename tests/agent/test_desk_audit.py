"""What is written down of a call: one row with every stage, by whom and since when, and no words of what was private."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest

from agent.calling.answered import Place
from agent.calling.executor import Calls
from agent.calling.toolbox import Toolbox
from agent.incoming.wish import Wish
from agent.records.exchanges import Kept
from agent.records.turns import Turns
from agent.tool import Context, Manifest, Result, ToolRefused
from tests.agent.asking import RULES, brain_of, said, told
from tests.fakes.scripted import Turn, Use
from tests.fakes.tools import CONSOLE, HERE, box, call, echo

STAGES = ["permission", "input", "policy", "access", "execution", "audit"]


async def broken(context: Context) -> str:
    """Fail."""
    raise ValueError(f"no luck for {context.caller}, with ghp_0123456789abcdef0123456789abcdef0123")


async def refusing(context: Context) -> str:
    """Refuse."""
    raise ToolRefused(f"not for {context.caller}")


async def writing(context: Context) -> Result:
    """Change something."""
    return Result(f"done for {context.caller}", untrusted=True)


async def slow(context: Context) -> str:
    """Never end."""
    await asyncio.Event().wait()
    return context.caller


@pytest.mark.parametrize(
    ("name", "manifest", "arguments", "ends"),
    [
        ("echo", Manifest(), {"text": "a"}, "execution ok"),
        ("gone", Manifest(), {}, "permission unknown"),
        ("echo", Manifest(permission="maintainer"), {}, "permission denied"),
        ("echo", Manifest(), {"wrong": 1}, "input wrong"),
        ("writing", Manifest(writes=True), {}, "policy unconfirmed"),
        ("echo", Manifest(uses=("web",)), {}, "access failed OSError"),
        ("broken", Manifest(), {}, "execution failed ValueError"),
        ("refusing", Manifest(), {}, "execution refused ToolRefused"),
        ("slow", Manifest(seconds=0.01), {}, "execution late TimeoutError"),
    ],
)
async def test_every_call_leaves_one_row_with_all_its_stages(
    turns: Turns, name: str, manifest: Manifest, arguments: dict[str, Any], ends: str
) -> None:
    """Whatever came of it, the audit says for each stage whether it was passed, and what class of error ended it."""

    async def lend() -> Mapping[str, Any]:
        raise OSError("no net here")

    functions = {each.__name__: each for each in (echo, broken, refusing, writing, slow)}
    tools = box(functions[name], **{name: manifest}) if name in functions else Toolbox()
    calls = Calls(RULES, lend, turns.note)
    await calls.run(tools, call(name, **arguments), HERE, outside=())
    (row,) = turns.calls()
    stopped, outcome, error = [*ends.split(), ""][:3]
    at = STAGES.index(stopped)
    said = outcome if stopped == "execution" else "no"
    passed, ahead = STAGES[:at], STAGES[at + 1 : -1]
    expected = (
        [f"{stage}=yes" for stage in passed] + [f"{stopped}={said}"] + [f"{stage}=-" for stage in ahead]
    )
    assert row["stages"].split() == [*expected, "audit=written"]
    assert (row["outcome"], row["error"], row["caller"]) == (outcome, error, HERE.caller)
    assert "ghp_" not in str(row)


async def test_a_call_that_somebody_ended_leaves_its_row(turns: Turns) -> None:
    """A call that is cancelled is written down as that."""
    begun = asyncio.Event()

    async def endless(context: Context) -> str:
        """Never end."""
        begun.set()
        await asyncio.Event().wait()
        return context.caller

    calls = Calls(RULES, note=turns.note)
    running = asyncio.create_task(calls.run(box(endless), call("endless"), HERE))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [row["stages"].split()[-2:] for row in turns.calls()] == [["execution=cancelled", "audit=written"]]


async def test_maintainers_see_who_used_what(turns: Turns) -> None:
    """`/usage` sums up people, models, tools and failures, `/calls` shows each with its stages; both for maintainers only."""
    tools = box(echo, broken)
    uses = (Use(name="echo"), Use(name="broken"))
    brain = brain_of(turns, Turn(calls=uses), Turn(text="Done."))
    await said(brain, "hi", toolbox=tools)
    for command in ("usage", "calls"):
        assert "Only maintainers" in await told(brain, command)
    summed = await told(brain, "usage 7", CONSOLE)
    for part in ("discord:7: 1, 240 tokens", "scripted: 1", "echo: 1, 1 well (100%)", "broken ValueError 1"):
        assert part in summed
    listed = await told(brain, "calls", CONSOLE)
    assert "broken  failed ValueError  discord:7 by scripted" in listed
    assert "permission=yes input=yes policy=yes access=yes execution=failed audit=written" in listed
    since = turns.usage(time.time() + 10)
    assert (since.people, since.tools) == ((), ())


async def test_since_when_a_tool_is_there_outlives_the_process(turns: Turns) -> None:
    """Its name and version are its identity: the first time it was offered stays what it was."""
    await told(brain_of(turns), "tools")
    first = turns.met("echo")
    await told(brain_of(turns), "tools", toolbox=box(echo, echo=Manifest(version="2.0.0")))
    assert 0 < first == turns.met("echo")


async def test_without_a_file_people_hear_that_nothing_is_kept() -> None:
    """Where nothing can be kept on disk, the commands that would show it say so, and the others work."""
    brain = brain_of(None)
    for command in ("history", "usage", "calls"):
        assert "Nothing is kept" in await told(brain, command, CONSOLE)
    assert "cannot be kept" in await told(brain, "tool list", CONSOLE)
    assert "Spent today" in await told(brain, "cost")


def test_usage_names_who_made_a_model_available(turns: Turns) -> None:
    """Questions are summed up by provider and model, so that the same model of two is told apart."""
    for vendor in ("openai", "server"):
        turns.keep(Place("discord:7", "here", model=f"{vendor}/gpt-9"), Kept("q", "a", model="gpt-9", at=1.0))
    assert sorted(row.name for row in turns.usage(0).models) == ["openai/gpt-9", "server/gpt-9"]


async def test_a_call_that_the_turn_does_not_make_has_its_stage(turns: Turns) -> None:
    """What is repeated too often ends at the policy, what cannot be paid at access, what was cut off at input."""
    brain = brain_of(turns, Turn(calls=(Use(name="echo"), Use(name="echo"))), Turn(text="ok"), repeats=1)
    await said(brain, "hi")
    stages = {row["outcome"]: row["stages"] for row in turns.calls()}
    assert "policy=no access=- execution=-" in stages["repeated"]
    dear = brain_of(turns, Turn(calls=(Use(name="echo"),)), Turn(text="ok"), turn_dollars=0.5)
    await said(dear, "hi", toolbox=box(echo, echo=Manifest(cost=0.6)))
    assert "policy=yes access=no execution=-" in turns.calls(1)[0]["stages"]


async def test_the_audit_keeps_no_words_of_what_was_private(turns: Turns) -> None:
    """Of a private question's calls it is written down that they were made, and what came of them, but not with what."""
    use = Use(name="echo", arguments={"text": "secret-7261"})
    wrong = Use(name="echo", arguments={"secret-7261": 1})
    gone = Use(name="gone", arguments={"text": "secret-7261"})
    brain = brain_of(turns, Turn(calls=(use, wrong, gone)), Turn(text="ok"))
    answer = brain.answer(
        HERE.conversation, "hi", "", caller=HERE.caller, toolbox=box(echo), wish=Wish(private=True)
    )
    assert "".join([piece async for piece in answer]).startswith("ok")
    assert {(row["tool"], row["outcome"], row["arguments"]) for row in turns.calls()} == {
        ("echo", "ok", "{}"),
        ("echo", "wrong", "{}"),
        ("gone", "unknown", "{}"),
    }
    assert "secret" not in str(turns.calls())
