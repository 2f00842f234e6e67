"""Exchanges found by the message of their question: kept, led to by chains, changed, forgotten one by one."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from agent.calling.answered import Place
from agent.chat.brain import Brain
from agent.chat.window import Exchange, Memory, shown
from agent.incoming.wish import Heard, Wish
from agent.models.single import OneModel
from agent.records.accounts import Accounts
from agent.records.exchanges import Kept
from agent.records.turns import Turns
from agent.types import Message
from policies.limits import Over, Spent
from policies.load import load_rules
from tests.fakes.scripted import ScriptedModel, Turn
from tests.fakes.tools import HERE

RULES = load_rules()
SERVER = "discord:1"


def kept(question: str, source: str, reply_to: str = "") -> Kept:
    """An exchange of this moment."""
    part = Message(role="user", text=question)
    return Kept(
        question,
        f"re: {question}",
        parts=(part,),
        at=time.time(),
        caller=HERE.caller,
        source=source,
        reply_to=reply_to,
    )


def exchange(question: str, source: str, reply_to: str = "", *, private: bool = False) -> Exchange:
    """The same in memory."""
    return Exchange(
        question, f"re: {question}", HERE.caller, private=private, source=source, reply_to=reply_to
    )


def chain(*sources: str) -> Wish:
    """A wish that goes on from the exchanges of these messages."""
    before = tuple(Heard(f"text of {one}", "bob", one, HERE.conversation) for one in sources)
    return Wish(before=before, chain=True)


def questions(memory: Memory, wish: Wish, *, private: bool = False) -> list[str]:
    """What was asked before."""
    return [each.question for each in memory.led_to(HERE.conversation, wish, private=private)[0]]


def test_an_exchange_is_found_by_its_message(turns: Turns) -> None:
    """By the id of its question and its place, also in a file that is opened again; nothing has the empty id."""
    turns.keep(HERE, kept("q", "17", "16"))
    turns.keep(HERE, kept("no message", ""))
    found = turns.of(HERE.conversation, "17")
    assert found is not None
    assert (found.question, found.source, found.reply_to) == ("q", "17", "16")
    assert turns.of("elsewhere", "17") is None
    assert turns.of(HERE.conversation, "") is None


def test_a_file_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """What it holds stays, without a message, and new exchanges have theirs."""
    path = tmp_path / "turns.sqlite3"
    first = Turns(path)
    first.keep(HERE, kept("old", ""))
    first.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("drop index turns_of_source")
        for column in ("source", "reply_to"):
            db.execute(f"alter table turns drop column {column}")
        db.commit()
    again = Turns(path)
    again.keep(HERE, kept("new", "18"))
    assert [(each.question, each.source) for each in again.newest(HERE.conversation, 9)] == [
        ("old", ""),
        ("new", "18"),
    ]
    again.close()


def test_one_question_is_forgotten_without_the_others(turns: Turns) -> None:
    """Its words, its answer and its parts are gone; those of others, and of other places, stay."""
    elsewhere = Place(HERE.caller, "elsewhere")
    for place, source in ((HERE, "17"), (HERE, "18"), (elsewhere, "17")):
        turns.keep(place, kept(f"word {source}", source))
    assert turns.forget_one(HERE.conversation, "17") == 1
    assert [each.question for each in turns.newest(HERE.conversation, 9, parts=True)] == ["word 18"]
    assert turns.of("elsewhere", "17") is not None
    assert turns.forget_one(HERE.conversation, "17") == 0


def test_an_amended_question_reads_as_it_does_now(turns: Turns) -> None:
    """In the outline and in the parts that can be replayed."""
    turns.keep(HERE, kept("wrong", "17"))
    turns.amend(HERE.conversation, "17", "right")
    (found,) = turns.newest(HERE.conversation, 9, parts=True)
    assert (found.question, found.answer) == ("right", "re: wrong")
    assert found.parts[0].text == "right"


def test_a_chain_is_read_from_its_root(turns: Turns) -> None:
    """From one message on, the store knows what stands above it; what was said beside it is left out."""
    for each in (kept("root", "1"), kept("beside", "2"), kept("middle", "3", "1"), kept("last", "4", "3")):
        turns.keep(HERE, each)
    assert questions(Memory(turns, 0), chain("4")) == ["root", "middle", "last"]
    assert questions(Memory(turns, 0), Wish()) == ["root", "beside", "middle", "last"]


def test_a_chain_that_is_a_ring_ends() -> None:
    """Whatever a file says, a chain is no longer than a window."""
    memory = Memory(None, 0)
    memory.remember(HERE.conversation, exchange("a", "1", "2"))
    memory.remember(HERE.conversation, exchange("b", "2", "1"))
    assert 2 <= len(questions(memory, chain("1"))) <= 25


def test_what_is_not_remembered_stands_between_as_material() -> None:
    """Other people's messages of a chain go before the question that they led to, between marks."""
    memory = Memory(None, 0)
    memory.remember(HERE.conversation, exchange("known", "2"))
    window, heard = memory.led_to(HERE.conversation, chain("1", "2", "3"), private=False)
    assert [each.text for each in heard] == ["text of 3"]
    (question, answer) = shown(window, HERE.caller, "0123456789abcdef", 100)
    assert question.text == (
        "<outside-0123456789abcdef>\nbob wrote: text of 1\n</outside-0123456789abcdef>\n\nknown"
    )
    assert answer.text == "re: known"


