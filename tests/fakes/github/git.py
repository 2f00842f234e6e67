"""The repository behind the stand-in, bare and real; what GitHub does in it is done here by git."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.github.things import ZERO, NotPossible

GITHUB = ("GitHub", "noreply@github.com")
Name = tuple[str, str]
"""Of a person: what they are called, and their address."""
_LASTING = re.compile(r"-.*|[0-9a-f]{40}(\.\.[0-9a-f]{40})?", re.DOTALL)
"""Arguments of a question to which the answer never changes: options, and commits by their full names."""
_BRANCH = re.compile(r"refs/heads/(?!.*\.\.)[A-Za-z0-9][\w./-]*", re.ASCII)
"""Names of branches that are names of files as well, without a question."""
_HOOK = Path(__file__).with_name("update.sh")
_SETTINGS = """[http]
\treceivepack = true
[receive]
\thideRefs = refs/pull
\tautogc = false
[gc]
\tauto = 0
[uploadpack]
\tallowAnySHA1InWant = true
"""
_ENDS = ("%H", "%T", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%B")


class GitFailed(Exception):
    """Git refused; what it said."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit, as git tells of it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Name
    authored: str
    committer: Name
    committed: str
    message: str


@dataclass(frozen=True, slots=True)
class Changed:
    """One file of a difference."""

    path: str
    status: str
    """As GitHub has it: added, removed, modified, renamed."""
    added: int
    deleted: int
    blob: str
    previous: str = ""
    patch: str = ""


