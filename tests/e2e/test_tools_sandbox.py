"""Code that a model wrote runs in a real sandbox: what it prints comes out, and nothing else does."""

import asyncio
import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.calling.executor import Calls
from agent.calling.toolbox import discover
from agent.chat.brain import Brain
from agent.models.single import OneModel
from agent.records.turns import Turns
from agent.services.runner import SandboxRunner
from bot.theseus import Bot
from policies.load import ServiceRules, load_rules
from sandbox.types import Sandbox
from selfedit import protocol as say
from selfedit.types import NoDraft
from tests.fakes.plans import plan
from tests.fakes.scripted import ScriptedModel, Turn, Use
from tests.fakes.tools import HERE, call, source

RULES = load_rules().services
ROOT = Path(__file__).parents[2]
RUN_CODE = "agent/live/tools/run_code.py"
NAMED = "open('/proc/self/comm', 'w').write('{}')\n"
"""Lets a program be found among all processes of this machine, by a name of up to 15 characters."""


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[Turns]:
    """A fresh file for the audit."""
    opened = Turns(tmp_path / "turns.sqlite3")
    yield opened
    opened.close()


def alive(name: str) -> bool:
    """Whether a process of that name runs."""
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text().strip() == name:
                return True
        except OSError:
            continue  # it ended meanwhile
    return False


def runner(sandbox: Sandbox, **changed: object) -> SandboxRunner:
    async def opened() -> Sandbox:
        return sandbox

    return SandboxRunner(opened, ServiceRules(**{**RULES.model_dump(), **changed}))


async def test_what_a_program_prints_comes_out(sandbox: Sandbox) -> None:
    """A whole program runs, with its own text and the standard library."""
    told = await runner(sandbox).python("import statistics\nprint('mean', statistics.mean([1, 2, 3]))", 10)
    assert "exit code 0" in told
    assert "mean 2" in told


@pytest.mark.parametrize("host", ["127.0.0.1", "1.1.1.1", "169.254.169.254"])
async def test_there_is_no_network(sandbox: Sandbox, host: str) -> None:
    """No connection can be made to anywhere."""
    told = await runner(sandbox).python(
        f"import socket\nsocket.create_connection(('{host}', 80), 2)\nprint('IN')", 10
    )
    assert "Error" in told
    assert "IN" not in told


async def test_an_endless_program_is_ended(sandbox: Sandbox) -> None:
    """Time is bounded, whatever the caller wants."""
    told = await runner(sandbox, run_seconds=1.0).python("print('begun', flush=True)\nwhile True: pass", 600)
    assert "longest it may take" in told
    assert "begun" in told


async def test_a_hungry_program_is_ended(sandbox: Sandbox) -> None:
    """A gigabyte is more than it gets."""
    told = await runner(sandbox).python("print(len(bytearray(2**30)))", 10)
    assert "1073741824" not in told
    assert "MemoryError" in told or "memory" in told


async def test_a_flood_is_cut(sandbox: Sandbox) -> None:
    """What is printed beyond the bound is dropped, and that is said."""
    told = await runner(sandbox, run_output_bytes=2000).python("print('x' * 10_000_000)", 10)
    assert len(told) < 3000
    assert "the rest is dropped" in told


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("while True: pass", "longest it may take"),
        ("print(len(bytearray(2**30)))", "emory"),
        ("import socket\nsocket.create_connection(('1.1.1.1', 80), 2)\nprint('IN')", "Error"),
    ],
    ids=["endless", "hungry", "reaching out"],
)
async def test_the_tool_reports_what_was_stopped(
    sandbox: Sandbox, turns: Turns, code: str, says: str
) -> None:
    """Through the tool that models use, each is ended, the model reads how, and the audit has a row with all stages."""

    async def lend() -> Mapping[str, Any]:
        return {"runner": runner(sandbox, run_seconds=2.0)}

    tools = discover([source((ROOT / RUN_CODE).read_text(encoding="utf-8"), RUN_CODE)])
    answered = await Calls(load_rules(), lend, turns.note).run(tools, call("run_code", code=code), HERE)
    assert says in answered.text
    assert "1073741824" not in answered.text
    assert "IN" not in answered.text
    assert answered.untrusted
    (row,) = turns.calls()
    assert row["stages"].startswith("permission=yes input=yes policy=yes access=yes execution=")
    assert json.loads(row["arguments"])["code"] == code


async def test_a_halt_ends_what_runs_in_the_sandbox(sandbox: Sandbox, turns: Turns) -> None:
    """While a program runs for a chat, a halt ends it with its process, the person is told so, and the audit as well."""
    name = f"t-{secrets.token_hex(6)}"
    endless = NAMED.format(name) + "while True: pass"
    use = Use(name="run_code", arguments={"code": endless, "seconds": 60})

    async def lend() -> Mapping[str, Any]:
        return {"runner": runner(sandbox, run_seconds=60.0)}

    async def no_author() -> NoDraft:
        return NoDraft(why="none here")

    brain = Brain(OneModel(ScriptedModel(Turn(calls=(use,)))), load_rules(), turns=turns, services=lend)
    bot = Bot(load_rules(), brain, no_author)
    chat = """
        async def answer(turn):
            if turn.brain is None: return "canary"
            return "".join([piece async for piece in turn.brain.answer("", turn.text, "")])
        def setup(registry): registry.chat(answer)
    """
    files = {"bot/live/a/feature.py": chat, RUN_CODE: (ROOT / RUN_CODE).read_text(encoding="utf-8")}
    assert isinstance(await bot.hear(say.Load(plan=plan(files))), say.Loaded)
    answering = asyncio.create_task(bot.respond("run it", HERE.caller, HERE.conversation))
    async with asyncio.timeout(60):  # only so that a program that never begins fails instead of hanging
        while not await asyncio.to_thread(alive, name):
            assert not answering.done(), answering.result()
    await bot.ask(say.Halt(by="console:ann"))
    assert "/halt" in await answering
    assert not alive(name)
    assert [row["outcome"] for row in turns.calls()] == ["cancelled"]
