"""A trial load in a process of its own: one line of JSON that says whether a folder's live code can serve, and how."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from bot.__main__ import ROOT
from bot.rehearsal import FOLDER
from selfedit.gate.trial import Answered, Trial

PROGRAM = "import sys; sys.path.append({!r}); from bot.trial import main; sys.exit(main({!r}, sys.stdin.readline()))"
# Importing costs more than trying, so the made-up trees are tried by forks of one process.
FORKS = """
import json, os, sys
sys.path.append({!r})
from bot.trial import main
for root, wish in json.load(sys.stdin):
    if (child := os.fork()) == 0:
        with open(root + "/said", "w") as said:
            os.dup2(said.fileno(), 1)
            sys.exit(main(root, wish))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
WISH = '{"seed": "s", "conversations": true}\n'
# Long enough for all else that happens in a trial, on a busy machine too.
SHORT = '{"seed": "s", "conversations": true, "seconds": 0.3}\n'
SPOKEN = {
    "about": "A model that answers, fails, and is asked by each command.",
    "model": [{"when": "hello", "text": "Hello, Ann."}, {"when": "again", "status": 500}],
    "turns": [{"says": "hello"}, {"says": "again"}, {"says": "/{command} x"}, {"says": "/nothing"}],
}

FEATURES: dict[str, str | bytes] = {
    "fails in setup": "def setup(registry): 1 / 0",
    "says nothing": "async def f(turn): return ''\ndef setup(r): r.chat(f)",
    "exits": "async def f(turn): raise SystemExit(0)\ndef setup(r): r.chat(f)",
    "fails at the first message": "async def f(turn): return turn.nothing\ndef setup(r): r.chat(f)",
    "leaves a thread": """
        import threading
        async def f(turn): return "x"
        def setup(r):
            r.chat(f)
            threading.Thread(target=threading.Event().wait, name="sleeper", daemon=True).start()
    """,
    "starts a thread when used": """
        import threading
        async def f(turn):
            threading.Thread(target=threading.Event().wait, name="sleeper").start()
            return "x"
        def setup(r): r.chat(f)
    """,
    "leaves a task": """
        import asyncio
        async def f(turn):
            asyncio.create_task(asyncio.sleep(60), name="lingerer")
            return "x"
        def setup(r): r.chat(f)
    """,
    "needs an event loop to load": """
        import asyncio
        asyncio.get_running_loop()
        async def f(turn): return "x"
        def setup(r): r.chat(f)
    """,
    "loads once only": """
        import logging
        if getattr(logging, "loaded", False): raise RuntimeError("loaded before")
        logging.loaded = True
        async def f(turn): return "x"
        def setup(r): r.chat(f)
    """,
    "doubles its handlers": """
        import logging
        logging.getLogger("one").addHandler(logging.NullHandler())
        async def f(turn): return "x"
        def setup(r): r.chat(f)
    """,
    "hangs its code up elsewhere": """
        import json
        async def f(turn): return "x"
        def setup(r):
            r.chat(f)
            json.kept = [*getattr(json, "kept", []), lambda: f]
    """,
    "leaves a file open": """
        import json
        async def f(turn):
            json.kept = open("/dev/zero")
            return "x"
        def setup(r): r.chat(f)
    """,
    "writes a file when loaded": """
        open(__import__("tempfile").gettempdir() + "/never", "w")
        async def f(turn): return "x"
        def setup(r): r.chat(f)
    """,
    "blocks": """
        import time
        async def f(turn):
            while True: time.sleep(1)
        def setup(r): r.chat(f)
    """,
    "blocks when loaded": "while True: pass",
    "waits": """
        import asyncio
        async def f(turn): await asyncio.sleep(60)
        def setup(r): r.chat(f)
    """,
    "forges": """
        print('{"ok": true}')
        async def f(turn): raise ValueError("no")
        def setup(r): r.chat(f)
    """,
    "is no text": b"\xff\xfe",
    "blocks later": """
        import time
        async def blocks(turn):
            while turn.text: time.sleep(1)
            return "nothing to do"
        async def works(turn): return "fine"
        def setup(r):
            for f in (blocks, works):
                r.command(f.__name__, f, usage=f.__name__, summary="one")
    """,
    "takes a chance": """
        import random
        async def chance(turn): return f"{turn.random()} {random.random()} {turn.now}"
        def setup(r): r.command("chance", chance, usage="chance", summary="one")
    """,
    "greets": """
        async def greet(turn): return f"Hello, {turn.author}, you said {turn.text!r} {turn.random()}."
        def setup(r):
            r.chat(greet)
            r.command("greet", greet, usage="greet", summary="greets")
    """,
    "talks": """
        async def ask(turn):
            if turn.text == "Good morning, what can you do?": return "talk"
            try:
                return "".join([piece async for piece in turn.brain.answer("c", turn.text, "Be kind.")])
            except Exception as problem:
                return f"sorry: {type(problem).__name__}"
        async def fails(turn): return turn.text and 1 / 0 or "nothing to do"
        seen = []
        async def remembers(turn):
            seen.append(turn.text)
            return f"heard {len(seen)}"
        async def half(turn): return "\\ud800" if turn.text else "whole"
        async def writes(turn):
            if turn.text: open("/dev/null", "w").close()
            return "written"
        def setup(r):
            r.chat(ask)
            for f in (fails, remembers, half, writes):
                r.command(f.__name__, f, usage=f.__name__, summary="one")
    """,
}