class Bare:
    """A bare repository."""

    def __init__(self, path: Path, start: Path | None) -> None:
        """Make one, whose `main` is that of the repository `start`, or else a commit with a README."""
        self.path = path
        self._told: dict[tuple[str, ...], str] = {}
        path.mkdir(parents=True)
        self._env = {"PATH": os.environ["PATH"], "HOME": str(path), "GIT_CONFIG_NOSYSTEM": "1"}
        self._env |= {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0"}
        self.run("init", "--quiet", "--bare", "--initial-branch=main")
        with (path / "config").open("a") as config:
            config.write(_SETTINGS)
        shutil.copy(_HOOK, path / "hooks" / "update")
        (path / "hooks" / "update").chmod(0o755)
        if start is not None:
            self.run("fetch", "--quiet", str(start.resolve()), "main:main")
        else:
            self.put("main", {"README.md": "# Theseus\n"}, "Begin", GITHUB)

    def run(
        self,
        *command: str,
        given: str | None = None,
        env: Mapping[str, str] | None = None,
        fine: Sequence[int] = (0,),
    ) -> str:
        """Run git; what it printed."""
        done = subprocess.run(
            ["git", *command],
            cwd=self.path,
            env={**self._env, **(env or {})},
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode not in fine:
            raise GitFailed(f"git {' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def told(self, *command: str, fine: Sequence[int] = (0,)) -> str:
        """What git says to a question; asked once where the answer lasts."""
        if not all(map(_LASTING.fullmatch, command[1:])):
            return self.run(*command, fine=fine)
        if (known := self._told.get(command)) is None:
            known = self._told[command] = self.run(*command, fine=fine)
        return known

    def refs(self, under: str = "refs/") -> dict[str, str]:
        """The refs there are, with their commits."""
        listed = self.run("for-each-ref", "--format=%(refname) %(objectname)", under).splitlines()
        return dict(line.split(" ", 1) for line in listed)

    def find(self, name: str) -> str:
        """The commit that a ref, a branch or part of a commit's name means; empty where there is none."""
        if name.startswith("-") or not name:
            return ""
        if ("found", name) in self._told:
            return name
        if _BRANCH.fullmatch(name) and (told := self._loose(name)):
            return told
        found = self.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", fine=(0, 1, 128)).strip()
        if found == name:  # a commit by its full name, and nothing is ever taken out
            self._told["found", name] = name
        return found

    def _loose(self, ref: str) -> str:
        """The commit of a ref that stands in a file of its own, as those do that were moved last; empty where it has none."""
        try:
            found = (self.path / ref).read_text("ascii").strip()
        except (OSError, ValueError):
            return ""
        return found if len(found) == len(ZERO) else ""

    def branch(self, name: str) -> str:
        """The commit of a branch; empty where there is none."""
        return self.find(f"refs/heads/{name}")

    def move(self, ref: str, commit: str) -> None:
        """Let a ref name a commit, or take it away where none is given."""
        self.run("update-ref", "-d", ref) if not commit else self.run("update-ref", ref, commit)

    def within(self, old: str, new: str) -> bool:
        """Whether the history of one commit has another in it."""
        if old == ZERO or not old or not new:
            return False
        told = self.told("merge-base", old, new, fine=(0, 1)).strip()
        return told == self.find(old)

    def between(self, base: str, head: str) -> list[Commit]:
        """The commits that one has and the other has not, the oldest first."""
        return self.log(f"{base}..{head}", "--reverse", "--topo-order")

    def log(self, *what: str) -> list[Commit]:
        """Commits, as `git log` lists them."""
        shown = self.told("log", "-z", "--format=" + "%x00".join(_ENDS) + "%x00", *what, "--")
        ends = len(_ENDS) + 1
        parts = shown.split("\0")
        rows = [parts[at : at + ends] for at in range(0, len(parts) - ends + 1, ends)]
        return [
            Commit(r[0], r[1], tuple(r[2].split()), (r[3], r[4]), r[5], (r[6], r[7]), r[8], r[9].rstrip("\n"))
            for r in rows
        ]

    def commit(self, name: str) -> Commit | None:
        """One commit."""
        found = self.find(name)
        return self.log("-1", found)[0] if found else None

    def merged_tree(self, ours: str, theirs: str) -> str:
        """The tree of a merge; empty where there are conflicts."""
        told = self.told("merge-tree", "--write-tree", ours, theirs, fine=(0, 1))
        lines = told.splitlines()
        return lines[0] if len(lines) == 1 else ""

    def write(
        self, tree: str, parents: Sequence[str], message: str, author: Name, committer: Name = GITHUB
    ) -> str:
        """Write a commit."""
        env = {"GIT_AUTHOR_NAME": author[0], "GIT_AUTHOR_EMAIL": author[1]}
        env |= {"GIT_COMMITTER_NAME": committer[0], "GIT_COMMITTER_EMAIL": committer[1]}
        named = [part for parent in parents for part in ("-p", parent)]
        return self.run("commit-tree", tree, *named, "-F", "-", given=message, env=env).strip()

    def rebased(self, base: str, head: str, committer: Name) -> str:
        """The commits of a head, one after the other on a base; NotPossible where they do not apply."""
        at = base
        for one in self.between(self.run("merge-base", base, head).strip(), head):
            if len(one.parents) != 1:
                continue
            # Git's merge takes its base from the history, so that it gets a history with the right one.
            left = self.write(f"{one.parents[0]}^{{tree}}", [], "base", GITHUB)
            ours = self.write(f"{at}^{{tree}}", [left], "ours", GITHUB)
            tree = self.merged_tree(ours, self.write(one.tree, [left], "theirs", GITHUB))
            if not tree:
                raise NotPossible("This branch can't be rebased due to conflicts")
            at = self.write(tree, [at], one.message, one.author, committer)
        return at

    def put(self, branch: str, files: Mapping[str, str | None], message: str, author: Name) -> str:
        """Put a commit with these files on a branch, made from main where it is new; None takes a file away."""
        before = self.branch(branch) or self.branch("main")
        with tempfile.TemporaryDirectory() as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            if before:
                self.run("read-tree", before, env=env)
            for path, text in files.items():
                if text is None:
                    self.run("rm", "--cached", "--quiet", "--", path, env=env | {"GIT_WORK_TREE": folder})
                    continue
                blob = self.run("hash-object", "-w", "--stdin", given=text).strip()
                self.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", env=env)
            tree = self.run("write-tree", env=env).strip()
        made = self.write(tree, [before] if before else [], message, author, author)
        self.move(f"refs/heads/{branch}", made)
        return made

    def changed(self, base: str, head: str, *, patches: bool = False) -> list[Changed]:
        """What a pull request changes, with the lines if they are wanted: its head against where it left its base."""
        left = self.told("merge-base", base, head).strip()
        raw = self.told("diff-tree", "-r", "-M", "-z", "--raw", "--numstat", "--no-abbrev", left, head)
        return _changed(raw, lambda path: self.run("diff", "-M", left, head, "--", path) if patches else "")

    def text(self, commit: str, path: str) -> str | None:
        """A file's text; None where there is no such file."""
        question = ("text", commit, path)
        if question in self._told:
            return self._told[question]
        try:
            found = self.run("show", f"{commit}:{path}")
        except GitFailed:
            return None
        if len(commit) == len(ZERO):  # a commit by its full name never changes
            self._told[question] = found
        return found


def _changed(raw: str, patch: Callable[[str], str]) -> list[Changed]:
    kinds = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "T": "changed", "C": "copied"}
    parts = iter(raw.split("\0"))
    found: dict[str, tuple[str, str, str]] = {}
    counts: dict[str, tuple[int, int]] = {}
    for part in parts:
        if part.startswith(":"):
            *_, old_blob, blob, kind = part.split()
            first = next(parts)
            path = next(parts) if kind[0] in "RC" else first
            found[path] = (
                kinds[kind[0]],
                old_blob if kind[0] == "D" else blob,
                first if path != first else "",
            )
        elif part:
            added, deleted, path = part.split("\t")
            if not path:
                next(parts)
                path = next(parts)
            counts[path] = (int(added) if added != "-" else 0, int(deleted) if deleted != "-" else 0)
    return [
        Changed(path, kind, *counts.get(path, (0, 0)), blob, before, _hunks(patch(path)))
        for path, (kind, blob, before) in found.items()
    ]


def _hunks(diff: str) -> str:
    """The part of a difference that GitHub shows: from the first hunk on."""
    start = diff.find("\n@@ ")
    return diff[start + 1 :].rstrip("\n") if start >= 0 else ""
