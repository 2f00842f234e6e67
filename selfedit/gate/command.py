"""The `gate` command: judges one head on one base, prints the report, and says it with its exit code.

0 passed, 1 refused or failed, 2 could not be judged.
"""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

from rich.console import Console
from rich.table import Table
from rich.text import Text

from policies.decision import Severity
from policies.load import Rules, RulesProblem, load_rules
from sandbox.choose import Choice, open_sandbox
from sandbox.types import Sandbox, SandboxUnavailable
from selfedit.commands import GitFailed
from selfedit.gate.evidence import failed, no
from selfedit.gate.gate import Gate
from selfedit.home import HomeProblem, home_for, make_home
from selfedit.ports import Tell
from selfedit.repo import Repo, RepoProblem
from selfedit.types import Check, GateReport

PROJECT = Path(__file__).resolve().parents[2]
"""Theseus itself: what the sandbox is made from, whatever repository is judged."""
CHOICES: tuple[str, ...] = get_args(Choice)
EXITS = {"passed": 0, "refused": 1, "failed": 1, "unknown": 2}
_COLOURS = {"passed": "green", "refused": "red", "failed": "red", "unknown": "yellow"}


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m selfedit gate", description="Judge a commit as the gate does."
    )
    parser.add_argument("--repo", type=Path, required=True, help="the git repository")
    parser.add_argument("--base", required=True, help="the commit of main to judge on")
    parser.add_argument("--head", required=True, help="the commit that asks to be merged")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--rules", type=Path, help="a TOML file laid over policies/rules.toml")
    parser.add_argument(
        "--by-person", action="store_true", help="judge head as a commit that people made on main"
    )
    given = parser.parse_args(argv)
    tell: Tell = (lambda _: None) if given.json or not sys.stderr.isatty() else _progress
    report = asyncio.run(_judge(given, tell))
    if given.json:
        print(report.model_dump_json(indent=2))  # noqa: T201 - the command's answer
    elif report.verdict != "unknown" or len(report.checks) > 1:
        show(report, Console(highlight=False))
        return EXITS[report.verdict]
    if report.verdict == "unknown":
        print(report.complaint, file=sys.stderr)  # noqa: T201 - the reason, for people
    return EXITS[report.verdict]


def show(report: GateReport, console: Console) -> None:
    """Print a report for people."""
    table = Table("check", "", "seconds", "found", box=None, pad_edge=False)
    for check in report.checks:
        mark = Text("ok", "green") if check.passed else Text("no", "red")
        table.add_row(check.name, mark, f"{check.seconds:.1f}", Text(check.summary))
    console.print(table)
    for check in report.checks:
        for finding in check.findings:
            if finding.message == check.summary and not finding.path:
                continue  # it stands in the table
            weight = "" if finding.severity is Severity.REFUSE else f"({finding.severity.value}) "
            line = f"{finding.place}{weight}{finding.message} [{finding.rule}]"
            console.print(Text(line), soft_wrap=True)
    where = "no sandbox was started"
    if report.sandbox is not None:
        where = f"in {report.sandbox.backend}{', with less than the full protection' if report.sandbox.reduced else ''}"
    verdict = Text(report.verdict, f"bold {_COLOURS[report.verdict]}")
    console.print(Text.assemble(verdict, f" after {report.seconds:.1f} s, {where}"))


async def _judge(given: argparse.Namespace, tell: Tell) -> GateReport:
    policy, base, head = "", str(given.base), str(given.head)
    try:
        rules = load_rules(given.rules)
        policy = rules.policy
        repo = Repo(given.repo, rules.repo.branch)
        commits = [repo.resolve(rev) for rev in (base, head)]
        for rev, commit in zip((base, head), commits, strict=True):
            if commit is None:
                return _cannot(
                    policy, base, head, f"{rev!r} names no commit in {given.repo}; look at: git log --all"
                )
        base, head = (str(commit) for commit in commits)
        async with contextlib.AsyncExitStack() as stack:
            opener = Opener(rules, tell)
            stack.push_async_callback(opener.close)
            gate = Gate(repo, opener, rules, make_home(home_for(PROJECT)) / "caches")
            stack.push_async_callback(gate.release)
            return await gate.judge(base, head, by_person=given.by_person, tell=tell)
    except (RulesProblem, RepoProblem, HomeProblem, GitFailed, SandboxUnavailable, OSError) as error:
        return _cannot(policy, base, head, str(error))


def _cannot(policy: str, base: str, head: str, why: str) -> GateReport:
    check: Check = failed("gate", no("not_judgeable", why))
    return GateReport(verdict="unknown", base=base, head=head, policy=policy, checks=(check,))


class Opener:
    """Opens the sandbox when the gate asks for it, and closes it at the end."""

    def __init__(self, rules: Rules, tell: Tell) -> None:
        self._rules = rules
        self._tell = tell
        self._opened: Sandbox | None = None

    async def __call__(self) -> Sandbox:
        """The sandbox that the environment and the rules ask for.

        Raises:
            SandboxUnavailable: There is none.
        """
        choice = os.environ.get("THESEUS_SANDBOX") or "auto"
        if choice not in CHOICES:
            raise SandboxUnavailable(
                f"THESEUS_SANDBOX is {choice!r}; set it to {', '.join(CHOICES[:-1])} or {CHOICES[-1]}"
            )
        if self._opened is None:
            self._opened = await open_sandbox(
                cast("Choice", choice),
                root=PROJECT,
                home=make_home(home_for(PROJECT)),
                owner=f"gate-{os.getpid()}",
                tell=self._tell,
                require_docker=self._rules.sandbox.require_docker,
                runtime=self._rules.sandbox.runtime,
            )
        return self._opened

    async def close(self) -> None:
        """Let the sandbox go, if there is one."""
        if self._opened is not None:
            await self._opened.close()


def _progress(text: str) -> None:
    print(f"… {text}", file=sys.stderr)  # noqa: T201 - progress, for people
