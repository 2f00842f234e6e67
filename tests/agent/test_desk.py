"""What people can ask about: tools, costs, what was said and done; and what they can have forgotten."""

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from agent.calling.answered import Place
from agent.calling.executor import Calls
from agent.calling.toolbox import Toolbox
from agent.chat.brain import Brain
from agent.incoming.wish import Wish
from agent.models.single import OneModel
from agent.records.turns import Turns
from agent.tool import Context, Manifest
from tests.agent.asking import RULES, brain_of, said, told
from tests.fakes.scripted import ScriptedModel, Turn, Use
from tests.fakes.tools import CONSOLE, HERE, box, call, echo


async def test_a_tool_is_told_of_with_all_that_is_known(turns: Turns) -> None:
    """`/tools` lists what one may use here; with a name, `info` before it or not, it tells all about that one."""
    brain = brain_of(turns)
    assert "echo" in await told(brain, "tools")
    about = await told(brain, "tools info echo")
    assert about == await told(brain, "tools echo")
    for part in (
        "Say who asked",
        "text",
        "string",
        "may be left out",
        "never",
        "1.0.0",
        "since 20",
        "echo.py",
    ):
        assert part in about
    assert "no tool 'gone'" in await told(brain, "tools gone")
    assert "no tools" in await told(brain, "tools", toolbox=Toolbox())


async def test_the_permission_that_is_shown_is_the_one_that_holds(turns: Turns) -> None:
    """What the rules ask for is shown, and that the tool itself says less."""
    tools = box(echo, echo=Manifest(uses=("files",)))
    about = await told(brain_of(turns), "tools echo", CONSOLE, tools)
    assert re.search(r"for +trusted \(it says everyone; the rules ask for more\)", about)


async def test_uses_and_the_last_use_are_shown(turns: Turns) -> None:
    """After some calls, their number, how many went well, and one's own share of the day are told."""
    uses = (Use(name="echo"), Use(name="echo", arguments="{"))
    brain = brain_of(turns, Turn(calls=uses), Turn(text="Done."))
    await said(brain, "hi")
    about = await told(brain, "tools echo")
    assert "2 times, 1 of them well" in about
    assert "1 of 500" in about


async def test_the_price_of_a_question_is_told_before_and_after(turns: Turns) -> None:
    """`/cost` says what the next question may come to with what is remembered, and what the last one did."""
    brain = brain_of(turns, Turn(text="a" * 3000, times=0))
    empty = await told(brain, "cost")
    assert "Your last one" not in empty
    await said(brain, "q" * 3000)
    after = await told(brain, "cost")
    sent = [int(re.search(r"about ([\d,]+) tokens", each)[1].replace(",", "")) for each in (empty, after)]  # type: ignore[index]  # found or failed
    assert sent[1] - sent[0] == 2000
    assert "with scripted" in after
    assert "never more than $1.00" in after
    assert "Your last one here came to 120 tokens and $0.0004" in after
    assert "Your last one" not in await told(brain, "cost", Place("discord:8", HERE.conversation))
    assert all(name in after for name in ("you", "this place", "all of us"))


async def test_what_a_question_costs_is_within_the_estimate() -> None:
    """The estimate before is never less than the bill after, for an answer given at once."""
    brain = brain_of(None, Turn(text="yes", times=0))
    await said(brain, "first")
    estimate = float(re.search(r"at most \$([\d.]+)", await told(brain, "cost"))[1])  # type: ignore[index]  # found or failed
    before = brain.accounts.today(brain.accounts.purse(HERE.caller, HERE.conversation))[0][1].dollars
    await said(brain, "second")
    after = brain.accounts.today(brain.accounts.purse(HERE.caller, HERE.conversation))[0][1].dollars
    assert 0 < after - before <= estimate


async def test_history_shows_calls_and_results_in_order_after_a_restart(turns: Turns) -> None:
    """Another process tells question, calls, results and answer as they happened; a result given again is marked."""
    tools = box(echo, echo=Manifest(cache_seconds=60))
    uses = (Use(name="echo", arguments={"text": "ahoy"}), Use(name="gone"))
    again = Turn(calls=(Use(name="echo", arguments={"text": "ahoy"}),))
    brain = brain_of(turns, Turn(text="I look.", calls=uses), again, Turn(text="Found."))
    await said(brain, "what does it say?", toolbox=tools)
    lines = (await told(brain_of(turns), "history")).splitlines()
    shown = [line.strip().partition(" ")[0] + line.strip().partition(" ")[2][:13] for line in lines[1:-1]]
    assert shown == [
        "asked:what does it ",
        'called:echo({"text":',
        "called:gone({})",
        "result:discord:7 say",
        "result:There is no s",
        'called:echo({"text":',
        "result(cached): dis",
        "answered:I look. Found",
    ]
    assert lines[0].endswith("you")


async def test_history_is_of_the_place_where_it_is_asked(turns: Turns) -> None:
    """What was said elsewhere is not shown, and a number bounds how much is."""
    brain = brain_of(turns, Turn(text="yes", times=0))
    for number in range(3):
        await said(brain, f"question {number}")
    await said(brain, "secret", Place(HERE.caller, "elsewhere"))
    shown = await told(brain, "history 2")
    assert "secret" not in shown
    assert [number for number in range(3) if f"question {number}" in shown] == [1, 2]
    assert "Nothing" in await told(brain, "history", Place(HERE.caller, "nowhere"))


