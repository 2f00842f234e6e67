"""One live file as renaming sees it: a libcst tree with scopes, and what each name stands for across files."""

import ast
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import libcst as cst
from libcst import metadata
from libcst.helpers import get_full_name_for_node

from selfedit.editing.syntax.document import Document
from selfedit.editing.syntax.text import No
from selfedit.editing.syntax.tree import parse_module

_LONGEST_RELAY = 20
"""Modules that may hand a name on to each other before it is taken for a circle."""


class View:
    """A parsed file with its place among the live modules."""

    def __init__(self, path: str, document: Document, module: cst.Module, names: "Classes") -> None:
        self.path = path
        self.names = names
        self.document = document
        self.dotted = dotted(path)
        is_package = path.endswith("__init__.py")
        self.package = self.dotted if is_package else self.dotted.rpartition(".")[0]
        wrapper = metadata.MetadataWrapper(module, unsafe_skip_copy=True)
        self.module = wrapper.module
        self._scopes = wrapper.resolve(metadata.ScopeProvider)
        self._parents = wrapper.resolve(metadata.ParentNodeProvider)
        self._positions = wrapper.resolve(metadata.PositionProvider)

    @classmethod
    def read(cls, path: str, text: str, names: "Classes") -> "View | No":
        """Parse a file.

        Args:
            path: Its path; the module's dotted name is taken from it.
            text: Its text without a byte order mark.
            names: What the live files define and hand on.
        """
        document = Document.read(text, path)
        if isinstance(document, No):
            return document
        module = parse_module(text, document.tree)
        if isinstance(module, No):
            return No(module.rule, f"{path}: {module.message}")
        return cls(path, document, module, names)

    @cached_property
    def nodes(self) -> tuple[cst.CSTNode, ...]:
        """Every node, in the order of the source."""
        found: list[cst.CSTNode] = []
        stack: list[cst.CSTNode] = [self.module]
        while stack:
            node = stack.pop()
            found.append(node)
            stack.extend(reversed(node.children))
        return tuple(found)

    def parent(self, node: cst.CSTNode) -> Any:
        """The node around a node; None around the module."""
        return self._parents.get(node)

    def above(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes around a node, inner ones first."""
        around = self.parent(node)
        while around is not None:
            yield around
            around = self.parent(around)

    def scope(self, node: cst.CSTNode) -> metadata.Scope:
        """The scope that a node's names are looked up in."""
        for around in (node, *self.above(node)):
            scope = self._scopes.get(around)
            if scope is not None:
                return scope
        raise KeyError(node)

    def is_label(self, node: cst.Name) -> bool:
        """Whether a name is not looked up in a scope: an attribute, a keyword, a part of an import."""
        parent = self.parent(node)
        return (
            (isinstance(parent, cst.Attribute) and parent.attr is node)
            or (isinstance(parent, cst.Arg) and parent.keyword is node)
            or (isinstance(parent, cst.MatchKeywordElement) and parent.key is node)
            or any(isinstance(around, (cst.ImportAlias, cst.ImportFrom)) for around in self.above(node))
        )

    def line(self, node: cst.CSTNode) -> int:
        """The 1-based line that a node begins in."""
        return int(self._positions[node].start.line)

    def offset(self, node: cst.CSTNode) -> int:
        """Offset of a node's first character."""
        start = self._positions[node].start
        return int(self.document.lines.starts[start.line - 1] + start.column)

    def meanings(self, node: cst.CSTNode | str, scope: metadata.Scope | None = None) -> set[str]:
        """Full dotted names that a name or a chain of attributes may stand for; empty where that cannot be told."""
        if isinstance(node, cst.CSTNode):
            scope = scope or self.scope(node)
        if scope is None:
            return set()
        found = set()
        for name in scope.get_qualified_names_for(node):
            if name.source is metadata.QualifiedNameSource.IMPORT:
                found.add(self.names.canonical(self.absolute(name.name)))
            elif name.source is metadata.QualifiedNameSource.LOCAL:
                found.add(self.names.canonical(f"{self.dotted}.{name.name}"))
            else:
                found.add(name.name)
        return found

    def absolute(self, name: str) -> str:
        """A relative module name as an absolute one."""
        bare = name.lstrip(".")
        dots = len(name) - len(bare)
        if not dots:
            return name
        parts = self.package.split(".")
        base = parts[: len(parts) - dots + 1]
        return ".".join([*base, bare] if bare else base)

    def source_of(self, node: cst.ImportFrom) -> str:
        """The full name of the module that a statement imports from."""
        name = get_full_name_for_node(node.module) if node.module else ""
        return self.absolute("." * len(node.relative) + (name or ""))


def dotted(path: str) -> str:
    """The dotted name that a file is imported by, from the root or from `src`."""
    bare = path.removesuffix(".py").removesuffix("/__init__").removeprefix("src/")
    return bare.replace("/", ".")


def is_chain(node: cst.CSTNode) -> bool:
    """Whether a node is a name, or attributes of a name."""
    while isinstance(node, cst.Attribute):
        node = node.value
    return isinstance(node, cst.Name)


def mentions(text: str, name: str) -> bool:
    """Whether a text has a name as a word."""
    return name in text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


class Classes:
    """The classes of all live files with their bases, and what modules hand on of others, by full name."""

    def __init__(self) -> None:
        self._handed_on: dict[str, str] = {}
        self.bases: dict[str, tuple[str, ...]] = {}
        self.members: dict[str, set[str]] = {}
        """Names of each class's body, and what its methods give `self`."""

    def add(self, path: str, tree: ast.Module) -> None:
        """Take the classes of one file up."""
        package = dotted(path) if path.endswith("__init__.py") else dotted(path).rpartition(".")[0]
        imported: dict[str, str] = {}
        for node in _outside_functions(tree):
            if isinstance(node, ast.Import):
                imported.update(
                    {
                        a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0]
                        for a in node.names
                    }
                )
            elif isinstance(node, ast.ImportFrom):
                parts = package.split(".")
                base = ".".join(
                    [*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])]
                )
                source = base if node.level else (node.module or "")
                imported.update({a.asname or a.name: f"{source}.{a.name}" for a in node.names})
        module = dotted(path)
        self._handed_on.update(
            {f"{module}.{name}": full for name, full in imported.items() if f"{module}.{name}" != full}
        )
        self._inside(module, tree, imported, module)

    def _inside(self, prefix: str, node: ast.AST, imported: dict[str, str], module: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                name = f"{prefix}.{child.name}"
                bases = [base.value if isinstance(base, ast.Subscript) else base for base in child.bases]
                self.bases[name] = tuple(_full(ast.unparse(base), imported, module) for base in bases)
                self.members[name] = _members(child)
                self._inside(name, child, imported, module)
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._inside(f"{prefix}.{child.name}.<locals>", child, imported, module)
            elif isinstance(child, ast.stmt):
                self._inside(prefix, child, imported, module)

    def canonical(self, name: str) -> str:
        """The name under which something is defined, for one under which it may be imported."""
        for _ in range(_LONGEST_RELAY):
            parts = name.split(".")
            heads = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
            head = next((head for head in heads if head in self._handed_on), None)
            if head is None:
                break
            name = self._handed_on[head] + name[len(head) :]
        return name

    def ancestors(self, name: str) -> set[str]:
        """All bases of a class, also those that are not live."""
        found: set[str] = set()
        rest = [self.canonical(base) for base in self.bases.get(name, ())]
        while rest:
            base = rest.pop()
            if base not in found:
                found.add(base)
                rest.extend(self.canonical(other) for other in self.bases.get(base, ()))
        return found

    def descendants(self, name: str) -> set[str]:
        """All live classes below a class."""
        return {other for other in self.bases if name in self.ancestors(other)}


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        if isinstance(child, (ast.If, ast.Try, ast.With, ast.ExceptHandler)):
            yield from _outside_functions(child)


def _full(name: str, imported: dict[str, str], module: str) -> str:
    first, dot, rest = name.partition(".")
    return f"{imported[first]}{dot}{rest}" if first in imported else f"{module}.{name}"


def _members(node: ast.ClassDef) -> set[str]:
    found = set()
    for child in ast.walk(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and child is not node:
            found.add(child.name)
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            found.add(child.id)
        elif isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store):
            found.add(child.attr)
    return found
