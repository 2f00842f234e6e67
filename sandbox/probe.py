"""What a sandbox really holds: what it says of itself is one thing, what it does another.

The programs stand in `sandbox.hostile`. They travel into the sandbox over stdin, as a zip file, and each
prints what became of its attempts; where a program cannot tell by itself, the end of its run does.
"""

import functools
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from sandbox.hostile import attempt
from sandbox.hostile.attempt import Facts
from sandbox.profile import PROFILE, Shield
from sandbox.types import Command, Limits, Outcome, Sandbox, SandboxInfo

ADDRESSES = (
    ("1.1.1.1", 80),
    ("169.254.169.254", 80),
    ("172.17.0.1", 80),
    ("172.17.0.1", 2375),
    ("8.8.8.8", 53),
    ("::1", 80),
)
"""The net, a cloud's metadata, Docker's usual bridge with an engine that listens there, and a name server."""
_PROGRAMS = Path(attempt.__file__).parent
_START = (
    "import runpy, sys; open('programs.zip', 'wb').write(sys.stdin.buffer.read());"
    " sys.path.insert(0, 'programs.zip'); runpy.run_module('sandbox.hostile', run_name='__main__')"
)
_USUAL = Limits(
    seconds=20,
    memory_mb=256,
    processes=64,
    scratch_mb=32,
    scratch_files=2000,
    file_mb=8,
    output_bytes=256 * 1024,
)
_HUNGRY = _USUAL.model_copy(update={"memory_mb": 96, "scratch_mb": 192, "file_mb": 192})
"""For programs that take memory; it is the most that one takes from a host that bounds nothing."""
_ENDLESS = _USUAL.model_copy(update={"seconds": 2, "processes": 48})


class Standing(StrEnum):
    """What was found of one shield, or of one attempt on it."""

    HELD = "held"
    NOT_HELD = "not held"
    NOT_HERE = "not available here"


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt on a shield, and what became of it."""

    shield: Shield
    program: str
    attempt: str
    standing: Standing
    detail: str = ""


Judge = Callable[[Outcome], tuple[Standing, str]]
"""What the end of a run alone tells."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One hostile program, the shield that it is against, and how it must end."""

    program: str
    shield: Shield
    limits: Limits = _USUAL
    apart: Mapping[str, Shield] = field(default_factory=dict)
    """Attempts of the program that are against another shield."""
    ends: Judge | None = None
    """Judges programs that say nothing."""
    killed: bool = False
    """Whether being killed for its memory counts as held."""


def _by_time(outcome: Outcome) -> tuple[Standing, str]:
    ended = outcome.timed_out and outcome.exit_code is None
    return (Standing.HELD, "by time-out") if ended else (Standing.NOT_HELD, _end(outcome))


def _by_flood(outcome: Outcome) -> tuple[Standing, str]:
    bounded = outcome.truncated and not outcome.timed_out and len(outcome.stdout) <= _USUAL.output_bytes
    return (
        (Standing.HELD, f"{len(outcome.stdout)} bytes kept")
        if bounded
        else (Standing.NOT_HELD, _end(outcome))
    )


def _by_itself(outcome: Outcome) -> tuple[Standing, str]:
    return (Standing.NOT_HELD, _end(outcome)) if outcome.timed_out else (Standing.HELD, "with the program")


def _seen(outcome: Outcome) -> tuple[Standing, str]:
    if outcome.out_of_memory:
        return Standing.HELD, "also that of a child"
    return Standing.NOT_HELD, "the kill of a child goes unseen"


ATTACKS = (
    Attack("network", Shield.NETWORK),
    Attack("become", Shield.RIGHTS, apart={"user namespace": Shield.NAMESPACE}),
    Attack("writes", Shield.WRITES),
    Attack("secrets_of_host", Shield.HOST, apart={"paths outside, by the list of mounts": Shield.PATHS}),
    Attack("neighbours", Shield.HOST),
    Attack("calls", Shield.CALLS),
    Attack("memory", Shield.MEMORY, limits=_HUNGRY, killed=True),
    Attack("memory_burst", Shield.MEMORY, limits=_HUNGRY, killed=True),
    Attack("memory_shared", Shield.MEMORY, limits=_HUNGRY, killed=True),
    Attack("bounds", Shield.PROCESSORS, apart={"swap": Shield.SWAP}),
    Attack("forks", Shield.PROCESSES),
    Attack("files", Shield.SIZES, apart={"number of files": Shield.FILES}),
    Attack("execute", Shield.EXECUTE, apart={"programs in memory": Shield.CALLS}),
    Attack("fork_bomb", Shield.ENDS, limits=_ENDLESS, ends=_by_time),
    Attack("thread_bomb", Shield.ENDS, limits=_ENDLESS, ends=_by_time),
    Attack("sleeper", Shield.ENDS, limits=_ENDLESS, ends=_by_time),
    Attack("deaf", Shield.ENDS, limits=_ENDLESS, ends=_by_time),
    Attack("flood", Shield.ENDS, ends=_by_flood),
    Attack("flood_endless", Shield.ENDS, ends=_by_flood),
    Attack("daemon", Shield.ENDS, ends=_by_itself),
    Attack("slaughter", Shield.ENDS, ends=_by_itself),
    Attack("memory_child", Shield.OOM, limits=_HUNGRY, ends=_seen),
    Attack(
        "crash",
        Shield.CRASH,
        apart={"a higher bound on crash files": Shield.SIZES, "crash files": Shield.SIZES},
    ),
)


