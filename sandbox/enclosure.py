"""What bubblewrap is told: the walls, what of the host is seen inside, and the bounds of each process."""

import math
import os
import shutil
import sys
from pathlib import Path

from sandbox.profile import MEBI, PROFILE
from sandbox.types import Limits, SandboxUnavailable

ADDRESS_FACTOR = 4
"""Address space costs nothing, and allocators reserve it freely; data is what is bounded tightly."""
_DEVICES = ("null", "zero", "full", "random", "urandom")
_LOADER = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives")
_TOP = ("bin", "sbin", "lib", "lib32", "lib64")
_STREAMS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
_SETUP_RIGHTS = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")


def tool(name: str, package: str) -> str:
    """The path of a program of the host.

    Raises:
        SandboxUnavailable: It is not installed.
    """
    if found := shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/bin:/bin:/usr/sbin:/sbin"):
        return found
    raise SandboxUnavailable(f"{name} is missing; install it (on Debian: apt-get install {package})")


def walls(limits: Limits, *, as_root: bool, type_cache: Path | None) -> list[str]:
    """Options for bwrap: fresh namespaces, an empty root, and read-only what an interpreter needs."""
    options = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if as_root:
        # Only until setpriv, the first program inside, has laid them down.
        options += [word for right in _SETUP_RIGHTS for word in ("--cap-add", right)]
    else:
        options += [
            "--unshare-user",
            "--uid",
            str(PROFILE.user),
            "--gid",
            str(PROFILE.user),
            "--cap-drop",
            "ALL",
        ]
    options += ["--die-with-parent", "--new-session", "--hostname", PROFILE.hostname, "--clearenv"]
    search = f"{Path(sys.prefix) / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    for name, value in {**PROFILE.environment, "PATH": search}.items():
        options += ["--setenv", name, value]
    options += ["--perms", "1777", "--size", str(limits.scratch_mb * MEBI), "--tmpfs", PROFILE.scratch]
    options += ["--proc", "/proc", *_folder("/dev"), *_folder("/etc")]
    for device in _DEVICES:
        options += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    for name, target in _STREAMS.items():
        options += ["--symlink", target, f"/dev/{name}"]
    options += _system() + _interpreter()
    if type_cache is not None:
        options += [
            *_folder(str(Path(PROFILE.type_cache).parent)),
            "--ro-bind",
            str(type_cache),
            PROFILE.type_cache,
        ]
    return [*options, "--chdir", PROFILE.scratch, "--remount-ro", "/"]


def _folder(path: str) -> list[str]:
    """A folder and those above it, open to whoever runs inside; bwrap would make them for its own user alone."""
    levels = [path, *(str(parent) for parent in Path(path).parents)]
    return [
        word
        for level in reversed(levels[:-1])
        for word in ("--perms", "0755", "--dir", level)
        if level != PROFILE.scratch
    ]


def _system() -> list[str]:
    options = ["--ro-bind", "/usr", "/usr"]
    for name in _TOP:
        path = Path("/") / name
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    for name in _LOADER:
        options += ["--ro-bind-try", name, name]
    return options


def _interpreter() -> list[str]:
    """The running interpreter at its own place; of a virtual environment only what is Python's.

    A virtual environment may stand in a folder of secrets, and may hold more than packages.
    """
    options: list[str] = []
    for base in {sys.base_prefix, sys.base_exec_prefix, str(Path(sys.base_prefix).resolve())}:
        if not Path(base).is_relative_to("/usr"):
            options += [*_folder(str(Path(base).parent)), "--ro-bind", base, base]
    if sys.prefix != sys.base_prefix:
        options += _folder(sys.prefix)
        for name in ("pyvenv.cfg", "bin", "lib"):
            path = str(Path(sys.prefix) / name)
            options += ["--ro-bind", path, path]
        options += ["--symlink", "lib", str(Path(sys.prefix) / "lib64")]
    return options


def bounds(limits: Limits, *, seconds: float, user: int | None) -> list[str]:
    """The programs that come before the command inside: become nobody, then bound what each process may use."""
    longest = math.ceil(seconds) + PROFILE.grace_seconds
    become: list[str] = []
    if user is not None:
        become = [tool("setpriv", "util-linux"), f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        become += ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
    return [
        *become,
        tool("prlimit", "util-linux"),
        f"--nproc={limits.processes}",
        f"--data={limits.memory_mb * MEBI}",
        f"--as={limits.memory_mb * MEBI * ADDRESS_FACTOR}",
        f"--fsize={limits.file_mb * MEBI}",
        f"--nofile={PROFILE.open_files}",
        f"--core={PROFILE.core_bytes}",
        f"--cpu={longest * PROFILE.cpus}",
        tool("timeout", "coreutils"),
        "-s",
        "KILL",
        str(longest),
    ]
