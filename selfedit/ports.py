"""The seams of the steward: what it needs of authors, forges and the running bot."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from policies.decision import Decision, Finding
from selfedit.pulls import PullState
from selfedit.types import Draft, GateReport, LoadPlan, NoDraft, Plan, Proposal, Request, Reviewed, Stage

Tell = Callable[[str], None]
"""Told one short sentence at a time while a stage goes on."""
Announce = Callable[[int, Stage, str], None]
"""Hears of a proposal's progress: number, stage, sentence."""
ENTRY_POINTS = ("setup",)
"""Names that the kernel calls in live code, so that nothing in live code has to."""


class Workbench(Protocol):
    """What an author may look at and try while drafting. Reading only; nothing is kept."""

    @property
    def files(self) -> Mapping[str, str]:
        """Text of every live file of the base, by path."""

    async def trial(self, draft: Draft) -> GateReport | Finding:
        """Judge a draft by the gate's quick checks; a Finding says why its edits do not apply."""


class Author(Protocol):
    """Somebody who turns a request into edits."""

    async def draft(
        self, request: Request, bench: Workbench, complaints: Sequence[Finding], tell: Tell
    ) -> Draft | NoDraft | Plan:
        """Draft edits for a request, or split it where it is no part of another.

        Args:
            request: What was asked for.
            bench: The code to look at, and a gate to try drafts on.
            complaints: What was wrong with this author's last draft; empty at first.
            tell: Hears about progress.
        """


class Reviser(Author, Protocol):
    """An author that can also draft again what is under review."""

    async def revise(
        self,
        request: Request,
        bench: Workbench,
        reviewed: Reviewed,
        complaints: Sequence[Finding],
        tell: Tell,
    ) -> Draft | NoDraft:
        """Draft edits anew for a request whose draft somebody elsewhere complained about.

        Args:
            request: What was asked for.
            bench: The code to look at as it is now, without the draft, and a gate to try drafts on.
            reviewed: The draft under review, with what was said against it. That is text of strangers.
            complaints: What was wrong with the last attempt at this; empty at first.
            tell: Hears about progress.
        """


class ForgeDown(Exception):
    """A forge could not be asked, or did not do what it should be able to. Its text is a sentence for people.

    Whether what was asked for has happened is not known; all of it may be asked for again.

    Attributes:
        again: Seconds until it makes sense to ask again.
    """

    def __init__(self, text: str, again: float = 60.0) -> None:
        super().__init__(text)
        self.again = again


@dataclass(frozen=True, slots=True)
class Shown:
    """Where a proposal can be seen: in words, and, where the forge has such, its pull request and the address of it."""

    where: str
    pull: int = 0
    url: str = ""


class Forge(Protocol):
    """Where proposals are shown to reviewers: branches here, pull requests on GitHub. All of it may be called twice.

    Each of these raises `ForgeDown` where the forge cannot be asked.
    """

    announces: bool
    """Whether it shows heads that nobody has judged yet."""

    async def announce(self, proposal: Proposal) -> Shown | None:
        """Show a head that nobody has judged yet as unfinished work; None where that is not shown."""

    async def open(self, proposal: Proposal) -> Shown:
        """Show a proposal that passed to reviewers (again, after a new head or another verdict)."""

    async def shown(self) -> Collection[str]:
        """The branches that are under review, as the forge knows them: a crash may have left some there."""

    async def close(self, proposal: Proposal, why: str) -> None:
        """Take a proposal out of review and tidy up after it."""


class Upstream(Forge, Protocol):
    """A forge on which `main` itself lives: it is moved there, and followed here."""

    name: str
    """What people call it."""
    where: str
    """Which one it is, in a few words for people."""

    def status(self) -> str:
        """Which one it is, in a line for people."""

    async def end(self) -> None:
        """Let go of its connections."""

    async def main(self) -> str:
        """Bring here what is on `main` there; the commit that it names."""

    async def look(self, proposal: Proposal) -> PullState | None:
        """What a proposal's pull request is now, with its commits brought here; None where there is none."""

    async def merge(self, proposal: Proposal, title: str, message: str) -> str | Decision:
        """Merge a pull request whose head is still the proposal's.

        Args:
            proposal: What is merged; its `approved_head` is what the forge has to find there.
            title: The first line of the merge's message.
            message: The rest of it.

        Returns:
            The commit that `main` became; or a "no": `waiting` (for checks, reviews, the queue: ask again), `behind`
            (it has to contain what `main` is now first), `head_moved`, `closed`, `forbidden`.
        """

    async def unqueue(self, proposal: Proposal) -> None:
        """Take a pull request that stands in a merge queue out of that, because it is not to be merged now."""

    async def propose_revert(self, proposal: Proposal, commit: str, message: str) -> Shown:
        """Show a commit here that takes a merged proposal back as a pull request, on the branch `revert/N-slug`."""

    async def look_at_revert(self, proposal: Proposal) -> PullState | None:
        """What that pull request is now; None where there is none."""

    async def merge_revert(self, proposal: Proposal, head: str) -> str | Decision:
        """Merge that pull request if it still is at `head`; the answers are those of `merge`."""

    async def drop_revert(self, proposal: Proposal, why: str) -> None:
        """Close what is still open of that pull request, saying why, and tidy up after it; what people put on it is left."""

    async def say_verdict(self, proposal: Proposal) -> None:
        """Show beside a proposal's head what the gate says of it: its verdict, or that it is being judged."""

    async def remark(self, proposal: Proposal, key: str, text: str) -> None:
        """Say something below a pull request, once for each `key`."""


class Host(Protocol):
    """The running bot, as the steward sees it."""

    async def load(self, plan: LoadPlan) -> Finding | None:
        """Swap a commit's live code in; a Finding says why it was refused and that the old code serves on.

        Raises:
            ConnectionError: The bot is gone or does not answer.
        """
