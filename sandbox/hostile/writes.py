"""Writes everywhere: every folder in sight, the kernel's own files, and what outside may be written by anybody."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from sandbox.hostile.attempt import HELD, Facts, Said, attempt, first

KERNEL = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/net/ipv4/ping_group_range",
    "/proc/sys/fs/binfmt_misc/register",
    "/proc/sysrq-trigger",
    "/proc/1/mem",
    "/proc/irq/0/smp_affinity",
    "/proc/bus/pci/00",
    "/sys/kernel/uevent_helper",
    "/sys/power/state",
    "/sys/class/net/lo/mtu",
    "/sys/module/printk/parameters/time",
    "/sys/fs/cgroup/memory/release_agent",
    "/sys/fs/cgroup/release_agent",
    "/sys/fs/cgroup/cgroup.procs",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/pids/pids.max",
    "/sys/fs/cgroup/pids.max",
)
DEVICES = (
    "kvm",
    "vda",
    "sda",
    "nvme0n1",
    "mem",
    "kmem",
    "port",
    "vsock",
    "vhost-vsock",
    "fuse",
    "net/tun",
    "loop-control",
    "rtc0",
    "uinput",
    "mapper/control",
    "userfaultfd",
)


def main(facts: Facts) -> Said:
    """Each kind of place in turn."""
    return {
        "folders": _folders(facts.scratch),
        "folders outside": first({path: attempt(_make(path, "stranger")) for path in facts.folders}),
        "files outside": first({path: attempt(_append(path)) for path in facts.files}),
        "through a link": first({path: _by_link(path, number) for number, path in enumerate(facts.files)}),
        "settings of the kernel": first({path: attempt(_append(path)) for path in KERNEL}),
        "a place before the host's own when memory runs out": attempt(_cling),
        "own identity maps": first(
            {name: attempt(_append(f"/proc/self/{name}")) for name in ("uid_map", "gid_map", "setgroups")}
        ),
        "devices": first({name: attempt(_open(f"/dev/{name}")) for name in DEVICES}),
        "devices of its own": first({kind: attempt(_node(kind)) for kind in ("block", "character")}),
        "the program that runs it": attempt(_append("/proc/1/exe")),
        "pipes and links": _pipes(),
    }


def _folders(scratch: str) -> str:
    """Every folder down to the third level and every mount point; /tmp is its own, and so is what it owns in /proc."""
    seen = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    for folder, below, _ in os.walk("/"):
        seen.add(folder)
        if folder.count("/") > 2 or folder in ("/proc", "/sys"):  # noqa: PLR2004 - deep enough
            below.clear()
    places = [folder for folder in sorted(seen) if Path(folder).is_dir() and not folder.startswith(scratch)]
    outcomes = {folder: attempt(_make(folder)) for folder in places}
    return f"{first(outcomes)} in {len(places)} folders"


def _make(folder: str, name: str = "planted") -> Callable[[], object]:
    def make() -> None:
        os.close(os.open(Path(folder) / name, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o666))

    return make


def _append(path: str) -> Callable[[], object]:
    def append() -> None:
        opened = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(opened, b"0\n")
        finally:
            os.close(opened)

    return append


def _cling() -> None:
    """Any process may make itself less of a candidate than it was, but not less than the host's own are."""
    Path("/proc/self/oom_score_adj").write_text("-1")


def _open(path: str) -> Callable[[], object]:
    return lambda: os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))


def _by_link(path: str, number: int) -> str:
    link = Path(f"link{number}")
    link.symlink_to(path)
    return attempt(_append(str(link)))


def _node(kind: str) -> Callable[[], object]:
    mode, number = (stat.S_IFBLK, os.makedev(254, 0)) if kind == "block" else (stat.S_IFCHR, os.makedev(1, 1))

    def node() -> None:
        os.mknod(f"node-{kind}", mode | 0o666, number)
        os.close(os.open(f"node-{kind}", os.O_RDWR))

    return node


def _pipes() -> str:
    """Traps for a careless reader outside; nobody outside reads the scratch folder, so they catch nobody."""
    Path("hosts").symlink_to("/etc/hostname")
    Path("up").symlink_to("../" * 20)
    try:
        os.mkfifo("waiting")
    except OSError:
        return f"{HELD}: in a folder that nobody outside sees, and no pipes at all"
    return f"{HELD}: in a folder that nobody outside sees"
