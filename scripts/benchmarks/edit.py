"""Time an edit of one definition against libcst on the whole file, on files of the standard library.

Both do the same work on the same function, in turns, so that a busy machine slows both alike. The long way is what one
would write with libcst alone: parse the file, change the function with a transformer, give the code out. Either way ends
with Python's own parser having read the outcome, because no edit may leave a file that does not parse.

Run from the repository's root: PYTHONPATH=. python scripts/benchmarks/edit.py [--rounds 15] [--least 8]
"""

import argparse
import ast
import statistics
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libcst as cst

from selfedit.editing.codemod import edit_text
from selfedit.editing.edits import AddParameter, Edit, ReplaceFunction
from selfedit.editing.syntax.document import Document
from selfedit.editing.syntax.text import No

FILES = (
    "posixpath",
    "heapq",
    "gettext",
    "tokenize",
    "calendar",
    "contextlib",
    "platform",
    "dataclasses",
    "difflib",
    "argparse",
)
BODY = 'def {name}(*args, **kwargs):\n    """Other."""\n    return args, kwargs\n'


@dataclass(frozen=True)
class Case:
    """One edit of one file, both ways."""

    file: str
    lines: int
    op: str
    quick: Callable[[], object]
    whole: Callable[[], object]


class Replacer(cst.CSTTransformer):
    """Puts a function in the place of the one of its name at module level, or changes its parameters."""

    def __init__(self, name: str, new: cst.FunctionDef | None) -> None:
        super().__init__()
        self.name = name
        self.new = new

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Go no deeper than the module's own definitions."""
        return isinstance(node, cst.Module)

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        """Change the function."""
        if not isinstance(original_node, cst.FunctionDef) or original_node.name.value != self.name:
            return updated_node
        if self.new is not None:
            return self.new
        parameter = cst.Param(cst.Name("extra"), default=cst.Name("None"))
        parameters = original_node.params
        return original_node.with_changes(
            params=parameters.with_changes(kwonly_params=(*parameters.kwonly_params, parameter))
        )


def main(argv: Sequence[str]) -> int:
    """Print the table; 1 when a ratio is smaller than asked for."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--least", type=float, default=0.0, help="fail when a ratio is smaller")
    chosen = options.parse_args(argv)
    print(f"{'file':<18}{'lines':>6}  {'edit':<18}{'quick ms':>9}{'whole ms':>10}{'ratio':>8}")
    ratios = []
    for case in cases():
        quick, whole, ratio = measured(case, chosen.rounds)
        ratios.append(ratio)
        print(
            f"{case.file:<18}{case.lines:>6}  {case.op:<18}{quick * 1000:>9.2f}{whole * 1000:>10.2f}{ratio:>7.1f}x"
        )
    print(f"smallest ratio {min(ratios):.1f}, median {statistics.median(ratios):.1f}, of {len(ratios)} edits")
    return 1 if min(ratios) < chosen.least else 0


def measured(case: Case, rounds: int) -> tuple[float, float, float]:
    """Median seconds of either way, and the median of the ratios of neighbouring runs."""
    pairs = []
    for _ in range(rounds):
        begin = time.perf_counter()
        case.quick()
        middle = time.perf_counter()
        case.whole()
        pairs.append((middle - begin, time.perf_counter() - middle))
    ratios = [whole / quick for quick, whole in pairs]
    quick, whole = (statistics.median(column) for column in zip(*pairs, strict=True))
    return quick, whole, statistics.median(ratios)


def cases() -> Iterator[Case]:
    """A replacement and a new parameter for the middle function of each file."""
    for name in FILES:
        path = Path(sysconfig.get_path("stdlib"), f"{name}.py")
        text = path.read_text(encoding="utf-8")
        document = Document.read(text, path.name)
        if isinstance(document, No):
            continue
        functions = [d for d in document.definitions if d.kind == "function" and "." not in d.name]
        functions = [d for d in functions if sum(other.name == d.name for other in functions) == 1]
        node = functions[len(functions) // 2].node if functions else None
        if not isinstance(node, ast.FunctionDef):
            continue
        lines = text.count("\n")
        new = BODY.format(name=node.name)
        replace = ReplaceFunction(op="replace_function", path=path.name, target=node.name, source=new)
        parsed = cst.ensure_type(cst.parse_module(new).body[0], cst.FunctionDef)
        yield _case(path.name, lines, text, replace, Replacer(node.name, parsed))
        add = AddParameter(op="add_parameter", path=path.name, target=node.name, parameter="extra=None")
        yield _case(path.name, lines, text, add, Replacer(node.name, None))


def _case(file: str, lines: int, text: str, edit: Edit, replacer: Replacer) -> Case:
    if isinstance(edit_text(text, edit), No):
        raise SystemExit(f"{file}: the edit does not apply")
    return Case(
        file,
        lines,
        edit.op,
        lambda: edit_text(text, edit),
        lambda: ast.parse(cst.parse_module(text).visit(replacer).code),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
