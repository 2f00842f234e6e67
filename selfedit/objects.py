"""The objects of a repository: reading them, and writing new ones.

Everything goes through object ids, and nothing is checked out to be looked at. What is written here nobody sees
until a ref names it.
"""

import functools
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from selfedit.commands import Commands, GitFailed, said
from selfedit.types import FileDiff

_ID = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


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


class Objects:
    """The objects of one repository."""

    def __init__(self, git: Commands) -> None:
        """Read and write by what runs git in the repository."""
        self._git = git
        # What an id names never changes, and a verdict asks for the same few trees again and again.
        self._tree_of = functools.lru_cache(64)(self._read_tree_of)
        self._parents = functools.lru_cache(256)(self._read_parents)
        self._entries = functools.lru_cache(4)(self._read_entries)
        self._changes = functools.lru_cache(8)(self._read_changes)

    # Reading

    def resolve(self, rev: str) -> str | None:
        """The commit id behind a revision, or None."""
        if not rev or rev.startswith("-"):
            return None
        out = self._git.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
        return out.decode().strip() if out else None

    def tree_of(self, rev: str) -> str:
        """The tree id of a commit."""
        return (self._tree_of if _is_id(rev) else self._read_tree_of)(rev)

    def _read_tree_of(self, rev: str) -> str:
        return self._git.run("rev-parse", "--verify", "--end-of-options", f"{rev}^{{tree}}").decode().strip()

    def parents(self, commit: str) -> tuple[str, ...]:
        """The parents of a commit, first parent first."""
        return (self._parents if _is_id(commit) else self._read_parents)(commit)

    def _read_parents(self, commit: str) -> tuple[str, ...]:
        return tuple(self._git.run("log", "-1", "--format=%P", commit).decode().split())

    def message(self, commit: str) -> str:
        """The message of a commit."""
        return self._git.run("log", "-1", "--format=%B", commit).decode(errors="replace")

    def verify_commit(self, commit: str, allowed_signers: Path) -> bool:
        """Whether a commit bears a good signature by one of the allowed signers."""
        form = ("-c", "gpg.format=ssh", "-c", "gpg.ssh.program=ssh-keygen")
        settings = (*form, "-c", f"gpg.ssh.allowedSignersFile={allowed_signers}")
        return self._git.call("verify-commit", commit, settings=settings)[0] == 0

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `new` contains `old` in its history."""
        return self._git.attempt("merge-base", "--is-ancestor", old, new) is not None

    def between(self, old: str, new: str) -> list[str]:
        """First-parent commits after `old` up to `new`, oldest first."""
        out = self._git.run("rev-list", "--first-parent", "--reverse", f"{old}..{new}")
        return out.decode().split()

    def trees(self, commit: str) -> set[str]:
        """The trees that a branch has had, from this commit back along first parents."""
        return set(self._git.run("log", "--first-parent", "--format=%T", commit).decode().split())

    def entries(self, rev: str) -> Mapping[str, Entry]:
        """Every file of a commit or tree, by path, as its tree object says; undecodable names keep escapes."""
        return (self._entries if _is_id(rev) else self._read_entries)(rev)

    def _read_entries(self, rev: str) -> Mapping[str, Entry]:
        found = {}
        for row in self._git.run("ls-tree", "-r", "-z", "--full-tree", rev).split(b"\0"):
            if row:
                head, _, path = row.partition(b"\t")
                mode, kind, sha = head.decode().split()
                found[path.decode("utf-8", "surrogateescape")] = Entry(mode, kind, sha)
        return MappingProxyType(found)

    def changes(self, old: str, new: str) -> Sequence[TreeChange]:
        """What differs between two commits or trees, without guessing at renames."""
        return (self._changes if _is_id(old) and _is_id(new) else self._read_changes)(old, new)

    def _read_changes(self, old: str, new: str) -> Sequence[TreeChange]:
        out = self._git.run("diff-tree", "-r", "-z", "--no-renames", "--raw", "--no-abbrev", old, new)
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
        out = self._git.run("cat-file", "--batch", stdin=listing)
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
        for row in self._git.run("cat-file", "--batch-check", stdin=listing).decode().splitlines():
            sha, kind, *size = row.split()
            if kind == "missing" or not size:
                raise GitFailed(f"object {sha} is missing; the repository is damaged: git fsck")
            found[sha] = int(size[0])
        return found

    def diff(self, old: str, new: str) -> tuple[FileDiff, ...]:
        """The change between two commits or trees as unified diff, a file each."""
        out = self._git.run(
            "diff-tree", "-r", "-p", "--no-renames", "--no-ext-diff", "--no-textconv", old, new
        )
        parts = ("\n" + out.decode(errors="replace").removesuffix("\n")).split("\ndiff --git ")[1:]
        paths = [change.path for change in self.changes(old, new)]
        return tuple(FileDiff(path=p, text=f"diff --git {t}\n") for p, t in zip(paths, parts, strict=False))

    # Writing objects: nothing can be seen of it until a ref names them

    def write_tree(self, base: str, files: Mapping[str, bytes | None]) -> str:
        """A tree like `base`'s with some files written (mode kept, new ones `100644`) or, for None, taken out."""
        entries = self.entries(base)
        rows = []
        for path, content in files.items():
            if content is None:
                rows.append(f"0 {'0' * 40}\t{path}".encode("utf-8", "surrogateescape"))
                continue
            sha = (
                self._git.run("hash-object", "-w", "--stdin", "--no-filters", stdin=content).decode().strip()
            )
            mode = entries[path].mode if path in entries else "100644"
            rows.append(f"{mode} {sha}\t{path}".encode("utf-8", "surrogateescape"))
        with tempfile.TemporaryDirectory(prefix="theseus-index-") as folder:
            index = {"GIT_INDEX_FILE": f"{folder}/index"}
            self._git.run("read-tree", base, env=index)
            self._git.run("update-index", "-z", "--index-info", stdin=b"\0".join(rows) + b"\0", env=index)
            return self._git.run("write-tree", env=index).decode().strip()

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
        out = self._git.run(
            "commit-tree", *gpg, *flags, "-F", "-", tree, stdin=message.encode(), settings=sign, env=stamp
        )
        return out.decode().strip()

    def merge_tree(self, ours: str, theirs: str) -> str | Conflict:
        """The tree that merging two commits gives, without touching any file."""
        code, out, err = self._git.call(
            "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs
        )
        if code not in (0, 1):
            raise GitFailed(said("merge-tree", code, err))
        tree, *paths = [part.decode(errors="replace") for part in out.split(b"\0") if part]
        return tree if code == 0 else Conflict(tuple(dict.fromkeys(paths)))

    def revert_tree(self, commit: str, onto: str, before: str = "") -> str | Conflict:
        """The tree of `onto` with what came with `commit` since `before` (its first parent) taken back."""
        parent = before or self.parents(commit)[0]
        undo = self.commit(self.tree_of(parent), [commit], "undo", when=0)
        return self.merge_tree(onto, undo)


def _is_id(rev: str) -> bool:
    return _ID.fullmatch(rev) is not None


def _entry(mode: str, sha: str) -> Entry | None:
    if mode == "000000":
        return None
    kinds = {"160000": "commit", "120000": "link", "040000": "tree"}
    return Entry(mode, kinds.get(mode, "blob"), sha)
