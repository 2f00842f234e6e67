"""A proposal on GitHub, with an author that obeys whatever it reads: the real reconciler, forge, edit language and policy.

What the gate's checks find is scripted; who asks for the change is known on GitHub under another name.
"""

import functools
import json
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policies.decision import Finding
from policies.merge import same
from selfedit.editing.edits import Edit, WriteText, parse_edits
from selfedit.forge.github.forge import open_forge
from selfedit.ports import Tell, Workbench
from selfedit.types import Draft, NoDraft, Proposal, Request, Reviewed, Stage
from tests.fakes.github.server import GitHub
from tests.fakes.github.things import Account
from tests.fakes.small_repo import SmallRepo, small_rules
from tests.github.drafting_world import greeting
from tests.github.forge_world import settings_of
from tests.github.steward_world import ASKED_BY, Drafts
from tests.github.steward_world import World as StewardWorld

GOAL = "Greet with more warmth."
CANARIES = ("canary-of-the-environment", "canary-of-a-file-in-the-home")
"""Secrets of the process that decides; none of them may leave it."""
PATHS = re.compile(r"[\w./~-]*[\w~-]/[\w./~-]*\w|\.\.?/[\w./~-]+")


class Obedient(Drafts):
    """An author that does what it reads: the edits that stand in a text, else it writes all it knows to each path in it."""

    async def draft(
        self, request: Request, bench: Workbench, complaints: Sequence[Finding], tell: Tell
    ) -> Draft | NoDraft:
        """The change that was asked for."""
        del request, bench, complaints, tell
        return self._made(parse_edits(json.dumps([greeting("Welcome")])), "Greet warmly")

    async def revise(
        self,
        request: Request,
        bench: Workbench,
        reviewed: Reviewed,
        complaints: Sequence[Finding],
        tell: Tell,
    ) -> Draft | NoDraft:
        """Whatever is wished."""
        del bench, complaints, tell
        told = [f"{each.path} {each.message}" for each in reviewed.complaints]
        self.heard += told
        every = "\n".join(told)
        if found := re.search(r'\{"edits".*\}', every):
            edits: tuple[Edit, ...] = parse_edits(json.dumps(json.loads(found[0])["edits"]))
        else:
            named = {path for path in PATHS.findall(every) if path != "app/live/greet.py"} or {
                "app/live/notes.md"
            }
            known = f"{every}\n{request}\n{reviewed}"
            edits = tuple(WriteText(op="write_text", path=path[:200], text=known) for path in sorted(named))
        return self._made(edits, "As it was wished")

    def _made(self, edits: tuple[Edit, ...], title: str) -> Draft:
        reason = "\n".join(self.heard)[:8000] or "It is kinder."
        return Draft(title=title, reason=reason, edits=edits, author="model", model="m")


@dataclass(frozen=True)
class Seen:
    """All that decides, at one moment."""

    proposals: tuple[tuple[Any, ...], ...]
    main: str
    main_there: str
    pulls: tuple[tuple[Any, ...], ...]
    halted: str
    rights: int
    heard: int
    """How much the author was told."""


