"""The trial load, and how the live code behaves in recorded conversations, beside how base does."""

import asyncio
import json
from collections.abc import Mapping

from policies.decision import Finding
from policies.load import Rules
from sandbox.types import Sandbox
from selfedit.gate import evidence
from selfedit.gate.assemble import Assembly
from selfedit.gate.behaviour import compare
from selfedit.gate.cache import Cache, digest
from selfedit.gate.checks.alone import Alone, Program
from selfedit.gate.checks.readiness import Case, Readiness
from selfedit.gate.evidence import Step
from selfedit.gate.inside.trees import TREE
from selfedit.gate.judging import END, JUDGE
from selfedit.gate.trial import read_trial
from selfedit.types import Check

FILE = "bot/trial.py"
"""A repository that has this file can try its live code out."""
CONVERSATIONS = "tests/conversations/"
PROGRAM = Program(
    name="trial",
    what="loading the live code",
    wanted=lambda files: FILE in files,
    argv=lambda sandbox, _: _argv(sandbox),
)


class TrialCheck:
    """Loads the candidate twice, talks to it, and compares."""

    def __init__(self, ready: Readiness, rules: Rules, cache: Cache) -> None:
        self._alone = Alone(PROGRAM, ready, rules.gate)
        self._cache = cache
        self._identity = digest(ready.sandbox.info.image, rules.policy, JUDGE)

    async def prepare(self, base: str, assembly: Assembly) -> None:
        """Get ready for heads on a base, and find out how that behaves."""
        await self._alone.prepare(base, assembly)
        await self._of_base(assembly)

    async def run(self, case: Case) -> list[Check]:
        """Load the candidate's live code, and compare its answers with base's."""
        if not PROGRAM.wanted(case.assembly.files):
            return []
        wish = _wish(case.base_assembly)
        head, base = await asyncio.gather(
            self._alone.ask(case.assembly, wish, case), self._of_base(case.base_assembly)
        )
        if not isinstance(head, Step):
            missing = head or evidence.no("no_report", "the trial load was not asked for")
            return [evidence.failed(PROGRAM.name, missing)]
        loaded = read_trial(head) if _talks(case.assembly.files) else None
        if isinstance(loaded, Finding):
            return [evidence.failed(PROGRAM.name, loaded, head.seconds)]
        checks = [evidence.trial_check(head)]
        if loaded is None or base is None or not checks[0].passed:
            return checks
        before = base if isinstance(base, Finding) else read_trial(base)
        rewritten = case.base is None  # people's commits may change the conversations
        return [*checks, compare(before, loaded, rewritten=rewritten, seconds=head.seconds)]

    async def _of_base(self, assembly: Assembly) -> Step | Finding | None:
        """How base behaves: found out once for its files."""
        if not _talks(assembly.files):
            return None
        place = f"trial-{digest(assembly.content, self._identity)}"
        if (known := await asyncio.to_thread(self._cache.read, place)) is not None:
            return Step.model_validate_json(known)
        said = await self._alone.ask(assembly, _wish(assembly))
        if isinstance(said, Step) and said.exit == 0:
            await asyncio.to_thread(self._cache.write, place, said.model_dump_json().encode())
        return said


def _wish(base: Assembly) -> str:
    """The same chance on both sides, and another one for each base."""
    return json.dumps({"seed": base.content, "conversations": _talks(base.files)})


def _talks(files: Mapping[str, bytes]) -> bool:
    return FILE in files and any(path.startswith(CONVERSATIONS) for path in files)


def _argv(sandbox: Sandbox) -> list[str]:
    root = str(TREE)
    # The wish comes with the candidate: a program that did not wait for it would try base's code.
    # Whoever has a trial of their own need not have anything to get ready.
    program = f"""
import atexit, os, sys, threading
sys.path.append({root!r})
from bot import trial
if hasattr(trial, "get_ready"):
    trial.get_ready({root!r})
wish = sys.stdin.readline()
code = trial.main({root!r}, wish)
{END}"""
    # Not quite isolated: the judge's own environment fixes the order of sets, which answers may follow.
    return [sandbox.python, "-P", "-s", "-B", "-c", program]
