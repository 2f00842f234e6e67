"""What the hostile programs share: what they are given, and how they say what became of an attempt.

An outcome is one word, `held`, `through` or `absent`, and a detail after a colon. `absent` means that
this machine has nothing to try it on. Only the standard library stands here: the programs travel alone.
"""

import ctypes
import errno
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass

HELD = "held"
THROUGH = "through"
ABSENT = "absent"

Said = dict[str, str]


@dataclass(frozen=True)
class Facts:
    """What a program is told of the sandbox that it should be in, and of what stands outside to be reached."""

    hostname: str
    scratch: str
    processes: int
    memory_mb: int
    scratch_mb: int
    scratch_files: int
    file_mb: int
    open_files: int
    cpus: int
    addresses: tuple[tuple[str, int], ...] = ()
    abstract: tuple[str, ...] = ()
    """Names of abstract Unix sockets outside."""
    files: tuple[str, ...] = ()
    """Files outside that anybody there may read and write."""
    folders: tuple[str, ...] = ()
    """Folders outside that anybody there may write to."""
    marker: str = ""
    """A word that stands in the command line of all that the program starts."""


def attempt(deed: Callable[[], object]) -> str:
    """Do what should be refused, and say whether it was."""
    try:
        got = deed()
    except OSError as error:
        return f"{HELD}: {named(error)}"
    return f"{THROUGH}: {got}" if got not in (None, True, "") else THROUGH


def named(error: OSError) -> str:
    """The short name of an error (`EPERM`)."""
    return errno.errorcode.get(error.errno or 0, str(error))


def first(outcomes: dict[str, str]) -> str:
    """One outcome for attempts of one kind: what got through, else what the attempts met."""
    if through := [
        f"{name} {said.partition(': ')[2]}".strip()
        for name, said in outcomes.items()
        if said.startswith(THROUGH)
    ]:
        return f"{THROUGH}: {', '.join(through[:8])}"
    met = sorted({said.partition(": ")[2] for said in outcomes.values() if said.startswith(HELD)})
    return f"{HELD}: {', '.join(met)}" if met else ABSENT


# Of x86-64 and aarch64: the numbers of the kernel's own tables, arch/x86/entry/syscalls/syscall_64.tbl and
# scripts/syscall.tbl, since the C library has no function for most of these.
NUMBERS = {
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "clone": (56, 220),
    "clone3": (435, 435),
    "fanotify_init": (300, 262),
    "fsopen": (430, 430),
    "init_module": (175, 105),
    "io_setup": (206, 0),
    "io_uring_setup": (425, 425),
    "ioprio_set": (251, 30),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "mlock": (149, 228),
    "mlockall": (151, 230),
    "mount": (165, 40),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "sched_setattr": (314, 274),
    "sched_setscheduler": (144, 119),
    "setdomainname": (171, 162),
    "setfsuid": (122, 151),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "shmget": (29, 194),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vmsplice": (278, 75),
}
_COLUMN = {"x86_64": 0, "aarch64": 1}


def system_call(name: str, *arguments: int | bytes, abi: int = 0) -> int:
    """Make a system call past the C library.

    Raises:
        OSError: The kernel, or a filter before it, says no.
    """
    library = ctypes.CDLL(None, use_errno=True)
    number = NUMBERS[name][_COLUMN[platform.machine()]] | abi
    padded = [*arguments, *[0] * (6 - len(arguments))]
    ctypes.set_errno(0)
    done = library.syscall(
        ctypes.c_long(number),
        *(argument if isinstance(argument, bytes) else ctypes.c_long(argument) for argument in padded),
    )
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(done)