@dataclass(frozen=True, slots=True)
class Targets:
    """What stands outside and must not be reached; a caller that sets something up there names it here."""

    addresses: tuple[tuple[str, int], ...] = ()
    abstract: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    marker: str = ""


def command(attack: Attack, python: str, targets: Targets) -> Command:
    """The run of one hostile program."""
    limits = attack.limits
    facts = Facts(
        hostname=PROFILE.hostname,
        scratch=PROFILE.scratch,
        open_files=PROFILE.open_files,
        cpus=PROFILE.cpus,
        processes=limits.processes,
        memory_mb=limits.memory_mb,
        scratch_mb=limits.scratch_mb,
        scratch_files=limits.scratch_files,
        file_mb=limits.file_mb,
        addresses=(*ADDRESSES, *targets.addresses),
        abstract=targets.abstract,
        files=targets.files or (str(Path(__file__).resolve()),),
        folders=targets.folders or (str(Path(__file__).resolve().parent),),
        marker=targets.marker,
    )
    return Command(
        argv=(python, "-I", "-c", _START, attack.program, json.dumps(asdict(facts))),
        stdin=_packed(),
        limits=limits,
        purpose=f"probe-{attack.program}",
    )


def judged(attack: Attack, outcome: Outcome) -> tuple[Tried, ...]:
    """What the run of one hostile program showed. A program that did not come to its end shows no shield."""
    if attack.ends is not None:
        standing, detail = attack.ends(outcome)
        return (Tried(attack.shield, attack.program, attack.program.replace("_", " "), standing, detail),)
    if attack.killed and outcome.out_of_memory:
        name = attack.program.replace("_", " ")
        return (Tried(attack.shield, attack.program, name, Standing.HELD, "killed for its memory"),)
    try:
        said = dict(json.loads(outcome.stdout))
    except (ValueError, TypeError):
        said = {}
    if outcome.exit_code != 0 or not said:
        return (Tried(attack.shield, attack.program, attack.program, Standing.NOT_HELD, _end(outcome)),)
    return tuple(
        Tried(attack.apart.get(name, attack.shield), attack.program, name, *_read(str(word)))
        for name, word in said.items()
    )


async def probe(sandbox: Sandbox, targets: Targets | None = None) -> tuple[Tried, ...]:
    """Run all hostile programs, one after the other, and tell what became of every attempt.

    Raises:
        SandboxUnavailable: The engine failed, so nothing is known.
    """
    found: list[Tried] = []
    for attack in ATTACKS:
        outcome = await sandbox.run(command(attack, sandbox.python, targets or Targets()))
        found += judged(attack, outcome)
    return tuple(found)


def standings(tried: Iterable[Tried]) -> dict[Shield, tuple[Standing, str]]:
    """Each shield with what was found of it: one attempt that gets through is enough, and is named."""
    found: dict[Shield, tuple[Standing, str]] = {}
    tried = tuple(tried)
    for shield in Shield:
        mine = [one for one in tried if one.shield is shield]
        through = [one for one in mine if one.standing is Standing.NOT_HELD]
        if through:
            told = (f"{one.attempt}: {one.detail}" if one.detail else one.attempt for one in through)
            found[shield] = (Standing.NOT_HELD, "; ".join(told))
        elif any(one.standing is Standing.HELD for one in mine):
            found[shield] = (Standing.HELD, "")
        else:
            found[shield] = (Standing.NOT_HERE, "; ".join(one.detail for one in mine if one.detail))
    return found


def disagreements(info: SandboxInfo, tried: Iterable[Tried]) -> tuple[str, ...]:
    """Shields of which a sandbox says one thing and the probe found another, or which it does not speak of at all."""
    said = {one.name: one.held for one in info.protections}
    return tuple(
        shield
        for shield, (standing, _) in standings(tried).items()
        if standing is not Standing.NOT_HERE and said.get(shield) is not (standing is Standing.HELD)
    )


def _read(word: str) -> tuple[Standing, str]:
    """An unknown word is no proof of anything."""
    kind, _, detail = word.partition(":")
    known = {attempt.HELD: Standing.HELD, attempt.ABSENT: Standing.NOT_HERE}
    return known.get(kind, Standing.NOT_HELD), detail.strip()


def _end(outcome: Outcome) -> str:
    last = (outcome.stderr.decode(errors="replace").strip().splitlines() or [""])[-1][:200]
    how = "time-out" if outcome.timed_out else f"exit code {outcome.exit_code}"
    return f"nothing was shown ({how}{', out of memory' if outcome.out_of_memory else ''}) {last}".strip()


@functools.cache
def _packed() -> bytes:
    """The programs as a zip file of the package that they are, and nothing else of it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("sandbox/__init__.py", "")
        for name in sorted(os.listdir(_PROGRAMS)):  # noqa: PTH208 - names are what is wanted
            if name.endswith(".py"):
                file.writestr(f"sandbox/hostile/{name}", (_PROGRAMS / name).read_bytes())
    return packed.getvalue()
