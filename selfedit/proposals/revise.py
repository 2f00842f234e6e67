"""Drafting again what is under review, because reviewers or checks elsewhere complain about it.

Until another draft has passed the gate nothing changes; then it takes the place of the one under review in one move of
the ledger, its commit a descendant of the head that people looked at. What comes to nothing is written down as well, with
what it cost, so that the same complaint is not answered twice and no proposal is drafted again without end.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Sequence

from policies.decision import Decision, Finding
from policies.load import Rules
from selfedit.commands import GitFailed
from selfedit.history.messages import head_message
from selfedit.history.record import Record
from selfedit.ports import Announce, ForgeDown, Reviser
from selfedit.proposals.pipeline import Pipeline, no_such, placed, refusing
from selfedit.repo import Repo
from selfedit.types import Draft, GateReport, NoDraft, Proposal, Request, Reviewed, Stage

_SAME = Finding(
    rule="no_change",
    message="these edits make the very change that was complained about; make another one, or give up",
)


class Revision:
    """Has the drafts of open proposals made again."""

    def __init__(
        self,
        *,
        repo: Repo,
        record: Record,
        rules: Rules,
        pipeline: Pipeline,
        author: Reviser,
        hindrance: Callable[[], str],
        tell: Announce,
    ) -> None:
        """Look after the drafts of a ledger's open proposals.

        Args:
            repo: Where the commits are.
            record: What happened.
            rules: How many rounds and tries there are.
            pipeline: Makes trees of drafts, has them judged, and shows them.
            author: Drafts.
            hindrance: Why no model can be asked now, or nothing may be changed; empty when it can.
            tell: Hears of progress.
        """
        self._repo = repo
        self._record = record
        self._hindered = hindrance
        self._rules = rules
        self._pipeline = pipeline
        self._author = author
        self._tell = tell
        self._under_way: set[int] = set()

    async def revise(
        self, number: int, complaints: Sequence[Finding], heard: Sequence[str]
    ) -> Proposal | Decision:
        """Have an open proposal drafted again.

        Args:
            number: Which.
            complaints: What reviewers who may ask for changes, and checks elsewhere, say against it.
            heard: The keys by which whoever asks knows these complaints again; `Proposal.heard` has them once they
                are answered. What could not be tried at all (no bot, no verdict) stays unanswered and may be asked again.

        Returns:
            The proposal with its new head, open for review and without approvals; or why it stays as it is, in a
            sentence for whoever complained.
        """
        if (no := self._hindrance(number, complaints)) is not None:
            return no
        self._under_way.add(number)
        try:
            proposal = self._record.proposals[number]
            if not await asyncio.to_thread(self._pipeline.is_of_its_edits, proposal):
                return Decision.no(
                    "changed_by_hand",
                    f"people have changed proposal {number} since it was drafted, and drafting it again would undo that; "
                    "go on by hand on its branch, or reject it and ask anew",
                )
            async with self._pipeline.drafting():
                return await self._rounds(proposal, tuple(complaints), heard)
        except (GitFailed, ConnectionError, OSError) as error:
            return self._stays(number, (), "not_revised", f"it could not be drafted again: {error}")
        finally:
            self._under_way.discard(number)

    def _hindrance(self, number: int, complaints: Sequence[Finding]) -> Decision | None:
        proposal = self._record.proposals.get(number)
        if proposal is None:
            return no_such(number)
        most = self._rules.github.revisions
        if proposal.stage not in (Stage.OPENED, Stage.APPROVED):
            return _not_open(proposal)
        if proposal.author != "model":
            whose = "was made by hand" if proposal.author == "person" else "follows what analysers found"
            return Decision.no(
                "not_by_a_model",
                f"Proposal {number} {whose}, so no model drafts it again; push to its branch what should be different, or "
                "close this and ask anew with /improve, in words or as edits",
            )
        if proposal.stage is not Stage.OPENED:
            return _not_open(proposal)
        if not complaints:
            return Decision.no(
                "nothing_said", "nothing was said that another draft could mend; say what should change"
            )
        if why := self._hindered():
            return Decision.no("not_now", why)
        if number in self._under_way:
            return Decision.no(
                "under_way", f"proposal {number} is being drafted again already; look at the new head then"
            )
        if proposal.revisions >= most:
            return Decision.no(
                "revised_enough",
                f"proposal {number} was drafted again {proposal.revisions} times, and {most} is the limit ([github] "
                "revisions); approve it as it is, or reject it and ask for something smaller",
            )
        return None

    async def _rounds(
        self, proposal: Proposal, complaints: tuple[Finding, ...], heard: Sequence[str]
    ) -> Proposal | Decision:
        number, rounds = proposal.number, self._rules.author.rounds
        request = Request(requested_by=proposal.requested_by, goal=proposal.goal, part=proposal.part)
        facts = proposal.model_dump(include={"number", "head", "title", "reason"})
        reviewed = Reviewed(**facts, edits=proposal.edits, complaints=complaints)
        tell = functools.partial(self._tell, number, Stage.OPENED)
        wrong: tuple[Finding, ...] = ()
        spent = (0, 0.0)
        for attempt in range(1, rounds + 1):
            tell("drafting again" if attempt == 1 else f"drafting again, round {attempt} of {rounds}")
            base = self._repo.main()
            draft = await self._author.revise(request, self._pipeline.bench(base), reviewed, wrong, tell)
            spent = (draft.tokens, draft.cost)
            if isinstance(draft, NoDraft):
                return self._stays(number, heard, "gave_up", draft.why, spent)
            tree = await asyncio.to_thread(self._pipeline.tree_with, draft, base)
            if isinstance(tree, Finding):
                wrong = (tree,)
                continue
            if tree == await asyncio.to_thread(self._repo.tree_of, proposal.head):
                wrong = (_SAME,)
                continue
            drafted = {
                "title": draft.title,
                "reason": draft.reason,
                "edits": draft.edits,
                "model": draft.model,
            }
            said = head_message(number, proposal.model_copy(update=drafted))
            head = await asyncio.to_thread(self._repo.commit, tree, [base, proposal.head], said)
            report = await self._pipeline.judged(number, base, head, Stage.OPENED)
            if report.verdict == "passed":
                return await self._replace(proposal, draft, report, heard)
            if report.verdict == "unknown" or self._pipeline.mains_own(report):
                why = f"the new draft could not be judged: {report.complaint}"
                return self._stays(number, (), "not_judged", why, spent)
            wrong = refusing(report)
        last = "; ".join(placed(finding) for finding in wrong[:3])
        why = f"no draft that answers this passed within {rounds} rounds: {last}"
        return self._stays(number, heard, "not_passed", why, spent)

    async def _replace(
        self,
        proposal: Proposal,
        draft: Draft,
        report: GateReport,
        heard: Sequence[str],
    ) -> Proposal | Decision:
        number, spent = proposal.number, (draft.tokens, draft.cost)
        now = self._record.proposals[number]
        if self._record.halted:
            why = "self-editing was halted while it was drafted again, so the new draft was thrown away"
            return self._stays(number, (), "halted", why, spent)
        if (now.stage, now.head) != (Stage.OPENED, proposal.head):
            what = "got another head" if now.stage is Stage.OPENED else f"became {now.stage}"
            why = f"it {what} while it was drafted again, so the new draft was thrown away"
            return self._stays(number, (), "overtaken", why, spent)
        self._record.write(
            "revised",
            number,
            draft=draft.model_dump(mode="json"),
            base=report.base,
            head=report.head,
            report=report.model_dump(mode="json"),
            heard=list(heard),
        )
        await asyncio.to_thread(self._repo.set_ref, f"refs/proposals/{number}/head", report.head)
        with contextlib.suppress(ForgeDown):  # whoever keeps the forge in step with the ledger shows it later
            await self._pipeline.show(number)
        self._tell(number, Stage.OPENED, "drafted again; look at the new head")
        return self._record.proposals[number]

    def _stays(
        self,
        number: int,
        heard: Sequence[str],
        rule: str,
        why: str,
        spent: tuple[int, float] = (0, 0.0),
    ) -> Decision:
        tokens, cost = spent
        self._record.write("unrevised", number, heard=list(heard), why=why, tokens=tokens, cost=cost)
        self._tell(number, self._record.proposals[number].stage, f"not drafted again: {why}")
        return Decision.no(rule, why)


def _not_open(proposal: Proposal) -> Decision:
    return Decision.no(
        "not_open", f"proposal {proposal.number} is {proposal.stage}; only an open one can be drafted again"
    )
