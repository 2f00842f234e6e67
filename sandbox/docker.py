"""The default sandbox: a fresh, hardened Docker container for each run, through the engine's own SDK.

One profile for every run and no switches: no network, no capabilities, no new privileges, an own list of
system calls, a read-only root, a private /tmp, and bounds on memory, processes, processors and files.
Nothing is mounted: input goes in over stdin, output comes out over stdout. Calls to the engine block and
are made in threads; the stream in between is asyncio's, so that cancelling a run ends it at once.
"""

import asyncio
import contextlib
import functools
import math
import secrets
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import docker.errors

from sandbox import image, seccomp
from sandbox.ahead import Ahead, Feed, at_once
from sandbox.engine import CALL_SECONDS, EngineLost, asked, connect, converse
from sandbox.profile import MEBI, PROFILE, Capture, Shield, crash_handler, reduced, stated
from sandbox.types import Command, Limits, Outcome, Progress, Protection, SandboxInfo, SandboxUnavailable

BUILD_SECONDS = 900.0
TRIAL_SECONDS = 20.0
"""A runtime that has not run `true` by then hangs: some do, where the machine lacks what they build on."""
PYTHON = "/opt/theseus/venv/bin/python"

_P = ParamSpec("_P")
_T = TypeVar("_T")


def host_config(limits: Limits) -> dict[str, Any]:
    """The one profile, as the engine's API takes it."""
    size = (f"size={limits.scratch_mb}m", f"nr_inodes={limits.scratch_files}")
    bounds = {"nofile": PROFILE.open_files, "fsize": limits.file_mb * MEBI, "core": PROFILE.core_bytes}
    return {
        "NetworkMode": "none",
        "IpcMode": "none",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", f"seccomp={seccomp.profile_text()}"],
        "ReadonlyRootfs": True,
        # The engine's own /dev/mqueue could be written to; an empty one that cannot takes its place.
        "Tmpfs": {
            PROFILE.scratch: ",".join((*PROFILE.scratch_options, *size)),
            "/dev/mqueue": "ro,noexec,nosuid,nodev,mode=0555,size=4k",
        },
        "PidsLimit": limits.processes,
        "Memory": limits.memory_mb * MEBI,
        "MemorySwap": limits.memory_mb * MEBI,  # the sum of memory and swap: no swap
        "NanoCpus": PROFILE.cpus * 10**9,
        "Ulimits": [{"Name": name, "Soft": value, "Hard": value} for name, value in bounds.items()],
        "OomScoreAdj": PROFILE.oom_score,
        "Init": True,
        "LogConfig": {"Type": "none", "Config": {}},
    }


