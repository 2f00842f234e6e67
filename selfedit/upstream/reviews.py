"""What people and checks say of a proposal on the forge: approvals are counted, complaints handed to the author.

What is written there is data: an approval is a review's state, and a complaint goes to the author as text.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from policies.decision import Decision, Finding
from policies.merge import own_commits, same
from policies.rights import Capability, Person, may
from selfedit.mainline.shared import Shared
from selfedit.ports import ForgeDown, Upstream
from selfedit.pulls import Account, PullState
from selfedit.types import UNDER_REVIEW, Proposal, Stage
from selfedit.upstream.complaints import complaints
from selfedit.upstream.mainline import UpstreamMainline
from selfedit.words import one_line

log = logging.getLogger("theseus.reviews")

Revise = Callable[[int, Sequence[Finding], Sequence[str]], Awaitable[Proposal | Decision]]
"""Has a proposal drafted again because of complaints, which are known again by their keys."""

_LASTING = frozenset({"not_by_a_model", "revised_enough", "changed_by_hand", "nothing_said"})
"""Answers of an author that will be the same the next time, and are not written down by it."""
_REPEATED = frozenset({"self_approval", "own_commits", "approved_before", "frozen"})
"""Answers to an approval that will be the same the next time."""


class Reviews:
    """Heeds what is said of proposals under review."""

    def __init__(
        self,
        shared: Shared[Upstream],
        mainline: UpstreamMainline,
        revise: Revise,
        cannot_edit: Callable[[], str],
        wake: Callable[[], None],
    ) -> None:
        """Heed it.

        Args:
            shared: The ledger, the repository, the forge.
            mainline: Where approvals and merges are asked for.
            revise: Has a proposal drafted again.
            cannot_edit: Why nothing may change now; empty where it may.
            wake: Told when a proposal has another head.
        """
        self._shared = shared
        self._mainline = mainline
        self._revise = revise
        self._cannot_edit = cannot_edit
        self._wake = wake
        self._revising: dict[int, asyncio.Task[None]] = {}
        self._noted: set[tuple[int, str]] = set()
        """Approvals of which the forge was told since this process began; told again it stays silent."""

    def busy(self, number: int) -> bool:
        """Whether a proposal is being drafted again."""
        return number in self._revising

    async def idle(self) -> None:
        """Wait until nothing is being drafted again."""
        while self._revising:
            await asyncio.wait(self._revising.values())

    async def stop(self) -> None:
        """Give up what is being drafted again; it is asked for anew after the next start."""
        for task in list(self._revising.values()):
            task.cancel()
        await asyncio.gather(*self._revising.values(), return_exceptions=True)

    async def heed(self, number: int, state: PullState) -> None:
        """Bring a proposal forward by what was said of its head."""
        proposal = self._shared.record.proposals[number]
        self.note_names(proposal, [*state.pushed_by, *(review.by for review in state.reviews)])
        await self._mainline.withdraw(number, state)
        if await self._complaints(number, state):
            return
        await self._approvals(number, state)
        if self._shared.record.proposals[number].stage is Stage.APPROVED:
            await self._carry_on(number, state)
        await self._chat_approvals(number)

    def note_names(self, proposal: Proposal, accounts: Iterable[Account]) -> None:
        """Write down what people are called there now."""
        known = dict(proposal.names)
        fresh = {
            one.id: one_line(one.login, 40)
            for one in accounts
            if known.get(one.id) != one_line(one.login, 40)
        }
        if fresh:
            self._shared.record.write("named", proposal.number, names=fresh)

    async def _complaints(self, number: int, state: PullState) -> bool:
        """Hand complaints that nobody answered yet to the author; whether it is at work on them."""
        proposal = self._shared.record.proposals[number]
        said = complaints(state, [one for one in state.reviews if self._may(one.by, "propose")])
        fresh = {key: found for key, found in said.items() if key not in proposal.heard}
        if unasked := [key for key, found in fresh.items() if not found]:
            self._shared.record.write("heard", number, keys=unasked)
            for run in state.runs:
                if f"run:{run.name}:{state.head}" in unasked:
                    self._shared.tell(
                        number,
                        proposal.stage,
                        f"{one_line(run.name, 60)} failed there, which nobody requires",
                    )
        open_ones = {key: found for key, found in fresh.items() if found}
        if not open_ones or self._cannot_edit():
            return False
        if proposal.stage is Stage.APPROVED and proposal.author == "model":
            if state.queued and number in self._shared.record.asked:
                await self._shared.forge.unqueue(proposal)
            self._shared.record.write(
                "opened", number, why=f"on {self._shared.forge.name} changes were asked for"
            )
        task = asyncio.create_task(self._answer(number, open_ones))
        self._revising[number] = task
        task.add_done_callback(lambda _: self._revising.pop(number, None))
        return True

    async def _answer(self, number: int, complaints: dict[str, list[Finding]]) -> None:
        keys = list(complaints)
        findings = [finding for found in complaints.values() for finding in found]
        try:
            answer = await self._revise(number, findings, keys)
            if not isinstance(answer, Decision):
                self._wake()
                return
            if answer.findings[0].rule in _LASTING:
                self._shared.record.write("heard", number, keys=keys)
            if set(keys) <= set(self._shared.record.proposals[number].heard):
                await self._shared.forge.remark(self._shared.record.proposals[number], keys[0], answer.why)
        except ForgeDown as down:
            log.info("proposal %d: %s", number, down)
        except Exception:
            log.exception("proposal %d could not be drafted again", number)

    async def _approvals(self, number: int, state: PullState) -> None:
        """Count the approvals of exactly this head, by people who have the right to give them now."""
        for review in state.reviews:
            proposal, key = self._shared.record.proposals[number], f"review:{review.id}"
            given = review.state == "approved" and review.head == proposal.head == state.head
            if proposal.stage not in UNDER_REVIEW or not given or not self._may(review.by, "approve"):
                continue
            if review.by.id in proposal.approvals or key in proposal.heard:
                continue
            if why := self._cannot_edit():
                self._mainline.wait(number, f"an approval on {self._shared.forge.name} waits: {why}")
                return
            answer: Proposal | Decision
            theirs = any(same(review.by.id, pusher.id, self._shared.rules) for pusher in state.pushed_by)
            if proposal.stage is Stage.APPROVED:
                if not theirs:
                    self._mainline.second(number, review.by.who, review.head)
                continue
            if theirs:
                answer = own_commits(number)
            else:
                answer = await self._mainline.approve(number, review.by.who, review.head)
            if isinstance(answer, Decision) and answer.findings[0].rule == "policy_changed":
                self._mainline.wait(number, answer.why)
            if isinstance(answer, Decision) and answer.findings[0].rule in _REPEATED:
                self._shared.record.write("heard", number, keys=[key])
                await self._shared.forge.remark(self._shared.record.proposals[number], key, answer.why)

    async def _chat_approvals(self, number: int) -> None:
        """Say below the pull request who approved this head in another place, where reviewers would not see it."""
        proposal = self._shared.record.proposals[number]
        for by in proposal.approvals:
            key = f"approved-{proposal.head}-{by}"
            if by.startswith(f"{self._mainline.surface}:") or (number, key) in self._noted:
                continue
            where = "at the console" if Person(by).at_console else f"on {by.partition(':')[0].capitalize()}"
            await self._shared.forge.remark(
                proposal, key, f"approved {where} by {one_line(by, 60)}: {proposal.head[:12]}"
            )
            self._noted.add((number, key))

    async def _carry_on(self, number: int, state: PullState) -> None:
        if why := self._cannot_edit():
            if state.queued and number in self._shared.record.asked:
                await self._shared.forge.unqueue(self._shared.record.proposals[number])
            self._mainline.wait(number, why)
        else:
            await self._mainline.advance(number)

    def _may(self, account: Account, what: Capability) -> bool:
        return (
            account.person and may(what, account.who, self._shared.record.grants, self._shared.rules).allowed
        )
