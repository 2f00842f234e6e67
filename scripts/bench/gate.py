"""How fast the gate is against the naive way: one `docker run` for each tool, one after the other, no caches.

    PYTHONPATH=. python scripts/bench/gate.py [--rounds N]

Both judge the same heads of this repository in the same image: an honest one, and one with a planted fault
of each kind. They take turns, and what is printed is the ratio of each pair, with both verdicts. Both run
every tool, so that one answer says all there is to mend.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from policies.load import Rules, load_rules
from sandbox.choose import open_sandbox
from sandbox.types import Sandbox, SandboxUnavailable
from selfedit.assemble import assemble, pack
from selfedit.gate import Gate
from selfedit.home import home_for, make_home
from selfedit.repo import Repo

ROOT = Path(__file__).resolve().parents[2]
FEATURE = "bot/live/help/feature.py"
FAULTS = {
    "honest": "\n\nBENCHED = 1\n",
    "format": "\n\nBENCHED  =  [1,2]\n",
    "lint": "\n\ndef benched() -> None:\n    unused = 1\n",
    "types": '\n\ndef benched() -> int:\n    return "one"\n',
    "imports": "",
    "tests": "",
}


def main() -> int:
    """Run the comparison; 1 where the two ways disagree, 2 where it cannot be run."""
    parser = argparse.ArgumentParser(description="Compare the gate with one `docker run` for each tool.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repo", type=Path, default=ROOT, help="judge this clone of the project instead")
    parser.add_argument("--heads", nargs="+", default=list(FAULTS), choices=list(FAULTS), help="only these")
    given = parser.parse_args()
    if shutil.which("docker") is None:
        print("the naive way needs the docker command; install it to compare", file=sys.stderr)
        return 2
    try:
        return asyncio.run(compare(given.repo, given.rounds, given.heads))
    except SandboxUnavailable as error:
        print(error, file=sys.stderr)
        return 2


async def compare(root: Path, rounds: int, names: Sequence[str]) -> int:
    """Judge each head in both ways, in turns, and print the ratios."""
    rules = load_rules()
    home = make_home(home_for(ROOT))
    sandbox = await open_sandbox("docker", root=ROOT, home=home, owner=f"bench-{os.getpid()}", tell=print)
    differ = 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            repo, base, heads = _repository(root, Path(folder))
            caches = Path(folder) / "caches"

            async def opened() -> Sandbox:
                return sandbox

            first = await _gate(Gate(repo, opened, rules, caches), base, heads["honest"])
            print(f"first run on a base, nothing kept of it yet: {first[1]:.1f} s, {first[0]}\n")
            print(f"{'head':<8} {'gate':>8} {'naive':>8} {'ratio':>6}   verdicts")
            ratios: list[float] = []
            for name in names:
                head = heads[name]
                pairs = []
                for _ in range(rounds):
                    new = Gate(repo, opened, rules, caches)  # one that remembers no verdict
                    fast = await _gate(new, base, head)
                    slow = await asyncio.to_thread(_naive, repo, sandbox, rules, base, head)
                    pairs.append((fast, slow))
                mine, naive = pairs[-1][0][0], pairs[-1][1][0]
                differ += (mine == "passed") != (naive == "passed")
                ratio = statistics.median(slow[1] / fast[1] for fast, slow in pairs)
                ratios.append(ratio)
                seconds = [statistics.median(pair[way][1] for pair in pairs) for way in (0, 1)]
                print(f"{name:<8} {seconds[0]:>6.1f} s {seconds[1]:>6.1f} s {ratio:>6.1f}   {mine} / {naive}")
            print(
                f"\nhonest: {ratios[0]:.1f} times as fast; all: {statistics.geometric_mean(ratios):.1f} times (geometric mean)"
            )
    finally:
        await sandbox.close()
    if differ:
        print(f"{differ} verdicts differ", file=sys.stderr)
    return 1 if differ else 0


def _repository(root: Path, folder: Path) -> tuple[Repo, str, dict[str, str]]:
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(root), str(folder / "repo")], check=True)
    repo = Repo(folder / "repo", load_rules().repo.branch)
    base = repo.main()
    entry = repo.entries(base)[FEATURE]
    text = repo.blobs([entry.sha])[entry.sha].decode()
    heads = {}
    for name, fault in FAULTS.items():
        new = text + fault
        if name == "imports":
            new = (
                text.replace(
                    "\nfrom bot.feature", "\nfrom ..chat import feature as other\nfrom bot.feature", 1
                )
                + "\n\nOTHER = other\n"
            )
        if name == "tests":
            new = text.replace(
                "    registry.command(", '    raise RuntimeError("benched")\n    registry.command(', 1
            )
        heads[name] = repo.commit(repo.write_tree(base, {FEATURE: new.encode()}), [base], name)
    return repo, base, heads


async def _gate(gate: Gate, base: str, head: str) -> tuple[str, float]:
    report = await gate.judge(base, head)
    wrong = [check.name for check in report.checks if not check.passed]
    return (report.verdict if not wrong else f"{report.verdict} ({', '.join(wrong)})"), report.seconds


def _naive(repo: Repo, sandbox: Sandbox, rules: Rules, base: str, head: str) -> tuple[str, float]:
    started = time.monotonic()
    archive = pack({".": assemble(repo, base, head, rules).files})
    tests = " ".join(rules.gate.tests)
    tools = {
        "format": "ruff format --no-cache --check .",
        "lint": "ruff check --no-cache .",
        "types": "mypy --cache-dir=/dev/null",
        "imports": "lint-imports --no-cache",
        "tests": f"python -B -m pytest -q -p no:cacheprovider {tests}",
    }
    wrong = [name for name, tool in tools.items() if not _passes(sandbox.info.image, tool, archive)]
    return f"failed ({', '.join(wrong)})" if wrong else "passed", time.monotonic() - started


def _passes(image: str, tool: str, archive: bytes) -> bool:
    script = f"mkdir /tmp/repo && cd /tmp/repo && tar -x && {tool}"
    command: Sequence[str] = [
        "docker",
        "run",
        "--rm",
        "-i",
        "--network",
        "none",
        "-e",
        "GIT_PYTHON_REFRESH=quiet",
        image,
        "sh",
        "-c",
        script,
    ]
    return subprocess.run(command, input=archive, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
