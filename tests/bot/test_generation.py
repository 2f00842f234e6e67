"""Live code comes to life as a set, from its texts alone, beside what runs; or it does not, and nothing is left."""

import ast
import asyncio
import gc
import linecache
import sys
import traceback
import weakref
from typing import Any

import pytest

from agent.tool import Context
from bot.feature import Turn
from bot.generation import Generation, Generations, LiveError, build, canary, compiled
from bot.texts import GenerationProblem
from selfedit.types import LoadPlan
from tests.fakes.plans import echo, plan

ASK = Turn(text="", author="console:ann", conversation="test")


@pytest.fixture(scope="module", autouse=True)
def nothing_old() -> None:
    """What was there before is no generation of ours: no collection has to go through it again, now or later."""
    gc.collect()
    gc.freeze()


def traces() -> tuple[list[str], int, list[str]]:
    """What generations leave in the interpreter's tables, once the failed requests of other tests are collected."""
    gc.collect()
    names = [name for name in sys.modules if name.startswith("theseus_")]
    return names, len(sys.meta_path), [name for name in linecache.cache if "@" in name]


def refused(files: dict[str, str]) -> str:
    before = traces()
    with pytest.raises(GenerationProblem) as caught:
        build(plan(files))
    assert traces() == before
    return str(caught.value)


def feature(body: str) -> dict[str, str]:
    return {"bot/live/one/feature.py": body}


async def test_a_generation_answers_commands_and_chat() -> None:
    """What a feature registered is what answers."""
    generation = build(echo("ahoy"))
    assert await generation.respond("say", ASK) == "ahoy"
    assert await generation.respond(None, ASK) == "ahoy"


async def test_two_generations_stand_side_by_side() -> None:
    """Each generation answers with its own code, whatever was loaded after it, even of the same commit."""
    first, second = build(echo("first")), build(echo("second"))
    assert [await g.respond("say", ASK) for g in (first, second, first)] == ["first", "second", "first"]


async def test_what_was_compiled_before_is_what_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that did not change are not compiled again; one that cannot be compiled is left to whoever builds it."""
    made: list[str] = []

    def noted(tree: ast.Module, filename: str, mode: str, **how: Any) -> Any:
        made.append(filename)
        return compile(tree, filename, mode, **how)

    monkeypatch.setattr("bot.texts.compile", noted, raising=False)
    deep = {"bot/live/two/feature.py": f"x = {'1+' * 20_000}1"}
    files = dict(_texts(echo("ahoy")))
    known = compiled(plan({**files, **deep}))
    made.clear()
    generation = build(plan(files), known)
    assert (await generation.respond("say", ASK), made) == ("ahoy", [])
    assert await build(plan(dict(_texts(echo("other")))), known).respond("say", ASK) == "other"
    assert made == ["bot/live/echo/feature.py@c0ffee0"]
    assert "Error" in refused(deep)


async def test_relative_imports_stay_within_the_generation() -> None:
    """A feature's helper module is the one of its own commit."""
    files = {
        "bot/live/__init__.py": '"""Live."""\n',
        "bot/live/one/words.py": "WORD = 'old'\n",
        "bot/live/one/feature.py": """
            from .words import WORD
            async def say(turn): return WORD
            def setup(registry): registry.command("say", say, usage="say", summary="says")
        """,
    }
    old = build(plan(files))
    new = build(plan(files | {"bot/live/one/words.py": "WORD = 'new'\n"}))
    assert [await old.respond("say", ASK), await new.respond("say", ASK)] == ["old", "new"]


async def test_prompts_are_the_texts_of_the_commit() -> None:
    """A prompt is known by its name without ending, and its hash is told with those of the code."""
    loaded = build(plan({**dict(_texts(echo("x"))), "agent/live/prompts/chat.md": "Be kind.\n"}))
    assert dict(loaded.prompts) == {"chat": "Be kind.\n"}
    assert set(loaded.blobs) == {"bot/live/echo/feature.py", "agent/live/prompts/chat.md"}


TOOL = """
    from agent.tool import Context, tool

    @tool()
    async def shout(context: Context, text: str) -> str:
        \"\"\"Say a text in capital letters.\"\"\"
        return WORD + text.upper()

    WORD = {word!r}
"""


