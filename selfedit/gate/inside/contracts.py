"""Judges contracts inside the sandbox: asks code that runs in another process, and compares here. Standard library only.

It prints one JSON object. It needs a sandbox to itself: whatever else writes into the tree, or runs as a child,
is taken for the doing of the code under test.

First it gets ready, with main's contracts and one process for each clock, which imports what a proposal cannot
change. Its wish comes as one line on stdin; only then do those processes load the rest, one after the other.
"""

import contextlib
import json
import linecache
import os
import random
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from selfedit.gate.inside.asking import Exchange, Fault, Subject, shown
from selfedit.gate.inside.contract import Contract, Draw, Raised
from selfedit.gate.inside.report import hide
from selfedit.gate.inside.trees import stamps

FOLDER = "tests/contracts"
HELPERS = "subject.py"
SOAK_CALLS = 300
"""So often is a stable contract's call made in a row."""
QUICK = 0.1
"""Seconds for one round of calls; where it takes longer, the time is looked at after each."""
FEWEST_RUNS = 5
"""A contract that was tried less often when the time is up is not judged."""

Finding = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """A contract, ready to be tried."""

    name: str
    path: str
    line: int
    says: str
    holds: Contract
    stable: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """How to judge; see `selfedit.gate.contracts.argv`."""

    tree: str
    path: Sequence[str]
    shifts: Sequence[int]
    runs: int
    seconds: float
    call_seconds: float
    start_seconds: float


def main() -> int:
    """Judge; returns 0 when every contract held, else 1."""
    hide()
    plan = Plan(**json.loads(sys.argv[1]))
    began = time.monotonic()
    contracts, findings = load(plan.tree)
    subjects = [(shift, start(plan, shift)) for shift in plan.shifts]
    wish = json.loads(sys.stdin.buffer.readline())
    chosen = [each for each in contracts if wish.get("only") is None or each.name in wish["only"]]
    if not chosen and not findings:
        findings.append(no("contract", f"{FOLDER} holds no contract to judge by; write one"))
    many = len(chosen)
    keep_together([os.getpid(), *(subject.pid for _, subject in subjects)])
    judged = Judged(plan, str(wish["seed"]), subjects)
    try:
        for shift, subject in subjects:
            findings += judged.under(shift, subject, chosen)
            failed = {finding["name"] for finding in findings}
            chosen = [each for each in chosen if each.name not in failed]
            if "" in failed:
                break  # what is wrong is no single contract's matter
    finally:
        for _, subject in subjects:
            subject.end()
    findings += judged.tampered()
    said = {
        "contracts": many,
        "calls": sum(subject.calls for _, subject in subjects),
        "shifts": list(plan.shifts),
        "seed": wish["seed"],
        "seconds": round(time.monotonic() - began, 3),
        "findings": [{key: value for key, value in each.items() if key != "name"} for each in findings],
    }
    sys.stdout.write("\n" + json.dumps(said) + "\n")
    sys.stdout.flush()
    return 1 if findings else 0


def keep_together(pids: Iterable[int]) -> None:
    """Have processes on one processor: they wait for each other in turns, and to wake one on another takes far longer."""
    with contextlib.suppress(OSError):
        one = {random.choice([*os.sched_getaffinity(0)])}  # noqa: S311 - which one is no secret
        for pid in pids:
            os.sched_setaffinity(pid, one)


def start(plan: Plan, shift: int) -> Subject:
    """A process for the code under test, whose clock is that far ahead."""
    helpers = Path(plan.tree) / FOLDER / HELPERS
    text = helpers.read_text("utf-8") if helpers.is_file() else ""
    call = f"main(judge, {plan.tree!r}, {list(plan.path)!r}, {shift}, {text!r})"
    return Subject(f"{sys.argv[2]}\n\n{call}\n", plan.tree, plan.call_seconds)


def load(tree: str) -> tuple[list[Held], list[Finding]]:
    """The contracts of a tree, and what is wrong with the files that should hold them."""
    found: list[Held] = []
    wrong: list[Finding] = []
    for file in sorted((Path(tree) / FOLDER).glob("*.py")):
        if file.name == HELPERS:
            continue
        path = f"{FOLDER}/{file.name}"
        text = file.read_text("utf-8")
        linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
        module = sys.modules[f"contracts.{file.stem}"] = ModuleType(f"contracts.{file.stem}")
        try:
            exec(compile(text, path, "exec"), module.__dict__)  # noqa: S102 - main's contracts are what is judged by
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said
            wrong.append(
                no("contract", f"{path} cannot be loaded ({type(error).__name__}: {error}); mend it", path)
            )
        for name, value in vars(module).items():
            if name.startswith("contract_") and callable(value) and value.__module__ == module.__name__:
                says = " ".join((value.__doc__ or name).split()).rstrip(".")
                stable = "stable" in vars(value)
                found.append(Held(name, path, value.__code__.co_firstlineno, says, value, stable))
    return found, wrong


