"""A tool as the guide shows it, asked for in chat: judged, merged, and used by a model at the next question."""

import json
import re
import sqlite3
from pathlib import Path

from selfedit import protocol as say
from selfedit.editing.edits import parse_edits
from selfedit.types import Request, Stage
from tests.fakes.scripted import Script, Turn, Use, serving
from tests.fakes.world import FAST, ROOT, World, clone

ME = "console:tests"
TOOL = "agent/live/tools/shout.py"
TEST = '''"""What is said louder keeps its words."""

from agent.live.tools.shout import shout
from agent.tool import Context


async def test_it_is_in_capital_letters() -> None:
    """Every letter is a capital one, and nothing else changes."""
    assert await shout(Context("console:ann", "here"), "ship ahoy, 2!") == "SHIP AHOY, 2!"
'''
FIRST, SECOND = "What can you do?", "Say it louder, please."


def shown_in_the_guide() -> str:
    """The tool's whole file, out of the guide."""
    guide = (ROOT / "agent/README.md").read_text().partition(f"`{TOOL.removeprefix('agent/')}`")[2]
    found = re.search(r"```python\n(.*?)```", guide, re.DOTALL)
    assert found is not None
    return found[1]


def offered(request: dict[str, object]) -> set[str]:
    """The names of the tools that a model was told of."""
    tools = request.get("tools") or []
    assert isinstance(tools, list)
    return {tool["function"]["name"] for tool in tools}


async def test_a_tool_of_ten_lines_is_used_without_a_restart(tmp_path: Path, caches: Path) -> None:
    """After `/improve` has merged it, the same process offers it to a model, runs its call, and writes that down."""
    script = Script(
        [
            Turn(text="I have said it louder.", when="SHIP AHOY"),
            Turn(calls=(Use(name="shout", arguments={"text": "ship ahoy"}),), when=SECOND),
            Turn(text="I can calculate.", when=FIRST),
        ]
    )
    home = tmp_path / "home"
    home.mkdir()
    (home / "caches").symlink_to(caches)
    edits = [
        {"op": "create_module", "path": TOOL, "source": shown_in_the_guide()},
        {"op": "create_module", "path": "tests/live/test_tools_shout.py", "source": TEST},
    ]
    async with serving("openai", script) as address:
        env = {"OPENAI_API_KEY": "sk-test-0000", "OPENAI_BASE_URL": address}
        async with World(clone(tmp_path / "repo", FAST), home, env) as world:
            world.type(FIRST)
            await world.read("I can calculate.")
            before = await world.ask(say.Status())
            wish = Request(requested_by=ME, edits=parse_edits(json.dumps(edits)))
            answer = await world.ask(say.Improve(request=wish), 300)
            assert isinstance(answer, say.ProposalIs), answer
            assert answer.proposal.stage is Stage.OPENED, answer.proposal.why
            for _ in range(
                2
            ):  # on a busy machine its answers may seem slower, which asks for a second approval
                approved = await world.ask(say.Approve(number=answer.proposal.number, by=ME), 120)
                assert isinstance(approved, say.ProposalIs), approved
                if approved.proposal.stage is not Stage.OPENED:
                    break
            await world.until(lambda status: status.running == status.main != before.main)
            world.type(SECOND)
            await world.read("I have said it louder.")
            after = await world.ask(say.Status())
            assert (after.bot_pid, after.restarts) == (before.bot_pid, 0)
            world.type("/quit")
            assert await world.ended() == 0
    assert script.faults == []
    assert "shout" not in offered(script.requests[0])
    assert "shout" in offered(script.requests[1])
    with sqlite3.connect(home / "turns.sqlite3") as kept:
        rows = kept.execute("select tool, outcome, arguments from calls").fetchall()
    kept.close()
    assert rows == [("shout", "ok", '{"text": "ship ahoy"}')]
