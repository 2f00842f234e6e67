"""Contracts: what main promises of its live code, asked of a process that shares nothing with what compares.

`tests/contracts/*.py` are main's, so no proposal can change them. Inside the sandbox one process holds them and a
fresh seed; another holds the code under test, and answers over a socket with plain values. What lives in the second
can neither see the comparison nor take part in it. They are tried a second and third time with the clock ahead.

`python -m selfedit.gate.contracts --seed SEED` tries those of the folder at hand, without a sandbox.
"""

import argparse
import json
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from policies.decision import Finding
from selfedit.gate import evidence
from selfedit.gate.inside.contracts import FOLDER, HELPERS
from selfedit.gate.judging import START, bundle, inside
from selfedit.types import Check

NAME = "contracts"
YEAR = 31_557_600
"""Seconds."""
_PARTS = ("trees", "programs", "report", "contract", "asking", "contracts")


class _Found(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rule: str
    path: str
    line: int | None
    message: str


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    contracts: int
    calls: int
    shifts: list[int]
    seed: str
    seconds: float
    findings: list[_Found]


def wanted(files: Iterable[str]) -> bool:
    """Whether a repository with these files has contracts."""
    return any(
        re.fullmatch(rf"{FOLDER}/[^/]+\.py", path) and not path.endswith(f"/{HELPERS}") for path in files
    )


def argv(
    python: str,
    tree: str,
    path: Sequence[str] = (),
    *,
    shifts: Sequence[int] | None = None,
    runs: int = 25,
    seconds: float = 10.0,
    call_seconds: float = 5.0,
    start_seconds: float = 20.0,
) -> list[str]:
    """The program that judges contracts inside; it gets ready and waits for `line` on stdin.

    Args:
        python: The interpreter inside.
        tree: The repository's root inside.
        path: Where modules are looked for, after Python's own places.
        shifts: How far ahead the clocks are that they are tried under, in seconds; where nothing is given, today's,
            and two at moments that nobody can foresee, more than a year and more than ten years ahead.
        runs: How often each contract is tried with new values.
        seconds: How long all of them may take under one clock.
        call_seconds: How long one answer may take.
        start_seconds: How long the code under test may take to load.
    """
    plan = {
        "tree": tree,
        "path": list(path or [tree]),
        "shifts": [0, *(years * YEAR + secrets.randbelow(YEAR) for years in (1, 10))]
        if shifts is None
        else list(shifts),
        "runs": runs,
        "seconds": seconds,
        "call_seconds": call_seconds,
        "start_seconds": start_seconds,
    }
    return [python, "-I", "-B", "-c", START, json.dumps(plan), inside("subject"), bundle(*_PARTS)]


def line(seed: str = "", only: Sequence[str] | None = None) -> str:
    """The wish: which values to draw (fresh ones where no seed is given), and which contracts to try (all)."""
    return json.dumps({"seed": seed or secrets.token_hex(8), "only": None if only is None else list(only)})


def contracts_check(step: evidence.Step) -> Check:
    """What the judge of contracts said: the last line that it wrote, as JSON."""
    if step.timed_out:
        late = evidence.no("timed_out", f"asking the live code did not end in {step.seconds:.0f} s")
        return evidence.failed(NAME, late, step.seconds)
    lines = step.out.strip().splitlines()
    try:
        said = _Said.model_validate_json(lines[-1] if lines else "")
    except ValidationError:
        hint = next((text.strip() for text in reversed(step.err.splitlines()) if text.strip()), "")
        message = f"the judge of contracts ended (exit code {step.exit}) without a report{f': {hint[:300]}' if hint else ''}"
        return evidence.failed(NAME, evidence.no("no_report", message), step.seconds)
    if step.dropped or step.exit != (1 if said.findings else 0):
        message = f"the judge of contracts ended with exit code {step.exit}, which is not what it reported"
        return evidence.failed(NAME, evidence.no("exit_mismatch", message), step.seconds)
    if not said.findings and not (said.contracts and said.calls):
        message = "the judge of contracts asked nothing"
        return evidence.failed(NAME, evidence.no("no_report", message), step.seconds)
    findings = tuple(Finding(rule=f.rule, path=f.path, line=f.line, message=f.message) for f in said.findings)
    many = len(findings)
    summary = f"{said.contracts} contracts hold in {said.calls} calls under {len(said.shifts)} clocks"
    if many:
        summary = findings[0].message if many == 1 else f"{many} contracts do not hold"
    return Check(
        name=NAME,
        passed=not many,
        seconds=step.seconds,
        summary=summary,
        findings=findings[: evidence.MOST_FINDINGS],
    )


def main(arguments: Sequence[str]) -> int:
    """Try the contracts of the folder at hand."""
    parser = argparse.ArgumentParser(prog="python -m selfedit.gate.contracts", description=main.__doc__)
    parser.add_argument("--seed", default="", help="the seed that a finding names, its clock included")
    parser.add_argument("only", nargs="*", help="names of contracts; all where none is given")
    asked = parser.parse_args(arguments)
    seed, _, shift = asked.seed.partition("@")
    if shift and not shift.isdecimal():
        parser.error(
            f"{asked.seed!r} is no seed; give it as a finding names it, such as 5f3a or 5f3a@31557600"
        )
    shifts = None if not asked.seed else [int(shift or 0)]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(Path.cwd(), tree, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        done = subprocess.run(
            argv(sys.executable, str(tree), shifts=shifts),
            input=line(seed, asked.only or None) + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
    check = contracts_check(
        evidence.Step(
            exit=done.returncode, timed_out=False, seconds=0, out=done.stdout, err=done.stderr, dropped=False
        )
    )
    for found in check.findings:
        sys.stdout.write(f"{found.path}:{found.line or ''}: {found.message}\n")
    sys.stdout.write(f"{check.summary}\n")
    return 0 if check.passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
