"""Makes the system calls that open the kernel's wider surface; every one should be refused before it begins."""

import ctypes
import errno
import mmap
import os
import platform
from collections.abc import Callable

from sandbox.hostile.attempt import ABSENT, HELD, THROUGH, Facts, Said, first, named, system_call

NEW_USER, NEW_NAMESPACE, NEW_NET = 0x10000000, 0x00020000, 0x40000000
CHILD_ENDS = 17
_ROOT = b"/\0"
_EMPTY = bytes(256)


def _child(deed: Callable[[], int]) -> int:
    if (made := deed()) == 0:
        os._exit(0)
    os.waitpid(made, 0)
    return made


def _setns() -> int:
    opened = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        return system_call("setns", opened, NEW_NET)
    finally:
        os.close(opened)


def _nice() -> int:
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    return 0


def _apart(deed: Callable[[], int]) -> int:
    """In a child, since a filter may well kill for it; what the child met comes back as its exit code.

    Raises:
        OSError: It was refused, or killed.
    """
    child = os.fork()
    if child == 0:
        os._exit(min(-deed(), 127))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(errno.EPERM if code < 0 else code, "refused")
    return 0


def _x32() -> int:
    """`unshare` by its number in the ABI with 64-bit registers and 32-bit addresses; minus the error."""
    try:
        return system_call("unshare", NEW_USER, abi=0x40000000)
    except OSError as error:
        return -(error.errno or 0)


def _i386() -> int:
    """`unshare` by the 32-bit gate: eax = 310, ebx = the flag, int 0x80. A filter that looks at numbers alone fails here."""
    code = bytes.fromhex("53 b8 36010000 bb 00000010 cd80 5b c3")
    page = mmap.mmap(
        -1,
        mmap.PAGESIZE,
        mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
        mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC,
    )
    page.write(code)
    function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    return int(function())


_OTHER_ABIS: dict[str, Callable[[], int]] = (
    {"x32": lambda: _apart(_x32), "i386": lambda: _apart(_i386)} if platform.machine() == "x86_64" else {}
)

