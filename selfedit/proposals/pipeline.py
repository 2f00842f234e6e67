"""The story of a proposal, from a request to an open review: one coroutine a stage.

    improve -> _draft -> _write -> _judge -> _open

What `main` becomes of it stands in `selfedit.mainline.mainline`. Every move is in the ledger before its effect.
"""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import AsyncIterator, Collection, Mapping

from policies.decision import Decision, Finding, Severity
from policies.edits import review_edits
from policies.load import Rules
from policies.zones import Zone, zone_of
from selfedit.commands import GitFailed
from selfedit.editing.codemod import Rejection, apply_edits
from selfedit.gate.gate import Gate
from selfedit.history.ledger import LedgerProblem
from selfedit.history.messages import head_message
from selfedit.history.record import Record
from selfedit.ports import Announce, Author, Forge, ForgeDown, Shown
from selfedit.repo import Repo
from selfedit.running.loader import Loader
from selfedit.types import Draft, GateReport, NoDraft, Plan, Proposal, Request, Stage
from selfedit.words import one_line, slug

log = logging.getLogger(__name__)


NOT_SHOWN = "it is not shown to reviewers elsewhere yet"
"""How the sentence begins that says what a proposal waits for whose forge could not be asked."""


class Pipeline:
    """Takes requests to open proposals."""

    def __init__(
        self,
        *,
        repo: Repo,
        record: Record,
        gate: Gate,
        forge: Forge,
        loader: Loader,
        rules: Rules,
        authors: Mapping[str, Author],
        tell: Announce,
    ) -> None:
        self._repo = repo
        self._record = record
        self._gate = gate
        self._forge = forge
        self._loader = loader
        self._rules = rules
        self._authors = authors
        self._tell = tell
        self._one_at_a_time = asyncio.Lock()
        self._drafting = 0
        self._shown: dict[int, tuple[str, GateReport | None]] = {}

    async def improve(self, request: Request, roles: Collection[str] = ()) -> Proposal:
        """Carry a request as far as it goes without a person: to an open review, or to its end.

        Args:
            request: What is asked for.
            roles: What counts for who asks, beside who they are.
        """
        number = self._record.next_number
        self._record.write("requested", number, request=request.model_dump(mode="json"), roles=sorted(roles))
        self._tell(number, Stage.REQUESTED, "asked for")
        async with self.drafting():
            return await self._guarded(number, self._draft(number, request))

    @contextlib.asynccontextmanager
    async def drafting(self) -> AsyncIterator[None]:
        """While somebody drafts, the gate keeps ready for it."""
        self._drafting += 1
        try:
            yield
        finally:
            self._drafting -= 1
            if not self._drafting:
                await self._gate.release()

    def bench(self, base: str) -> "Bench":
        """What an author may look at and try who drafts for `main` as it was at a commit."""
        self._gate.prepare(base)
        return Bench(self, base)

    async def judged(self, number: int, base: str, head: str, stage: Stage) -> GateReport:
        """What the gate says of a head, one head at a time; a proposal at this stage is told of the progress."""
        async with self._one_at_a_time:
            return await self._gate.judge(base, head, tell=lambda text: self._tell(number, stage, text))

    async def resume(self) -> None:
        """After a crash: take up what was under way, or end it and say so."""
        shown: Collection[str] = ()
        with contextlib.suppress(ForgeDown):
            shown = await self._forge.shown()
        for proposal in list(self._record.proposals.values()):
            try:
                await self._take_up(proposal, shown)
            except Exception:  # one that cannot be taken up must not hold the others up
                log.exception("proposal %d could not be taken up", proposal.number)

    async def _take_up(self, proposal: Proposal, shown: Collection[str]) -> None:
        number = proposal.number
        if proposal.stage is Stage.REQUESTED or (proposal.stage is Stage.DRAFTED and not proposal.head):
            again = "ask again" if proposal.part is None else "it is asked for again"
            self._end(number, "failed", f"Theseus was restarted while drafting this; {again}")
        elif proposal.stage is Stage.DRAFTED:
            self._repo.set_ref(f"refs/proposals/{number}/head", proposal.head)
            await self._guarded(number, self._judge_and_open(number))
        elif proposal.stage is Stage.GATED:
            await self._guarded(number, self._after_gate(number))
        elif proposal.stage is Stage.OPENED:
            self._repo.set_ref(f"refs/proposals/{number}/head", proposal.head)
            await self.show(number)
        elif proposal.stage is not Stage.APPROVED and proposal.branch in shown:
            await self._forge.close(proposal, proposal.why)

    async def reject(self, number: int, by: str, why: str) -> Proposal | Decision:
        """Turn an open proposal down."""
        proposal = self._record.proposals.get(number)
        if proposal is None:
            return no_such(number)
        waits = proposal.stage is Stage.APPROVED and proposal.pull  # elsewhere, for checks or other people
        if proposal.stage is not Stage.OPENED and not waits:
            return Decision.no(
                "not_open", f"proposal {number} is {proposal.stage}; only an open one can be rejected"
            )
        self._record.write("rejected", number, by=by, why=why or f"no reason given by {by}")
        self._tell(number, Stage.REJECTED, f"turned down by {by}")
        with contextlib.suppress(ForgeDown):  # whoever keeps the forge in step with the ledger does it later
            await self._forge.close(self._record.proposals[number], why)
        return self._record.proposals[number]

    async def show(self, number: int) -> None:
        """Show a proposal that passed to reviewers, as it is now.

        Raises:
            ForgeDown: It is not known whether they see it; to be done again.
        """
        shown = self._record.proposals[number]
        self._note_shown(number, await self._forge.open(shown))
        self._shown[number] = (shown.head, shown.report)
        if shown.why.startswith(NOT_SHOWN):
            self._record.write("waiting", number, why="")

    def is_shown(self, number: int) -> bool:
        """Whether reviewers have been shown a proposal as it is now, all of it, since this process began."""
        now = self._record.proposals[number]
        return self._shown.get(number) == (now.head, now.report)

    async def write_head(self, number: int, draft: Draft, base: str) -> Finding | None:
        """Turn a draft's edits into a commit on `base`, and make it the proposal's head.

        Returns:
            None when it stands, else why the edits are not accepted.
        """
        made = await asyncio.to_thread(self.tree_with, draft, base)
        if isinstance(made, Finding):
            return made
        proposal = self._record.proposals[number]
        message = head_message(number, proposal)
        shown = any(step.stage is Stage.OPENED for step in proposal.history)
        # What people elsewhere have seen of a branch stays in its history.
        parents = [base, proposal.head] if shown and proposal.pull else [base]
        head = await asyncio.to_thread(self._repo.commit, made, parents, message)
        branch = proposal.branch if shown else f"improve/{number}-{slug(draft.title)}"
        self._record.write("headed", number, base=base, head=head, branch=branch)
        await asyncio.to_thread(self._repo.set_ref, f"refs/proposals/{number}/head", head)
        return None

    # The stages

    async def _draft(self, number: int, request: Request) -> Proposal:
        author = self._authors[_author_of(request)]
        rounds = 1 if request.edits is not None else self._rules.author.rounds
        complaints: tuple[Finding, ...] = ()
        for attempt in range(1, rounds + 1):
            base = self._repo.main()
            bench = self.bench(base)
            step = "drafting" if attempt == 1 else f"drafting again, round {attempt} of {rounds}"
            stage = self._record.proposals[number].stage
            self._tell(number, stage, step)
            tell = functools.partial(self._tell, number, stage)
            draft = await author.draft(request, bench, complaints, tell)
            if isinstance(draft, NoDraft):
                return self._end(number, "refused", draft.why)
            if isinstance(draft, Plan):
                return self._split(number, request, draft)
            self._record.write("drafted", number, draft=draft.model_dump(mode="json"))
            self._tell(number, Stage.DRAFTED, draft.title)
            fault = await self.write_head(number, draft, base)
            if fault is not None:
                complaints = (fault,)
                continue
            proposal = await self._judge_and_open(number, last=attempt == rounds)
            if proposal.stage is not Stage.GATED:
                return proposal
            complaints = refusing(proposal.report)
            if self.mains_own(proposal.report):
                return self._fail(number, proposal.report)
        if (report := self._record.proposals[number].report) is not None:
            return self._fail(number, report)
        return self._end(number, "refused", "\n".join(placed(finding) for finding in complaints))

    async def _judge_and_open(self, number: int, *, last: bool = True) -> Proposal:
        proposal = self._record.proposals[number]
        await self._announce(proposal)
        report = await self.judged(number, proposal.base, proposal.head, Stage.DRAFTED)
        self._record.write("gated", number, report=report.model_dump(mode="json"))
        self._tell(number, Stage.GATED, f"gate: {report.verdict}")
        if report.verdict in ("refused", "failed") and not last:
            return self._record.proposals[number]
        return await self._after_gate(number)

    async def _after_gate(self, number: int) -> Proposal:
        report = self._record.proposals[number].report
        if report is None or report.verdict != "passed":
            return self._fail(number, report)
        self._record.write("opened", number)
        try:
            await self.show(number)
        except ForgeDown as down:
            self._record.write("waiting", number, why=f"{NOT_SHOWN}: {down}")
        self._tell(number, Stage.OPENED, "open for review")
        return self._record.proposals[number]

    async def _announce(self, proposal: Proposal) -> None:
        """Show a head as unfinished work where the forge does that; never one that the policy refuses."""
        if not self._forge.announces or not await asyncio.to_thread(
            self._gate.lets_pass, proposal.base, proposal.head
        ):
            return
        try:
            self._note_shown(proposal.number, await self._forge.announce(proposal))
        except ForgeDown as down:  # it is shown when it has passed
            self._tell(proposal.number, proposal.stage, f"{NOT_SHOWN}: {down}")

    def _note_shown(self, number: int, shown: Shown | None) -> None:
        before = self._record.proposals[number]
        if shown is not None and shown.pull and (shown.pull, shown.url) != (before.pull, before.url):
            self._record.write("shown", number, pull=shown.pull, url=shown.url, branch=before.branch)

    def _split(self, number: int, request: Request, plan: Plan) -> Proposal:
        if request.part is not None:
            return self._end(
                number, "refused", "a part of a larger goal is not split again; ask for something smaller"
            )
        rows = "\n".join(f"{at}. {one_line(goal, 300)}" for at, goal in enumerate(plan.goals, 1))
        why = f"split into {len(plan.goals)} smaller ones, each asked for when the one before is kept (/reject {number} stops that):\n{rows}"
        self._record.write("split", number, plan=plan.model_dump(mode="json"), why=why)
        self._tell(number, Stage.SPLIT, f"split into {len(plan.goals)} smaller ones")
        return self._record.proposals[number]

    # Helpers

    async def _guarded(self, number: int, stages: "asyncio.Future[Proposal] | object") -> Proposal:
        """Whatever goes wrong on the way, the proposal comes to an end that is written down."""
        try:
            return await stages  # type: ignore[misc,no-any-return]  # a coroutine of ours
        except (GitFailed, ConnectionError, OSError) as error:
            return self._end(number, "failed", f"it could not be carried on: {error}")
        except LedgerProblem:
            raise
        except Exception as error:
            self._end(number, "failed", f"a fault of Theseus itself: {type(error).__name__}: {error}")
            raise

    def tree_with(self, draft: Draft, base: str) -> str | Finding:
        """The tree that a draft's edits make of a commit, or why they are not accepted."""
        files = self._loader.texts(base)
        decision = review_edits([edit.model_dump(mode="json") for edit in draft.edits], self._rules)
        if not decision.allowed:
            return next(f for f in decision.findings if f.severity is Severity.REFUSE)
        applied = apply_edits(files, draft.edits)
        if isinstance(applied, Rejection):
            hint = f" Did you mean: {', '.join(applied.suggestions)}?" if applied.suggestions else ""
            message = f"edit {applied.index} ({applied.op}): {applied.message}{hint}"
            return Finding(rule=applied.rule, path=applied.path, message=message)
        return self._repo.write_tree(base, {path: text.encode() for path, text in applied.files.items()})

    def is_of_its_edits(self, proposal: Proposal) -> bool:
        """Whether a head brings what the proposal's edits make of its base, and nothing that people put there since.

        That they merged `main` into it is nothing of their own.
        """
        draft = Draft(title=proposal.title, reason=proposal.reason, edits=proposal.edits, author="model")
        made = self.tree_with(draft, proposal.base)
        return made == self._repo.merge_tree(proposal.base, proposal.head)

    def _fail(self, number: int, report: GateReport | None) -> Proposal:
        if report is None:
            return self._end(number, "failed", "it was never judged")
        kind = "refused" if report.verdict == "refused" else "failed"
        said = "\n".join(placed(finding) for finding in refusing(report)[:20])
        start = "could not be judged: " if report.verdict == "unknown" else ""
        if self.mains_own(report):
            start = (
                f"{self._repo.branch} itself does not pass, which no proposal can mend; a person has to:\n"
            )
        return self._end(number, kind, start + (said or f"the gate said: {report.verdict}"))

    def mains_own(self, report: GateReport | None) -> bool:
        """Whether all complaints are about kernel files, which never import what a proposal changes."""
        failing = [check for check in report.checks if not check.passed] if report else []
        if not failing or any(check.name not in _READING for check in failing):
            return False
        paths = [finding.path for check in failing for finding in check.findings]
        return all(path and zone_of(path, self._rules.zones.live) is Zone.KERNEL for path in paths)

    def _end(self, number: int, kind: str, why: str) -> Proposal:
        self._record.write(kind, number, why=why)
        proposal = self._record.proposals[number]
        self._tell(number, proposal.stage, why)
        return proposal


