"""Commits to and from GitHub by git: with one credential for one call, and nothing else of this machine."""

import asyncio
import base64
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from selfedit.forge.github.pushing import NotPushed, Remote
from selfedit.forge.github.settings import Secret
from selfedit.ports import ForgeDown
from tests.fakes.github.description import Description, Missing
from tests.github.forge_world import ForgeWorld, forge_world

BRANCH = "improve/7-greet-people"


@pytest.fixture
async def world(tmp_path: Path, described: Description | Missing) -> AsyncIterator[ForgeWorld]:
    """A forge that acts with a token, which is easily looked for."""
    async with forge_world(tmp_path, described, app=False) as made:
        yield made


@pytest.fixture
def remote(world: ForgeWorld) -> Remote:
    return remote_with(world, world.github.token)


def remote_with(world: ForgeWorld, token: str) -> Remote:
    async def give() -> Secret:
        return Secret(token)

    return Remote(world.settings, world.small.repo, give)


def config(world: ForgeWorld, *arguments: str) -> None:
    subprocess.run(["git", "config", *arguments], cwd=world.small.root, check=True)


def processes(what: str) -> Iterator[tuple[int, bytes]]:
    """What the kernel shows of each process that we may look at."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            yield int(place.name), (place / what).read_bytes()
        except OSError:
            continue


async def test_a_branch_is_made_moved_on_and_taken_away(world: ForgeWorld, remote: Remote) -> None:
    """What is expected there decides; each push says what it found."""
    one = world.head("one")
    two = world.head("two", one)
    assert await remote.push(7, BRANCH, one, "") is None
    assert await remote.push(7, BRANCH, one, one) is None
    assert await remote.push(7, BRANCH, two, one) is None
    assert world.github.branch(BRANCH) == two
    assert await remote.push(7, BRANCH, "", two) is None
    assert not world.github.branch(BRANCH)


async def test_only_what_came_from_here_is_replaced(world: ForgeWorld, remote: Remote) -> None:
    """A head that leads nowhere replaces one of ours, and never one of somebody else's."""
    one, other = world.head("one"), world.head("other")
    assert await remote.push(7, BRANCH, one, "") is None
    assert await remote.push(7, BRANCH, other, one) is None
    theirs = world.github.push(world.github.person("ann"), BRANCH, {"x.md": "x\n"})
    await remote.fetch(f"refs/heads/{BRANCH}", "seen")
    no = await remote.push(7, BRANCH, one, theirs)
    assert isinstance(no, NotPushed)
    assert no.rule == "head_moved"
    assert world.github.branch(BRANCH) == theirs


@pytest.mark.parametrize("expected_absent", [True, False])
async def test_a_branch_that_moved_in_between_is_not_pushed_to(
    world: ForgeWorld,
    remote: Remote,
    expected_absent: bool,  # noqa: FBT001 - a parameter
) -> None:
    """The comparison and the push are one step, on GitHub."""
    one = world.head("one")
    if not expected_absent:
        assert await remote.push(7, BRANCH, one, "") is None
    theirs = world.github.push(world.github.person("ann"), BRANCH, {"x.md": "x\n"})
    no = await remote.push(7, BRANCH, world.head("two", one), "" if expected_absent else one)
    assert isinstance(no, NotPushed)
    assert (no.rule, world.github.branch(BRANCH)) == ("head_moved", theirs)


async def test_the_credential_is_nowhere_but_in_the_one_call(world: ForgeWorld, remote: Remote) -> None:
    """Not in an argument, not in our environment, in no file that stays, and only git and what it starts have it."""
    token = world.github.token.encode()
    hold = world.github.hold("POST", r"/git-receive-pack$")
    pushing = asyncio.create_task(remote.push(7, BRANCH, world.head(), ""))
    await hold.arrived()
    holders = {pid for pid, text in processes("environ") if token in text}
    lines = dict(processes("cmdline"))
    assert holders
    assert os.getpid() not in holders
    assert all(b"git" in lines.get(pid, b"git") for pid in holders)
    assert not [line for line in lines.values() if token in line]
    hold.release()
    assert await pushing is None
    assert not [pid for pid, text in processes("environ") if token in text]
    places = (world.small.root, Path.home() / ".gitconfig", Path.home() / ".git-credentials")
    for path in [each for place in places for each in (place, *place.rglob("*"))]:
        assert not path.is_file() or token not in path.read_bytes()


