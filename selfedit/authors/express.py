"""A new text of a file, said as typed edits of the old one."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping

from selfedit.editing.codemod import Applied, apply_edits
from selfedit.editing.edits import (
    AddImport,
    DeleteSymbol,
    Edit,
    RemoveImport,
    ReplaceClass,
    ReplaceFunction,
    SetConstant,
)
from selfedit.editing.syntax.document import Document
from selfedit.editing.syntax.outline import Definition
from selfedit.editing.syntax.text import No

_Import = tuple[int, str | None, str, str | None]
"""Level (-1 for a plain import), module, name, and the name it is given."""


def as_edits(files: Mapping[str, str], path: str, new: str) -> tuple[Edit, ...] | None:
    """Edits that make exactly `new` of a file, the smallest definitions that will do; None where edits cannot say it.

    Args:
        files: Text of all live files by path.
        path: The file that changes.
        new: Its new text.
    """
    before, after = Document.read(files[path], path), Document.read(new, path)
    if isinstance(before, No) or isinstance(after, No):
        return None
    imports = tuple(_imports(path, before, after))
    for whole_classes in (False, True):
        edits = (*imports, *_definitions(path, before, after, whole_classes=whole_classes))
        if edits:
            outcome = apply_edits(files, edits)
            if isinstance(outcome, Applied) and outcome.files == {path: new}:
                return edits
    return None


def _imports(path: str, before: Document, after: Document) -> Iterator[Edit]:
    old, new = Counter(_imported(before)), Counter(_imported(after))
    for one in new - old:
        yield AddImport(op="add_import", path=path, statement=_statement(one))
    for one in old - new:
        yield RemoveImport(op="remove_import", path=path, statement=_statement(one))


def _imported(document: Document) -> Iterator[_Import]:
    for node in document.tree.body:
        if isinstance(node, ast.Import):
            yield from ((-1, None, alias.name, alias.asname) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.level, node.module, alias.name, alias.asname) for alias in node.names)


def _statement(one: _Import) -> str:
    level, module, name, asname = one
    names = [ast.alias(name=name, asname=asname)]
    return ast.unparse(
        ast.Import(names=names) if level < 0 else ast.ImportFrom(module=module, names=names, level=level)
    )


def _definitions(path: str, before: Document, after: Document, *, whole_classes: bool) -> Iterator[Edit]:
    news = _by_name(after)
    settled: set[str] = set()
    gone: list[str] = []
    for name, olds in _by_name(before).items():
        if any(name.startswith(f"{outer}.") for outer in settled):
            continue
        targets = [name] if len(olds) == 1 else [f"{name}#{old.position}" for old in olds]
        sources = [_source(after, new) for new in news.get(name, ())]
        if len(sources) < len(olds):
            settled.add(name)
            gone += [t for t, old in zip(targets, olds, strict=True) if _source(before, old) not in sources]
            continue
        for target, old, new in zip(targets, olds, news[name], strict=False):
            source = _source(after, new)
            if _source(before, old) == source:
                settled.add(name)
            elif old.kind == "function":
                settled.add(name)
                yield ReplaceFunction(op="replace_function", path=path, target=target, source=source)
            elif old.kind == "class" and whole_classes:
                settled.add(name)
                yield ReplaceClass(op="replace_class", path=path, target=target, source=source)
            elif (
                old.kind == "constant" and isinstance(new.node, ast.Assign | ast.AnnAssign) and new.node.value
            ):
                start, stop = after.span(new.node.value)
                value = after.text[start:stop]
                yield SetConstant(op="set_constant", path=path, target=target, value=value)
    # The last first, because positions (`load#2`) are counted anew after each.
    for target in reversed(gone):
        yield DeleteSymbol(op="delete_symbol", path=path, target=target)


def _by_name(document: Document) -> dict[str, list[Definition]]:
    found: dict[str, list[Definition]] = {}
    for definition in document.definitions:
        found.setdefault(definition.name, []).append(definition)
    return found


def _source(document: Document, definition: Definition) -> str:
    """A definition's own lines, with the comments that end its block."""
    place = document.quick_place(definition)
    if place is None:
        start, stop = document.span(definition.node)
        return document.text[start:stop]
    end = place.end if place.tail == place.stop else place.tail
    return document.text[place.head : end].rstrip("\r\n")
