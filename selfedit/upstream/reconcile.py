"""Keeps the ledger and the forge where `main` lives in agreement: looks at every proposal there, and does what is missing.

What is true there is read from its interface each time; a hint only says when to look. Whatever is written there by people
is data: an approval is a review's state, and a complaint goes to the author of the change as text. Each round can be cut
short anywhere and done again, and nothing in it ends a proposal because the forge cannot be asked.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection

from selfedit.answers.telling import approved_by
from selfedit.commands import GitFailed
from selfedit.history.ledger import LedgerProblem
from selfedit.mainline.shared import Shared
from selfedit.ports import ForgeDown, Upstream
from selfedit.proposals.pipeline import NOT_SHOWN, Pipeline
from selfedit.pulls import READY, PullState
from selfedit.repo import RepoProblem
from selfedit.types import EARLY, UNDER_REVIEW, Proposal, Stage
from selfedit.upstream.mainline import UpstreamMainline
from selfedit.upstream.reviews import Reviews, Revise
from selfedit.upstream.schedule import FIRST_DELAY, Schedule
from selfedit.words import one_line

log = logging.getLogger("theseus.reconcile")

LASTING = 300.0
"""What the forge asks to be left alone for so long with, and is about one proposal, is for people to mend."""

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
        self._reviews = Reviews(shared, mainline, revise, cannot_edit, self.wake)
        self._schedule = Schedule(clock)
        self._partly = ""
        self.asked = False
        """Whether the forge has answered, or was found not to, since this process began."""
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
        await self._reviews.idle()

    async def stop(self) -> None:
        """Give up what is being drafted again; it is asked for anew after the next start."""
        await self._reviews.stop()

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
        if proposal.stage in EARLY or self._reviews.busy(number):
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
            await self._reviews.heed(number, state)

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
        self._reviews.note_names(proposal, [by] if by else [])
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
        self._reviews.note_names(proposal, state.pushed_by)
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
