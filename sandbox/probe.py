"""Looks from inside at what a sandbox really holds: what it says of itself is one thing, what it does another."""

import json
from typing import Any

from sandbox.types import Command, Limits, Protection, Sandbox, SandboxUnavailable

_LIMITS = Limits(seconds=20, memory_mb=256, processes=64, scratch_mb=16)
_LOOK = r"""
import json, os, socket
said = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
def writable(path):
    try:
        os.close(os.open(os.path.join(path, "probe"), os.O_CREAT | os.O_WRONLY))
        return True
    except OSError:
        return False
def reaches(address):
    try:
        socket.create_connection((address, 80), 2).close()
        return True
    except OSError:
        return False
folders = {line.split()[4] for line in open("/proc/self/mountinfo")}
for folder, below, _ in os.walk("/"):
    folders.add(folder)
    if folder.count("/") > 2 or folder in ("/proc", "/sys"):
        below.clear()
folders = sorted(folder for folder in folders if os.path.isdir(folder) and not folder.startswith("/tmp"))
print(json.dumps({
    "user": os.getuid(),
    "rights": [said[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
    "no_new_privileges": said["NoNewPrivs"].strip() == "1",
    "filter": said["Seccomp"].strip() == "2",
    "interfaces": [line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line],
    "reached": [address for address in ("1.1.1.1", "169.254.169.254", "172.17.0.1") if reaches(address)],
    "writable": [folder for folder in folders if writable(folder)],
    "environment": sorted(os.environ),
}))
"""


async def probe(sandbox: Sandbox) -> tuple[Protection, ...]:
    """Run a look-around inside and report what was found to hold.

    Raises:
        SandboxUnavailable: The look-around did not come to its end.
    """
    outcome = await sandbox.run(
        Command(argv=(sandbox.python, "-I", "-c", _LOOK), limits=_LIMITS, purpose="probe")
    )
    try:
        seen: dict[str, Any] = json.loads(outcome.stdout)
    except ValueError as error:
        raise SandboxUnavailable("the sandbox's look at itself failed; look at the engine") from error
    return (
        Protection(name="no network", held=not seen["reached"], detail=", ".join(seen["interfaces"])),
        Protection(name="not root", held=seen["user"] != 0, detail=str(seen["user"])),
        Protection(name="no capabilities", held=all(int(right, 16) == 0 for right in seen["rights"])),
        Protection(name="no new privileges", held=seen["no_new_privileges"]),
        Protection(name="system calls filtered", held=seen["filter"]),
        Protection(
            name="read-only but for /tmp", held=not seen["writable"], detail=", ".join(seen["writable"])
        ),
    )
