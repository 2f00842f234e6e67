"""The console in a pipe: lines in, answers out, one at a time, over a real link to a steward of prepared answers."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot.attaching import Pending
from bot.console import Console, history, unfinished
from bot.inflight import Inflight
from bot.lines import Lines
from bot.theseus import Bot
from policies.load import load_rules
from selfedit import protocol as say
from selfedit.types import FileDiff, LoadPlan, NoDraft, Stage
from tests.fakes.brain import ScriptedBrain
from tests.fakes.pictures import png
from tests.fakes.plans import echo, plan
from tests.fakes.steward import STATUS, Answers, FakeSteward, linked, proposal

EDITS = '[{"op": "delete_symbol",\n "path": "bot/live/a.py",\n "target": "f"}]'
OPENED = proposal(reason="It is shorter.")
DIFF = say.DiffIs(number=1, head=OPENED.head, files=(FileDiff(path="a.py", text="-old line\n+new line\n"),))
ANSWERS: Answers = {
    say.Improve: lambda _: say.ProposalIs(proposal=OPENED),
    say.Diff: lambda _: DIFF,
    say.Approve: lambda asked: say.ProposalIs(proposal=proposal(asked.number, Stage.LIVE, merge="e" * 40)),
}

RULES = load_rules()


class World:
    """A console on a pipe, a bot behind it, a steward on the other end of the link."""

    def __init__(self, home: Path, out: Callable[[], str], steward: FakeSteward, bot: Bot) -> None:
        self.home, self.out, self.steward, self.bot = home, out, steward, bot
        self.reading, self.writing = os.pipe()

    def type(self, text: str) -> None:
        """Put text into the pipe."""
        os.write(self.writing, text.encode())

    async def run(self, text: str = "") -> str:
        """Type text, end the input, and let a console work through it; what it printed."""
        self.type(text)
        os.close(self.writing)
        console = Console(self.bot, self.home, "console:ann", Pending(RULES.attachments), Lines(self.reading))
        self.bot.hear_notice = console.hear
        await asyncio.wait_for(console.run(), 30)
        return self.out()


@pytest.fixture
async def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[World]:
    steward = FakeSteward(ANSWERS)
    brain = ScriptedBrain("No model is set up.")

    async def no_author() -> NoDraft:
        return NoDraft(why="no model")

    bot = Bot(RULES, brain, no_author)
    async with linked(steward, bot.hear) as peer:
        bot.peer = peer
        await load(bot, echo("ahoy"))
        made = World(tmp_path, lambda: capsys.readouterr().out, steward, bot)
        yield made
        os.close(made.reading)


async def load(bot: Bot, what: LoadPlan) -> None:
    answer = await bot.hear(say.Load(plan=what))
    assert isinstance(answer, say.Loaded), answer


async def test_lines_are_echoed_and_answered_in_order(world: World) -> None:
    """Chat and live commands are answered by live code, each after its line, and the end of input ends everything."""
    out = await world.run("one\n/say two\nthree")
    said = [line for line in out.splitlines() if line.startswith((">", "ahoy"))]
    assert said == ["> one", "ahoy one", "> /say two", "ahoy two", "> three", "ahoy three"]
    assert world.steward.kinds()[-1] == "Quit"


async def test_the_start_says_what_to_try(world: World) -> None:
    """A newcomer reads what this is, what is missing, and three commands."""
    out = await world.run()
    for part in ("Theseus", "/help", "/improve", "/status", "No model is set up."):
        assert part in out


async def test_without_settings_for_github_the_start_says_nothing_of_it(world: World) -> None:
    """Who works at the console alone reads no line about pull requests."""
    assert "Pull requests" not in await world.run()


@pytest.mark.parametrize("asked", [True, False])
async def test_the_start_waits_for_no_answer_of_github(world: World, *, asked: bool) -> None:
    """It is told once, as soon as it is known; until then lines are answered."""
    known = STATUS.model_copy(update={"forge": "ann/bot on github.com: answered 0 s ago"})
    said = iter([] if asked else [known.model_copy(update={"forge": "not asked", "forge_asked": False})])
    world.steward.answers[say.Status] = lambda _: next(said, known)
    world.type("one\n")
    console = Console(world.bot, world.home, "console:ann", Pending(RULES.attachments), Lines(world.reading))
    running = asyncio.create_task(console.run())
    out = ""
    async with asyncio.timeout(30):
        while "Pull requests: ann/bot on github.com: answered" not in out or "ahoy one" not in out:
            await asyncio.sleep(0.01)
            out += world.out()
        os.close(world.writing)
        await running
    assert "not asked" not in out


async def test_a_bot_that_was_started_again_does_not_welcome_twice(world: World) -> None:
    """After a restart the console says just that."""
    world.steward.answers[say.Status] = lambda _: STATUS.model_copy(update={"restarts": 1})
    out = await world.run()
    assert "started again" in out
    assert "/improve" not in out


async def test_the_kernel_answers_what_is_its_own(world: World) -> None:
    """`/tools` and `/cost` are answered without live code or the steward, and `/why` names the models that were asked."""
    out = await world.run("/tools calculate\n/cost\n/why\n")
    said = out.splitlines()
    assert said[said.index("> /tools calculate") + 1] == "tools calculate"
    assert said[said.index("> /cost") + 1] == "cost"
    assert "no model was asked" in said[said.index("> /why") + 1 :]


async def test_improve_shows_everything_and_what_to_type_next(world: World) -> None:
    """An opened proposal is shown with its reason, its diff, and the way to approve it."""
    out = await world.run("/improve\n")
    for part in ("Roll better", "It is shorter.", "-old line", "+new line", "/approve 1"):
        assert part in out
    assert world.steward.kinds() == ["Status", "Improve", "Diff", "Quit"]


async def test_approval_names_the_head_that_was_shown(world: World) -> None:
    """What is approved is what was looked at."""
    await world.run("/improve\n/approve 1\n")
    approved = next(asked for asked in world.steward.asked if isinstance(asked, say.Approve))
    assert (approved.head, approved.by) == (OPENED.head, "console:ann")


async def test_what_was_not_shown_is_approved_as_it_is(world: World) -> None:
    """Approving without having looked binds to no head; the steward takes the present one."""
    await world.run("/approve 1\n")
    approved = next(asked for asked in world.steward.asked if isinstance(asked, say.Approve))
    assert approved.head is None


async def test_pasted_edits_go_over_several_lines(world: World) -> None:
    """Lines belong to the edits until their brackets close; the next line is a line of its own again."""
    out = await world.run(f"/improve {EDITS}\nhello\n")
    asked = next(asked for asked in world.steward.asked if isinstance(asked, say.Improve))
    assert asked.request.edits is not None
    assert asked.request.edits[0].path == "bot/live/a.py"
    assert "ahoy hello" in out


async def test_edits_that_never_close_end_at_an_empty_line(world: World) -> None:
    """An unclosed bracket swallows no more than what stands before the next empty line."""
    out = await world.run("/improve [1,\n2\n\nhello\n")
    assert "no edits" in out
    assert "ahoy hello" in out


async def test_edits_that_never_close_end_at_a_command(world: World) -> None:
    """A command is never taken for a part of edits, and is carried out after they were turned down."""
    out = await world.run("/improve [1,\n/why\nhello\n")
    assert "no edits" in out
    assert "no answer was prepared for Why" in out
    assert "ahoy hello" in out


async def test_wrong_lines_are_answered_and_work_goes_on(world: World) -> None:
    """A wrong argument, an unknown command and a refusal are a sentence each."""
    out = await world.run("/approve x\n/sya hello\n/why\nstill here\n")
    assert "no proposal's number" in out
    assert "did you mean /say?" in out
    assert "no answer was prepared for Why" in out
    assert "ahoy still here" in out


async def test_a_line_of_many_megabytes_is_dropped(world: World) -> None:
    """A line beyond the limit is named and skipped, and the line after it is read whole."""
    reader = asyncio.create_task(asyncio.to_thread(_pour, world.writing, 10_000_000))
    console = Console(
        world.bot, world.home, "console:ann", Pending(RULES.attachments), Lines(world.reading, limit=1000)
    )
    await asyncio.wait_for(console.run(), 60)
    await reader
    out = world.out()
    assert "10,000,000" in out
    assert "ahoy after" in out


def _pour(descriptor: int, size: int) -> None:
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(b"x" * size + b"\nafter\n")


async def test_quit_leaves_the_rest_unread(world: World) -> None:
    """After /quit nothing more is answered."""
    out = await world.run("/quit\nhello\n")
    assert "ahoy" not in out
    assert world.steward.kinds()[-1] == "Quit"


async def test_progress_and_news_are_shown_as_they_come(world: World) -> None:
    """What the steward tells while a command runs stands before the command's answer."""

    async def told(body: BaseModel) -> BaseModel | None:
        if isinstance(body, say.Improve) and world.steward.peer:
            await world.steward.peer.notify(
                say.Progress(number=1, stage=Stage.DRAFTED, text="judging", seconds=1.5)
            )
            await world.steward.peer.notify(say.News(text="the wind has turned"))
        return await world.steward.answer(body)

    assert world.steward.peer is not None
    world.steward.peer._answer = told
    out = await world.run("/improve\n")
    assert out.index("1.5 s") < out.index("the wind has turned") < out.index("It is shorter.")


