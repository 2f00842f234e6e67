"""Ruff, vulture and mypy, and what they say as findings. Runs inside the sandbox: standard library only."""

import ast
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from selfedit.authors.analysis.source import Edit, mended, rows, units, without

WIDTHS = (88, 100, 110, 120, 79)
"""Line lengths to guess from where nobody says in which one the code is written."""
DEAD = "unused-code"
TYPES = ("redundant-cast", "unused-ignore", "unreachable")

Row = dict[str, Any]
Job = dict[str, Any]


class Fault(Exception):
    """An analyser could not do its work. Its text is one sentence."""


@dataclass(frozen=True)
class Found:
    """One finding; `edits` mend it."""

    rule: str
    path: str
    row: int
    message: str
    edits: tuple[Edit, ...] = ()

    @property
    def said(self) -> tuple[str, str]:
        """What it says, wherever it stands."""
        return self.rule, self.message

    @property
    def order(self) -> tuple[str, int, str, str]:
        """What findings are sorted by."""
        return self.path, self.row, self.rule, self.message


class Tools:
    """The analysers over one set of files, laid out in a folder."""

    def __init__(self, job: Job, folder: Path, texts: Mapping[str, str]) -> None:
        """Get ready; nothing runs yet.

        Args:
            job: See `selfedit.authors.analysis.inside`.
            folder: Has the files in `base`; the rest is free for use.
            texts: The same files' text by path.
        """
        self.base = folder / "base"
        self.code = [p for p in texts if p.endswith(".py") and not p.startswith(tuple(job["tests"]))]
        self.faults: list[str] = []
        self._job = job
        self._folder = folder
        self._texts = texts
        self._until = time.monotonic() + job["seconds"]

    def or_nothing(self, name: str, work: Callable[[], list[Found]]) -> list[Found]:
        """What an analyser finds; nothing, and a fault that says so, when it fails."""
        try:
            return work()
        except (Fault, OSError, ValueError, KeyError) as error:
            self.faults.append(f"{name} could not be used: {error}")
            return []

    def ruff(self, root: Path) -> list[Found]:
        """Findings of all chosen rules below a folder, with every function's complexity as C901."""
        tops = json.dumps(sorted({path.partition("/")[0] for path in self._texts}))
        chosen = ["--select", ",".join(self._job["select"]), "--ignore", ",".join(self._job["ignore"])]
        settings = ["--config", "lint.mccabe.max-complexity=0"]
        settings += ["--config", f"lint.isort.known-first-party={tops}"]
        shape = ["--line-length", str(self.width), "--preview", "--output-format", "json"]
        found = json.loads(self._by_ruff("check", root, *chosen, *settings, *shape))
        return sorted((_of_ruff(row, root) for row in found), key=lambda one: one.order)

    def format(self, root: Path) -> None:
        """Format every file below a folder."""
        self._format(root, self.width)

    @cached_property
    def width(self) -> int:
        """The line length that the code is written in."""
        given = self._job["width"]
        return given or min(WIDTHS, key=lambda width: len(self._unformatted(width)))

    @cached_property
    def unformatted(self) -> set[str]:
        """Files that are not as the formatter would have them."""
        return self._unformatted(self.width)

    def mypy(self) -> list[Found]:
        """Types that are said twice, silence that is not needed, code that is never reached."""
        asked = [
            "--warn-redundant-casts",
            "--warn-unused-ignores",
            "--warn-unreachable",
            "--ignore-missing-imports",
        ]
        layout = ["--namespace-packages", "--explicit-package-bases", "--no-site-packages", "--config-file="]
        cache = ["--cache-dir=/dev/null"]
        said = self._run(
            [sys.executable, "-I", "-m", "mypy", "-O", "json", *cache, *asked, *layout, "."], (0, 1, 2)
        )
        found = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        if unread := [row for row in found if row["code"] == "syntax"]:
            raise Fault(f"{unread[0]['file']} does not parse: {unread[0]['message']}")
        made = (_of_mypy(row, self._texts) for row in found if row["code"] in TYPES)
        return [one for one in made if one is not None]

    def vulture(self) -> list[Found]:
        """Definitions that nothing names."""
        said = self._run([sys.executable, "-I", "-m", "vulture", "."], (0, 1, 3))
        made = (self._dead(*match.groups()) for match in map(_UNUSED.match, said.splitlines()) if match)
        return [one for one in made if one is not None]

    def _dead(self, path: str, row: str, kind: str, name: str) -> Found | None:
        """What vulture says, if no other text names it; with a fix only where no caller can be out of sight."""
        if path not in self.code or name in self._job["entries"] or name.startswith("__"):
            return None
        text = self._texts[path]
        unit = next((each for each in units(text) if each.first == int(row)), None)
        if unit is None or unit.name.rpartition(".")[2] != name:
            return None
        gone = without(text, unit)
        if (
            self._words[name]
            > Counter(_WORD.findall(text))[name] - Counter(_WORD.findall(mended(text, [gone])))[name]
        ):
            return None
        what = {"variable": "constant"}.get(kind, kind)
        message = (
            f"the {what} `{unit.name}` is unused: nothing in live code, its tests or its prompts names it"
        )
        # A decorator may register what stands below it; a method may be called by whoever is handed the object.
        sure = "." not in unit.name and not getattr(unit.node, "decorator_list", ())
        return Found(DEAD, path, unit.node.lineno, message, (gone,) if sure else ())

    @cached_property
    def _words(self) -> Counter[str]:
        """How often each word stands anywhere, in code, texts and comments."""
        return Counter(word for text in self._texts.values() for word in _WORD.findall(text))

    def _by_ruff(self, verb: str, root: Path, *options: str, good: tuple[int, ...] = (0, 1)) -> str:
        fixed = [
            "--isolated",
            "--no-cache",
            "--no-respect-gitignore",
            "--target-version",
            self._job["target"],
        ]
        return self._run([str(Path(sys.executable).parent / "ruff"), verb, *fixed, *options, str(root)], good)

    def _format(self, root: Path, width: int, *options: str) -> str:
        own = [part for setting in self._job["format"] for part in ("--config", setting)]
        # 2 is about files that do not parse; the others are done all the same.
        return self._by_ruff("format", root, "--line-length", str(width), *own, *options, good=(0, 1, 2))

    def _unformatted(self, width: int) -> set[str]:
        found = json.loads(self._format(self.base, width, "--check", "--output-format", "json"))
        return {str(Path(row["filename"]).relative_to(self.base)) for row in found}

    def _run(self, argv: Sequence[str], good: tuple[int, ...]) -> str:
        left = max(0.1, self._until - time.monotonic())
        try:
            done = subprocess.run(
                argv, cwd=self.base, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=left
            )
        except subprocess.TimeoutExpired:
            raise Fault("it took too long") from None
        out, err = (said.decode(errors="replace") for said in (done.stdout, done.stderr))
        if done.returncode not in good:
            last = (err.strip() or out.strip() or f"exit code {done.returncode}").splitlines()[-1]
            raise Fault(last[:300])
        return out