async def test_tools_come_and_go_with_their_generation() -> None:
    """A tool is loaded with its commit, another commit's is another, and with the generation it is gone."""
    files = dict(_texts(echo("x")))
    path = "agent/live/tools/shout.py"
    old, new = (build(plan({**files, path: TOOL.format(word=word)})) for word in ("old ", "new "))
    context = Context(caller="console:ann", conversation="here")
    said = [await each.toolbox.tools["shout"].run(context, text="hi") for each in (old, new)]
    assert said == ["old HI", "new HI"]
    assert set(old.blobs) == {"bot/live/echo/feature.py", path}
    function = weakref.ref(old.toolbox.tools["shout"].run)
    del old
    gc.collect()
    assert function() is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("@tool()", "", "exactly one"),
        ("text: str", "text", "no type"),
        ("text.upper()", "context.web", "line 6 uses context.web"),
        ("WORD = ", "import agent.live.tools\n    WORD = ", "never from the working tree"),
    ],
)
def test_a_tool_that_cannot_be_offered_refuses_the_set(old: str, new: str, says: str) -> None:
    """A bad tool is refused like a bad feature: with its file and reason, and nothing is left behind."""
    text = TOOL.format(word="x").replace(old, new)
    why = refused({**dict(_texts(echo("x"))), "agent/live/tools/shout.py": text})
    assert "agent/live/tools/shout.py" in why
    assert says in why


async def test_a_text_that_is_not_its_blob_is_never_run() -> None:
    """A single changed byte refuses the whole set before any of it is executed."""
    good = echo("x")
    forged = good.files[0].model_copy(update={"text": "raise SystemExit"})
    with pytest.raises(GenerationProblem, match="not the blob"):
        build(good.model_copy(update={"files": (forged,)}))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("def broken(:\n", "feature.py:1: SyntaxError"),
        ("x = 1\nraise ValueError('no luck')\n", "feature.py:2: ValueError: no luck"),
        ("raise SystemExit(3)\n", "feature.py:1: SystemExit"),
        ("from .gone import x\n", "gone"),
        ("import bot.live.other\n", "never from the working tree"),
        ("from bot import live\n", "never from the working tree"),
        ("def f():\n    from agent.live import tools\n", "never from the working tree"),
        ("x = 1\n", "no function setup"),
        ("async def setup(registry): pass\n", "plain function"),
        ("def setup(registry):\n    1 / 0\n", "feature.py:2: ZeroDivisionError"),
        ("def setup(r): r.command('approve', setup, usage='', summary='')\n", "belongs to the kernel"),
        ("def setup(r): r.command('a b', setup, usage='', summary='')\n", "no name for a command"),
        ("def setup(r):\n  r.chat(setup)\n  try: r.chat(setup)\n  except Exception: pass\n", "only one can"),
    ],
)
def test_broken_code_is_refused_with_its_place(body: str, says: str) -> None:
    """Whatever way a feature fails to load, a sentence says where and what, and nothing is left behind."""
    assert says in refused(feature(body))


def test_a_name_taken_twice_refuses_the_set() -> None:
    """Two features that answer to the same command are not loaded, not even the first of them."""
    taken = "def setup(r): r.command('say', setup, usage='', summary='')\n"
    assert "taken" in refused({"bot/live/a/feature.py": taken, "bot/live/b/feature.py": taken})


@pytest.mark.parametrize("path", ["bot/live/my-word.py", "bot/live/one.py"])
def test_files_that_cannot_be_imported_refuse_the_set(path: str) -> None:
    """A file that no import could reach, or that a folder hides, is an error and not silently left out."""
    assert path in refused({**feature("def setup(registry): pass\n"), path: "x = 1\n"})


def test_a_set_without_features_is_refused() -> None:
    """Code that answers to nothing is not brought to life."""
    assert "nothing would answer" in refused({"bot/live/__init__.py": "", "tests/live/test_x.py": "x = 1\n"})


async def test_a_traceback_shows_the_line_of_the_commit() -> None:
    """Errors of live code are traced to file, commit and source line, though no such file is looked at."""
    body = "async def say(turn):\n    return 1 // 0\ndef setup(r): r.chat(say)\n"
    generation = build(plan(feature(body), "abcdef0123"))
    with pytest.raises(LiveError) as caught:
        await generation.respond(None, ASK)
    shown = "".join(traceback.format_exception(caught.value))
    assert "bot/live/one/feature.py@abcdef0" in shown
    assert "return 1 // 0" in shown


@pytest.mark.parametrize(
    "error", ["SystemExit(2)", "KeyboardInterrupt()", "GeneratorExit()", "ValueError('x')"]
)
async def test_any_exception_is_the_error_of_its_request(error: str) -> None:
    """An exit or an interrupt out of a handler fails that one request and nothing else."""
    generation = build(plan(feature(f"async def say(turn): raise {error}\ndef setup(r): r.chat(say)\n")))
    with pytest.raises(LiveError, match=error.partition("(")[0]):
        await generation.respond(None, ASK)


