"""The bot on the link: what the steward asks of it, and what it answers."""

import asyncio
from collections.abc import Sequence

import pytest

from agent.calling.toolbox import Toolbox
from agent.chat.brain import Brain
from agent.models.single import OneModel
from bot.feature import ModelFailed
from bot.theseus import Bot, Mind
from policies.decision import Finding
from policies.load import load_rules
from selfedit import protocol as say
from selfedit.editing.edits import parse_edits
from selfedit.ports import Reviser, Tell, Workbench
from selfedit.types import Draft, GateReport, LoadPlan, NoDraft, Request, Reviewed
from tests.fakes.brain import ScriptedBrain
from tests.fakes.plans import echo, plan
from tests.fakes.scripted import ScriptedModel, Use
from tests.fakes.scripted import Turn as Says
from tests.fakes.steward import FakeSteward, linked

EDITS = parse_edits('[{"op": "delete_symbol", "path": "bot/live/a.py", "target": "f"}]')
DRAFT = Draft(title="Less", reason="because", edits=EDITS, author="model")
REPORT = GateReport(verdict="passed", base="b", head="h", policy="p")
_RULES = load_rules()
RULES = _RULES.model_copy(update={"watch": _RULES.watch.model_copy(update={"heartbeat_seconds": 0.01})})


class TryingAuthor:
    """Tries its draft once and says what came of it."""

    async def draft(
        self, request: Request, bench: Workbench, complaints: Sequence[Finding], tell: Tell
    ) -> Draft | NoDraft:
        """Try, and note what was heard."""
        tell(f"{request.goal} {len(complaints)}")
        said = await bench.trial(DRAFT)
        heard = said.verdict if isinstance(said, GateReport) else said.message
        return DRAFT.model_copy(update={"notes": (heard, *bench.files)})

    async def revise(
        self,
        request: Request,
        bench: Workbench,
        reviewed: Reviewed,
        complaints: Sequence[Finding],
        tell: Tell,
    ) -> Draft | NoDraft:
        """Say what is to be drafted again, and what was said against it."""
        del bench, complaints
        tell(f"{request.goal}")
        notes = (reviewed.head, *(complaint.message for complaint in reviewed.complaints))
        return DRAFT.model_copy(update={"notes": notes})


def bot_with(author: Reviser | NoDraft | None = None, brain: Mind | None = None) -> Bot:
    async def open_author() -> Reviser | NoDraft:
        return author or NoDraft(why="set OPENAI_API_KEY")

    return Bot(RULES, brain or ScriptedBrain("none"), open_author)


async def test_a_load_is_answered_with_what_was_compiled() -> None:
    """The answer names the commit, the hash of each file, and a pause that was measured."""
    what, bot = echo("ahoy"), bot_with()
    steward = FakeSteward({})
    async with linked(steward, bot.hear):
        assert steward.peer is not None
        answer = await steward.peer.call(say.Load(plan=what))
    assert isinstance(answer, say.Loaded)
    assert (answer.commit, answer.blobs) == (what.commit, {file.path: file.blob for file in what.files})
    assert answer.pause_ms >= 0
    assert bot.telemetry.heartbeat().commit == what.commit


@pytest.mark.parametrize(
    "source", ["x = ", "def setup(r): 1 / 0", "async def f(t): 1 / 0\ndef setup(r): r.chat(f)"]
)
async def test_a_load_that_fails_leaves_the_old_code_serving(source: str) -> None:
    """A generation that does not load, set up, or pass its canary is refused with its place."""
    bot = bot_with()
    await bot.hear(say.Load(plan=echo("old")))
    answer = await bot.hear(say.Load(plan=plan({"bot/live/a/feature.py": source + "\n"}, "bad")))
    assert isinstance(answer, say.Refused)
    assert "bot/live/a/feature.py:1" in answer.why
    assert await bot.respond("hello", "a", "c") == "old hello"


async def test_the_loop_goes_on_while_a_generation_is_built() -> None:
    """Live code that takes its time to load does not keep others waiting."""
    bot = bot_with()
    await bot.hear(say.Load(plan=echo("old")))
    # The module waits for what only the loop can set, so a blocked loop could never finish this test.
    source = """
        import string
        while not getattr(string, "released", False): pass
        async def f(t): return "new"
        def setup(r): r.chat(f)
    """
    loading = asyncio.create_task(bot.hear(say.Load(plan=plan({"bot/live/a/feature.py": source}, "aa"))))
    import string

    try:
        for number in range(20):
            assert await bot.respond(str(number), "a", "c") == f"old {number}"
        assert not loading.done()
    finally:
        string.released = True  # type: ignore[attr-defined]  # the flag that the module waits for
    assert isinstance(await loading, say.Loaded)
    del string.released  # type: ignore[attr-defined]  # as above
    assert await bot.respond("", "a", "c") == "new"


