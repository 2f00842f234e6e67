"""GitHub as the place where `main` lives and proposals are reviewed: fills the port `Upstream`.

Everything can be called again at any time, and after a crash in the middle: a pull request is found by its number or by its
branch, a comment by its mark, a check by its name, and nothing is written where it stands there already.
"""

import asyncio
import time
from collections.abc import Collection

from policies.decision import Decision
from policies.merge import to_look_at
from selfedit.answers.telling import Changed, counted
from selfedit.forge.github import gateword, texts, verdicts
from selfedit.forge.github.client import PATIENCE, Client
from selfedit.forge.github.hub import Hub, Pull
from selfedit.forge.github.looking import Looking
from selfedit.forge.github.merging import merge, unqueue
from selfedit.forge.github.pushing import NotPushed, Remote
from selfedit.forge.github.settings import GitHubSettings
from selfedit.ports import ForgeDown, Shown
from selfedit.pulls import READY, PullState
from selfedit.repo import Repo
from selfedit.types import GateReport, Proposal

IMPROVE, REVERT = "improve/", "revert/"
"""Below these are the branches of proposals, and of what takes them back."""


def open_forge(
    settings: GitHubSettings, repo: Repo, *, backoff: float = 0.5, patience: float = PATIENCE
) -> "GitHubForge":
    """The forge on GitHub. Nothing is asked yet, and no loop is needed.

    Args:
        settings: Which repository, where, and as whom.
        repo: The repository here.
        backoff: Seconds before a question is repeated that was not answered; they double with each time.
        patience: Seconds in which an answer has to be there.
    """
    return GitHubForge(settings, repo, Client(settings, patience=patience, backoff=backoff))


