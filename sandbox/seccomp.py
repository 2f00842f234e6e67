"""The list of system calls that run inside, from `seccomp.json`, for Docker as text and for bubblewrap as BPF.

The list was made from what ruff, mypy, pytest and the judge were seen to call, under strace, and says of each
group why it stands there. What is not on it fails with EPERM: among others ptrace, io_uring, bpf, unshare,
mount, keyctl, userfaultfd, memfd_create, pidfd_open, and every socket but Unix ones and those of TCP and UDP
(which find no network inside).
"""

import errno
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from sandbox.profile import PROFILE

SOURCE = Path(__file__).with_name(PROFILE.system_calls)


def profile_text() -> str:
    """The profile as Docker takes it."""
    return json.dumps(json.loads(SOURCE.read_bytes()), separators=(",", ":"))


def open_program() -> int | None:
    """The same list as a BPF program in an open, unnamed file, for `bwrap --seccomp FD`.

    Returns:
        A file descriptor that the caller closes; None where libseccomp is not installed.
    """
    try:
        # The import itself loads libseccomp, which bubblewrap can do without.
        import pyseccomp
    except (ImportError, OSError, RuntimeError):
        return None
    profile = json.loads(SOURCE.read_bytes())
    filter_ = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    for rule in profile["syscalls"]:
        _add(pyseccomp, filter_, rule)
    with tempfile.TemporaryFile() as program:
        filter_.export_bpf(program)
        program.flush()
        number = os.dup(program.fileno())
    os.lseek(number, 0, os.SEEK_SET)
    return number


def _add(library: Any, filter_: Any, rule: dict[str, Any]) -> None:
    allow = rule["action"] == "SCMP_ACT_ALLOW"
    action = library.ALLOW if allow else library.ERRNO(rule.get("errnoRet", errno.EPERM))
    conditions = []
    for arg in rule.get("args", ()):
        if arg["op"] == "SCMP_CMP_EQ":
            conditions.append(library.Arg(arg["index"], library.EQ, arg["value"]))
        else:
            conditions.append(
                library.Arg(arg["index"], library.MASKED_EQ, arg["value"], arg.get("valueTwo", 0))
            )
    for name in rule["names"]:
        try:
            number = library.resolve_syscall(library.system_arch(), name)
        except ValueError:
            continue
        if number is not None and number >= 0:  # negative: this machine's architecture has no such call
            filter_.add_rule(action, name, *conditions)
