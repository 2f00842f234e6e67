"""The cheats and the honest patches: a folder each, read into commits on a small bot that somebody wants to cheat.

A folder holds `case.toml` (what it tries, and what has to become of it) and the change itself: `change.patch`, a
unified diff, or `entries.json` where a diff cannot say it or people could not read it (modes, links, odd paths,
hidden characters, huge files), or both. The bot stands in `victim/`; its files end in `.txt`, so that this
repository's own tools do not take them for its code.
"""

import base64
import importlib.util
import json
import marshal
import os
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from policies.decision import Severity
from policies.edits import Change
from policies.load import Rules, load_rules
from selfedit.gate.assemble import read_changes
from selfedit.repo import Repo
from selfedit.types import GateReport
from tests.fakes.small_repo import SmallRepo

HERE = Path(__file__).parent
VICTIM = HERE / "victim"
CHEATS = HERE / "cheats"
HONEST = HERE / "honest"

HURRIED = frozenset({"new_test_not_tried", "change_not_measured", "behaviour_slower"})
"""What is found where a machine has no time; a busy one must not change what becomes of a case."""

Expected = Literal["passed", "refused", "failed", "needs_person", "missed", "held elsewhere"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Outcome(_Value):
    """What has to become of a change.

    Attributes:
        expect: The verdict; `needs_person` is a pass with a finding that a person has to look at, `missed` a pass
            of what should have been caught.
        rule: A finding of this rule has to be there; empty where there is none to ask for.
    """

    expect: Expected
    rule: str = ""

    def holds(self, report: GateReport) -> bool:
        """Whether a report is what was expected."""
        word = "passed" if self.expect == "missed" else self.expect
        return word == verdict(report) and (not self.rule or self.rule in rules_of(report))


class Entry(_Value):
    """One path that is written by git's plumbing.

    Attributes:
        path: Where; with `{n}` in it where there are many.
        mode: As git knows it.
        text: The content (of a link: where it leads), whose parts are texts or a text with how often it is repeated.
        base64: The content, where it is no text.
        bytecode: Source whose compiled form is the content.
        commit: The commit that a submodule is at.
        many: So many files, numbered.
        gone: The path is taken away.
    """

    path: str
    mode: str = "100644"
    text: str | tuple[str | tuple[str, int], ...] = ""
    base64: str = ""
    bytecode: str = ""
    commit: str = ""
    many: int = 1
    gone: bool = False

    def content(self) -> bytes:
        """The bytes to write."""
        if self.bytecode:
            return compiled(self.bytecode, self.path)
        if self.base64:
            return base64.b64decode(self.base64)
        parts = (self.text,) if isinstance(self.text, str) else self.text
        whole = (part if isinstance(part, str) else part[0] * part[1] for part in parts)
        return "".join(whole).encode("utf-8", "surrogatepass")


def compiled(source: str, path: str) -> bytes:
    """Bytecode that no import compares with the source beside it."""
    unchecked = (1).to_bytes(4, "little") + bytes(8)  # a hash that is never compared with the source's
    return importlib.util.MAGIC_NUMBER + unchecked + marshal.dumps(compile(source, path, "exec"))


class Case(_Value):
    """One patch, and what has to become of it.

    Attributes:
        folder: Where it stands.
        row: Which row of the suite it belongs to, with a letter where there are several.
        title: What it does, in words.
        expect, rule: What has to become of it; see `Outcome`.
        why: Where it is missed, the reason.
        held: Where it is held elsewhere, the test that shows it, as pytest names it.
        without_policy: What has to become of it when the static policy is switched off.
        by_person: A person committed it.
        live: Further folders that are live.
        gate: Settings of the gate that are other than usual.
        docker: Only an engine can show it.
        slow: Too large for a short run.
    """

    folder: Path
    row: str
    title: str
    expect: Expected
    rule: str = ""
    why: str = ""
    held: str = ""
    without_policy: Outcome | None = None
    by_person: bool = False
    live: tuple[str, ...] = ()
    gate: Mapping[str, float] = {}
    docker: bool = False
    slow: bool = False

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def outcome(self) -> Outcome:
        """What has to become of it."""
        return Outcome(expect=self.expect, rule=self.rule)

    @property
    def is_patch(self) -> bool:
        """Whether there is something to judge."""
        return self.expect != "held elsewhere"


def cases(folder: Path) -> tuple[Case, ...]:
    """Every case below a folder, in the order of their names."""
    return tuple(
        Case(folder=file.parent, **tomllib.loads(file.read_text("utf-8")))
        for file in sorted(folder.glob("*/case.toml"))
    )


def verdict(report: GateReport) -> str:
    """What became of a change, in the suite's words."""
    if report.verdict != "passed":
        return report.verdict
    looks = any(
        finding.severity is Severity.REVIEW and finding.rule not in HURRIED for finding in report.findings
    )
    return "needs_person" if looks else "passed"


def rules_of(report: GateReport) -> set[str]:
    """The rules of all findings that say more than a note."""
    return {finding.rule for finding in report.findings if finding.severity is not Severity.NOTE}


class Victim:
    """The small bot in a repository of its own, with a commit for each case that is asked for."""

    def __init__(self, folder: Path) -> None:
        files = sorted(file for file in VICTIM.rglob("*.txt"))
        texts = {str(file.relative_to(VICTIM).with_suffix("")): file.read_text("utf-8") for file in files}
        (folder / "repo").mkdir(parents=True)
        self._over = folder / "rules.toml"
        self._over.write_text(texts.pop("rules.toml"))
        self.root = folder / "repo"
        self.small = SmallRepo(self.root, texts)
        self._heads: dict[Path, str] = {}

    @property
    def repo(self) -> Repo:
        """The repository."""
        return self.small.repo

    @property
    def base(self) -> str:
        """The commit that is cheated."""
        return self.small.base

    @cached_property
    def _rules(self) -> Rules:
        return load_rules(self._over)

    def rules(self, case: Case | None = None) -> Rules:
        """This repository's policy, with the numbers and folders that fit the small bot and the case."""
        if case is None or not (case.live or case.gate):
            return self._rules
        zones = self._rules.zones.model_copy(update={"live": (*self._rules.zones.live, *case.live)})
        gate = self._rules.gate.model_copy(update=dict(case.gate))
        policy = f"{self._rules.policy} {case.live} {case.gate}"
        return self._rules.model_copy(update={"zones": zones, "gate": gate, "policy": policy})

    def head(self, case: Case) -> str:
        """The commit that a case asks to be merged."""
        if case.folder not in self._heads:
            tree = self._patched(case.folder / "change.patch")
            entries = case.folder / "entries.json"
            if entries.exists():
                tree = self._written(tree, [Entry(**row) for row in json.loads(entries.read_text("utf-8"))])
            self._heads[case.folder] = self.repo.commit(tree, [self.base], case.title)
        return self._heads[case.folder]

    def changes(self, case: Case) -> list[Change]:
        """What the policy looks at."""
        return read_changes(self.repo, self.repo.changes(self.base, self.head(case)), content=True)

    def paths(self) -> Sequence[str]:
        """The files that there are before."""
        return tuple(self.repo.entries(self.base))

    def _patched(self, patch: Path) -> str:
        if not patch.exists():
            return self.repo.tree_of(self.base)
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": f"{folder}/index"}
            self._git("read-tree", self.base, env=index)
            self._git("apply", "--cached", "--whitespace=nowarn", str(patch), env=index)
            return self._git("write-tree", env=index).decode().strip()

    def _written(self, tree: str, entries: Sequence[Entry]) -> str:
        """A tree with some entries written as they are, however odd: git's own writing would refuse some of them."""
        rows: dict[bytes, tuple[str, str]] = {
            os.fsencode(path): (entry.mode, entry.sha) for path, entry in self.repo.entries(tree).items()
        }
        for entry in entries:
            sha = entry.commit or ("" if entry.gone else self._object("blob", entry.content()))
            for number in range(entry.many):
                path = entry.path.replace("{n}", str(number)).encode("utf-8", "surrogateescape")
                if entry.gone:
                    del rows[path]
                else:
                    rows[path] = (entry.mode, sha)
        return self._tree(rows)

    def _tree(self, rows: Mapping[bytes, tuple[str, str]]) -> str:
        folders: dict[bytes, dict[bytes, tuple[str, str]]] = {}
        found: dict[bytes, tuple[str, str]] = {}
        for path, row in rows.items():
            first, slash, rest = path.partition(b"/")
            if slash:
                folders.setdefault(first, {})[rest] = row
            else:
                found[first] = row
        found |= {name: ("40000", self._tree(inner)) for name, inner in folders.items()}

        def key(name: bytes) -> bytes:
            return name + b"/" if found[name][0] == "40000" else name

        body = b"".join(
            found[name][0].encode() + b" " + name + b"\0" + bytes.fromhex(found[name][1])
            for name in sorted(found, key=key)
        )
        return self._object("tree", body)

    def _object(self, kind: str, data: bytes) -> str:
        return (
            self._git("hash-object", "-t", kind, "-w", "--literally", "--stdin", stdin=data).decode().strip()
        )

    def _git(self, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] = {}) -> bytes:
        own = {"HOME": str(self.root), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", **env}
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, input=stdin, capture_output=True, env=own, check=False
        )
        if done.returncode:
            raise AssertionError(f"git {arguments[0]}: {done.stderr.decode(errors='replace')}")
        return done.stdout


def rows_without_case() -> Iterator[int]:
    """The rows from 1 to 100 that no folder speaks of."""
    there = {int("".join(char for char in case.row if char.isdigit())) for case in cases(CHEATS)}
    yield from (row for row in range(1, 101) if row not in there)
