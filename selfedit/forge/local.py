"""The forge that needs nothing: a branch a proposal in this repository, reviewed at the console."""

import asyncio
from collections.abc import Collection

from selfedit.ports import Shown
from selfedit.repo import Repo
from selfedit.types import Proposal


class LocalForge:
    """Shows a proposal as the branch `improve/N-slug`, for as long as it can be reviewed."""

    announces = False

    def __init__(self, repo: Repo) -> None:
        self._repo = repo

    async def announce(self, proposal: Proposal) -> None:
        """Nothing is shown before it has passed."""

    async def open(self, proposal: Proposal) -> Shown:
        """Point the branch at the proposal's head."""
        await asyncio.to_thread(self._repo.set_ref, f"refs/heads/{proposal.branch}", proposal.head)
        return Shown(f"branch {proposal.branch}")

    async def shown(self) -> Collection[str]:
        """The branches that proposals have here."""
        refs = await asyncio.to_thread(self._repo.refs, "refs/heads/improve/")
        return {ref.removeprefix("refs/heads/") for ref in refs}

    async def close(self, proposal: Proposal, why: str) -> None:  # noqa: ARG002 - a forge with threads says why there
        """Take the branch away; `refs/proposals/N/head` keeps the commits."""
        if proposal.branch:
            await asyncio.to_thread(self._repo.delete_ref, f"refs/heads/{proposal.branch}")
