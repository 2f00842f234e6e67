"""What a change touches: its lines of code, the live files that tests import, the test files that speak of a file."""

import ast
import difflib
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import CodeType

from policies.change import PARSED_BYTES, SUSPECTS, parse
from policies.load import ZoneRules
from policies.zones import Zone, zone_of
from selfedit.gate.mutants import SHOWN, Mutant
from selfedit.ports import ENTRY_POINTS

Gone = tuple[int, int, int]
"""Lines that are no longer there: after how many lines they stood; of the old file's lines, from 0, the first of them
and the one after the last."""


@dataclass(frozen=True, slots=True)
class Code:
    """A file's lines that matter.

    Attributes:
        runs: Those with code to be run, as the interpreter counts them; of an expression over many lines, some.
        aside: Those for the type checker, or for the eye, or that the kernel runs, on which the trial load has an eye.
    """

    runs: frozenset[int]
    aside: frozenset[int]

    def at(self, mutant: Mutant) -> Mutant:
        """The same fault, at the line where the interpreter comes by."""
        return replace(
            mutant, line=max((line for line in self.runs if line <= mutant.line), default=mutant.line)
        )


def read(source: bytes) -> Code:
    """Look at a file; one that is no Python has no lines that matter."""
    tree = parse(source.decode(errors="replace")) if len(source) <= PARSED_BYTES else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            waiting = [compile(tree, "", "exec", dont_inherit=True)] if tree is not None else []
    except SUSPECTS:
        waiting = []
    if tree is None or not waiting:
        return Code(frozenset(), frozenset())
    lines: set[int] = set()
    while waiting:
        code = waiting.pop()
        lines.update(line for _, _, line in code.co_lines() if line)
        waiting += [each for each in code.co_consts if isinstance(each, CodeType)]
    aside = frozenset(line for node in ast.walk(tree) for lines_ in _aside(node) for line in lines_)
    return Code(frozenset(lines - aside), aside)


def _aside(node: ast.AST) -> list[range]:
    match node:
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return [_lines(node)]
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"), body=body):
            return [range(node.lineno, (body[-1].end_lineno or node.lineno) + 1)]
        case ast.FunctionDef(name=name, body=body) if name in ENTRY_POINTS:
            # What it registers is the trial load's; what is defined in it is code like any other.
            return [_lines(each) for each in body if not isinstance(each, _DEFINES)]
        case _:
            return []


def _lines(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


_DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def differing(old: bytes, new: bytes) -> tuple[set[int], list[Gone]]:
    """The lines of `new` that differ, counted from 1; and where lines are gone."""
    written: set[int] = set()
    gone: list[Gone] = []
    matcher = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False)
    for kind, old_first, old_last, first, last in matcher.get_opcodes():
        if kind in ("replace", "insert"):
            written.update(range(first + 1, last + 1))
        elif kind == "delete":
            gone.append((first, old_first, old_last))
    return written, gone


def put_back(path: str, old: bytes, new: bytes, gone: Iterable[Gone]) -> Iterator[Mutant]:
    """Where code is gone, the fault is that it is there again; its line is the next one that runs."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    ran, runs = read(old).runs, read(new).runs
    for place, first, last in gone:
        code = [before[at].strip() for at in range(first, last) if at + 1 in ran]
        at, text = sum(map(len, after[:place])), b"".join(before[first:last])
        if code and parse((new[:at] + text + new[at:]).decode(errors="replace")) is not None:
            line = min((line for line in runs if line > place), default=max(runs, default=1))
            shown = code[0].decode(errors="replace")[:SHOWN]
            yield Mutant(
                path, line, at, at, text.decode(errors="replace"), was="", becomes=shown, loaded=False
            )


def imported(test: bytes, files: Mapping[str, bytes], zones: ZoneRules) -> list[str]:
    """The live files that a test imports."""
    tree = parse(test.decode(errors="replace"))
    names: set[str] = set()
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    stems = tuple(f"{name.replace('.', '/')}" for name in names)
    wanted = {ending for stem in stems for ending in (f"{stem}.py", f"{stem}/__init__.py")}
    return [
        path
        for path in files
        if (path in wanted or path.removeprefix("src/") in wanted)
        and zone_of(path, zones.live) is Zone.LIVE
        and not path.startswith(zones.tests)
    ]


def mentions(path: str) -> re.Pattern[bytes]:
    """What a test file says that speaks of a module: its path, its name, or an import of it."""
    stem = path.removesuffix(".py").removesuffix("/__init__").removeprefix("src/")
    package, _, leaf = (re.escape(part) for part in stem.replace("/", ".").rpartition("."))
    pattern = rf"{re.escape(stem)}|{package}\.{leaf}\b|from {package} import[^\n]*\b{leaf}\b"
    return re.compile(pattern.encode())


def felt_in(changed: Iterable[str], files: Mapping[str, bytes], zones: ZoneRules) -> list[str]:
    """The test files that a change can be felt in: its own, and those that speak of what it writes, or of what stands on that.

    It goes by what files say, so that it may miss one; none where something else than code changed.
    """
    felt = set(changed)
    if not all(path.endswith(".py") for path in felt):
        return []
    python = {path: text for path, text in files.items() if path.endswith(".py")}
    live = {path: text for path, text in python.items() if zone_of(path, zones.live) is Zone.LIVE}
    going = list(felt)
    while going:
        spoken = mentions(going.pop())
        more = [path for path, text in live.items() if path not in felt and spoken.search(text)]
        felt.update(more)
        going += more
    return sorted(path for path in felt & live.keys() if path.startswith(zones.tests) and holds_tests(path))


def holds_tests(path: str) -> bool:
    """Whether it is named as a file of tests is."""
    return re.fullmatch(r"test_.*\.py|.*_test\.py", path.rpartition("/")[2]) is not None
