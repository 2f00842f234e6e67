"""What class the value of an expression has, as far as it can be told by reading."""

import ast
from collections.abc import Iterator
from typing import Any

import libcst as cst
from libcst import metadata

from selfedit.editing.syntax.view import Classes, View, is_chain


class Values:
    """Whether values in one file have a member of a class: yes, no, or None where it cannot be told.

    Args:
        view: The file.
        classes: All live classes.
        owner: The class, by its full name; None for what is no member.
        family: The class and those below it.
    """

    def __init__(self, view: View, classes: Classes, owner: str | None, family: frozenset[str]) -> None:
        self.view = view
        self.classes = classes
        self.owner = owner
        self.family = family

    def in_class(self, name: str) -> bool | None:
        """Whether objects of a live class have the member."""
        if name in self.family:
            return True
        below = self.classes.descendants(name)
        return None if below & self.family else False

    def of_call(self, call: cst.Call) -> bool | None:
        """Whether what a call gives has the member."""
        if not is_chain(call.func):
            return None
        meanings = self.view.meanings(call.func)
        if isinstance(call.func, cst.Name) and call.func.value == "super" and "builtins.super" in meanings:
            around = self.class_around(call)
            if around is None or around == self.owner:
                return None
            return self.in_class(around)
        return self.of_class(meanings)

    def of_class(self, meanings: set[str]) -> bool | None:
        """Whether values of a class, or of whatever else has these full names, have the member."""
        if meanings & self.family:
            return True
        if meanings and all(name in self.classes.bases for name in meanings):
            return (
                None
                if any(self.in_class(name) is None for name in meanings) or self._is_above(meanings)
                else False
            )
        builtin = {name for name in meanings if name.startswith("builtins.") and name not in _OPEN}
        return False if meanings and builtin == meanings else None

    def _is_above(self, meanings: set[str]) -> bool:
        owner = self.owner
        return owner is not None and bool(meanings & self.classes.ancestors(owner))

    def of_chain(self, base: cst.BaseExpression) -> bool | None:
        """Whether the value of an expression that is no plain name has the member."""
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
                return self.of_class(self.view.meanings(base))
        return None

    def class_of_self(self, name: cst.Name) -> str | None:
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

    def class_around(self, node: cst.CSTNode) -> str | None:
        """The class that a node stands in, by its full name."""
        around = next((up for up in self.view.above(node) if isinstance(up, cst.ClassDef)), None)
        return self._full(around) if isinstance(around, cst.ClassDef) else None

    def _full(self, node: cst.ClassDef) -> str | None:
        return next(iter(self.view.meanings(node.name)), None)

    def of_variable(self, name: cst.Name) -> bool | None:
        """Whether what a name stands for has the member."""
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
                return self.of_call(value)
            return self.of_chain(value) if not is_chain(value) else None
        return None

    def _of_import(self, one: metadata.ImportAssignment) -> bool | None:
        names = {self.view.absolute(name.name) for name in one.get_qualified_names_for(one.name)}
        owner = self.owner
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
        known = self.of_class(meanings)
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
