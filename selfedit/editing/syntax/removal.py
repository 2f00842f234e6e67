"""Take a definition away, with what belongs to it."""

import ast

from selfedit.editing.edits import DeleteSymbol
from selfedit.editing.syntax.document import Document
from selfedit.editing.syntax.outline import Definition, assigned_names, own_docstring
from selfedit.editing.syntax.text import (
    No,
    blank_start,
    indent_of,
    is_blank,
    newline_count,
    without_blank_end,
)
from selfedit.editing.syntax.tree import place_of

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def delete_symbol(document: Document, edit: DeleteSymbol) -> str | No:
    """Take a definition away with its comments, and one of the two gaps around it."""
    definition = document.find(edit.target)
    if isinstance(definition, No):
        return definition
    node, block = definition.node, definition.block
    if isinstance(node, ast.Assign) and (len(node.targets) > 1 or len(assigned_names(node)) > 1):
        others = ", ".join(f"`{name}`" for name in assigned_names(node))
        return No(
            "not_a_constant",
            f"line {node.lineno} assigns {others} together; only a plain `name = value` can be deleted",
        )
    index = next(number for number, other in enumerate(block) if other is node)
    doc = own_docstring(definition, index)
    begin, end = document.span(node)
    neighbours = [
        other for other in (block[index - 1] if index else None, *block[index + 1 : index + 2]) if other
    ]
    if not isinstance(node, _DEFINITIONS):
        together = _deleted_in_line(document, definition, index, begin, end)
        if together is not None:
            return together
    place = place_of(document, definition)
    if isinstance(place, No):
        return place
    start, stop = place.top, place.tail
    if doc is not None:
        stop = document.lines.stop(doc.end_lineno or doc.lineno)
    elif not isinstance(node, _DEFINITIONS):
        stop = place.stop
    if not isinstance(node, _DEFINITIONS) and not is_blank(document.text[stop : stop + 1]) and neighbours:
        # A comment above several lines speaks for all of them.
        following = document.lines.content(min(document.lines.line(stop), len(document.lines)))
        start = place.head if indent_of(following) == place.indent and not is_blank(following) else start
    if len(block) == (2 if doc is not None else 1) and not isinstance(definition.owner, ast.Module):
        ends = document.text[:stop][len(document.text[:stop].rstrip("\r\n")) :]
        return document.spliced(
            start, stop, f"{place.indent}pass{ends[:2] if ends.startswith(chr(13)) else ends[:1]}"
        )
    return _without(document, start, stop, first=index == 0 and not isinstance(definition.owner, ast.Module))


def _deleted_in_line(
    document: Document, definition: Definition, index: int, begin: int, end: int
) -> str | None:
    """The text without a constant that shares its line; None when it does not."""
    block = definition.block
    if index + 1 < len(block) and block[index + 1].lineno == definition.node.end_lineno:
        return document.spliced(begin, document.span(block[index + 1])[0], "")
    if index and block[index - 1].end_lineno == definition.node.lineno:
        return document.spliced(document.span(block[index - 1])[1], end, "")
    line = document.text[document.lines.starts[definition.node.lineno - 1] : begin]
    return document.spliced(begin, end, "pass") if not is_blank(line) else None


def _without(document: Document, start: int, stop: int, *, first: bool) -> str:
    """The text without a range of lines, and without the smaller one of the blank gaps around it."""
    below = document.text[stop:]
    gap = blank_start(below)
    above = document.text[:start]
    kept = without_blank_end(above)
    if not kept:
        return below[len(gap) :]
    if first:
        return above + below[len(gap) :]
    before, after = newline_count(above[len(kept) :]), newline_count(gap)
    return above + below[len(gap) :] if before > after and below.strip() else kept + below
