"""The repository layer on real git: objects first, compare-and-swap after, nothing dirtied."""

import subprocess
from pathlib import Path

import pytest

from selfedit.commands import GitFailed
from selfedit.history.signing import Signer
from selfedit.objects import Conflict
from selfedit.repo import Repo, RepoProblem

ZEROS = "0" * 40


def git(root: Path, *args: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *args], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    root = tmp_path / "repo"
    (root / "bot/live").mkdir(parents=True)
    (root / "bot/live/a.py").write_text("A = 1\n")
    (root / "b.txt").write_text("one\ntwo\nthree\n")
    git(root.parent, "init", "-q", "-b", "main", str(root))
    git(root, "add", "-A")
    git(root, "-c", "user.name=p", "-c", "user.email=p@x", "commit", "-qm", "start")
    return Repo(root)


def child(repo: Repo, files: dict[str, bytes | None], parent: str = "") -> str:
    parent = parent or repo.main()
    return repo.commit(repo.write_tree(parent, files), [parent], "change")


def test_writing_a_tree_touches_neither_index_nor_files(repo: Repo) -> None:
    """A proposal is objects only: the working tree stays clean to the byte."""
    index = (repo.git_dir / "index").read_bytes()
    commit = child(repo, {"bot/live/a.py": b"A = 2\n", "bot/live/n.py": b"N = 1\n", "b.txt": None})
    assert (repo.git_dir / "index").read_bytes() == index
    assert git(repo.root, "status", "--porcelain") == ""
    assert sorted(repo.entries(commit)) == ["bot/live/a.py", "bot/live/n.py"]
    assert [change.path for change in repo.changes(repo.main(), commit)] == [
        "b.txt",
        "bot/live/a.py",
        "bot/live/n.py",
    ]


def test_the_branch_moves_only_from_where_it_was_seen(repo: Repo) -> None:
    """Compare-and-swap: a branch that moved in the meantime stays where it is."""
    old, new = repo.main(), child(repo, {"b.txt": b"x\n"})
    other = child(repo, {"b.txt": b"y\n"})
    assert repo.move_branch(new, old) is None
    assert (repo.root / "b.txt").read_text() == "x\n"
    assert repo.move_branch(other, old) is not None
    assert repo.main() == new
    assert git(repo.root, "status", "--porcelain") == ""


def test_uncommitted_work_is_never_overwritten(repo: Repo) -> None:
    """A dirty file in the way stops the move with its name; a dirty file elsewhere does not."""
    old, new = repo.main(), child(repo, {"b.txt": b"x\n", "bot/live/n.py": b"N = 1\n"})
    (repo.root / "b.txt").write_text("my work\n")
    assert "b.txt" in (repo.move_branch(new, old) or "")
    git(repo.root, "checkout", "-q", "b.txt")
    (repo.root / "bot/live/n.py").write_text("my new file\n")
    assert "bot/live/n.py" in (repo.move_branch(new, old) or "")
    (repo.root / "bot/live/n.py").unlink()
    (repo.root / "bot/live/a.py").write_text("A = 99\n")
    assert repo.move_branch(new, old) is None
    assert (repo.root / "bot/live/a.py").read_text() == "A = 99\n"


def test_a_locked_index_is_named(repo: Repo) -> None:
    """Somebody else's lock is waited for, then named, and never removed."""
    lock = repo.git_dir / "index.lock"
    lock.touch()
    old, new = repo.main(), child(repo, {"b.txt": b"x\n"})
    assert "index.lock" in (repo.move_branch(new, old) or "")
    assert lock.exists()
    assert repo.main() == old


def test_a_move_that_was_cut_short_can_be_finished(repo: Repo) -> None:
    """If the ref moved but the files did not, following again brings them along."""
    old, new = repo.main(), child(repo, {"b.txt": b"x\n", "bot/live/n.py": b"N = 1\n"})
    assert repo.set_ref(repo.ref, new, old)
    repo.follow(old, new)
    repo.follow(old, new)
    assert git(repo.root, "status", "--porcelain") == ""


