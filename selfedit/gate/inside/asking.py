"""Asks code under test that runs in a process of its own, over a socket. Standard library only.

The process may end, hang, write what it likes, answer twice, or leave others running: each of these is a `Fault`.
"""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from selfedit.gate.inside.contract import Raised
from selfedit.gate.inside.programs import Reader, children

LONGEST_ANSWER = 4_000_000
"""Bytes of one answer."""
SHOWN = 200
"""Characters of a value that people are shown."""
AT_ONCE = 50_000
"""Bytes of questions that are sent before an answer is read: so much a socket holds, whether it is read from or not."""
CALLS_AT_ONCE = 30
"""So many, that whoever looks at the time between two lots does not look too late."""
_NUMBER = 32
"""Bytes that a question's number takes."""


class Fault(Exception):
    """The code under test cannot be asked any more; the text says what it did.

    Attributes:
        rule: `contract_gone`, `contract_timeout` or `contract_garbled`.
    """

    def __init__(self, rule: str, said: str) -> None:
        super().__init__(said)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call and what came back.

    Attributes:
        question: What goes over the socket, a JSON object without its number and its first character.
        answer: `value` or `raised`; None as long as there is none.
    """

    question: bytes
    answer: dict[str, Any] | None = None

    def __str__(self) -> str:
        """For people."""
        asked = json.loads(b"{" + self.question)
        given = [*map(shown, asked["args"]), *(f"{k}={shown(v)}" for k, v in asked["kwargs"].items())]
        said = f"{asked['call']}({', '.join(given)})" if asked["call"] else ""
        match said and self.answer:
            case {"value": value}:
                return f"{said} -> {shown(value)}"
            case {"raised": [kind, text]}:
                return f"{said} raised {shown(f'{kind}: {text}')}"
        return said


class Subject:
    """A process that holds the code under test.

    Attributes:
        last: The last call, and its answer if there is one; None before the first of a contract.
        calls: How many calls there were.
        heard: What was asked and answered, if it is to be remembered.
        fault: Why it cannot be asked any more; None as long as it can.
    """

    def __init__(self, program: str, tree: str, seconds: float) -> None:
        """Start it.

        Args:
            program: What it runs; in it, `judge` is the number of its end of the socket.
            tree: The folder that it runs in.
            seconds: How long each answer may take.
        """
        self.last: Exchange | None = None
        self.calls = 0
        self.heard: list[Exchange] | None = None
        self.fault: Fault | None = None
        self._seconds = seconds
        self._ours, theirs = socket.socketpair()
        self._patience = 0.0
        self._data = bytearray()
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

    def forget(self) -> None:
        """What was asked last is of no interest any more."""
        self.last = None

    def ready(self, seconds: float) -> None:
        """Wait until it can be asked."""
        self.forget()
        if self._guarded(lambda: self._answer(0, seconds)) != "ready":
            raise self._no("contract_garbled", "said something else than that it is ready")

    def ask(
        self, target: str, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None, seconds: float = 0
    ) -> Any:
        """What it answers; a `Raised` where it raised."""
        asked = json.dumps({"call": target, "args": args, "kwargs": kwargs or {}}).encode()
        answer = self._guarded(lambda: self._exchange(asked[1:], seconds or self._seconds))
        if self.heard is not None and self.last is not None:
            self.heard.append(self.last)
        return answer

    def repeats(self, heard: Sequence[Exchange], rounds: int) -> int | None:
        """The first of these calls that it answers otherwise, by number; None where it answers all in the same way.

        Many are sent at once, because a process that is waited for at each call does little else than wait.

        Args:
            heard: What was asked and answered, in order.
            rounds: How often to ask it all over again; fewer where it is much to send.
        """
        size = sum(len(each.question) + _NUMBER for each in heard)
        lot = [*heard] * max(1, min(rounds, CALLS_AT_ONCE // len(heard), AT_ONCE // size))
        lots = [lot] if size <= AT_ONCE else [[each] for each in heard]
        found: Iterator[int | None] = (self._guarded(partial(self._unlike, each)) for each in lots)
        return next(filter(None, found), None)

    def finish(self, others: Sequence[int]) -> None:
        """Have it do nothing more, and see that it is still itself and alone; `others` are ours as well.

        Raises:
            Fault: It is not.
        """
        self.forget()
        if self.fault is None:
            self.ask("")
            if self._process.poll() is not None:
                raise self._no("contract_gone", "ended, and left another process to answer")
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
        except (TimeoutError, BlockingIOError):
            self.fault = self._no(
                "contract_timeout", "did not answer in time; where the machine was busy, ask again"
            )
            raise self.fault from None
        except OSError:
            self.fault = self._no("contract_gone", "hung up")
            raise self.fault from None

    def _exchange(self, question: bytes, seconds: float) -> Any:
        self.last = Exchange(question)
        self._patient(seconds)
        self._send([question])
        return self._answer(self.calls, seconds)

    def _unlike(self, heard: Sequence[Exchange]) -> int | None:
        first, odd = self.calls + 1, None
        self._patient(self._seconds)
        self._send([each.question for each in heard])
        for number, each in enumerate(heard, first):
            self.last = Exchange(each.question)
            try:
                self._answer(number, self._seconds)
            except (Fault, OSError):
                if odd is None:
                    raise
                break  # the first that went wrong is what is told
            if odd is None and self.last.answer != each.answer:
                odd = number, self.last
        if odd is None:
            return None
        number, self.last = odd
        return number

    def _send(self, questions: Sequence[bytes]) -> None:
        said = bytearray()
        for question in questions:
            self.calls += 1
            said += b'{"id": %d, ' % self.calls + question + b"\n"
        self._ours.sendall(said)

    def _answer(self, number: int, seconds: float) -> Any:
        """What the one line says that comes back to a question."""
        line = self._line(seconds)
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        # What comes unasked after this is read as the next answer, and fails by its number.
        if answer is None or (number == self.calls and self._data):
            raise self._no("contract_garbled", "wrote something beside its one answer")
        match answer:
            case {"id": int(found), "value": value} if found == number:
                self._keep({"value": value})
                return value
            case {"id": int(found), "raised": [str(kind), str(said)]} if found == number:
                self._keep({"raised": [kind, said]})
                return Raised(kind, said)
        raise self._no("contract_garbled", "wrote something else than its answer")

    def _keep(self, answer: dict[str, Any]) -> None:
        if self.last is not None:
            self.last = Exchange(self.last.question, answer)

    def _line(self, seconds: float) -> bytes:
        until, left = time.monotonic() + seconds, seconds
        while (end := self._data.find(b"\n")) < 0:
            self._patient(left)
            piece = self._ours.recv(1_000_000)
            if not piece:
                raise self._no("contract_gone", "hung up")
            self._data += piece
            if b"\n" not in piece and (left := until - time.monotonic()) <= 0:
                raise TimeoutError
            if len(self._data) > LONGEST_ANSWER and b"\n" not in self._data:
                raise self._no("contract_garbled", "answered with more than can be read")
        line = bytes(self._data[:end])
        del self._data[: end + 1]
        return line

    def _patient(self, seconds: float) -> None:
        """How long the kernel waits for each piece that is sent or read, from now on: asking it before each costs more."""
        if seconds != self._patience:
            limit = struct.pack(
                "ll", *divmod(max(1, int(seconds * 1_000_000)), 1_000_000)
            )  # a timeval, socket(7)
            for what in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                self._ours.setsockopt(socket.SOL_SOCKET, what, limit)
            self._patience = seconds

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
