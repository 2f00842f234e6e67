"""Ways to judge a head: by the gate, by one `docker run` for each tool, and by what a patient user tunes that into."""

import asyncio
import contextlib
import subprocess
import time
from asyncio.subprocess import PIPE
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gate_beside import LAST, SCRIPT, WHERE, Beside, beside

from policies.load import Rules
from selfedit.gate.assemble import Assembler, assemble
from selfedit.gate.gate import Gate
from selfedit.gate.judging import difference, pack
from selfedit.repo import Repo
from selfedit.types import GateReport

SETTINGS = ("-e", "GIT_PYTHON_REFRESH=quiet", "-e", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1")


LOOK_SECONDS = 0.5
IDLE = 0.9
"""Share of the processors' time with nothing to do, from which on what stands ready has come to rest."""
LONGEST_REST = 60.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a way says of a head, and how long it took."""

    verdict: str
    seconds: float
    getting_ready: float = 0.0
    """Seconds from when a draft was asked for until its sandboxes stood ready, in which it is written."""


async def ahead(gate: Gate, base: str, head: str, *, quick: bool = False) -> Said:
    """The verdict as it is asked for while a change is drafted: never-used sandboxes stand ready."""
    started = time.monotonic()
    gate.prepare(base)
    await gate.ready()
    getting_ready = await _rest() - started
    report = await gate.judge(base, head, quick=quick)
    await gate.release()
    return replace(_read(report), getting_ready=getting_ready)


async def _rest() -> float:
    """Wait until the machine has nothing to do; since when it has not."""
    until = time.monotonic() + LONGEST_REST
    began, idle, total = time.monotonic(), *_ticks()
    while began < until:
        await asyncio.sleep(LOOK_SECONDS)
        before, (idle, total) = (idle, total), _ticks()
        if idle - before[0] >= IDLE * (total - before[1]):
            break
        began = time.monotonic()
    return began


def _ticks() -> tuple[int, int]:
    """The processors' ticks without work, and all of them (proc(5))."""
    ticks = [int(each) for each in Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:]]
    return ticks[3] + ticks[4], sum(ticks)


async def late(gate: Gate, base: str, head: str) -> Said:
    """The verdict when nothing was started before."""
    report = await gate.judge(base, head)
    await gate.release()
    return _read(report)


def _read(report: GateReport) -> Said:
    wrong = [check.name for check in report.checks if not check.passed]
    return Said(report.verdict if not wrong else f"{report.verdict} ({', '.join(wrong)})", report.seconds)


def tools(rules: Rules, *, cached: bool) -> dict[str, str]:
    """The commands; with or without what they keep between runs."""
    tests = " ".join([*(f"-p {name}" for name in rules.gate.pytest_plugins), *rules.gate.tests])
    if cached:
        return {
            "format": "ruff format --check .",
            "lint": "ruff check .",
            "types": "mypy",
            "imports": "lint-imports",
            "tests": f"python -m pytest -q {tests}",
        }
    return {
        "format": "ruff format --no-cache --check .",
        "lint": "ruff check --no-cache .",
        "types": "mypy --cache-dir=/dev/null",
        "imports": "lint-imports --no-cache",
        "tests": f"python -B -m pytest -q -p no:cacheprovider {tests}",
    }


def naive(repo: Repo, rules: Rules, image: str, base: str, head: str) -> tuple[Said, Said]:
    """One `docker run` for each tool, one after the other, nothing kept; and the same with all that the gate asks."""
    started = time.monotonic()
    archive = pack({".": assemble(repo, base, head, rules).files})
    wrong = []
    for name, tool in tools(rules, cached=False).items():
        script = f"mkdir /tmp/repo && cd /tmp/repo && tar -xm && {tool}"
        command = ["docker", "run", "--rm", "-i", "--network", "none", *SETTINGS, image, "sh", "-c", script]
        if subprocess.run(command, input=archive, capture_output=True, check=False).returncode:
            wrong.append(name)
    few = _said(wrong, started)
    for each in beside(repo, rules, base, head, base_known=False):
        if wrong and each.name == LAST:
            continue
        command = ["docker", "run", "--rm", "-i", "--network", "none", *SETTINGS, image]
        command += ["sh", "-c", SCRIPT, "sh", *each.argv]
        done = subprocess.run(command, input=pack(each.folders), capture_output=True, check=False)
        if each.failed(done.returncode, done.stdout, done.stderr):
            wrong.append(each.name)
    return few, _said(wrong, started)