def test_merge_and_conflict(repo: Repo) -> None:
    """Changes in different places merge without a checkout; the same place is a conflict with its path."""
    base = repo.main()
    ours = child(repo, {"b.txt": b"ONE\ntwo\nthree\n"}, base)
    theirs = child(repo, {"bot/live/a.py": b"A = 2\n"}, base)
    clash = child(repo, {"b.txt": b"1\ntwo\nthree\n"}, base)
    merged = repo.merge_tree(ours, theirs)
    assert isinstance(merged, str)
    assert repo.merge_tree(ours, clash) == Conflict(("b.txt",))
    assert git(repo.root, "status", "--porcelain") == ""


def test_reverting_takes_back_one_change_and_keeps_later_ones(repo: Repo) -> None:
    """The tree of a revert is today's without that commit's change."""
    first = child(repo, {"bot/live/a.py": b"A = 2\n"})
    later = child(repo, {"b.txt": b"x\n"}, first)
    tree = repo.revert_tree(first, later)
    assert isinstance(tree, str)
    found = repo.entries(tree)
    assert repo.blobs([found["bot/live/a.py"].sha]) == {found["bot/live/a.py"].sha: b"A = 1\n"}
    assert found["b.txt"] == repo.entries(later)["b.txt"]
    overwritten = child(repo, {"bot/live/a.py": b"A = 3\n"}, first)
    assert isinstance(repo.revert_tree(first, overwritten), Conflict)


def test_only_the_stewards_signature_counts(repo: Repo, tmp_path: Path) -> None:
    """An unsigned commit and one signed with another key are not vouched for."""
    signer, stranger = (Signer(make(tmp_path / name), make=True) for name in ("ours", "theirs"))
    tree, main = repo.tree_of(repo.main()), repo.main()
    assert signer.signed(repo, repo.commit(tree, [main], "m", signer.settings))
    assert not signer.signed(repo, repo.commit(tree, [main], "m", stranger.settings))
    assert not signer.signed(repo, repo.commit(tree, [main], "m"))


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_git_without_an_identity_works(repo: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which nobody told git a name can still make commits."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("EMAIL", raising=False)
    commit = child(repo, {"b.txt": b"x\n"})
    assert "Theseus" in git(repo.root, "log", "-1", "--format=%an %cn", commit)


def test_states_in_which_nothing_may_be_changed_are_named(repo: Repo, tmp_path: Path) -> None:
    """Detached HEAD, another branch, no live folder, a shallow clone: one sentence each, with the way out."""
    live = ("bot/live/",)
    assert repo.problem(live) is None
    assert "live folders" in (repo.problem(("nothing/here/",)) or "")
    git(repo.root, "switch", "-q", "--detach")
    assert "detached" in (repo.problem(live) or "")
    git(repo.root, "switch", "-q", "-c", "side")
    assert "git switch main" in (repo.problem(live) or "")
    git(repo.root, "switch", "-q", "main")
    child_commit = child(repo, {"b.txt": b"x\n"})
    repo.move_branch(child_commit, repo.main())
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo.root}", str(shallow))
    assert "unshallow" in (Repo(shallow).problem(live) or "")


def test_no_repository_is_a_problem_with_a_way_out(tmp_path: Path) -> None:
    """A plain folder and a bare repository are refused in one sentence."""
    with pytest.raises(RepoProblem, match="git init"):
        Repo(tmp_path)
    git(tmp_path, "init", "-q", "--bare", "bare.git")
    with pytest.raises(RepoProblem, match="bare"):
        Repo(tmp_path / "bare.git")


def test_revisions_are_never_options(repo: Repo) -> None:
    """A revision that looks like a flag is no revision."""
    assert repo.resolve("--help") is None
    assert repo.resolve("nope") is None
    assert repo.resolve("main") == repo.main()


def test_a_missing_object_is_damage_and_not_an_answer(repo: Repo) -> None:
    """Git's silence about an object is an error with its id."""
    with pytest.raises(GitFailed, match="missing"):
        repo.blobs(["1" * 40])


def test_a_ref_is_made_only_once(repo: Repo) -> None:
    """Forty zeros mean: only if it is not there yet."""
    assert repo.set_ref("refs/proposals/1/head", repo.main(), ZEROS)
    assert not repo.set_ref("refs/proposals/1/head", repo.main(), ZEROS)
    repo.delete_ref("refs/proposals/1/head")
    repo.delete_ref("refs/proposals/1/head")
    assert repo.refs("refs/proposals") == {}
