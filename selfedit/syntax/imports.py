"""Import statements: add them where a sorter of imports would, take them away whole or name by name."""

import ast
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from selfedit.edits import AddImport, RemoveImport
from selfedit.syntax.document import Document, blocks
from selfedit.syntax.text import NEWLINE, No, is_blank, is_comment, parse

Import = ast.Import | ast.ImportFrom
_WIDTH = 88
_SECTIONS = ("future", "standard", "third party", "first party", "local")


@dataclass(frozen=True)
class _Bound:
    """One import as it stands at module level, also inside of `if` and `try`."""

    node: Import
    block: tuple[ast.stmt, ...]
    owner: ast.AST


def add_import(document: Document, edit: AddImport, tops: Collection[str] = ()) -> str | No:
    """Add an import at the top of the module, beside the others of its kind.

    Names that are imported already are left out; where nothing is left, that is a refusal.

    Args:
        document: The file.
        edit: The statement.
        tops: Names of the top-level packages of this repository.
    """
    wanted = read_import(edit.statement)
    if isinstance(wanted, No):
        return wanted
    present = list(_imports(document))
    missing = [
        alias for alias in wanted.names if not any(_has(bound.node, wanted, alias) for bound in present)
    ]
    if not missing:
        return No("already_there", f"`{_written(wanted)}` is there already")
    for alias in missing:
        problem = _taken(document, present, wanted, alias)
        if problem is not None:
            return problem
    new = _with_names(wanted, missing)
    if isinstance(new, ast.ImportFrom):
        merged = _merged(document, [bound for bound in present if bound.owner is document.tree], new)
        if merged is not None:
            return merged
    text = (
        "\n".join(_written(ast.Import(names=[alias])) for alias in new.names)
        if isinstance(new, ast.Import)
        else _written(new)
    )
    for line in text.split("\n"):
        read = Document.read(document.text, "the file")
        if isinstance(read, No):
            return read
        statement = read_import(line)
        if isinstance(statement, No):
            return statement
        document = Document(_placed(read, statement, line, {*tops}), read.tree)
    return document.text


def read_import(statement: str) -> Import | No:
    """Read one import statement."""
    tree = parse(statement.strip(), "the statement", "unparsable_source")
    if isinstance(tree, No):
        return tree
    if len(tree.body) != 1 or not isinstance(tree.body[0], (ast.Import, ast.ImportFrom)):
        return No("not_an_import", "give one import statement, as in `from pathlib import Path`")
    return tree.body[0]


def _imports(document: Document) -> Iterator[_Bound]:
    def within(node: ast.AST) -> Iterator[_Bound]:
        for owner, block in blocks(node):
            for statement in block:
                if isinstance(statement, (ast.Import, ast.ImportFrom)):
                    yield _Bound(statement, tuple(block), owner)
                elif not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                    yield from within(statement)

    return within(document.tree)


def _has(node: Import, wanted: Import, alias: ast.alias) -> bool:
    return _same_source(node, wanted) and any(
        (a.name, a.asname) == (alias.name, alias.asname) for a in node.names
    )


def _same_source(node: Import, other: Import) -> bool:
    if isinstance(node, ast.ImportFrom) and isinstance(other, ast.ImportFrom):
        return (node.module, node.level) == (other.module, other.level)
    return isinstance(node, ast.Import) and isinstance(other, ast.Import)


def _taken(document: Document, present: list[_Bound], wanted: Import, alias: ast.alias) -> No | None:
    name = alias.asname or (
        alias.name if isinstance(wanted, ast.ImportFrom) else alias.name.partition(".")[0]
    )
    for definition in document.definitions:
        if definition.name == name:
            return No(
                "name_taken",
                f"`{name}` is defined at line {definition.node.lineno}; import it under another name with `as`",
            )
    for bound in present:
        for other in bound.node.names:
            its = other.asname or (
                other.name if isinstance(bound.node, ast.ImportFrom) else other.name.partition(".")[0]
            )
            packages = (
                isinstance(wanted, ast.Import)
                and isinstance(bound.node, ast.Import)
                and not (alias.asname or other.asname)
            )
            if its == name and not packages:
                return No(
                    "name_taken",
                    f"`{name}` comes from `{_written(bound.node)}` at line {bound.node.lineno} already",
                )
    return None


def _with_names(node: Import, names: list[ast.alias]) -> Import:
    if isinstance(node, ast.Import):
        return ast.Import(names=names)
    return ast.ImportFrom(module=node.module, names=names, level=node.level)


def _written(node: Import) -> str:
    return ast.unparse(node)


def _merged(document: Document, present: list[_Bound], new: ast.ImportFrom) -> str | None:
    """The text with names put into a statement that imports from the same module; None where its style forbids it."""
    for bound in present:
        node = bound.node
        if not _same_source(node, new) or "*" in (node.names[0].name, new.names[0].name):
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
            at = _alias_span(document, later)[0] if later else _alias_span(document, names[-1])[1]
            insertions.setdefault(at, []).append(alias.name + separator if later else separator + alias.name)
        for at in sorted(insertions, reverse=True):
            text = text[:at] + "".join(insertions[at]) + text[at:]
        line = NEWLINE.split(text[document.lines.starts[node.lineno - 1] :], maxsplit=1)[0]
        if one_line and len(line) > max(_WIDTH, max(len(other) for other in NEWLINE.split(document.text))):
            continue
        return text
    return None


def _alias_span(document: Document, alias: ast.alias) -> tuple[int, int]:
    return (
        document.lines.offset(alias.lineno, alias.col_offset),
        document.lines.offset(alias.end_lineno or alias.lineno, alias.end_col_offset or 0),
    )


