"""Import statements: add them where a sorter of imports would, take them away whole or name by name."""

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from selfedit.editing.edits import AddImport, RemoveImport
from selfedit.editing.syntax.document import Document
from selfedit.editing.syntax.outline import blocks
from selfedit.editing.syntax.placing import Import, alias_span, merged, module_of, placed, same_source
from selfedit.editing.syntax.text import NEWLINE, No, is_blank, parse, with_newlines


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
        joined = merged(document, [bound.node for bound in present if bound.owner is document.tree], new)
        if joined is not None:
            return joined
    whole = len(missing) == len(wanted.names)
    for statement in _apart(new):
        text = edit.statement.strip() if whole and isinstance(new, ast.ImportFrom) else ast.unparse(statement)
        text = with_newlines(text, document.text, document.newline)
        read = Document.read(placed(document, statement, text, tops), edit.path)
        if isinstance(read, No):
            return read
        document = read
    return document.text


def _apart(node: Import) -> list[Import]:
    """A statement for each module that `import` names."""
    return [ast.Import(names=[alias]) for alias in node.names] if isinstance(node, ast.Import) else [node]


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
    return same_source(node, wanted) and any(
        (a.name, a.asname) == (alias.name, alias.asname) for a in node.names
    )


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
    names = {alias.name for alias in wanted.names} | {module_of(wanted)}
    return module_of(node).lstrip(".") in names or any(alias.name in names for alias in node.names)


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
        start, stop = alias_span(document, alias)
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
            text = text[:start] + text[alias_span(document, names[index + 1])[0] :]
        else:
            text = text[: alias_span(document, names[index - 1])[1]] + text[stop:]
        names.remove(alias)
    return text
