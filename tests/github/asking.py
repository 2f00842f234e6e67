"""A client that nobody changed, and git, for tests of the stand-in itself."""

import asyncio
import base64
import os
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import gidgethub
import gidgethub.abc
import pytest
from gidgethub.aiohttp import GitHubAPI

from tests.fakes.github.server import GitHub

REPO = "/repos/harbour/theseus"
RULES: dict[str, Any] = {"checks": ("check",), "reviews": 1, "dismiss_stale": True}


def client(github: GitHub, session: aiohttp.ClientSession, token: str = "") -> GitHubAPI:
    """A client of somebody, of Theseus where nobody is named."""
    return GitHubAPI(session, "tests", oauth_token=token or github.token, base_url=github.api)


async def git(folder: Path, *command: str, token: str = "") -> tuple[int, str]:
    """Run git as a person does; its exit code and what it said."""
    process = await begun(folder, *command, token=token)
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def begun(folder: Path, *command: str, token: str = "") -> asyncio.subprocess.Process:
    """Let git begin with something."""
    basic = "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
    env |= {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@localhost"}
    env |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@localhost"}
    env |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader"} if token else {}
    env |= {"GIT_CONFIG_VALUE_0": f"Authorization: {basic}"} if token else {}
    return await asyncio.create_subprocess_exec(
        *("git", *command),
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


async def cloned(github: GitHub, folder: Path) -> Path:
    """A clone with one commit more than main, on `improve/1`."""
    assert (await git(folder, "clone", "--quiet", github.clone_url, "work", token=github.token))[0] == 0
    work = folder / "work"
    (work / "a.py").write_text("x = 1\n")
    for command in ("checkout -qb improve/1", "add .", "commit -qm One"):
        assert (await git(work, *command.split()))[0] == 0
    return work


async def opened(github: GitHub, api: GitHubAPI, branch: str = "improve/1", **more: Any) -> Any:
    """A pull request of Theseus from a new branch."""
    github.push(github.bot, branch, {f"{branch.replace('/', '_')}.py": "x = 1\n"})
    return await api.post(f"{REPO}/pulls", data={"title": "One", "head": branch, "base": "main", **more})


async def refused(status: int, asking: Any) -> str:
    """What was said to a request that is refused like that."""
    with pytest.raises(gidgethub.HTTPException) as told:
        await asking
    assert told.value.status_code == status
    return str(told.value)
