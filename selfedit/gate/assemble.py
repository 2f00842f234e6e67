"""Puts together what the gate sends into the sandbox: a tree of plain files, and which tools have a say on it."""

import configparser
import functools
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from policies.change import PARSED_BYTES
from policies.edits import Blob, Change
from policies.load import Rules
from policies.zones import Zone, zone_of
from selfedit.gate.inside.trees import TREE
from selfedit.objects import Entry, TreeChange
from selfedit.repo import Repo


class NotJudgeable(Exception):
    """The repository lacks what judging it needs. Its text is one sentence for people."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings files of base that have a say, by name; empty where a tool has none.

    Attributes:
        ruff, mypy, imports, pytest: Which file holds the tool's settings.
        types_on: What mypy is to be told to look at; empty where its settings say so.
        tests: Where the tests are.
        path: Folders below the root in which modules are looked for.
        plain_names: Whether every file `test_*.py` below `tests`, and no other, is one of tests.
    """

    ruff: str
    mypy: str
    imports: str
    pytest: str
    types_on: tuple[str, ...]
    tests: tuple[str, ...]
    path: tuple[str, ...]
    plain_names: bool

    def inside(self) -> list[str]:
        """Where modules are looked for, inside the sandbox."""
        return [str(TREE / folder) for folder in self.path]


@dataclass(frozen=True)
class Assembly:
    """What is judged: every file with its content, and the settings that apply."""

    files: Mapping[str, bytes]
    settings: Settings
    settings_key: str
    """Changes when a settings file changes."""

    @cached_property
    def content(self) -> str:
        """64 letters that tell one set of files from another."""
        seen = hashlib.sha256()
        for path, data in self.files.items():
            seen.update(f"{path}\0{len(data)}\0".encode() + data)
        return seen.hexdigest()


def read_changes(repo: Repo, differing: Sequence[TreeChange], *, content: bool) -> list[Change]:
    """The policy's view of what differs; content that is large, or not wanted, is left empty.

    Raises:
        GitFailed: An object cannot be read.
    """
    entries = [entry for change in differing for entry in (change.old, change.new) if entry is not None]
    real = {entry.sha for entry in entries if entry.kind != "commit"}
    sizes = repo.sizes(real) if content else {}
    blobs = repo.blobs(sha for sha, size in sizes.items() if size <= PARSED_BYTES)

    def blob(entry: Entry | None) -> Blob | None:
        if entry is None:
            return None
        return Blob(entry.mode, sizes.get(entry.sha, 0), blobs.get(entry.sha, b""))

    return [Change(change.path, blob(change.old), blob(change.new)) for change in differing]


class Assembler:
    """Puts trees together, and reads of each only what the last one on the same base did not have."""

    def __init__(self, repo: Repo, rules: Rules) -> None:
        self._repo = repo
        self._rules = rules
        self._last: tuple[str, Assembly, Mapping[str, Entry], Mapping[str, bytes]] | None = None

    def assemble(self, base: str, tree: str) -> Assembly:
        """Live files of `tree`, everything else of `base`, plain files only.

        Raises:
            GitFailed: An object cannot be read.
            NotJudgeable: There is no pyproject.toml, or it does not parse.
        """
        last = self._last
        if last is not None and last[0] == base == tree:
            return last[1]
        if last is not None and last[0] == base:
            return _assemble(self._repo, last[2], self._repo.entries(tree), self._rules, last[3])[0]
        ours = self._repo.entries(base)
        theirs = ours if tree == base else self._repo.entries(tree)
        assembly, blobs = _assemble(self._repo, ours, theirs, self._rules, {})
        if base == tree:
            self._last = base, assembly, ours, blobs
        return assembly


def assemble(repo: Repo, base: str, tree: str, rules: Rules) -> Assembly:
    """The same, once."""
    return Assembler(repo, rules).assemble(base, tree)


def _assemble(
    repo: Repo,
    ours: Mapping[str, Entry],
    theirs: Mapping[str, Entry],
    rules: Rules,
    known: Mapping[str, bytes],
) -> tuple[Assembly, Mapping[str, bytes]]:
    live = tuple(rules.zones.live)
    chosen = {path: entry for path, entry in ours.items() if _zone(path, live) is Zone.KERNEL}
    chosen |= {path: entry for path, entry in theirs.items() if _zone(path, live) is Zone.LIVE}
    plain = {
        path: entry.sha for path, entry in chosen.items() if entry.mode.startswith("100") and _goes(path)
    }
    blobs = {**known, **repo.blobs(set(plain.values()) - known.keys())}
    files = {path: blobs[sha] for path, sha in sorted(plain.items())}
    names = [name for name in _SETTINGS_FILES if name in files]
    settings = "".join(plain[name][:12] for name in names)
    return Assembly(files, _settings(files, rules), settings), blobs