async def test_loading_the_former_commit_again_builds_nothing() -> None:
    """Undoing a swap serves the very generation that served before."""
    bot, old, new = bot_with(), echo("old", "aaa"), echo("new", "bbb")
    for what in (old, new):
        await bot.hear(say.Load(plan=what))
    kept = bot.generations.known(old)
    await bot.hear(say.Load(plan=old))
    assert bot.generations.current is kept
    assert await bot.respond("x", "a", "c") == "old x"


async def test_messages_without_pause_are_each_answered_once_over_three_swaps() -> None:
    """While generations change, every message gets exactly one answer, from one generation."""
    bot = bot_with()
    await bot.hear(say.Load(plan=echo("0", "0a")))
    done = asyncio.Event()
    answers: list[str] = []

    async def talk() -> None:
        while not done.is_set():
            answers.append(await bot.respond(f"m{len(answers)}", "a", "c"))
            await asyncio.sleep(0)

    talking = asyncio.create_task(talk())
    for number in range(1, 4):
        assert isinstance(await bot.hear(say.Load(plan=echo(str(number), f"{number}a"))), say.Loaded)
    done.set()
    await talking
    assert [answer.split()[1] for answer in answers] == [f"m{number}" for number in range(len(answers))]
    served = [int(answer.split()[0]) for answer in answers]
    assert served == sorted(served)


async def test_a_draft_is_asked_of_the_author_and_tried_on_the_stewards_gate() -> None:
    """The author's trial goes over the link with the draft's call, and its verdict comes back."""
    bot = bot_with(TryingAuthor())
    steward = FakeSteward({say.Trial: lambda _: say.TrialIs(report=REPORT)})
    async with linked(steward, bot.hear) as bot.peer:
        assert steward.peer is not None
        ask = say.AskDraft(
            id="7", request=Request(requested_by="console:ann", goal="less"), files={"a.py": ""}
        )
        answer = await steward.peer.call(ask)
    assert isinstance(answer, say.Drafted)
    assert isinstance(answer.result, Draft)
    assert answer.result.notes == ("passed", "a.py")
    assert steward.asked == [say.Trial(draft_call="7", draft=DRAFT)]


async def test_what_is_under_review_is_drafted_again_with_what_was_said_of_it() -> None:
    """A call that carries a draft under review asks the author for another one, not for a first."""
    said = Finding(rule="review", message="shorter, please")
    reviewed = Reviewed(number=3, head="h", title="Less", reason="", edits=EDITS, complaints=(said,))
    request = Request(requested_by="console:ann", goal="less")
    answer = await bot_with(TryingAuthor()).hear(
        say.AskDraft(id="7", request=request, files={}, reviewed=reviewed)
    )
    assert isinstance(answer, say.Drafted)
    assert isinstance(answer.result, Draft)
    assert answer.result.notes == ("h", "shorter, please")


async def test_a_trial_whose_edits_do_not_apply_is_a_finding() -> None:
    """The author hears why, not a report."""
    bot = bot_with(TryingAuthor())
    found = Finding(rule="unknown_target", message="there is no f")
    steward = FakeSteward({say.Trial: lambda _: say.TrialIs(findings=(found,))})
    async with linked(steward, bot.hear) as bot.peer:
        ask = say.AskDraft(id="7", request=Request(requested_by="console:ann", goal="less"), files={})
        answer = await bot.hear(ask)
    assert isinstance(answer, say.Drafted)
    assert isinstance(answer.result, Draft)
    assert answer.result.notes == ("there is no f",)


async def test_without_a_model_a_draft_says_what_is_missing() -> None:
    """A goal in words without a key is an expected no, with the setting to set."""
    ask = say.AskDraft(id="7", request=Request(requested_by="console:ann", goal="less"), files={})
    assert await bot_with().hear(ask) == say.Drafted(result=NoDraft(why="set OPENAI_API_KEY"))


async def test_a_fault_of_the_bot_is_said_to_whoever_waits() -> None:
    """A draft that cannot even be begun does not leave the steward waiting for ever."""

    async def no_author() -> Reviser | NoDraft:
        raise OSError("disk")

    ask = say.AskDraft(id="7", request=Request(requested_by="console:ann", goal="less"), files={})
    answer = await Bot(RULES, ScriptedBrain(), no_author).hear(ask)
    assert isinstance(answer, say.Refused)
    assert "disk" in answer.why


