"""How fast the gate is against the naive way (one `docker run` for each tool, no caches), and against a tuned one.

    PYTHONPATH=. python scripts/benchmarks/gate.py [--rounds N]

Both judge the same heads in the same image, of a small bot and of this repository: an honest one, and one
with a planted fault of each kind. They take turns, and what is printed is the ratio of each pair, with their
verdicts. All run every check, so that one answer says all there is to mend; planted faults alone are only tried, and only
waited for, where nothing else is wrong.

The gate's own ways: `ahead`, the verdict for a merge, from never-used sandboxes that stand ready; `alike`, the same
with only the usual tools (no trial load, no contracts, no planted faults); `late`, with nothing started before;
`quick`, what the author of a draft hears. The other ways have the usual tools alone (`naive`, `tuned`), and once more
with all else that the gate asks (`naive+`, `tuned+`): so each is compared with the same work.
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

from gate_ways import Said, ahead, late, naive, tools, tuned

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
WAYS = ("ahead", "alike", "late", "quick", "naive", "naive+", "tuned", "tuned+")
RATIOS = (
    *(("naive+", "ahead"), ("naive", "alike"), ("naive+", "late"), ("naive", "quick"), ("naive", "ahead")),
    *(("tuned+", "ahead"), ("tuned", "alike"), ("tuned", "ahead")),
)
"""Which way is so many times slower than which: the same work first, then what does less."""
SAID = ("ahead", "naive", "naive+", "tuned", "tuned+")
"""Whose verdicts are shown, and have to agree."""
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

    def new(*, alike: bool = False) -> Gate:
        """A gate that remembers no verdict; `alike`: with no more than the usual tools."""
        same = subject.rules.gate.model_copy(update={"checks": tuple(tools(subject.rules, cached=True))})
        rules = subject.rules.model_copy(update={"gate": same}) if alike else subject.rules
        return Gate(subject.repo, opened, rules, caches)

    first = await late(new(), subject.base, subject.heads["honest"])
    print(
        f"\n{subject.name}; the first run, with nothing kept of it yet: {first.seconds:.1f} s, {first.verdict}"
    )
    print("seconds, and how many times faster the second is than the first")
    print(
        "head    "
        + "".join(f"{way:>8}" for way in WAYS)
        + "  "
        + "".join(f"{f'{slow}/{fast}':>13}" for slow, fast in RATIOS)
        + f"   verdicts: {' | '.join(SAID)}"
    )
    image, gathered, waited, differ = sandbox.info.image, [], [], 0
    with tuned(subject.repo, subject.rules, image, subject.base) as patient:
        await patient.judge(subject.heads["honest"])  # fills its caches
        for name in [name for name in names if name in subject.heads]:
            base, head = subject.base, subject.heads[name]
            turns: list[dict[str, Said]] = [
                {
                    "ahead": await ahead(new(), base, head),
                    "alike": await ahead(new(alike=True), base, head),
                    "late": await late(new(), base, head),
                    "quick": await ahead(new(), base, head, quick=True),
                    **dict(
                        zip(
                            ("naive", "naive+"),
                            await asyncio.to_thread(naive, subject.repo, subject.rules, image, base, head),
                            strict=True,
                        )
                    ),
                    "tuned": await patient.judge(head),
                    "tuned+": await patient.judge(head, whole=True),
                }
                for _ in range(rounds)
            ]
            times = [statistics.median(turn[way].seconds for turn in turns) for way in WAYS]
            ratios = [
                statistics.median(turn[slow].seconds / turn[fast].seconds for turn in turns)
                for slow, fast in RATIOS
            ]
            gathered.append(ratios)
            said = [turns[-1][way].verdict for way in SAID]
            differ += len({verdict == "passed" for verdict in said}) != 1
            print(
                f"{name:<8}"
                + "".join(f"{each:>8.2f}" for each in times)
                + "  "
                + "".join(f"{each:>13.1f}" for each in ratios)
                + f"   {' | '.join(said)}",
                flush=True,
            )
            waited += [turn["ahead"].getting_ready for turn in turns]
    means = [statistics.geometric_mean(column) for column in zip(*gathered, strict=True)]
    print(f"{'geometric mean':<{8 * (len(WAYS) + 1) + 2}}" + "".join(f"{each:>13.1f}" for each in means))
    print(
        f"what `ahead` uses stood ready {statistics.median(waited):.1f} s after the draft was asked for (median)"
    )
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
