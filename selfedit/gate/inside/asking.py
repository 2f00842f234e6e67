"""Asks code under test that runs in a process of its own, over a socket. Standard library only.

The process may end, hang, write what it likes, answer twice, or leave others running: each of these is a `Fault`.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from selfedit.gate.inside.contract import Raised
from selfedit.gate.inside.programs import Reader, children

LONGEST_ANSWER = 4_000_000
"""Bytes of one answer."""
SHOWN = 200
"""Characters of a value that people are shown."""


class Fault(Exception):
    """The code under test cannot be asked any more; the text says what it did.

    Attributes:
        rule: `contract_gone`, `contract_timeout` or `contract_garbled`.
    """

    def __init__(self, rule: str, said: str) -> None:
        super().__init__(said)
        self.rule = rule


class Subject:
    """A process that holds the code under test.

    Attributes:
        asked: The last call and its answer, for people.
        calls: How many calls there were.
        answers: What was answered, if it is to be remembered.
        fault: Why it cannot be asked any more; None as long as it can.
    """

    def __init__(self, program: str, tree: str, seconds: float) -> None:
        """Start it.

        Args:
            program: What it runs; in it, `judge` is the number of its end of the socket.
            tree: The folder that it runs in.
            seconds: How long each answer may take.
        """
        self.asked = ""
        self.calls = 0
        self.answers: list[Any] | None = None
        self.fault: Fault | None = None
        self._seconds = seconds
        self._ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        text = f"judge = {theirs.fileno()}\n{program}".encode()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-"],
            cwd=tree,
            env={name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ},
            stdin=subprocess.PIPE,
            stdout=writing,
            stderr=writing,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        self.pid = self._process.pid
        os.close(writing)
        theirs.close()
        self._said = Reader(reading, limit=20_000)
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:
                stdin.write(text)

    def __call__(self, target: str, *args: Any, **kwargs: Any) -> Any:
        """See `Call`."""
        answer = self.ask(target, args, kwargs)
        if isinstance(answer, Raised):
            raise answer
        return answer

    def raises(self, target: str, *args: Any, **kwargs: Any) -> Raised | None:
        """See `Call`."""
        answer = self.ask(target, args, kwargs)
        return answer if isinstance(answer, Raised) else None

    def ready(self, seconds: float) -> None:
        """Wait until it can be asked."""
        self.asked = ""
        if self._guarded(lambda: self._answer(0, seconds)) != "ready":
            raise self._no("contract_garbled", "said something else than that it is ready")

    def ask(
        self, target: str, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None, seconds: float = 0
    ) -> Any:
        """What it answers; a `Raised` where it raised."""
        said = [*(shown(value) for value in args), *(f"{k}={shown(v)}" for k, v in (kwargs or {}).items())]
        self.asked = f"{target}({', '.join(said)})" if target else ""
        self.calls += 1
        answer = self._guarded(lambda: self._exchange(target, args, kwargs or {}, seconds or self._seconds))
        if self.answers is not None:
            self.answers.append(str(answer) if isinstance(answer, Raised) else answer)
        end = f" raised {shown(str(answer))}" if isinstance(answer, Raised) else f" -> {shown(answer)}"
        self.asked += end if target else ""
        return answer

    def finish(self, others: Sequence[int]) -> None:
        """Have it do nothing more, and see that it is still itself and alone; `others` are ours as well.

        Raises:
            Fault: It is not.
        """
        self.asked = ""
        if self.fault is None:
            self.ask("")
        left = [
            pid for pid in (*children(self.pid), *children(os.getpid())) if pid not in (self.pid, *others)
        ]
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if left and self.fault is None:
            raise self._no("contract_garbled", "started another process; live code may not do that")

    def end(self) -> None:
        """End it, with all that is in its session; may be called twice."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._ours.close()

    def _guarded(self, exchange: Callable[[], Any]) -> Any:
        # Remembered, because a contract might catch it.
        if self.fault is not None:
            raise self.fault
        try:
            return exchange()
        except Fault as fault:
            self.fault = fault
            raise
        except TimeoutError:
            self.fault = self._no("contract_timeout", "did not answer in time")
            raise self.fault from None
        except OSError:
            self.fault = self._no("contract_gone", "hung up")
            raise self.fault from None

    def _exchange(self, target: str, args: Sequence[Any], kwargs: dict[str, Any], seconds: float) -> Any:
        line = {"id": self.calls, "call": target, "args": args, "kwargs": kwargs}
        self._ours.settimeout(seconds)
        self._ours.sendall(json.dumps(line).encode() + b"\n")
        return self._answer(self.calls, seconds)

    def _answer(self, number: int, seconds: float) -> Any:
        """The one line that comes back."""
        until = time.monotonic() + seconds
        data = bytearray()
        while not data.endswith(b"\n"):
            self._ours.settimeout(max(0.001, until - time.monotonic()))
            piece = self._ours.recv(1_000_000)
            if not piece:
                raise self._no("contract_gone", "hung up")
            data += piece
            if len(data) > LONGEST_ANSWER:
                raise self._no("contract_garbled", "answered with more than can be read")
        self._ours.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            data += self._ours.recv(1)
        if self._process.poll() is not None:
            raise self._no("contract_gone", "ended, and left another process to answer")
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError):
            raise self._no("contract_garbled", "wrote something beside its one answer") from None
        match answer:
            case {"id": int(found), "value": value} if found == number:
                return value
            case {"id": int(found), "raised": [str(kind), str(said)]} if found == number:
                return Raised(kind, said)
        raise self._no("contract_garbled", "wrote something else than its answer")

    def _no(self, rule: str, what: str) -> Fault:
        if rule == "contract_gone":
            with contextlib.suppress(subprocess.TimeoutExpired):
                what = f"ended with exit code {self._process.wait(1)}" if what == "hung up" else what
        said = bytes(self._said.kept).decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "")
        hint = f"; the last that it wrote is {shown(last)}" if last and rule == "contract_gone" else ""
        return Fault(rule, f"the process with the code under test {what}{hint}")


def shown(value: Any) -> str:
    """A value for people: one line, of plain characters where it is odd, and not too long."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 20]}... ({len(text)} characters)"


def stamps(tree: str) -> dict[str, tuple[int, int]]:
    """What tells whether a file below a folder was written to: nothing that runs inside can set these two back."""
    found = {}
    for folder, _, names in os.walk(tree):
        for name in (".", *names):
            status = os.lstat(
                path := f"{folder}/{name}"
            )  # a path object for each takes several times as long
            found[path] = (status.st_ino, status.st_ctime_ns)
    return found
