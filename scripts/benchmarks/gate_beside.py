"""What the gate asks beside the usual tools, as single commands: for comparing it with the same work done plainly.

The programs are the gate's own, and so is the reading of what they say, but that nobody compares how two of them behave.
What differs is how they are run.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from policies.load import Rules
from selfedit.gate import change, contracts, evidence
from selfedit.gate.assemble import Assembly, assemble
from selfedit.gate.checks.tests import pytest_arguments
from selfedit.gate.checks.trial import CONVERSATIONS, FILE
from selfedit.gate.evidence import Step
from selfedit.repo import Repo
from selfedit.types import Check

LAST = change.NAME
"""What is only asked where nothing else is wrong."""
WHERE = "/tmp/judged"  # noqa: S108 - in a container that is one's own
TRY_LOAD = f"""
import sys
sys.path.append("{WHERE}/repo")
from bot.trial import main
sys.exit(main("{WHERE}/repo", sys.stdin.readline()))
"""
SCRIPT = f'rm -rf {WHERE} && mkdir {WHERE} && cd {WHERE} && tar -xm && cd repo && exec "$@" < ../asked'
"""What a shell in a container runs: it gets the files as an archive, and as arguments a command."""


@dataclass(frozen=True, slots=True)
class Beside:
    """One command of those beside the tools.

    Attributes:
        name: Of the check.
        argv: What is run, in the folder of the repository.
        folders: The files that it needs, by folder; `asked` is what it reads from stdin.
        reads: What the gate makes of what it said.
    """

    name: str
    argv: list[str]
    folders: Mapping[str, Mapping[str, bytes]]
    reads: Callable[[Step], Check]

    def failed(self, code: int, out: bytes, err: bytes) -> bool:
        """Whether it has something against the change."""
        said = (out.decode(errors="replace"), err.decode(errors="replace"))
        step = Step(exit=code, timed_out=False, seconds=0, out=said[0], err=said[1], dropped=False)
        return not self.reads(step).passed


def beside(repo: Repo, rules: Rules, base: str, head: str, *, base_known: bool) -> list[Beside]:
    """The commands for a change.

    Args:
        repo: Where the commits are.
        rules: What the gate is asked to check.
        base: What the change is judged on.
        head: The change.
        base_known: How base itself behaves is known from before.
    """
    before, after = assemble(repo, base, base, rules), assemble(repo, base, head, rules)
    found = []
    if "trial" in rules.gate.checks and FILE in after.files:
        found += [_trial(each, before) for each in ([after] if base_known else [after, before])]
    if "contracts" in rules.gate.checks and contracts.wanted(after.files):
        argv = contracts.argv(
            "python", f"{WHERE}/repo", [f"{WHERE}/repo/{folder}" for folder in after.settings.path]
        )
        found.append(Beside(contracts.NAME, argv, _with(after, contracts.line()), contracts.contracts_check))
    asked = _wish(rules, before, after) if "change" in rules.gate.checks else None
    if asked is not None:
        argv = change.argv("python", f"{WHERE}/repo", f"{WHERE}/base", after.settings.path)
        folders = {**_with(after, asked.line()), "base": before.files}
        found.append(Beside(change.NAME, argv, folders, lambda step: change.change_check(step, asked)))
    return found


def _trial(assembly: Assembly, base: Assembly) -> Beside:
    talks = any(path.startswith(CONVERSATIONS) for path in base.files)
    asked = json.dumps({"seed": base.content, "conversations": talks})
    argv = ["python", "-P", "-s", "-B", "-c", TRY_LOAD]
    return Beside("trial", argv, _with(assembly, asked), evidence.trial_check)


def _wish(rules: Rules, before: Assembly, after: Assembly) -> change.Wish | None:
    return change.wish(
        before.files,
        after.files,
        rules.zones,
        pytest=pytest_arguments(after, rules.gate.pytest_plugins),
        tests=after.settings.tests or (".",),
        seconds=rules.change_tests.seconds,
        most=rules.change_tests.mutants,
    )


def _with(assembly: Assembly, asked: str) -> dict[str, Mapping[str, bytes]]:
    return {"repo": assembly.files, ".": {"asked": asked.encode() + b"\n"}}
