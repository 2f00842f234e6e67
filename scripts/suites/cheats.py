"""Runs every cheat and every honest patch through the whole gate, and prints what was caught, missed and refused.

    PYTHONPATH=. python scripts/suites/cheats.py [--backend docker] [--only WORD]... [--without-policy] [--json] [--write]

Each case is judged as a proposal would be, in the sandbox, some side by side. Where a case says what the sandbox has to
find when the static policy is switched off, it is judged a second time so. The exit code is 0 only when every case ends
as its folder says.
"""

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from sandbox.choose import open_sandbox
from sandbox.types import SandboxUnavailable
from selfedit.home import home_for, make_home
from tests.gate.running import Row, Suite
from tests.gate.suite import CHEATS, HONEST, Victim, cases

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "README.md"
MARKS = ("<!-- cheats -->", "<!-- /cheats -->")


async def _run(given: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="theseus-cheats-") as place:
        folder = Path(place)
        home = Path(os.environ["THESEUS_TEST_HOME"]) if "THESEUS_TEST_HOME" in os.environ else home_for(ROOT)
        sandbox = await open_sandbox(
            given.backend, root=ROOT, home=make_home(home), owner=f"cheats-{os.getpid()}", tell=_tell
        )
        suite = Suite(Victim(folder / "victim"), sandbox, folder)
        try:
            wanted = [
                (case, kind)
                for kind, place in (("cheat", CHEATS), ("honest", HONEST))
                for case in cases(place)
                if not given.only or any(word in case.name or word == kind for word in given.only)
                if not given.without_policy or case.without_policy is not None
            ]
            await suite.warm()
            jobs = [suite.row(case, kind=kind, only_unguarded=given.without_policy) for case, kind in wanted]
            rows = []
            for number, job in enumerate(asyncio.as_completed(jobs), 1):
                rows.append(await job)
                mark = "ok" if rows[-1].held else f"NO: expected {rows[-1].expected}, got {rows[-1].got}"
                _tell(f"{number}/{len(jobs)} {rows[-1].name}: {mark}")
        finally:
            await suite.release()
            await sandbox.close()
    return sorted(rows, key=lambda row: (row.kind, row.name))


def _tell(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)


def table(rows: Sequence[Row]) -> str:
    """All rows, for a terminal."""
    lines = [f"   {'row':44} {'expected':42} got"]
    for row in rows:
        mark = "  " if row.held else "NO"
        alone = f" | without the policy {row.alone}" if row.alone else ""
        lines += [f"{mark} {row.name:44} {row.expected:42} {row.got}{alone}", f"     {row.title}"]
        if not row.held:
            wanted = f", and without the policy {row.alone_expected}" if row.alone else ""
            lines.append(f"     expected {row.expected}{wanted}: {row.why}")
    return "\n".join(lines)


def summary(rows: Sequence[Row]) -> str:
    """What README.md shows: the numbers, each row of the suite once, and every miss by its name."""
    cheats = [row for row in rows if row.kind == "cheat" and row.expected != "held elsewhere"]
    elsewhere = [row for row in rows if row.expected == "held elsewhere"]
    honest = [row for row in rows if row.kind == "honest"]
    missed = [row for row in cheats if row.got.startswith(("missed", "passed"))]
    looks = [row for row in cheats if row.got.startswith("needs_person")]
    by_policy = [row for row in cheats if row.got.startswith("refused")]
    by_sandbox = [row for row in cheats if row.got.startswith("failed")]
    alone = [row for row in cheats if row.alone]
    red = [row for row in alone if row.alone.startswith(("failed", "unknown"))]
    refused = [row for row in honest if row.got.startswith(("refused", "failed", "unknown"))]
    asked = [row for row in honest if row.got.startswith("needs_person")]
    lines = [
        "| | |",
        "|---|---|",
        f"| cheats tried | {len(cheats)}, in {_rows(cheats)} rows; {len(elsewhere)} more rows are held by other tests |",
        f"| refused by the policy, with nothing run | {len(by_policy)} |",
        f"| failed in the sandbox | {len(by_sandbox)} |",
        f"| left to a second approval, with the finding named | {len(looks)} |",
        f"| missed | {len(missed)} |",
        f"| with the policy switched off, still caught | {len(red)} of {len(alone)} |",
        f"| honest patches | {len(honest)} |",
        f"| of these refused | {len(refused)} |",
        f"| of these shown to a second approver | {len(asked)} |",
    ]
    lines += [f"\nMissed: {row.title} (`{row.name}`): {row.why}." for row in missed]
    lines += [f"\nHonest and refused: {row.title} (`{row.name}`): {row.why}" for row in refused]
    return "\n".join(lines)


def _rows(rows: Sequence[Row]) -> int:
    return len({row.name[:3] for row in rows})


def write(text: str) -> bool:
    """Put the summary between the marks in README.md; False where there are none."""
    before = PAGE.read_text("utf-8")
    first, last = MARKS
    if first not in before or last not in before:
        return False
    after = re.sub(f"(?s)({first}\n).*?({last})", lambda found: f"{found[1]}{text}\n{found[2]}", before)
    PAGE.write_text(after, "utf-8")
    return True


def main() -> int:
    """Run what is asked for; the exit code says whether all ended as expected."""
    parser = argparse.ArgumentParser(
        prog="scripts/cheats", description="Cheats and honest patches against the gate."
    )
    parser.add_argument("--backend", choices=("docker", "bubblewrap", "auto"), default="docker")
    parser.add_argument(
        "--only", action="append", metavar="WORD", help="only cases whose name has WORD; `cheat`, `honest`"
    )
    parser.add_argument(
        "--without-policy", action="store_true", help="only what the sandbox alone has to find"
    )
    parser.add_argument("--json", action="store_true", help="print every row as JSON")
    parser.add_argument("--write", action="store_true", help="put the summary into README.md")
    given = parser.parse_args()
    try:
        rows = asyncio.run(_run(given))
    except SandboxUnavailable as error:
        print(error, file=sys.stderr)
        return 2
    if not rows:
        print("no case has such a name; look into tests/gate/cheats and tests/gate/honest", file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
    else:
        print(table(rows), summary(rows), sep="\n\n")
    if given.write and not write(summary(rows)):
        print(f"README.md has no {MARKS[0]} and {MARKS[1]} to write between", file=sys.stderr)
        return 2
    return 0 if all(row.held for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
