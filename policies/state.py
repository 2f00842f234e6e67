"""What is kept from one answer to the next by way of objects and functions that are handed on."""

import ast
from collections.abc import Collection, Iterator

from policies.change import Source
from policies.decision import Finding, Severity
from policies.names import at, changed_by, last, root, shown

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def keeps_objects(source: Source, tree: ast.Module) -> Iterator[Finding]:
    """An object that lasts, or a function that holds a table, remembers as well as a table at the top of a file does."""
    yield from _lasting_objects(source, tree)
    yield from _held_by_functions(source)
    yield from _handed_to_partial(source)
    for statement in tree.body:
        value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
        if isinstance(value, ast.Attribute) and value.attr in ("__next__", "send"):
            yield _kept(source, statement, "goes on from where it was left, whoever asks")


def _lasting_objects(source: Source, tree: ast.Module) -> Iterator[Finding]:
    """Objects that are made once, of classes whose methods change them."""
    changing = {
        each.name
        for each in source.nodes
        if isinstance(each, ast.ClassDef) and any(_changes_itself(method) for method in each.body)
    }
    for statement in tree.body:
        lasts = isinstance(statement, (ast.Assign, ast.AnnAssign)) or (
            isinstance(statement, _Function) and statement.name == "setup"
        )
        for node in ast.walk(statement) if lasts else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in changing:
                yield _kept(source, node, "lasts until the code changes, and is changed by its methods")


def _held_by_functions(source: Source) -> Iterator[Finding]:
    """Tables that a function makes for another one, which is handed on and changes them."""
    called = {id(node.func) for node in source.nodes if isinstance(node, ast.Call)}
    handed_on = {node.id for node in source.nodes if isinstance(node, ast.Name) and id(node) not in called}
    for outer in source.nodes:
        if not isinstance(outer, _Function):
            continue
        made = _stored(outer)
        for inner in ast.walk(outer):
            if inner is outer or not isinstance(inner, _Function) or inner.name not in handed_on:
                continue
            for node in _changed(inner, made - _stored(inner) - _arguments(inner)):
                yield _kept(source, node, "is remembered by a function that is handed on")


def _handed_to_partial(source: Source) -> Iterator[Finding]:
    """New tables that `partial` gives to a function which changes them."""
    own = {node.name: node for node in source.nodes if isinstance(node, _Function)}
    for node in source.nodes:
        if not (isinstance(node, ast.Call) and last(node.func) == "partial" and node.args):
            continue
        function = own.get(last(node.args[0]))
        if function is None:
            continue
        names = [each.arg for each in [*function.args.posonlyargs, *function.args.args]]
        given = [*zip(names, node.args[1:], strict=False)]
        given += [(word.arg, word.value) for word in node.keywords if word.arg]
        tables = {name for name, value in given if isinstance(value, _NEW)}
        for changed in _changed(function, tables):
            yield _kept(source, changed, "is remembered by what `partial` makes")


def _changes_itself(method: ast.stmt) -> bool:
    if not isinstance(method, _Function) or method.name in _WHILE_MADE:
        return False
    own = [*method.args.posonlyargs, *method.args.args][:1]
    return any(True for _ in _changed(method, {each.arg for each in own}))


def _changed(function: _Function, names: Collection[str]) -> Iterator[ast.AST]:
    """Where a function changes what one of some names stands for, or takes the next of it."""
    for node in ast.walk(function):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            if root(node) in names:
                yield node
        elif isinstance(node, ast.Call):
            changed = changed_by(node)
            takes = node.args[0] if last(node.func) == "next" and node.args else None
            if any(each is not None and root(each) in names for each in (changed, takes)):
                yield node


def _stored(function: _Function) -> set[str]:
    return {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _arguments(function: _Function) -> set[str]:
    return {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}


def _kept(source: Source, node: ast.AST, how: str) -> Finding:
    return at(source, "keeps_state", node, f"`{shown(node)}` {how}", Severity.REVIEW)


_WHILE_MADE = frozenset({"__init__", "__post_init__", "__new__", "__enter__", "__aenter__"})
_NEW = (ast.List, ast.Dict, ast.Set, ast.Call, ast.ListComp, ast.DictComp, ast.SetComp)
