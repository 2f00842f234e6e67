"""Courses of events between a steward and GitHub that several tests run."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from selfedit.types import Stage
from tests.fakes.github.server import GitHub
from tests.fakes.small_repo import GREET, SmallRepo
from tests.fakes.world import git
from tests.github.steward_world import World, draft, on

MORE = "app/live/more.py"


class Teller:
    """Writes down how things stand, a few lines a step, without what differs from run to run."""

    def __init__(self, steward: World, github: GitHub) -> None:
        self._steward = steward
        self._github = github
        self._heads: list[str] = []
        self.lines: list[str] = []

    def tell(self, what: str) -> None:
        """Say what was done, and how ledger, pull requests and code stand after it."""
        steward, github = self._steward, self._github
        one = steward.proposal()
        if one.head not in self._heads:
            self._heads.append(one.head)
        pulls = [
            f"#{number} {_state(pull.open, pull.merged, pull.draft)}"
            for number, pull in sorted(github.pulls.items())
        ]
        names = ", ".join(dict(one.names).get(by, by) for by in one.approvals) or "nobody"
        same = "followed" if steward.repo.main() == github.main() else "not followed"
        serves = {
            one.merge: "the change",
            one.before: "the code before it",
            one.revert: "the code without it",
        }
        bot = serves.get(steward.bot.running or "none", "the code installed")
        why = f" ({plain(one.why)})" if one.why else ""
        self.lines.append(f"* {what}")
        self.lines.append(
            f"    ledger: {one.stage}{why}; head {self._heads.index(one.head) + 1}, approved by {names}"
        )
        self.lines.append(f"    GitHub: {', '.join(pulls)}; its main is {same} here; the bot serves {bot}")


def _state(is_open: object, merged: object, unfinished: object) -> str:
    if not is_open:
        return "merged" if merged else "closed"
    return "draft" if unfinished else "ready"


def plain(text: str) -> str:
    """A sentence without addresses and commits."""
    return re.sub(r"http://[\w.:/-]+", "(address)", re.sub(r"\b[0-9a-f]{12,40}\b", "(commit)", text))


async def life(steward: World, github: GitHub) -> list[str]:
    """Proposal, red checks, a new head, approvals that a push voids, merge, swap, revert; what happened, in lines."""
    story = Teller(steward, github)
    ann, bob, eve = github.person("ann"), github.person("bob"), github.person("eve", "read")
    github.protect(checks=("check",), reviews=1, dismiss_stale=True)

    async def judging() -> None:
        story.tell(
            "somebody asks in chat; a draft is made, and while the gate judges it, it is shown unfinished"
        )

    steward.gate.at_checks = judging
    await steward.proposed("first words")
    story.tell("it passes the gate here, and is ready to be reviewed")
    number = steward.proposal().pull
    wrong = [(GREET, 3, "this is wrong")]
    github.run(github.pulls[number].head, "check", "failure", "the build says no", wrong)
    steward.author.ready.append(draft("second words"))
    await steward.rounds()
    story.tell(
        f"a required check fails; the author hears {' / '.join(steward.author.heard)!r} and drafts again"
    )
    github.run(github.pulls[number].head, "check")
    github.review(eve, number, "APPROVED")
    await steward.rounds()
    story.tell("the check passes, and a reader approves, which is worth nothing")
    github.review(ann, number, "APPROVED")
    github.push(bob, github.pulls[number].branch, {MORE: '"""More."""\n'}, "More")
    await steward.rounds()
    story.tell(
        "ann approves, but bob pushes to the branch: another head, which is judged and which nobody approved"
    )
    github.run(github.pulls[number].head, "check", None)
    github.review(bob, number, "APPROVED")
    await steward.rounds()
    story.tell("bob approves what he pushed himself, which counts for nothing")
    github.review(ann, number, "APPROVED")
    await steward.rounds()
    story.tell("ann approves again; the check still runs")
    github.run(github.pulls[number].head, "check")
    await steward.rounds(2)
    story.tell("the check passes; GitHub is asked to merge, its main is followed, and the bot swaps")
    await steward.mainline.condemn(1, "it is slower than before")
    story.tell("the watch finds it bad: the code before serves, and a pull request is to take it back")
    revert = max(github.pulls)
    github.run(github.pulls[revert].head, "check")
    await steward.rounds()
    story.tell("its check passes, but GitHub wants a review of it as well")
    github.review(ann, revert, "APPROVED")
    await steward.rounds(2)
    story.tell("ann approves that too; it is merged")
    return story.lines


async def whole_life(github: GitHub, folder: Path) -> None:
    """The whole life, for whoever only wants its requests."""
    steward = at(github, folder)
    try:
        await life(steward, github)
    finally:
        await steward.close()
    assert steward.proposal().stage is Stage.REVERTED


def at(github: GitHub, folder: Path) -> World:
    """A steward whose repository has become what is on GitHub."""
    small = SmallRepo(folder / "repo")
    git(small.root, "push", "--quiet", "--force", str(github.bare), "main:main")
    return World(folder, on(github))


async def merged(steward: World, github: GitHub, words: str = "words") -> int:
    """A proposal that ann approved and that is live; its number."""
    number = (await steward.proposed(words)).number
    github.review(github.person("ann"), steward.proposal(number).pull, "APPROVED")
    await steward.rounds(2)
    assert steward.proposal(number).stage is Stage.LIVE, steward.proposal(number).why
    return number


SCENARIOS: tuple[Callable[[GitHub, Path], Awaitable[None]], ...] = (whole_life,)
"""Each runs on a stand-in of its own, in an empty folder."""
