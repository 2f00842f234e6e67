"""Edits of whole definitions: replace, add."""

import ast
from dataclasses import dataclass

from selfedit.editing.edits import AddClass, AddFunction, ReplaceClass, ReplaceFunction
from selfedit.editing.syntax.document import Document
from selfedit.editing.syntax.outline import Definition, Kind, is_string, kind_of, own_docstring
from selfedit.editing.syntax.piece import Piece, moved, read_piece
from selfedit.editing.syntax.text import (
    No,
    blank_start,
    is_blank,
    newline_count,
    with_newlines,
    without_blank_end,
)
from selfedit.editing.syntax.tree import block_indent, place_of

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
Definable = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def replace_definition(
    document: Document, edit: ReplaceFunction | ReplaceClass, *, whole: bool = False
) -> str | No:
    """Put a function or class in another's place.

    Decorators belong to the definition: a source without them takes them away. The comment lines directly above it,
    and those that end its block, stay unless the source brings its own.
    """
    kind: Kind = "function" if isinstance(edit, ReplaceFunction) else "class"
    definition = document.find(edit.target, (kind,))
    if isinstance(definition, No):
        return definition
    place = place_of(document, definition, whole=whole)
    if isinstance(place, No):
        return place
    read = _one(edit.source, kind, place.indent, block_indent(document, definition, place))
    if isinstance(read, No):
        return read
    name = definition.name.rpartition(".")[2]
    if read.node.name != name:
        return No(
            "wrong_name",
            f"the source defines `{read.node.name}` and not `{name}`; keep the name, or use rename_symbol for it",
            (name,),
        )
    text = moved(read.piece, place.indent)
    if isinstance(text, No):
        return text
    start = place.top if read.piece.leads_with_comment else place.head
    end = place.end
    if read.piece.ends_with_comment:
        end = len(document.text[: place.tail].rstrip("\r\n")) if place.tail > place.stop else end
    return document.spliced(start, end, with_newlines(text, document.text[start:end], document.newline))


@dataclass(frozen=True)
class _Read:
    piece: Piece
    node: Definable


def _one(source: str, kind: Kind, place: str | None = None, body: str = "") -> _Read | No:
    piece = read_piece(source, place, body)
    if isinstance(piece, No):
        return piece
    wanted = _FUNCTIONS if kind == "function" else (ast.ClassDef,)
    if len(piece.body) == 1 and isinstance(piece.body[0], wanted):
        return _Read(piece, piece.body[0])
    there = ", ".join(_called(node) for node in piece.body[:5]) or "no code"
    return No(
        "not_one_definition",
        f"the source must be exactly one {kind}, with what is above it; it holds {there}",
    )


def _called(node: ast.stmt) -> str:
    if isinstance(node, _DEFINITIONS):
        return f"the {kind_of(node)} `{node.name}`"
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return f"the import `{ast.unparse(node)}` (use add_import)"
    return f"other code (line {node.lineno})"


def add_definition(document: Document, edit: AddFunction | AddClass) -> str | No:
    """Add a function or class: after a name, else at the end of a class or of the module.

    The end of a module is before its `if __name__ == "__main__":`.
    """
    read = _one(edit.source, "function" if isinstance(edit, AddFunction) else "class")
    if isinstance(read, No):
        return read
    owner = document.find(edit.into, ("class",)) if edit.into is not None else None
    if isinstance(owner, No):
        return owner
    sibling = _sibling(document, edit.after, owner) if edit.after is not None else None
    if isinstance(sibling, No):
        return sibling
    scope = owner.name if owner else (sibling.name.rpartition(".")[0] if sibling else "")
    name = f"{scope}.{read.node.name}" if scope else read.node.name
    taken = [other for other in document.definitions if other.name == name]
    if taken and not _goes_with(read.node):
        return No(
            "exists",
            f"`{name}` is defined already at line {taken[0].node.lineno}; use replace_{taken[0].kind} or another name",
            (name,),
        )
    if sibling is not None:
        return _insert_after(document, sibling, read.piece)
    if owner is not None:
        return _insert_last(document, owner, read.piece)
    return append_to_module(document, read.piece)


def _sibling(document: Document, after: str, owner: Definition | None) -> Definition | No:
    scope = owner.name if owner else ""
    full = after if not scope or after.startswith(f"{scope}.") else f"{scope}.{after}"
    same = [other for other in document.definitions if other.name == full.replace(".<locals>.", ".")]
    found = same[-1] if same else document.find(full)
    if isinstance(found, Definition) and owner and found.name.rpartition(".")[0] != scope:
        return No("unknown_target", f"`{after}` does not stand in `{scope}`")
    return found


