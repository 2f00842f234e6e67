"""Ended by SIGKILL at any point, before and after what it does on GitHub: afterwards ledger and GitHub agree."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from selfedit.types import Stage
from tests.fakes.github.faults import When
from tests.fakes.github.server import GitHub
from tests.github import steward_process
from tests.github.scenarios import at
from tests.github.steward_world import World, on

PUSH, FETCH = r"/git-receive-pack$", r"/git-upload-pack$"


def _red(github: GitHub) -> None:
    github.run(github.pulls[1].head, "check", "failure", "the build says no")


def _green(github: GitHub) -> None:
    github.run(github.pulls[1].head, "check")
    github.review(github.person("ann"), 1, "APPROVED")


def _green_revert(github: GitHub) -> None:
    github.run(github.pulls[2].head, "check")


@dataclass(frozen=True, slots=True)
class Point:
    """Something that the steward does on GitHub, and what people do before it."""

    name: str
    method: str
    path: str
    first: Callable[[GitHub], None] | None = None
    watch: bool = False


POINTS = (
    Point("the draft is pushed", "POST", PUSH),
    Point("a pull request is opened", "POST", r"/pulls$"),
    Point("the gate is said to be at work", "POST", r"/statuses/"),
    Point("the verdict is written into it", "PATCH", r"/pulls/1$"),
    Point("the gate is said to have passed it", "POST", r"/statuses/"),
    Point("it becomes ready", "POST", r"/graphql$"),
    Point("a red check is read", "GET", r"/check-runs", _red),
    Point("the new head is pushed", "POST", PUSH),
    Point("the new words are written", "PATCH", r"/pulls/1$"),
    Point("the gate is said to have passed the new head", "POST", r"/statuses/"),
    Point("an approval is read", "GET", r"/reviews", _green),
    Point("it is merged", "PUT", r"/merge$"),
    Point("the merge is fetched", "POST", FETCH),
    Point("its branch is taken away", "POST", PUSH),
    Point("what takes it back is pushed", "POST", PUSH, watch=True),
    Point("what takes it back is shown", "POST", r"/pulls$", watch=True),
    Point("the gate is said to have passed that", "POST", r"/statuses/", watch=True),
    Point("it is taken back", "PUT", r"/merge$", _green_revert, watch=True),
)
"""In the order in which they come; at each another process ends."""


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_at_every_point(github: GitHub, tmp_path: Path, when: When) -> None:
    """One pull request for each thing, no merge without a verdict, and agreement after the last start."""
    await at(github, tmp_path).close()
    github.protect(checks=("check",))
    for point in POINTS:
        if point.first is not None:
            point.first(github)
        held = github.hold(point.method, point.path, when)
        process = started(github, tmp_path, watch=point.watch)
        await met(held.arrived(), process, point.name)
        assert process.pid is not None
        for pid in (process.pid, *descendants(process.pid)):
            os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(process.join)
        held.drop()
        branches = [pull.branch for pull in github.pulls.values()]
        assert len(branches) == len(set(branches)), point.name
    process = started(github, tmp_path, watch=True)
    await asyncio.to_thread(process.join)
    assert process.exitcode == 0
    steward = World(tmp_path, on(github))
    one = steward.proposal()
    assert (one.stage, steward.repo.main(), one.revert) == (Stage.REVERTED, github.main(), github.main())
    assert [(pull.merged, pull.open) for pull in github.pulls.values()] == [(True, False)] * 2
    assert one.report is not None
    assert (one.report.verdict, one.report.tree) == ("passed", steward.repo.tree_of(one.merge))
    assert (one.approvals, steward.rows("merged"), steward.rows("reverted")) == (one.approvals[:1], 1, 1)
    assert steward.faults() == []
    await steward.close()


def started(github: GitHub, folder: Path, *, watch: bool) -> BaseProcess:
    """A steward of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.github.steward_process"])
    arguments = (folder, github.api, github.repository, github.token)
    process = context.Process(target=steward_process.run, args=arguments, kwargs={"watch": watch})
    process.start()
    return process


def descendants(pid: int) -> list[int]:
    """The processes below one: the git that a steward has running ends with it here, as when a machine stops."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    below = [pid]
    for one in below:
        below += [child for child, parent in parents.items() if parent == one]
    return below[1:]


async def met(arrival: Coroutine[None, None, None], process: BaseProcess, name: str) -> None:
    """Wait until the process is where it is to be killed."""
    arriving = asyncio.create_task(arrival)
    ended = asyncio.create_task(asyncio.to_thread(process.join))
    await asyncio.wait([arriving, ended], return_when=asyncio.FIRST_COMPLETED)
    if not arriving.done():
        arriving.cancel()
        pytest.fail(f"the steward ended ({process.exitcode}) before this: {name}")