class Judged:
    """Tries contracts with values that nobody could foresee."""

    def __init__(self, plan: Plan, seed: str, subjects: Iterable[tuple[int, Subject]]) -> None:
        self._plan = plan
        self._seed = seed
        self._ours = [subject.pid for _, subject in subjects]
        self._before = stamps(plan.tree)

    def under(self, shift: int, subject: Subject, contracts: Sequence[Held]) -> list[Finding]:
        """What does not hold under one clock."""
        when = "" if not shift else f", with the clock at {_day(shift)}"
        findings: list[Finding] = []
        try:
            subject.ready(self._plan.start_seconds)
            begun = subject.ask("begin", seconds=self._plan.start_seconds)
            if isinstance(begun, Raised):
                return [no(_rule(shift), f"the code under test cannot be loaded{when}: {begun}; mend that")]
            findings.extend(self._try_all(shift, subject, contracts, when))
            subject.finish([pid for pid in self._ours if pid != subject.pid])
        except Fault as fault:
            last = f" at {subject.last}" if str(subject.last or "") else ""
            findings.append(no(fault.rule, f"{fault}{last}{when}; {self._again(shift)}"))
        finally:
            subject.end()
        return findings

    def _try_all(
        self, shift: int, subject: Subject, contracts: Sequence[Held], when: str
    ) -> Iterator[Finding]:
        until = time.monotonic() + self._plan.seconds
        going = list(contracts)
        order = random.Random(self._seed)  # noqa: S311 - which comes first is no secret
        for run in range(max(FEWEST_RUNS, self._plan.runs // 3) if shift else self._plan.runs):
            order.shuffle(going)
            for held in list(going):
                if time.monotonic() > until:
                    if run < FEWEST_RUNS:
                        yield self._too_slow(f"{run} times")
                    break
                if finding := self._try(held, subject, run, shift, when):
                    yield finding
                    going.remove(held)
        for held in () if shift else going:
            if held.stable and (finding := self._soak(held, subject)):
                yield finding

    def _try(self, held: Held, subject: Subject, run: int, shift: int, when: str) -> Finding | None:
        draw = Draw(f"{self._seed} {held.name} {run}", run)
        subject.forget()
        try:
            held.holds(subject, draw)
        except Fault:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a contract raises, it does not hold
            why, line = _why(error, held)
        else:
            why = ""
            line = held.line
        if subject.fault is not None:
            raise subject.fault
        if not why:
            return None
        asked = f"; asked {subject.last}" if subject.last else f"; drawn {shown(draw.drawn)}"
        message = f"“{held.says}” does not hold{when}: {why}{asked}; {self._again(shift)}"
        return no(_rule(shift), message, held.path, line, held.name)

    def _soak(self, held: Held, subject: Subject) -> Finding | None:
        """Ask the same again and again: as long as it is answered in the same way, the contract holds."""
        until = time.monotonic() + self._plan.seconds
        before = subject.calls
        heard: list[Exchange] = []
        subject.heard = heard
        finding = self._try(held, subject, 0, 0, f" after {before} calls")
        took = self._plan.seconds - (until - time.monotonic())
        subject.heard = None
        if finding is not None or not heard:
            return finding
        while (made := subject.calls - before) < SOAK_CALLS:
            if time.monotonic() > until:
                return self._too_slow(f"with {made} calls in a row")
            rounds = -(-(SOAK_CALLS - made) // len(heard)) if took < QUICK else 1
            unlike = subject.repeats(heard, rounds)
            if unlike is not None:
                message = (
                    f"“{held.says}” does not hold for long: at the {unlike - before}th call in a row, asked the same, it"
                    f" answered otherwise ({subject.last}); {self._again(0)}"
                )
                return no("contract", message, held.path, held.line, held.name)
        return None

    def _again(self, shift: int) -> str:
        return f"seed {self._seed}{f'@{shift}' if shift else ''} shows it again"

    def _too_slow(self, how_often: str) -> Finding:
        message = (
            f"the contracts could be tried only {how_often} in {self._plan.seconds:.0f} s, which tells too little;"
            " make the code that they ask faster, or ask again where the machine was busy"
        )
        return no("contract_timeout", message)

    def tampered(self) -> list[Finding]:
        """Whether the code under test wrote where it was loaded from."""
        after = stamps(self._plan.tree)
        touched = sorted(
            path for path in after.keys() | self._before.keys() if after.get(path) != self._before.get(path)
        )
        if not touched:
            return []
        path = touched[-1].removeprefix(f"{self._plan.tree}/").removesuffix("/.")
        message = f"the code under test wrote to {path} while it was asked; live code may not write files"
        return [no("contract_garbled", message)]


def _day(shift: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + shift))


def no(rule: str, message: str, path: str = "", line: int | None = None, name: str = "") -> Finding:
    """What does not hold, in words that any JSON reader takes."""
    text = " ".join(message.encode("utf-8", "backslashreplace").decode().split())
    return {"rule": rule, "path": path, "line": line, "message": text[:2000], "name": name}


def _rule(shift: int) -> str:
    return "contract_clock" if shift else "contract"


def _why(error: Exception, held: Held) -> tuple[str, int]:
    """What a contract stumbled over, and its line."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == held.path]
    if not frames:
        return f"{type(error).__name__}: {error}", held.line
    line = frames[-1].lineno or held.line
    if isinstance(error, AssertionError):
        said = f" ({shown(str(error))})" if str(error) else ""
        return f"`{frames[-1].line}` is not so{said}", line
    if isinstance(error, Raised):
        return f"it raised {shown(str(error))}", line
    return f"{type(error).__name__}: {shown(str(error))}", line


if __name__ == "__main__":
    sys.exit(main())