def test_a_private_exchange_is_in_no_chain_of_others() -> None:
    """What was to stay on this machine is left out with its words, where the question may leave it."""
    memory = Memory(None, 0)
    memory.remember(HERE.conversation, exchange("secret", "1", private=True))
    window, heard = memory.led_to(HERE.conversation, chain("1"), private=False)
    assert (window, heard) == ([], ())
    assert questions(memory, chain("1"), private=True) == ["secret"]


async def test_the_brain_forgets_and_amends_by_message(turns: Turns) -> None:
    """In memory and on disk, one message or a whole place with what is below it."""
    brain = Brain(OneModel(ScriptedModel(Turn(text="yes", times=0))), RULES, turns=turns)
    for source, place in (
        ("1", f"{SERVER}/5"),
        ("2", f"{SERVER}/5"),
        ("3", f"{SERVER}/55"),
        ("4", f"{SERVER}/5/7"),
    ):
        answer = brain.answer(place, f"question {source}", "", caller=HERE.caller, wish=Wish(source=source))
        assert [piece async for piece in answer]
    assert brain.knows(f"{SERVER}/5", "1")
    brain.amend(f"{SERVER}/5", "2", "other words")
    assert [each.question for each in turns.newest(f"{SERVER}/5", 9)] == ["question 1", "other words"]
    assert brain.forget_one(f"{SERVER}/5", "1") == 1
    assert not brain.knows(f"{SERVER}/5", "1")
    assert brain.forget_place(f"{SERVER}/5") == 2
    assert not brain.knows(f"{SERVER}/5/7", "4")
    assert brain.knows(f"{SERVER}/55", "3")


def test_looking_whether_somebody_may_ask_counts_nothing() -> None:
    """However often it is looked, the question itself is still free; what is used up is said."""
    now = 1_800_000_000.0
    accounts = Accounts(RULES, clock=lambda: now)
    for _ in range(RULES.limits.asks_a_minute * 2):
        assert accounts.over(HERE.caller, HERE.conversation) is None
    for _ in range(RULES.limits.asks_a_minute):
        assert accounts.ask(HERE.caller) is None
    assert accounts.over(HERE.caller, HERE.conversation) is not None
    other = Accounts(RULES, clock=lambda: now)
    purse = other.purse(HERE.caller, HERE.conversation)
    other.settle(purse, Spent(), Spent(RULES.limits.everyone.tokens, 0.0))
    over = other.over(HERE.caller, HERE.conversation)
    assert over is not None
    assert "used up for you" in over.told(now)


def test_a_moment_is_marked_where_it_can_be_shown() -> None:
    """On a surface that shows moments, each reads it in their own time; what is over by then is a moment."""
    over = Over("you", "Sorry.", 1_800_000_060.2)
    assert over.told(1_800_000_000.0, marked=True) == "Sorry. It works again <t:1800000061:R>."
    assert over.told(1_800_000_000.0) == "Sorry. It works again in 1 min."
    assert over.told(1_900_000_000.0, marked=True) == "Sorry. It works again in a moment."
