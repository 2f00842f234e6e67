"""Which of the places that spell a name mean the symbol that gets another one: yes, no, or it cannot be told."""

import ast
from dataclasses import dataclass, field

import libcst as cst
from libcst import metadata

from selfedit.editing.syntax.values import Values
from selfedit.editing.syntax.view import Classes, View, is_chain, mentions

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
        self.values = Values(view, classes, symbol.owner, symbol.family)
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
            if self.view.meanings(node, scope) & self.symbol.names and not _keeps_name(scope, node.value):
                self._take(node)
                self.found.bare.append((node, scope))

    def _import(self, node: cst.ImportFrom) -> None:
        source = self.view.source_of(node)
        if isinstance(node.names, cst.ImportStar):
            if self.classes.canonical(f"{source}.{self.symbol.old}") in self.symbol.names and self._unbound():
                self._doubt(node)
            return
        for alias in node.names:
            name = alias.name
            if (
                isinstance(name, cst.Name)
                and name.value == self.symbol.old
                and self.classes.canonical(f"{source}.{name.value}") in self.symbol.names
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
            return self.values.of_call(base)
        if not isinstance(base, cst.Name):
            return self.values.of_chain(base)
        own = self.values.class_of_self(base)
        if own is not None:
            return self.values.in_class(own)
        return self.values.of_variable(base)

    def _keyword(self, arg: cst.Arg, name: cst.Name) -> None:
        if not self.symbol.is_field:
            return
        call = self.view.parent(arg)
        func = call.func if isinstance(call, cst.Call) else None
        last = func.attr.value if isinstance(func, cst.Attribute) else getattr(func, "value", "")
        meanings = self.view.meanings(func) if func is not None and is_chain(func) else set()
        own = self.values.class_of_self(func) if isinstance(func, cst.Name) else None
        if meanings & self.symbol.family or own in self.symbol.family:
            self._take(name)
        elif last in _COPIES:
            self._doubt(call)

    def _keyword_pattern(self, element: cst.MatchKeywordElement, name: cst.Name) -> None:
        if self.symbol.owner is None:
            return
        pattern = self.view.parent(element)
        answer = (
            self.values.of_class(self.view.meanings(pattern.cls))
            if isinstance(pattern, cst.MatchClass)
            else None
        )
        if answer:
            self._take(name)
        elif answer is None:
            self._doubt(pattern)

    def _string(self, node: cst.SimpleString) -> None:
        value = node.evaluated_value
        if not isinstance(value, str):
            return
        if self.classes.canonical(value) in self.symbol.names:
            self._doubt(node)
            return
        last = value.rpartition(".")[2]
        role = self._role(node)
        if role == "type":
            self._type_string(node, value)
        elif role == "exports" and value == self.symbol.old:
            if self.classes.canonical(f"{self.view.dotted}.{value}") in self.symbol.names:
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
        return self.values.class_around(node) in self.symbol.family

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


def _keeps_name(scope: metadata.Scope, name: str) -> bool:
    """Whether a name comes from an import that says `as`, and so stays what it is."""
    found = [one for one in scope[name] if isinstance(one, metadata.ImportAssignment)]
    return bool(found) and all(_has_alias(one) for one in found)


def _has_alias(one: metadata.ImportAssignment) -> bool:
    names = getattr(one.node, "names", ())
    return not isinstance(names, cst.ImportStar) and any(alias.evaluated_alias == one.name for alias in names)