async def test_failing_live_code_is_a_sentence_and_is_counted(world: World) -> None:
    """An exit out of a handler is told kindly, counted as an error, and the console goes on."""
    body = """
        async def say(turn):
            if turn.text == "die": raise SystemExit(3)
            return "fine"
        def setup(r): r.chat(say)
    """
    await load(world.bot, plan({"bot/live/a/feature.py": body}, "badbad"))
    out = await world.run("die\nlive\n")
    assert "Sorry, chat failed: bot/live/a/feature.py:2: SystemExit" in out
    assert "fine" in out
    beat = world.bot.telemetry.heartbeat()
    assert (beat.requests, beat.errors) == (2, 1)


async def test_a_second_bot_reads_on_where_the_first_stopped(world: World) -> None:
    """Lines that were not worked on stay in the pipe, whole, for a bot that is started again."""
    world.type("first\nsecond\n")
    assert await Lines(world.reading).next() == "first"
    assert "ahoy second" in await world.run()


async def test_a_wait_that_is_given_up_takes_no_byte(world: World) -> None:
    """A reader that is ended while it waits leaves whatever is typed afterwards to the next one."""
    reading = asyncio.create_task(Lines(world.reading).next())
    await _waits(world.reading)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    world.type("hello\n")
    assert await Lines(world.reading).next() == "hello"


