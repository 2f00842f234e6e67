"""Rewriting inside of one definition with libcst: on the definition's own lines, or on the whole file in doubt."""

import ast
from collections.abc import Callable
from typing import Any, cast

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from selfedit.editing.syntax.document import Document, Place
from selfedit.editing.syntax.outline import Definition, Kind
from selfedit.editing.syntax.text import No, indent_of

Node = cst.FunctionDef | cst.ClassDef | cst.Assign | cst.AnnAssign
Change = Callable[[Any], "Node | No"]
"""Gives the changed node, or says why it does not change it."""

_LONGEST_CHAIN = 500
"""Operands of one `or`: libcst nests what Python's parser keeps flat, and runs out of stack."""
_DEEP = No(
    "too_deep", "the code around this edit is nested too deeply to be rewritten; replace the whole definition"
)
_UNUSUAL = No(
    "unusual_layout",
    "this place is laid out so unusually that it cannot be edited safely; format the file first",
)


def parse_module(text: str, tree: ast.AST) -> cst.Module | No:
    """Parse with libcst, only what it gives back unchanged.

    Args:
        text: What Python's parser has read already (it guards libcst against running out of stack).
        tree: The parsed text.
    """
    if _too_long(text, tree):
        return _DEEP
    try:
        module = cst.parse_module(text)
        if module.code == text:
            return module
    except RecursionError:
        return _DEEP
    except cst.ParserSyntaxError:
        pass
    return _UNUSUAL


def newline(document: Document) -> cst.Newline:
    """A newline of new code. libcst would take the first one of what it parses, which may be a part of the file."""
    return cst.Newline(value=cast("Any", document.newline if document.newline != "\r" else "\n"))


def _too_long(text: str, tree: ast.AST) -> bool:
    if len(text) < _LONGEST_CHAIN * len("a or"):
        return False
    return any(isinstance(node, ast.BoolOp) and len(node.values) > _LONGEST_CHAIN for node in ast.walk(tree))


def place_of(document: Document, definition: Definition, *, whole: bool = False) -> Place | No:
    """Where a definition stands.

    Args:
        document: The file.
        definition: One of its definitions.
        whole: Ask libcst for the whole file, and not Python's parser first.
    """
    place = None if whole else document.quick_place(definition)
    if place is not None:
        return place
    module = parse_module(document.text, document.tree)
    if isinstance(module, No):
        return module
    wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
    node = _find(wrapper.module, definition)
    if node is None:
        return _UNUSUAL
    positions = wrapper.resolve(PositionProvider)
    decorators = getattr(node, "decorators", ())
    begin = positions[decorators[0] if decorators else node].start
    end = positions[node].end
    starts = document.lines.starts
    place = document.place(starts[begin.line - 1] + begin.column, starts[end.line - 1] + end.column)
    return place or _UNUSUAL


def changed(document: Document, definition: Definition, change: Change, *, whole: bool = False) -> str | No:
    """The file's text with one definition rewritten.

    Only the definition's lines are parsed by libcst; where these are in doubt, the whole file is.
    """
    try:
        text = None if whole else _changed_slice(document, definition, change)
        return _changed_whole(document, definition, change) if text is None else text
    except RecursionError:
        return _DEEP


def _changed_slice(document: Document, definition: Definition, change: Change) -> str | No | None:
    place = document.quick_place(definition)
    stop = None if place is None else _slice_stop(document, definition, place)
    if place is None or stop is None:
        return None
    chunk = document.text[place.head : stop]
    above = f"if 1:{document.newline}" if place.indent else ""
    if _too_long(chunk, definition.node):
        return _DEEP
    try:
        module = cst.parse_module(above + chunk)
    except cst.ParserSyntaxError:
        return None
    node = _only(module, nested=bool(place.indent))
    if node is None or module.code != above + chunk:
        return None
    new = change(node)
    if isinstance(new, No):
        return new
    code = cst.ensure_type(module.deep_replace(node, new), cst.Module).code
    return document.spliced(place.head, stop, code[len(above) :])


