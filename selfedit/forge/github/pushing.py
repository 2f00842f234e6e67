"""Commits to and from GitHub, by git over https, away from every setting and credential of this machine.

Each call has a git folder of its own that lasts as long as the call: it borrows the repository's objects and names its
commits, and has none of its configuration, hooks, remotes or rewritten addresses. What is fetched are objects and refs
below `refs/theseus/remote/`; nothing is checked out.
"""

import asyncio
import contextlib
import os
import re
import signal
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from selfedit.forge.github.settings import GitHubSettings, Secret, is_loopback
from selfedit.ports import ForgeDown
from selfedit.repo import Repo
from selfedit.words import one_line

REMOTE = "refs/theseus/remote"
"""Below this stands what was fetched."""
PUSHED = "refs/theseus/pushed"
"""Below this stands what was pushed from here, as `N/SHA`: only that may be replaced by something it does not lead to."""
SECONDS = 180.0
"""One call takes no longer; a repository of ordinary size is fetched within seconds."""
ABSENT = "0" * 40
_SAID = 16 * 1024
"""Bytes of what git says that are read."""
_VARIABLE = "THESEUS_GIT_CREDENTIAL"
_HELPER = (
    '!f() { test "$1" = get && printf "username=x-access-token\\npassword=%s\\n" "$' + _VARIABLE + '"; }; f'
)
"""Answers git's question for a password out of the environment of that one call; `printf` is the shell's own."""
_KEPT = ("PATH", "TMPDIR", "LANG")
_TOLD_NO = re.compile(
    r"^!\t[^\t]*\t\[(remote )?rejected\] ?\((.*)\)|^!\t[^\t]*\t\[(remote )?rejected\](.*)$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class NotPushed:
    """GitHub did not take a push, and why: the branch is at something else, or its rules forbid it."""

    rule: Literal["head_moved", "forbidden"]
    why: str


class Remote:
    """The repository on GitHub, as git sees it."""

    def __init__(self, settings: GitHubSettings, repo: Repo, token: Callable[[], Awaitable[Secret]]) -> None:
        """Prepare; nothing is asked yet.

        Args:
            settings: Where it is.
            repo: The repository here.
            token: The password of the moment.
        """
        self._settings = settings
        self._repo = repo
        self._token = token
        self._one_at_a_time = asyncio.Lock()

    async def fetch(self, there: str, name: str) -> str:
        """Bring here what a ref there names.

        Args:
            there: The ref, as `refs/heads/main`.
            name: What it is called below `refs/theseus/remote/`.

        Returns:
            The commit.

        Raises:
            ForgeDown: It could not be brought.
        """
        got = f"refs/got/{name}"
        async with self._one_at_a_time:
            code, said, refs = await self._git("fetch", *_FETCH, self._settings.git, f"+{there}:{got}")
        if code or got not in refs:
            raise _failed("fetched", said)
        commit = refs[got]
        await asyncio.to_thread(self._repo.set_ref, f"{REMOTE}/{name}", commit)
        return commit

    async def push(self, number: int, branch: str, commit: str, expected: str) -> NotPushed | None:
        """Make a branch there name a commit, if it still names what is expected.

        What is there is replaced only by what leads on from it, or where it was put there from here.

        Args:
            number: The proposal that it belongs to.
            branch: The branch.
            commit: What it is to name; empty: it is taken away.
            expected: What it names now; empty: it is not there.

        Raises:
            ForgeDown: What became of it could not be found out.
        """
        if expected and commit and not await asyncio.to_thread(self._may_follow, number, expected, commit):
            return NotPushed("head_moved", _foreign(branch))
        if commit:  # written down first: what came to be there is known for ours after a crash as well
            await asyncio.to_thread(self._repo.set_ref, f"{PUSHED}/{number}/{commit}", commit)
        ref = f"refs/heads/{branch}"
        lease = f"--force-with-lease={ref}:{expected}"
        async with self._one_at_a_time:
            code, said, _ = await self._git("push", *_PUSH, lease, self._settings.git, f"{commit}:{ref}")
        if not code:
            return None
        if (no := _TOLD_NO.search(said)) is None:
            raise _failed("pushed", said)
        why = (no[2] or no[4] or "").strip()
        if any(word in why for word in ("stale info", "fetch first", "non-fast-forward", "already exists")):
            return NotPushed("head_moved", _foreign(branch))
        if any(word in why for word in ("failed to update ref", "cannot lock ref", "unpacker error")):
            raise _failed("pushed", why)  # somebody was faster, or a fault of theirs
        return NotPushed(
            "forbidden",
            f"GitHub does not let Theseus push to {branch} ({_line(said, why)}); look at the rules there",
        )

    def pushed(self, number: int, commit: str) -> bool:
        """Whether a commit was pushed from here for a proposal."""
        return self._repo.resolve(f"{PUSHED}/{number}/{commit}") == commit

    def _may_follow(self, number: int, expected: str, commit: str) -> bool:
        if self.pushed(number, expected):
            return True
        return self._repo.resolve(expected) is not None and self._repo.is_ancestor(expected, commit)

    async def _git(self, *arguments: str) -> tuple[int, str, dict[str, str]]:
        """One call: its exit code, what it said, and the refs that its own git folder has then."""
        secret = await self._token()
        with tempfile.TemporaryDirectory(prefix="theseus-remote-") as folder:
            place = Path(folder)
            await asyncio.to_thread(self._prepare, place)
            environment = {
                **{name: os.environ[name] for name in _KEPT if name in os.environ},
                "HOME": folder,  # no .netrc, no .gitconfig
                "GIT_DIR": folder,
                "GIT_OBJECT_DIRECTORY": str(self._repo.common_dir / "objects"),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_NO_REPLACE_OBJECTS": "1",
                "LC_ALL": "C",
                _VARIABLE: secret.reveal(),
            }
            if self._settings.proxy is not None:
                environment["https_proxy"] = self._settings.proxy.reveal()
            code, out = await _call(["git", *self._settings_of_git(), *arguments], environment)
            refs = await asyncio.to_thread(_refs, place)
        return code, out.decode(errors="replace").replace(secret.reveal(), "***"), refs

    def _prepare(self, place: Path) -> None:
        (place / "objects").mkdir()
        (place / "refs").mkdir()
        (place / "HEAD").write_text("ref: refs/heads/none\n")
        (place / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
        known = {
            **self._repo.refs("refs/heads/"),
            **self._repo.refs("refs/proposals/"),
            **self._repo.refs("refs/theseus/"),
        }
        rows = [f"{sha} {name}\n" for name, sha in sorted(known.items())]
        (place / "packed-refs").write_text("".join(["# pack-refs with: sorted \n", *rows]))

    def _settings_of_git(self) -> list[str]:
        parts = urlsplit(self._settings.web)
        protocol = "http" if parts.scheme == "http" and is_loopback(parts.hostname or "") else "https"
        given = {
            "protocol.allow": "never",
            f"protocol.{protocol}.allow": "always",
            f"credential.{self._settings.web}.helper": _HELPER,
            "core.hooksPath": os.devnull,
            "core.askPass": "",
            "http.followRedirects": "false",
            "http.sslVerify": "true",
            "http.lowSpeedLimit": "100",
            "http.lowSpeedTime": "60",
            "transfer.fsckObjects": "true",
            "transfer.bundleURI": "false",
            "transfer.credentialsInUrl": "die",
            "submodule.recurse": "false",
            "gc.auto": "0",
            "maintenance.auto": "false",
        }
        if self._settings.authorities:
            given["http.sslCAInfo"] = self._settings.authorities
        return [part for key, value in given.items() for part in ("-c", f"{key}={value}")]


_FETCH = ("--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance", "--quiet")
_PUSH = ("--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no")


async def _call(command: Sequence[str], environment: dict[str, str]) -> tuple[int, bytes]:
    """Run a command in a process group of its own, which ends when the time is over or nobody waits any more."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
        cwd=environment["GIT_DIR"],
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out = await _read(process)
            return await process.wait(), out
    except TimeoutError:
        return 124, b"it took too long"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _read(process: asyncio.subprocess.Process) -> bytes:
    said = b""
    if process.stdout is not None:
        while piece := await process.stdout.read(65536):
            said = (said + piece)[-_SAID:]
    return said


def _refs(place: Path) -> dict[str, str]:
    """The refs that a fetch wrote."""
    found = {}
    for path in (place / "refs").rglob("*"):
        if path.is_file() and re.fullmatch(r"[0-9a-f]{40,64}", sha := path.read_text().strip()):
            found[path.relative_to(place).as_posix()] = sha
    return found


def _foreign(branch: str) -> str:
    return (
        f"the branch {branch} on GitHub has commits that Theseus did not put there; they are left as they are. "
        "Merge or delete that branch there, then ask again"
    )


def _line(said: str, fallback: str = "") -> str:
    """The line of what git said that tells most."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("remote: error", "fatal:", "error:"))]
    return one_line([*telling, fallback][0], 200)


def _failed(what: str, said: str) -> ForgeDown:
    if "uthentication failed" in said or "could not read Username" in said:
        return ForgeDown("GitHub's git does not accept the credential; look at what it may do there", 300.0)
    if re.search(r"error: 30[1278]\b|redirect", said):
        return ForgeDown(
            "GitHub's git sends on to another address; is GITHUB_REPOSITORY its name of today?", 600.0
        )
    return ForgeDown(f"nothing could be {what} from or to GitHub: {_line(said, 'git gave no reason')}", 30.0)
