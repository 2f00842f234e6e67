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
from policies.load import Rules
from policies.merge import own_commits, same
from policies.rights import Capability, may
from selfedit.ledger import LedgerProblem
from selfedit.pipeline import NOT_SHOWN, Pipeline, Tell
from selfedit.ports import ForgeDown, Upstream
from selfedit.pulls import Account, PullState, Review, Run
from selfedit.record import Record
from selfedit.repo import GitFailed, Repo, RepoProblem
from selfedit.types import EARLY, UNDER_REVIEW, Proposal, Stage
from selfedit.upstream import UpstreamMainline
from selfedit.words import one_line

log = logging.getLogger("theseus.reconcile")

Revise = Callable[[int, Sequence[Finding], Sequence[str]], Awaitable[Proposal | Decision]]
"""Has a proposal drafted again because of complaints, which are known again by their keys."""

SHORTEST = 1.0
"""Seconds between two rounds at least, however many hints come."""
FIRST_DELAY, LONGEST_DELAY = 5.0, 300.0
"""Seconds until the forge is asked again after it did not answer, the first time and at most, unless it says itself."""
LASTING = 300.0
"""What the forge asks to be left alone for so long with, and is about one proposal, is for people to mend."""
LONGEST_SAYING = 2000
"""Characters of what somebody wrote that are handed to an author."""

_LASTING = frozenset({"not_by_a_model", "revised_enough", "changed_by_hand", "nothing_said"})
"""Answers of an author that will be the same the next time, and are not written down by it."""
_REPEATED = frozenset({"self_approval", "own_commits", "approved_before", "frozen"})
"""Answers to an approval that will be the same the next time."""


