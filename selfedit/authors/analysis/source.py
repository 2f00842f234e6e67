"""Source text by rows and units, and edits of it. Runs inside the sandbox: standard library only."""

import ast
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

IMPORTS = "imports"
"""The name of the unit that all imports of a module are together."""
DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Edit(NamedTuple):
    """New text between two places; rows and columns are 1-based, columns in characters."""

    text: str
    row: int
    column: int
    end_row: int
    end_column: int


class Unit(NamedTuple):
    """Lines that are changed as one: a method, a function, a class around its methods, a constant, an import."""

    name: str
    first: int
    last: int
    node: ast.stmt


def rows(text: str) -> list[str]:
    """Lines as Python and ruff count them, with their ends."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text)


def mended(text: str, edits: Iterable[Edit]) -> str:
    """The text with edits that do not overlap."""
    lines = rows(text)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    for edit in sorted(edits, key=lambda edit: edit[1:], reverse=True):
        start = min(starts[min(edit.row, len(starts)) - 1] + edit.column - 1, starts[-1])
        stop = min(starts[min(edit.end_row, len(starts)) - 1] + edit.end_column - 1, starts[-1])
        text = text[:start] + edit.text + text[stop:]
    return text


@lru_cache(maxsize=1024)
def units(text: str) -> tuple[Unit, ...]:
    """The units of a file in the order of the source; none where it does not parse."""
    try:
        return tuple(_units(ast.parse(text).body, ""))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()


def _units(body: Iterable[ast.stmt], scope: str) -> list[Unit]:
    found = []
    for node in body:
        first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
        last = node.end_lineno or node.lineno
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found.append(Unit(scope + node.name, first, last, node))
            case ast.ClassDef():
                found.append(Unit(scope + node.name, first, last, node))
                found += [
                    unit
                    for unit in _units(node.body, f"{scope}{node.name}.")
                    if isinstance(unit.node, DEFINES)
                ]
            case ast.Import() | ast.ImportFrom():
                found.append(Unit(IMPORTS, first, last, node))
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found.append(Unit(scope + name, first, last, node))
            case _:
                pass
    return found


def unit_at(text: str, row: int) -> str:
    """The name of the innermost unit around a row; empty where there is none."""
    return next((unit.name for unit in reversed(units(text)) if unit.first <= row <= unit.last), "")


def without(text: str, unit: Unit) -> Edit:
    """The edit that takes a definition away, with what goes with it, as `delete_symbol` does.

    That is its comment above (which stays where it speaks for the constants that follow, too), a constant's
    docstring below, and the smaller one of the blank gaps around it.
    """
    lines, first, last = rows(text), unit.first, unit.last
    if not isinstance(unit.node, DEFINES):
        strings = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr)]
        below = next((node for node in strings if node.lineno == last + 1), None)
        if below and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            last = below.end_lineno or last
    lead = lines[first - 1][: unit.node.col_offset]
    if isinstance(unit.node, DEFINES) or not "".join(lines[last : last + 1]).strip():
        while first > 1 and lines[first - 2].startswith(f"{lead}#"):
            first -= 1
    above = next((n for n in range(first - 1) if lines[first - 2 - n].strip()), first - 1)
    gap = next((n for n in range(len(lines) - last) if lines[last + n].strip()), 0)
    if above == first - 1 or above > gap > 0:
        last += gap
    else:
        first -= above
    return Edit("", first, 1, last + 1, 1)
