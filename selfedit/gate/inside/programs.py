"""Starts programs inside the sandbox, keeps what they say within bounds, and leaves nothing running.

Standard library only.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from selfedit.gate.inside.trees import SCRATCH, TREE

KEPT_OUTPUT = 2_000_000
"""Bytes of a program's output that are kept; the rest is read and dropped."""

LAST_WORDS = 20
"""Seconds in which what an ended program said has been read, on a machine that stands still too. Only a stray that left
the session, and still holds the other end, makes anybody wait so long."""

Result = dict[str, Any]


class Reader:
    """Reads a pipe to its end in a thread, and keeps so much of it."""

    def __init__(self, fd: int, limit: int = KEPT_OUTPUT) -> None:
        self.kept = bytearray()
        self.dropped = False
        self.ended: float | None = None
        self._fd = fd
        self._limit = limit
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        while data := os.read(self._fd, 65536):
            room = self._limit - len(self.kept)
            self.dropped = self.dropped or len(data) > room
            self.kept += data[:room]
        self.ended = time.monotonic()
        os.close(self._fd)


class Program:
    """A program in a session of its own. It may get ready, but has nothing to do before `go`."""

    def __init__(self, argv: list[str], fds: tuple[int, ...] = ()) -> None:
        self._started = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        self._fault = ""
        self._ended, self._timed_out = False, False
        self._code: int | None = None
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        try:
            self._process = subprocess.Popen(
                argv,
                cwd=TREE,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=out_write,
                stderr=err_write,
                pass_fds=fds,
                start_new_session=True,
            )
        except OSError as error:
            self._fault = f"{argv[0]} cannot be started: {error.strerror}"
        os.close(out_write)
        os.close(err_write)
        self._out, self._err = Reader(out_read), Reader(err_read)

    def go(self, wish: bytes) -> None:
        """Give it its input; its seconds count from here."""
        self._started = time.monotonic()
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(wish)
                self._process.stdin.flush()
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def kill(self) -> None:
        """End it without having used it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def wait(self, until: float) -> None:
        """Wait for its end, or make one when the time is up."""
        if self._process is not None and not self._ended:
            try:
                self._code = self._process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._timed_out = True
            self.kill()
        self._ended = True

    def result(self, until: float, *, alone: bool = False) -> Result:
        """Wait for its end, and say what became of it; `alone`: nothing else of ours runs meanwhile."""
        self.wait(until)
        if alone:
            end_strays()
        for reader in (self._out, self._err):
            reader.thread.join(LAST_WORDS)
        seconds = (self._out.ended or time.monotonic()) - self._started
        return {
            "exit": self._code,
            "timed_out": self._timed_out,
            "seconds": round(max(0.0, seconds), 3),
            "out": bytes(self._out.kept).decode(errors="replace"),
            "err": (self._fault or bytes(self._err.kept[-20_000:]).decode(errors="replace")),
            "dropped": self._out.dropped,
        }


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(SCRATCH),
        "TMPDIR": str(SCRATCH),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "RUFF_NO_CACHE": "true",
        "GIT_PYTHON_REFRESH": "quiet",  # there is no git here, and importing GitPython shall not fail for that
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }


def end_strays() -> None:
    """Whatever was left running is a child of ours by now; end it before the report is written."""
    for _ in range(100):
        strays = children(os.getpid())
        if not strays:
            return
        for pid in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def children(of: int) -> list[int]:
    """The processes whose parent is `of`, those that have ended but were not waited for among them."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == of:
                    found.append(int(entry.name))
    return found


class Witness:
    """A pytest that tells of each test over a pipe, with a test among them that must fail."""

    def __init__(self, argv: list[str], pool_fd: int) -> None:
        """Start it; `pool_fd`: where the numbers of files of tests come from that are for whoever is done."""
        self._word = "sentinel_" + secrets.token_hex(12)
        self._pool_fd = pool_fd
        reading, self._writing = os.pipe()
        self._program = Program(argv, (self._writing, pool_fd))
        self._told = Reader(reading, limit=16 * KEPT_OUTPUT)

    def go(self, wish: Result) -> None:
        """Let it run the tests that are wished for."""
        folder = SCRATCH / self._word
        folder.mkdir()
        sentinel = folder / f"test_{self._word}.py"
        sentinel.write_text(f"def test_{self._word}() -> None:\n    assert {self._word!r} == ''\n")
        arguments = [*wish["arguments"], *([] if wish["collect"] else [str(sentinel)])]
        line = json.dumps({**wish, "fd": self._writing, "pool_fd": self._pool_fd, "arguments": arguments})
        self._program.go(line.encode() + b"\n")
        os.close(self._writing)

    def kill(self) -> None:
        """End it without having used it."""
        self._program.kill()
        os.close(self._writing)

    def wait(self, until: float) -> None:
        """Wait for its end, or make one when the time is up."""
        self._program.wait(until)

    def result(self, until: float) -> Result:
        """Wait for its end; what it told, the sentinel's fate apart."""
        result = self._program.result(until)
        self._told.thread.join(LAST_WORDS)
        said, garbled = _lines(bytes(self._told.kept))
        own = [line for line in said if self._word not in str(line.get("id", ""))]
        result["told"] = [_without(line, self._word) for line in own]
        result["sentinel"] = [line["outcome"] for line in said if line not in own and "outcome" in line]
        result["garbled"] = garbled or self._told.dropped
        return result


def _without(line: Result, word: str) -> Result:
    if "collected" in line:
        line["collected"] = [name for name in line["collected"] if word not in name]
    return line


def _lines(text: bytes) -> tuple[list[Result], bool]:
    found: list[Result] = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            return found, True
        if not isinstance(value, dict):
            return found, True
        found.append(value)
    return found, False
