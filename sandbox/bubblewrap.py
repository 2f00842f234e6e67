"""The embedded sandbox for Linux without an engine: bubblewrap's namespaces, seccomp and resource limits.

It uses the host's own interpreter and packages, read-only. It holds less than Docker does and says so:
there is no cgroup, so that memory is bounded for each process by the kernel and for the whole run only by
looking at it several times a second; /tmp is not `noexec`, and its number of files is not bounded.

As root the sandbox is set up with root's rights and then left to an unprivileged user id made up for the
run, because the kernel does not hold root to a number of processes. An ordinary user gets a user namespace.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from sandbox import enclosure, seccomp, typecache
from sandbox.ahead import Ahead, Feed, at_once
from sandbox.memory import tree_memory
from sandbox.profile import MEBI, PROFILE, Capture, Shield, crash_handler, reduced, stated
from sandbox.types import Command, Limits, Outcome, Progress, Protection, SandboxInfo, SandboxUnavailable

READ_BYTES = 256 * 1024
LOOK_SECONDS = 0.2
"""How often the memory of a run is looked at."""
IDLE_LOOK_SECONDS = 1.0
"""The same while it only waits, with nothing of a candidate in it."""
END_LOOK_SECONDS = 0.005
END_SECONDS = 10.0
"""A killed sandbox that is not gone by then is reported."""
TELL_SECONDS = 1.0
"""So long a bwrap that is to be killed may take to tell of its child."""
_CACHE_LIMITS = Limits(
    seconds=300, memory_mb=3072, scratch_mb=1024, file_mb=256, output_bytes=512 * 1024 * 1024
)


class BubblewrapSandbox:
    """Runs each command in a sandbox of its own; made by `open_bubblewrap`."""

    def __init__(self, *, image: str, type_cache: Path | None = None) -> None:
        self._bwrap = enclosure.tool("bwrap", "bubblewrap")
        self._type_cache = type_cache
        self._as_root = os.geteuid() == 0
        with _system_calls() as program:
            filtered = program is not None
        protections = _protections(filtered=filtered, as_root=self._as_root)
        self._info = SandboxInfo(
            backend="bubblewrap",
            image=image,
            reduced=reduced(protections),
            protections=protections,
        )

    @property
    def info(self) -> SandboxInfo:
        """What this place is and holds."""
        return self._info

    @property
    def python(self) -> str:
        """Path, inside, of the interpreter that has the project's dependencies and tools."""
        return sys.executable

    @property
    def type_cache(self) -> str:
        """Path, inside, of the read-only mypy cache for third-party packages; empty if there is none."""
        return PROFILE.type_cache if self._type_cache else ""

    async def run(self, command: Command) -> Outcome:
        """Run a command in a sandbox made for it alone, and take the sandbox away.

        Raises:
            SandboxUnavailable: Bubblewrap failed before the command could start, so nothing is known of it.
        """
        return await self._alone(command, at_once(command))

    def start_ahead(self, command: Command, *, wait_seconds: float) -> Ahead:
        """Start a command in a sandbox made for it alone, with the first part of its input."""
        return Ahead(
            self._alone, command, wait_seconds, set()
        )  # an end is a matter of milliseconds here: nobody hears sooner

    async def _alone(self, command: Command, feed: Feed) -> Outcome:
        user = secrets.choice(PROFILE.users) if self._as_root else None
        bounds = enclosure.bounds(command.limits, seconds=feed.longest, user=user)
        inside = [*bounds, *command.argv]
        wall = enclosure.walls(command.limits, as_root=self._as_root, type_cache=self._type_cache)
        with tempfile.TemporaryFile() as status, _system_calls() as program:
            told = ["--json-status-fd", str(status.fileno())]
            kept = [status.fileno()]
            if program is not None:
                told += ["--seccomp", str(program)]
                kept.append(program)
            starting = asyncio.create_task(
                asyncio.create_subprocess_exec(
                    self._bwrap,
                    *wall,
                    *told,
                    "--",
                    *inside,
                    stdin=PIPE,
                    stdout=PIPE,
                    stderr=PIPE,
                    env={},
                    cwd="/",
                    pass_fds=kept,
                    start_new_session=True,
                )
            )
            try:
                process = await asyncio.shield(starting)
            except asyncio.CancelledError:
                # Given up at once: what has begun is ended as any other run is, with all that it started.
                with contextlib.suppress(OSError):  # it did not even start
                    await _end(await starting, status.fileno())
                raise
            end = await _converse(process, command, feed, status.fileno())
            exit_code = _told(status.fileno(), "exit-code")
        if exit_code is None and end.why is None:
            said = " ".join(end.capture.stderr.decode(errors="replace").split())[-300:]
            raise SandboxUnavailable(
                f"bubblewrap could not make a sandbox here: {said or 'it gave no reason'}"
            )
        return Outcome(
            exit_code=exit_code if end.why is None else None,
            stdout=bytes(end.capture.stdout),
            stderr=bytes(end.capture.stderr),
            seconds=feed.seconds,
            timed_out=end.why == "time",
            out_of_memory=end.why == "memory",
            truncated=end.capture.truncated,
        )

    async def close(self) -> None:
        """Nothing is held between runs."""


