"""A trial load in a process of its own: one line of JSON that says whether a folder's live code can serve."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from bot.__main__ import ROOT

PROGRAM = "import sys; sys.path.append({!r}); from bot.trial import main; sys.exit(main({!r}))"


def tried(root: Path) -> tuple[int, dict[str, object]]:
    """The exit code and the verdict; the program is started as the gate starts it."""
    program = PROGRAM.format(str(ROOT), str(root))
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done.stderr
    return done.returncode, json.loads(lines[0])


def with_feature(root: Path, body: str) -> Path:
    folder = root / "bot" / "live" / "one"
    folder.mkdir(parents=True)
    (folder / "feature.py").write_text(dedent(body).lstrip())
    return root


def test_the_live_code_of_this_repository_passes() -> None:
    """What is delivered comes to life and talks."""
    code, said = tried(ROOT)
    assert (code, said["ok"], said["why"]) == (0, True, "")
    assert {"chat", "help"} <= set(said["features"])  # type: ignore[call-overload]  # a list of names
    assert "help" in said["commands"]  # type: ignore[operator]  # as above


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("def setup(registry): 1 / 0", "bot/live/one/feature.py:1: ZeroDivisionError"),
        ("async def f(turn): return ''\ndef setup(r): r.chat(f)", "nothing"),
        ("async def f(turn): raise SystemExit(0)\ndef setup(r): r.chat(f)", "SystemExit"),
        (
            """
            import threading
            async def f(turn): return "x"
            def setup(r):
                r.chat(f)
                threading.Thread(target=threading.Event().wait, name="sleeper", daemon=True).start()
            """,
            "sleeper",
        ),
        (
            """
            import asyncio
            async def f(turn):
                asyncio.create_task(asyncio.sleep(60), name="lingerer")
                return "x"
            def setup(r): r.chat(f)
            """,
            "lingerer",
        ),
    ],
)
def test_code_that_cannot_serve_is_found_out(tmp_path: Path, body: str, why: str) -> None:
    """A feature that fails, says nothing, exits, or leaves something running does not pass, and the sentence says why."""
    code, said = tried(with_feature(tmp_path, body))
    assert (code, said["ok"]) == (1, False)
    assert why in str(said["why"])


def test_what_live_code_prints_is_no_verdict(tmp_path: Path) -> None:
    """Output of the code on trial goes elsewhere, so it cannot stand in for the verdict."""
    body = """
        print('{"ok": true}')
        async def f(turn): raise ValueError("no")
        def setup(r): r.chat(f)
    """
    assert tried(with_feature(tmp_path, body))[1]["ok"] is False


def test_files_that_are_no_text_are_a_sentence(tmp_path: Path) -> None:
    """A file that cannot be read as UTF-8 is said to be one."""
    shutil.copytree(ROOT / "bot" / "live", tmp_path / "bot" / "live")
    (tmp_path / "bot" / "live" / "odd.py").write_bytes(b"\xff\xfe")
    code, said = tried(tmp_path)
    assert (code, said["ok"]) == (1, False)
    assert "utf-8" in str(said["why"])
