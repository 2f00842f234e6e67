"""A stand-in for a runner of Actions: a checkout, the environment and files that a step gets, and nothing else.

Steps that use an action are not run: of `actions/checkout` the outcome is made here (`checkout`), and in place of a fresh
installation the checkout gets the interpreter that the tests run with (`lend`), so that `scripts/setup` finds its work done.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.world import git

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
WALLS = (
    *("bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-net", "--unshare-pid"),
    *("--die-with-parent", "--cap-add", "ALL"),
)
"""Nothing to write to and no network; the capabilities are for a sandbox within."""
PROGRAMS = ("python", "lint-imports")


def can_enclose() -> bool:
    """Whether bubblewrap is here, and lets this user make an enclosure."""
    if shutil.which("bwrap") is None:
        return False
    return subprocess.run([*WALLS, "--", "true"], capture_output=True, check=False).returncode == 0


def read(name: str) -> dict[Any, Any]:
    """A workflow of this repository."""
    found: dict[Any, Any] = pytest.importorskip("yaml").safe_load((WORKFLOWS / name).read_text())
    return found


@dataclass(frozen=True, slots=True)
class Done:
    """What became of the steps of a job."""

    code: int
    log: str
    summary: str

    @property
    def commands(self) -> list[str]:
        """The lines of the log that a runner would obey."""
        return [line for line in self.log.splitlines() if line.lstrip().startswith("::") or "##[" in line]


@dataclass(frozen=True, slots=True)
class Runner:
    """One machine, made for one job and thrown away.

    Attributes:
        folder: Its disk: the only place that can be written to.
        caches: What the gate may find worked out, so that a test need not wait for it.
        event: The payload of the event, as the expressions of a workflow see it.
        env: What differs from a real runner's environment.
    """

    folder: Path
    caches: Path | None = None
    event: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        """Where the repository is checked out."""
        return self.folder / "work" / "theseus"

    def checkout(self, origin: Path, commit: str) -> None:
        """Do what `actions/checkout` does with `ref` and `fetch-depth: 0`."""
        self.workspace.parent.mkdir(parents=True, exist_ok=True)
        git(origin, "clone", "--quiet", "--no-checkout", str(origin), str(self.workspace))
        git(self.workspace, "checkout", "--quiet", "--detach", commit)

    def lend(self) -> None:
        """Let the checkout have the tests' own interpreter and tools, as if `scripts/setup` had installed them."""
        venv, programs = self.workspace / ".venv", Path(sys.executable).parent
        (venv / "bin").mkdir(parents=True)
        for name in PROGRAMS:
            (venv / "bin" / name).write_text(f'#!/bin/sh\nexec "{programs / name}" "$@"\n')
            (venv / "bin" / name).chmod(0o755)
        lock = self.workspace / "requirements.lock"
        shutil.copy(lock, venv / "setup.lock")
        (venv / "setup.place").write_text(str(self.workspace))
        for extra in ("local", "counterparts"):
            parts = ("requirements.lock", f"requirements-{extra}.lock", "tests/e2e/npm/package-lock.json")
            whole = b"".join((self.workspace / part).read_bytes() for part in parts)
            summed = subprocess.run(["sha256sum"], input=whole, check=True, capture_output=True)
            (venv / f"extra-{extra}").write_bytes(summed.stdout)

    def run(self, workflow: str, job: str) -> Done:
        """Run the `run:` steps of a job, one after another, until one fails."""
        told = read(workflow)["jobs"][job]
        summary, log, code = self.folder / "summary.md", "", 0
        summary.write_text("")
        for step in told["steps"]:
            if code or "run" not in step:
                continue
            env = {**self._own(summary), **self._values(told), **self._values(step), **self.env}
            done = self._enclosed(step["run"], env)
            code, log = done.returncode, f"{log}{done.stdout}"
        return Done(code, log, summary.read_text())

    def shell(self, script: str) -> Done:
        """What somebody types there."""
        done = self._enclosed(script, self._own(self.folder / "summary.md"))
        return Done(done.returncode, done.stdout, "")

    def _values(self, part: Mapping[str, Any]) -> dict[str, str]:
        return {name: self._evaluated(str(value)) for name, value in part.get("env", {}).items()}

    def _evaluated(self, text: str) -> str:
        """An `env:` value with its expressions filled in; only paths and `||` are known."""

        def filled(found: re.Match[str]) -> str:
            for path in found[1].split("||"):
                value: Any = {"github": self.event}
                for key in path.strip().split("."):
                    value = value.get(key) if isinstance(value, Mapping) else None
                if value:
                    return str(value)
            return ""

        return re.sub(r"\$\{\{(.*?)\}\}", filled, text)

    def _own(self, summary: Path) -> dict[str, str]:
        files = {
            name: str(self.folder / name.lower()) for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH")
        }
        return {
            **files,
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "LANG": "C.UTF-8",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_STEP_SUMMARY": str(summary),
            "RUNNER_TEMP": str(self.folder / "tmp"),
            **{name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ},
        }

    def _enclosed(self, script: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a script as a runner does, with no network and nothing to write to but this machine's disk."""
        for name in ("home", "tmp"):
            (self.folder / name).mkdir(exist_ok=True)
        file = self.folder / "tmp" / "step.sh"
        file.write_text(script)
        walls = [*WALLS, "--bind", str(self.folder), str(self.folder)]
        if self.caches is not None:
            walls += ["--bind", str(self.caches), str(self.caches)]
        walls += ["--chdir", str(self.workspace), "--clearenv"]
        for name, value in env.items():
            walls += ["--setenv", name, value]
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(file)]
        return subprocess.run(
            [*walls, "--", *shell],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
