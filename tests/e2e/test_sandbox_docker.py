"""What the Docker sandbox does when the engine fails, and what it leaves on it."""

import asyncio
import contextlib
import io
import os
import secrets
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import docker
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.choose import open_sandbox
from sandbox.docker import DockerSandbox, host_config, open_docker
from sandbox.engine import Frames
from sandbox.image import PIN
from sandbox.profile import Capture
from sandbox.seccomp import profile_text
from sandbox.typecache import unpack
from sandbox.types import Command, Limits, Sandbox, SandboxUnavailable
from sandbox.wheels import _without_markers

ROOT = Path(__file__).parents[2]
SLEEP = Command(argv=("sleep", "1000"), limits=Limits(seconds=60))


class Wire:
    """Stands between the SDK and the real engine, and can freeze or be cut."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.started = asyncio.Event()
        """Set when a container has been asked to start and the engine has answered."""

    def freeze(self) -> None:
        """From now on nothing comes through, and nothing is closed."""
        self._flowing.clear()

    def cut(self) -> None:
        """Close every connection, and each new one at once."""
        self._engine = "/nonexistent"
        for writer in self._writers:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on one connection."""
        try:
            from_engine, to_engine = await asyncio.open_unix_connection(self._engine)
        except OSError:
            writer.close()
            return
        self._writers += [writer, to_engine]
        asked = asyncio.Event()
        for one, other, asking in ((reader, to_engine, True), (from_engine, writer, False)):
            task = asyncio.create_task(self._pass(one, other, asked, asking=asking))
            self._tasks.add(task)

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        asked: asyncio.Event,
        *,
        asking: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                if asking and b"/start " in data:
                    asked.set()
                writer.write(data)
                await writer.drain()
                if not asking and asked.is_set():
                    self.started.set()
            if writer.can_write_eof():
                writer.write_eof()

    async def close(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()


@pytest.fixture
async def wire(engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wire]:
    """A wire to the engine, under which DOCKER_HOST now answers."""
    assert engine.ping()
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not address.startswith("unix://"):
        pytest.skip(f"the engine at {address} is not behind a Unix socket")
    found = Wire(address.removeprefix("unix://"))
    server = await asyncio.start_unix_server(found.serve, tmp_path / "engine.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    try:
        yield found
    finally:
        server.close()
        await found.close()


@pytest.fixture
def engine(docker_sandbox: Sandbox) -> Any:
    """The engine itself, asked directly."""
    assert docker_sandbox.info.backend == "docker"
    client = docker.from_env()
    yield client
    client.close()


def left(engine: Any, owner: str) -> list[str]:
    """Names of the containers of an owner."""
    return [
        found.name for found in engine.containers.list(all=True, filters={"label": f"theseus.owner={owner}"})
    ]


async def opened(home: Path, owner: str) -> DockerSandbox:
    """A Docker sandbox of the test's own."""
    return await open_docker(root=ROOT, home=home, owner=owner, tell=lambda _: None)


async def test_an_engine_that_never_answers_is_no_engine(
    sandbox_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket that accepts and stays silent ends in one sentence, not in waiting for ever."""
    silent = tmp_path / "silent.sock"
    asked = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(listen, silent)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{silent}")
    async with asyncio.timeout(180):
        with pytest.raises(SandboxUnavailable, match="no Docker engine answers"):
            await open_sandbox("docker", root=ROOT, home=sandbox_home, owner="none", tell=lambda _: None)
    assert asked.is_set()
    server.close()


async def test_nothing_less_than_docker_where_the_rules_say_so(
    sandbox_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an engine, rules that demand Docker get no sandbox, whatever the choice."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    for choice in ("auto", "docker", "bubblewrap"):
        with pytest.raises(SandboxUnavailable):
            await open_sandbox(
                choice, root=ROOT, home=sandbox_home, owner="none", tell=lambda _: None, require_docker=True
            )


async def test_falling_back_is_said(
    bubblewrap_sandbox: Sandbox, sandbox_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an engine the choice `auto` gives the reduced sandbox, and says so."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    said: list[str] = []
    found = await open_sandbox("auto", root=ROOT, home=sandbox_home, owner="none", tell=said.append)
    assert found.info.model_dump() == bubblewrap_sandbox.info.model_dump()
    assert found.info.reduced
    assert "bubblewrap, which holds less" in said[-1]


@pytest.mark.parametrize("fault", ["freeze", "cut"])
async def test_an_engine_lost_in_the_midst(wire: Wire, engine: Any, sandbox_home: Path, fault: str) -> None:
    """An engine that hangs or goes away during a run ends it with one sentence, and a later start cleans up."""
    owner = f"lost-{secrets.token_hex(4)}"
    sandbox = await opened(sandbox_home, owner)
    command = SLEEP.model_copy(update={"limits": Limits(seconds=2)})
    running = asyncio.create_task(sandbox.run(command))
    await wire.started.wait()
    getattr(wire, fault)()
    async with asyncio.timeout(180):
        with pytest.raises(SandboxUnavailable, match="stopped answering"):
            await running
    await sandbox.close()
    again = DockerSandbox(engine.api, image_id=sandbox.info.image, owner=owner)
    assert await again.sweep() == 1
    await again.close()
    assert left(engine, owner) == []


async def test_cancelling_at_any_moment_leaves_no_container(engine: Any, sandbox_home: Path) -> None:
    """A run that is cancelled while its container is made, attached, started or busy leaves none."""
    owner = f"cancel-{secrets.token_hex(4)}"
    sandbox = await opened(sandbox_home, owner)
    for moment in (0.0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(moment):
                await sandbox.run(SLEEP)
        assert left(engine, owner) == []
    await sandbox.close()


async def test_a_finished_run_leaves_no_container(engine: Any, sandbox_home: Path) -> None:
    """Whatever the end (success, failure, time-out, flood), the container is gone when the sandbox is closed."""
    owner = f"done-{secrets.token_hex(4)}"
    sandbox = await opened(sandbox_home, owner)
    limits = Limits(seconds=1, output_bytes=1000)
    for argv in (("true",), ("false",), ("sleep", "1000"), ("yes",), ("no-such-program",)):
        await sandbox.run(Command(argv=argv, limits=limits))
    await sandbox.close()
    assert left(engine, owner) == []
    await sandbox.close()


async def test_a_start_sweeps_what_a_crash_left(
    engine: Any, docker_sandbox: Sandbox, sandbox_home: Path
) -> None:
    """Opening removes the containers of this owner and no other's."""
    owner, other = f"crash-{secrets.token_hex(4)}", f"other-{secrets.token_hex(4)}"
    for whose in (owner, owner, other):
        engine.containers.run(
            docker_sandbox.info.image,
            ["sleep", "1000"],
            detach=True,
            network_disabled=True,
            labels={"theseus.sandbox": "1", "theseus.owner": whose},
        )
    for whose in (owner, other):
        sandbox = await opened(sandbox_home, whose)
        assert left(engine, whose) == []
        assert bool(left(engine, other)) == (whose == owner)
        await sandbox.close()


async def test_the_image_is_built_once(sandbox_home: Path, docker_sandbox: Sandbox) -> None:
    """Opening again finds the same image and has nothing slow to tell of."""
    said: list[str] = []
    again = await open_sandbox("docker", root=ROOT, home=sandbox_home, owner="again", tell=said.append)
    assert again.info.image == docker_sandbox.info.image
    assert said == []
    await again.close()


def test_a_missing_lock_file_is_said(tmp_path: Path, docker_sandbox: Sandbox) -> None:
    """A repository without requirements.lock gets a sentence that names the file."""
    assert docker_sandbox.info.backend == "docker"
    with pytest.raises(SandboxUnavailable, match=r"requirements\.lock is missing"):
        asyncio.run(open_sandbox("docker", root=tmp_path, home=tmp_path, owner="none", tell=lambda _: None))


def test_the_profile_mounts_nothing() -> None:
    """The one profile has no mounts, no rights, no network and no swap, and carries the allow-list."""
    config = host_config(Limits(memory_mb=100))
    assert not set(config) & {
        "Binds",
        "Mounts",
        "Devices",
        "Privileged",
        "CapAdd",
        "PortBindings",
        "VolumesFrom",
    }
    assert config["NetworkMode"] == "none"
    assert config["CapDrop"] == ["ALL"]
    assert config["Memory"] == config["MemorySwap"] == 100 * 1024 * 1024
    assert config["SecurityOpt"] == ["no-new-privileges", f"seccomp={profile_text()}"]


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=300)), max_size=20), st.integers(1, 50))
def test_the_stream_is_taken_apart_wherever_it_is_cut(parts: list[tuple[int, bytes]], step: int) -> None:
    """Frames come out whole, stdout and stderr apart, in whatever pieces the stream arrives."""
    stream = b"".join(bytes([kind, 0, 0, 0]) + len(data).to_bytes(4, "big") + data for kind, data in parts)
    capture = Capture(Limits())
    frames = Frames(capture)
    for start in range(0, len(stream), step):
        assert frames.take(stream[start : start + step])
    assert bytes(capture.stdout) == b"".join(data for kind, data in parts if kind == 1)
    assert bytes(capture.stderr) == b"".join(data for kind, data in parts if kind == 2)


