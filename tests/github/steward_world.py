"""The steward's parts on a small repository whose `main` lives on a forge; only what the gate's checks find, and drafts, are scripted."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from policies.decision import Finding
from policies.load import Rules
from selfedit.editing.edits import parse_edits
from selfedit.forge.github.forge import open_forge
from selfedit.forge.github.settings import read_settings
from selfedit.history.ledger import Ledger
from selfedit.history.record import Record
from selfedit.history.signing import Signer
from selfedit.mainline.shared import Shared
from selfedit.ports import Tell, Upstream, Workbench
from selfedit.proposals.pipeline import Pipeline
from selfedit.proposals.revise import Revision
from selfedit.repo import Repo
from selfedit.running.loader import Loader
from selfedit.running.serving import Serving
from selfedit.running.verify import verify
from selfedit.types import Draft, LoadPlan, NoDraft, Proposal, Request, Reviewed, Stage
from selfedit.upstream.mainline import UpstreamMainline
from selfedit.upstream.reconcile import Reconciler
from tests.fakes.github.server import GitHub
from tests.fakes.local_sandbox import LocalSandbox
from tests.fakes.small_repo import GREET, SmallRepo, small_rules
from tests.github.drafting_world import ScriptedGate

ASKED_BY = "discord:1"
Opener = Callable[[Repo], Upstream]


def draft(words: str, path: str = GREET) -> Draft:
    """An edit that puts some words into the docstring of the greeting."""
    edit = {"op": "set_docstring", "path": path, "target": "greet", "text": words}
    rows = parse_edits(json.dumps([edit]))
    return Draft(
        title=f"Say it: {words}", reason="People asked for it.", edits=rows, author="model", model="m"
    )


class Drafts:
    """An author who has one draft after the other ready."""

    def __init__(self) -> None:
        self.ready: list[Draft] = []
        self.heard: list[str] = []

    async def draft(
        self, request: Request, bench: Workbench, complaints: Sequence[Finding], tell: Tell
    ) -> Draft | NoDraft:
        """The next one."""
        del request, bench, complaints, tell
        return self.ready.pop(0) if self.ready else NoDraft(why="there is nothing more to try")

    async def revise(
        self,
        request: Request,
        bench: Workbench,
        reviewed: Reviewed,
        complaints: Sequence[Finding],
        tell: Tell,
    ) -> Draft | NoDraft:
        """The next one, whatever is complained about."""
        self.heard += [finding.message for finding in reviewed.complaints]
        return await self.draft(request, bench, complaints, tell)


class Bot:
    """A running bot that serves whatever it is told to."""

    def __init__(self) -> None:
        self.running = ""

    async def load(self, plan: LoadPlan) -> Finding | None:
        """Serve it."""
        self.running = plan.commit
        return None


class Clock:
    """A clock that a test turns."""

    now = 1000.0  # seconds

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now


async def _sandbox() -> LocalSandbox:
    return LocalSandbox()


class World:
    """A steward without its process; `again` is what the next process has."""

    reason = "People asked for it."
    """Why each change is made; with another one the same change of the same second is another commit."""

    def __init__(
        self,
        folder: Path,
        opener: Opener,
        small: SmallRepo | None = None,
        *,
        author: Drafts | None = None,
        rules: Rules | None = None,
    ) -> None:
        self.folder, self._opener = folder, opener
        home = folder / "home"
        home.mkdir(exist_ok=True)
        if small is None and not (folder / "repo").exists():
            small = SmallRepo(folder / "repo")
        self.repo = Repo(small.root if small else folder / "repo")
        self.rules = rules or small_rules(folder)
        self.record = Record(Ledger(home))
        self.signer = Signer(home, make=not self.record.genesis)
        if not self.record.genesis:
            main = self.repo.main()
            self.record.write("genesis", commit=main, tree=self.repo.tree_of(main))
        loader = Loader(self.repo, self.record, self.signer, self.rules.zones.live)
        self.gate = ScriptedGate(self.repo, _sandbox, self.rules, folder / "caches")
        self.forge = opener(self.repo)
        self.author, self.bot, self.clock = author or Drafts(), Bot(), Clock()
        self.said: list[str] = []
        self.halted = ""
        self.pipeline = Pipeline(
            repo=self.repo,
            record=self.record,
            gate=self.gate,
            forge=self.forge,
            loader=loader,
            rules=self.rules,
            authors={"model": self.author},
            tell=self._tell,
        )
        self.serving = Serving(
            repo=self.repo,
            record=self.record,
            loader=loader,
            host=self.bot,
            tell=self._tell,
            went_live=lambda _: None,
        )
        shared = Shared(
            repo=self.repo,
            record=self.record,
            gate=self.gate,
            forge=self.forge,
            signer=self.signer,
            rules=self.rules,
            tell=self._tell,
        )
        self.mainline = UpstreamMainline(shared, pipeline=self.pipeline, serving=self.serving)
        revision = Revision(
            repo=self.repo,
            record=self.record,
            rules=self.rules,
            pipeline=self.pipeline,
            author=self.author,
            hindrance=lambda: self.halted,
            tell=self._tell,
        )
        self.reconciler = Reconciler(
            shared,
            mainline=self.mainline,
            pipeline=self.pipeline,
            revise=revision.revise,
            cannot_edit=lambda: self.halted,
            clock=self.clock,
        )

    def _tell(self, number: int, stage: Stage, text: str) -> None:
        self.said.append(f"{number} {stage}: {text}")

    async def again(self) -> "World":
        """The same repository and ledger in a new process, which settles what the old one left."""
        await self.close()
        made = World(self.folder, self._opener)
        await made.mainline.settle()
        await made.pipeline.resume()
        return made

    async def close(self) -> None:
        """Let go of everything."""
        await self.reconciler.stop()
        await self.forge.end()
        self.record.ledger.close()

    def proposal(self, number: int = 1) -> Proposal:
        """One as it stands."""
        return self.record.proposals[number]

    async def proposed(self, words: str) -> Proposal:
        """A proposal that waits for reviewers."""
        self.author.ready.append(draft(words).model_copy(update={"reason": self.reason}))
        made = await self.pipeline.improve(Request(requested_by=ASKED_BY, goal=words))
        assert made.stage is Stage.OPENED, made.why
        return made

    async def rounds(self, count: int = 1) -> None:
        """So many rounds of the reconciler, with what the steward does beside it."""
        for _ in range(count):
            await self.reconciler.round()
            await self.reconciler.idle()
            if self.repo.main() != self.record.newest:
                await self.mainline.adopt()
                await self.serving.load()
            self.serving.note_live(self.bot.running)
            await self.mainline.pay()

    def rows(self, kind: str) -> int:
        """How many rows of a kind the ledger has."""
        return sum(move.kind == kind for move in self.record.ledger.moves())

    def faults(self) -> list[str]:
        """What `verify` finds."""
        return verify(self.repo, self.record.ledger, self.signer, self.rules.zones.live, None)


def reach(api: str, repository: str, token: str) -> Opener:
    """Opens the real adapter on a stand-in, without long pauses."""
    given = read_settings(
        {"GITHUB_REPOSITORY": repository, "GITHUB_TOKEN": token, "GITHUB_API_URL": api},
    )
    assert given is not None
    return lambda repo: open_forge(given, repo, backoff=0.001)


def on(github: GitHub) -> Opener:
    """Opens the real adapter on a stand-in in this process."""
    return reach(github.api, github.repository, github.token)
