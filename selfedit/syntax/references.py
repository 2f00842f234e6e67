"""Which of the places that spell a name mean the symbol that gets another one: yes, no, or it cannot be told."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import libcst as cst
from libcst import metadata

from selfedit.syntax.view import Classes, View, is_chain, mentions

_BY_STRING = {
    "getattr",
    "setattr",
    "hasattr",
    "delattr",
    "attrgetter",
    "methodcaller",
    "patch",
    "object",
    "import_module",
}
_TYPE_STRINGS = {"cast", "TypeVar", "ForwardRef", "NewType"}
_COPIES = {"replace", "_replace", "model_copy", "model_construct", "copy_with", "evolve"}


@dataclass(frozen=True)
class Symbol:
    """What gets another name."""

    old: str
    new: str
    names: frozenset[str]
    """Full dotted names that mean it: its own, those of re-exports and, for a member, of subclasses."""
    owner: str | None = None
    """The class that a member belongs to, by its full name."""
    family: frozenset[str] = frozenset()
    """The owner and every live class below it."""
    is_field: bool = False
    """Whether the member is an annotated name of the class, which constructors may take as a keyword."""


@dataclass
class Found:
    """What one file says about a symbol."""

    offsets: set[int] = field(default_factory=set)
    """Where the old name stands and means the symbol."""
    bare: list[tuple[cst.CSTNode, metadata.Scope]] = field(default_factory=list)
    """Those of them that are looked up in a scope: nothing there may have the new name already."""
    unclear: list[tuple[int, str]] = field(default_factory=list)
    """Line and text of what may mean the symbol or may not."""


def references(view: View, symbol: Symbol, classes: Classes) -> Found:
    """Find every place of a file that means a symbol."""
    return _Search(view, symbol, classes).run()


class _Search:
    def __init__(self, view: View, symbol: Symbol, classes: Classes) -> None:
        self.view = view
        self.symbol = symbol
        self.classes = classes
        self.found = Found()

    def run(self) -> Found:
        for node in self.view.nodes:
            if isinstance(node, cst.Name) and node.value == self.symbol.old:
                self._name(node)
            elif isinstance(node, cst.SimpleString) and mentions(node.value, self.symbol.old):
                self._string(node)
            elif isinstance(node, cst.ImportFrom):
                self._import(node)
        return self.found

    def _take(self, node: cst.CSTNode) -> None:
        self.found.offsets.add(self.view.offset(node))

    def _doubt(self, node: cst.CSTNode) -> None:
        self.found.unclear.append((self.view.line(node), self.view.module.code_for_node(node).strip()[:60]))

    def _name(self, node: cst.Name) -> None:
        parent = self.view.parent(node)
        if isinstance(parent, cst.Attribute) and parent.attr is node:
            self._attribute(parent, node)
        elif isinstance(parent, cst.Arg) and parent.keyword is node:
            self._keyword(parent, node)
        elif isinstance(parent, cst.MatchKeywordElement) and parent.key is node:
            self._keyword_pattern(parent, node)
        elif not self.view.is_label(node):
            scope = self.view.scope(node)
            if self.view.meanings(node, scope) & self.symbol.names:
                self._take(node)
                self.found.bare.append((node, scope))

    def _import(self, node: cst.ImportFrom) -> None:
        source = self.view.source_of(node)
        if isinstance(node.names, cst.ImportStar):
            if any(name.rpartition(".")[0] == source for name in self.symbol.names) and self._unbound():
                self._doubt(node)
            return
        for alias in node.names:
            name = alias.name
            if (
                isinstance(name, cst.Name)
                and name.value == self.symbol.old
                and f"{source}.{name.value}" in self.symbol.names
            ):
                self._take(name)
                if alias.asname is None:
                    self.found.bare.append((name, self.view.scope(node)))

    def _unbound(self) -> bool:
        """Whether the file uses the name without saying where it comes from."""
        return any(
            isinstance(node, cst.Name)
            and node.value == self.symbol.old
            and not isinstance(self.view.parent(node), (cst.Attribute, cst.Arg, cst.ImportAlias))
            and not self.view.meanings(node)
            for node in self.view.nodes
        )

    def _attribute(self, node: cst.Attribute, name: cst.Name) -> None:
        answer = self._means(node)
        if answer:
            self._take(name)
        elif answer is None:
            self._doubt(node)

    def _means(self, node: cst.Attribute) -> bool | None:
        """Whether an attribute means the symbol; None where that cannot be told."""
        base = node.value
        if is_chain(node):
            meanings = self.view.meanings(node)
            if meanings & self.symbol.names:
                return True
        if self.symbol.owner is None:
            return False
        if isinstance(base, cst.Call):
            return self._of_call(base)
        if not isinstance(base, cst.Name):
            return self._of_chain(base)
        own = self._class_of_self(base)
        if own is not None:
            return self._in_class(own)
        return self._of_variable(base)

    def _in_class(self, name: str) -> bool | None:
        if name in self.symbol.family:
            return True
        below = self.classes.descendants(name)
        return None if below & self.symbol.family else False

    def _of_call(self, call: cst.Call) -> bool | None:
        if not is_chain(call.func):
            return None
        meanings = self.view.meanings(call.func)
        if isinstance(call.func, cst.Name) and call.func.value == "super" and "builtins.super" in meanings:
            around = self._class_around(call)
            if around is None or around == self.symbol.owner:
                return None
            return self._in_class(around)
        return self._of_class(meanings)

    def _of_class(self, meanings: set[str]) -> bool | None:
        """Whether values of a class, or of whatever else has these full names, have the symbol."""
        if meanings & self.symbol.family:
            return True
        if meanings and all(name in self.classes.bases for name in meanings):
            return (
                None
                if any(self._in_class(name) is None for name in meanings) or self._is_above(meanings)
                else False
            )
        builtin = {name for name in meanings if name.startswith("builtins.") and name not in _OPEN}
        return False if meanings and builtin == meanings else None

    def _is_above(self, meanings: set[str]) -> bool:
        owner = self.symbol.owner
        return owner is not None and bool(meanings & self.classes.ancestors(owner))

    def _of_chain(self, base: cst.BaseExpression) -> bool | None:
        plain = (
            cst.SimpleString,
            cst.ConcatenatedString,
            cst.FormattedString,
            cst.List,
            cst.Dict,
            cst.Set,
            cst.Tuple,
        )
        if isinstance(
            base, (*plain, cst.Integer, cst.Float, cst.ListComp, cst.DictComp, cst.SetComp, cst.GeneratorExp)
        ):
            return False
        if is_chain(base):
            first: Any = base
            while isinstance(first, cst.Attribute):
                first = first.value
            found = self.view.scope(first)[first.value]
            if found and all(isinstance(one, metadata.ImportAssignment) for one in found):
                # Something of a module: known not to be the symbol only where it is a live class or function.
                return self._of_class(self.view.meanings(base))
        return None

    def _class_of_self(self, name: cst.Name) -> str | None:
        """The class whose method calls its own object (or class) by this name."""
        for around in self.view.above(name):
            if isinstance(around, (cst.FunctionDef, cst.Lambda)):
                first = next(iter([*around.params.posonly_params, *around.params.params]), None)
                bound = [parameter.name.value for parameter in _parameters(around)]
                if name.value not in bound:
                    continue
                if not isinstance(around, cst.FunctionDef) or first is None or first.name.value != name.value:
                    return None
                decorators = {getattr(decorator.decorator, "value", "") for decorator in around.decorators}
                inside = self.view.parent(self.view.parent(around))
                return (
                    None
                    if "staticmethod" in decorators or not isinstance(inside, cst.ClassDef)
                    else self._full(inside)
                )
        return None

    def _class_around(self, node: cst.CSTNode) -> str | None:
        around = next((up for up in self.view.above(node) if isinstance(up, cst.ClassDef)), None)
        return self._full(around) if isinstance(around, cst.ClassDef) else None

    def _full(self, node: cst.ClassDef) -> str | None:
        return next(iter(self.view.meanings(node.name)), None)

    def _of_variable(self, name: cst.Name) -> bool | None:
        scope = self.view.scope(name)
        found = scope[name.value]
        if not found:
            return None
        answers = {self._of_assignment(one, scope) for one in found}
        return answers.pop() if len(answers) == 1 else None

    def _of_assignment(self, one: metadata.BaseAssignment, scope: metadata.Scope) -> bool | None:
        if isinstance(one, metadata.ImportAssignment):
            return self._of_import(one)
        node = getattr(one, "node", None)
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            # The member itself would have been found by its full name.
            return (
                None
                if isinstance(node, cst.ClassDef) and self._is_above(self.view.meanings(node.name))
                else False
            )
        parent = self.view.parent(node) if node is not None else None
        if isinstance(node, cst.Param) or isinstance(parent, (cst.Param, cst.AnnAssign)):
            holder: Any = node if isinstance(node, cst.Param) else parent
            return self._of_annotation(holder.annotation.annotation, scope) if holder.annotation else None
        if isinstance(parent, cst.AssignTarget):
            value = self.view.parent(parent).value
            if isinstance(value, cst.Call):
                return self._of_call(value)
            return self._of_chain(value) if not is_chain(value) else None
        return None

    def _of_import(self, one: metadata.ImportAssignment) -> bool | None:
        names = {self.view.absolute(name.name) for name in one.get_qualified_names_for(one.name)}
        owner = self.symbol.owner
        above = self.classes.ancestors(owner) if owner else set()
        return None if names & above else False

    def _of_annotation(self, annotation: cst.BaseExpression, scope: metadata.Scope) -> bool | None:
        code = self.view.module.code_for_node(annotation)
        if isinstance(annotation, cst.SimpleString):
            code = str(annotation.evaluated_value)
        try:
            tree = ast.parse(code, mode="eval").body
        except SyntaxError:
            return None
        answers = {self._of_type(part, scope) for part in _alternatives(tree)}
        return True if answers == {True} else False if answers == {False} else None

    def _of_type(self, part: ast.expr, scope: metadata.Scope) -> bool | None:
        bare = part.value if isinstance(part, ast.Subscript) else part
        if not isinstance(bare, (ast.Name, ast.Attribute)):
            return None
        meanings = self.view.meanings(ast.unparse(bare), scope)
        known = self._of_class(meanings)
        if known is None and meanings and not any(name in self.classes.bases for name in meanings):
            # A class from elsewhere: its objects have the symbol only if the owner is one of its subclasses.
            return (
                None
                if self._is_above(meanings) or meanings & _OPEN or self._may_be_protocol(meanings)
                else False
            )
        return known

    def _may_be_protocol(self, meanings: set[str]) -> bool:
        return any(name.startswith(("typing.", "typing_extensions.")) for name in meanings)

    def _keyword(self, arg: cst.Arg, name: cst.Name) -> None:
        if not self.symbol.is_field:
            return
        call = self.view.parent(arg)
        func = call.func if isinstance(call, cst.Call) else None
        last = func.attr.value if isinstance(func, cst.Attribute) else getattr(func, "value", "")
        meanings = self.view.meanings(func) if func is not None and is_chain(func) else set()
        own = self._class_of_self(func) if isinstance(func, cst.Name) else None
        if meanings & self.symbol.family or own in self.symbol.family:
            self._take(name)
        elif last in _COPIES:
            self._doubt(call)

    def _keyword_pattern(self, element: cst.MatchKeywordElement, name: cst.Name) -> None:
        if self.symbol.owner is None:
            return
        pattern = self.view.parent(element)
        answer = (
            self._of_class(self.view.meanings(pattern.cls)) if isinstance(pattern, cst.MatchClass) else None
        )
        if answer:
            self._take(name)
        elif answer is None:
            self._doubt(pattern)

    def _string(self, node: cst.SimpleString) -> None:
        value = node.evaluated_value
        if not isinstance(value, str):
            return
        if value in self.symbol.names:
            self._doubt(node)
            return
        last = value.rpartition(".")[2]
        role = self._role(node)
        if role == "type":
            self._type_string(node, value)
        elif role == "exports" and value == self.symbol.old:
            if f"{self.view.dotted}.{value}" in self.symbol.names:
                self.found.offsets.add(self.view.offset(node) + len(node.prefix) + len(node.quote))
        elif (role == "lookup" and last == self.symbol.old) or (role == "slots" and value == self.symbol.old):
            self._doubt(node)

    def _role(self, node: cst.SimpleString) -> str:
        for around in self.view.above(node):
            if isinstance(around, cst.Subscript):
                base = self.view.module.code_for_node(around.value)
                if base.endswith("Literal"):
                    return "other"
                if base in ("globals()", "vars()", "locals()") or base.endswith("__dict__"):
                    return "lookup"
            elif isinstance(around, cst.Annotation):
                return "type"
            elif isinstance(around, cst.Call):
                func = self.view.module.code_for_node(around.func)
                last = func.rpartition(".")[2]
                if last in _BY_STRING:
                    return "lookup"
                if last in _TYPE_STRINGS:
                    return "type"
                return "exports" if func.startswith("__all__.") else "other"
            elif isinstance(around, (cst.Assign, cst.AnnAssign, cst.AugAssign)):
                target = around.targets[0].target if isinstance(around, cst.Assign) else around.target
                spelled = getattr(target, "value", "")
                if spelled == "__all__":
                    return "exports"
                return (
                    "slots"
                    if spelled in ("__slots__", "__match_args__") and self._in_family(around)
                    else "other"
                )
        return "other"

    def _in_family(self, node: cst.CSTNode) -> bool:
        return self._class_around(node) in self.symbol.family

    def _type_string(self, node: cst.SimpleString, value: str) -> None:
        try:
            tree = ast.parse(value.strip(), mode="eval")
        except (SyntaxError, ValueError):
            return
        scope = self.view.scope(node)
        for inner in ast.walk(tree):
            if not isinstance(inner, (ast.Name, ast.Attribute)):
                continue
            last = inner.id if isinstance(inner, ast.Name) else inner.attr
            if (
                last != self.symbol.old
                or not self.view.meanings(ast.unparse(inner), scope) & self.symbol.names
            ):
                continue
            if node.raw_value != value or not value.isascii() or value != value.strip() or inner.lineno != 1:
                self._doubt(node)
                return
            begin = self.view.offset(node) + len(node.prefix) + len(node.quote)
            self.found.offsets.add(begin + (inner.end_col_offset or 0) - len(last))
            if isinstance(inner, ast.Name):
                self.found.bare.append((node, scope))


_OPEN = {
    "builtins.object",
    "builtins.type",
    "builtins.getattr",
    "builtins.next",
    "builtins.super",
    "typing.Any",
    "typing.Self",
}
"""Names that tell nothing about what a value is."""


def _parameters(node: cst.FunctionDef | cst.Lambda) -> Iterator[cst.Param]:
    parameters = node.params
    yield from (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)
    yield from (one for one in (parameters.star_arg, parameters.star_kwarg) if isinstance(one, cst.Param))


def _alternatives(tree: ast.expr) -> Iterator[ast.expr]:
    """The types of a union, without None."""
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.BitOr):
        yield from _alternatives(tree.left)
        yield from _alternatives(tree.right)
    elif isinstance(tree, ast.Subscript) and ast.unparse(tree.value).rpartition(".")[2] in (
        "Optional",
        "Annotated",
        "ClassVar",
    ):
        inner = tree.slice.elts[0] if isinstance(tree.slice, ast.Tuple) else tree.slice
        yield from _alternatives(inner)
    elif not (isinstance(tree, ast.Constant) and tree.value is None):
        yield tree
