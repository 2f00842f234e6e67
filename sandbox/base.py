"""The image that the sandbox image stands on: an official Python image, or a Debian made on the spot."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors

from sandbox.types import Progress, SandboxUnavailable

PULL_SECONDS = 90.0
DEBOOTSTRAP_SECONDS = 900.0
LOCAL = "theseus-base"
OLDEST = (3, 11)
_LEFT_OUT = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
)


@dataclass(frozen=True, slots=True)
class Base:
    """An image with a Python in it: its name, its id, and the Python's version (`3.11`)."""

    name: str
    ident: str
    python: str


def ensure_base(client: Any, *, home: Path, tell: Progress) -> Base:
    """Find the base, or pull or make it. Blocks.

    Raises:
        SandboxUnavailable: There is none, and none can be had here.
    """
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    official = f"python:{minor}-slim"
    release = _debian_release()
    own = f"{LOCAL}:{release}" if release else None
    for name in (official, own):
        if name and (found := _at_hand(client, name)):
            return found
    if _pull(client, official, tell) and (found := _at_hand(client, official)):
        return found
    if own and os.geteuid() == 0 and shutil.which("debootstrap"):
        _bootstrap(client, str(release), own, home, tell)
        if found := _at_hand(client, own):
            return found
    ways = f"docker pull {official}"
    if release:
        ways += ", or as root: apt-get install debootstrap, and start again"
    raise SandboxUnavailable(f"the sandbox image needs a base that is not at hand; get it with: {ways}")


def _at_hand(client: Any, name: str) -> Base | None:
    try:
        read = client.inspect_image(name)
    except docker.errors.ImageNotFound:
        return None
    config = read.get("Config") or {}
    set_ = dict(entry.partition("=")[::2] for entry in config.get("Env") or ())
    version = (config.get("Labels") or {}).get("theseus.python") or set_.get("PYTHON_VERSION", "")
    python = ".".join(version.split(".")[:2])
    return Base(name=name, ident=str(read["Id"]), python=python) if python else None


def _pull(client: Any, name: str, tell: Progress) -> bool:
    tell(f"asking the registry for {name}")
    end = time.monotonic() + PULL_SECONDS
    repository, _, tag = name.partition(":")
    try:
        for step in client.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in step or time.monotonic() > end:
                return False
    except docker.errors.APIError:
        return False  # no registry at reach is an everyday thing, not a fault
    return True


def _debian_release() -> str | None:
    """The code name of this Debian (`bookworm`); None on other systems."""
    try:
        lines = Path("/etc/os-release").read_text("utf-8").splitlines()
    except OSError:
        return None
    said = {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}
    return said.get("VERSION_CODENAME") or None if said.get("ID") == "debian" else None


def _mirror(release: str) -> list[str]:
    """Where this machine's own apt gets the release from, if apt says so: behind a mirror, that is the one."""
    asked = ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)"]
    try:
        said = subprocess.run(
            [*asked, "Created-By: Packages", "Component: main"],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    for line in said.splitlines():
        codename, _, uri = line.partition(" ")
        if codename == release and uri:
            return [uri]
    return []


def _bootstrap(client: Any, release: str, name: str, home: Path, tell: Progress) -> None:
    tell(f"no registry answers; making a base from Debian {release} with debootstrap (about a minute)")
    (home / "caches").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix="base-", dir=home / "caches", ignore_cleanup_errors=True
    ) as folder:
        target = Path(folder) / "root"
        command = ["debootstrap", "--variant=minbase", "--include=python3,python3-venv", release, str(target)]
        try:
            done = subprocess.run(
                [*command, *_mirror(release)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
                timeout=DEBOOTSTRAP_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise SandboxUnavailable(
                "debootstrap did not end in time; check that this machine's apt mirror answers, and start again"
            ) from error
        if done.returncode:
            last = (done.stdout.strip().splitlines() or [""])[-1]
            raise SandboxUnavailable(f"debootstrap could not make the sandbox's base: {last}")
        python = (target / "usr/bin/python3").readlink().name.removeprefix("python")
        if tuple(int(part) for part in python.split(".")) < OLDEST:
            raise SandboxUnavailable(
                f"Debian {release} brings Python {python}, and 3.11 is needed; use a newer Debian or a registry"
            )
        _import(client, target, name, python)


def _import(client: Any, target: Path, name: str, python: str) -> None:
    repository, _, tag = name.partition(":")
    left_out = [f"--exclude=./{path}/*" for path in _LEFT_OUT]
    packing = [
        "tar",
        "--directory",
        str(target),
        "--sort=name",
        "--numeric-owner",
        *left_out,
        "--create",
        ".",
    ]
    with subprocess.Popen(packing, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tar:
        client.import_image_from_stream(
            tar.stdout, repository=repository, tag=tag, changes=[f"LABEL theseus.python={python}"]
        )
    if tar.returncode:
        client.remove_image(name)
        raise SandboxUnavailable("the sandbox's base could not be packed; is the disk full?")