async def open_bubblewrap(*, root: Path, home: Path, tell: Progress, types: bool = True) -> BubblewrapSandbox:
    """Try bubblewrap out, and work out the types of third-party packages if that has not been done yet.

    Args:
        root: The repository, whose configuration says what is type-checked.
        home: The state folder, for the cache of types.
        tell: Told what takes long.
        types: Whether types are going to be checked inside; without, there is nothing to wait for.

    Raises:
        SandboxUnavailable: Bubblewrap is missing or cannot work here.
    """
    image = await asyncio.to_thread(_fingerprint)
    bare = BubblewrapSandbox(image=image)
    tried = await bare.run(Command(argv=(bare.python, "-I", "-c", "print(1)"), purpose="trial"))
    if tried.exit_code != 0:
        said = " ".join(tried.stderr.decode(errors="replace").split())[-300:]
        raise SandboxUnavailable(f"Python does not start inside bubblewrap: {said or 'it gave no reason'}")
    cache = await _type_cache(bare, root=root, home=home, tell=tell) if types else None
    return BubblewrapSandbox(image=image, type_cache=cache)


async def _type_cache(sandbox: BubblewrapSandbox, *, root: Path, home: Path, tell: Progress) -> Path | None:
    recipe = typecache.recipe_for(root)
    key = hashlib.sha256(f"{recipe.key} {sandbox.info.image} {sys.prefix}".encode()).hexdigest()[:16]
    folder = home / "caches" / f"mypy-{key}"
    if folder.is_dir():
        return folder
    tell("working out the types of third-party packages; this is done once and takes half a minute")
    program = typecache.WARM_UP.read_text("utf-8")
    command = Command(
        argv=(sandbox.python, "-I", "-c", program, recipe.text, "-"), limits=_CACHE_LIMITS, purpose="types"
    )
    made = await sandbox.run(command)
    if made.exit_code != 0 or made.truncated:
        tell("the types could not be worked out beforehand; type checks will take longer")
        return None
    await asyncio.to_thread(typecache.unpack, made.stdout, folder)
    return folder


@dataclass(frozen=True, slots=True)
class _End:
    """How a run ended: by itself (None), or why it was ended."""

    capture: Capture
    why: Literal["time", "memory", "flood"] | None


