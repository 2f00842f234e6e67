"""Tries to become somebody else, or to get rights that it does not have."""

import ctypes
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

from sandbox.hostile.attempt import ABSENT, HELD, THROUGH, Facts, Said, attempt, first

RIGHTS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
CHANGERS = (
    "su",
    "sudo",
    "passwd",
    "chsh",
    "newgrp",
    "mount",
    "umount",
    "pkexec",
    "newuidmap",
    "ping",
    "bwrap",
)
WHOLE = ["0", "0", "4294967295"]
"""Every id inside is the same one outside."""
OTHERS = ("/etc", "/usr/bin/env", "/proc/1")
PLACES = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin"


def _setuid(user: int) -> bool:
    os.setresuid(user, user, user)
    return True


def _capset() -> None:
    library = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    wanted = (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
    if library.capset(header, wanted):
        raise OSError(ctypes.get_errno(), "capset")


CHANGES: dict[str, Callable[[], object]] = {
    "setresuid": lambda: _setuid(0),
    "setuid": lambda: os.setuid(0),
    "setgid": lambda: os.setgid(0),
    "setgroups": lambda: os.setgroups([0]),
    "setreuid": lambda: os.setreuid(0, 0),
    "capset": _capset,
    "setuid of a neighbour": lambda: os.setuid(1000),
}


def main(_: Facts) -> Said:
    """What it is, what it can become, and what a program with more rights would give it."""
    is_ = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line
    )
    rights = {name: is_[name].strip() for name in RIGHTS if int(is_.get(name, "0"), 16)}
    identity = Path("/proc/self/uid_map").read_text().split()
    ids = {*is_["Uid"].split(), *is_["Gid"].split(), *is_["Groups"].split()}
    return {
        "rights": f"{THROUGH}: {rights}" if rights else f"{HELD}: none",
        "user namespace": f"{THROUGH if identity == WHOLE else HELD}: {' '.join(identity)}",
        "no new privileges": HELD if is_.get("NoNewPrivs", "").strip() == "1" else THROUGH,
        "root, or in its groups": f"{THROUGH}: {sorted(ids)}"
        if "0" in ids
        else f"{HELD}: {is_['Uid'].split()[0]}",
        "another user or group": first({name: attempt(deed) for name, deed in CHANGES.items()}),
        "owner of other files": first({path: attempt(_own(path)) for path in OTHERS}),
        "a file of its own given away": attempt(_give_away),
        "programs that change the user": _changers(),
        "a program of its own that does": _own_changer(),
        "rights by prctl": first(
            {
                "ambient": attempt(lambda: _prctl(47, 2, 21)),
                "keep": attempt(lambda: _prctl(8, 1) and _setuid(0)),
            }
        ),
    }


def _prctl(*arguments: int) -> bool:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(*(ctypes.c_ulong(argument) for argument in [*arguments, *[0] * (5 - len(arguments))])):
        raise OSError(ctypes.get_errno(), "prctl")
    return True


def _own(path: str) -> Callable[[], object]:
    return lambda: os.chown(path, os.getuid(), os.getgid())


def _give_away() -> None:
    Path("mine").touch()
    os.chown("mine", 0, 0)


def _changers() -> str:
    """Programs with the set-user-id bit, or rights of the file: what they do then, asked for our identity."""
    found = [path for name in CHANGERS if (path := shutil.which(name, path=PLACES))]
    special = [path for path in found if Path(path).stat().st_mode & (stat.S_ISUID | stat.S_ISGID)]
    su = shutil.which("su", path=PLACES)
    if su and _identity([su, "-c", "id -u"]) == "0":
        return f"{THROUGH}: su"
    sudo = shutil.which("sudo", path=PLACES)
    if sudo and _identity([sudo, "-n", "id", "-u"]) == "0":
        return f"{THROUGH}: sudo"
    return f"{HELD}: {len(special)} are there and give nothing" if special else ABSENT


def _own_changer() -> str:
    """A copy of `id` with the set-user-id bit, which nobody but root could make count."""
    shutil.copyfile("/usr/bin/id", "id")
    try:
        Path("id").chmod(0o6755)
        os.chown("id", 0, 0)
    except OSError as error:
        return f"{HELD}: {error.strerror}"
    return f"{THROUGH}: root" if _identity(["./id", "-u"]) == "0" else f"{HELD}: without effect"


def _identity(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