async def test_settings_hooks_and_credentials_of_the_machine_have_no_say(
    world: ForgeWorld, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the repository's own configuration says, git goes where the steward says, as who the steward says."""
    trap = tmp_path / "sprung"
    hook = world.small.root / ".git" / "hooks"
    hook.mkdir(exist_ok=True)
    for name in ("pre-push", "reference-transaction", "post-checkout"):
        (hook / name).write_text(f"#!/bin/sh\ntouch {trap}\n")
        (hook / name).chmod(0o755)
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password canary\n")
    (tmp_path / ".gitconfig").write_text("[http]\n\textraHeader = X-Leak: of-the-user\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    config(world, "url.http://127.0.0.1:9/.insteadOf", world.settings.web)
    config(world, "credential.helper", f"!touch {trap};")
    config(world, "core.askPass", str(hook / "pre-push"))
    config(world, "http.extraHeader", "X-Leak: of-the-machine")
    config(world, "http.proxy", "http://127.0.0.1:9")
    config(world, "remote.origin.url", "http://127.0.0.1:9/x")
    assert await remote.push(7, BRANCH, world.head(), "") is None
    assert await remote.fetch("refs/heads/main", "main") == world.small.base
    assert not trap.exists()
    sent = [{name.lower(): value for name, value in one.headers.items()} for one in world.github.requests]
    assert not [headers for headers in sent if "x-leak" in headers]
    netrc = base64.b64encode(b"somebody:canary").decode()
    assert not [headers for headers in sent if netrc in headers.get("authorization", "")]


async def test_fetching_brings_objects_and_one_ref_and_nothing_else(
    world: ForgeWorld, remote: Remote
) -> None:
    """No tag, no branch, no file of the working tree."""
    new = world.github.push(world.github.person("ann"), "main", {"x.md": "x\n"})
    world.github.git.move("refs/tags/v1", new)
    before = world.small.repo.refs("refs/")
    assert await remote.fetch("refs/heads/main", "main") == new
    assert world.small.repo.refs("refs/") == before | {"refs/theseus/remote/main": new}
    assert not (world.small.root / "x.md").exists()
    assert not (world.small.root / ".git" / "FETCH_HEAD").exists()


async def test_what_is_not_sound_is_not_brought(world: ForgeWorld, remote: Remote) -> None:
    """A tree that would write into git's own folder is refused on its way in."""
    bare = str(world.github.bare)

    def git(*arguments: str, given: bytes = b"") -> str:
        done = subprocess.run(["git", "-C", bare, *arguments], input=given, capture_output=True, check=True)
        return done.stdout.decode().strip()

    blob = git("hash-object", "-w", "--stdin", given=b"[core]\n")
    entry = b"100644 config\0" + bytes.fromhex(blob)
    inner = git("hash-object", "-w", "--literally", "-t", "tree", "--stdin", given=entry)
    tree = git(
        "hash-object",
        "-w",
        "--literally",
        "-t",
        "tree",
        "--stdin",
        given=b"40000 .git\0" + bytes.fromhex(inner),
    )
    bad = git(
        "-c", "user.name=x", "-c", "user.email=x@y", "commit-tree", tree, "-p", world.small.base, "-m", "bad"
    )
    git("update-ref", "refs/heads/main", bad)
    with pytest.raises(ForgeDown, match="nothing could be fetched"):
        await remote.fetch("refs/heads/main", "main")
    assert not world.small.repo.refs("refs/theseus/")


async def test_git_is_sent_nowhere_else(world: ForgeWorld, remote: Remote) -> None:
    """A redirection is not followed, neither with the credential nor without."""
    elsewhere = world.settings.git.replace("127.0.0.1", "localhost")
    there = f"{elsewhere}/info/refs?service=git-upload-pack"
    world.github.fail(r"/info/refs", 302, headers={"Location": there})
    with pytest.raises(ForgeDown):
        await remote.fetch("refs/heads/main", "main")
    asked = [
        value
        for one in world.github.requests
        for name, value in one.headers.items()
        if name.lower() == "host"
    ]
    assert asked
    assert not [host for host in asked if host.startswith("localhost")]


async def test_a_wrong_credential_is_said_so(world: ForgeWorld) -> None:
    """Nobody is asked for a password, and the sentence does not hold the one that was refused."""
    wrong = remote_with(world, "ghp_canaryCANARYcanary")
    with pytest.raises(ForgeDown, match="does not accept the credential") as caught:
        await wrong.push(7, BRANCH, world.head(), "")
    assert "canary" not in repr(caught.value)


async def test_a_call_that_nobody_waits_for_ends(world: ForgeWorld, remote: Remote) -> None:
    """What was started for it is gone, and another call goes through."""
    token = world.github.token.encode()
    hold = world.github.hold("POST", r"/git-receive-pack$")
    head = world.head()
    pushing = asyncio.create_task(remote.push(7, BRANCH, head, ""))
    await hold.arrived()
    pushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(pushing, 30)
    hold.drop()
    assert not [pid for pid, text in processes("environ") if token in text]
    assert await remote.push(7, BRANCH, head, "") is None
