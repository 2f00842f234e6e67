"""What `main` becomes when a proposal is taken back: the change undone, or, where that conflicts, the tree before it.

The tree before it is a blunt tool: whatever came later is gone as well. So it is said, by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from policies.decision import Decision
from selfedit.history.record import Record
from selfedit.mainline.shared import Shared
from selfedit.objects import Conflict
from selfedit.ports import Announce, Forge
from selfedit.repo import Repo
from selfedit.types import STANDING, Proposal, Stage
from selfedit.words import one_line


@dataclass(frozen=True, slots=True)
class Without:
    """A tree without a proposal, and what else is not in it."""

    tree: str
    proposals: tuple[int, ...] = ()
    """Proposals that were merged later and go with it."""
    commits: tuple[str, ...] = ()
    """Commits that people made later and that go with it, each as `hash subject`."""
    passed: bool = True
    """Whether the gate vouches for the tree, now or earlier."""

    @property
    def words(self) -> str:
        """What goes with it, as half a sentence; empty when nothing does."""
        lost = []
        if self.proposals:
            lost.append(f"proposal {', '.join(map(str, self.proposals))}")
        if self.commits:
            lost.append(f"commits by people: {', '.join(self.commits)} (git cherry-pick brings them back)")
        return f"what came after it is gone as well: {'; '.join(lost)}" if lost else ""


async def without(
    proposal: Proposal, main: str, shared: Shared[Forge], *, automatic: bool
) -> Without | Decision:
    """What `main` would be without a merged proposal.

    Args:
        proposal: What is to be taken back.
        main: The commit that it is taken back from.
        shared: Knows what was judged and whose commits are whose, and judges a tree that nobody judged yet.
        automatic: Nobody is there to ask: what does not pass gives way to what ran before.
    """
    repo, record, policy = shared.repo, shared.record, shared.rules.policy
    shared.tell(proposal.number, proposal.stage, "working out what main is without it")
    tree = repo.revert_tree(proposal.merge, main, proposal.before)
    found = _before(proposal, main, repo, record) if isinstance(tree, Conflict) else Without(tree)
    if record.has_passed(found.tree, policy):
        return found
    candidate = repo.commit(found.tree, [main], "revert")
    report = await shared.gate.judge(main, candidate, by_person=True)
    if report.verdict == "passed":
        return found
    if automatic:  # what ran before was judged then; anything is better than what is broken now
        before = _before(proposal, main, repo, record)
        return replace(before, passed=record.has_passed(before.tree, policy))
    return Decision.no(
        "not_judged", f"the code without proposal {proposal.number} does not pass: {report.complaint}"
    )


def _before(proposal: Proposal, main: str, repo: Repo, record: Record) -> Without:
    since = record.commits[proposal.merge].seq
    later = [p.number for p in record.proposals.values() if p.stage in STANDING]
    later = [n for n in later if record.commits[record.proposals[n].merge].seq > since]
    theirs = [commit for commit in repo.between(proposal.merge, main) if _by_people(commit, record)]
    subjects = [one_line(repo.message(commit).partition("\n")[0], 72) for commit in theirs]
    named = tuple(f"{commit[:12]} {subject}" for commit, subject in zip(theirs, subjects, strict=True))
    before = proposal.before or repo.parents(proposal.merge)[0]
    return Without(repo.tree_of(before), tuple(sorted(later)), named)


def _by_people(commit: str, record: Record) -> bool:
    """Whether people made a commit, also where it was adopted as it is, with a voucher beside it."""
    move = record.commits.get(commit)
    return move is None or (move.kind == "adopted" and "vouched" in move.data)


def confirm(record: Record, tell: Announce, number: int, revert: str, facts: Mapping[str, Any]) -> None:
    """Write down that `main` is a commit which takes a proposal back, with what went with it.

    Args:
        record: Where it is written.
        tell: Hears what else is gone.
        number: The proposal.
        revert: What `main` became.
        facts: Of the move that announced it: `why`, `by`, `also`, `dropped`; and `vouched`, where it was done elsewhere,
            or `found`, where people did it.
    """
    why, by = facts["why"], facts["by"]
    stood = {key: facts[key] for key in ("within", "found") if key in facts}
    for other in facts.get("also", ()):
        if record.proposals[other].stage in STANDING:
            said = f"it was built on proposal {number}, which was taken back"
            record.write("reverted", other, revert=revert, why=said, by=by, **stood)
            tell(other, Stage.REVERTED, said)
    if "vouched" in facts:
        stood["vouched"] = facts["vouched"]
    record.write("reverted", number, revert=revert, why=why, by=by, dropped=facts.get("dropped", ()), **stood)