class DockerSandbox:
    """Runs each command in a container of its own; made by `open_docker`."""

    def __init__(self, client: Any, *, image_id: str, owner: str, runtime: str = "") -> None:
        self._client = client
        self._runtime = runtime
        self._image = image_id
        self._owner = owner
        # Threads of our own: a hanging engine must not starve what else uses asyncio's.
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="engine")
        self._left: set[str] = set()
        self._removing: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[Outcome]] = set()
        self._info = SandboxInfo(backend="docker", image=image_id, reduced=False)

    @property
    def info(self) -> SandboxInfo:
        """What this place is and holds."""
        return self._info

    @property
    def python(self) -> str:
        """Path, inside, of the interpreter that has the project's dependencies and tools."""
        return PYTHON

    @property
    def type_cache(self) -> str:
        """Path, inside, of the read-only mypy cache for third-party packages."""
        return PROFILE.type_cache

    async def start(self) -> None:
        """Ask the engine what it can hold, and try a runtime out that is not its usual one.

        Raises:
            SandboxUnavailable: The engine does not answer, or the runtime starts no container.
        """
        engine = await self._call(self._client.info)
        protections = _protections(engine, self._runtime)
        self._info = self._info.model_copy(
            update={"protections": protections, "reduced": reduced(protections)}
        )
        if self._runtime:
            await self._try_runtime(sorted(engine.get("Runtimes") or ()))

    async def _try_runtime(self, known: list[str]) -> None:
        what = f"the rules name the container runtime {self._runtime}, "
        then = "correct `runtime` below [sandbox] in rules.toml, or leave it empty for the engine's usual one"
        if self._runtime not in known:
            raise SandboxUnavailable(f"{what}and the engine knows only {', '.join(known)}; {then}")
        trial = Command(argv=("true",), limits=Limits(seconds=TRIAL_SECONDS), purpose="trial")
        try:
            tried = await self.run(trial)
        except SandboxUnavailable as error:
            with contextlib.suppress(SandboxUnavailable):  # what hangs may not even be removed
                await self.sweep()
            raise SandboxUnavailable(f"{what}which starts no container here ({error}); {then}") from error
        if tried.exit_code != 0:
            raise SandboxUnavailable(f"{what}in which not even `true` comes to its end; {then}")

    async def run(self, command: Command) -> Outcome:
        """Run a command in a container made for it alone, and take the container away.

        Raises:
            SandboxUnavailable: The engine could not be reached or failed, so nothing is known of the command.
        """
        return await self._alone(command, at_once(command))

    def start_ahead(self, command: Command, *, wait_seconds: float) -> Ahead:
        """Start a command in a container made for it alone, with the first part of its input."""
        return Ahead(self._alone, command, wait_seconds, self._ending)

    async def _alone(self, command: Command, feed: Feed) -> Outcome:
        for name in tuple(self._left):
            await self._call(self._remove_now, name)
            self._left.discard(name)
        name = f"theseus-{self._owner}-{secrets.token_hex(6)}"
        try:
            outcome = await self._run(name, command, feed)
        except EngineLost:
            self._left.add(name)  # asking it to clean up would only take as long again
            raise
        except BaseException:
            await self._remove(name)
            raise
        # It has ended: taking away what is left of it is nothing that anybody has to wait for.
        removing = asyncio.create_task(self._remove(name))
        self._removing.add(removing)
        removing.add_done_callback(self._removing.discard)
        return outcome

    async def _run(self, name: str, command: Command, feed: Feed) -> Outcome:
        await self._call(self._create, name, command, feed.longest)
        capture = Capture(command.limits)
        timed_out = flooded = False
        with contextlib.ExitStack() as opened:
            stream = await self._call(self._attach, name, opened)
            await self._call(self._client.start, name)
            try:
                async with feed.timed():
                    flooded = not await converse(stream, feed, capture)
            except TimeoutError:
                timed_out = True
        if timed_out or flooded:
            # Only now: a kill waits for output that nobody reads while the stream is open.
            await self._call(self._kill, name)
        status = await self._call(self._client.wait, name, timeout=CALL_SECONDS)
        state = (await self._call(self._client.inspect_container, name))["State"]
        if state.get("Error"):
            raise SandboxUnavailable(f"the Docker engine could not run the sandbox: {state['Error']}")
        return Outcome(
            exit_code=None if timed_out or flooded else int(status["StatusCode"]),
            stdout=bytes(capture.stdout),
            stderr=bytes(capture.stderr),
            seconds=feed.seconds,
            timed_out=timed_out,
            out_of_memory=bool(state.get("OOMKilled")),
            truncated=capture.truncated,
        )

    def _create(self, name: str, command: Command, longest: float) -> None:
        limit = math.ceil(longest) + PROFILE.grace_seconds
        self._client.create_container(
            self._image,
            # The inner time-out ends a run whose engine or steward is gone.
            command=["timeout", "-s", "KILL", str(limit), *command.argv],
            name=name,
            hostname=PROFILE.hostname,
            user=f"{PROFILE.user}:{PROFILE.user}",
            working_dir=PROFILE.scratch,
            environment=dict(PROFILE.environment),
            labels=self._labels | {"theseus.purpose": command.purpose},
            stdin_open=True,
            network_disabled=True,
            host_config=host_config(command.limits) | ({"Runtime": self._runtime} if self._runtime else {}),
        )

    def _attach(self, name: str, opened: contextlib.ExitStack) -> socket.socket:
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        attached = self._client.attach_socket(name, params=streams)
        opened.callback(attached.close)
        opened.callback(attached._response.close)  # noqa: SLF001 - the SDK ties the socket's life to it
        found: socket.socket = attached._sock  # noqa: SLF001 - the SDK hands out a wrapper that only blocks
        return found

    @property
    def _labels(self) -> dict[str, str]:
        return {"theseus.sandbox": "1", "theseus.owner": self._owner}

    def _kill(self, name: str) -> None:
        with contextlib.suppress(docker.errors.APIError):  # it has ended by itself meanwhile
            self._client.kill(name)

    async def _remove(self, name: str) -> None:
        with contextlib.suppress(SandboxUnavailable):  # `sweep` takes what a failing engine leaves behind
            await self._call(self._remove_now, name)

    def _remove_now(self, name: str) -> None:
        with contextlib.suppress(docker.errors.APIError):
            self._client.remove_container(name, force=True, v=True)

    async def sweep(self) -> int:
        """Remove all containers of this owner, which a crash may have left; returns how many there were.

        Raises:
            SandboxUnavailable: The engine does not answer.
        """
        await asyncio.gather(*self._removing)
        wanted = [f"{key}={value}" for key, value in self._labels.items()]
        left = await self._call(self._client.containers, all=True, filters={"label": wanted})
        for container in left:
            await self._remove(container["Id"])
        return len(left)

    async def close(self) -> None:
        """Let go of the connection, with no container left; may be called twice."""
        await asyncio.gather(*self._ending, return_exceptions=True)
        await asyncio.gather(*self._removing)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def _call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Make a blocking call to its end, even when cancelled meanwhile: what it makes must not be lost."""
        call = asyncio.get_running_loop().run_in_executor(
            self._threads, functools.partial(asked, function, *args, **kwargs)
        )
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            await asyncio.wait([call])
            raise


async def open_docker(
    *, root: Path, home: Path, owner: str, tell: Progress, runtime: str = ""
) -> DockerSandbox:
    """Connect to the engine, build the image if there is none yet, and clean up what a crash left.

    Raises:
        SandboxUnavailable: No engine answers, the image cannot be had, or the runtime does not work.
    """
    client = await asyncio.to_thread(connect)
    with contextlib.closing(await asyncio.to_thread(connect, BUILD_SECONDS)) as builder:
        ident = await asyncio.to_thread(asked, image.ensure_image, builder, root=root, home=home, tell=tell)
    sandbox = DockerSandbox(client, image_id=ident, owner=owner, runtime=runtime)
    try:
        await sandbox.sweep()
        await sandbox.start()
    except BaseException:
        await sandbox.close()
        raise
    return sandbox


async def sweep_engine(owner: str) -> int:
    """Remove all containers of an owner without needing an image; how many there were.

    Raises:
        SandboxUnavailable: No engine answers.
    """
    sandbox = DockerSandbox(await asyncio.to_thread(connect), image_id="", owner=owner)
    try:
        return await sandbox.sweep()
    finally:
        await sandbox.close()


def _protections(engine: dict[str, Any], runtime: str) -> tuple[Protection, ...]:
    """What this engine can hold, by its own word."""
    options = " ".join(engine.get("SecurityOptions") or ())
    needs = {
        Shield.CALLS: "name=seccomp" in options,
        Shield.NETWORK: "name=seccomp"
        in options,  # sockets that know no namespaces are kept out by the list alone
        Shield.MEMORY: bool(engine.get("MemoryLimit")),
        Shield.OOM: bool(engine.get("MemoryLimit")),
        Shield.SWAP: bool(engine.get("SwapLimit")),
        Shield.PROCESSES: bool(engine.get("PidsLimit")),
        Shield.PROCESSORS: bool(engine.get("CpuCfsQuota")),
    }
    missing = {
        shield: "the engine cannot, as it says of itself" for shield, held in needs.items() if not held
    }
    if runtime not in ("", engine.get("DefaultRuntime")):
        look = f"python -m sandbox probe --runtime {runtime}"
        missing[Shield.CALLS] = (
            f"the runtime {runtime} answers them in its own way; see what it holds with: {look}"
        )
    if "name=userns" not in options:
        missing[Shield.NAMESPACE] = "start the engine with --userns-remap=default"
    if handler := crash_handler():
        missing[Shield.CRASH] = f"the kernel hands crashes to {handler}"
    missing[Shield.PATHS] = "the list of mounts names the engine's own"
    details = {
        Shield.RIGHTS: f"user {PROFILE.user}",
        Shield.PROCESSORS: str(PROFILE.cpus),
        Shield.CALLS: f"runtime {runtime}" if runtime else "",
    }
    return stated(missing, details)
