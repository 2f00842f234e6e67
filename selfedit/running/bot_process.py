"""The bot as a child process: starting it, speaking to it, and ending it for certain."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from policies.decision import Finding
from policies.load import WatchRules
from selfedit.forge.github.settings import CREDENTIALS
from selfedit.protocol import LINE_LIMIT, Answer, AskDraft, Drafted, Load, Loaded, Peer, Refused
from selfedit.types import Heartbeat, LoadPlan

USELESS = 78
"""Exit code of a bot that must not be started again as it is: a setting is wrong (EX_CONFIG of sysexits.h)."""
FORGE_SECRETS = (*CREDENTIALS, "DOCKER_HOST")
"""What the steward holds and the bot never sees."""


class BotProcess:
    """One bot at a time; fills the port `Host`."""

    def __init__(
        self, argv: Sequence[str], root: Path, home: Path, rules: WatchRules, answer: Answer
    ) -> None:
        self._argv = list(argv)
        self._root = root
        self._home = home
        self._rules = rules
        self._answer = answer
        self._process: subprocess.Popen[bytes] | None = None
        self._peer: Peer | None = None
        self._reading: asyncio.Task[None] | None = None
        self._last_sign = 0.0
        self.up = asyncio.Event()
        """Set once it has given its first sign of life."""
        self.running = ""
        """The commit that it said it serves."""
        self.blobs: dict[str, str] = {}
        self.heartbeat: Heartbeat | None = None
        self.misdeed = ""
        """Why it was killed by us; empty if it was not."""

    @property
    def pid(self) -> int:
        """Its process id, 0 while there is none."""
        return self._process.pid if self._process else 0

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll() if self._process else None

    @property
    def silence(self) -> float:
        """Seconds since its last sign of life."""
        return time.monotonic() - self._last_sign

    async def start(self) -> None:
        """Start the process. Its end of the socket pair is the only way in."""
        ours, theirs = socket.socketpair()
        keep = [theirs.fileno()]
        env = {key: value for key, value in os.environ.items() if key not in FORGE_SECRETS}
        env |= {
            "THESEUS_LINK": str(theirs.fileno()),
            "THESEUS_HOME": str(self._home),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if secrets := os.environ.get("THESEUS_SECRETS_FD"):
            keep.append(int(secrets))
        self.running, self.heartbeat, self.blobs, self.misdeed = "", None, {}, ""
        self.up.clear()
        self._process = subprocess.Popen(self._argv, cwd=self._root, env=env, pass_fds=keep)  # noqa: ASYNC220 - a fork of milliseconds
        theirs.close()
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=LINE_LIMIT)
        self._peer = Peer(reader, writer, self._answer)
        self._reading = asyncio.create_task(self._peer.run())
        self._last_sign = time.monotonic()

    def pardon(self) -> None:
        """Count its silence anew: it had no chance to give a sign."""
        self._last_sign = time.monotonic()

    def beat(self, heartbeat: Heartbeat) -> None:
        """Take note of a sign of life."""
        self.heartbeat = heartbeat
        self._last_sign = time.monotonic()
        self.up.set()

    async def ended(self) -> int:
        """Wait until the process has ended; its exit code, negative for a signal."""
        return 0 if self._process is None else await asyncio.to_thread(self._process.wait)

    def has_ended(self) -> bool:
        """Whether there is no running process."""
        return self._process is None or self._process.poll() is not None

    async def load(self, plan: LoadPlan) -> Finding | None:
        """Have it serve a commit.

        Raises:
            ConnectionError: It is gone, or did not answer in time and was killed.
        """
        answer = await self._call(Load(plan=plan), self._rules.load_seconds)
        if isinstance(answer, Refused):
            return Finding(rule="not_loaded", message=answer.why)
        if not isinstance(answer, Loaded):
            raise ConnectionError("the bot gave an answer that makes no sense")
        self.running, self.blobs = answer.commit, answer.blobs
        return None

    async def draft(self, ask: AskDraft) -> Drafted | Refused:
        """Have its model author draft; as long as that takes, its budget is the author's own.

        Raises:
            ConnectionError: It is gone.
        """
        answer = await self._call(ask, None)
        if not isinstance(answer, Drafted | Refused):
            raise ConnectionError("the bot gave an answer that makes no sense")
        return answer

    async def notify(self, body: Mapping[str, object] | object) -> None:
        """Tell it something."""
        if self._peer is not None:
            await self._peer.notify(body)  # type: ignore[arg-type]  # any protocol message

    def kill(self, why: str = "") -> None:
        """End it at once; `why` is the sentence about what it did to deserve that."""
        if self._process is not None and self._process.poll() is None:
            self.misdeed = self.misdeed or why
            self._process.kill()

    async def stop(self, patience: float = 5.0) -> None:
        """Ask it to end, and see to it that it does."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ended(), patience)
            self.kill()
            await self.ended()
        await self.close()

    async def close(self) -> None:
        """Let go of a process that has ended."""
        if self._peer is not None:
            await self._peer.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._peer = self._reading = None
        self.running = ""

    async def _call(self, body: object, patience: float | None) -> object:
        if self._peer is None:
            raise ConnectionError("the bot is not running")
        try:
            return await asyncio.wait_for(self._peer.call(body), patience)  # type: ignore[arg-type]  # any message
        except TimeoutError as error:
            self.kill(f"it did not answer within {patience:.0f} s")
            raise ConnectionError(f"the bot did not answer within {patience:.0f} s and was ended") from error
