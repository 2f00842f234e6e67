"""What the tests of the gate share: one opened sandbox for all of them, and a gate on a small repository."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.types import Command, Outcome, Sandbox, SandboxInfo, Started
from selfedit.gate.gate import Gate
from selfedit.types import GateReport
from tests.fakes.small_repo import SmallRepo, small_rules


class Counting:
    """A real sandbox that also remembers what it was asked to run."""

    def __init__(self, inner: Sandbox) -> None:
        self.inner = inner
        self.purposes: list[str] = []
        self.started: list[Started] = []

    @property
    def info(self) -> SandboxInfo:
        """What the sandbox is."""
        return self.inner.info

    @property
    def python(self) -> str:
        """Its interpreter."""
        return self.inner.python

    @property
    def type_cache(self) -> str:
        """Its cache of types."""
        return self.inner.type_cache

    async def run(self, command: Command) -> Outcome:
        """Run, and remember."""
        self.purposes.append(command.purpose)
        return await self.inner.run(command)

    def start_ahead(self, command: Command, *, wait_seconds: float) -> Started:
        """Start ahead, and remember."""
        self.purposes.append(command.purpose)
        self.started.append(self.inner.start_ahead(command, wait_seconds=wait_seconds))
        return self.started[-1]

    async def close(self) -> None:
        """Close."""
        await self.inner.close()


class GateWorld:
    """A small repository and a gate on it."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        (folder / "repo").mkdir()
        self.small = SmallRepo(folder / "repo")
        self.sandbox = Counting(sandbox)
        self._gates: list[Gate] = []

    def gate(self, **sections: dict[str, object]) -> Gate:
        """A gate under the small repository's rules, with some values of some sections replaced."""

        async def opened() -> Sandbox:
            return self.sandbox

        rules = small_rules(self.folder, **sections)
        self._gates.append(Gate(self.small.repo, opened, rules, self.folder / "caches"))
        return self._gates[-1]

    async def release(self) -> None:
        """Release all its gates."""
        for gate in self._gates:
            await gate.release()

    async def judge(self, head: str, *, by_person: bool = False, **sections: dict[str, object]) -> GateReport:
        """Judge a head on main's first commit."""
        return await self.gate(**sections).judge(self.small.base, head, by_person=by_person)


LENIENT: dict[str, object] = {"tests": ()}
"""Zones under which the policy has nothing to say on tests."""


def failing(report: GateReport) -> set[str]:
    """The names of the checks that said no."""
    return {check.name for check in report.checks if not check.passed}


def rules_of(report: GateReport) -> set[str]:
    """The rules of all findings."""
    return {finding.rule for finding in report.findings}


@pytest.fixture
def opened_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """The sandbox that THESEUS_SANDBOX asks for; Docker, or else bubblewrap, where it says nothing."""
    asked = os.environ.get("THESEUS_SANDBOX") or "auto"
    names = ["docker", "bubblewrap"] if asked == "auto" else [asked]
    for name in names[:-1]:
        with contextlib.suppress(pytest.skip.Exception):
            first: Sandbox = request.getfixturevalue(f"{name}_sandbox")
            return first
    last: Sandbox = request.getfixturevalue(f"{names[-1]}_sandbox")
    return last


@pytest.fixture
async def world(tmp_path: Path, opened_sandbox: Sandbox) -> AsyncIterator[GateWorld]:
    """A gate on a small repository of its own."""
    made = GateWorld(tmp_path, opened_sandbox)
    yield made
    await made.release()