def test_unpacking_writes_plain_files_below_its_folder(tmp_path: Path) -> None:
    """Links, absolute names and names with `..` in a tar file from inside are left out."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("./3.11/cache.db", "../outside", "/absolute", "a/../../b"):
            entry = tarfile.TarInfo(name)
            entry.size = 1
            tar.addfile(entry, io.BytesIO(b"x"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    unpack(packed.getvalue(), tmp_path / "home" / "cache")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()] == [
        "home/cache/3.11/cache.db"
    ]


def test_markers_are_judged_for_the_python_inside() -> None:
    """An entry stays if its marker holds for that Python on Linux, and loses the marker."""
    lock = "a==1 ; python_full_version >= '3.13' \\\n    --hash=sha256:aa\nb==2 ; sys_platform == 'win32' \\\n    --hash=sha256:bb\nc==3 \\\n    --hash=sha256:cc\n"
    kept = {
        version: [line[:4] for line in _without_markers(lock, version).splitlines() if line[0] != " "]
        for version in ("3.11", "3.13")
    }
    assert kept == {"3.11": ["c==3"], "3.13": ["a==1", "c==3"]}


def test_the_lock_names_no_address() -> None:
    """The lock file pins by hash and names neither an index nor a path."""
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    assert not [line for line in lines if "://" in line or line.startswith(("-", "/"))]
    pinned = [line for line in lines if line[:1].isalnum()]
    assert pinned
    assert all("==" in line and line.endswith("\\") for line in pinned)


async def test_an_image_that_somebody_changed_is_not_used(
    sandbox_home: Path, tmp_path: Path, docker_sandbox: Sandbox
) -> None:
    """The image that judged before is known by its digest; another one under its name is refused."""
    home = tmp_path / "home"
    (home / "locks").mkdir(parents=True)
    pinned = (sandbox_home / PIN).read_text()
    assert docker_sandbox.info.image in pinned
    (home / PIN).write_text(pinned)
    again = await open_docker(root=ROOT, home=home, owner="pinned", tell=print)
    await again.close()
    (home / PIN).write_text(pinned.replace(docker_sandbox.info.image, "sha256:" + "0" * 64))
    with pytest.raises(SandboxUnavailable, match="which judged before"):
        await open_docker(root=ROOT, home=home, owner="pinned", tell=print)