async def test_a_cancellation_that_nobody_asked_for_is_an_error() -> None:
    """Live code that raises CancelledError by itself has failed."""
    body = "import asyncio\nasync def say(turn): raise asyncio.CancelledError\ndef setup(r): r.chat(say)\n"
    with pytest.raises(LiveError, match="CancelledError"):
        await build(plan(feature(body))).respond(None, ASK)


async def test_an_answer_that_is_no_text_is_an_error() -> None:
    """Features answer with text, nothing else."""
    with pytest.raises(LiveError, match="int"):
        await build(plan(feature("async def say(turn): return 7\ndef setup(r): r.chat(say)\n"))).respond(
            None, ASK
        )


async def test_a_request_ends_on_the_generation_on_which_it_began() -> None:
    """A swap in the middle of a request changes the next answer, not this one."""
    body = """
        async def say(turn):
            await turn.brain.wait()
            return WORD
        WORD = {!r}
        def setup(r): r.chat(say)
    """
    gate = asyncio.Event()
    turn = Turn(text="", author="a", conversation="c", brain=gate)  # type: ignore[arg-type]  # just to wait on
    old, new = (build(plan(feature(body.format(word)), word)) for word in ("0ld", "e3"))
    generations = Generations()
    generations.swap(old)
    assert generations.current is old
    waiting = asyncio.create_task(old.respond(None, turn))
    await asyncio.sleep(0)
    generations.swap(new)
    gate.set()
    assert await waiting == "0ld"
    assert generations.current is new
    assert await new.respond(None, turn) == "e3"


def test_the_generation_before_is_at_hand() -> None:
    """Swapping back finds the former generation where it was, and a third one lets the first go."""
    generations = Generations()
    plans = [echo(word, commit) for word, commit in (("x", "aaa"), ("y", "bbb"), ("z", "ccc"))]
    first, second, third = (build(plan) for plan in plans)
    for generation in (first, second):
        generations.swap(generation)
    assert generations.known(plans[0]) is first
    generations.swap(first)
    assert generations.current is first
    assert generations.known(plans[1]) is second
    generations.swap(third)
    assert generations.known(plans[1]) is None


async def test_the_same_files_under_another_commit_are_the_same_generation() -> None:
    """A revert, whose files are those of before, is served by the modules that are still held, in its own name."""
    generations = Generations()
    old, new = build(echo("old", "aaa")), build(echo("new", "bbb"))
    for generation in (old, new):
        generations.swap(generation)
    revert = echo("old", "ccc")
    undone = generations.known(revert)
    assert undone is not None
    assert (undone.modules, undone.commit) == (old.modules, revert.commit)
    generations.swap(undone)
    del old, generation
    gc.collect()
    assert await undone.respond("say", ASK) == "old"
    assert generations.known(echo("new", "bbb")) is new
    assert generations.known(echo("old", "ddd")) is not None


def test_old_generations_are_freed() -> None:
    """Of fifty generations swapped in one after another only the last two are held, modules and lines included."""
    generations = Generations()
    held: list[weakref.ref[Generation]] = []
    before = traces()
    for number in range(50):
        generations.swap(build(echo(str(number), f"{number:07d}")))
        assert generations.current is not None
        held.append(weakref.ref(generations.current))
    assert [number for number, ref in enumerate(held) if ref() is not None] == [48, 49]
    after = traces()
    assert (len(after[0]) - len(before[0]), len(after[2]) - len(before[2])) == (2 * 5, 2)
    del generations
    assert traces() == before


def test_freeing_needs_no_garbage_collector() -> None:
    """A generation's functions go with it at once, so that no collection has to pause the loop for them."""
    gc.collect()
    gc.disable()
    try:
        generation = build(echo("x"))
        function = weakref.ref(generation.commands["say"].respond)
        del generation
        assert function() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return ''", "nothing"),
        ("raise KeyError('k')", "KeyError"),
        ("import asyncio; await asyncio.sleep(60)", "did not answer"),
    ],
)
async def test_the_canary_finds_features_that_cannot_talk(body: str, says: str) -> None:
    """A generation whose features fail at a first message does not get to serve."""
    generation = build(plan(feature(f"async def say(turn):\n    {body}\ndef setup(r): r.chat(say)\n")))
    with pytest.raises(GenerationProblem, match=says):
        await canary(generation, seconds=0.05)


async def test_the_canary_lets_a_good_generation_pass() -> None:
    """A generation that answers is found good."""
    await canary(build(echo("ahoy")))


def _texts(of: LoadPlan) -> list[tuple[str, str]]:
    return [(file.path, file.text) for file in of.files]
