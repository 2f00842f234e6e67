"""The steward's parts on the forge in memory, with the people who review there."""

from itertools import count
from pathlib import Path

from policies.rights import Person
from selfedit.pulls import Account, Review, ReviewState, Run
from selfedit.repo import Repo
from selfedit.types import Proposal, Request, Stage
from tests.fakes.small_repo import FILES, GREET, SmallRepo, small_rules
from tests.fakes.upstream import MemoryUpstream
from tests.github.steward_world import ASKED_BY, World, draft

ANN = Account(id="github:1", login="ann", roles=("github:role/write",))
BOB = Account(id="github:2", login="bob", roles=("github:role/write",))
CONSOLE = Person("console:operator")
MORE, CORE = "app/live/more.py", "app/core.py"
CHECK = Run(name="check", state="passed", required=True)
WAITING = CHECK.model_copy(update={"state": "waiting"})


class Forge(MemoryUpstream):
    """The forge in memory, asked by a steward that may have a fault of its own."""

    fault: Exception | None = None

    async def main(self) -> str:
        """What `main` is, unless there is a fault."""
        if self.fault is not None:
            raise self.fault
        return await super().main()


class Steward(World):
    """The steward's parts, and that forge."""

    def __init__(self, folder: Path, there: "Forge | None" = None, **sections: dict[str, object]) -> None:
        self._known = there
        small = SmallRepo(folder / "repo", {**FILES, MORE: FILES[GREET]})
        rules = small_rules(folder, **sections)
        self._ids = count(1)
        super().__init__(folder, self._opened, small, rules=rules)

    def _opened(self, repo: Repo) -> Forge:
        self.there = self._known or Forge(repo, self.folder / "bare")
        return self.there

    def reviewed(self, by: Account, state: ReviewState, number: int = 1) -> None:
        """Let somebody review the head that is there, in place of what they said before."""
        pull = self.there.pulls[number].state
        others = tuple(review for review in pull.reviews if review.by.id != by.id)
        given = Review(id=next(self._ids), by=by, state=state, head=pull.head)
        self.there.act(number, reviews=(*others, given))

    async def living(self, words: str, path: str = GREET) -> int:
        """A proposal that ann approved and that is live; its number."""
        self.author.ready.append(draft(words, path))
        number = (await self.pipeline.improve(Request(requested_by=ASKED_BY, goal=words))).number
        self.reviewed(ANN, "approved", max(self.there.pulls))
        await self.rounds(2)
        assert self.proposal(number).stage is Stage.LIVE, self.proposal(number).why
        return number

    async def merged_there(self, one: Proposal, by: Account | None) -> None:
        """Let somebody, or a program, merge a proposal's head there."""
        head = {"approved_head": one.head}
        assert isinstance(await self.there.merge(one.model_copy(update=head), "Merge", ""), str)
        self.there.act(1, merged_by=by)

    def people_commit(self, path: str, old: str, new: str) -> str:
        """Let somebody put a commit on `main` there."""
        main = self.repo.main()
        entry = self.repo.entries(main)[path]
        text = self.repo.blobs([entry.sha])[entry.sha].decode()
        assert old in text
        tree = self.repo.write_tree(main, {path: text.replace(old, new).encode()})
        made = self.repo.commit(tree, [main], "theirs")
        self.there.push(made, "main")
        return made

    def stands(self, number: int = 1) -> tuple[Stage, bool]:
        """How the ledger has it, and whether it is merged there."""
        return self.proposal(number).stage, bool(self.there.pulls[number].state.merged)
