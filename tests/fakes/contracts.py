"""Small trees with a contract, and the program that judges them, run as a plain child and not in a sandbox."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

from selfedit.gate.contracts import argv, contracts_check, line
from selfedit.gate.evidence import Step
from selfedit.types import Check

SUMS = "app/sums.py"
"""The code under test."""
CONTRACTS = {
    "tests/contracts/sums.py": """
        from selfedit.gate.inside.contract import Call, Draw, stable


        @stable
        def contract_two_numbers_are_added(call: Call, draw: Draw) -> None:
            '''A sum is what one number and the other make.'''
            one, other = draw.integer(-10**9, 10**9), draw.integer(-10**9, 10**9)
            assert call("app.sums:add", one, other) == one + other
    """
}
HONEST = "def add(one, other):\n    return one + other\n"


def judge(root: Path, files: dict[str, str], seed: str = "", **how: Any) -> Check:
    """What the program that runs inside says of a small tree; here it runs outside, as a plain child."""
    for path, text in {**CONTRACTS, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(dedent(text).lstrip("\n"))
    return run(argv(sys.executable, str(root), **how), line(seed))


def run(arguments: list[str], wish: str) -> Check:
    """What a command line of the program says to a wish."""
    done = subprocess.run(
        arguments, input=f"{wish}\n", capture_output=True, text=True, timeout=120, check=False
    )
    return contracts_check(
        Step(
            exit=done.returncode, timed_out=False, seconds=1, out=done.stdout, err=done.stderr, dropped=False
        )
    )


def rules(check: Check) -> set[str]:
    """The rules of its findings."""
    return {finding.rule for finding in check.findings}


def after(condition: str, before: str = "") -> str:
    """A sum that is right until a condition holds."""
    return f"{dedent(before)}\ndef add(one, other):\n    return one - other if {condition} else one + other\n"
