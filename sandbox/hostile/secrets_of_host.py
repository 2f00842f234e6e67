"""Reads whatever may hold a secret, and shouts all of it to its errors for the outside to search."""

import os
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from sandbox.hostile.attempt import HELD, THROUGH, Facts, Said, attempt, first

KNOWN = {
    "GIT_PYTHON_REFRESH",
    "HOME",
    "HOSTNAME",
    "LANG",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "PWD",
    "PYTHONDONTWRITEBYTECODE",
    "TMPDIR",
    "USER",
}
KEYS = (
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/ssh",
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/var/lib/docker",
)
HOMES = ("/root", "/home", "/run", "/srv", "/mnt", "/media", "/opt", "/var/log")
KERNEL = (
    "/proc/kcore",
    "/proc/kmsg",
    "/dev/kmsg",
    "/dev/mem",
    "/proc/keys",
    "/proc/timer_list",
    "/sys/kernel/debug",
    "/sys/firmware",
    "/proc/acpi",
    "/proc/scsi",
    "/proc/latency_stats",
)


def main(facts: Facts) -> Said:
    """What can be read and should not be there."""
    strange = sorted(set(os.environ) - KNOWN)
    shout("\n".join(f"{key}={value}" for key, value in os.environ.items()))
    return {
        "the environment": f"{THROUGH}: {', '.join(strange)}" if strange else f"{HELD}: nothing but its own",
        "environments of others": _others(),
        "files outside": _reads(facts.files),
        "keys and sockets": _reads(KEYS),
        "files of people and services": _homes(),
        "what lies above": _above(),
        "the kernel's memory and log": _reads(KERNEL),
        "paths outside, by the list of mounts": _mounts(),
    }


def shout(text: str) -> None:
    """Say it so that the outside hears it."""
    sys.stderr.write(text + "\n")


def _reads(paths: Iterable[str]) -> str:
    return first({path: attempt(partial(_read, path)) for path in paths})


def _read(path: str) -> str:
    """Some of what stands there; an empty place is as good as none."""
    if Path(path).is_dir():
        found = "\n".join(sorted(os.listdir(path)))  # noqa: PTH208 - names are what is wanted
    elif path.endswith(".sock"):
        found = str(Path(path).stat().st_mode)
    else:
        with Path(path).open("rb", buffering=0) as file:
            os.set_blocking(file.fileno(), False)
            found = (file.read(4096) or b"").decode(errors="replace")
    shout(found)
    if not found:
        raise FileNotFoundError(2, "nothing there")
    return found.split("\n")[0][:40]


def _homes() -> str:
    """Files below folders that hold none of a bare system's, but for the interpreter, which may stand there."""
    own = tuple({sys.prefix, sys.base_prefix, "/opt/theseus"})
    found: dict[str, str] = {}
    for home in HOMES:
        for folder, below, names in os.walk(home):
            below[:] = [name for name in below if not f"{folder}/{name}".startswith(own)]
            found |= {f"{folder}/{name}": attempt(partial(_read, f"{folder}/{name}")) for name in names}
    return first(found) if found else f"{HELD}: none"


def _others() -> str:
    """The environment of every process in sight; those of the sandbox's own have nothing to hide."""
    strange: set[str] = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            found = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        shout(found)
        strange |= {entry.partition("=")[0] for entry in found.split("\0") if entry} - KNOWN
    return f"{THROUGH}: {', '.join(sorted(strange))}" if strange else f"{HELD}: nothing but its own"


def _above() -> str:
    """Walk up from the scratch folder, as far as `..` goes, and look for a repository."""
    up = Path("../" * 20)
    found = [str(path) for path in _git(up)]
    return f"{THROUGH}: {', '.join(found[:4])}" if found else f"{HELD}: no repository in sight"


def _git(top: Path) -> Iterator[Path]:
    for folder, below, _ in os.walk(top):
        if ".git" in below or "policies" in below:
            yield Path(folder)
        depth = len(Path(folder).parts) - len(top.parts)
        below[:] = [] if depth > 2 else [name for name in below if name not in ("proc", "sys", "usr")]  # noqa: PLR2004 - deep enough


def _mounts() -> str:
    """Where mounted folders stand outside: the list of mounts tells, to whoever can read it."""
    told: set[str] = set()
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        shout(line)
        before, _, after = line.partition(" - ")
        root, place = before.split()[3:5]
        told |= {
            part.partition("=")[2].split(":")[0]
            for part in after.split(",")
            if part.startswith(("lowerdir=", "upperdir="))
        }
        if after.startswith("ext") and root not in ("/", place):
            told.add(root)
    return f"{THROUGH}: {len(told)}, such as {min(told, key=len)}" if told else f"{HELD}: none"