@functools.lru_cache(maxsize=65536)
def _zone(path: str, live: tuple[str, ...]) -> Zone:
    """The same few thousand paths are asked for again at each verdict."""
    return zone_of(path, live)


def _goes(path: str) -> bool:
    """Bytecode stays outside: an import would take it for what the source beside it says."""
    parts = path.split("/")
    odd = {"..", ".git", "__pycache__"} & set(parts) or path.startswith("/")
    return not odd and not path.endswith((".pyc", ".pyo"))


def _settings(files: Mapping[str, bytes], rules: Rules) -> Settings:
    if "pyproject.toml" not in files:
        raise NotJudgeable(
            "there is no pyproject.toml at the repository's root; the gate reads its settings from it"
        )
    try:
        project = tomllib.loads(files["pyproject.toml"].decode())
    except ValueError as error:
        raise NotJudgeable(f"pyproject.toml does not parse ({error}); mend it on main") from error
    tool = project.get("tool", {})

    def table(*keys: str) -> dict[str, Any] | None:
        found: Any = tool
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else None

    def first(names: Sequence[str], *, toml: bool, ini: Mapping[str, str]) -> str:
        for name in names:
            if name not in files or (name == "pyproject.toml" and not toml):
                continue
            if name not in ini or _has_section(files[name], ini[name]):
                return name
        return ""

    mypy = table("mypy")
    pytest = table("pytest", "ini_options") or table("pytest")
    tops = _tops(files)
    return Settings(
        ruff=first((".ruff.toml", "ruff.toml", "pyproject.toml"), toml=table("ruff") is not None, ini={}),
        mypy=first(
            ("mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg"),
            toml=mypy is not None,
            ini={"setup.cfg": "mypy"},
        ),
        imports=first(
            ("setup.cfg", ".importlinter", "pyproject.toml"),
            toml=table("importlinter") is not None,
            ini={"setup.cfg": "importlinter"},
        ),
        pytest=first(
            (
                "pytest.toml",
                ".pytest.toml",
                "pytest.ini",
                ".pytest.ini",
                "pyproject.toml",
                "tox.ini",
                "setup.cfg",
            ),
            toml=pytest is not None,
            ini={"tox.ini": "pytest", "setup.cfg": "tool:pytest"},
        )
        or "pyproject.toml",
        types_on=()
        if mypy is not None and any(mypy.get(key) for key in ("files", "modules", "packages"))
        else tops,
        tests=_there(rules.gate.tests or _texts(pytest, "testpaths"), files),
        path=tuple(
            dict.fromkeys([".", *_there(["src"], files), *_there(_texts(pytest, "pythonpath"), files)])
        ),
        plain_names=not {"python_files", "norecursedirs", "collect_imported_tests"} & (pytest or {}).keys()
        and not any(path.endswith("_test.py") for path in files)
        and bool(rules.gate.tests),
    )


def _tops(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Packages, modules and folders of scripts at the root."""
    python = [path for path in files if path.endswith(".py")]
    return tuple(sorted({path.partition("/")[0] for path in python if not path.startswith(".")}))


def _there(wanted: Sequence[str], files: Mapping[str, bytes]) -> tuple[str, ...]:
    def exists(name: str) -> bool:
        return name in files or any(path.startswith(f"{name}/") for path in files)

    return tuple(name for name in (want.rstrip("/").removeprefix("./") for want in wanted) if exists(name))


def _texts(table: Mapping[str, Any] | None, key: str) -> list[str]:
    value = (table or {}).get(key, [])
    return value.split() if isinstance(value, str) else [text for text in value if isinstance(text, str)]


def _has_section(data: bytes, section: str) -> bool:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(data.decode())
    except (configparser.Error, UnicodeDecodeError):
        return False
    return parser.has_section(section)


_SETTINGS_FILES = [
    *("pyproject.toml", ".ruff.toml", "ruff.toml", "mypy.ini", ".mypy.ini", "setup.cfg", ".importlinter"),
    *("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "tox.ini"),
]
