"""What people and Actions do on the stand-in, past its interface."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.fakes.github import checks, merging, reviews
from tests.fakes.github.state import World, signature
from tests.fakes.github.things import (
    Account,
    CheckRun,
    Comment,
    How,
    Line,
    NotPossible,
    Permission,
    Protection,
    Pull,
    Review,
    Verdict,
)


class Acts:
    """What is done by somebody other than Theseus; `NotPossible` where GitHub would not let them."""

    def __init__(self, world: World) -> None:
        self.world, self.git, self.pulls = world, world.git, world.pulls

    def person(self, login: str, permission: Permission = "write") -> Account:
        """Make somebody with access to the repository; the same name again changes their access."""
        return self.world.account(login, permission)

    def review(
        self,
        who: Account,
        pull: int,
        state: Verdict,
        body: str = "",
        *,
        comments: Sequence[Line] = (),
        head: str | None = None,
    ) -> Review:
        """Let somebody review a pull request: its head, or an older one."""
        one = self.pulls[pull]
        return reviews.review(self.world, one, who, state, body=body, lines=comments, head=head or one.head)

    def dismiss(self, who: Account, pull: int, review: int) -> None:
        """Let somebody dismiss a review."""
        reviews.dismiss(self.world, self.pulls[pull], review, who)

    def comment(self, who: Account, pull: int, body: str) -> Comment:
        """Let somebody comment."""
        return reviews.comment(self.world, self.pulls[pull], who, body)

    def push(
        self, who: Account, branch: str, files: Mapping[str, str | None], message: str = "A change"
    ) -> str:
        """Let somebody put a commit on a branch (past every protection); None takes a file away. The commit."""
        old = self.git.branch(branch)
        new = self.git.put(branch, files, message, signature(who))
        merging.pushed(self.world, who, f"refs/heads/{branch}", old, new)
        return new

    def force(self, who: Account, branch: str, commit: str) -> None:
        """Let somebody set a branch to a commit that the repository has, whatever it was."""
        old = self.git.branch(branch)
        self.git.move(f"refs/heads/{branch}", commit)
        merging.pushed(self.world, who, f"refs/heads/{branch}", old, self.git.find(commit))

    def open(self, who: Account, branch: str, title: str, body: str = "", *, draft: bool = False) -> int:
        """Let somebody open a pull request from a branch to main; its number."""
        world, head = self.world, self._there(branch)
        made = Pull(
            *(world.number(), world.id(), who, title, body, branch, "main", head, self.git.branch("main")),
            *(world.now(), world.now()),
            draft=draft,
            last_pusher=who,
        )
        merging.opened(world, made, who)
        return made.number

    def press_merge(self, who: Account, pull: int, how: How = "merge") -> str:
        """Let somebody press the button; the commit that main became."""
        return merging.merge(self.world, self.pulls[pull], who, how)

    def mark(self, who: Account, pull: int, *, draft: bool) -> None:
        """Let somebody convert a pull request to a draft, or mark it as ready for review."""
        merging.mark(self.world, self.pulls[pull], who, draft=draft)

    def close(self, who: Account, pull: int) -> None:
        """Let somebody close a pull request without merging it."""
        merging.close(self.world, self.pulls[pull], who)

    def reopen(self, who: Account, pull: int) -> None:
        """Let somebody open it again."""
        merging.reopen(self.world, self.pulls[pull], who)

    def delete_branch(self, who: Account, branch: str) -> None:
        """Let somebody delete a branch; its pull requests are closed, as there."""
        old = self._there(branch)
        self.git.move(f"refs/heads/{branch}", "")
        merging.pushed(self.world, who, f"refs/heads/{branch}", old, "")

    def _there(self, branch: str) -> str:
        if not (found := self.git.branch(branch)):
            raise NotPossible(f"There is no branch {branch}.")
        return found

    def run(
        self,
        head: str,
        name: str,
        conclusion: str | None = "success",
        summary: str = "",
        annotations: Sequence[Line] = (),
    ) -> CheckRun:
        """Let a job of Actions begin (None), or end; a second call for the same head and name goes on with the first."""
        return checks.act(self.world, head, name, conclusion, summary=summary, annotations=annotations)

    def protect(self, branch: str = "main", **rules: Any) -> Protection:
        """Set the rules of a branch: the fields of `Protection`."""
        made = self.world.protections[branch] = Protection(**rules)
        return made

    def advance_queue(self) -> list[int]:
        """Let the merge queue merge what stands first while its checks passed; the numbers of those that were."""
        return merging.advance(self.world)