async def test_the_same_call_a_second_time_asks_nobody() -> None:
    """An answer that is good for a while is given again, marked as such, for the same person in the same place."""
    asked = []

    async def probe(context: Context, text: str = "x") -> str:
        """Count."""
        asked.append((context.caller, text))
        return "found"

    tools = box(probe, probe=Manifest(cache_seconds=60))
    calls = Calls(RULES)
    outcomes = [(await calls.run(tools, call("probe"), who)).outcome for who in (HERE, HERE, CONSOLE)]
    assert outcomes == ["ok", "cached", "ok"]
    assert len(asked) == 2


async def test_a_tool_sees_where_it_is() -> None:
    """A probe tells who asked, where, by which agents, for which call, and what it was lent."""

    async def probe(context: Context) -> str:
        """Tell."""
        where = f"{context.caller} in {context.conversation}, call {context.call}"
        return f"{where}, {context.depth} deep, for {context.agent}, with {', '.join(sorted(context.lent))}"

    async def lend() -> Mapping[str, Any]:
        return {"web": object(), "data": object(), "api": object()}

    place = Place("console:ann", "discord:1/2", asked=("planner", "writer"))
    answered = await Calls(RULES, lend).run(box(probe, probe=Manifest(uses=("web",))), call("probe"), place)
    assert answered.text == "console:ann in discord:1/2, call call_1, 2 deep, for writer, with web"


async def test_one_forgets_what_one_said_and_no_more(turns: Turns) -> None:
    """`/forget` takes one's own questions with their answers, in memory and on disk, and says how many; others' stay."""
    use = Use(name="echo", arguments={"text": "mine"})
    model = ScriptedModel(Turn(calls=(use,)), Turn(text="done", times=0))
    brain = Brain(OneModel(model), RULES, turns=turns)
    other = Place("discord:8", HERE.conversation)
    await said(brain, "my words")
    await said(brain, "their words", other)
    await said(brain, "my other words")
    answer = await told(brain, "forget")
    assert "2 questions" in answer
    assert [kept.question for kept in turns.newest(HERE.conversation, 10)] == ["their words"]
    assert "mine" not in str(turns.calls())
    await said(brain, "and now", other)
    assert "my words" not in str(model.script.requests[-1]["messages"])
    assert "nothing to forget" in await told(brain, "forget")


async def test_nothing_of_what_was_forgotten_is_left_in_the_files(turns: Turns, tmp_path: Path) -> None:
    """No byte of a question, an answer or an argument can be found on disk afterwards, and others' can."""
    use = Use(name="echo", arguments={"text": "argument-7261"})
    brain = brain_of(turns, Turn(calls=(use,)), Turn(text="answer-7261", times=0))
    await said(brain, "question-7261")
    await said(brain, "question-9999", Place("discord:8", HERE.conversation))
    assert "one question" in await told(brain, "forget")
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"question-9999" in left
    assert [word for word in (b"question-7261", b"argument-7261") if word in left] == []


async def test_what_could_not_be_forgotten_is_said(turns: Turns, tmp_path: Path) -> None:
    """While the file cannot be written nothing is gone, on disk or in memory, and nobody is told otherwise."""
    model = ScriptedModel(Turn(text="yes", times=0))
    brain = Brain(OneModel(model), RULES, turns=turns)
    await said(brain, "my words")
    with closing(sqlite3.connect(tmp_path / "turns.sqlite3", isolation_level=None)) as other:
        other.execute("begin immediate")
        assert "Not done" in await told(brain, "forget")
        other.execute("rollback")
    await said(brain, "again")
    assert "my words" in str(model.script.requests[-1]["messages"])
    assert "2 questions" in await told(brain, "forget")


async def test_what_was_private_is_forgotten_as_well(turns: Turns) -> None:
    """Exchanges that stood in memory alone go with the others, and are counted."""
    model = ScriptedModel(Turn(text="yes", times=0))
    brain = Brain(OneModel(model), RULES, turns=turns)
    asked: dict[str, Any] = {"caller": HERE.caller, "toolbox": box(echo)}
    for wish in (Wish(), Wish(private=True)):
        [piece async for piece in brain.answer(HERE.conversation, "my words", "", wish=wish, **asked)]
    assert "2 questions" in await told(brain, "forget")
    [piece async for piece in brain.answer(HERE.conversation, "and?", "", wish=Wish(private=True), **asked)]
    assert "my words" not in str(model.script.requests[-1]["messages"])


async def test_only_maintainers_forget_for_all(turns: Turns) -> None:
    """`/forget all` is refused to others, and takes everybody's words in this place and in no other."""
    brain = brain_of(turns, Turn(text="yes", times=0))
    elsewhere = Place(HERE.caller, "elsewhere")
    for who in (HERE, Place("discord:8", HERE.conversation), elsewhere):
        await said(brain, "words", who)
    assert "Only maintainers" in await told(brain, "forget all")
    assert "/forget alone" in await told(brain, "forget everything")
    assert len(turns.newest(HERE.conversation, 10)) == 2
    assert "2 questions" in await told(brain, "forget all", CONSOLE)
    assert turns.newest(HERE.conversation, 10) == []
    assert len(turns.newest("elsewhere", 10)) == 1


async def test_a_kept_answer_is_forgotten_as_well(turns: Turns) -> None:
    """What a tool answered is not given again after its asker had it forgotten; another's is."""
    tools = box(echo, echo=Manifest(cache_seconds=60))
    brain = brain_of(turns, *[Turn(calls=(Use(name="echo"),)), Turn(text="ok")] * 4)
    for who in (HERE, CONSOLE):
        await said(brain, "hi", who, tools)
    await told(brain, "forget", HERE, tools)
    for who in (HERE, CONSOLE):
        await said(brain, "hi", who, tools)
    assert [row["outcome"] for row in turns.calls()] == ["cached", "ok", "ok", "ok"]
