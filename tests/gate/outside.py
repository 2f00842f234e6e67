"""What stands outside of a sandbox while a hostile program runs inside, and tells whether anything came through."""

import contextlib
import os
import secrets
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.probe import Targets
from sandbox.types import Outcome

NOBODY = 65534
BRIDGE = "172.17.0.1"
"""Where Docker's usual bridge has the host."""
SETTINGS = ("core_pattern", "hostname", "domainname", "core_uses_pid", "randomize_va_space")
HOUR = 3600


@dataclass(frozen=True)
class Outside:
    """Listeners that nobody should reach, a folder anybody may write to, a secret, and a process to kill."""

    folder: Path
    secret: str
    marker: str
    listeners: dict[str, socket.socket]
    bystander: subprocess.Popen[bytes]
    before: dict[str, str]
    clock: float

    @property
    def targets(self) -> Targets:
        """What a hostile program is told of it; of the secret only where it stands."""
        return Targets(
            addresses=tuple(
                (found.getsockname()[0], found.getsockname()[1])
                for found in self.listeners.values()
                if found.family == socket.AF_INET and found.type == socket.SOCK_STREAM
            ),
            abstract=(self.marker,),
            files=(str(self.folder / "secret"),),
            folders=(str(self.folder),),
            marker=self.marker,
        )

    def effects(self, outcome: Outcome) -> list[str]:
        """All that came of a run outside of it; there should be nothing."""
        ready, _, _ = select.select(list(self.listeners.values()), [], [], 0)
        found = [f"something reached {name}" for name, one in self.listeners.items() if one in ready]
        if self.secret.encode() in outcome.stdout + outcome.stderr:
            found.append("the secret came out")
        found += [
            f"{name} changed" for name, said in _state(self.folder).items() if self.before.get(name) != said
        ]
        found += [f"still alive: {line}" for line in self.alive()]
        if self.bystander.poll() is not None:
            found.append("a process outside was ended")
        if abs(time.time() - time.monotonic() - self.clock) > HOUR:
            found.append("the clock was set")
        return found

    def alive(self) -> list[str]:
        """Processes of this machine that a hostile program started."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if self.marker in line:
                    found.append(line[:80])
        return found


def _state(folder: Path) -> dict[str, str]:
    said = {f"/proc/sys/kernel/{name}": Path(f"/proc/sys/kernel/{name}").read_text() for name in SETTINGS}
    said["the folder"] = " ".join(sorted(path.name for path in folder.iterdir()))
    said["its file"] = (folder / "secret").read_text()
    return said


def _listening(opened: contextlib.ExitStack, marker: str) -> dict[str, socket.socket]:
    """One of every kind that can be had here."""
    abstract = opened.enter_context(socket.socket(socket.AF_UNIX))
    abstract.bind(f"\0{marker}")
    abstract.listen()
    found = {"an abstract Unix socket": abstract}
    for host in ("127.0.0.1", BRIDGE):
        stream = opened.enter_context(socket.socket())
        try:
            stream.bind((host, 0))
        except OSError:
            continue  # no bridge here
        stream.listen()
        datagrams = opened.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        datagrams.bind(stream.getsockname())
        found |= {f"TCP on {host}": stream, f"UDP on {host}": datagrams}
    return found


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    """A world outside, made for one test."""
    secret, marker = secrets.token_hex(16), f"marker-{secrets.token_hex(8)}"
    monkeypatch.setenv("THESEUS_SECRET", secret)
    with contextlib.ExitStack() as opened:
        # Not the tests' own temporary folder: nobody else may look into that, and here it is the walls that must hold.
        folder = Path(tempfile.mkdtemp(prefix="theseus-outside-", dir="/var/tmp"))
        opened.callback(shutil.rmtree, folder)
        folder.chmod(0o777)
        (folder / "secret").write_text(secret)
        (folder / "secret").chmod(0o666)
        nobody = NOBODY if os.geteuid() == 0 else None  # the one that Docker's runs are outside as well
        bystander = opened.enter_context(subprocess.Popen(["sleep", "600"], user=nobody, group=nobody))
        opened.callback(bystander.kill)
        yield Outside(
            folder=folder,
            secret=secret,
            marker=marker,
            listeners=_listening(opened, marker),
            bystander=bystander,
            before=_state(folder),
            clock=time.time() - time.monotonic(),
        )
