"""How fast the gate is against the naive way (one `docker run` for each tool, no caches), and against a tuned one.

    PYTHONPATH=. python scripts/benchmarks/gate.py [--rounds N]

Both judge the same heads in the same image, of a small bot and of this repository: an honest one, and one
with a planted fault of each kind. They take turns, and what is printed is the ratio of each pair, with both
verdicts. Both run every tool, so that one answer says all there is to mend.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gate_ways import ahead, late, naive, tuned

from policies.load import Rules, load_rules
from sandbox.choose import open_sandbox
from sandbox.types import Sandbox, SandboxUnavailable
from selfedit.gate.gate import Gate
from selfedit.home import home_for, make_home
from selfedit.repo import Repo
from tests.fakes.small_repo import FAULTS as PLANTED
from tests.fakes.small_repo import FILES, GREET, SmallRepo, small_rules

ROOT = Path(__file__).resolve().parents[2]
FEATURE = "bot/live/choose/feature.py"
SET_UP = "    registry.command("
FAULTS = {
    "honest": ("I choose {picked}.", "My choice is {picked}."),
    "format": ('registry.command("choose"', 'registry.command( "choose"'),
    "lint": (SET_UP, f"    unused = 1\n{SET_UP}"),
    "types": (SET_UP, f"    registry.nothing()\n{SET_UP}"),
    "tests": ("if option and option not in found:", "if option not in found[1:]:"),
}
CLIENT = '''
    """The edge to Discord."""

    import discord
    from pydantic import BaseModel

    from app.core import polite


    class Said(BaseModel):
        """What somebody said."""

        author: str
        text: str


    def heard(message: discord.Message) -> Said:
        """Take what is needed out of a message."""
        return Said(author=polite(message.author.name), text=message.content)
'''


def main() -> int:
    """Run the comparison; 1 where the two ways disagree, 2 where it cannot be run."""
    parser = argparse.ArgumentParser(description="Compare the gate with one `docker run` for each tool.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repo", type=Path, default=ROOT, help="judge this clone of the project instead")
    parser.add_argument("--small", action="store_true", help="only the small bot")
    parser.add_argument("--heads", nargs="+", default=list(PLANTED), choices=list(PLANTED), help="only these")
    given = parser.parse_args()
    if shutil.which("docker") is None:
        print("the naive way needs the docker command; install it to compare", file=sys.stderr)
        return 2
    try:
        return asyncio.run(compare(None if given.small else given.repo, given.rounds, given.heads))
    except SandboxUnavailable as error:
        print(error, file=sys.stderr)
        return 2


@dataclass(frozen=True, slots=True)
class Subject:
    """A repository whose heads are judged."""

    name: str
    repo: Repo
    rules: Rules
    base: str
    heads: Mapping[str, str]


async def compare(root: Path | None, rounds: int, names: Sequence[str]) -> int:
    """Judge each head of each repository in both ways, in turns, and print the ratios."""
    home = make_home(home_for(ROOT))
    sandbox = await open_sandbox("docker", root=ROOT, home=home, owner=f"bench-{os.getpid()}", tell=print)
    differ = 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            own = [] if root is None else [_theseus(root, Path(folder))]
            for subject in [_small(Path(folder)), *own]:
                caches = Path(folder) / subject.name.replace(" ", "-")
                differ += await _turns(subject, sandbox, caches, rounds, names)
    finally:
        await sandbox.close()
    if differ:
        print(f"{differ} verdicts differ", file=sys.stderr)
    return 1 if differ else 0


async def _turns(subject: Subject, sandbox: Sandbox, caches: Path, rounds: int, names: Sequence[str]) -> int:
    async def opened() -> Sandbox:
        return sandbox

    def new() -> Gate:
        """A gate that remembers no verdict."""
        return Gate(subject.repo, opened, subject.rules, caches)

    first = await late(new(), subject.base, subject.heads["honest"])
    print(
        f"\n{subject.name}; the first run, with nothing kept of it yet: {first.seconds:.1f} s, {first.verdict}"
    )
    print(f"{'':<8} {'seconds':^41}   {'times faster than':^34}")
    print(
        f"{'head':<8} {'ahead':>7} {'late':>7} {'quick':>7} {'naive':>8} {'tuned':>8}   "
        f"{'naive':>7} {'(late)':>7} {'(quick)':>8} {'tuned':>7}   verdicts: ahead / naive / tuned"
    )
    image, gathered, differ = sandbox.info.image, [], 0
    with tuned(subject.repo, subject.rules, image, subject.base) as patient:
        await patient.judge(subject.heads["honest"])  # fills its caches
        for name in [name for name in names if name in subject.heads]:
            head = subject.heads[name]
            turns = [
                (
                    await ahead(new(), subject.base, head),
                    await late(new(), subject.base, head),
                    await ahead(new(), subject.base, head, quick=True),
                    await asyncio.to_thread(naive, subject.repo, subject.rules, image, subject.base, head),
                    await patient.judge(head),
                )
                for _ in range(rounds)
            ]
            times = [statistics.median(turn[way].seconds for turn in turns) for way in range(5)]
            ratios = [
                statistics.median(turn[slow].seconds / turn[fast].seconds for turn in turns)
                for slow, fast in ((3, 0), (3, 1), (3, 2), (4, 0))
            ]
            gathered.append(ratios)
            said = [turns[-1][way].verdict for way in (0, 3, 4)]
            differ += len({verdict == "passed" for verdict in said}) != 1
            print(
                f"{name:<8} {times[0]:>7.2f} {times[1]:>7.2f} {times[2]:>7.2f} {times[3]:>8.2f} {times[4]:>8.2f}   "
                f"{ratios[0]:>7.1f} {ratios[1]:>7.1f} {ratios[2]:>8.1f} {ratios[3]:>7.1f}   {' / '.join(said)}"
            )
    means = [statistics.geometric_mean(column) for column in zip(*gathered, strict=True)]
    print(f"{'geometric mean':<50}   {means[0]:>7.1f} {means[1]:>7.1f} {means[2]:>8.1f} {means[3]:>7.1f}")
    return differ


def _small(folder: Path) -> Subject:
    """A small bot: a kernel that uses two large packages, one live feature, a few tests."""
    (folder / "small").mkdir()
    files = {**FILES, "app/client.py": CLIENT}
    small = SmallRepo(folder / "small", files)
    heads = {name: small.edit(GREET, old, new) for name, (old, new) in PLANTED.items()}
    return Subject("a small bot", small.repo, small_rules(folder), small.base, heads)


def _theseus(root: Path, folder: Path) -> Subject:
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(root), str(folder / "repo")], check=True)
    rules = load_rules()
    repo = Repo(folder / "repo", rules.repo.branch)
    base = repo.main()
    entry = repo.entries(base)[FEATURE]
    text = repo.blobs([entry.sha])[entry.sha].decode()
    heads = {}
    for name, (old, new) in FAULTS.items():
        changed = text.replace(old, new, 1)
        heads[name] = repo.commit(repo.write_tree(base, {FEATURE: changed.encode()}), [base], name)
    return Subject("this repository", repo, rules, base, heads)


if __name__ == "__main__":
    sys.exit(main())
