"""Reads what bounds the whole run: no process can see by itself what holds for all of them together."""

from pathlib import Path

from sandbox.hostile.attempt import ABSENT, HELD, THROUGH, Facts, Said

CGROUP = Path("/sys/fs/cgroup")
MEBI = 1024 * 1024


def main(facts: Facts) -> Said:
    """From the control group, of either version, where there is one in sight."""
    return {"processors": _processors(facts), "swap": _swap(facts)}


def _read(*names: str) -> str:
    for name in names:
        try:
            return (CGROUP / name).read_text().strip()
        except OSError:
            continue
    return ""


def _processors(facts: Facts) -> str:
    quota, _, period = _read("cpu.max").partition(" ")
    quota = quota or _read("cpu/cpu.cfs_quota_us", "cpu,cpuacct/cpu.cfs_quota_us")
    period = period or _read("cpu/cpu.cfs_period_us", "cpu,cpuacct/cpu.cfs_period_us")
    if not quota.isdigit():
        return f"{THROUGH}: no bound in sight"
    share = int(quota) / int(period)
    return f"{HELD if share <= facts.cpus else THROUGH}: {share:g}"


def _swap(facts: Facts) -> str:
    swaps = Path("/proc/swaps")
    if not swaps.exists() or len(swaps.read_text().splitlines()) <= 1:
        return f"{ABSENT}: this machine has no swap"
    extra = _read("memory.swap.max")
    both = _read("memory/memory.memsw.limit_in_bytes")
    if extra == "0" or (both.isdigit() and int(both) <= facts.memory_mb * MEBI):
        return f"{HELD}: none"
    return f"{THROUGH}: {extra or both or 'no bound in sight'}"
