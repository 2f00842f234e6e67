"""The steward's desk: where every question is answered, whoever asks, with or without a running bot.

This is the steward's composition root. It names the concrete adapters and hands each part what it needs.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic import BaseModel

from policies.decision import Decision, Finding
from policies.load import RulesProblem, load_rules
from policies.rights import Person as Somebody
from sandbox.choose import open_sandbox
from sandbox.types import Sandbox, SandboxUnavailable
from selfedit import protocol as say
from selfedit.authors.maintain import Maintenance
from selfedit.authors.person import Person
from selfedit.forge.local import LocalForge
from selfedit.gate.gate import Gate
from selfedit.history.ledger import Ledger, LedgerProblem
from selfedit.history.record import Record
from selfedit.history.signing import Signer
from selfedit.history.trace import trace
from selfedit.mainline.mainline import Mainline
from selfedit.mainline.shared import Shared
from selfedit.ports import Author, Forge
from selfedit.process.model import ModelByBot
from selfedit.process.place import Place, wished_sandbox
from selfedit.proposals.pipeline import Pipeline, no_such
from selfedit.proposals.revise import Revision
from selfedit.proposals.row import Rows
from selfedit.repo import Repo, RepoProblem
from selfedit.rights import forbidden, standing, wanted
from selfedit.running.bot_process import BotProcess
from selfedit.running.loader import Loader
from selfedit.running.serving import Serving
from selfedit.running.watch import Watch
from selfedit.types import Draft, Proposal, Request, Stage
from selfedit.upstream.mainline import UpstreamMainline
from selfedit.upstream.reconcile import Reconciler

_ForgeT = TypeVar("_ForgeT", bound=Forge)
Spread = Callable[[BaseModel], None]
"""Tells a notice to everybody who listens."""


class Desk:
    """Answers questions about proposals and carries wishes out."""

    def __init__(self, place: Place, bot: BotProcess | None, spread: Spread) -> None:
        """Open repository, ledger and keys.

        Raises:
            RepoProblem: The repository cannot be used at all.
            LedgerProblem: The ledger cannot be opened.
            SigningProblem: Commits could not be signed.
        """
        self.place = place
        self.repo = Repo(place.root, place.rules.repo.branch)
        self.record = _sound(Ledger(place.home))
        self.signer = Signer(place.home, make=not self.record.genesis)
        self.watch = Watch(place.rules.watch)
        self.adoption = ""
        """Why `main` is not what runs, where people moved it; empty when it is."""
        self.restarts = 0
        self._bot = bot
        self._spread = spread
        self._started: dict[int, float] = {}
        self._sandbox: Sandbox | None = None
        self._sandbox_problem = ""
        self._opening = asyncio.Lock()
        self._trials = asyncio.Semaphore(1)
        self.loader = Loader(self.repo, self.record, self.signer, place.rules.zones.live)
        self._model = ModelByBot(bot)
        authors: dict[str, Author] = {
            "person": Person(),
            "maintenance": Maintenance(self.sandbox, self.record.unwanted, self._pyproject),
            "model": self._model,
        }
        caches, known = place.home / "caches", self.record.failed_before
        self._gate = gate = Gate(
            self.repo, self.sandbox, place.rules, caches, self._unfit, failed_before=known
        )
        self._upstream = place.upstream(self.repo) if place.upstream is not None else None
        forge = self._upstream or LocalForge(self.repo)
        self.pipeline = Pipeline(
            repo=self.repo,
            record=self.record,
            gate=gate,
            forge=forge,
            loader=self.loader,
            rules=place.rules,
            authors=authors,
            tell=self._tell,
        )
        self.revision = Revision(
            repo=self.repo,
            record=self.record,
            rules=place.rules,
            pipeline=self.pipeline,
            author=self._model,
            hindrance=self._cannot_draft,
            tell=self._tell,
        )
        self.rows = Rows(
            record=self.record,
            pipeline=self.pipeline,
            rules=place.rules,
            hindrance=self._cannot_draft,
            tell=self._tell,
        )
        self.serving = Serving(
            repo=self.repo,
            record=self.record,
            loader=self.loader,
            host=bot,
            tell=self._tell,
            went_live=self._watch_from_now,
        )
        self.reconciler: Reconciler | None = None
        """Keeps the forge on which `main` lives and the ledger in step; None where `main` lives here."""
        if self._upstream is None:
            self.mainline = Mainline(self._shared(forge), pipeline=self.pipeline, serving=self.serving)
        else:
            shared = self._shared(self._upstream)
            self.mainline = there = UpstreamMainline(shared, pipeline=self.pipeline, serving=self.serving)
            self.reconciler = Reconciler(
                shared,
                mainline=there,
                pipeline=self.pipeline,
                revise=self.revision.revise,
                cannot_edit=self.cannot_edit,
            )
        self._genesis()

    def _shared(self, forge: _ForgeT) -> Shared[_ForgeT]:
        return Shared(
            repo=self.repo,
            record=self.record,
            gate=self._gate,
            forge=forge,
            signer=self.signer,
            rules=self.place.rules,
            tell=self._tell,
        )

    async def sandbox(self) -> Sandbox:
        """The sandbox, opened (and its image built) at first use.

        Raises:
            SandboxUnavailable: There is none to be had; tried again at the next use.
        """
        async with self._opening:
            if self._sandbox is None:
                wish = wished_sandbox()
                try:
                    self._sandbox = await open_sandbox(
                        wish,
                        root=self.place.root,
                        home=self.place.home,
                        owner=self.place.owner,
                        tell=lambda text: self._spread(say.News(text=text)),
                        require_docker=self.place.rules.sandbox.require_docker,
                        runtime=self.place.rules.sandbox.runtime,
                    )
                except SandboxUnavailable as error:
                    self._sandbox_problem = str(error)
                    raise
                self._sandbox_problem = ""
            return self._sandbox

    def cannot_edit(self) -> str:
        """Why code may not be changed now, as a sentence; empty when it may."""
        if self.record.halted:
            return f"self-editing is halted (by {self.record.halted}); /resume allows it again"
        if why := self.repo.problem(self.place.rules.zones.live) or self.adoption:
            return why
        if self.record.owed:
            numbers = ", ".join(map(str, self.record.owed))
            there = [self.record.proposals[number].why for number in self.record.owed if self._upstream]
            waits = next(filter(None, there), "ask again in a moment")
            return f"proposal {numbers} is being taken back; {waits}"
        if not self.record.pending and (hindrance := self.mainline.hindrance()):
            return hindrance
        if self.repo.main() != self.record.newest and not self.record.pending:
            return (
                f"{self.repo.branch} has new commits by people, which are being judged; ask again in a moment"
            )
        return ""

    def _cannot_draft(self) -> str:
        """Why nothing can be asked of the model now, as a sentence; empty when it can."""
        why = self.cannot_edit()
        return why or ("the bot is not there yet" if self._bot is not None and not self._bot.running else "")

    async def answer(self, body: BaseModel) -> BaseModel | None:  # noqa: C901, PLR0912 - one branch a message
        """Answer one message of the protocol. An expected "no" is a `Refused`."""
        if why := forbidden(body, self.record.grants, self.place.rules):
            return say.Refused(why=why)
        match body:
            case say.Improve(request=request):
                return await self._improve(request, body.roles)
            case say.Proposals(limit=limit):
                numbers = sorted(self.record.proposals, reverse=True)[:limit]
                return say.ProposalsAre(proposals=tuple(self.record.proposals[n] for n in numbers))
            case say.Show(number=number):
                return _shown(self.record.proposals.get(number) or no_such(number))
            case say.Diff(number=number):
                return await self._diff(number)
            case say.Approve(number=number, head=head):
                return await self._approve(number, body.who, head)
            case say.Reject(number=number, by=by, why=why):
                row = number in self.record.proposals and self.record.proposals[number].parts
                return _shown(await (self.rows if row else self.mainline).reject(number, by, why))
            case say.Rollback(number=number, why=why):
                newest = self.record.newest_merged()
                self._began(number or (newest.number if newest else 0))
                return _shown(await self.mainline.rollback(number, body.who, why))
            case say.Status():
                return await self._status()
            case say.Why():
                running = self._bot.running if self._bot else ""
                traced = await asyncio.to_thread(trace, self.repo, self.record)
                return say.WhyIs(running=running, traced=traced)
            case say.Running():
                return (
                    say.RunningIs(commit=self._bot.running, blobs=self._bot.blobs)
                    if self._bot
                    else say.RunningIs(commit="", blobs={})
                )
            case say.Halt() if self.record.halted:
                return say.Refused(why=f"self-editing is halted already, by {self.record.halted}")
            case say.Resume() if not self.record.halted:
                return say.Refused(why="self-editing is allowed already")
            case say.Halt(by=by):
                self.record.write("halted", by=by)
                return say.Done(text="self-editing is halted; chat goes on; /resume allows it again")
            case say.Resume(by=by):
                self.record.write("resumed", by=by)
                return say.Done(text="self-editing is allowed again")
            case say.Rights():
                return self.rights()
            case say.Grant() | say.Withdraw():
                return self._change_rights(body)
            case say.Trial(draft_call=call, draft=draft):
                return await self._trial(call, draft)
        return say.Refused(why=f"the steward does not answer to {type(body).__name__}")

    def rights(self) -> say.RightsAre:
        """Who may do what now."""
        on_github = self._upstream is not None
        return standing(self.record.granted, self.place.rules, on_github=on_github)

    async def close(self) -> None:
        """Let go of everything."""
        await self._gate.release()
        if self.reconciler is not None:
            await self.reconciler.stop()
        if self._upstream is not None:
            await self._upstream.end()
        if self._sandbox is not None:
            await self._sandbox.close()
        self.record.ledger.close()

    # Private

    def _change_rights(self, asked: say.Grant | say.Withdraw) -> BaseModel:
        change = wanted(asked, self.record.grants, self.place.rules)
        if isinstance(change, say.Refused):
            return change
        kind = "granted" if change.allowed else "withdrawn"
        self.record.write(kind, who=change.who, capability=change.capability, by=asked.by)
        self._spread(self.rights())
        return self.rights()

    def _unfit(self) -> str:
        """Why no verdict may be given now; the gate asks before each."""
        try:
            load_rules()
        except RulesProblem as error:
            return f"the policy cannot be read, so nothing is judged: {error}"
        return self.record.ledger.unfit()

    def _genesis(self) -> None:
        if self.record.genesis:
            if self.repo.resolve(self.record.genesis) is None:
                raise RepoProblem(
                    f"the state in {self.place.home} belongs to another repository (it began with "
                    f"{self.record.genesis[:12]}, which is not here); set THESEUS_HOME to another folder"
                )
            return
        commit = self.repo.resolve(self.repo.ref)
        if commit is None:
            raise RepoProblem(
                f"there is no branch {self.repo.branch} with a commit; make one: git switch -c {self.repo.branch}"
            )
        self.record.write("genesis", commit=commit, tree=self.repo.tree_of(commit), root=str(self.place.root))

    async def _improve(self, request: Request, roles: Sequence[str]) -> BaseModel:
        if why := self.cannot_edit():
            return say.Refused(why=why)
        if request.part is not None:
            return say.Refused(why="the parts of a row are asked for by the steward alone")
        self._began(self.record.next_number)
        made = await self.pipeline.improve(request, roles)
        return _shown(await self.rows.go_on(made.number) or made)

    async def _approve(self, number: int, who: Somebody, head: str | None) -> BaseModel:
        if number in self.record.proposals and (why := self.cannot_edit()):
            return say.Refused(why=why)
        self._began(number)
        return _shown(await self.mainline.approve(number, who, head))

    async def _diff(self, number: int) -> BaseModel:
        proposal = self.record.proposals.get(number)
        if proposal is None:
            return say.Refused(why=no_such(number).why)
        if not proposal.head:
            return say.Refused(
                why=f"proposal {number} never became a change: {proposal.why or 'it is being drafted'}"
            )
        files = await asyncio.to_thread(self.repo.diff, self.repo.parents(proposal.head)[0], proposal.head)
        return say.DiffIs(number=number, head=proposal.head, files=files)

    async def _trial(self, call: str, draft: Draft) -> BaseModel:
        bench = self._model.benches.get(call)
        if bench is None:
            return say.Refused(why="this request is not being drafted any more")
        async with self._trials:
            said = await bench.trial(draft)
        return (
            say.TrialIs(findings=(said,))
            if isinstance(said, Finding)
            else say.TrialIs(report=said, findings=said.findings)
        )

    async def _status(self) -> BaseModel:
        try:
            main = self.repo.main()
            problem = self.cannot_edit() if not self.record.halted else ""
        except RepoProblem as error:
            main, problem = "", str(error)
        info = self._sandbox.info if self._sandbox else None
        place = self._sandbox_problem or "opened when it is first needed"
        if info is not None:
            place = f"{info.backend}{', reduced protection' if info.reduced else ''}, image {info.image[:19]}"
        return say.StatusIs(
            running=self._bot.running if self._bot else "",
            main=main,
            provisional_seconds=self.watch.seconds_left,
            halted=self.record.halted,
            problem=problem,
            forge=self.reconciler.status() if self.reconciler is not None else self.place.lacking,
            forge_asked=self.reconciler is None or self.reconciler.asked,
            sandbox=place,
            protections=info.protections if info else (),
            open=self.record.open_count(),
            restarts=self.restarts,
            heartbeat=self._bot.heartbeat if self._bot else None,
            steward_pid=os.getpid() if self._bot else 0,
            bot_pid=self._bot.pid if self._bot else 0,
            home=str(self.place.home),
        )

    def _pyproject(self) -> str:
        path = self.place.root / "pyproject.toml"
        return path.read_text("utf-8") if path.exists() else ""

    def _watch_from_now(self, commit: str) -> None:
        if self.serving.provisional() is None:
            self.watch.end()
        else:
            self.watch.begin(commit)

    def _began(self, number: int) -> None:
        self._started[number] = asyncio.get_running_loop().time()

    def _tell(self, number: int, stage: Stage, text: str) -> None:
        now = asyncio.get_running_loop().time()
        seconds = now - self._started.setdefault(number, now)
        self._spread(say.Progress(number=number, stage=stage, text=text, seconds=seconds))


def _shown(answer: Proposal | Decision) -> BaseModel:
    return say.Refused(why=answer.why) if isinstance(answer, Decision) else say.ProposalIs(proposal=answer)


def _sound(ledger: Ledger) -> Record:
    """The record of a ledger that nobody tampered with; on another one nothing may be built."""
    if faults := ledger.faults():
        ledger.close()
        raise LedgerProblem(
            f"{faults[0]}; nothing is done on a ledger that does not verify (python -m selfedit verify)"
        )
    return Record(ledger)