async def _converse(process: Process, command: Command, feed: Feed, status: int) -> _End:
    """Write the input, read the output, watch time and memory; then nothing of the run is left."""
    capture = Capture(command.limits)
    why: Literal["time", "memory", "flood"] | None = None
    feeding = asyncio.create_task(_feed(process, feed))
    finishing = asyncio.create_task(_finish(process, capture))
    watching = asyncio.create_task(_outgrow(process.pid, command.limits.memory_mb * MEBI, feed))
    tasks = {feeding, finishing, watching}
    try:
        async with feed.timed():
            await asyncio.wait({finishing, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not finishing.done():
            watching.result()  # where it could not look, that is no word of the program's memory
            why = "memory"
        elif not finishing.result():
            why = "flood"
    except TimeoutError:
        why = "time"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await _end(process, status)
    return _End(capture=capture, why=why)


async def _end(process: Process, status: int) -> None:
    """Kill what is left, the process namespace by its first process: a bwrap that dies early leaves it behind."""
    if process.returncode is None:
        _kill(await _child(process, status))
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    try:
        async with asyncio.timeout(END_SECONDS):
            for stream in (process.stdout, process.stderr):
                while stream is not None and await stream.read(READ_BYTES):
                    pass
            await process.wait()
            init = _told(status, "child-pid")
            _kill(init)  # told at the last moment, perhaps
            await _gone(init)
    except TimeoutError as error:
        raise SandboxUnavailable(
            f"a sandbox (process {process.pid}) could not be ended; end it by hand: kill -9 {process.pid}"
        ) from error
    finally:
        if process.stdin is not None:
            process.stdin.close()


def _kill(init: int | None) -> None:
    if init is not None and _is_init(init):
        with contextlib.suppress(ProcessLookupError):
            os.kill(init, signal.SIGKILL)


async def _child(process: Process, status: int) -> int | None:
    """The first process of the namespace; None where bwrap ended, or did not tell in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TELL_SECONDS):
            while process.returncode is None:
                if (init := _told(status, "child-pid")) is not None:
                    return init
                await asyncio.sleep(END_LOOK_SECONDS)
    return None


async def _gone(init: int | None) -> None:
    while True:
        if not _is_init(init):
            return
        await asyncio.sleep(END_LOOK_SECONDS)


def _is_init(pid: int | None) -> bool:
    """Whether a process is alive as the first one of a namespace; it goes as the last of them."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    except OSError:
        return False
    said = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    return said["State"][0] != "Z" and said["NSpid"][1:] == ["1"]


async def _finish(process: Process, capture: Capture) -> bool:
    """Read both streams and wait for the end; False when the program floods."""
    out = asyncio.create_task(_drain(process.stdout, "stdout", capture))
    err = asyncio.create_task(_drain(process.stderr, "stderr", capture))
    try:
        for drained in asyncio.as_completed((out, err)):
            if not await drained:
                return False
    finally:
        out.cancel()
        err.cancel()
        await asyncio.wait({out, err})
    await process.wait()
    return True


async def _drain(
    stream: asyncio.StreamReader | None, name: Literal["stdout", "stderr"], capture: Capture
) -> bool:
    while stream is not None and (data := await stream.read(READ_BYTES)):
        if not capture.take(name, data):
            return False
    return True


async def _feed(process: Process, feed: Feed) -> None:
    writer = process.stdin
    if writer is None:
        return

    async def write(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    with contextlib.suppress(OSError):  # a program may end without having read its input
        await feed.send(write)
        writer.close()
        await writer.wait_closed()


async def _outgrow(pid: int, most: int, feed: Feed) -> None:
    """Return when a run holds more memory than it may."""
    while True:
        if tree_memory(pid) > most:
            return
        await asyncio.sleep(LOOK_SECONDS if feed.complete else IDLE_LOOK_SECONDS)


@contextlib.contextmanager
def _system_calls() -> Iterator[int | None]:
    program = seccomp.open_program()
    try:
        yield program
    finally:
        if program is not None:
            os.close(program)


def _told(status: int, name: str) -> int | None:
    """A number that bwrap tells of the run; None when it did not come to that."""
    for line in os.pread(status, 4096, 0).splitlines():
        with contextlib.suppress(ValueError):
            if (value := json.loads(line).get(name)) is not None:
                return int(value)
    return None


def _fingerprint() -> str:
    """A hash of the interpreter and the packages, which stands where an image's digest would."""
    packages = sorted(f"{found.name}=={found.version}" for found in metadata.distributions())
    said = "\n".join([sys.version, sys.implementation.cache_tag or "", *packages])
    return f"sha256:{hashlib.sha256(said.encode()).hexdigest()}"


def _protections(*, filtered: bool, as_root: bool) -> tuple[Protection, ...]:
    looked = f"each process by the kernel, the whole run by looking every {LOOK_SECONDS} s, without its files"
    missing = {
        Shield.MEMORY: looked,
        Shield.SWAP: "there is no control group",
        Shield.PROCESSORS: "there is no control group",
        Shield.FILES: "bubblewrap has no option for it",
        Shield.EXECUTE: "bubblewrap has no option for it",
        Shield.OOM: "only those of the whole run",
        Shield.PATHS: "the list of mounts names those of what is seen inside",
    }
    if not filtered:
        missing[Shield.CALLS] = "libseccomp is not installed (on Debian: apt-get install libseccomp2)"
        missing[Shield.NETWORK] = "sockets to a hypervisor need no network; install libseccomp"
    if as_root:
        missing[Shield.NAMESPACE] = "started by root, a run gets a user id of its own instead"
    if handler := crash_handler():
        missing[Shield.CRASH] = f"the kernel hands crashes to {handler}"
    return stated(missing, {})
