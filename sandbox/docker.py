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
import os
import secrets
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import docker
import docker.errors
import requests

from sandbox import image, profile, seccomp
from sandbox.profile import Capture
from sandbox.types import Command, Limits, Outcome, Progress, Protection, SandboxInfo, SandboxUnavailable

ANSWER_SECONDS = 5.0
"""An engine that has not said hello by then is taken for absent."""
CALL_SECONDS = 10.0
"""The longest that one call to the engine may take."""
BUILD_SECONDS = 900.0
PYTHON = "/opt/theseus/venv/bin/python"
READ_BYTES = 256 * 1024
MEBI = 1024 * 1024

_P = ParamSpec("_P")
_T = TypeVar("_T")


def host_config(limits: Limits) -> dict[str, Any]:
    """The one profile, as the engine's API takes it."""
    scratch = f"rw,noexec,nosuid,nodev,mode=1777,size={limits.scratch_mb}m,nr_inodes={limits.scratch_files}"
    bounds = {"nofile": profile.OPEN_FILES, "fsize": limits.file_mb * MEBI, "core": 0}
    return {
        "NetworkMode": "none",
        "IpcMode": "none",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", f"seccomp={seccomp.profile_text()}"],
        "ReadonlyRootfs": True,
        # The engine's own /dev/mqueue could be written to; an empty one that cannot takes its place.
        "Tmpfs": {profile.SCRATCH: scratch, "/dev/mqueue": "ro,noexec,nosuid,nodev,mode=0555,size=4k"},
        "PidsLimit": limits.processes,
        "Memory": limits.memory_mb * MEBI,
        "MemorySwap": limits.memory_mb * MEBI,  # the sum of memory and swap: no swap
        "NanoCpus": profile.CPUS * 10**9,
        "Ulimits": [{"Name": name, "Soft": value, "Hard": value} for name, value in bounds.items()],
        "OomScoreAdj": 500,
        "Init": True,
        "LogConfig": {"Type": "none", "Config": {}},
    }


class EngineLost(SandboxUnavailable):
    """The engine does not answer any more, or not in time."""


class DockerSandbox:
    """Runs each command in a container of its own; made by `open_docker`."""

    def __init__(self, client: Any, *, image_id: str, owner: str) -> None:
        self._client = client
        self._image = image_id
        self._owner = owner
        # Threads of our own: a hanging engine must not starve what else uses asyncio's.
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="engine")
        self._left: list[str] = []
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
        return profile.TYPE_CACHE

    async def start(self) -> None:
        """Ask the engine what it can hold; every run after this relies on it.

        Raises:
            SandboxUnavailable: The engine does not answer.
        """
        protections = _protections(await self._call(self._client.info))
        reduced = not all(protection.held for protection in protections)
        self._info = self._info.model_copy(update={"protections": protections, "reduced": reduced})

    async def run(self, command: Command) -> Outcome:
        """Run a command in a container made for it alone, and take the container away.

        Raises:
            SandboxUnavailable: The engine could not be reached or failed, so nothing is known of the command.
        """
        while self._left:
            await self._remove(self._left.pop())
        name = f"theseus-{self._owner}-{secrets.token_hex(6)}"
        lost = False
        try:
            return await self._run(name, command)
        except EngineLost:
            lost = True  # asking it to clean up would only take as long again
            self._left.append(name)
            raise
        finally:
            if not lost:
                await self._remove(name)

    async def _run(self, name: str, command: Command) -> Outcome:
        limits = command.limits
        await self._call(self._create, name, command)
        attached = await self._call(
            self._client.attach_socket, name, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        )
        capture = Capture(limits)
        timed_out = flooded = False
        with contextlib.closing(attached), contextlib.closing(attached._response):  # noqa: SLF001 - the SDK offers no other way to the socket
            await self._call(self._client.start, name)
            started = time.monotonic()
            try:
                async with asyncio.timeout(limits.seconds):
                    flooded = not await _converse(attached._sock, command.stdin, capture)  # noqa: SLF001 - as above
            except TimeoutError:
                timed_out = True
        if (
            timed_out or flooded
        ):  # only now: a kill waits for output that nobody reads while the stream is open
            await self._call(self._kill, name)
        status = await self._call(self._client.wait, name, timeout=CALL_SECONDS)
        state = (await self._call(self._client.inspect_container, name))["State"]
        if state.get("Error"):
            raise SandboxUnavailable(f"the Docker engine could not run the sandbox: {state['Error']}")
        return Outcome(
            exit_code=None if timed_out or flooded else int(status["StatusCode"]),
            stdout=bytes(capture.stdout),
            stderr=bytes(capture.stderr),
            seconds=time.monotonic() - started,
            timed_out=timed_out,
            out_of_memory=bool(state.get("OOMKilled")),
            truncated=capture.truncated,
        )

    def _create(self, name: str, command: Command) -> None:
        limit = math.ceil(command.limits.seconds) + profile.GRACE_SECONDS
        self._client.create_container(
            self._image,
            # The inner time-out ends a run whose engine or steward is gone.
            command=["timeout", "-s", "KILL", str(limit), *command.argv],
            name=name,
            hostname=profile.HOSTNAME,
            user="65534:65534",
            working_dir=profile.SCRATCH,
            environment=profile.ENVIRONMENT,
            labels=self._labels | {"theseus.purpose": command.purpose},
            stdin_open=True,
            network_disabled=True,
            host_config=host_config(command.limits),
        )

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
        wanted = [f"{key}={value}" for key, value in self._labels.items()]
        left = await self._call(self._client.containers, all=True, filters={"label": wanted})
        for container in left:
            await self._remove(container["Id"])
        return len(left)

    async def close(self) -> None:
        """Let go of the connection; may be called twice."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def _call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Make a blocking call to its end, even when cancelled meanwhile: what it makes must not be lost."""
        call = asyncio.get_running_loop().run_in_executor(
            self._threads, functools.partial(_asked, function, *args, **kwargs)
        )
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            await asyncio.wait([call])
            raise


