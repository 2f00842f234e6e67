"""The file of what was said and spent: read back as it was, kept as long as it may be, and no fault of it ends a chat."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from agent.chat.brain import Brain
from agent.models.single import OneModel
from agent.records.accounts import Accounts
from agent.records.exchanges import Kept
from agent.records.tables import BUSY_MS
from agent.records.turns import Turns, TurnsProblem, open_turns
from agent.records.usage import UNUSED
from agent.types import Message
from policies.limits import DAY, Spent, day_of
from tests.agent.budgets import NOON, PRICES, RULES, rules_with, said
from tests.fakes.scripted import ScriptedModel, Turn, Use
from tests.fakes.tools import HERE, box, echo


async def test_a_turn_can_be_replayed_part_by_part(turns: Turns) -> None:
    """Question, calls, results and answer are kept in order, with who gave it and what it cost; a restart remembers."""
    says = (
        Turn(text="I look.", calls=(Use(name="echo", arguments={"text": "a"}), Use(name="gone"))),
        Turn(text="Found."),
        Turn(text="As I said.", when="I look."),
    )
    model = ScriptedModel(*says, prices=PRICES)
    await said(Brain(OneModel(model), rules_with(), turns=turns))
    (kept,) = turns.newest("here", 10, parts=True)
    assert [part.role for part in kept.parts] == ["user", "assistant", "tool", "tool", "assistant"]
    assert [call.name for call in kept.parts[1].calls] == ["echo", "gone"]
    assert [part.call_id for part in kept.parts[2:4]] == [call.id for call in kept.parts[1].calls]
    assert (kept.question, kept.answer, kept.model, kept.tokens) == (
        "hi",
        "I look.\n\nFound.",
        "scripted",
        240,
    )
    assert await said(Brain(OneModel(model), rules_with(), turns=turns)) == "As I said."


def test_who_asked_and_where_it_came_from_is_kept(turns: Turns) -> None:
    """What is read back of a turn says who asked, and which addresses its tools found."""
    turns.keep(HERE, Kept("q", "a", sources=("https://a.example/x", "half \ud800")))
    (kept,) = turns.newest("here", 10)
    assert (kept.caller, kept.sources) == (HERE.caller, ("https://a.example/x", "half ?"))


def test_an_older_file_is_read(tmp_path: Path) -> None:
    """A file from before sources were kept is opened, keeps what it holds, and takes more."""
    path = tmp_path / "turns.sqlite3"
    first = Turns(path)
    first.keep(HERE, Kept("old", "answer", at=time.time()))
    first.close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("alter table turns drop column sources")
    again = Turns(path)
    again.keep(HERE, Kept("new", "answer", sources=("https://a.example",), at=time.time()))
    assert [(kept.question, kept.sources) for kept in again.newest("here", 10)] == [
        ("old", ()),
        ("new", ("https://a.example",)),
    ]
    again.close()


async def test_a_row_that_another_version_wrote_does_not_end_a_chat(turns: Turns, tmp_path: Path) -> None:
    """The window needs no parts, so one that cannot be read takes nothing away; who replays finds none, and a log."""
    model = ScriptedModel(Turn(text="one"), Turn(text="two", when="one"))
    await said(Brain(OneModel(model), rules_with(), turns=turns))
    with closing(sqlite3.connect(tmp_path / "turns.sqlite3", isolation_level=None)) as other:
        other.execute("""update parts set message = '{"role": "user", "mood": "new"}'""")
    assert await said(Brain(OneModel(model), rules_with(), turns=turns)) == "two"
    assert turns.newest("here", 10, parts=True) == []


async def test_a_file_that_cannot_be_read_does_not_end_a_chat(
    turns: Turns, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where tables are gone or damaged, nothing was said or spent as far as anybody can tell, and the log says why."""
    with closing(sqlite3.connect(tmp_path / "turns.sqlite3", isolation_level=None)) as other:
        for table in ("parts", "turns", "calls", "spent"):
            other.execute(f"drop table {table}")
    assert (turns.newest("here", 10), turns.used("echo"), turns.spent(day_of(NOON))) == ([], UNUSED, {})
    assert len([record for record in caplog.records if "cannot be read" in record.message]) == 3
    brain = Brain(OneModel(ScriptedModel(Turn(text="hello"))), rules_with(), turns=turns)
    assert await said(brain) == "hello"
    assert "never" in await brain.inform("tools", "echo", box(echo), "discord:7", "here")


async def test_another_writer_holds_nobody_up(turns: Turns, tmp_path: Path) -> None:
    """While the file is locked people are answered, and no write waits long enough to look like code that hangs."""
    with closing(sqlite3.connect(tmp_path / "turns.sqlite3", isolation_level=None)) as other:
        other.execute("begin immediate")
        turns.keep(HERE, Kept("lost", "answer"))
        other.execute("rollback")
    turns.keep(HERE, Kept("kept", "answer"))
    assert [kept.question for kept in turns.newest("here", 10)] == ["kept"]
    assert turns._db.execute("pragma busy_timeout").fetchone() == (BUSY_MS,)
    assert RULES.watch.lag_ms >= BUSY_MS * 5


