"""The host's side of a judge: starts it in a sandbox of its own, hands it one candidate, reads its one report."""

import asyncio
import hashlib
import io
import json
import secrets
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from policies.decision import Finding
from policies.load import GateRules
from sandbox.types import Command, Limits, Sandbox, Started
from selfedit.gate.evidence import Opened, is_whole, open_report

Files = Mapping[str, bytes]
"""Content by path."""

_INSIDE = Path(__file__).parent / "inside"
_PARTS = ("trees", "programs", "typecache", "report", "judge")
END = """
threading._shutdown()
atexit._run_exitfuncs()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
"""
"""Ends as an interpreter does, with `code`, but takes nothing apart: after a few hundred tests that takes a third of a second."""
START = f"""
import atexit, json, os, sys, threading, types
for name, text in json.loads(sys.argv.pop() if sys.argv[1:] else sys.stdin.buffer.readline()):
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = []
    package, _, leaf = name.rpartition(".")
    if package:
        setattr(sys.modules[package], leaf, module)
    exec(compile(text, name, "exec"), module.__dict__)
code = module.main()
{END}"""
"""Runs the last of the modules of a `bundle`, which is its last argument or, without any, a line on stdin."""
GRACE_SECONDS = 20.0
"""The sandbox's own time-out strikes so much later than the judge's, which can say more."""


HANDED_OVER_SECONDS = 60.0
"""A candidate that is there already is handed over in a moment, on a busy machine in some more."""


def inside(name: str) -> str:
    """Source of a program that runs inside."""
    return (_INSIDE / f"{name}.py").read_text("utf-8")


def bundle(*names: str) -> str:
    """Programs that run inside as modules that may import each other, in order; for `START`."""
    parts = [["selfedit", ""], ["selfedit.gate", ""], ["selfedit.gate.inside", ""]]
    return json.dumps([*parts, *([f"selfedit.gate.inside.{name}", inside(name)] for name in names)])


_JUDGE = bundle(*_PARTS)
JUDGE = hashlib.sha256(
    "".join([START, _JUDGE, *(path.read_text("utf-8") for path in sorted(_INSIDE.glob("*.py")))]).encode()
).hexdigest()
"""Changes when anything changes that runs inside."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a judge gets ready before there is a candidate.

    Attributes:
        purpose: A word for labels and time-outs.
        seconds: How long the work may take, from the candidate on.
        folders: Files to write, by folder below the scratch folder.
        servants: Programs that start, prepare themselves, and wait for a line on stdin; each one's argv.
        witnesses: The same for programs that run tests and tell of each.
        type_cache: Where the sandbox brings types along (may be empty); None where no types are checked.
        learns: Whether what the type checker knows at the end is packed, to be kept.
    """

    purpose: str
    seconds: float
    folders: Mapping[str, Files]
    servants: Mapping[str, Sequence[str]] = field(default_factory=dict)
    witnesses: Sequence[Sequence[str]] = ()
    type_cache: str | None = None
    learns: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """The candidate, and what is to be done with it.

    Attributes:
        folders: Files that it writes, by folder.
        removed: Files that it takes away, each with its folder.
        lines: What each servant that is used gets on stdin.
        programs: Further programs, started now; each one's argv.
        shares: What each witness is to run.
        pool: How many files of tests are for whichever witness has time; each share names them.
        alone: Nothing but the one program runs, so that at its end everything else is a stray.
    """

    folders: Mapping[str, Files] = field(default_factory=dict)
    removed: Sequence[str] = ()
    lines: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    shares: Sequence[Mapping[str, object]] = ()
    pool: int = 0
    alone: bool = False


class Judging:
    """One judge in one sandbox, good for one candidate."""

    def __init__(self, started: Started, key: bytes, seconds: float) -> None:
        self._started = started
        self._key = key
        self._seconds = seconds

    @classmethod
    async def start(
        cls, sandbox: Sandbox, opening: Opening, gate: GateRules, *, wait_seconds: float = HANDED_OVER_SECONDS
    ) -> "Judging":
        """Start a judge; it waits so long for its candidate."""
        key = secrets.token_bytes(32)
        archive = await asyncio.to_thread(pack, opening.folders)
        job = {
            "key": key.hex(),
            "bytes": len(archive),
            "type_cache": opening.type_cache,
            "learns": opening.learns,
            "servants": opening.servants,
            "witnesses": opening.witnesses,
        }
        limits = Limits(
            seconds=opening.seconds + GRACE_SECONDS,
            memory_mb=gate.memory_mb,
            processes=gate.processes,
            scratch_mb=512,
            file_mb=128,
            output_bytes=64 * 1024 * 1024,
        )
        command = Command(
            argv=(sandbox.python, "-I", "-B", "-c", START),
            stdin=b"".join((_JUDGE.encode(), b"\n", json.dumps(job).encode(), b"\n", archive)),
            limits=limits,
            purpose=f"gate-{opening.purpose}",
        )
        return cls(sandbox.start_ahead(command, wait_seconds=wait_seconds), key, opening.seconds)

    @property
    def alive(self) -> bool:
        """Whether it still waits for its candidate."""
        return self._started.alive

    async def finish(self, order: Order, what: str, *, soon: bool = False) -> Opened | Finding:
        """Hand the candidate over and read the report.

        Args:
            order: The candidate.
            what: Names the run in sentences.
            soon: Wait for the report alone, not for the end of the sandbox, which takes the engine longer than many a
                check; what is said of such a run is good for no merge.

        Raises:
            SandboxUnavailable: The sandbox failed, so nothing is known.
        """
        job = {
            "seconds": self._seconds,
            "removed": order.removed,
            "lines": order.lines,
            "programs": order.programs,
            "shares": order.shares,
            "pool": order.pool,
            "alone": order.alone,
        }
        try:
            archive = await asyncio.to_thread(pack, order.folders)
            rest = json.dumps(job).encode() + b"\n" + archive
            outcome = await (self._started.hear(rest, is_whole) if soon else self._started.finish(rest))
        except BaseException:
            await self._started.drop()
            raise
        return open_report(outcome, self._key, what, soon=soon)

    async def drop(self) -> None:
        """End it without having used it; may be called twice."""
        await self._started.drop()


def pack(folders: Mapping[str, Files]) -> bytes:
    """A tar archive of files below named folders; all owned by nobody in particular, from no time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder, files in folders.items():
            for path, data in files.items():
                member = tarfile.TarInfo(f"{folder}/{path}" if path else folder)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def difference(before: Files, after: Files, folder: str) -> tuple[dict[str, bytes], list[str]]:
    """What has to be written and what to be removed, so that one set of files becomes the other."""
    written = {path: data for path, data in after.items() if before.get(path) != data}
    removed = [f"{folder}/{path}" for path in before.keys() - after.keys()]
    return written, sorted(removed)