async def open_docker(*, root: Path, home: Path, owner: str, tell: Progress) -> DockerSandbox:
    """Connect to the engine, build the image if there is none yet, and clean up what a crash left.

    Raises:
        SandboxUnavailable: No engine answers, or the image cannot be had.
    """
    client = await asyncio.to_thread(_connect)
    with contextlib.closing(await asyncio.to_thread(_connect, BUILD_SECONDS)) as builder:
        ident = await asyncio.to_thread(_asked, image.ensure_image, builder, root=root, home=home, tell=tell)
    sandbox = DockerSandbox(client, image_id=ident, owner=owner)
    try:
        await sandbox.start()
        await sandbox.sweep()
    except BaseException:
        await sandbox.close()
        raise
    return sandbox


def _connect(call_seconds: float = CALL_SECONDS) -> Any:
    address = _address()
    if address.startswith("ssh:") or os.environ.get("DOCKER_TLS_VERIFY"):
        raise SandboxUnavailable(
            "the sandbox needs an engine on a plain socket; set DOCKER_HOST to unix:///path/to/docker.sock"
        )
    try:
        client = docker.APIClient(base_url=address, version="auto", timeout=ANSWER_SECONDS)
    except (docker.errors.DockerException, requests.RequestException, OSError, ValueError) as error:
        raise SandboxUnavailable(
            f"no Docker engine answers at {address}; start it, or install one (on Debian: apt-get install docker.io)"
        ) from error
    client.timeout = call_seconds
    return client


def _address() -> str:
    if given := os.environ.get("DOCKER_HOST"):
        return given
    rootless = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "docker.sock"
    usual = Path("/var/run/docker.sock")
    return f"unix://{usual if usual.exists() or not rootless.exists() else rootless}"


def _asked(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    try:
        return function(*args, **kwargs)
    except docker.errors.APIError as error:
        raise SandboxUnavailable(f"the Docker engine refused: {error.explanation or error}") from error
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise EngineLost(
            "the Docker engine stopped answering, so nothing is known of the run; look at the engine and try again"
        ) from error


async def _converse(stream: socket.socket, stdin: bytes, capture: Capture) -> bool:
    """Write the input and read the output at once, to the end; False when the program floods."""
    loop = asyncio.get_running_loop()
    stream.setblocking(False)
    feeding = asyncio.create_task(_feed(stream, stdin))
    try:
        frames = _Frames(capture)
        while data := await loop.sock_recv(stream, READ_BYTES):
            if not frames.take(data):
                return False
        return True
    finally:
        feeding.cancel()
        await asyncio.wait([feeding])


async def _feed(stream: socket.socket, stdin: bytes) -> None:
    with contextlib.suppress(OSError):  # a program may end without having read its input
        await asyncio.get_running_loop().sock_sendall(stream, memoryview(stdin))
        stream.shutdown(socket.SHUT_WR)


class _Frames:
    """Takes apart the engine's stream: frames of a kind (2: stderr), a length and so many bytes."""

    _HEADER = struct.Struct(">BxxxL")

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._head = b""
        self._kind = 1
        self._left = 0

    def take(self, data: bytes) -> bool:
        view = memoryview(data)
        while view:
            if not self._left:
                need = self._HEADER.size - len(self._head)
                self._head += view[:need]
                view = view[need:]
                if len(self._head) < self._HEADER.size:
                    break
                self._kind, self._left = self._HEADER.unpack(self._head)
                self._head = b""
                continue
            part = view[: self._left]
            view = view[self._left :]
            self._left -= len(part)
            if not self._capture.take("stderr" if self._kind == 2 else "stdout", part):  # noqa: PLR2004 - as above
                return False
        return True


def _protections(engine: dict[str, Any]) -> tuple[Protection, ...]:
    options = " ".join(engine.get("SecurityOptions") or ())
    return (
        Protection(name="no network", held=True),
        Protection(name="no capabilities, no new privileges", held=True, detail="user 65534"),
        Protection(
            name="read-only but for a private /tmp", held=True, detail="noexec, size and files bounded"
        ),
        Protection(name="system calls on an allow-list", held="name=seccomp" in options),
        Protection(name="memory of the whole run", held=bool(engine.get("MemoryLimit"))),
        Protection(name="no swap", held=bool(engine.get("SwapLimit"))),
        Protection(name="number of processes", held=bool(engine.get("PidsLimit"))),
        Protection(name="processors", held=bool(engine.get("CpuCfsQuota")), detail=f"{profile.CPUS}"),
        Protection(name="out-of-memory kills are seen", held=bool(engine.get("MemoryLimit"))),
    )