async def test_half_a_line_is_handed_to_the_next_bot(world: World) -> None:
    """What was typed of a line before the bot ended is answered together with the rest of it, and only once."""
    world.type("hel")
    console = asyncio.create_task(
        Console(world.bot, world.home, "console:ann", Pending(RULES.attachments), _piped(world)).run()
    )
    await _waits(world.reading)
    console.cancel()
    await asyncio.gather(console, return_exceptions=True)
    world.type("lo\n")
    world.type("you\n")
    os.close(world.writing)
    world.out()
    await asyncio.wait_for(
        Console(world.bot, world.home, "console:ann", Pending(RULES.attachments), _piped(world)).run(), 30
    )
    assert [line for line in world.out().splitlines() if line.startswith("ahoy")] == [
        "ahoy hello",
        "ahoy you",
    ]
    assert Inflight(world.home).kept() == b""


def _piped(world: World) -> Lines:
    inflight = Inflight(world.home)
    return Lines(world.reading, begun=inflight.kept(), keep=inflight.keep)


def _kept(world: World) -> Lines:
    inflight = Inflight(world.home)
    return Lines(world.reading, keep=lambda part: inflight.keep(unfinished(part)))


async def _waits(descriptor: int) -> None:
    """Until the loop waits for a descriptor."""
    selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]  # which the loop does not tell
    async with asyncio.timeout(20):
        while True:
            if descriptor in selector.get_map():
                return
            await asyncio.sleep(0)


async def test_a_line_without_an_answer_is_answered_once_more(world: World) -> None:
    """A chat line that was in flight when the bot ended is answered first, before new lines."""
    Inflight(world.home).begin("old line", control=False)
    out = await world.run("new line\n")
    assert out.index("ahoy old line") < out.index("ahoy new line")
    assert Inflight(world.home).left() is None


async def test_a_line_that_ended_the_bot_twice_is_given_up(world: World) -> None:
    """The third bot says which line could not be answered and does not try again."""
    Inflight(world.home).begin("old line", control=False, tries=2)
    out = await world.run()
    assert "'old line' could not be answered" in out
    assert "ahoy" not in out


async def test_a_control_command_is_never_repeated(world: World) -> None:
    """What was under way is said, and where to look, but not carried out again."""
    Inflight(world.home).begin("/approve 1", control=True)
    out = await world.run()
    assert "/approve 1" in out
    assert "/proposals" in out
    assert "Approve" not in world.steward.kinds()