class Tuned:
    """One container that stays, with the tree and everybody's caches in it: each head only writes what differs.

    Files get the time at which they were written (`tar -m`), which is what ruff's cache goes by.
    """

    def __init__(self, repo: Repo, rules: Rules, name: str, base: str) -> None:
        self._repo, self._rules, self._name, self._base = repo, rules, name, base
        self._assembler = Assembler(repo, rules)  # reads no file of base a second time
        self._files = self._assembler.assemble(base, base).files
        self._execute("mkdir -p /tmp/repo && cd /tmp/repo && tar -xm", pack({".": self._files}))

    async def judge(self, head: str, *, whole: bool = False) -> Said:
        """All tools at once, in the one container; `whole`: and with them all else that the gate asks."""
        started = time.monotonic()
        files = self._assembler.assemble(self._base, head).files
        written, removed = difference(self._files, files, ".")
        self._execute(f"cd /tmp/repo && rm -f {' '.join(removed)} ''; tar -xm", pack({".": written}))
        self._files = files
        running = [self._run(name, tool) for name, tool in tools(self._rules, cached=True).items()]
        asked = beside(self._repo, self._rules, self._base, head, base_known=True) if whole else []
        tasks = {
            each.name: asyncio.create_task(self._ask(each, f"{WHERE}-{number}"))
            for number, each in enumerate(asked)
        }
        last = tasks.pop(LAST, None)
        wrong = [name for name in await asyncio.gather(*running, *tasks.values()) if name]
        if wrong or last is None:
            said = _said(wrong, started)  # whoever is wrong already does not wait for that
            await asyncio.gather(*filter(None, [last]))
            return said
        return _said(list(filter(None, [await last])), started)

    async def _run(self, name: str, tool: str) -> str:
        code, *_ = await self._start(b"", f"cd /tmp/repo && {tool}")
        return name if code else ""

    async def _ask(self, each: Beside, folder: str) -> str:
        argv = [part.replace(WHERE, folder) for part in each.argv]
        code, out, err = await self._start(pack(each.folders), SCRIPT.replace(WHERE, folder), *argv)
        return each.name if each.failed(code, out, err) else ""

    async def _start(self, stdin: bytes, script: str, *argv: str) -> tuple[int, bytes, bytes]:
        process = await asyncio.create_subprocess_exec(
            *("docker", "exec", "-i", *SETTINGS, self._name, "sh", "-c", script, "sh", *argv),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        out, err = await process.communicate(stdin)
        return process.returncode or 0, out, err

    def _execute(self, script: str, data: bytes) -> None:
        command = ["docker", "exec", "-i", self._name, "sh", "-c", script]
        subprocess.run(command, input=data, capture_output=True, check=True)


@contextlib.contextmanager
def tuned(repo: Repo, rules: Rules, image: str, base: str) -> Iterator[Tuned]:
    """The container that stays, for as long as it is wanted."""
    start: Sequence[str] = ("docker", "run", "-d", "--rm", "--network", "none", image, "sleep", "7200")
    name = subprocess.run(start, capture_output=True, text=True, check=True).stdout.strip()
    try:
        yield Tuned(repo, rules, name, base)
    finally:
        subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False)


def _said(wrong: Sequence[str], started: float) -> Said:
    verdict = f"failed ({', '.join(wrong)})" if wrong else "passed"
    return Said(verdict, time.monotonic() - started)