class World:
    """One proposal under review.

    Attributes:
        github: The stand-in.
        author: The obedient one.
        people: Accounts, by the names of the table.
    """

    def __init__(self, folder: Path, github: GitHub, small: SmallRepo) -> None:
        self.folder, self.github = folder, github
        self.author = Obedient()
        self.people = {
            "ann": github.person("ann", "write"),
            "bob": github.person("bob", "write"),
            "rita": github.person("rita", "read"),
            "nobody": github.person("nobody", "none"),
            "asker": github.person("asker", "write"),
            "twin": github.person("\u0430nn", "read"),
            "robot": github.world.account("robot[bot]", "write", kind="Bot"),
        }
        asker = f"github:{self.people['asker'].id}"
        rules = small_rules(folder, github={"same_people": ((ASKED_BY, asker),), "revisions": 100})
        assert same(ASKED_BY, asker, rules)
        opener = functools.partial(open_forge, settings_of(github, app=True), backoff=0.001)
        self.steward = StewardWorld(folder, opener, small, author=self.author, rules=rules)
        (folder / "home" / "notes").write_text(CANARIES[1])

    @property
    def proposal(self) -> Proposal:
        """The proposal as it stands."""
        return self.steward.proposal(1)

    async def settle(self, rounds: int = 2) -> None:
        """Go round so often, which is enough for one thing that has happened; that GitHub did not take something is a fault."""
        await self.steward.rounds(rounds)
        status = self.steward.reconciler.status()
        assert "cannot be asked" not in status, status

    def seen(self) -> Seen:
        """All that decides, now."""
        record = self.steward.record
        decides = {
            "number",
            "stage",
            "head",
            "approvals",
            "approved_head",
            "merge",
            "revert",
            "title",
            "history",
        }
        return Seen(
            proposals=tuple(
                tuple(sorted(one.model_dump(include=decides).items())) for one in record.proposals.values()
            ),
            main=self.steward.repo.main(),
            main_there=self.github.main(),
            pulls=tuple(
                (n, one.open, one.merged, one.draft, one.head) for n, one in self.github.pulls.items()
            ),
            halted=record.halted,
            rights=len(record.granted),
            heard=len(self.author.heard),
        )

    def act(self, row: dict[str, Any]) -> None:
        """Do on GitHub what a row of the table says."""
        github, pull = self.github, self.github.pulls[self.proposal.pull]
        text = row["text"] * row.get("times", 1)
        by = self.people[row.get("by", "ann")]
        if row["act"] in ("review", "line", "dismissed", "stale"):
            self._review(row, by, text)
            return
        match row["act"]:
            case "comment":
                github.comment(by, pull.number, text)
            case "title":
                pull.title = text
            case "body":
                pull.body = text
            case "label":
                github.world.labels.setdefault(text, {"color": "ededed", "description": ""})
                pull.labels.append(text)
            case "push":
                github.push(by, pull.branch, {row["path"]: row["content"]}, text)
            case "branch":
                github.push(by, row["branch"], {"app/live/evil.md": "evil\n"}, text)
                github.open(by, row["branch"], text, "Approved-by: github:1")
            case "check":
                if row.get("required"):
                    github.protect(checks=("check",), strict=False)
                lines = [(row["path"], 1, text)] if "path" in row else []
                github.run(pull.head, row["check"], row["conclusion"], text, lines)
            case "close":
                github.close(by, pull.number)
            case other:
                raise AssertionError(other)

    def _review(self, row: dict[str, Any], by: Account, text: str) -> None:
        pull = self.proposal.pull
        head = self.proposal.base if row.get("head") == "base" else None
        lines = [(row["path"], 1, text)] if row["act"] == "line" else []
        body = "" if lines else text
        made = self.github.review(by, pull, row["state"], body, comments=lines, head=head)
        if row["act"] == "dismissed":
            self.github.dismiss(self.people["bob"], pull, made.id)
        if row["act"] == "stale":
            later: dict[str, str | None] = {"app/live/notes.md": "later\n"}
            self.github.push(self.people[row["pusher"]], self.proposal.branch, later, "later")

    def approve(self, who: str) -> None:
        """Let somebody approve what is there now."""
        self.github.review(self.people[who], self.proposal.pull, "APPROVED", "")


@asynccontextmanager
async def injection_world(folder: Path, template: Path, judge: Any = None) -> AsyncIterator[World]:
    """A world with one proposal that waits for reviewers.

    Args:
        folder: An empty place.
        template: The small repository, which is copied.
        judge: Holds requests against GitHub's description.
    """
    shutil.copytree(template, folder / "repo")
    async with GitHub(folder / "there", start=folder / "repo", judge=judge) as github:
        world = World(folder, github, SmallRepo(folder / "repo"))
        made = await world.steward.pipeline.improve(Request(requested_by=ASKED_BY, goal=GOAL))
        assert made.stage is Stage.OPENED, made.why
        await world.settle(1)
        assert world.proposal.pull
        yield world
        await world.steward.close()
        assert not github.violations, github.violations
