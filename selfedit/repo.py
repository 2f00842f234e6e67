"""The repository: its live branch, its refs, and the working tree that follows when `main` moves.

A proposal only ever adds objects and refs; the working tree changes when `main` moves, and then only in the
files that the move changes. Objects are read and written by `selfedit.objects`.
"""

import importlib.machinery
import os
import time
from collections.abc import Sequence
from pathlib import Path

import git

from selfedit.commands import Commands, GitFailed, said
from selfedit.objects import Objects

MINIMUM_GIT = (2, 38, 0)
"""`git merge-tree --write-tree` came with this version."""
_IMPORTABLE = tuple(importlib.machinery.all_suffixes())


class RepoProblem(Exception):
    """The repository cannot be used as it is. Its text is one sentence for people."""


class Repo(Objects):
    """One git repository with a working tree, whose live branch is `branch`."""

    def __init__(self, root: Path, branch: str = "main") -> None:
        """Open the repository at `root`.

        Raises:
            RepoProblem: There is no usable repository.
        """
        for name in [name for name in os.environ if name.startswith("GIT_")]:
            del os.environ[name]  # a hook or an alias that started us must not redirect our reads and writes
        try:
            found = git.Repo(root, search_parent_directories=True)
        except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
            raise RepoProblem(
                f"{root} is not a git repository; Theseus lives in one: git init && git add -A && git commit -m start"
            ) from error
        if found.bare or found.working_tree_dir is None:
            raise RepoProblem(f"{root} is a bare repository; Theseus needs one with a working tree")
        if found.git.version_info < MINIMUM_GIT:
            raise RepoProblem("git 2.38 or newer is needed; install a newer git")
        super().__init__(Commands(found.git))
        self.root = Path(found.working_tree_dir).resolve()
        self.git_dir = Path(found.git_dir).resolve()
        self.common_dir = Path(found.common_dir).resolve()
        self.branch = branch
        self.ref = f"refs/heads/{branch}"

    # The live branch

    def main(self) -> str:
        """The commit that the live branch names.

        Raises:
            RepoProblem: The branch has no commit.
        """
        sha = self.resolve(self.ref)
        if sha is None:
            raise RepoProblem(f"there is no branch {self.branch} with a commit")
        return sha

    def problem(self, live: Sequence[str] = ()) -> str | None:
        """Why code cannot be changed here now, as one sentence; None when it can.

        Args:
            live: Folders that must hold files of the live branch (`bot/live/`).
        """
        if self._git.run("rev-parse", "--is-shallow-repository").strip() == b"true":
            return "this is a shallow clone, whose history cannot be merged; run: git fetch --unshallow"
        head = self._git.attempt("symbolic-ref", "--quiet", "HEAD")
        main = self.resolve(self.ref)
        if main is None:
            return f"there is no branch {self.branch} with a commit; make one: git switch -c {self.branch}"
        if head is None:
            return f"HEAD is detached; Theseus changes the branch {self.branch}: git switch {self.branch}"
        if (name := head.decode().strip()) != self.ref:
            here = name.removeprefix("refs/heads/")
            return (
                f"the branch {here} is checked out; Theseus changes {self.branch}: git switch {self.branch}"
            )
        if live:
            entries = self.entries(main)
            if not any(path.startswith(tuple(live)) for path in entries):
                folders = ", ".join(live)
                return f"none of the live folders ({folders}) has a file on {self.branch}, so nothing may be changed"
        return None

    # Refs

    def refs(self, prefix: str) -> dict[str, str]:
        """Refs below a prefix and what they name."""
        out = self._git.run("for-each-ref", "--format=%(refname) %(objectname)", prefix).decode()
        return dict(row.split(" ", 1) for row in out.splitlines())

    def set_ref(self, ref: str, new: str, old: str | None = None) -> bool:
        """Point a ref at a commit; with `old` only if it still names that (40 zeros: only if absent)."""
        guard = [] if old is None else [old]
        code, _, err = self._git.call("update-ref", "--no-deref", ref, new, *guard)
        if code and old is not None and self._names(ref) != old:
            return False
        if code:
            raise GitFailed(said("update-ref", code, err))
        return True

    def delete_ref(self, ref: str) -> None:
        """Take a ref away; fine if it is not there."""
        if self._names(ref) is not None:
            self._git.run("update-ref", "--no-deref", "-d", ref)

    # The working tree

    def in_the_way(self, old: str, new: str) -> str | None:
        """Why the working tree cannot follow a move of the branch, as one sentence; None when it can."""
        changes = self.changes(old, new)
        if not changes:
            return None
        if locked := self._locked():
            return locked
        self._git.run(
            "update-index", "-q", "--refresh", tolerate=1
        )  # a file that was only touched is not in the way
        unsaved = self._git.run(
            "diff-index", "--name-only", "-z", old, "--", *(change.path for change in changes)
        )
        names = {name.decode(errors="replace") for name in unsaved.split(b"\0") if name}
        names |= {
            change.path for change in changes if change.old is None and (self.root / change.path).exists()
        }
        if names:
            listed = ", ".join(sorted(names)[:3])
            return f"there are uncommitted changes in {listed}; commit or stash them, then try again"
        code, _, err = self._git.call("read-tree", "--dry-run", "-m", "-u", old, new)
        return f"the working tree cannot follow: {said('read-tree', code, err)}" if code else None

    def move_branch(self, new: str, old: str) -> str | None:
        """Move the live branch from `old` to `new` by compare-and-swap, and the working tree along.

        Returns:
            None when done, else one sentence; then nothing was changed.
        """
        if problem := self.in_the_way(old, new):
            return problem
        if not self.set_ref(self.ref, new, old):
            return f"{self.branch} moved in the meantime"
        self.follow(old, new)
        return None

    def follow(self, old: str, new: str) -> None:
        """Bring index and working tree from one commit to another; other local changes stay. Can be repeated."""
        head = self._git.attempt("symbolic-ref", "--quiet", "HEAD")
        if head is None or head.decode().strip() != self.ref:
            return
        self._git.run("update-index", "-q", "--refresh", tolerate=1)
        self._git.run("read-tree", "-m", "-u", old, new)

    def differs_from(self, rev: str) -> list[str]:
        """Tracked files whose content in the working tree is not that of a commit."""
        self._git.run("update-index", "-q", "--really-refresh", tolerate=1)
        out = self._git.run("diff-index", "--name-only", "-z", rev)
        return [name.decode(errors="replace") for name in out.split(b"\0") if name]

    def importable_strangers(self, rev: str) -> list[str]:
        """Files that git does not know, ignored ones included, where `import` would find them.

        That is beside the files in the root, and below every folder of the root that holds Python files of `rev`.
        """
        parts = [path.split("/") for path in self.entries(rev) if path.endswith(".py")]
        folders = sorted({f":(literal){part[0]}/" for part in parts if len(part) > 1})
        out = self._git.run("ls-files", "--others", "-z", "--", ":(glob)*", *folders)
        names = [name.decode("utf-8", "surrogateescape") for name in out.split(b"\0") if name]
        return [
            name
            for name in names
            if "__pycache__" not in name.split("/")
            and (name.endswith(_IMPORTABLE) or _is_linked_package(self.root / name))
        ]

    def _names(self, ref: str) -> str | None:
        out = self._git.attempt("rev-parse", "--verify", "--quiet", ref)
        return out.decode().strip() if out else None

    def _locked(self, patience: float = 3.0) -> str | None:
        lock = self.git_dir / "index.lock"
        until = time.monotonic() + patience
        while lock.exists():
            if time.monotonic() > until:
                return f"git's index is locked ({lock}); another git command is at work, or it died: then delete the file"
            time.sleep(0.05)
        return None


def _is_linked_package(path: Path) -> bool:
    return path.name.isidentifier() and path.is_symlink() and path.is_dir()
