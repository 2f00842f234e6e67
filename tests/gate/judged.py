"""Judges one change to the small repository, with the static policy switched off, as a process of its own.

    PYTHONPATH=COPY python -m tests.gate.judged < WISH

It runs from a copy of this repository in which a part of the gate is missing; `Wish` says what it is told. On stdout
goes one line of JSON: the verdict, and the rules of what was found.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sandbox.choose import Choice, open_sandbox
from sandbox.types import Sandbox
from tests.fakes.small_repo import SmallRepo, small_rules, text
from tests.gate.running import Unguarded
from tests.gate.suite import compiled, rules_of


class Wish(BaseModel):
    """What is to be judged.

    Attributes:
        root: The repository whose sandbox is used.
        home: Where that keeps its caches.
        backend: Which sandbox.
        folder: An empty folder to work in.
        checks: The checks that are asked for.
        gate: Further settings of the gate.
        live: Further folders that are live.
        base: What main has beside the small repository's files.
        change: What the change writes.
        bytecode: Compiled files that it writes, by path, each given as source.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: Path
    home: Path
    backend: Choice
    folder: Path
    checks: tuple[str, ...]
    gate: dict[str, float] = {}
    live: tuple[str, ...] = ()
    base: dict[str, str] = {}
    change: dict[str, str]
    bytecode: dict[str, str] = {}


async def judged(wish: Wish) -> dict[str, object]:
    """What the gate says."""
    small = SmallRepo(wish.folder)
    base = small.change({**wish.base}) if wish.base else small.base
    data: dict[str, bytes | None] = {path: text(source).encode() for path, source in wish.change.items()}
    data |= {path: compiled(text(source), path) for path, source in wish.bytecode.items()}
    head = small.repo.commit(small.repo.write_tree(base, data), [base], "a change")
    sandbox = await open_sandbox(
        wish.backend, root=wish.root, home=wish.home, owner=f"tests-{os.getpid()}", tell=lambda _: None
    )

    async def opened() -> Sandbox:
        return sandbox

    gate = None
    try:
        rules = small_rules(
            wish.folder,
            gate={"checks": wish.checks, **wish.gate},
            zones={"live": ("app/live/", "tests/live/", *wish.live)},
        )
        gate = Unguarded(small.repo, opened, rules, wish.folder / ".git" / "caches")
        report = await gate.judge(base, head)
    finally:
        if gate is not None:
            await gate.release()
        await sandbox.close()
    return {
        "verdict": report.verdict,
        "rules": sorted(rules_of(report)),
        "why": [finding.message for finding in report.findings],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(judged(Wish.model_validate_json(sys.stdin.read())))) + "\n")
