"""What people had forgotten is gone, also what is under way and what stands in logs; what it cost stays on record."""

import asyncio
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.calling.answered import Place
from agent.calling.executor import Calls
from agent.calling.toolbox import Toolbox
from agent.chat.brain import Brain
from agent.models.single import OneModel
from agent.records.exchanges import Kept
from agent.records.turns import Turns
from agent.tool import Context, Manifest, Result
from agent.types import Prices
from policies.load import load_rules
from tests.fakes.scripted import ScriptedModel, Turn, Use
from tests.fakes.tools import CONSOLE, HERE, box, call, echo

RULES = load_rules()
OTHER = Place("discord:8", HERE.conversation)
WORD = "word-7261"


def brain_of(turns: Turns | None, *says: Turn) -> tuple[Brain, ScriptedModel]:
    """A brain with one model."""
    model = ScriptedModel(*says, prices=Prices(input=2.0, output=10.0))
    tools = RULES.tools.model_copy(update={"footer": "never"})
    return Brain(OneModel(model), RULES.model_copy(update={"tools": tools}), turns=turns), model


async def said(brain: Brain, text: str, who: Place = HERE, toolbox: Toolbox | None = None) -> str:
    """A whole answer."""
    answer = brain.answer(who.conversation, text, "", caller=who.caller, toolbox=toolbox or box(echo))
    return "".join([piece async for piece in answer])


async def told(brain: Brain, line: str, who: Place = HERE) -> str:
    """The answer to a command."""
    name, _, rest = line.partition(" ")
    return await brain.inform(name, rest, box(echo), who.caller, who.conversation)


class Gate:
    """A tool that waits until it is let go on."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    def toolbox(self) -> Toolbox:
        """It, with answers that stay good for a while, beside `echo`."""
        begun, go_on = self.begun, self.go_on

        async def waiting(context: Context, text: str) -> str:
            """Wait."""
            begun.set()
            await go_on.wait()
            return f"{context.caller}: {text}"

        return box(waiting, echo, waiting=Manifest(cache_seconds=60), echo=Manifest(cache_seconds=60))


@pytest.mark.parametrize(("who", "line"), [(HERE, "forget"), (CONSOLE, "forget all")])
async def test_what_is_being_answered_is_forgotten_as_well(turns: Turns, who: Place, line: str) -> None:
    """A question that is under way counts, and neither it, nor its calls' words, nor its answer is kept when it is done."""
    first, then = (Use(name=name, arguments={"text": WORD}) for name in ("waiting", "echo"))
    brain, model = brain_of(
        turns, Turn(calls=(first,)), Turn(calls=(then,)), Turn(text=WORD), Turn(text="yes", times=0)
    )
    gate = Gate()
    asking = asyncio.create_task(said(brain, f"my {WORD}", HERE, gate.toolbox()))
    await gate.begun.wait()
    assert "one question" in await told(brain, line, who)
    gate.go_on.set()
    assert await asking == WORD
    assert turns.newest(HERE.conversation, 10) == []
    assert [row["tool"] for row in turns.calls()] == ["echo", "waiting"]
    assert WORD not in str(turns.calls())
    assert brain._calls._kept == {}
    await said(brain, "and?")
    assert WORD not in str(model.script.requests[-1]["messages"])


async def test_what_others_are_being_answered_is_kept(turns: Turns) -> None:
    """One person's word to forget takes nothing from another's question under way, nor from what is asked afterwards."""
    use = Use(name="waiting", arguments={"text": WORD})
    brain, _ = brain_of(turns, Turn(calls=(use,)), Turn(text="done", times=0))
    gate = Gate()
    asking = asyncio.create_task(said(brain, "theirs", OTHER, gate.toolbox()))
    await gate.begun.wait()
    assert "nothing to forget" in await told(brain, "forget")
    gate.go_on.set()
    await asking
    await said(brain, "mine")
    assert [kept.question for kept in turns.newest(HERE.conversation, 10)] == ["theirs", "mine"]
    assert WORD in str(turns.calls())


async def test_traces_that_may_be_left_are_told_of(turns: Turns, tmp_path: Path) -> None:
    """While another program reads the file nobody hears that all is gone; said again later, it is."""
    brain, model = brain_of(turns, Turn(text="yes", times=0))
    await said(brain, f"my {WORD}")
    with closing(sqlite3.connect(tmp_path / "turns.sqlite3", isolation_level=None)) as other:
        other.execute("begin")
        other.execute("select count(*) from turns").fetchone()
        assert "may still be traces" in await told(brain, "forget")
        other.execute("rollback")
    await said(brain, "and?")
    assert WORD not in str(model.script.requests[-1]["messages"])
    await told(brain, "forget")
    assert WORD.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