async def test_heartbeats_carry_the_counters() -> None:
    """The steward hears of the commit that serves and of how many requests it answered and failed."""
    bot = bot_with()
    await bot.hear(say.Load(plan=echo("ahoy")))
    await bot.respond("hello", "a", "c")
    steward = FakeSteward({})
    async with linked(steward, bot.hear) as bot.peer:
        beating = asyncio.create_task(bot.beat())
        first = await steward.beats.get()
        second = await steward.beats.get()
        beating.cancel()
    assert first.heartbeat.commit == second.heartbeat.commit == "c0ffee".ljust(40, "0")
    assert (first.heartbeat.requests, first.heartbeat.errors) == (1, 0)
    assert first.heartbeat.memory_mb > 1


async def test_what_a_feature_is_handed() -> None:
    """A turn carries who speaks and where, the commands that work, the brain and the prompts of its commit."""
    body = """
        async def say(turn):
            if turn.brain is None: return "canary"
            names = [c.name for c in turn.commands]
            pieces = [p async for p in turn.brain.answer(turn.conversation, turn.text, turn.prompts["chat"])]
            return f"{turn.author} {'approve' in names} {''.join(pieces)} {0 <= turn.random() < 1} {turn.now > 0}"
        def setup(r): r.chat(say)
    """
    brain = ScriptedBrain(None, [["a", "b"]])
    bot = bot_with(brain=brain)
    await bot.hear(
        say.Load(plan=plan({"bot/live/a/feature.py": body, "agent/live/prompts/chat.md": "Be kind."}))
    )
    assert await bot.respond("hello", "console:ann", "here") == "console:ann True ab True True"
    assert brain.asked == [("here", "hello", "Be kind.")]


CHAT = """
    async def say(turn):
        if turn.brain is None: return "canary"
        return "".join([p async for p in turn.brain.answer(turn.conversation, turn.text, "Be kind.")])
    def setup(r): r.chat(say)
"""
TOOL = """
    from agent.tool import Context, tool

    @tool()
    async def tell(context: Context, what: str) -> str:
        \"\"\"Tell something.\"\"\"
        return f"{WORD} {what} for {context.caller}"

    WORD = "VERSION"
"""


def with_tool(word: str, commit: str) -> LoadPlan:
    """A commit with chat and one tool."""
    tool = TOOL.replace("VERSION", word)
    return plan({"bot/live/a/feature.py": CHAT, "agent/live/tools/tell.py": tool}, commit)


async def test_chat_uses_the_tools_of_the_generation_that_answers() -> None:
    """A tool works from the swap on that brings it, for the person who really asked, and its next version from the next."""
    use = Use(name="tell", arguments={"what": "news"})
    model = ScriptedModel(
        Says(calls=(use,)),
        Says(text="It was old.", when="old news for console:ann"),
        Says(calls=(use,)),
        Says(text="It was new.", when="new news for discord:8"),
    )
    bot = bot_with(brain=Brain(OneModel(model), failed=ModelFailed))
    assert isinstance(await bot.hear(say.Load(plan=with_tool("old", "aaa"))), say.Loaded)
    assert (await bot.respond("what is up?", "console:ann", "here")).startswith("It was old.")
    assert "tell" in await bot.respond("/tools", "console:ann", "here")
    assert isinstance(await bot.hear(say.Load(plan=with_tool("new", "bbb"))), say.Loaded)
    assert (await bot.respond("and now?", "discord:8", "there")).startswith("It was new.")


async def test_live_code_does_not_choose_the_conversation() -> None:
    """A feature that names another place reads nothing of it, uses its own place's tools, and leaves nothing there."""
    body = """
        async def say(turn):
            if turn.brain is None: return "canary"
            return "".join([p async for p in turn.brain.answer("secret", turn.text, "Be kind.")])
        def setup(r): r.chat(say)
    """
    model = ScriptedModel(Says(text="Yes.", times=0))
    brain = Brain(OneModel(model), failed=ModelFailed)
    bot = bot_with(brain=brain)
    await bot.hear(say.Load(plan=plan({"bot/live/a/feature.py": body})))
    for place in ("secret", "here", "here", "secret"):
        assert (await bot.respond(f"I am {place}", "console:ann", place)).startswith("Yes.")
    heard = [[m["text"] for m in request["messages"]] for request in model.script.requests]
    assert heard[1] == ["Be kind.", "I am here"]
    assert heard[2][1] == "I am here"
    assert [text for text in heard[3] if text.startswith("I am")] == ["I am secret", "I am secret"]