def complexity(found: Iterable[Found], path: str, text: str, unit: str) -> int | None:
    """The complexity of a function among ruff's findings; None for what is no function."""
    at = {each.node.lineno for each in units(text) if each.name == unit}
    numbers = (number(one) for one in found if one.rule == "C901" and one.path == path and one.row in at)
    return max(numbers, default=None)


def number(one: Found) -> int:
    """The complexity that a C901 speaks of."""
    match = re.search(r"\((\d+) > 0\)", one.message)
    return int(match[1]) if match else 0


def _of_ruff(row: Row, root: Path) -> Found:
    fix = row["fix"] or {}
    path = str(Path(row["filename"]).relative_to(root))
    # Ruff only shows ERA001's fix, because prose can look like code; here a person reviews it. What an `__init__`
    # imports can be imported from it, so nothing is taken from there.
    usable = fix.get("applicability") in ("safe", "unsafe") or row["code"] == "ERA001"
    usable = usable and not (row["code"] == "F401" and path.endswith("__init__.py"))
    edits = tuple(
        Edit(edit["content"], at["row"], at["column"], end["row"], end["column"])
        for edit in (fix.get("edits", ()) if usable else ())
        for at, end in [(edit["location"], edit["end_location"])]
    )
    return Found(row["code"] or row["name"], path, row["location"]["row"], row["message"], edits)


def _of_mypy(row: Row, texts: Mapping[str, str]) -> Found | None:
    path, line = row["file"].removeprefix("./"), row["line"]
    text = texts.get(path)
    if text is None:
        return None
    tree = ast.parse(text)
    edits: tuple[Edit, ...] = ()
    if row["code"] == "redundant-cast":
        edits = _without_cast(text, tree, line)
    elif row["code"] == "unused-ignore":
        # What could not be read here is untyped, which makes the comment seem to be of no use.
        if not _imported(tree) <= sys.stdlib_module_names:
            return None
        edits = _without_ignore(rows(text)[line - 1], line)
    return Found(row["code"], path, line, row["message"], edits)


def _without_cast(text: str, tree: ast.Module, line: int) -> tuple[Edit, ...]:
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and node.lineno == line
        and len(node.args) == len(("type", "value"))
        and ast.unparse(node.func).rpartition(".")[2] == "cast"
    ]
    if len(calls) != 1:
        return ()
    call, value = calls[0], calls[0].args[1]
    source = ast.get_source_segment(text, value) or ""
    plain = isinstance(value, (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.Constant))
    lines, end = rows(text), call.end_lineno or line
    column = len(lines[line - 1].encode()[: call.col_offset].decode()) + 1
    end_column = len(lines[end - 1].encode()[: call.end_col_offset or 0].decode()) + 1
    return (Edit(source if plain else f"({source})", line, column, end, end_column),)


def _without_ignore(content: str, line: int) -> tuple[Edit, ...]:
    match = re.search(r"\s*#\s*type:\s*ignore(?:\[[^\]]*\])?[ \t]*(?=#|[\r\n]|\Z)", content)
    if match is None:
        return ()
    rest = "  " if content[match.end() :].strip() else ""
    return (Edit(rest, line, match.start() + 1, line, match.end() + 1),)


def _imported(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or "").partition(".")[0])
    return found


_WORD = re.compile(r"\w+")
_UNUSED = re.compile(
    r"(?:\./)?(.*?):(\d+): unused (function|class|variable|method|property) '(\w+)' \(\d+% confidence\)"
)
