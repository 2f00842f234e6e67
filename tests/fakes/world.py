"""A whole Theseus on a clone of this repository: steward and bot as real processes, driven like a person would."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel

from selfedit import protocol as say
from selfedit.home import socket_path

ROOT = Path(__file__).resolve().parents[2]
FAST = """
[gate]
tests = ["tests/live"]
tests_of_people = ["tests/live"]
trial_seconds = 120

[watch]
window_seconds = 1.5
heartbeat_seconds = 0.1
silence_seconds = 8.0

[restart]
first_delay_seconds = 0.1
steady_seconds = 1.0
"""
"""Rules for worlds that should not take long: a short watch, and only the live tests."""


def git(root: Path, *args: str) -> str:
    """Run git in a folder; its output without the last line's end."""
    done = subprocess.run(["git", "-C", str(root), *args], check=True, capture_output=True, text=True)
    return done.stdout.rstrip("\n")


def clone(into: Path, rules: str = "", files: Mapping[str, str] | None = None) -> Path:
    """A repository with this one's tracked and new files as its first commit, on `main`.

    Args:
        into: Where it shall be; must not exist.
        rules: TOML whose values replace those of `policies/rules.toml`.
        files: More files for the first commit, by path.
    """
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in listed:
        source = ROOT / name
        if name and source.is_file():
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode & 0o777)
    if rules:
        _lay_over(into / "policies/rules.toml", rules)
    for path, text in (files or {}).items():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        (into / path).write_text(text)
    git(into, "init", "-q", "-b", "main")
    git(into, "add", "-A")
    git(
        into,
        "-c",
        "user.name=Operator",
        "-c",
        "user.email=operator@localhost",
        "commit",
        "-qm",
        "What was installed",
    )
    return into


def _lay_over(path: Path, rules: str) -> None:
    lines, section = path.read_text().splitlines(), ""
    for row in filter(None, map(str.strip, rules.splitlines())):
        if row.startswith("["):
            section = row
            continue
        key = row.partition("=")[0].strip()
        start = lines.index(section)
        spot = next(i for i in range(start, len(lines)) if lines[i].partition("=")[0].strip() == key)
        lines[spot] = row
    path.write_text("\n".join(lines) + "\n")


class World:
    """One running Theseus. Use as an async context manager; leaving it ends everything for certain."""

    def __init__(self, root: Path, home: Path, env: Mapping[str, str] | None = None) -> None:
        self.root = root
        self.home = home
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home.parent),
            "THESEUS_HOME": str(home),
            "PYTHONDONTWRITEBYTECODE": "1",
            "EMBEDDED_MODEL": "false",  # the same with the extra as without it
            **{key: os.environ[key] for key in ("THESEUS_SANDBOX", "DOCKER_HOST") if key in os.environ},
            **(env or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.output = home.parent / f"{home.name}.out"
        self.news: list[str] = []

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def start(self, patience: float = 180.0) -> None:
        """Start `python -m bot` and wait until live code serves."""
        self.home.mkdir(parents=True, exist_ok=True)
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bot"],
                cwd=self.root,
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        await self.until(lambda status: bool(status.running), patience)

    async def ask(self, question: BaseModel, patience: float = 300.0) -> Any:
        """Put a question to the steward over its operator socket."""

        async def hear(notice: BaseModel) -> None:
            if isinstance(notice, say.News):
                self.news.append(notice.text)

        peer = await say.connect(str(socket_path(self.home)), hear)
        reading = asyncio.create_task(peer.run())
        try:
            return await asyncio.wait_for(peer.call(question), patience)
        finally:
            await peer.close()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def until(self, condition: Any, patience: float = 180.0) -> say.StatusIs:
        """Wait until the status fulfils a condition; fails with what was printed."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}:\n{self.printed()}")
            with contextlib.suppress(OSError, ConnectionError, TimeoutError):
                status = await self.ask(say.Status(), 5.0)
                if isinstance(status, say.StatusIs) and condition(status):
                    return status
            await asyncio.sleep(0.05)
        raise AssertionError(f"it did not come to that within {patience:.0f} s:\n{self.printed()}")

    def type(self, line: str) -> None:
        """Type a line at the console."""
        if self.process is None or self.process.stdin is None:
            raise AssertionError("it is not running")
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def printed(self) -> str:
        """Everything printed so far."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    async def read(self, text: str, patience: float = 180.0, since: int = 0) -> str:
        """Wait until a text was printed after position `since`; what was printed from there on."""
        end = time.monotonic() + patience
        while text not in (printed := self.printed()[since:]):
            if time.monotonic() > end:
                raise AssertionError(f"{text!r} was not printed within {patience:.0f} s:\n{printed}")
            await asyncio.sleep(0.02)
        return printed

    def kill(self, whom: str, status: say.StatusIs) -> None:
        """`kill -9` the steward or the bot."""
        pid = status.steward_pid if whom == "steward" else status.bot_pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    async def ended(self, patience: float = 180.0) -> int:
        """Wait for the end of the process; its exit code."""
        if self.process is None:
            raise AssertionError("it was not started")
        end = time.monotonic() + patience
        while (code := self.process.poll()) is None:
            if time.monotonic() > end:
                raise AssertionError(f"it did not end within {patience:.0f} s:\n{self.printed()}")
            await asyncio.sleep(0.02)
        return code

    async def end(self) -> None:
        """End everything, however it stands."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(AssertionError):
                await self.ended(8.0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        self.process = None