async def test_what_was_spent_stays_on_record(turns: Turns) -> None:
    """Nobody gets out of the sums by forgetting: questions, tokens and dollars of people and models stay what they were."""
    brain, _ = brain_of(turns, Turn(text="yes", times=0))
    for who in (HERE, HERE, OTHER):
        await said(brain, f"my {WORD}", who)
    before = turns.usage(0)
    assert [(row.name, row.times) for row in before.people] == [(HERE.caller, 2), (OTHER.caller, 1)]
    assert "2 questions" in await told(brain, "forget")
    assert turns.usage(0) == before
    assert "nothing to forget" in await told(brain, "forget")
    assert len(turns.newest(HERE.conversation, 10, parts=True)) == 1


def test_an_older_file_is_cleaned_once(tmp_path: Path) -> None:
    """What an earlier version deleted without overwriting it is gone when the file is opened, and what is kept is not."""
    path = tmp_path / "turns.sqlite3"
    first = Turns(path)
    first.keep(HERE, Kept("kept", "answer", at=9e9))
    first.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        older.execute("pragma secure_delete=off")
        older.execute("pragma user_version=0")
        older.execute("create table gone (text)")
        older.executemany("insert into gone values (?)", [(WORD * 500,)] * 20)
        older.execute("delete from gone")
        older.execute("pragma wal_checkpoint(truncate)")
    assert WORD.encode() in path.read_bytes()
    again = Turns(path)
    left = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert [kept.question for kept in again.newest(HERE.conversation, 10)] == ["kept"]
    again.close()
    assert WORD.encode() not in left


async def test_a_log_keeps_no_words_of_what_failed(turns: Turns, caplog: pytest.LogCaptureFixture) -> None:
    """Of a tool that fails the log says the class and the place, never the text, which may be somebody's words."""

    async def broken(context: Context, text: str) -> str:
        """Fail."""
        raise ValueError(f"{context.caller} said {text}") from KeyError(text)

    async def senseless(context: Context, text: str) -> Any:
        """Answer with what cannot be read."""

        class Odd:
            def __str__(self) -> str:
                raise ValueError(text)

        return Result(context.caller, sources=(Odd(),))  # type: ignore[arg-type]  # that is the fault

    caplog.set_level(logging.DEBUG)
    tools = box(broken, senseless)
    for name in ("broken", "senseless"):
        answered = await Calls(RULES, note=turns.note).run(tools, call(name, text=WORD), HERE)
        assert (answered.outcome, answered.error) == ("failed", "ValueError")
    assert caplog.text.count("ValueError at ") == 2
    assert "test_forgetting.py:" in caplog.text
    assert WORD not in caplog.text


async def test_history_shows_others_no_results(turns: Turns) -> None:
    """Who is no maintainer sees of others' exchanges what was said, not what their tools were given and found."""
    use = Use(name="echo", arguments={"text": WORD})
    brain, _ = brain_of(turns, Turn(calls=(use,)), Turn(text="done", times=0))
    await said(brain, "look it up", OTHER)
    shown = {who.caller: await told(brain, "history", who) for who in (HERE, OTHER, CONSOLE)}
    assert {who: WORD in each for who, each in shown.items()} == {
        HERE.caller: False,
        OTHER.caller: True,
        CONSOLE.caller: True,
    }
    assert all("look it up" in each and "done" in each for each in shown.values())


async def test_looking_things_up_has_a_pace(turns: Turns) -> None:
    """What reads many rows is asked for no more often than questions are; maintainers may at any pace."""
    limits = RULES.limits.model_copy(update={"asks_a_minute": 2})
    brain = Brain(None, RULES.model_copy(update={"limits": limits}), turns=turns)
    lines = ("tools echo", "history", "tools echo", "history")
    assert ["a little fast" in await told(brain, line) for line in lines] == [False, False, True, True]
    assert ["a little fast" in await told(brain, line, CONSOLE) for line in lines] == [False] * 4


def test_what_is_old_is_found_without_reading_everything(turns: Turns) -> None:
    """Letting go of old rows goes by time through an index."""
    for table, plan in (
        ("turns", "explain query plan delete from turns where at < 1"),
        ("calls", "explain query plan delete from calls where at < 1"),
    ):
        assert f"{table}_by_time" in str(turns._db.execute(plan).fetchall())


async def test_a_log_quotes_no_row_that_cannot_be_read(
    turns: Turns, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a row that another version wrote the log says that it cannot be read, and not what stands in it."""
    brain, _ = brain_of(turns, Turn(text="yes", times=0))
    await said(brain, "hello")
    with closing(sqlite3.connect(tmp_path / "turns.sqlite3", isolation_level=None)) as other:
        other.execute("update parts set message = ?", (f'{{"role": "{WORD}"}}',))
    assert turns.newest(HERE.conversation, 10, parts=True) == []
    assert "cannot be read" in caplog.text
    assert WORD not in caplog.text
