"""Requests, drafts and their heads on a small repository in real git, with the real policy; what checks find is scripted.

A model draws edits by a script, in process: what it is told and what it asks for is what any model gets.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from agent.author.author import ModelAuthor
from policies.decision import Finding
from sandbox.types import Sandbox
from selfedit.authors.person import Person
from selfedit.forge.local import LocalForge
from selfedit.gate.gate import Gate
from selfedit.history.ledger import Ledger
from selfedit.history.record import Record
from selfedit.history.signing import Signer
from selfedit.proposals.pipeline import Pipeline
from selfedit.proposals.revise import Revision
from selfedit.proposals.row import Rows
from selfedit.running.loader import Loader
from selfedit.types import Check, Proposal, Request, Stage
from tests.fakes.local_sandbox import LocalSandbox
from tests.fakes.scripted import ScriptedModel, Turn, Use
from tests.fakes.small_repo import GREET, SmallRepo, small_rules

ANN = "discord:1"
GOAL = "Greet with more warmth."


class ScriptedGate(Gate):
    """The gate with its policy; instead of its checks it looks for the word FAULT in what changes."""

    at_checks: Callable[[], Awaitable[None]] | None = None
    """Called when the checks begin, once."""

    def prepare(self, base: str) -> None:
        """Nothing has to be ready."""

    async def _run(self, case: Any, sandbox: Sandbox) -> tuple[Check, ...]:
        del sandbox
        act, self.at_checks = self.at_checks, None
        if act is not None:
            await act()
        text = "".join(file.text for file in self._repo.diff(case.base, case.tree))
        found = (Finding(rule="pytest", path=GREET, message="a FAULT was found"),) if "FAULT" in text else ()
        return (Check(name="tests", passed=not found, seconds=0, summary="looked", findings=found),)


class World:
    """The parts of the steward that drafting takes, on one repository; `again` is what the next process has."""

    def __init__(self, folder: Path, *turns: Turn, repo: SmallRepo | None = None) -> None:
        self.folder = folder
        home = folder / "home"
        home.mkdir(exist_ok=True)
        (folder / "repo").mkdir(exist_ok=True)
        self.small = repo or SmallRepo(folder / "repo")
        self.repo = self.small.repo
        self.rules = small_rules(folder)
        self.record = Record(Ledger(home))
        if not self.record.genesis:
            main = self.repo.main()
            self.record.write("genesis", commit=main, tree=self.repo.tree_of(main))
        loader = Loader(self.repo, self.record, Signer(home, make=True), self.rules.zones.live)
        self.model = ScriptedModel(*turns)
        self.said: list[str] = []
        author = ModelAuthor(self.model, self.rules.author, ["own-key-of-the-bot"])
        self.gate = ScriptedGate(self.repo, _sandbox, self.rules, folder / "caches")
        self.forge = LocalForge(self.repo)
        self.pipeline = Pipeline(
            repo=self.repo,
            record=self.record,
            gate=self.gate,
            forge=self.forge,
            loader=loader,
            rules=self.rules,
            authors={"model": author, "person": Person()},
            tell=self._tell,
        )
        self.revision = Revision(
            repo=self.repo,
            record=self.record,
            rules=self.rules,
            pipeline=self.pipeline,
            author=author,
            hindrance=lambda: self.record.halted or self.hindrance,
            tell=self._tell,
        )

        self.hindrance = ""
        self.rows = Rows(
            record=self.record,
            pipeline=self.pipeline,
            rules=self.rules,
            hindrance=lambda: self.hindrance,
            tell=self._tell,
        )

    def again(self, *turns: Turn) -> "World":
        """The same repository and ledger in a new process."""
        self.record.ledger.close()
        return World(self.folder, *turns, repo=self.small)

    def _tell(self, number: int, stage: Stage, text: str) -> None:
        self.said.append(f"{number} {stage}: {text}")

    async def opened(self) -> Proposal:
        """A proposal that waits for reviewers."""
        made = await self.pipeline.improve(Request(requested_by=ANN, goal=GOAL))
        assert made.stage is Stage.OPENED, made.why
        return made

    async def improved(self, goal: str = GOAL, roles: Sequence[str] = ()) -> Proposal:
        """What a goal in words comes to; where it is split, its first part."""
        made = await self.pipeline.improve(Request(requested_by=ANN, goal=goal), roles)
        return await self.rows.go_on(made.number) or made

    def keep(self, number: int) -> None:
        """Somebody approves a proposal, it is merged, and proves itself."""
        one = self.record.proposals[number]
        old = self.repo.main()
        merge = self.repo.commit(self.repo.tree_of(one.head), [old, one.head], "merge")
        self.record.write("approved", number, by="console:ann", head=one.head, basis="console")
        self.record.write("merging", number, old=old, new=merge)
        self.repo.set_ref(self.repo.ref, merge)
        self.record.write("merged", number, merge=merge, base=old)
        self.record.write("live", number, commit=merge)
        self.record.write("kept", number, commit=merge)

    def requests(self) -> str:
        """Everything that the model was sent."""
        return "\n".join(str(request) for request in self.model.script.requests)

    def text(self, commit: str, path: str = GREET) -> str:
        """A file of a commit."""
        entry = self.repo.entries(commit)[path]
        return self.repo.blobs([entry.sha])[entry.sha].decode()


async def _sandbox() -> Sandbox:
    return LocalSandbox()


def greeting(word: str) -> dict[str, str]:
    """An edit that greets with another word."""
    source = f'def greet(name: str) -> str:\n    """Say hello."""\n    return f"{word}, {{polite(name)}}!"\n'
    return {"op": "replace_function", "path": GREET, "target": "greet", "source": source}


def proposes(*edits: dict[str, str], title: str = "Greet warmly", when: str = "") -> Turn:
    """A turn in which the model hands a change over."""
    arguments = {"title": title, "reason": "It is kinder.", "edits": list(edits)}
    return Turn(calls=(Use(name="propose", arguments=arguments),), when=when)


def splits(*goals: str) -> Turn:
    """A turn in which the model plans a row of smaller goals."""
    arguments = {"goals": list(goals), "reason": "It is too much for one."}
    return Turn(calls=(Use(name="split", arguments=arguments),))


def gives_up(why: str) -> Turn:
    """A turn in which the model ends without a change."""
    return Turn(calls=(Use(name="give_up", arguments={"reason": why}),))


def said(text: str, path: str = "", line: int | None = None) -> Finding:
    """What a reviewer wrote."""
    return Finding(rule="review", path=path, line=line, message=text)


def same_but_for_tries(world: World, before: Proposal) -> Proposal:
    """Check that nothing is changed but what was spent and heard."""
    now = world.record.proposals[before.number]
    spent = {
        "tokens": before.tokens,
        "cost": before.cost,
        "heard": before.heard,
        "revisions": before.revisions,
    }
    assert now.model_copy(update=spent) == before
    return now


FIRST = proposes(greeting("Hi"))
"""The turn in which a first draft is handed over."""
