"""The repository: reading, writing objects, merging, moving `main`. The only file that speaks to git.

Everything goes through object ids. Nothing is checked out to be looked at, and no hook, filter,
replace object or setting of the surroundings has a say. A proposal only ever adds objects and refs;
the working tree changes when `main` moves, and then only in the files that the move changes.
"""

import functools
import importlib.machinery
import os
import re
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import git

from selfedit.types import FileDiff

IDENTITY = ("Theseus", "theseus@localhost")
MINIMUM_GIT = (2, 38, 0)
"""`git merge-tree --write-tree` came with this version."""

_ISOLATED = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_AUTHOR_NAME": IDENTITY[0],
    "GIT_AUTHOR_EMAIL": IDENTITY[1],
    "GIT_COMMITTER_NAME": IDENTITY[0],
    "GIT_COMMITTER_EMAIL": IDENTITY[1],
    "LC_ALL": "C",
}
_QUIET = (
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.attributesFile=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.quotePath=false",
    "-c",
    "gc.auto=0",
)


_ID = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_IMPORTABLE = tuple(importlib.machinery.all_suffixes())


class GitFailed(Exception):
    """Git could not do something that it should be able to. Its text shows what git said."""


class RepoProblem(Exception):
    """The repository cannot be used as it is. Its text is one sentence for people."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a tree: git's mode (`100644`), kind (`blob`, `commit`) and object id."""

    mode: str
    kind: str
    sha: str


