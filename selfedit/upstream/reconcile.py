"""Keeps the ledger and the forge where `main` lives in agreement: looks at every proposal there, and does what is missing.

What is true there is read from its interface each time; a hint only says when to look. Whatever is written there by people
is data: an approval is a review's state, and a complaint goes to the author of the change as text. Each round can be cut
short anywhere and done again, and nothing in it ends a proposal because the forge cannot be asked.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

from policies.decision import Decision, Finding
from policies.merge import own_commits, same
from policies.rights import Capability, Person, may
from selfedit.answers.telling import approved_by
from selfedit.commands import GitFailed
from selfedit.history.ledger import LedgerProblem
from selfedit.mainline.shared import Shared
from selfedit.ports import ForgeDown, Upstream
from selfedit.proposals.pipeline import NOT_SHOWN, Pipeline
from selfedit.pulls import READY, Account, PullState
from selfedit.repo import RepoProblem
from selfedit.types import EARLY, UNDER_REVIEW, Proposal, Stage
from selfedit.upstream.complaints import complaints
from selfedit.upstream.mainline import UpstreamMainline
from selfedit.upstream.schedule import FIRST_DELAY, Schedule
from selfedit.words import one_line

log = logging.getLogger("theseus.reconcile")

Revise = Callable[[int, Sequence[Finding], Sequence[str]], Awaitable[Proposal | Decision]]
"""Has a proposal drafted again because of complaints, which are known again by their keys."""

LASTING = 300.0
"""What the forge asks to be left alone for so long with, and is about one proposal, is for people to mend."""

_LASTING = frozenset({"not_by_a_model", "revised_enough", "changed_by_hand", "nothing_said"})
"""Answers of an author that will be the same the next time, and are not written down by it."""
_REPEATED = frozenset({"self_approval", "own_commits", "approved_before", "frozen"})
"""Answers to an approval that will be the same the next time."""
_TURNED_AWAY = (Stage.REFUSED, Stage.FAILED, Stage.REJECTED)
"""Ends of which nothing is to stay on the forge."""
_TIDIED, _KEPT = "tidied", "kept"
"""What is done for good there."""


class Reconciler:
    """Goes round the proposals when something may have changed, and from time to time."""

    def __init__(
        self,
        shared: Shared[Upstream],
        *,
        mainline: UpstreamMainline,
        pipeline: Pipeline,
        revise: Revise,
        cannot_edit: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._mainline = mainline
        self._pipeline = pipeline
        self._revise = revise
        self._cannot_edit = cannot_edit
        self._schedule = Schedule(clock)
        self._partly = ""
        self.asked = False
        """Whether the forge has answered, or was found not to, since this process began."""
        self._revising: dict[int, asyncio.Task[None]] = {}
        self._noted: set[tuple[int, str]] = set()
        """Approvals of which the forge was told since this process began; told again it stays silent."""
        self._one_round = asyncio.Lock()

    # When

    async def run(self) -> None:
        """Go on for ever."""
        while True:
            await self.tick()
            await self._schedule.pause()

    def wake(self) -> None:
        """Something may have changed there."""
        self._schedule.wake()

    async def tick(self) -> bool:
        """Do a round if it is time for one; whether it was."""
        due = self._schedule.due()
        if due:
            await self.round()
        return due

    def status(self) -> str:
        """Where proposals are reviewed, and whether that answers, in a line."""
        if not self._schedule.trouble:
            return "; ".join(filter(None, (self._shared.forge.status(), self._partly)))
        again = round(self._schedule.resting())
        return f"{self._shared.forge.where} cannot be asked ({self._schedule.trouble}); proposals wait, and it is asked again in {again} s"

    async def idle(self) -> None:
        """Wait until nothing is being drafted again."""
        while self._revising:
            await asyncio.wait(self._revising.values())

    async def stop(self) -> None:
        """Give up what is being drafted again; it is asked for anew after the next start."""
        for task in list(self._revising.values()):
            task.cancel()
        await asyncio.gather(*self._revising.values(), return_exceptions=True)

    # A round

    async def round(self) -> None:
        """Look at everything once. That the forge cannot be asked is remembered and said, never raised."""
        async with self._one_round:
            try:
                soon = await self._round()
            except ForgeDown as down:
                self._schedule.put_off(str(down), down.again)
            except (GitFailed, RepoProblem, LedgerProblem, OSError) as error:
                self._schedule.put_off(f"something is wrong here: {error}")
            except Exception as error:  # the loop must not end of what one round met
                log.exception("a round could not be done")
                self._schedule.put_off(f"a fault of Theseus itself: {type(error).__name__}: {error}")
            else:
                self._schedule.done(soon)
            self.asked = True

    async def _round(self) -> float:
        """Look at everything; seconds until the next time."""
        await self._mainline.follow(hinted=bool(self._shared.record.asked))
        shown = await self._shared.forge.shown()
        self.asked = True
        soon, self._partly = self._shared.rules.github.poll_seconds, ""
        for number in list(self._shared.record.proposals):
            try:
                await self._agree(number, shown)
            except ForgeDown as error:
                await self._shared.forge.main()  # does not answer either, unless it is about this one alone
                soon = min(soon, max(error.again, FIRST_DELAY))
                self._partly = f"proposal {number} could not be looked after: {error}"
                if error.again >= LASTING and self._shared.record.proposals[number].stage in UNDER_REVIEW:
                    self._mainline.wait(number, f"{NOT_SHOWN}: {error}")
                elif error.again >= LASTING and number in self._shared.record.takebacks:
                    self._mainline.wait(
                        number, f"it is not taken back on {self._shared.forge.name} yet: {error}"
                    )
            except GitFailed as error:
                self._partly = f"proposal {number} could not be looked after: {error}"
                if self._waits(number):  # what has ended keeps the reason for that
                    self._mainline.wait(number, f"it could not be looked after: {error}")
            except Exception:  # one that cannot be looked after must not hold the others up
                log.exception("proposal %d could not be looked after", number)
                self._partly = f"proposal {number} could not be looked after, by a fault of Theseus itself"
        return soon

    async def _agree(self, number: int, shown: Collection[str]) -> None:
        proposal = self._shared.record.proposals[number]
        if proposal.stage in EARLY or number in self._revising:
            return
        if proposal.stage in UNDER_REVIEW:
            await self._look_after(number)
        elif number in self._shared.record.takebacks:
            await self._mainline.step_back(number)
        elif proposal.branch and proposal.branch in shown:
            await self._shared.forge.close(proposal, proposal.why)
        else:
            await self._round_off(proposal)

    def _under_review(self, number: int) -> bool:
        return self._shared.record.proposals[number].stage in UNDER_REVIEW

    def _waits(self, number: int) -> bool:
        """Whether what is said of a proposal is for what it waits."""
        return self._under_review(number) or number in self._shared.record.takebacks

    async def _round_off(self, proposal: Proposal) -> None:
        """Leave nothing behind of what has ended, and say there that what was merged was kept; each once."""
        if proposal.stage in _TURNED_AWAY and proposal.branch and _TIDIED not in proposal.told:
            # Also a branch whose pull request never came to be.
            await self._shared.forge.close(proposal, proposal.why)
            self._shared.record.write("told", proposal.number, key=_TIDIED)
        elif proposal.stage is Stage.REVERTED and proposal.pull and _TIDIED not in proposal.told:
            branch = self._shared.repo.branch
            why = f"closed: {branch} is without proposal {proposal.number} already, as people undid it by themselves"
            await self._shared.forge.drop_revert(
                proposal, why
            )  # open only where it was not this that was merged
            self._shared.record.write("told", proposal.number, key=_TIDIED)
        elif proposal.stage is Stage.KEPT and proposal.pull and _KEPT not in proposal.told:
            by = approved_by(proposal, one_line)
            said = f"watched while people used it, and kept; approved by {by}"
            await self._shared.forge.remark(proposal, _KEPT, said)
            self._shared.record.write("told", proposal.number, key=_KEPT)

    async def _look_after(self, number: int) -> None:
        """Bring a proposal under review forward as far as it goes now."""
        state = await self._as_wished(number)
        if state is None or not self._under_review(number):  # turned down here meanwhile, perhaps
            return
        if state.open and not state.draft and READY not in self._shared.record.proposals[number].told:
            self._shared.record.write("told", number, key=READY)
        proposal = self._shared.record.proposals[number]
        if state.merged:
            await self._mainline.follow(hinted=True)
            await self._mainline.lost(number, state)
        elif not state.open:
            await self._closed(proposal, state)
        elif state.head != proposal.head:
            await self._pushed(proposal, state)
        else:
            self._note_names(proposal, [*state.pushed_by, *(review.by for review in state.reviews)])
            await self._mainline.withdraw(number, state)
            if await self._complaints(number, state):
                return
            await self._approvals(number, state)
            if self._shared.record.proposals[number].stage is Stage.APPROVED:
                await self._carry_on(number, state)
            await self._chat_approvals(number)

    async def _as_wished(self, number: int) -> PullState | None:
        """What is there, once the ledger's wish has been made true: shown, pushed, and ready to be reviewed."""
        proposal = self._shared.record.proposals[number]
        state = await self._shared.forge.look(proposal)
        passed = proposal.report is not None and proposal.report.verdict == "passed"
        behind = (
            state is not None and state.open and state.head != proposal.head and self._ours(state, proposal)
        )
        known = proposal.pull and self._pipeline.is_shown(number)
        unfinished = state is not None and state.draft and state.drafted_by is None
        if passed and (state is None or behind or (state.open and (unfinished or not known))):
            await self._pipeline.show(number)
            state = await self._shared.forge.look(self._shared.record.proposals[number])
        return state

    def _ours(self, state: PullState, proposal: Proposal) -> bool:
        """Whether what is there is an older head, so that the newer one was not pushed yet."""
        if self._shared.repo.resolve(state.head) is None or not self._shared.repo.is_ancestor(
            state.head, proposal.head
        ):
            return False
        theirs = proposal.head in self._shared.repo.refs(f"refs/proposals/{proposal.number}/pushed/").values()
        return not theirs  # people put it there, and took it away again

    async def _closed(self, proposal: Proposal, state: PullState) -> None:
        by = state.closed_by
        self._note_names(proposal, [by] if by else [])
        why = f"closed on {self._shared.forge.name} by {one_line(by.login, 40) if by else 'somebody'}"
        noted = f"noted: proposal {proposal.number} is turned down, because it was closed here; whoever wants it after all asks for it again"
        with contextlib.suppress(ForgeDown):  # before it is written, so that a crash leaves it to be done
            await self._shared.forge.remark(proposal, f"noted-{proposal.head}", noted)
        if not self._under_review(proposal.number):
            return
        self._shared.record.write("rejected", proposal.number, by=by.id if by else "", why=why)
        self._shared.tell(proposal.number, Stage.REJECTED, why)
        await self._shared.forge.close(self._shared.record.proposals[proposal.number], why)

    async def _pushed(self, proposal: Proposal, state: PullState) -> None:
        """People put commits on its branch: that is another head, which is judged, and which nobody has approved."""
        number, base = proposal.number, self._shared.repo.main()
        self._note_names(proposal, state.pushed_by)
        self._shared.tell(
            number, proposal.stage, f"somebody pushed {state.head[:12]} to its branch: judging that"
        )
        await self._shared.forge.say_verdict(proposal.model_copy(update={"head": state.head}))
        report = await self._pipeline.judged(number, base, state.head, proposal.stage)
        now = self._shared.record.proposals[number]
        if (now.stage, now.head) != (proposal.stage, proposal.head):
            return  # something else happened meanwhile: the next round sees what is to be done
        if report.verdict == "unknown":
            self._mainline.wait(
                number, f"what was pushed to its branch could not be judged: {report.complaint}"
            )
            return
        why = (
            ""
            if report.verdict == "passed"
            else f"what was pushed to its branch did not pass: {report.complaint}"
        )
        if why:  # before it is written down, so that a crash leaves it to be done
            await self._shared.forge.say_verdict(
                proposal.model_copy(update={"head": state.head, "report": report})
            )
        pushed = [account.id for account in state.pushed_by]
        facts = {"base": base, "head": state.head, "report": report.model_dump(mode="json")}
        self._shared.record.write("revised", number, pushed_by=pushed, why=why, **facts)
        self._shared.repo.set_ref(f"refs/proposals/{number}/head", state.head)
        self._shared.repo.set_ref(f"refs/proposals/{number}/pushed/{state.head}", state.head)
        self._shared.tell(
            number, Stage.OPENED, why or "what was pushed to its branch passed; it is to be approved anew"
        )
        if why:
            await self._shared.forge.remark(
                self._shared.record.proposals[number], f"judged-{state.head}", why
            )
        else:
            await self._pipeline.show(number)

    # What people and checks say

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
                self.wake()
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

    def _note_names(self, proposal: Proposal, accounts: Iterable[Account]) -> None:
        known = dict(proposal.names)
        fresh = {
            one.id: one_line(one.login, 40)
            for one in accounts
            if known.get(one.id) != one_line(one.login, 40)
        }
        if fresh:
            self._shared.record.write("named", proposal.number, names=fresh)
