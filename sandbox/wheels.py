"""Wheels for the inside, fetched outside by pip and checked against the lock's hashes."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from packaging.markers import Marker

from sandbox.types import Progress, SandboxUnavailable

DOWNLOAD_SECONDS = 900.0
STAMP = "lock.sha256"
"""A folder of wheels says in this file which lock it is complete for; `scripts/setup` writes it as well."""
_NEWEST_GLIBC, _OLDEST_GLIBC = 41, 17


def ensure_wheels(lock: Path, *, root: Path, home: Path, version: str, tell: Progress) -> Path:
    """A folder that holds every wheel the lock names, for a Python version (`3.11`) on Linux. Blocks.

    Raises:
        SandboxUnavailable: They cannot be fetched.
    """
    want = hashlib.sha256(lock.read_bytes()).hexdigest()
    same = version == f"{sys.version_info[0]}.{sys.version_info[1]}"
    at_hand = root / ".venv" / "wheels"
    if same and _stamp(at_hand) == want:
        return at_hand
    folder = home / "caches" / f"wheels-{version}"
    if _stamp(folder) == want:
        return folder
    tell("fetching the packages that the sandbox needs")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wanted, options = lock, list[str]()
    if not same:
        # pip judges markers by the Python that runs it, so they are judged here, for the one inside.
        wanted = folder / "requirements.txt"
        wanted.write_text(_without_markers(lock.read_text("utf-8"), version), "utf-8")
        options = _for_python(version)
    _download(wanted, folder, options)
    (folder / STAMP).write_text(want, "ascii")
    return folder


def _stamp(folder: Path) -> str:
    try:
        return (folder / STAMP).read_text("ascii").strip()
    except OSError:
        return ""


def _download(wanted: Path, folder: Path, options: list[str]) -> None:
    command = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += ["--require-hashes", "--only-binary", ":all:", "--no-deps", "--dest", str(folder), *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        done = subprocess.run(
            [*command, "--requirement", str(wanted)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            check=False,
            timeout=DOWNLOAD_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise SandboxUnavailable(
            "the sandbox's packages were not fetched in time; check the network, and start again"
        ) from error
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
        raise SandboxUnavailable(f"the sandbox's packages could not be fetched: {errors[-1]}")


def _for_python(version: str) -> list[str]:
    machine = platform.machine()
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(_NEWEST_GLIBC, _OLDEST_GLIBC - 1, -1)]
    tags += [f"manylinux2014_{machine}", f"linux_{machine}"]
    flat = version.replace(".", "")
    options = ["--python-version", version, "--implementation", "cp"]
    for abi in (f"cp{flat}", "abi3", "none"):
        options += ["--abi", abi]
    for tag in tags:
        options += ["--platform", tag]
    return options


def _without_markers(text: str, version: str) -> str:
    """The lock's entries that hold for a Python version on Linux, with their markers taken off."""
    surroundings = {"python_version": version, "python_full_version": f"{version}.0", "sys_platform": "linux"}
    kept: list[str] = []
    taken = False
    for line in text.splitlines():
        if line[:1].isalnum():
            head, _, marker = line.removesuffix("\\").partition(";")
            taken = not marker.strip() or Marker(marker.strip()).evaluate(surroundings)
            line = f"{head.rstrip()} \\"  # noqa: PLW2901 - the entry's first line is what changes
        if taken:
            kept.append(line)
    return "\n".join(kept) + "\n"