@dataclass(frozen=True, slots=True)
class TreeChange:
    """One path that differs between two trees; None where the path is not there."""

    path: str
    old: Entry | None
    new: Entry | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A merge that git cannot make by itself, with the paths in question."""

    paths: tuple[str, ...]


class Repo:
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
        self._git = found.git
        self.root = Path(found.working_tree_dir).resolve()
        self.git_dir = Path(found.git_dir).resolve()
        self.common_dir = Path(found.common_dir).resolve()
        self.branch = branch
        self.ref = f"refs/heads/{branch}"
        # What an id names never changes, and a verdict asks for the same few trees again and again.
        self._tree_of = functools.lru_cache(64)(self._read_tree_of)
        self._parents = functools.lru_cache(256)(self._read_parents)
        self._entries = functools.lru_cache(4)(self._read_entries)
        self._changes = functools.lru_cache(8)(self._read_changes)

    # Reading

    def problem(self, live: Sequence[str] = ()) -> str | None:
        """Why code cannot be changed here now, as one sentence; None when it can.

        Args:
            live: Folders that must hold files of the live branch (`bot/live/`).
        """
        if self._run("rev-parse", "--is-shallow-repository").strip() == b"true":
            return "this is a shallow clone, whose history cannot be merged; run: git fetch --unshallow"
        head = self._try("symbolic-ref", "--quiet", "HEAD")
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

    def resolve(self, rev: str) -> str | None:
        """The commit id behind a revision, or None."""
        if not rev or rev.startswith("-"):
            return None
        out = self._try("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
        return out.decode().strip() if out else None

    def main(self) -> str:
        """The commit that the live branch names.

        Raises:
            RepoProblem: The branch has no commit.
        """
        sha = self.resolve(self.ref)
        if sha is None:
            raise RepoProblem(f"there is no branch {self.branch} with a commit")
        return sha

    def tree_of(self, rev: str) -> str:
        """The tree id of a commit."""
        return (self._tree_of if _is_id(rev) else self._read_tree_of)(rev)

    def _read_tree_of(self, rev: str) -> str:
        return self._run("rev-parse", "--verify", "--end-of-options", f"{rev}^{{tree}}").decode().strip()

    def parents(self, commit: str) -> tuple[str, ...]:
        """The parents of a commit, first parent first."""
        return (self._parents if _is_id(commit) else self._read_parents)(commit)

    def _read_parents(self, commit: str) -> tuple[str, ...]:
        return tuple(self._run("log", "-1", "--format=%P", commit).decode().split())

    def message(self, commit: str) -> str:
        """The message of a commit."""
        return self._run("log", "-1", "--format=%B", commit).decode(errors="replace")

    def verify_commit(self, commit: str, allowed_signers: Path) -> bool:
        """Whether a commit bears a good signature by one of the allowed signers."""
        form = ("-c", "gpg.format=ssh", "-c", "gpg.ssh.program=ssh-keygen")
        settings = (*form, "-c", f"gpg.ssh.allowedSignersFile={allowed_signers}")
        return self._call("verify-commit", commit, settings=settings)[0] == 0

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `new` contains `old` in its history."""
        return self._try("merge-base", "--is-ancestor", old, new) is not None

    def between(self, old: str, new: str) -> list[str]:
        """First-parent commits after `old` up to `new`, oldest first."""
        out = self._run("rev-list", "--first-parent", "--reverse", f"{old}..{new}")
        return out.decode().split()

    def trees(self, commit: str) -> set[str]:
        """The trees that a branch has had, from this commit back along first parents."""
        return set(self._run("log", "--first-parent", "--format=%T", commit).decode().split())

    def entries(self, rev: str) -> Mapping[str, Entry]:
        """Every file of a commit or tree, by path, as its tree object says; undecodable names keep escapes."""
        return (self._entries if _is_id(rev) else self._read_entries)(rev)

    def _read_entries(self, rev: str) -> Mapping[str, Entry]:
        found = {}
        for row in self._run("ls-tree", "-r", "-z", "--full-tree", rev).split(b"\0"):
            if row:
                head, _, path = row.partition(b"\t")
                mode, kind, sha = head.decode().split()
                found[path.decode("utf-8", "surrogateescape")] = Entry(mode, kind, sha)
        return MappingProxyType(found)

    def changes(self, old: str, new: str) -> Sequence[TreeChange]:
        """What differs between two commits or trees, without guessing at renames."""
        return (self._changes if _is_id(old) and _is_id(new) else self._read_changes)(old, new)

    def _read_changes(self, old: str, new: str) -> Sequence[TreeChange]:
        out = self._run("diff-tree", "-r", "-z", "--no-renames", "--raw", "--no-abbrev", old, new)
        fields = iter(out.split(b"\0"))
        found = []
        for head in fields:
            if not head.startswith(b":"):
                continue
            path = next(fields).decode("utf-8", "surrogateescape")
            old_mode, new_mode, old_sha, new_sha, _status = head[1:].decode().split()
            found.append(TreeChange(path, _entry(old_mode, old_sha), _entry(new_mode, new_sha)))
        return tuple(found)

    def blobs(self, shas: Iterable[str], limit: int = 64 * 1024 * 1024) -> dict[str, bytes]:
        """The content of blobs by id, read in one go.

        Raises:
            GitFailed: One is missing, or they are together larger than `limit` bytes.
        """
        wanted = sorted(set(shas))
        if not wanted:
            return {}
        listing = "".join(f"{sha}\n" for sha in wanted).encode()
        if sum(self.sizes(wanted).values()) > limit:
            raise GitFailed(f"the files asked for are together larger than {limit:,} bytes")
        out = self._run("cat-file", "--batch", stdin=listing)
        found, at = {}, 0
        for sha in wanted:
            end = out.index(b"\n", at)
            size = int(out[at:end].split()[2])
            found[sha] = out[end + 1 : end + 1 + size]
            at = end + 2 + size
        return found

    def sizes(self, shas: Iterable[str]) -> dict[str, int]:
        """The size of blobs in bytes, without reading them.

        Raises:
            GitFailed: One is missing.
        """
        listing = "".join(f"{sha}\n" for sha in sorted(set(shas))).encode()
        found = {}
        for row in self._run("cat-file", "--batch-check", stdin=listing).decode().splitlines():
            sha, kind, *size = row.split()
            if kind == "missing" or not size:
                raise GitFailed(f"object {sha} is missing; the repository is damaged: git fsck")
            found[sha] = int(size[0])
        return found

    def diff(self, old: str, new: str) -> tuple[FileDiff, ...]:
        """The change between two commits or trees as unified diff, a file each."""
        out = self._run("diff-tree", "-r", "-p", "--no-renames", "--no-ext-diff", "--no-textconv", old, new)
        parts = ("\n" + out.decode(errors="replace").removesuffix("\n")).split("\ndiff --git ")[1:]
        paths = [change.path for change in self.changes(old, new)]
        return tuple(FileDiff(path=p, text=f"diff --git {t}\n") for p, t in zip(paths, parts, strict=False))

    def refs(self, prefix: str) -> dict[str, str]:
        """Refs below a prefix and what they name."""
        out = self._run("for-each-ref", "--format=%(refname) %(objectname)", prefix).decode()
        return dict(row.split(" ", 1) for row in out.splitlines())

    # Writing objects: nothing can be seen of it until a ref names them

    def write_tree(self, base: str, files: Mapping[str, bytes | None]) -> str:
        """A tree like `base`'s with some files written (mode kept, new ones `100644`) or, for None, taken out."""
        entries = self.entries(base)
        rows = []
        for path, content in files.items():
            if content is None:
                rows.append(f"0 {'0' * 40}\t{path}".encode("utf-8", "surrogateescape"))
                continue
            sha = self._run("hash-object", "-w", "--stdin", "--no-filters", stdin=content).decode().strip()
            mode = entries[path].mode if path in entries else "100644"
            rows.append(f"{mode} {sha}\t{path}".encode("utf-8", "surrogateescape"))
        with tempfile.TemporaryDirectory(prefix="theseus-index-") as folder:
            index = {"GIT_INDEX_FILE": f"{folder}/index"}
            self._run("read-tree", base, env=index)
            self._run("update-index", "-z", "--index-info", stdin=b"\0".join(rows) + b"\0", env=index)
            return self._run("write-tree", env=index).decode().strip()

    def commit(
        self,
        tree: str,
        parents: Sequence[str],
        message: str,
        sign: Sequence[str] = (),
        when: int | None = None,
    ) -> str:
        """Write a commit object; `sign` holds the git settings that sign it (see `selfedit.history.signing`)."""
        stamp = (
            {}
            if when is None
            else {"GIT_AUTHOR_DATE": f"@{when} +0000", "GIT_COMMITTER_DATE": f"@{when} +0000"}
        )
        flags = [part for parent in parents for part in ("-p", parent)]
        gpg = ["-S"] if sign else []
        out = self._run(
            "commit-tree", *gpg, *flags, "-F", "-", tree, stdin=message.encode(), settings=sign, env=stamp
        )
        return out.decode().strip()

    def merge_tree(self, ours: str, theirs: str) -> str | Conflict:
        """The tree that merging two commits gives, without touching any file."""
        code, out, err = self._call(
            "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs
        )
        if code not in (0, 1):
            raise GitFailed(_said("merge-tree", code, err))
        tree, *paths = [part.decode(errors="replace") for part in out.split(b"\0") if part]
        return tree if code == 0 else Conflict(tuple(dict.fromkeys(paths)))

    def revert_tree(self, commit: str, onto: str, before: str = "") -> str | Conflict:
        """The tree of `onto` with what came with `commit` since `before` (its first parent) taken back."""
        parent = before or self.parents(commit)[0]
        undo = self.commit(self.tree_of(parent), [commit], "undo", when=0)
        return self.merge_tree(onto, undo)

    # Moving refs

    def set_ref(self, ref: str, new: str, old: str | None = None) -> bool:
        """Point a ref at a commit; with `old` only if it still names that (40 zeros: only if absent)."""
        guard = [] if old is None else [old]
        code, _, err = self._call("update-ref", "--no-deref", ref, new, *guard)
        if code and old is not None and self._names(ref) != old:
            return False
        if code:
            raise GitFailed(_said("update-ref", code, err))
        return True

    def delete_ref(self, ref: str) -> None:
        """Take a ref away; fine if it is not there."""
        if self._names(ref) is not None:
            self._run("update-ref", "--no-deref", "-d", ref)

    def in_the_way(self, old: str, new: str) -> str | None:
        """Why the working tree cannot follow a move of the branch, as one sentence; None when it can."""
        changes = self.changes(old, new)
        if not changes:
            return None
        if locked := self._locked():
            return locked
        self._run(
            "update-index", "-q", "--refresh", tolerate=1
        )  # a file that was only touched is not in the way
        unsaved = self._run(
            "diff-index", "--name-only", "-z", old, "--", *(change.path for change in changes)
        )
        names = {name.decode(errors="replace") for name in unsaved.split(b"\0") if name}
        names |= {
            change.path for change in changes if change.old is None and (self.root / change.path).exists()
        }
        if names:
            listed = ", ".join(sorted(names)[:3])
            return f"there are uncommitted changes in {listed}; commit or stash them, then try again"
        code, _, err = self._call("read-tree", "--dry-run", "-m", "-u", old, new)
        return f"the working tree cannot follow: {_said('read-tree', code, err)}" if code else None

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
        head = self._try("symbolic-ref", "--quiet", "HEAD")
        if head is None or head.decode().strip() != self.ref:
            return
        self._run("update-index", "-q", "--refresh", tolerate=1)
        self._run("read-tree", "-m", "-u", old, new)

    def differs_from(self, rev: str) -> list[str]:
        """Tracked files whose content in the working tree is not that of a commit."""
        self._run("update-index", "-q", "--really-refresh", tolerate=1)
        out = self._run("diff-index", "--name-only", "-z", rev)
        return [name.decode(errors="replace") for name in out.split(b"\0") if name]

    def importable_strangers(self, rev: str) -> list[str]:
        """Files that git does not know, ignored ones included, where `import` would find them.

        That is beside the files in the root, and below every folder of the root that holds Python files of `rev`.
        """
        parts = [path.split("/") for path in self.entries(rev) if path.endswith(".py")]
        folders = sorted({f":(literal){part[0]}/" for part in parts if len(part) > 1})
        out = self._run("ls-files", "--others", "-z", "--", ":(glob)*", *folders)
        names = [name.decode("utf-8", "surrogateescape") for name in out.split(b"\0") if name]
        return [
            name
            for name in names
            if "__pycache__" not in name.split("/")
            and (name.endswith(_IMPORTABLE) or _is_linked_package(self.root / name))
        ]

    # Private

    def _names(self, ref: str) -> str | None:
        out = self._try("rev-parse", "--verify", "--quiet", ref)
        return out.decode().strip() if out else None

    def _locked(self, patience: float = 3.0) -> str | None:
        lock = self.git_dir / "index.lock"
        until = time.monotonic() + patience
        while lock.exists():
            if time.monotonic() > until:
                return f"git's index is locked ({lock}); another git command is at work, or it died: then delete the file"
            time.sleep(0.05)
        return None

    def _run(
        self,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        settings: Sequence[str] = (),
        tolerate: int = 0,
    ) -> bytes:
        code, out, err = self._call(*args, stdin=stdin, env=env, settings=settings)
        if code not in (0, tolerate):
            raise GitFailed(_said(args[0], code, err))
        return out

    def _try(self, *args: str) -> bytes | None:
        code, out, err = self._call(*args)
        if code > 1:
            raise GitFailed(_said(args[0], code, err))
        return None if code else out

    def _call(
        self,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        settings: Sequence[str] = (),
    ) -> tuple[int, bytes, bytes]:
        with tempfile.TemporaryFile() as given:
            given.write(stdin or b"")
            given.seek(0)
            code, out, err = self._git.execute(
                ["git", *_QUIET, *settings, *args],
                istream=given,
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
                env={**_ISOLATED, **(env or {})},
            )
        return code, _bytes(out), _bytes(err)


def _is_id(rev: str) -> bool:
    return _ID.fullmatch(rev) is not None


def _is_linked_package(path: Path) -> bool:
    return path.name.isidentifier() and path.is_symlink() and path.is_dir()


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _entry(mode: str, sha: str) -> Entry | None:
    if mode == "000000":
        return None
    kinds = {"160000": "commit", "120000": "link", "040000": "tree"}
    return Entry(mode, kinds.get(mode, "blob"), sha)


def _said(command: str, code: int, err: bytes) -> str:
    lines = err.decode(errors="replace").strip().splitlines()
    return f"git {command} ended with {code}: {lines[0] if lines else 'it said nothing'}"