def _goes_with(node: Definable) -> bool:
    """Whether a definition is made to stand beside others of its name."""
    for decorator in node.decorator_list:
        bare = decorator.func if isinstance(decorator, ast.Call) else decorator
        last = bare.attr if isinstance(bare, ast.Attribute) else getattr(bare, "id", "")
        if last in ("overload", "setter", "getter", "deleter", "register"):
            return True
    return False


def _insert_after(document: Document, sibling: Definition, piece: Piece) -> str | No:
    place = place_of(document, sibling)
    if isinstance(place, No):
        return place
    at = place.tail
    index = next(number for number, node in enumerate(sibling.block) if node is sibling.node)
    doc = own_docstring(sibling, index)
    if doc is not None:
        at = document.lines.stop(doc.end_lineno or doc.lineno)
        index += 1
    return _inserted(document, piece, at, place.indent, follows=index + 1 < len(sibling.block))


def _insert_last(document: Document, owner: Definition, piece: Piece) -> str | No:
    place = place_of(document, owner)
    if isinstance(place, No) or not isinstance(owner.node, ast.ClassDef):
        return place if isinstance(place, No) else No("wrong_kind", f"`{owner.name}` is no class")
    indent = block_indent(document, owner, place)
    body = owner.node.body
    begin = document.span(body[0])[0]
    if body[0].lineno == owner.node.lineno or not is_blank(
        document.text[document.lines.starts[body[0].lineno - 1] : begin]
    ):
        return _insert_into_line(
            document, piece, begin, place.end, indent, keep=not _is_filler(body[0]) or len(body) > 1
        )
    filler = body[-1]
    described = is_string(body[0])
    if _is_filler(filler) and body in ([filler], [body[0], filler] if described else []):
        start, stop = document.lines.starts[filler.lineno - 1], document.lines.stop(filler.lineno)
        text = _fitted(document, piece, indent)
        if isinstance(text, No):
            return text
        gap = document.newline if described and body[0].end_lineno == filler.lineno - 1 else ""
        ends = document.newline if document.text[start:stop].endswith(("\n", "\r")) else ""
        return document.spliced(start, stop, gap + text + ends)
    return _inserted(document, piece, place.tail, indent, follows=False)


def _insert_into_line(
    document: Document, piece: Piece, begin: int, end: int, indent: str, *, keep: bool
) -> str | No:
    """Give a class whose body stands on its own line a body of lines."""
    text = _fitted(document, piece, indent)
    if isinstance(text, No):
        return text
    newline = document.newline
    line = document.text[begin:end]
    header = document.text[:begin].rstrip(" \t")
    if keep:
        return f"{header}{newline}{indent}{line}{newline}{newline}{text}{document.text[end:]}"
    note = line[line.index("#") :] if "#" in line else ""
    return f"{header}{'  ' if note else ''}{note}{newline}{text}{document.text[end:]}"


def _is_filler(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...
    )


def append_to_module(document: Document, piece: Piece) -> str | No:
    """Put code at a module's end, before its `if __name__ == "__main__":`."""
    body = document.tree.body
    last = len(body) - 1
    if body and isinstance(body[-1], ast.If) and "__name__" in ast.dump(body[-1].test):
        last -= 1
    if not body:
        return _inserted(document, piece, len(document.text), "", follows=False)
    if last < 0:
        text = _fitted(document, piece, "")
        at = document.lines.starts[body[0].lineno - 1]
        return text if isinstance(text, No) else document.spliced(at, at, text + document.newline * 3)
    tail = document.tail_of(body[last])
    return _inserted(document, piece, tail, "", follows=last + 1 < len(body))


def _fitted(document: Document, piece: Piece, indent: str) -> str | No:
    text = moved(piece, indent)
    return text if isinstance(text, No) else with_newlines(text, document.text, document.newline)


def _inserted(document: Document, piece: Piece, at: int, indent: str, *, follows: bool) -> str | No:
    """The text with code put in at a line's begin, with blank lines around it."""
    text = _fitted(document, piece, indent)
    if isinstance(text, No):
        return text
    newline = document.newline
    above, below = document.text[:at], document.text[at:]
    blanks = 1 if indent else 2
    if not above.strip():
        return f"{above}{text}{newline}{newline * 2 if below.strip() else ''}{below}"
    if not above.endswith(("\n", "\r")):
        return f"{above}{newline * (blanks + 1)}{text}{below}"
    there = newline_count(blank_start(below))
    gap = newline * max(blanks - there, 0) if follows or (below.strip() and not indent) else ""
    missing = max(blanks - newline_count(above[len(without_blank_end(above)) :]), 0)
    return f"{above}{newline * missing}{text}{newline}{gap}{below}"