GROUPS: dict[str, dict[str, Callable[[], int]]] = {
    "io_uring and aio": {
        "io_uring_setup": lambda: system_call("io_uring_setup", 8, _EMPTY),
        "io_setup": lambda: system_call("io_setup", 8, _EMPTY),
    },
    "namespaces": {
        "unshare user": lambda: system_call("unshare", NEW_USER),
        "unshare mounts": lambda: system_call("unshare", NEW_NAMESPACE),
        "unshare net": lambda: system_call("unshare", NEW_NET),
        "clone user": lambda: _child(lambda: system_call("clone", NEW_USER | CHILD_ENDS)),
        "setns": _setns,
    },
    "calls of another ABI": _OTHER_ABIS,
    "clone3": {"clone3": lambda: system_call("clone3", _EMPTY, 88)},
    "mounts": {
        "mount": lambda: system_call("mount", b"none\0", b"/tmp\0", b"tmpfs\0", 0, 0),
        "remount": lambda: system_call("mount", b"none\0", _ROOT, b"\0", 0x20, 0),
        "umount2": lambda: system_call("umount2", b"/proc\0", 2),
        "pivot_root": lambda: system_call("pivot_root", b"/tmp\0", b"/tmp\0"),
        "chroot": lambda: system_call("chroot", b"/tmp\0"),
        "fsopen": lambda: system_call("fsopen", b"tmpfs\0", 0),
        "open_tree": lambda: system_call("open_tree", -100, _ROOT, 1),
        "move_mount": lambda: system_call("move_mount", -100, _ROOT, -100, b"/tmp\0", 0),
    },
    "handles of files": {
        "open_by_handle_at": lambda: system_call("open_by_handle_at", -100, _EMPTY, 0),
        "name_to_handle_at": lambda: system_call("name_to_handle_at", -100, _ROOT, _EMPTY, _EMPTY, 0),
    },
    "other processes": {
        "ptrace": lambda: system_call("ptrace", 0),
        "process_vm_readv": lambda: system_call("process_vm_readv", os.getppid(), _EMPTY, 1, _EMPTY, 1, 0),
        "process_vm_writev": lambda: system_call("process_vm_writev", 1, _EMPTY, 1, _EMPTY, 1, 0),
        "pidfd_open": lambda: system_call("pidfd_open", 1, 0),
        "pidfd_getfd": lambda: system_call("pidfd_getfd", 0, 0, 0),
    },
    "the kernel's programs and keys": {
        "bpf": lambda: system_call("bpf", 0, _EMPTY, 64),
        "keyctl": lambda: system_call("keyctl", 0, -3, 1),
        "add_key": lambda: system_call("add_key", b"user\0", b"probe\0", b"x", 1, -3),
        "userfaultfd": lambda: system_call("userfaultfd", 1),
        "perf_event_open": lambda: system_call("perf_event_open", _EMPTY, 0, -1, -1, 0),
        "fanotify_init": lambda: system_call("fanotify_init", 0, 0),
        "vmsplice": lambda: system_call("vmsplice", 0, 0, 0, 0),
    },
    "memory without a name": {
        "memfd_create": lambda: system_call("memfd_create", b"probe\0", 0),
        "memfd_secret": lambda: system_call("memfd_secret", 0),
        "shmget": lambda: system_call("shmget", 0, 4096, 0o1600),
        "mlock": lambda: system_call("mlock", ctypes.addressof(ctypes.create_string_buffer(4096)), 4096),
        "mlockall": lambda: system_call("mlockall", 4),
    },
    "personality": {"personality": lambda: system_call("personality", 0x0040000)},
    "the clock": {
        "clock_settime": lambda: system_call("clock_settime", 0, bytes(16)),
        "settimeofday": lambda: system_call("settimeofday", bytes(16), 0),
        "adjtimex": lambda: system_call("adjtimex", b"\1" + bytes(255)),
        "clock_adjtime": lambda: system_call("clock_adjtime", 0, b"\1" + bytes(255)),
    },
    "the machine": {
        "reboot": lambda: system_call("reboot", 0, 0, 0),
        "kexec_load": lambda: system_call("kexec_load", 0, 0, 0, 0),
        "kexec_file_load": lambda: system_call("kexec_file_load", -1, -1, 0, 0, 0),
        "init_module": lambda: system_call("init_module", _EMPTY, 0, b"\0"),
        "swapon": lambda: system_call("swapon", b"/tmp/none\0", 0),
        "syslog": lambda: system_call("syslog", 3, _EMPTY, 256),
        "sethostname": lambda: system_call("sethostname", b"stolen", 6),
        "setdomainname": lambda: system_call("setdomainname", b"stolen", 6),
        "quotactl": lambda: system_call("quotactl", 0x800002 << 8, _ROOT, 0, _EMPTY),
    },
    "priority": {
        "real-time": lambda: system_call("sched_setscheduler", 0, 1, (1).to_bytes(4, "little")),
        "sched_setattr": lambda: system_call("sched_setattr", 0, _EMPTY, 0),
        "ioprio_set": lambda: system_call("ioprio_set", 1, 0, 1 << 13),
        "nice": _nice,
    },
}


def main(_: Facts) -> Said:
    """One outcome a group; a call that fails for another reason than a refusal has got through to the kernel."""
    return {
        name: first({call: _outcome(deed) for call, deed in group.items()}) for name, group in GROUPS.items()
    }


def _outcome(deed: Callable[[], int]) -> str:
    try:
        deed()
    except OSError as error:
        met = named(error)
        if met in ("EPERM", "EACCES", "ENOSYS"):
            return f"{HELD}: {met}"
        return ABSENT if met == "ENOENT" else f"{THROUGH}: {met}"
    return f"{THROUGH}:"