async def test_a_bad_tool_leaves_the_old_code_serving() -> None:
    """A commit whose tool cannot be offered is refused, with the file, and the tools before it still work."""
    bot = bot_with(brain=Brain(None))
    await bot.hear(say.Load(plan=with_tool("old", "aaa")))
    bad = plan(
        {"bot/live/a/feature.py": CHAT, "agent/live/tools/tell.py": TOOL.replace("what: str", "what")}, "bbb"
    )
    answer = await bot.hear(say.Load(plan=bad))
    assert isinstance(answer, say.Refused)
    assert "agent/live/tools/tell.py" in answer.why
    assert "tell: Tell something." in await bot.respond("/tools tell", "console:ann", "here")


async def test_a_halt_ends_what_is_under_way() -> None:
    """An answer that would take for ever is ended by a halt, is told so, and does not count as the code's failure."""
    body = """
        async def say(turn):
            if turn.brain is None: return "canary"
            await turn.brain.wait()
        def setup(r): r.chat(say)
    """
    begun, never = asyncio.Event(), asyncio.Event()

    class Waiting(ScriptedBrain):
        async def wait(self) -> None:
            """Never end."""
            begun.set()
            await never.wait()

    bot = bot_with(brain=Waiting())
    await bot.hear(say.Load(plan=plan({"bot/live/a/feature.py": body})))
    answering = asyncio.create_task(bot.respond("hello", "console:ann", "here"))
    await begun.wait()
    await bot.ask(say.Halt(by="console:ann"))
    assert "/halt" in await answering
    assert bot.telemetry.heartbeat().errors == 0


async def test_a_halt_is_heard_while_an_answer_is_late_already() -> None:
    """A request whose time is over, and that is still being ended, does not keep a halt from the steward."""
    body = """
        async def say(turn):
            if turn.brain is None: return "canary"
            await turn.brain.wait()
        def setup(r): r.chat(say)
    """
    begun, ending, never, undone = asyncio.Event(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Ending(ScriptedBrain):
        async def wait(self) -> None:
            """Take a while to end."""
            begun.set()
            try:
                await never.wait()
            finally:
                ending.set()
                await undone.wait()

    bot = bot_with(brain=Ending())
    await bot.hear(say.Load(plan=plan({"bot/live/a/feature.py": body})))
    steward = FakeSteward({say.Halt: lambda _: say.Done()})
    async with linked(steward, bot.hear) as bot.peer:
        answering = asyncio.create_task(bot.respond("hello", "console:ann", "here"))
        await begun.wait()
        (deadline,) = bot._under_way
        deadline.reschedule(0)  # as if its minutes were over
        await ending.wait()
        assert isinstance(await bot.ask(say.Halt(by="console:ann")), say.Done)
        undone.set()
        assert "no answer within" in await answering
    assert steward.kinds() == ["Halt"]
    assert bot.telemetry.heartbeat().errors == 1


async def test_a_model_that_fails_can_be_told_from_a_bug() -> None:
    """What the brain raises is what live code can catch."""
    with pytest.raises(ModelFailed, match="asleep"):
        await anext(aiter(ScriptedBrain(None, [None]).answer("c", "t", "i")))


class FaultyBrain(ScriptedBrain):
    """Answers no command of the kernel."""

    async def inform(self, name: str, rest: str, toolbox: Toolbox, caller: str, conversation: str) -> str:
        """Fail in a way that nobody thought of."""
        raise ValueError(f"{name} {rest} {caller} {conversation} {len(toolbox.tools)}")


async def test_a_fault_in_a_command_of_the_kernel_ends_that_command_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever a command about tools or costs runs into, people hear a sentence, and the log where it was, without words."""
    bot = bot_with(brain=FaultyBrain("none"))
    assert "/tool failed" in await bot.respond("/tool create word-7261", "console:ann", "here")
    assert "ValueError at " in caplog.text
    assert "word-7261" not in caplog.text


async def test_a_log_keeps_no_words_of_a_request_that_failed(caplog: pytest.LogCaptureFixture) -> None:
    """Of live code that fails the log says the class and the place, never the text, which may be what was asked."""
    bot = bot_with()
    live = "async def f(t):\n    if t.text == 'word-7261': raise ValueError(t.text)\n    return 'x'\ndef setup(r): r.chat(f)\n"
    loaded = await bot.hear(say.Load(plan=plan({"bot/live/a/feature.py": live}, "good")))
    assert isinstance(loaded, say.Loaded)
    assert "Sorry" in await bot.respond("word-7261", "console:ann", "here")
    assert "ValueError at " in caplog.text
    assert "bot/live/a/feature.py@good000:2 in f" in caplog.text
    assert "word-7261" not in caplog.text
