"""Finds out, inside the sandbox, whether tests tell a change from its absence. Standard library and pytest only.

Two lanes work side by side. One looks which of the changed lines the likely tests run; the other has main's code,
and runs the new tests on that. Then both plant one fault after the other into the changed lines, and run the tests
that reach it. All other tests are only looked at if those leave lines out. When the time is up, what was not tried is
told as not tried. It prints one line of JSON.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from selfedit.gate.inside.lanes import Lane, Ran
from selfedit.gate.inside.report import hide
from selfedit.gate.inside.tracing import ANY

LOOKING = 0.6
"""Share of the time that is left in which has to be seen what tests run; the rest belongs to planted faults."""
Planted = dict[str, Any]
_BUSY = 3
"""On a machine with other work, tests may take so many times as long: a loop is known by the processor's time."""


def main() -> int:
    """Get ready, wait for the wish as one line on stdin, and tell what was found."""
    hide()
    ready = json.loads(sys.argv[1])
    lanes = [Lane(root, ready["path"], ready["ahead"]) for root in (ready["tree"], ready["base"])]
    wish = json.loads(sys.stdin.readline())
    told = Trying(wish, *lanes).told()
    for lane in lanes:
        lane.end()
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


class Trying:
    """One change on trial."""

    def __init__(self, wish: dict[str, Any], head: Lane, base: Lane) -> None:
        self._wish = wish
        self._head, self._base = head, base
        self._began = time.monotonic()
        self._until: float = self._began + wish["seconds"]
        self._news = threading.Condition()
        self._stage = "looking"  # at the likely tests; then "open", "rest" (looking at all others), "over"
        self._looked = False
        self._complete = False
        self._overhead = 0.0
        self._seen = Ran()
        self._users: dict[str, dict[int, list[str]]] = {}
        self._before: set[str] = set()
        self._after = Ran()
        self._verdicts: dict[str, str] = {}
        self._mutants: list[Planted] = wish["mutants"]
        self._fates = ["untried"] * len(self._mutants)
        self._tried: list[set[str]] = [set() for _ in self._mutants]
        self._steady: set[str] = set()
        self._busy: set[int] = set()
        # Read now: later there are faults in head's files.
        files = {path: head.root / path for path in wish["differs"]}
        self._differs = {path: file.read_bytes() if file.is_file() else None for path, file in files.items()}
        self._watched = {path: [*lines] for path, lines in wish["lines"].items()}
        for mutant in [*self._mutants, *wish["probes"]]:
            self._watched.setdefault(mutant["path"], []).append(mutant["line"])

    def told(self) -> dict[str, Any]:
        """Do everything, and tell of it."""
        with ThreadPoolExecutor(2) as pool:
            for ended in [pool.submit(self._guarded, work) for work in (self._one, self._other)]:
                ended.result()
        for index, mutant in enumerate(self._mutants):
            if self._fates[index] == "untried" and self._looked and not self._tests_for(mutant):
                self._fates[index] = "unreached"
        return {
            "tests": len(self._seen.outcomes),
            "looked": self._looked,
            "complete": self._complete,
            "reached": self._reached(),
            "fates": self._fates,
            "fresh": {name: self._verdicts.get(name, "time") for name in self._wish["test_files"]},
            "seconds": round(time.monotonic() - self._began, 3),
        }

    # What each lane does

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException:
            with self._news:
                self._until = self._began  # nobody has to wait for what will not come
                self._news.notify_all()
            raise

    def _one(self) -> None:
        self._look(self._head, self._wish["likely"] or self._wish["tests"])
        with self._news:
            self._stage = "open" if self._looked and self._wish["likely"] else "over"
            self._news.notify_all()
        self._work(self._head)

    def _other(self) -> None:
        self._run_on_base()
        self._judge_by_base()
        if self._wait(lambda: self._stage != "looking"):
            self._judge_new_tests()
        self._work(self._base)

    def _work(self, lane: Lane) -> None:
        while self._wait(self._has_something_to_do):
            with self._news:
                job = self._job()
                if job is not None:
                    self._busy.add(job[0])
                elif self._stage == "open" and self._is_open():
                    self._stage = "rest"
                else:
                    return
            if job is not None:
                self._plant(lane, *job)
            else:
                rest = [f"--ignore={path}" for path in self._wish["likely"]]
                self._look(lane, [*self._wish["tests"], *rest])
                with self._news:
                    self._stage = "over"
                    self._news.notify_all()

    def _has_something_to_do(self) -> bool:
        if self._job() is not None or self._stage == "over":
            return True
        return self._stage == "open" and (self._is_open() or not self._busy)

    def _is_open(self) -> bool:
        """Whether there is a place that none of the likely tests runs, so that others might."""
        reached = self._reached()
        return any(
            fate == "untried" and index not in self._busy for index, fate in enumerate(self._fates)
        ) or any(len(set(lines)) > len(reached[path]) for path, lines in self._wish["lines"].items())

    def _wait(self, ready: Callable[[], bool]) -> bool:
        """Wait for that; whether it came in time."""
        with self._news:
            self._news.wait_for(lambda: self._left() <= 0 or ready(), max(0.0, self._left()))
            return self._left() > 0

    # What the tests run

    def _look(self, lane: Lane, places: Sequence[str]) -> None:
        """See what the tests in some places run."""
        ran = lane.run([*self._wish["pytest"], *places], LOOKING * self._left(), watched=self._watched)
        with self._news:
            self._seen.collected += ran.collected
            self._seen.outcomes |= ran.outcomes
            self._seen.durations |= ran.durations
            self._seen.reached |= ran.reached
            for path, lines in ran.loaded.items():
                self._seen.loaded[path] = self._seen.loaded.get(path, []) + lines
            for name, reached in ran.reached.items():
                for path, lines in reached.items():
                    users = self._users.setdefault(path, {})
                    for line in lines:
                        users.setdefault(line, []).append(name)
            self._overhead = max(self._overhead, ran.seconds - sum(ran.durations.values()))
            self._complete = ran.ended and (self._looked or not self._wish["likely"])
            self._looked = self._looked or ran.ended

    def _reached(self) -> dict[str, list[int]]:
        """The changed lines that some test runs."""
        return {
            path: sorted(
                set(lines).intersection([*self._seen.loaded.get(path, ()), *self._users.get(path, ())])
            )
            for path, lines in self._wish["lines"].items()
        }

    # New tests

    def _run_on_base(self) -> None:
        files: list[str] = self._wish["test_files"]
        there = [path for path in files if (self._base.root / path).is_file()]
        arguments = self._wish["pytest"]
        if there:
            self._before = set(self._base.run([*arguments, "--collect-only", *there], self._left()).collected)
        self._take_over(self._wish["new_tests"])
        if files:
            self._after = self._base.run([*arguments, *files], self._left())
        self._take_over(self._wish["differs"])

    def _take_over(self, paths: Iterable[str]) -> None:
        """Let the lane that has main's files have head's."""
        for path in paths:
            file, content = self._base.root / path, self._differs[path]
            if content is None:
                file.unlink(missing_ok=True)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)

    def _judge_by_base(self) -> None:
        """A file of tests none of which passes on main can fail, whatever else is found out of it."""
        if self._after.ended and set(self._after.collected) <= self._after.outcomes.keys():
            passing = {name.partition("::")[0] for name in self._after.good}
            self._verdicts = {path: "fails" for path in self._wish["test_files"] if path not in passing}

    def _judge_new_tests(self) -> None:
        """A new test fails on main, or it finds a planted fault; else it says nothing."""
        for path in self._wish["test_files"] if self._looked and self._after.ended else ():
            fresh = [
                name
                for name in self._seen.collected
                if name.startswith(f"{path}::") and name not in self._before
            ]
            if not fresh:
                self._verdicts[path] = "nothing new"
            elif any(self._after.outcomes.get(name) != "passed" for name in fresh):
                self._verdicts[path] = "fails"
            else:
                self._verdicts[path] = self._finds(fresh)

    def _finds(self, fresh: Sequence[str]) -> str:
        """Whether these tests find any fault; a test of code that was there before may find one in that."""
        for index, mutant in enumerate([*self._mutants, *self._wish["probes"]]):
            tests = [name for name in self._tests_for(mutant) if name in fresh]
            if not tests:
                continue
            died = self._try(self._base, mutant, tests)
            if died is None and self._left() <= 0:
                return "time"
            if died:
                if index < len(self._mutants):
                    self._fates[index] = "killed"
                return "kills"
        return "passes"

    # Planted faults

    def _plant(self, lane: Lane, index: int, tests: Sequence[str]) -> None:
        died = self._try(lane, self._mutants[index], tests)
        with self._news:
            self._busy.discard(index)
            self._tried[index].update(tests)
            nothing_new = died is None and self._fates[index] == "survived" and self._left() > 0
            if self._fates[index] != "killed" and not nothing_new:
                self._fates[index] = {True: "killed", False: "survived", None: "untried"}[died]
            self._news.notify_all()

    def _job(self) -> tuple[int, list[str]] | None:
        """The next fault, with tests that have not been tried on it."""
        for index, mutant in enumerate(self._mutants):
            if self._fates[index] != "killed" and index not in self._busy:
                tests = [name for name in self._tests_for(mutant) if name not in self._tried[index]]
                if tests:
                    return index, tests
        return None

    def _tests_for(self, mutant: Planted) -> list[str]:
        """The tests that run that line, the likeliest first; for one that runs at loading, those that use the file."""
        path, line = mutant["path"], mutant["line"]
        users, loaded = self._users.get(path, {}), self._seen.loaded.get(path, [])
        if mutant["loaded"] or line in loaded:
            found = users.get(ANY) or (self._seen.collected if loaded else [])
        else:
            found = users.get(line, [])
        new = tuple(f"{path}::" for path in self._wish["test_files"])
        good = [name for name in found if self._seen.outcomes.get(name) == "passed"]
        return sorted(good, key=lambda name: (not name.startswith(new), self._seen.durations[name]))

    def _try(self, lane: Lane, mutant: Planted, tests: Sequence[str]) -> bool | None:
        """Whether these tests tell the code with the fault from the code without; None: the time is up, or none can."""
        path = lane.root / mutant["path"]
        source = path.read_bytes()
        limit, left = self._limit(tests), self._left()
        path.write_bytes(source[: mutant["start"]] + mutant["text"].encode() + source[mutant["end"] :])
        try:
            ran = self._run(lane, tests, min(_BUSY * limit, left), "-x", processor_seconds=limit)
        finally:
            path.write_bytes(source)
        if not ran.ended and _BUSY * limit >= left:
            return None
        if ran.passed and set(tests) <= set(ran.good):
            return False
        # Whoever ended without a word, or hangs, is the first of which nothing was told.
        noticed = [name for name in tests if ran.outcomes.get(name, "passed") != "passed"]
        noticed = noticed or [name for name in tests if name not in ran.outcomes][:1] or [*tests]
        self._look_again(lane, noticed)
        if self._steady.intersection(noticed):
            return True
        others = [name for name in tests if name not in noticed]
        return self._try(lane, mutant, others) if others and self._left() > 0 else None

    def _look_again(self, lane: Lane, tests: Sequence[str]) -> None:
        """A test that did not pass on a fault and does not without one, either, says nothing of any."""
        again = [name for name in tests if name not in self._steady]
        limit, left = self._limit(again), self._left()
        ran = self._run(lane, again, min(_BUSY * limit, left), processor_seconds=limit)
        with self._news:
            self._steady.update(ran.good)
            for name in set(again).difference(ran.good) if ran.ended or _BUSY * limit < left else ():
                self._seen.outcomes[name] = "unsteady"

    def _limit(self, tests: Sequence[str]) -> float:
        """Seconds of work after which tests are taken to run for ever."""
        return 3 * sum(self._seen.durations[name] for name in tests) + 2 * self._overhead + 1

    def _run(
        self,
        lane: Lane,
        tests: Sequence[str],
        seconds: float,
        *more: str,
        processor_seconds: float | None = None,
    ) -> Ran:
        if not tests:
            return Ran(ended=True)
        files = dict.fromkeys(name.partition("::")[0] for name in tests)
        arguments = [*self._wish["pytest"], "--tb=no", *more, *files]
        return lane.run(arguments, seconds, wanted=tests, processor_seconds=processor_seconds)

    def _left(self) -> float:
        return self._until - time.monotonic()
