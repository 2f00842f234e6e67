"""Main elsewhere is followed, and what was taken in is vouched for beside it: on the real adapter, against the stand-in."""

from collections.abc import Callable

import pytest

from selfedit.history.signing import BESIDE, Signer
from selfedit.types import Stage
from selfedit.upstream.following import MOVING
from tests.fakes.github.server import GitHub
from tests.fakes.world import git
from tests.github.scenarios import merged
from tests.github.steward_world import World


async def test_files_follow_where_a_crash_came_between(steward: World, github: GitHub) -> None:
    """The branch here had moved and the working tree had not: the next start brings the files along."""
    await steward.proposed("words")
    github.press_merge(github.person("ann"), 1)
    old, new = steward.repo.main(), await steward.forge.main()
    steward.repo.set_ref(MOVING, old)
    steward.repo.set_ref(steward.repo.ref, new, old)
    assert steward.repo.differs_from(new)
    await steward.rounds(2)
    assert (steward.proposal().stage, steward.repo.differs_from(new)) == (Stage.LIVE, [])
    assert steward.faults() == []


async def test_commits_that_github_does_not_have_stop_everything(steward: World, github: GitHub) -> None:
    """A commit on main here alone: one clear sentence, nothing pushed, nothing lost."""
    await steward.proposed("words")
    main = steward.repo.main()
    tree = steward.repo.write_tree(main, {"README.md": b"Mine.\n"})
    theirs = steward.repo.commit(tree, [main], "mine")
    steward.repo.move_branch(theirs, main)
    before = github.main()
    github.review(github.person("ann"), 1, "APPROVED")
    await steward.rounds(2)
    assert "has a commit that GitHub does not have" in (steward.mainline.hindrance() or "")
    assert (steward.repo.main(), github.main(), github.pulls[1].merged) == (theirs, before, False)
    git(steward.repo.root, "reset", "-q", "--keep", before)
    await steward.rounds(2)
    assert steward.proposal().stage is Stage.LIVE


@pytest.mark.parametrize("how", ["moved back", "overwritten"])
async def test_a_main_that_lost_what_ran_is_not_followed(steward: World, github: GitHub, how: str) -> None:
    """Force-pushed, or moved back: it is said, what runs stays, and goes on when it is put back."""
    await merged(steward, github)
    main, installed = github.main(), steward.record.genesis
    github.force(github.person("ann"), "main", installed)
    if how == "overwritten":
        github.push(github.person("ann"), "main", {"README.md": "Other.\n"}, "Other")
    await steward.rounds()
    assert how in (steward.mainline.hindrance() or "")
    assert steward.repo.main() == steward.bot.running == main
    github.force(github.person("ann"), "main", main)
    await steward.rounds()
    assert steward.mainline.hindrance() is None


def _other_tree(steward: World, commit: str) -> str:
    return steward.repo.commit(
        steward.repo.tree_of(steward.record.genesis), [commit], "x", steward.signer.settings
    )


def _other_parent(steward: World, commit: str) -> str:
    parent = [steward.record.genesis]
    return steward.repo.commit(steward.repo.tree_of(commit), parent, "x", steward.signer.settings)


def _unsigned(steward: World, commit: str) -> str:
    return steward.repo.commit(steward.repo.tree_of(commit), [commit], "x")


def _another(steward: World, commit: str) -> str:
    return steward.repo.commit(steward.repo.tree_of(commit), [commit], "x", steward.signer.settings)


@pytest.mark.parametrize("plant", [_other_tree, _other_parent, _unsigned, _another, None])
async def test_what_does_not_vouch_is_found(
    steward: World, github: GitHub, plant: Callable[[World, str], str] | None
) -> None:
    """Beside a merge: of another tree, another parent, unsigned, not the one of the ledger, or none at all."""
    await merged(steward, github)
    merge = steward.proposal().merge
    assert steward.faults() == []
    if plant is None:
        steward.repo.delete_ref(BESIDE + merge)
    else:
        steward.repo.set_ref(BESIDE + merge, plant(steward, merge))
    assert any(merge[:12] in fault for fault in steward.faults())


async def test_a_foreign_key_does_not_vouch(steward: World, github: GitHub) -> None:
    """The same words under another key are worth nothing, and such a commit is not loaded."""
    await merged(steward, github)
    merge, home = steward.proposal().merge, steward.folder / "other"
    home.mkdir()
    voucher = steward.signer.beside(steward.repo, merge) or ""
    Signer(home, make=True).vouch(steward.repo, merge, steward.repo.message(voucher))
    assert any(merge[:12] in fault for fault in steward.faults())
    assert not steward.signer.signed(steward.repo, merge)
