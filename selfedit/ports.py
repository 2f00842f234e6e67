"""The seams of the steward: what it needs of authors, forges and the running bot."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from policies.decision import Finding
from selfedit.types import Draft, GateReport, LoadPlan, NoDraft, Proposal, Request

Tell = Callable[[str], None]
"""Told one short sentence at a time while a stage goes on."""


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
    ) -> Draft | NoDraft:
        """Draft edits for a request.

        Args:
            request: What was asked for.
            bench: The code to look at, and a gate to try drafts on.
            complaints: What was wrong with this author's last draft; empty at first.
            tell: Hears about progress.
        """


class Forge(Protocol):
    """Where proposals are shown to reviewers: refs and branches here, pull requests on GitHub."""

    async def open(self, proposal: Proposal) -> str:
        """Show a proposal (again, after a new head); the answer says where it can be seen. May be called twice."""

    async def shown(self) -> Collection[str]:
        """The branches that are under review, as the forge knows them: a crash may have left some there."""

    async def close(self, proposal: Proposal, why: str) -> None:
        """Take a proposal out of review and tidy up after it. May be called twice."""


class Host(Protocol):
    """The running bot, as the steward sees it."""

    async def load(self, plan: LoadPlan) -> Finding | None:
        """Swap a commit's live code in; a Finding says why it was refused and that the old code serves on.

        Raises:
            ConnectionError: The bot is gone or does not answer.
        """