async def test_a_line_is_noted_while_it_is_answered(world: World) -> None:
    """At the moment when live code runs, its line is on disk; afterwards it is not."""
    seen = []

    class Looking(ScriptedBrain):
        @property
        def missing(self) -> str | None:
            seen.append(Inflight(world.home).left())
            return None

    body = """
        async def say(turn): return f"missing: {turn.brain and turn.brain.missing}"
        def setup(r): r.chat(say)
    """
    world.bot._brain = Looking()
    await load(world.bot, plan({"bot/live/a/feature.py": body}, "abcabc"))
    seen.clear()
    await world.run("look\n")
    noted = [left for left in seen if left is not None]
    assert [left.line for left in noted] == ["look"]
    assert Inflight(world.home).left() is None


class Peeking(ScriptedBrain):
    """Notes what is on disk while live code asks for it."""

    home = Path()

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    @property
    def missing(self) -> str | None:
        """Look."""
        self.seen.append("".join(file.read_text() for file in self.home.iterdir()))
        return None


@pytest.mark.parametrize("line", ["/chat --private my swan", "keep this private: my swan"])
async def test_a_private_line_is_never_on_disk(world: World, line: str) -> None:
    """While it is answered only that there is one is noted, and after a restart people are told to ask again."""
    body = """
        async def say(turn): return f"missing: {turn.brain and turn.brain.missing}"
        def setup(r): r.chat(say)
    """
    peeking = world.bot._brain = Peeking()
    await load(world.bot, plan({"bot/live/a/feature.py": body}, "abcabc"))
    peeking.home, peeking.seen = world.home, []
    world.type(f"{line}\n")
    os.close(world.writing)
    console = Console(world.bot, world.home, "console:ann", Pending(RULES.attachments), Lines(world.reading))
    await asyncio.wait_for(console.run(), 30)
    (seen,) = (one for one in peeking.seen if "--private" in one)
    assert "swan" not in seen
    (world.home / "inflight.json").write_text(seen)
    os.close(world.reading)
    world.reading, world.writing = os.pipe()
    assert "missing: None" in world.out()
    out = await world.run()
    assert "A private question was not answered" in out
    assert "missing:" not in out


async def test_the_rest_of_a_private_line_stays_private(world: World) -> None:
    """Of a line that a restart cuts, its beginning is not kept, and what comes of it then is asked in private."""
    world.type("/chat --private my swa")
    console = Console(world.bot, world.home, "console:ann", Pending(RULES.attachments), _kept(world))
    running = asyncio.create_task(console.run())
    await _waits(world.reading)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert Inflight(world.home).kept() == b"/chat --private "


def test_what_is_private_is_in_no_history(tmp_path: Path) -> None:
    """The terminal remembers other lines from one day to the next."""
    typed = history(tmp_path / "history")
    for line in (
        "hello",
        "/chat --private my swan",
        "what --private swan",
        "don\u2019t send this anywhere: swan",
    ):
        typed.append_string(line)
    written = (tmp_path / "history").read_text()
    assert "hello" in written
    assert "swan" not in written
    assert len(typed.get_strings()) == 4


SEES = """
    async def say(turn): return f"got {[(each.name, each.kind, each.text) for each in turn.attachments]}"
    def setup(r):
        r.chat(say)
        r.command("say", say, usage="say", summary="says")
"""


async def test_a_file_goes_along_with_the_next_message(world: World) -> None:
    """What is attached waits for chat, reaches the model and live code once, and of a picture live code gets the name."""
    await load(world.bot, plan({"bot/live/a/feature.py": SEES}, "abcabc"))
    (world.home / "cat.png").write_bytes(png())
    (world.home / "a.txt").write_text("hi")
    out = await world.run(
        f"/attach {world.home}/cat.png\n/attach {world.home}/a.txt\n/say\n/chat --private look\nand now\n"
    )
    assert [line for line in out.splitlines() if line.startswith("got ")] == [
        "got []",
        "got [('cat.png', 'image/png', ''), ('a.txt', 'text/plain', 'hi')]",
        "got []",
    ]
    brain = world.bot._brain
    assert isinstance(brain, ScriptedBrain)
    asked = [wish for wish in brain.wishes if wish.attachments]
    assert [(wish.private, len(wish.attachments), len(wish.images)) for wish in asked] == [(True, 2, 1)]


