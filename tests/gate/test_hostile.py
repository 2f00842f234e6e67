"""Hostile programs for real, in both sandboxes, with a look from outside at what they did there."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest

from sandbox.docker import DockerSandbox
from sandbox.probe import ATTACKS, Standing, Targets, command, judged
from sandbox.profile import EXTRA, PROFILE, Shield
from sandbox.types import Command, Limits, Outcome, Sandbox
from tests.e2e.conftest import bubblewrap_sandbox, docker_sandbox, sandbox, sandbox_home
from tests.gate.outside import Outside, outside

__all__ = ["bubblewrap_sandbox", "docker_sandbox", "outside", "sandbox", "sandbox_home"]

ROOT = Path(__file__).parents[2]
PROGRAMS = {attack.program: attack for attack in ATTACKS}


@pytest.fixture
def engine() -> Iterator[Any]:
    """The engine, for a look at what is on it; skips where none answers."""
    try:
        client = docker.from_env(timeout=20)
    except docker.errors.DockerException as error:
        pytest.skip(f"no Docker engine answers: {error}")
    with contextlib.closing(client):
        yield client


@pytest.mark.parametrize("program", PROGRAMS)
async def test_nothing_of_it_is_seen_outside(sandbox: Sandbox, program: str, outside: Outside) -> None:
    """It reaches, changes, learns and leaves nothing outside, gets past no claimed shield, and the next run is ordinary."""
    attack = PROGRAMS[program]
    outcome = await sandbox.run(command(attack, sandbox.python, outside.targets))
    assert outside.effects(outcome) == []
    missing = {one.name for one in sandbox.info.protections if not one.held}
    tried = judged(attack, outcome)
    assert tried
    assert [one for one in tried if one.standing is Standing.NOT_HELD and one.shield not in missing] == []
    ordinary = Command(argv=(sandbox.python, "-I", "-c", "print(6 * 7)"), limits=Limits(seconds=30))
    assert (await sandbox.run(ordinary)).stdout == b"42\n"


async def test_a_bomb_without_memory_goes_on(bubblewrap_sandbox: Sandbox, outside: Outside) -> None:
    """Threads whose process has no memory left for more keep trying, so that it is the time-out that ends them."""
    attack = PROGRAMS["thread_bomb"]
    tight = dataclasses.replace(attack, limits=attack.limits.model_copy(update={"memory_mb": 40}))
    for _ in range(3):
        outcome = await bubblewrap_sandbox.run(command(tight, bubblewrap_sandbox.python, outside.targets))
        assert outcome.timed_out, outcome


async def test_no_container_is_left(docker_sandbox: Sandbox, engine: Any, outside: Outside) -> None:
    """After a fork bomb, a flood, a daemon and an out-of-memory kill the engine has no container of ours."""
    owner = f"hostile-{os.getpid()}"
    own = DockerSandbox(engine.api, image_id=docker_sandbox.info.image, owner=owner)
    for program in ("fork_bomb", "flood_endless", "daemon", "memory"):
        await own.run(command(PROGRAMS[program], own.python, outside.targets))
    await own.close()
    label = f"theseus.owner={owner}"
    assert engine.containers.list(all=True, filters={"label": ["theseus.sandbox=1", label]}) == []


def test_docker_holds_the_full_profile(docker_sandbox: Sandbox) -> None:
    """What the Docker sandbox says that it does not hold is only what the full profile does not demand."""
    assert {one.name for one in docker_sandbox.info.protections} == set(Shield)
    assert {one.name for one in docker_sandbox.info.protections if not one.held} <= EXTRA
    assert not docker_sandbox.info.reduced


@pytest.mark.parametrize("backend", ["docker", "bubblewrap"])
def test_the_probe_finds_what_the_sandbox_says(
    request: pytest.FixtureRequest, backend: str, sandbox_home: Path
) -> None:
    """The command that tries a sandbox out finds each shield held or not held as the sandbox itself and the README say."""
    request.getfixturevalue(f"{backend}_sandbox")  # skips where there is none
    asked = ["probe", "--backend", backend, "--json", "--home", str(sandbox_home), "--root", str(ROOT)]
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", *asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["disagreements"] == []
    assert set(said["shields"]) == set(Shield)
    found = {name: found["standing"] for name, found in said["shields"].items()}
    listed = _listed(backend)
    always = {name for name, why in listed.items() if not why.startswith("where ")}
    assert {name for name, standing in found.items() if standing == Standing.NOT_HELD} <= set(listed)
    assert not {name for name, standing in found.items() if standing == Standing.HELD} & always


def _listed(backend: str) -> dict[str, str]:
    """The shields that the README lists as not held by a backend, each with the reason or (`where`) the condition."""
    text = (ROOT / "sandbox" / "README.md").read_text("utf-8")
    part = text.partition(f"### What {backend} does not hold\n")[2].partition("\n#")[0]
    lines = [line[2:].partition(": ") for line in part.splitlines() if line.startswith("- ")]
    assert {name for name, _, _ in lines} <= set(Shield)
    return {name: why for name, _, why in lines}


# What gets through where there are no walls: an attempt that is held there as well would show nothing.
TEETH = {
    "network": {
        "interfaces",
        "abstract Unix sockets outside",
        "netlink sockets",
        "protocols but TCP and UDP",
    },
    "writes": {"folders", "folders outside", "files outside", "through a link"},
    "secrets_of_host": {"the environment", "files outside", "paths outside, by the list of mounts"},
    "neighbours": {"processes in sight"},
    "calls": {
        "io_uring and aio",
        "namespaces",
        "other processes",
        "personality",
        "memory without a name",
        "priority",
    },
    "memory": {"memory of a process"},
    "memory_burst": {"memory of several processes"},
    "memory_shared": {"memory held as files"},
    "bounds": {"processors"},
    "forks": {"forks", "threads"},
    "files": {"size of a file", "size of the scratch folder", "number of files", "open files"},
    "execute": {
        "programs in the scratch folder",
        "code mapped from the scratch folder",
        "programs in memory",
    },
    "become": {"rights", "no new privileges", "user namespace"},
}


@pytest.mark.parametrize("program", TEETH)
def test_without_walls_it_gets_through(
    docker_sandbox: Sandbox, engine: Any, outside: Outside, program: str
) -> None:
    """The same programs, in a container without the profile, do reach what they are after."""
    wish = command(PROGRAMS[program], docker_sandbox.python, outside.targets)
    (outside.folder / "programs").write_bytes(wish.stdin)
    container = engine.containers.create(
        docker_sandbox.info.image,
        ["sh", "-c", 'exec "$@" <"$0"', str(outside.folder / "programs"), *wish.argv],
        hostname=PROFILE.hostname,
        user=f"{PROFILE.user}:{PROFILE.user}",
        working_dir=PROFILE.scratch,
        environment={"THESEUS_SECRET": outside.secret},
        network_mode="host",
        pid_mode="host",
        security_opt=["seccomp=unconfined"],
        tmpfs={PROFILE.scratch: "rw,exec,mode=1777,size=512m"},
        volumes={str(outside.folder): {"bind": str(outside.folder), "mode": "rw"}},
        labels={"theseus.purpose": "control"},
    )
    try:
        container.start()
        code = int(container.wait(timeout=180)["StatusCode"])
        logs = [container.logs(stdout=True, stderr=False), container.logs(stdout=False, stderr=True)]
    finally:
        container.remove(force=True)
    outcome = Outcome(exit_code=code, stdout=logs[0], stderr=logs[1])
    through = {one.attempt for one in judged(PROGRAMS[program], outcome) if one.standing is Standing.NOT_HELD}
    assert through >= TEETH[program], outcome
    if program in ("network", "writes", "secrets_of_host"):
        assert outside.effects(outcome)


def test_hostile_programs_do_not_run_outside() -> None:
    """Started by hand, outside of a sandbox, a hostile program refuses to run."""
    wish = command(PROGRAMS["sleeper"], sys.executable, Targets())
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.hostile", "sleeper", wish.argv[-1]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 2
    assert "python -m sandbox probe" in done.stderr
