"""A forge on which `main` lives, in memory, with a real bare repository: the fake of the port `Upstream`."""

import subprocess
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from policies.decision import Decision
from selfedit.objects import Conflict
from selfedit.ports import ForgeDown, Shown
from selfedit.pulls import Account, PullState, Review, Run
from selfedit.repo import Repo
from selfedit.types import Proposal

THESEUS = Account(id="github:0", login="theseus", person=False)


@dataclass(frozen=True, slots=True)
class _Pull:
    branch: str
    state: PullState


class MemoryUpstream:
    """Merges whatever is open and at the head that it is asked for; no rules, no checks.

    Attributes:
        down: Why it cannot be asked; empty while it can.
        pulls: The pull requests, by number.
        required: The checks that it wants of each pull request, and how they stand.
        remarks: What was said below each, by number and key.
    """

    name = where = "the forge"
    announces = True

    def __init__(self, repo: Repo, bare: Path) -> None:
        """Begin with what is on `main` here."""
        self.down = ""
        self.pulls: dict[int, _Pull] = {}
        self.remarks: dict[tuple[int, str], str] = {}
        self.required: tuple[Run, ...] = ()
        self._repo = repo
        self._bare = bare
        _git(bare.parent, "init", "--quiet", "--bare", str(bare))
        self._push(repo.main(), repo.branch)

    def status(self) -> str:
        """Which one it is."""
        return self.name

    async def end(self) -> None:
        """Nothing is held."""

    async def announce(self, proposal: Proposal) -> Shown | None:
        """Show it as a draft."""
        return self._show(proposal.branch, proposal.head, draft=True)

    async def open(self, proposal: Proposal) -> Shown:
        """Show it as ready."""
        return self._show(proposal.branch, proposal.head, draft=False)

    async def shown(self) -> Collection[str]:
        """The branches of what is open, of proposals alone."""
        self._ask()
        open_ones = {pull.branch for pull in self.pulls.values() if pull.state.open}
        return {branch for branch in open_ones if not branch.startswith("revert/")}

    async def close(self, proposal: Proposal, why: str) -> None:
        """Close it."""
        del why
        self._ask()
        if (number := self._find(proposal.branch)) and self.pulls[number].state.open:
            self.act(number, open=False, closed_by=THESEUS)

    async def main(self) -> str:
        """What `main` is in the bare repository."""
        self._ask()
        return self._fetch(self._repo.branch)

    async def look(self, proposal: Proposal) -> PullState | None:
        """What it is now."""
        self._ask()
        return self._look(proposal.branch)

    async def merge(self, proposal: Proposal, title: str, message: str) -> str | Decision:
        """Merge it with a merge commit."""
        self._ask()
        return self._merge(proposal.branch, proposal.approved_head, f"{title}\n\n{message}\n")

    async def unqueue(self, proposal: Proposal) -> None:
        """It stands in no queue any more."""
        self._ask()
        self.act(self._find(proposal.branch), queued=False)

    async def propose_revert(self, proposal: Proposal, commit: str, message: str) -> Shown:
        """Show a commit that takes it back."""
        del message
        return self._show(_revert(proposal), commit, draft=False, anew=True)

    async def look_at_revert(self, proposal: Proposal) -> PullState | None:
        """What that is now."""
        self._ask()
        return self._look(_revert(proposal))

    async def merge_revert(self, proposal: Proposal, head: str) -> str | Decision:
        """Merge that."""
        self._ask()
        return self._merge(_revert(proposal), head, "Revert\n")

    async def drop_revert(self, proposal: Proposal, why: str) -> None:
        """Close that."""
        del why
        self._ask()
        if (number := self._find(_revert(proposal))) and self.pulls[number].state.open:
            self.act(number, open=False, closed_by=THESEUS)

    async def remark(self, proposal: Proposal, key: str, text: str) -> None:
        """Say something, once."""
        self._ask()
        self.remarks.setdefault((self._find(proposal.branch), key), text)

    async def say_verdict(self, proposal: Proposal) -> None:
        """Show nothing: there are no checks of its own."""
        self._ask()
        self._find(proposal.branch)

    # What people do

    def act(self, number: int, **changes: object) -> None:
        """Change what a pull request is."""
        pull = self.pulls[number]
        self.pulls[number] = replace(pull, state=pull.state.model_copy(update=changes))

    def push(self, commit: str, branch: str) -> None:
        """Let somebody put a commit on a branch, whatever was there."""
        self._push(commit, branch)
        for number, pull in self.pulls.items():
            if pull.branch == branch and pull.state.open:
                self.act(number, head=commit)

    def review(self, number: int, review: Review) -> None:
        """Let somebody review it."""
        self.act(number, reviews=(*self.pulls[number].state.reviews, review))

    # Private

    def _ask(self) -> None:
        if self.down:
            raise ForgeDown(self.down)

    def _find(self, branch: str) -> int:
        return max((number for number, pull in self.pulls.items() if pull.branch == branch), default=0)

    def _show(self, branch: str, head: str, *, draft: bool, anew: bool = False) -> Shown:
        self._ask()
        number = self._find(branch)
        closed = number and not self.pulls[number].state.open
        if not number or (closed and anew and not self.pulls[number].state.merged):
            number = len(self.pulls) + 1
            url = f"https://forge.example/{number}"
            state = PullState(
                number=number, url=url, open=True, draft=draft, head=head, base=self._repo.branch
            )
            self.pulls[number] = _Pull(branch, state)
        if self.pulls[number].state.open:
            self._push(head, branch)
            self.act(number, head=head, draft=draft)
        return Shown(f"pull request {number}", number, self.pulls[number].state.url)

    def _look(self, branch: str) -> PullState | None:
        number = self._find(branch)
        if not number:
            return None
        runs = {
            "runs": (*self.pulls[number].state.runs, *self.required),
            "checks_required": bool(self.required),
        }
        return self.pulls[number].state.model_copy(update=runs)

    def _merge(self, branch: str, head: str, message: str) -> str | Decision:
        number = self._find(branch)
        if not number:
            return Decision.no("closed", "there is none")
        state = self.pulls[number].state
        if state.head != head:
            return Decision.no("head_moved", "it has another head")
        if state.merged:
            return state.merged
        if not state.open:
            return Decision.no("closed", "it is closed")
        if state.draft:
            return Decision.no("waiting", "it is a draft")
        main = self._fetch(self._repo.branch)
        tree = self._repo.merge_tree(main, head)
        if isinstance(tree, Conflict):
            return Decision.no("behind", "it conflicts")
        merged = self._repo.commit(tree, [main, head], message)
        self._push(merged, self._repo.branch)
        self.act(number, merged=merged, open=False, merged_by=THESEUS)
        return merged

    def _push(self, commit: str, branch: str) -> None:
        _git(self._repo.root, "push", "--quiet", "--force", str(self._bare), f"{commit}:refs/heads/{branch}")

    def _fetch(self, branch: str) -> str:
        _git(self._repo.root, "fetch", "--quiet", str(self._bare), f"+{branch}:refs/theseus/remote/{branch}")
        return self._repo.resolve(f"refs/theseus/remote/{branch}") or ""


def _revert(proposal: Proposal) -> str:
    return "revert/" + proposal.branch.removeprefix("improve/")


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
