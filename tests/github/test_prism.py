"""Every request that a whole life makes is one that GitHub's official description takes, as `prism` reads it."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from policies.decision import Finding
from selfedit.forge.github.installing import main
from tests.fakes.github.description import Missing, whole
from tests.fakes.github.http import Request
from tests.fakes.github.server import GitHub
from tests.fakes.node import MISSING, MODULES, node
from tests.fakes.small_repo import SmallRepo
from tests.fakes.world import git
from tests.github.forge_world import ForgeWorld
from tests.github.scenarios import SCENARIOS

PROGRAM = MODULES / "@stoplight" / "prism-cli" / "dist" / "index.js"
SECONDS = 120
"""How long it may take to begin; it takes a few."""
_ADDRESS = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")
_OUR_OWN = ("", "/rate_limit")
"""Of these the description is not asked: what has no place in it, as GraphQL and git."""

pytestmark = pytest.mark.skipif(node() is None or not PROGRAM.is_file(), reason=MISSING)


@asynccontextmanager
async def prism(folder: Path, paths: Sequence[str]) -> AsyncIterator[str]:
    """A `prism` that knows these paths, up while the block lasts; its address.

    It is not told to hold its own answers against the description (`--errors`): GitHub's examples do not fit it.
    """
    described = folder / "github.json"
    described.write_text(json.dumps(whole(paths)))
    process = await asyncio.create_subprocess_exec(
        *(str(node()), str(PROGRAM), "mock", "-h", "127.0.0.1", "-p", "0", str(described)),
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    draining: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(SECONDS):
            said = ""
            while (found := _ADDRESS.search(said)) is None:
                line = (await process.stdout.readline()).decode()
                assert line, f"prism ended: {said[-1000:]}"
                said += line
        draining = asyncio.create_task(process.stdout.read())
        yield found[1]
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if draining is not None:
            await draining


def asked(github: GitHub) -> Iterator[Request]:
    """The different requests that a stand-in got."""
    seen = set()
    for one in github.requests:
        key = (one.method, one.path, json.dumps(dict(one.query)), json.dumps(one.body))
        if one.template not in _OUR_OWN and key not in seen:
            seen.add(key)
            yield one


async def said_to(session: aiohttp.ClientSession, address: str, one: Request) -> str:
    """What prism has against a request; empty where it has nothing.

    It knows no media type but JSON, so that the client's own is not named to it, and no part of a path that has
    slashes as they are, which GitHub takes in the names of refs.
    """
    parts = {name: quote(value, safe="") for name, value in one.parts.items()}
    path = URL(address + one.template.format(**parts), encoded=True)
    body: dict[str, Any] = {} if one.body is None else {"json": one.body}
    head = {"Accept": "application/json"}
    async with session.request(
        one.method, path.update_query(dict(one.query)), headers=head, **body
    ) as answer:
        text = answer.headers.get("sl-violations") or await answer.text()
        return "" if answer.status < 400 else f"{one.method} {one.path}: {answer.status} {text[:500]}"


async def as_an_app(github: GitHub, folder: Path) -> None:
    """A proposal that an App shows, judges red and green, talks about and merges through a queue; one that it closes."""
    small = SmallRepo(folder / "here")
    git(small.root, "push", "--quiet", "--force", str(github.bare), "main:main")
    github.protect(checks=("check",), reviews=1, queue=True)
    world = ForgeWorld(github, small, app=True)
    try:
        await _live(world)
    finally:
        await world.forge.end()


async def _live(world: ForgeWorld) -> None:
    github = world.github
    one, other = (
        world.proposal(world.head(text), number) for number, text in ((7, "hello"), (8, "good day"))
    )
    await world.forge.announce(one)
    finding = Finding(rule="E501", message="This line is long.", path="agent/live/greeting.md", line=1)
    await world.forge.open(world.judged(one, "failed", [finding]))
    shown = await world.forge.open(world.judged(one))
    opened = world.judged(one).model_copy(update={"pull": shown.pull, "approved_head": one.head})
    await world.forge.remark(opened, "key", "Something was said.")
    github.run(opened.head, "check", "success", "Fine", [("agent/live/greeting.md", 1, "Well done")])
    ann = github.person("ann")
    github.review(ann, opened.pull, "APPROVED", "Yes", comments=[("agent/live/greeting.md", 1, "Here")])
    await world.forge.look(opened)
    waiting = await world.forge.merge(opened, "Greet people", "Because")
    assert github.queue, waiting
    github.run(github.queue[0].trial, "check")
    github.advance_queue()
    assert await world.forge.merge(opened, "Greet people", "Because") == await world.forge.main()
    await world.forge.open(world.judged(other))
    await world.forge.close(world.judged(other), "It is not wanted any more.")
    await world.forge.shown()


async def set_up(github: GitHub, _folder: Path) -> None:
    """A repository that an administrator sets up for Theseus."""
    env = {"GITHUB_API_URL": github.api, "GITHUB_REPOSITORY": github.repository}
    env |= {"GITHUB_ADMIN_TOKEN": github.person("root", "admin").token, "GITHUB_WEBHOOK_SECRET": "s3cret"}
    for _ in range(2):
        await asyncio.to_thread(main, ("--yes", "--webhook", "https://theseus.example/webhooks/github"), env)
    assert github.world.protections["main"].checks


async def test_every_request_is_one_that_github_describes(tmp_path: Path) -> None:
    """The official description, read by somebody else's program, takes what the real client sends; and not anything."""
    requests: list[Request] = []
    for number, scenario in enumerate((*SCENARIOS, as_an_app, set_up)):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with GitHub(folder / "github") as github:
            await scenario(github, folder)
            requests += asked(github)
    try:
        paths = sorted({one.template for one in requests})
        async with prism(tmp_path, paths) as address, aiohttp.ClientSession() as session:
            said = [await said_to(session, address, one) for one in requests]
            wrong = Request(
                *("POST", "/repos/harbour/theseus/pulls", "/repos/{owner}/{repo}/pulls"),
                parts={"owner": "harbour", "repo": "theseus"},
                body={"title": "No head"},
            )
            assert "422" in await said_to(session, address, wrong)
    except Missing as why:
        pytest.skip(str(why))
    assert [one for one in said if one] == []
    made = {f"{one.method} {one.template.removeprefix('/repos/{owner}/{repo}')}" for one in requests}
    assert made >= {
        "POST /pulls",
        "PUT /pulls/{pull_number}/merge",
        "POST /check-runs",
        "POST /statuses/{sha}",
    }
    assert "PUT /branches/{branch}/protection" in made