_READING = ("format", "lint", "types", "imports")
"""Checks whose complaints name the file that is at fault."""


class Bench:
    """What an author sees of the base while drafting, and the gate to try a draft on."""

    def __init__(self, pipeline: Pipeline, base: str) -> None:
        self._pipeline = pipeline
        self._base = base
        self.files = pipeline._loader.texts(base)  # noqa: SLF001 - the bench is the pipeline's own window

    async def trial(self, draft: Draft) -> GateReport | Finding:
        """Judge a draft, by the quick checks, without writing it down: its commit is an object that nothing names."""
        pipeline = self._pipeline
        tree = await asyncio.to_thread(pipeline.tree_with, draft, self._base)
        if isinstance(tree, Finding):
            return tree
        repo, gate = pipeline._repo, pipeline._gate  # noqa: SLF001
        head = await asyncio.to_thread(repo.commit, tree, [self._base], "trial", (), int(time.time()))
        report = await gate.judge(self._base, head, quick=True)
        gate.prepare(self._base)
        return report


def no_such(number: int) -> Decision:
    """The answer to a number that no proposal has."""
    return Decision.no("no_such_proposal", f"there is no proposal {number}; /proposals lists them")


def _author_of(request: Request) -> str:
    if request.edits is not None:
        return "person"
    return "model" if request.goal else "maintenance"


def refusing(report: GateReport | None) -> tuple[Finding, ...]:
    """What a report refuses for."""
    found = () if report is None else report.findings
    return tuple(finding for finding in found if finding.severity is Severity.REFUSE)


def placed(finding: Finding) -> str:
    """A complaint in a line, for people."""
    return f"{finding.place}{finding.message} [{finding.rule}]"