class Reconciler:
    """Goes round the proposals when something may have changed, and from time to time."""

    def __init__(
        self,
        *,
        repo: Repo,
        record: Record,
        forge: Upstream,
        mainline: UpstreamMainline,
        pipeline: Pipeline,
        revise: Revise,
        cannot_edit: Callable[[], str],
        rules: Rules,
        tell: Tell,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._repo = repo
        self._record = record
        self._forge = forge
        self._mainline = mainline
        self._pipeline = pipeline
        self._revise = revise
        self._cannot_edit = cannot_edit
        self._rules = rules
        self._tell = tell
        self._clock = clock
        self._woken = asyncio.Event()
        self._next = self._not_before = 0.0
        self._failures = 0
        self._trouble = self._partly = ""
        self._revising: dict[int, asyncio.Task[None]] = {}
        self._one_round = asyncio.Lock()

    # When

    async def run(self) -> None:
        """Go on for ever."""
        while True:
            await self.tick()
            if self._woken.is_set():
                await asyncio.sleep(max(0.0, self._not_before - self._clock()))
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), max(0.0, self._next - self._clock()))

    def wake(self) -> None:
        """Something may have changed there."""
        self._woken.set()

    async def tick(self) -> bool:
        """Do a round if it is time for one; whether it was."""
        now = self._clock()
        if now < self._not_before or (now < self._next and not self._woken.is_set()):
            return False
        self._woken.clear()
        await self.round()
        return True

    def status(self) -> str:
        """Where proposals are reviewed, and whether that answers, in a line."""
        if not self._trouble:
            return "; ".join(filter(None, (self._forge.status(), self._partly)))
        again = max(0, round(self._not_before - self._clock()))
        return f"{self._forge.name} cannot be asked ({self._trouble}); proposals wait, and it is asked again in {again} s"

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
                self._back_off(str(down), down.again)
            except (GitFailed, RepoProblem, LedgerProblem, OSError) as error:
                self._back_off(f"something is wrong here: {error}")
            except Exception as error:  # the loop must not end of what one round met
                log.exception("a round could not be done")
                self._back_off(f"a fault of Theseus itself: {type(error).__name__}: {error}")
            else:
                self._failures, self._trouble = 0, ""
                self._next = self._clock() + soon
                self._not_before = self._clock() + SHORTEST

    def _back_off(self, why: str, again: float = 0.0) -> None:
        self._failures += 1
        delay = min(FIRST_DELAY * 2 ** (self._failures - 1), LONGEST_DELAY)
        self._trouble = why
        self._next = self._not_before = self._clock() + max(delay, again)

    async def _round(self) -> float:
        """Look at everything; seconds until the next time."""
        await self._mainline.follow(hinted=bool(self._record.asked))
        shown = await self._forge.shown()
        soon, self._partly = self._rules.github.poll_seconds, ""
        for number in list(self._record.proposals):
            try:
                await self._agree(number, shown)
            except ForgeDown as error:
                await self._forge.main()  # does not answer either, unless it is about this one alone
                soon = min(soon, max(error.again, FIRST_DELAY))
                self._partly = f"proposal {number} could not be looked after: {error}"
                if error.again >= LASTING and self._record.proposals[number].stage in UNDER_REVIEW:
                    self._mainline.wait(number, f"{NOT_SHOWN}: {error}")
                elif error.again >= LASTING and number in self._record.takebacks:
                    self._mainline.wait(number, f"it is not taken back on {self._forge.name} yet: {error}")
            except GitFailed as error:
                self._mainline.wait(number, f"it could not be looked after: {error}")
            except Exception:  # one that cannot be looked after must not hold the others up
                log.exception("proposal %d could not be looked after", number)
                self._partly = f"proposal {number} could not be looked after, by a fault of Theseus itself"
        return soon

    async def _agree(self, number: int, shown: Collection[str]) -> None:
        proposal = self._record.proposals[number]
        if proposal.stage in EARLY or number in self._revising:
            return
        if proposal.stage in UNDER_REVIEW:
            await self._look_after(number)
        elif number in self._record.takebacks:
            await self._mainline.step_back(number)
        elif proposal.branch and proposal.branch in shown:
            await self._forge.close(proposal, proposal.why)

    async def _look_after(self, number: int) -> None:
        """Bring a proposal under review forward as far as it goes now."""
        state = await self._as_wished(number)
        if state is None:
            return
        proposal = self._record.proposals[number]
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
            if self._record.proposals[number].stage is Stage.APPROVED:
                await self._carry_on(number, state)

    async def _as_wished(self, number: int) -> PullState | None:
        """What is there, once the ledger's wish has been made true: shown, pushed, and ready to be reviewed."""
        proposal = self._record.proposals[number]
        state = await self._forge.look(proposal)
        passed = proposal.report is not None and proposal.report.verdict == "passed"
        behind = (
            state is not None and state.open and state.head != proposal.head and self._ours(state, proposal)
        )
        known = proposal.pull and self._pipeline.is_shown(number)
        if passed and (state is None or behind or (state.open and (state.draft or not known))):
            await self._pipeline.show(number)
            state = await self._forge.look(self._record.proposals[number])
        return state

    def _ours(self, state: PullState, proposal: Proposal) -> bool:
        """Whether what is there is an older head, so that the newer one was not pushed yet."""
        if self._repo.resolve(state.head) is None or not self._repo.is_ancestor(state.head, proposal.head):
            return False
        theirs = proposal.head in self._repo.refs(f"refs/proposals/{proposal.number}/pushed/").values()
        return not theirs  # people put it there, and took it away again

    async def _closed(self, proposal: Proposal, state: PullState) -> None:
        by = state.closed_by
        self._note_names(proposal, [by] if by else [])
        why = f"closed on {self._forge.name} by {one_line(by.login, 40) if by else 'somebody'}"
        self._record.write("rejected", proposal.number, by=by.id if by else "", why=why)
        self._tell(proposal.number, Stage.REJECTED, why)
        await self._forge.close(self._record.proposals[proposal.number], why)

    async def _pushed(self, proposal: Proposal, state: PullState) -> None:
        """People put commits on its branch: that is another head, which is judged, and which nobody has approved."""
        number, base = proposal.number, self._repo.main()
        self._note_names(proposal, state.pushed_by)
        self._tell(number, proposal.stage, f"somebody pushed {state.head[:12]} to its branch: judging that")
        report = await self._pipeline.judged(number, base, state.head, proposal.stage)
        now = self._record.proposals[number]
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
        pushed = [account.id for account in state.pushed_by]
        facts = {"base": base, "head": state.head, "report": report.model_dump(mode="json")}
        self._record.write("revised", number, pushed_by=pushed, why=why, **facts)
        self._repo.set_ref(f"refs/proposals/{number}/head", state.head)
        self._repo.set_ref(f"refs/proposals/{number}/pushed/{state.head}", state.head)
        self._tell(
            number, Stage.OPENED, why or "what was pushed to its branch passed; it is to be approved anew"
        )
        if why:
            await self._forge.remark(self._record.proposals[number], f"judged-{state.head}", why)
        else:
            await self._pipeline.show(number)

    # What people and checks say

    async def _complaints(self, number: int, state: PullState) -> bool:
        """Hand complaints that nobody answered yet to the author; whether it is at work on them."""
        proposal = self._record.proposals[number]
        said: dict[str, list[Finding]] = {}
        for review in state.reviews:
            if review.state == "changes_requested" and self._may(review.by, "propose"):
                said[f"review:{review.id}"] = _of_review(review)
        for run in state.runs:
            if run.state == "failed":
                said[f"run:{run.name}:{state.head}"] = _of_run(run) if run.required else []
        fresh = {key: found for key, found in said.items() if key not in proposal.heard}
        if unasked := [key for key, found in fresh.items() if not found]:
            self._record.write("heard", number, keys=unasked)
            for run in state.runs:
                if f"run:{run.name}:{state.head}" in unasked:
                    self._tell(
                        number,
                        proposal.stage,
                        f"{one_line(run.name, 60)} failed there, which nobody requires",
                    )
        complaints = {key: found for key, found in fresh.items() if found}
        if not complaints or self._cannot_edit():
            return False
        if proposal.stage is Stage.APPROVED and proposal.author == "model":
            if state.queued and number in self._record.asked:
                await self._forge.unqueue(proposal)
            self._record.write("opened", number, why=f"on {self._forge.name} changes were asked for")
        task = asyncio.create_task(self._answer(number, complaints))
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
                self._record.write("heard", number, keys=keys)
            if set(keys) <= set(self._record.proposals[number].heard):
                await self._forge.remark(self._record.proposals[number], keys[0], answer.why)
        except ForgeDown as down:
            log.info("proposal %d: %s", number, down)
        except Exception:
            log.exception("proposal %d could not be drafted again", number)

    async def _approvals(self, number: int, state: PullState) -> None:
        """Count the approvals of exactly this head, by people who have the right to give them now."""
        for review in state.reviews:
            proposal, key = self._record.proposals[number], f"review:{review.id}"
            given = review.state == "approved" and review.head == proposal.head == state.head
            if proposal.stage is not Stage.OPENED or not given or not self._may(review.by, "approve"):
                continue
            if review.by.id in proposal.approvals or key in proposal.heard:
                continue
            if why := self._cannot_edit():
                self._mainline.wait(number, f"an approval on {self._forge.name} waits: {why}")
                return
            answer: Proposal | Decision
            if any(same(review.by.id, pusher.id, self._rules) for pusher in state.pushed_by):
                answer = own_commits(number)
            else:
                answer = await self._mainline.approve(number, review.by.who, review.head)
            if isinstance(answer, Decision) and answer.findings[0].rule == "policy_changed":
                self._mainline.wait(number, answer.why)
            if isinstance(answer, Decision) and answer.findings[0].rule in _REPEATED:
                self._record.write("heard", number, keys=[key])
                await self._forge.remark(self._record.proposals[number], key, answer.why)

    async def _carry_on(self, number: int, state: PullState) -> None:
        if why := self._cannot_edit():
            if state.queued and number in self._record.asked:
                await self._forge.unqueue(self._record.proposals[number])
            self._mainline.wait(number, why)
        else:
            await self._mainline.advance(number)

    def _may(self, account: Account, what: Capability) -> bool:
        return account.person and may(what, account.who, self._record.grants, self._rules).allowed

    def _note_names(self, proposal: Proposal, accounts: Iterable[Account]) -> None:
        known = dict(proposal.names)
        fresh = {
            one.id: one_line(one.login, 40)
            for one in accounts
            if known.get(one.id) != one_line(one.login, 40)
        }
        if fresh:
            self._record.write("named", proposal.number, names=fresh)


def _of_review(review: Review) -> list[Finding]:
    said = [
        Finding(rule="review", path=one.path, line=one.line or None, message=one.text[:LONGEST_SAYING])
        for one in review.remarks
        if one.text.strip()
    ]
    return said or [Finding(rule="review", message="changes are asked for, without a word on which")]


def _of_run(run: Run) -> list[Finding]:
    said = [
        Finding(rule="check", path=one.path, line=one.line or None, message=one.text[:LONGEST_SAYING])
        for one in run.remarks[:20]
        if one.text.strip()
    ]
    first = Finding(
        rule="check", message=f"{run.name} failed: {run.summary or 'it does not say why'}"[:LONGEST_SAYING]
    )
    return [first, *said]
