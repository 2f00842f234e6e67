"""Where an import statement goes, and in what style: as a sorter of imports would have it."""

import ast
import re
import sys
from collections.abc import Collection, Sequence

from selfedit.editing.syntax.document import Document
from selfedit.editing.syntax.outline import is_string
from selfedit.editing.syntax.text import NEWLINE, is_blank, is_comment

Import = ast.Import | ast.ImportFrom
_WIDTH = 88
"""Columns that a joined statement may take, where the file has no longer line already."""


def same_source(node: Import, other: Import) -> bool:
    """Whether two statements import names from the same module."""
    if isinstance(node, ast.ImportFrom) and isinstance(other, ast.ImportFrom):
        return (node.module, node.level) == (other.module, other.level)
    return isinstance(node, ast.Import) and isinstance(other, ast.Import)


def alias_span(document: Document, alias: ast.alias) -> tuple[int, int]:
    """Offsets of one name of an import statement, with its `as`."""
    return (
        document.lines.offset(alias.lineno, alias.col_offset),
        document.lines.offset(alias.end_lineno or alias.lineno, alias.end_col_offset or 0),
    )


def merged(document: Document, present: Sequence[Import], new: ast.ImportFrom) -> str | None:
    """The text with names put into a statement that imports from the same module; None where its style forbids it."""
    for node in present:
        if (
            not isinstance(node, ast.ImportFrom)
            or not same_source(node, new)
            or "*" in (node.names[0].name, new.names[0].name)
        ):
            continue
        start, stop = document.span(node)
        written = document.text[start:stop]
        if "#" in written or "\\" in written or any(a.asname for a in (*node.names, *new.names)):
            continue
        one_line = node.lineno == node.end_lineno
        names = list(node.names)
        lines = [name.lineno for name in names]
        if not one_line and (len(set(lines)) != len(lines) or lines[0] == node.lineno):
            continue
        text = document.text
        separator = ", "
        if not one_line:
            separator = f",{document.newline}{' ' * names[0].col_offset}"
        insertions: dict[int, list[str]] = {}
        for alias in sorted(new.names, key=lambda alias: _member_key(alias.name)):
            later = next((a for a in names if _member_key(a.name) > _member_key(alias.name)), None)
            at = alias_span(document, later)[0] if later else alias_span(document, names[-1])[1]
            insertions.setdefault(at, []).append(alias.name + separator if later else separator + alias.name)
        for at in sorted(insertions, reverse=True):
            text = text[:at] + "".join(insertions[at]) + text[at:]
        line = NEWLINE.split(text[document.lines.starts[node.lineno - 1] :], maxsplit=1)[0]
        if one_line and len(line) > max(_WIDTH, *(len(other) for other in NEWLINE.split(document.text))):
            continue
        return text
    return None


def _member_key(name: str) -> tuple[int, str, str]:
    """Constants, then classes, then the rest, as import sorters order the names of one statement."""
    rank = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return rank, _natural(name), name


def _natural(name: str) -> str:
    return re.sub(r"\d+", lambda digits: digits.group().zfill(12), name.lower())


def _section(node: Import, tops: Collection[str]) -> int:
    if isinstance(node, ast.ImportFrom) and node.level:
        return 4
    top = module_of(node).partition(".")[0]
    if top == "__future__":
        return 0
    if top in sys.stdlib_module_names:
        return 1
    return 3 if top in tops else 2


def module_of(node: Import) -> str:
    """The module that a statement names first, with the dots of a relative one."""
    if isinstance(node, ast.ImportFrom):
        return "." * node.level + (node.module or "")
    return node.names[0].name


def _key(node: Import, tops: Collection[str]) -> tuple[int, int, str]:
    # Within a section plain imports stand first; relative ones begin with the farthest.
    farther = -node.level if isinstance(node, ast.ImportFrom) else 0
    return (
        _section(node, tops),
        isinstance(node, ast.ImportFrom),
        f"{farther + 99:02}{_natural(module_of(node).lstrip('.'))}",
    )


def placed(document: Document, new: Import, written: str, tops: Collection[str]) -> str:
    """The text with a statement put in among the imports at the top, or as the first one.

    Sections are those of import sorters: future, standard library, third party, this repository (`tops`), relative.
    """
    body = document.tree.body
    first = 1 if body and is_string(body[0]) else 0
    run: list[Import] = []
    for statement in body[first:]:
        if not isinstance(statement, (ast.Import, ast.ImportFrom)):
            break
        run.append(statement)
    key = _key(new, tops)
    newline = document.newline
    previous = [node for node in run if _key(node, tops) <= key]
    following = [node for node in run if _key(node, tops) > key]
    if previous:
        before = previous[-1]
        at = document.lines.stop(before.end_lineno or before.lineno)
        same = _section(before, tops) == key[0]
        mixed = not same and bool(following) and run.index(following[0]) == run.index(before) + 1
        alone = mixed and _section(following[0], tops) == key[0]
        if alone:
            return _before(document, following[0], written)
        return _line_at(document, at, ("" if same else newline) + written, gap=not same and not following)
    if following:
        return _before(document, following[0], written, gap=_section(following[0], tops) != key[0])
    return _first_import(document, written, after=body[0] if first else None)


def _before(document: Document, node: Import, written: str, *, gap: bool = False) -> str:
    line = node.lineno
    while (
        line > 1
        and is_comment(document.lines.content(line - 1))
        and not gap
        and line - 1 > _header_lines(document)
    ):
        line -= 1
    at = document.lines.starts[line - 1]
    return document.spliced(at, at, written + document.newline * (2 if gap else 1))


def _line_at(document: Document, at: int, written: str, *, gap: bool) -> str:
    newline, below = document.newline, document.text[at:]
    if not document.text[:at].endswith(("\n", "\r")):
        return document.text + newline + written
    more = newline if gap and below.strip() and not is_blank(NEWLINE.split(below, maxsplit=1)[0]) else ""
    return document.spliced(at, at, written + newline + more)


def _header_lines(document: Document) -> int:
    """How many comment lines stand at the very top: shebang, coding, licence."""
    count = 0
    while count < len(document.lines) and is_comment(document.lines.content(count + 1)):
        count += 1
    return count


def _first_import(document: Document, written: str, after: ast.stmt | None) -> str:
    newline, lines = document.newline, document.lines
    if after is not None:
        at = lines.stop(after.end_lineno or after.lineno)
        above = document.text[:at]
        opening = newline if above.endswith(("\n", "\r")) else newline * 2
    else:
        header = _header_lines(document)
        at = lines.starts[header] if header < len(lines) else len(document.text)
        above = document.text[:at]
        opening = "" if not above or above.endswith(("\n", "\r")) else newline
    below = document.text[at:]
    if not below.strip():
        return above + opening + written + newline
    body = document.tree.body[1 if after is not None else 0 :]
    definition = bool(body) and isinstance(body[0], (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    there = 0
    for line in NEWLINE.split(below):
        if not is_blank(line):
            break
        there += 1
    return above + opening + written + newline + newline * max((2 if definition else 1) - there, 0) + below