class GitHubForge:
    """One repository on github.com or on an Enterprise server."""

    announces = True

    def __init__(self, settings: GitHubSettings, repo: Repo, client: Client) -> None:
        self.name = "GitHub"
        self.where = f"{settings.repository} on {settings.host}"
        self._settings = settings
        self._repo = repo
        self._client = client
        self._hub = Hub(self._client, settings)
        self._looking = Looking(self._hub, settings)
        self._remote = Remote(settings, repo, self._client.token)
        self._locks: dict[int, asyncio.Lock] = {}
        self._hindrance = ""

    async def end(self) -> None:
        """Let the connections go."""
        await self._client.end()

    def status(self) -> str:
        """Where proposals are reviewed, and whether it answers, in a line."""
        health, where = self._client.health, self.where
        if health.trouble:
            return f"{where}: {health.trouble}"
        if not health.answered:
            return f"{where}: not asked yet"
        if why := self._hindrance or health.refused:
            return f"{where}: it answers, but {why}"
        left = f"; {health.left:,} of {health.limit:,} requests left this hour" if health.limit > 0 else ""
        return f"{where}: answered {max(0, time.time() - health.answered):.0f} s ago{left}"

    # Showing

    async def announce(self, proposal: Proposal) -> Shown | None:
        """Show a head that nobody has judged yet as a draft."""
        return await self._show(proposal, draft=True)

    async def open(self, proposal: Proposal) -> Shown:
        """Show a proposal that passed as ready for review. GitHub asks the owners of what it changes by itself then.

        A pull request that was closed or merged in the meantime stays as it is: that is for `look` to tell.
        """
        return await self._show(proposal, draft=False)

    async def shown(self) -> Collection[str]:
        """The branches of proposals that have an open pull request."""
        self._hindrance = await self._hub.hindrance()
        return await self._hub.branches(IMPROVE)

    async def close(self, proposal: Proposal, why: str) -> None:
        """Say why it ended, close its pull request if that is open, and take its branch away if all on it is ours."""
        async with self._lock(proposal.number):
            pull = await self._find(proposal)
            if pull is not None and pull.open:
                if proposal.head == pull.head:
                    await gateword.say(self._hub, pull.head, verdicts.word(proposal), proposal.number)
                await self._hub.say(pull, "closed", texts.closing(proposal, why))
                await self._hub.edit(pull, state="closed")
            await self._tidy(proposal.number, proposal.branch)

    async def say_verdict(self, proposal: Proposal) -> None:
        """Show the gate's word on a proposal's head, if that is there."""
        async with self._lock(proposal.number):
            pull = await self._find(proposal)
            if pull is not None and pull.open and pull.head == proposal.head:
                await gateword.say(self._hub, pull.head, verdicts.word(proposal), proposal.number)

    async def remark(self, proposal: Proposal, key: str, text: str) -> None:
        """Say something below a pull request, once for each `key`."""
        async with self._lock(proposal.number):
            if (pull := await self._find(proposal)) is not None:
                await self._hub.say(pull, key, texts.comment(text))

    # Main

    async def main(self) -> str:
        """Bring here what is on `main` there; the commit that it names."""
        there = await self._hub.tip(self._repo.branch)
        if not there:
            raise ForgeDown(await self._hub.lacks(self._repo.branch), 300.0)
        known = await asyncio.to_thread(self._repo.resolve, f"refs/theseus/remote/{self._repo.branch}")
        if known == there:
            return there
        return await self._remote.fetch(self._repo.ref, self._repo.branch)

    async def look(self, proposal: Proposal) -> PullState | None:
        """What a proposal's pull request is now, with its commits brought here; None where there is none."""
        return await self._look(await self._find(proposal), was_ready=READY in proposal.told)

    async def merge(self, proposal: Proposal, title: str, message: str) -> str | Decision:
        """Merge a pull request whose head is still the proposal's."""
        async with self._lock(proposal.number):
            pull = await self._find(proposal)
            return await self._merge(pull, proposal.approved_head, title, message)

    async def unqueue(self, proposal: Proposal) -> None:
        """Take it out of the merge queue."""
        async with self._lock(proposal.number):
            if (pull := await self._find(proposal)) is not None:
                await unqueue(self._hub, pull)

    # Taking back

    async def propose_revert(self, proposal: Proposal, commit: str, message: str) -> Shown:
        """Show a commit that takes a merged proposal back as a pull request on `revert/N-slug`.

        Where a person closed an earlier one, another is opened.
        """
        async with self._lock(proposal.number):
            branch = _revert_branch(proposal)
            pull = await self._hub.find(0, branch)
            if pull is not None and pull.merged and pull.head == commit and pull.base == self._repo.branch:
                return self._shown_as(pull)
            await self._push(proposal.number, branch, commit)
            title, body = texts.revert_title(proposal), texts.revert_body(proposal, message)
            if pull is None or not pull.open:
                pull = await self._hub.create(branch, self._repo.branch, title, body, draft=False)
            await self._hub.edit(pull, title=title, body=body)
            await self._hub.label(pull, texts.LABEL)
            await gateword.say(self._hub, commit, verdicts.revert_word(proposal), proposal.number)
            return self._shown_as(pull)

    async def look_at_revert(self, proposal: Proposal) -> PullState | None:
        """What that pull request is now; None where there is none."""
        pull = await self._hub.find(0, _revert_branch(proposal))
        if (
            pull is not None
            and not pull.open
            and not await asyncio.to_thread(self._undoes, proposal, pull.head)
        ):
            return None
        return await self._look(pull, was_ready=True)  # it was never a draft of Theseus's own

    async def merge_revert(self, proposal: Proposal, head: str) -> str | Decision:
        """Merge that pull request if it still is at `head`."""
        async with self._lock(proposal.number):
            pull = await self._hub.find(0, _revert_branch(proposal))
            return await self._merge(
                pull, head, texts.revert_title(proposal), f"This takes proposal {proposal.number} back."
            )

    async def drop_revert(self, proposal: Proposal, why: str) -> None:
        """Close that pull request if it is open, and take its branch away; with work of people on it, it is theirs."""
        async with self._lock(proposal.number):
            branch = _revert_branch(proposal)
            pull = await self._hub.find(0, branch)
            if pull is not None and pull.open and self._remote.pushed(proposal.number, pull.head):
                await self._hub.say(pull, "closed", texts.comment(why))
                await self._hub.edit(pull, state="closed")
            await self._tidy(proposal.number, branch)

    # Private

    async def _show(self, proposal: Proposal, *, draft: bool) -> Shown:
        async with self._lock(proposal.number):
            pull = await self._find(proposal)
            if pull is not None and not pull.open:
                return self._shown_as(pull)
            no = await self._pushed(proposal.number, proposal.branch, proposal.head)
            if no is not None:
                known = proposal.pull or (pull and self._remote.pushed(proposal.number, pull.head))
                if pull is None or not known or no.rule == "forbidden":
                    raise ForgeDown(no.why, 300.0)  # what nobody here began may be another's
                return self._shown_as(pull)  # somebody pushed to it meanwhile: `look` tells of that
            changed = await asyncio.to_thread(self._changed, proposal)
            title = texts.title(proposal)
            body = texts.body(proposal, changed, self._settings.git)
            if pull is None:
                pull = await self._hub.create(proposal.branch, self._repo.branch, title, body, draft=draft)
            await self._hub.edit(pull, title=title, body=body)
            await gateword.say(self._hub, proposal.head, verdicts.word(proposal), proposal.number)
            look = bool(proposal.report and to_look_at(proposal.report.findings))
            await self._hub.label(pull, texts.LABEL, *([texts.LOOK_LABEL] if look else []))
            was_ready = READY in proposal.told
            if draft or await self._hub.drafted_by(pull, was_ready=was_ready) is None:  # else it is theirs
                await self._hub.mark(pull, draft=draft)
            return self._shown_as(pull)

    async def _find(self, proposal: Proposal) -> Pull | None:
        pull = await self._hub.find(proposal.pull, proposal.branch)
        if pull is None or pull.open or pull.number == proposal.pull:
            return pull
        return pull if await asyncio.to_thread(self._is_of, proposal, pull.head) else None

    def _undoes(self, proposal: Proposal, head: str) -> bool:
        """Whether a head was made to undo this merge, as far as it is known here; it is built on it then."""
        known = self._repo.resolve(head) is not None
        return not (known and proposal.merge) or self._repo.is_ancestor(proposal.merge, head)

    def _is_of(self, proposal: Proposal, head: str) -> bool:
        """Whether a head is one of this proposal; a branch of that name may have been another's, of an older home."""
        known = self._repo.resolve(head) is not None
        if not (head and proposal.head and known) or self._repo.is_ancestor(head, proposal.base):
            return False
        return self._repo.is_ancestor(head, proposal.head) or self._repo.is_ancestor(proposal.head, head)

    async def _look(self, pull: Pull | None, *, was_ready: bool) -> PullState | None:
        if pull is None:
            return None
        state = await self._looking.state(pull, was_ready=was_ready)
        name = f"pull/{state.number}"
        if await asyncio.to_thread(self._repo.resolve, f"refs/theseus/remote/{name}") != state.head:
            brought = await self._remote.fetch(f"refs/pull/{state.number}/head", name)
            if brought != state.head:
                raise ForgeDown(f"pull request {state.number} moved while it was looked at", 2.0)
        return state

    async def _merge(self, pull: Pull | None, head: str, title: str, message: str) -> str | Decision:
        if pull is None:
            return Decision.no("closed", "its pull request is not on GitHub any more")
        main = await self.main()
        return await merge(
            self._hub, self._looking, self._repo, pull, head=head, main=main, title=title, message=message
        )

    async def _push(self, number: int, branch: str, commit: str) -> None:
        if (no := await self._pushed(number, branch, commit)) is not None:
            raise ForgeDown(no.why, 300.0)

    async def _pushed(self, number: int, branch: str, commit: str) -> NotPushed | None:
        there = await self._hub.tip(branch)
        return None if there == commit else await self._remote.push(number, branch, commit, there)

    async def _tidy(self, number: int, branch: str) -> None:
        """Take a branch away that names nothing but what was pushed from here; work of people stays."""
        there = await self._hub.tip(branch) if branch else ""
        ours = bool(there) and self._remote.pushed(number, there)
        if ours:
            await self._remote.push(number, branch, "", there)

    def _changed(self, proposal: Proposal) -> tuple[Changed, ...]:
        report: GateReport | None = proposal.report
        if report is not None and report.head == proposal.head and report.tree:
            return counted(self._repo.diff(report.base, report.tree))
        return counted(self._repo.diff(self._repo.parents(proposal.head)[0], proposal.head))

    def _shown_as(self, pull: Pull) -> Shown:
        return Shown(f"pull request {pull.number} on {self._settings.host}", pull.number, pull.url)

    def _lock(self, number: int) -> asyncio.Lock:
        return self._locks.setdefault(number, asyncio.Lock())


def _revert_branch(proposal: Proposal) -> str:
    return REVERT + (proposal.branch.removeprefix(IMPROVE) or str(proposal.number))