async def test_a_line_that_is_not_understood_takes_no_files(world: World) -> None:
    """What is attached waits for the next question where an option was mistyped."""
    await load(world.bot, plan({"bot/live/a/feature.py": SEES}, "abcabc"))
    (world.home / "a.txt").write_text("hi")
    out = await world.run(f"/attach {world.home}/a.txt\n/chat --modell x look\n/chat\n")
    assert "knows no --modell" in out
    assert "got [('a.txt', 'text/plain', 'hi')]" in out


async def test_the_terminal_knows_commands_and_models(world: World) -> None:
    """What can be typed can be completed, the models behind `/chat --model` included."""
    brain = world.bot._brain
    assert isinstance(brain, ScriptedBrain)
    brain.models.append("vendor/some")
    known = Console(
        world.bot, world.home, "console:ann", Pending(RULES.attachments), Lines(world.reading)
    )._known()
    os.close(world.writing)
    assert {"/chat --model vendor/some ", "/say", "/improve"} <= set(known)


async def test_what_cannot_be_attached_is_said_at_once(world: World) -> None:
    """A file that is missing is a sentence, and the next message goes without."""
    out = await world.run(f"/attach {world.home}/none.png\nhello\n/chat\n")
    assert "There is no file" in out
    assert "ahoy hello" in out
    assert "say what you want to ask: /chat" in out


async def test_a_line_that_is_answered_once_more_has_its_files(world: World) -> None:
    """After a restart the files that went along are read again."""
    await load(world.bot, plan({"bot/live/a/feature.py": SEES}, "abcabc"))
    (world.home / "a.txt").write_text("hi")
    Inflight(world.home).begin("look", control=False, files=[f"{world.home}/a.txt"])
    assert "got [('a.txt', 'text/plain', 'hi')]" in await world.run()


async def test_what_waits_for_the_next_line_is_still_there_after_a_restart(world: World) -> None:
    """Files that were attached before the bot was started again go along with the next question, and with no other."""
    await load(world.bot, plan({"bot/live/a/feature.py": SEES}, "abcabc"))
    (world.home / "a.txt").write_text("hi")
    Inflight(world.home).hold([f"{world.home}/a.txt"])
    Inflight(world.home).begin("before", control=False)
    out = await world.run("look\nagain\n")
    assert [line for line in out.splitlines() if line.startswith("got ")] == [
        "got []",
        "got [('a.txt', 'text/plain', 'hi')]",
        "got []",
    ]
    assert Inflight(world.home).held() == ()


async def test_what_is_attached_is_noted(world: World) -> None:
    """As soon as a file is to go along its name is kept for the next bot."""
    (world.home / "a.txt").write_text("hi")
    await world.run(f"/attach {world.home}/a.txt\n")
    assert Inflight(world.home).held() == (f"{world.home}/a.txt",)


async def test_an_older_stewards_line_is_nobodys_wish(tmp_path: Path) -> None:
    """What was in flight under another steward is not answered by this one."""
    (tmp_path / "inflight.json").write_text('{"line": "x", "control": false, "tries": 1, "steward": 0}')
    assert Inflight(tmp_path).left() is None
    (tmp_path / "inflight.json").write_text("{not json")
    assert Inflight(tmp_path).left() is None


async def test_without_live_code_the_control_commands_are_listed() -> None:
    """A bot without a generation still says what works."""

    async def no_author() -> NoDraft:
        return NoDraft(why="no model")

    bot = Bot(RULES, ScriptedBrain("none"), no_author)
    assert "/approve N" in await bot.respond("/help", "console:ann", "c")


async def test_progress_that_comes_by_itself_names_its_proposal(world: World) -> None:
    """Beside a command it is clear of which it is; between lines there may be several."""

    async def told(body: BaseModel) -> BaseModel | None:
        if isinstance(body, say.Improve | say.Quit) and world.steward.peer:
            text = "it waits there" if isinstance(body, say.Quit) else "judging"
            await world.steward.peer.notify(say.Progress(number=1, stage=Stage.APPROVED, text=text))
        return await world.steward.answer(body)

    assert world.steward.peer is not None
    world.steward.peer._answer = told
    out = await world.run("/improve\n")
    assert "proposal 1: it waits there" in out
    assert "proposal 1: judging" not in out
    assert "judging" in out