async def test_every_call_leaves_a_row(turns: Turns) -> None:
    """Whatever came of it, a call is written down with who made it and redacted arguments; usage counts go by tool."""
    uses = (
        Use(name="echo", arguments={"text": "use ghp_0123456789abcdef0123456789abcdef0123"}),
        Use(name="gone", arguments={"password": "x"}),
        Use(name="echo", arguments="{"),
    )
    model = ScriptedModel(Turn(calls=uses), Turn(text="Done."))
    await said(Brain(OneModel(model), rules_with(), turns=turns))
    rows = sorted((row["tool"], row["outcome"], row["arguments"]) for row in turns.calls())
    assert rows == [
        ("echo", "ok", '{"text": "use (hidden)"}'),
        ("echo", "wrong", '{"unreadable": "{"}'),
        ("gone", "unknown", '{"password": "(hidden)"}'),
    ]
    assert {row["caller"] for row in turns.calls()} == {"discord:7"}
    assert (turns.used("echo").calls, turns.used("echo").good) == (2, 1)


def test_what_is_old_is_let_go_of(tmp_path: Path) -> None:
    """Whatever was said more than ninety days ago is gone when the file is opened the next time."""
    path = tmp_path / "turns.sqlite3"
    now = time.time()
    for at in (now - 91 * DAY, now - 89 * DAY):
        opened = Turns(path)
        part = Message(role="user", text=str(at))
        opened.keep(HERE, Kept("question", "answer", parts=(part,), at=at))
        opened.close()
    again = Turns(path)
    assert [kept.at for kept in again.newest("here", 10)] == [now - 89 * DAY]
    again.close()


async def test_what_gets_old_while_the_bot_runs_is_let_go_of(turns: Turns) -> None:
    """With the first question of a day, what is then more than ninety days old goes, and no younger word."""
    now = [time.time()]
    model = ScriptedModel(Turn(calls=(Use(name="echo"),)), Turn(text="yes", times=0))
    brain = Brain(OneModel(model), rules_with(), turns=turns, clock=lambda: now[0])
    await said(brain, "first")
    now[0] += 50 * DAY
    await said(brain, "second")
    assert len(turns.newest("here", 10)) == 2
    now[0] += 41 * DAY
    await said(brain, "third")
    assert [kept.question for kept in turns.newest("here", 10)] == ["second", "third"]
    assert turns.calls() == []


async def test_a_disk_that_takes_nothing_more_does_not_end_a_chat(tmp_path: Path) -> None:
    """When nothing can be written down any more, people are answered all the same, with what is in memory."""
    turns = Turns(tmp_path / "turns.sqlite3")
    model = ScriptedModel(Turn(calls=(Use(name="echo"),)), Turn(text="one"), Turn(text="two", when="one"))
    brain = Brain(OneModel(model), rules_with(), turns=turns)
    with sqlite3.connect(tmp_path / "turns.sqlite3") as other:
        for table in ("turns", "calls", "spent"):
            other.execute(
                f"create trigger no_{table} before insert on {table} begin select raise(abort, 'full'); end"
            )
    other.close()
    assert [await said(brain), await said(brain)] == ["one", "two"]
    assert turns.newest("here", 10) == []
    turns.close()


async def test_what_is_forgotten_is_gone(turns: Turns) -> None:
    """Forgetting a conversation takes all its parts, in memory and on disk, and no other's."""
    model = ScriptedModel(Turn(text="one", times=0))
    brain = Brain(OneModel(model), rules_with(), turns=turns)
    await said(brain)
    await said(brain, place="there")
    brain.forget("here")
    await said(brain, "again")
    assert [message["text"] for message in model.script.requests[-1]["messages"]] == ["again"]
    assert [kept.question for kept in turns.newest("here", 10)] == ["again"]
    assert [kept.question for kept in turns.newest("there", 10)] == ["hi"]


def test_a_number_that_no_file_takes_ends_nothing(turns: Turns, caplog: pytest.LogCaptureFixture) -> None:
    """What is too large to be written down is logged, and what was set aside is given back all the same."""
    accounts = Accounts(RULES, turns, lambda: NOON)
    purse = accounts.purse("discord:7", "here")
    assert accounts.reserve(purse, Spent(10)) is None
    accounts.settle(purse, Spent(10), Spent(2**63))
    assert accounts._held == {}
    assert "could not be written down" in caplog.text


def test_a_damaged_file_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be read any more is kept under another name, a new file is begun, and the log says what that means."""
    path = tmp_path / "turns.sqlite3"
    path.write_bytes(b"no database at all " * 100)
    opened = open_turns(path)
    opened.keep(HERE, Kept("question", "answer", at=time.time()))
    opened.close()
    again = open_turns(path)
    assert [kept.question for kept in again.newest("here", 10)] == ["question"]
    again.close()
    (aside,) = tmp_path.glob("turns.sqlite3.unreadable-*")
    assert aside.read_bytes().startswith(b"no database")
    assert "budgets begin anew" in caplog.text


def test_a_file_that_cannot_be_opened_now_stays(tmp_path: Path) -> None:
    """What a later start may open stays where it is."""
    path = tmp_path / "turns.sqlite3"
    path.mkdir()
    with pytest.raises(TurnsProblem):
        open_turns(path)
    assert [each.name for each in tmp_path.iterdir()] == ["turns.sqlite3"]
