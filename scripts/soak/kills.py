"""Kills steward or bot with `kill -9` at random moments of propose, approve and roll back, and looks at what is left.

    PYTHONPATH=. python scripts/soak/kills.py [--count 300] [--seed 1]

After each restart: `main` is a tree that the gate passes, what runs is `main`, the ledger verifies, nothing waits
half done, and no lock, worktree, branch or container is left over. Prints one line a kill and a summary; exits 1 on
the first thing that does not hold, naming the seed that shows it again.
"""

import argparse
import asyncio
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from selfedit import protocol as say
from selfedit.editing.edits import parse_edits
from selfedit.home import socket_path
from selfedit.types import Proposal, Request, Stage
from tests.fakes.world import FAST, World, clone, git

RULES = FAST.replace("[gate]", '[gate]\nchecks = ["format", "lint", "imports", "tests"]')
"""What is killed here is the life of a proposal; the checks that take longest have tests of their own."""
PROMPT = "agent/live/prompts/chat.md"
ME = "console:soak"


def wish(number: int) -> Request:
    """A small change that is different every time."""
    text = f"Answer briefly and kindly. Variant {number}.\n"
    edits = parse_edits(json.dumps([{"op": "write_text", "path": PROMPT, "text": text}]))
    return Request(requested_by=ME, edits=edits)


async def story(world: World, number: int) -> None:
    """Propose, approve, roll back: whatever of it still can be done when somebody is killed."""
    with contextlib.suppress(ConnectionError, OSError):
        answer = await world.ask(say.Improve(request=wish(number)))
        if isinstance(answer, say.ProposalIs) and answer.proposal.stage is Stage.OPENED:
            approved = await world.ask(say.Approve(number=answer.proposal.number, by=ME))
            if isinstance(approved, say.ProposalIs):
                await world.ask(say.Rollback(number=approved.proposal.number, by=ME))


async def settled(world: World) -> say.StatusIs:
    """Wait until nothing is under way: no proposal between stages, nothing under watch, `main` running."""
    end = time.monotonic() + 90
    while True:
        status = await world.until(lambda s: bool(s.running) and s.running == s.main, 90)
        listed = await world.ask(say.Proposals(limit=1000))
        moving = [p for p in listed.proposals if p.stage in UNDER_WAY]
        if not moving and status.provisional_seconds is None:
            return status
        if time.monotonic() > end:
            raise AssertionError(f"it does not come to rest: {[(p.number, p.stage.value) for p in moving]}")
        await asyncio.sleep(0.1)


UNDER_WAY = (Stage.REQUESTED, Stage.DRAFTED, Stage.GATED, Stage.APPROVED, Stage.MERGED, Stage.LIVE)


async def faults(world: World, status: say.StatusIs, good: set[str]) -> list[str]:
    """What does not hold, a sentence each."""
    found = []
    root = world.root
    listed = await world.ask(say.Proposals(limit=1000))
    proposals: tuple[Proposal, ...] = listed.proposals
    good |= {p.report.tree for p in proposals if p.report is not None and p.report.verdict == "passed"}
    if git(root, "rev-parse", "main^{tree}") not in good:
        found.append(f"main {status.main[:12]} is no tree that passed")
    found += [f"left over: {lock.relative_to(root)}" for lock in (root / ".git").rglob("*.lock")]
    if git(root, "status", "--porcelain"):
        found.append(f"the working tree is dirty: {git(root, 'status', '--porcelain')}")
    if len(git(root, "worktree", "list").splitlines()) != 1:
        found.append("a worktree is left over")
    opened = {p.branch for p in proposals if p.stage is Stage.OPENED}
    branches = set(git(root, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()) - {"main"}
    if branches != opened:
        found.append(f"branches {branches} where {opened} are open")
    if containers := containers_of(world.home):
        found.append(f"containers are left over: {containers}")
    verified = subprocess.run(  # noqa: ASYNC221 - nothing else is to happen meanwhile
        [sys.executable, "-m", "selfedit", "verify"],
        cwd=root,
        env=world.env,
        capture_output=True,
        text=True,
        check=False,
    )
    if verified.returncode:
        found.append(f"verify: {verified.stdout}{verified.stderr}")
    return found


def containers_of(home: Path) -> str:
    """Containers of a home, as the engine lists them; empty where there is no engine."""
    try:
        listed = subprocess.run(
            ["docker", "ps", "-aq", "--filter", f"label=theseus.owner={socket_path(home).stem}"],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return listed.stdout.strip()


async def run(count: int, seed: int, folder: Path, caches: Path | None) -> int:
    """Run the kills; how many were survived."""
    root = clone(folder / "repo", RULES)
    home = folder / "home"
    home.mkdir()
    if caches is not None:
        (home / "caches").symlink_to(caches)
    world = World(root, home)
    good = {git(root, "rev-parse", "main^{tree}")}
    span = 6.0
    async with world:
        for turn in range(count):
            dice = random.Random(f"{seed}/{turn}")  # noqa: S311 - a seeded choice is the point
            whom, after = dice.choice(["steward", "bot"]), dice.uniform(0, span)
            status = await settled(world)
            for open_one in (await world.ask(say.Proposals(limit=50))).proposals:
                if open_one.stage is Stage.OPENED:
                    await world.ask(say.Reject(number=open_one.number, by=ME))
            began = time.monotonic()
            telling = asyncio.create_task(story(world, turn))
            await asyncio.wait([telling], timeout=after)
            if telling.done():
                span = 0.8 * span + 0.2 * (time.monotonic() - began)  # aim inside of the story, not after it
            world.kill(whom, status)
            await asyncio.gather(telling, return_exceptions=True)
            if whom == "steward":
                await world.ended()
                await world.end()
                await world.start()
            status = await settled(world)
            if wrong := await faults(world, status, good):
                print(f"turn {turn} (seed {seed}, {whom} killed after {after:.2f} s):", *wrong, sep="\n  ")
                print(world.printed()[-3000:])
                return turn
            print(f"{turn + 1:>4}/{count} {whom:<7} killed after {after:5.2f} s: all holds", flush=True)
    return count


def main() -> int:
    """Run as asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--caches", type=Path, help="a caches folder of another home, to save time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="theseus-soak-") as folder:
        survived = asyncio.run(run(given.count, given.seed, Path(folder), given.caches))
    print(f"{survived} of {given.count} kills survived (seed {given.seed})")
    return 0 if survived == given.count else 1


if __name__ == "__main__":
    sys.exit(main())