def _member_key(name: str) -> tuple[int, str, str]:
    """Constants, then classes, then the rest, as import sorters order the names of one statement."""
    rank = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return rank, _natural(name), name


def _natural(name: str) -> str:
    return re.sub(r"\d+", lambda digits: digits.group().zfill(12), name.lower())


def _section(node: Import, tops: Collection[str]) -> int:
    if isinstance(node, ast.ImportFrom) and node.level:
        return 4
    top = _module(node).partition(".")[0]
    if top == "__future__":
        return 0
    if top in sys.stdlib_module_names:
        return 1
    return 3 if top in tops else 2


def _module(node: Import) -> str:
    if isinstance(node, ast.ImportFrom):
        return "." * node.level + (node.module or "")
    return node.names[0].name


def _key(node: Import, tops: Collection[str]) -> tuple[int, int, str]:
    # Within a section plain imports stand first; relative ones begin with the farthest.
    farther = -node.level if isinstance(node, ast.ImportFrom) else 0
    return (
        _section(node, tops),
        isinstance(node, ast.ImportFrom),
        f"{farther + 99:02}{_natural(_module(node).lstrip('.'))}",
    )


def _placed(document: Document, new: Import, written: str, tops: set[str]) -> str:
    body = document.tree.body
    first = 1 if body and _is_docstring(body[0]) else 0
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


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def remove_import(document: Document, edit: RemoveImport) -> str | No:
    """Take an import of the module away, or those of its names that the statement has."""
    wanted = read_import(edit.statement)
    if isinstance(wanted, No):
        return wanted
    present = list(_imports(document))
    going: dict[int, list[ast.alias]] = {}
    for alias in wanted.names:
        at = next((number for number, bound in enumerate(present) if _has(bound.node, wanted, alias)), None)
        if at is None:
            near = [_written(bound.node) for bound in present if _near(bound.node, wanted)]
            has = (
                f"it has {', '.join(f'`{text}`' for text in near[:5])}"
                if near
                else "it imports nothing like it"
            )
            return No(
                "unknown_import",
                f"the file does not have `{_written(_with_names(wanted, [alias]))}`; {has}",
                tuple(near[:10]),
            )
        same = next(a for a in present[at].node.names if (a.name, a.asname) == (alias.name, alias.asname))
        going.setdefault(at, []).append(same)
    text = document.text
    for at in sorted(going, key=lambda number: present[number].node.lineno, reverse=True):
        rest = Document(text, document.tree)
        removed = _without(rest, present[at], going[at])
        if isinstance(removed, No):
            return removed
        text = removed
    return text


def _near(node: Import, wanted: Import) -> bool:
    names = {alias.name for alias in wanted.names} | {_module(wanted)}
    return _module(node).lstrip(".") in names or any(alias.name in names for alias in node.names)


def _without(document: Document, bound: _Bound, going: list[ast.alias]) -> str | No:
    node = bound.node
    start, stop = document.span(node)
    if len(going) < len(node.names):
        return _without_names(document, node, going)
    line_start, line_stop = (
        document.lines.starts[node.lineno - 1],
        document.lines.stop(node.end_lineno or node.lineno),
    )
    index = next(number for number, other in enumerate(bound.block) if other is node)
    following, previous = bound.block[index + 1 : index + 2], bound.block[max(index - 1, 0) : index]
    if following and following[0].lineno == node.end_lineno:
        return document.spliced(start, document.span(following[0])[0], "")
    if previous and previous[0].end_lineno == node.lineno:
        return document.spliced(document.span(previous[0])[1], stop, "")
    if not isinstance(bound.owner, ast.Module) and len(bound.block) == 1:
        return document.spliced(start, stop, "pass")
    if not is_blank(document.text[line_start:start]):
        return No(
            "unusual_layout",
            f"the import at line {node.lineno} shares its line with other code; format the file first",
        )
    above, below = document.text[:line_start], document.text[line_stop:]
    # The gap of a section that is gone goes with it.
    alone = (
        not above or is_blank(NEWLINE.split(above)[-2] if NEWLINE.search(above) else above)
    ) and is_blank(NEWLINE.split(below, maxsplit=1)[0])
    if (
        alone
        and isinstance(bound.owner, ast.Module)
        and following
        and isinstance(following[0], (ast.Import, ast.ImportFrom))
    ):
        match = NEWLINE.search(below)
        below = below[match.end() :] if match else below
    elif alone and not above:
        below = below.lstrip("\r\n")
    return above + below


def _without_names(document: Document, node: Import, going: list[ast.alias]) -> str:
    text = document.text
    names = list(node.names)
    lines = [name.lineno for name in names]
    own_lines = len(set(lines)) == len(lines) and lines[0] > node.lineno
    for alias in sorted(going, key=lambda alias: (alias.lineno, alias.col_offset), reverse=True):
        start, stop = _alias_span(document, alias)
        index = names.index(alias)
        rest = NEWLINE.split(text[stop : document.lines.stop(alias.end_lineno or alias.lineno)], maxsplit=1)[
            0
        ].strip()
        if own_lines and (rest.lstrip(",").strip() == "" or rest.lstrip(",").strip().startswith("#")):
            text = (
                text[: document.lines.starts[alias.lineno - 1]]
                + text[document.lines.stop(alias.end_lineno or 0) :]
            )
        elif index + 1 < len(names):
            text = text[:start] + text[_alias_span(document, names[index + 1])[0] :]
        else:
            text = text[: _alias_span(document, names[index - 1])[1]] + text[stop:]
        names.remove(alias)
    return text