BLOCKING = {"blocks", "blocks when loaded", "blocks later", "waits"}


def tree(root: Path, feature: str | bytes) -> Path:
    """A tree with one feature, and something to talk about."""
    for name, content in {
        "bot/live/one/feature.py": dedent(feature).lstrip().encode() if isinstance(feature, str) else feature,
        "tests/conversations/talk.json": json.dumps(SPOKEN).encode(),
    }.items():
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(content)
    return root


def read(code: int, out: str) -> Trial:
    """What a trial told; its exit code says the same."""
    (line,) = out.splitlines()
    trial = Trial.model_validate_json(line)
    assert code == (0 if trial.ok else 1)
    return trial


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trial]:
    """How trying each of the features went; some are tried twice, one with the conversations of this repository."""
    roots = {name: tree(tmp_path_factory.mktemp("tree"), body) for name, body in FEATURES.items()}
    roots["takes another"] = tree(tmp_path_factory.mktemp("tree"), FEATURES["takes a chance"])
    for name in ("recorded", "recorded again"):
        roots[name] = tree(tmp_path_factory.mktemp("tree"), FEATURES["greets"])
        shutil.copytree(ROOT / FOLDER, roots[name] / FOLDER, dirs_exist_ok=True)
    jobs = json.dumps([[str(root), WISH if name not in BLOCKING else SHORT] for name, root in roots.items()])
    done = subprocess.run(
        [sys.executable, "-I", "-c", FORKS.format(str(ROOT))],
        input=jobs,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    codes = map(int, done.stdout.split())
    return {
        name: read(code, (root / "said").read_text())
        for (name, root), code in zip(roots.items(), codes, strict=True)
    }


def test_the_live_code_of_this_repository_passes() -> None:
    """What is delivered comes to life and talks, started as the gate does it, also when nothing is wished for."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM.format(str(ROOT), str(ROOT))],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    trial = read(done.returncode, done.stdout)
    assert (trial.ok, trial.why, trial.turns) == (True, "", ())
    assert {"chat", "help"} <= set(trial.features)
    assert "help" in trial.commands


def test_two_runs_of_the_same_code_tell_the_same(trials: dict[str, Trial]) -> None:
    """But for the time it took, the recorded conversations of this repository go the same way in every process."""
    one, two = trials["recorded"], trials["recorded again"]
    assert len(one.turns) > 40
    assert one.script == two.script != trials["talks"].script
    turns = [[turn.model_copy(update={"ms": 0.0}) for turn in trial.turns] for trial in (one, two)]
    assert turns[0] == turns[1]


@pytest.mark.parametrize(
    ("name", "rule", "why"),
    [
        ("fails in setup", "trial", "bot/live/one/feature.py:1: ZeroDivisionError"),
        ("says nothing", "trial", "nothing"),
        ("exits", "trial", "SystemExit"),
        ("fails at the first message", "trial", "feature.py:1: AttributeError"),
        ("leaves a thread", "load_acts", "sleeper"),
        ("starts a thread when used", "reload_grows", "sleeper"),
        ("leaves a task", "reload_grows", "lingerer"),
        ("needs an event loop to load", "trial", "no running event loop"),
        ("loads once only", "trial", "feature.py:2: RuntimeError: loaded before"),
        ("doubles its handlers", "reload_grows", "handlers and filters of the logger one"),
        ("hangs its code up elsewhere", "reload_grows", "bot.live.one.feature.setup.<locals>.<lambda>"),
        ("leaves a file open", "reload_grows", "/dev/zero"),
        ("writes a file when loaded", "load_acts", "feature.py:1: it writes"),
        ("blocks", "trial", "feature.py:3: HeldUp"),
        ("blocks when loaded", "trial", "feature.py:1: HeldUp"),
        ("waits", "trial", "did not answer"),
        ("forges", "trial", "ValueError"),
        ("is no text", "trial", "utf-8"),
    ],
)
def test_code_that_cannot_serve_is_found_out(
    trials: dict[str, Trial], name: str, rule: str, why: str
) -> None:
    """A feature that fails, blocks, acts while it is loaded or leaves something behind does not pass; the sentence says why."""
    assert (trials[name].ok, trials[name].rule) == (False, rule)
    assert why in trials[name].why


def test_a_conversation_is_held_with_the_script_as_the_model(trials: dict[str, Trial]) -> None:
    """The model says what the script has for it, also when it fails, and what it was asked is counted."""
    hello, again = trials["talks"].turns[:2]
    assert (hello.answer, hello.requests) == ("Hello, Ann.", 1)
    assert hello.tokens == len("Be kind." + "hello" + "Hello, Ann.") // 3
    assert (again.answer, again.error) == ("sorry: ModelFailed", "")


def told(trial: Trial, line: str) -> Answered:
    """How one turn went."""
    (turn,) = [turn for turn in trial.turns if turn.said == line]
    return turn


def test_each_command_is_asked_and_an_unknown_one_is_known_as_such(trials: dict[str, Trial]) -> None:
    """A line for every command is said to each; a command that nobody answers to is no failure."""
    turns = trials["talks"].turns
    assert {turn.said for turn in turns if turn.place == "talk-2"} == {
        f"/{name} x" for name in trials["talks"].commands
    }
    assert (told(trials["talks"], "/nothing").known, told(trials["talks"], "/nothing").error) == (
        False,
        "",
    )


def test_one_turn_that_fails_leaves_the_others_alone(trials: dict[str, Trial]) -> None:
    """Its error is told with its place, and the conversation goes on."""
    assert "feature.py" in told(trials["talks"], "/fails x").error
    assert "ZeroDivisionError" in told(trials["talks"], "/fails x").error
    assert told(trials["talks"], "/writes x").answer == "written"


def test_one_turn_that_blocks_is_ended(trials: dict[str, Trial]) -> None:
    """What holds up the event loop in the middle of a conversation is named, and the conversation goes on."""
    assert "HeldUp" in told(trials["blocks later"], "/blocks x").error
    assert told(trials["blocks later"], "/works x").answer == "fine"


def test_chance_and_the_clock_are_the_same_in_every_run(trials: dict[str, Trial]) -> None:
    """Chance that a feature is handed, chance that it takes itself, and the clock do not make answers differ."""
    once, again = (told(trials[name], "/chance x") for name in ("takes a chance", "takes another"))
    assert once.answer == again.answer
    assert once.steady


def test_what_a_feature_remembers_shows(trials: dict[str, Trial]) -> None:
    """An answer that depends on what was said before is not steady."""
    assert not told(trials["talks"], "/remembers x").steady


def test_what_a_turn_does_to_the_system_is_told(trials: dict[str, Trial]) -> None:
    """A file that an answer writes stands with the turn, with its name and the place in the code."""
    (deed,) = told(trials["talks"], "/writes x").deeds
    assert "feature.py:" in deed
    assert "/dev/null" in deed


def test_half_a_character_does_not_end_the_trial(trials: dict[str, Trial]) -> None:
    """An answer that cannot be written as it is, is written in escapes."""
    assert told(trials["talks"], "/half x").answer == "\\ud800"