def _slice_stop(document: Document, definition: Definition, place: Place) -> int | None:
    """Where the lines end that an edit of the definition's head, docstring or value can touch."""
    node = definition.node
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        beside = (other for other in definition.block if other is not node)
        shared = any(
            other.lineno <= (node.end_lineno or 0) and (other.end_lineno or 0) >= node.lineno
            for other in beside
        )
        return None if shared else place.stop
    if len(node.body) > 1:
        first, second = node.body[:2]
        end = first.end_lineno or first.lineno
        line = document.lines.content(end)
        rest = line[
            document.lines.offset(end, first.end_col_offset or 0) - document.lines.starts[end - 1] :
        ].strip()
        if first.lineno > node.lineno and second.lineno > end and (not rest or rest.startswith("#")):
            return document.lines.stop(end)
    return place.stop


def _only(module: cst.Module, *, nested: bool) -> Node | None:
    body: Any = module.body
    if nested:
        body = body[0].body.body
    if len(body) != 1:
        return None
    node = body[0]
    if isinstance(node, cst.SimpleStatementLine) and len(node.body) == 1:
        node = node.body[0]
    return node if isinstance(node, Node) else None


def _changed_whole(document: Document, definition: Definition, change: Change) -> str | No:
    module = parse_module(document.text, document.tree)
    if isinstance(module, No):
        return module
    node = _find(module, definition)
    if node is None:
        return _UNUSUAL
    new = change(node)
    if isinstance(new, No):
        return new
    return cst.ensure_type(module.deep_replace(node, new), cst.Module).code


def _find(module: cst.Module, definition: Definition) -> Node | None:
    finder = _Finder(definition.name)
    module.visit(finder)
    found = finder.found
    return found[definition.position - 1] if len(found) >= definition.position else None


class _Finder(cst.CSTVisitor):
    """Collects the definitions of one qualified name, counted as `Document.definitions` counts them."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.found: list[Node] = []
        self._scopes: list[tuple[str, Kind]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Note a definition; what stands inside of an assignment or an expression defines nothing."""
        if isinstance(node, cst.FunctionDef):
            self._enter(node, "function")
        elif isinstance(node, cst.ClassDef):
            self._enter(node, "class")
        elif isinstance(node, cst.Assign):
            for target in node.targets:
                self._assigned(node, target.target)
        elif isinstance(node, cst.AnnAssign) and isinstance(node.target, cst.Name):
            self._assigned(node, node.target)
        return not isinstance(node, (cst.BaseExpression, cst.BaseSmallStatement))

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Leave a scope."""
        if isinstance(original_node, (cst.FunctionDef, cst.ClassDef)):
            self._scopes.pop()

    def _enter(self, node: cst.FunctionDef | cst.ClassDef, kind: Kind) -> None:
        self._scopes.append((node.name.value, kind))
        if ".".join(name for name, _ in self._scopes) == self.name:
            self.found.append(node)

    def _assigned(self, node: cst.Assign | cst.AnnAssign, target: cst.BaseExpression) -> None:
        if self._scopes and self._scopes[-1][1] == "function":
            return
        prefix = "".join(f"{name}." for name, _ in self._scopes)
        self.found.extend(node for name in _plain_names(target) if prefix + name == self.name)


def _plain_names(target: cst.BaseExpression | cst.BaseElement) -> list[str]:
    if isinstance(target, cst.Name):
        return [target.value]
    if isinstance(target, (cst.Tuple, cst.List)):
        return [name for element in target.elements for name in _plain_names(element)]
    if isinstance(target, (cst.Element, cst.StarredElement)):
        return _plain_names(target.value)
    return []


def block_indent(document: Document, definition: Definition, place: Place) -> str:
    """The indentation of a definition's body."""
    body = getattr(definition.node, "body", None)
    if body and body[0].lineno > definition.node.lineno:
        decorators = getattr(body[0], "decorator_list", [])
        line = document.lines.content(min([body[0].lineno, *(decorator.lineno for decorator in decorators)]))
        lead = indent_of(line)
        if lead.startswith(place.indent) and lead != place.indent:
            return lead
    return place.indent + document.unit
