"""How rules read a syntax tree: what is imported under which name, and where an expression begins."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

from policies.change import Source
from policies.decision import Finding, Severity

MUTATORS = frozenset(
    {
        *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft"),
        *(
            "remove",
            "reverse",
            "rotate",
            "setdefault",
            "sort",
            "subtract",
            "update",
            "__setitem__",
            "__delitem__",
        ),
    }
)
"""Methods that change a table, list, set, deque or counter in its place."""


@dataclass(frozen=True, slots=True)
class Import:
    """One name that an import brings.

    Attributes:
        node: The statement.
        module: What is imported, as a whole: `logging.os` for `from logging import os`.
        name: What it is called from there on.
        relative: Whether it is said relative to the file's own package.
    """

    node: ast.Import | ast.ImportFrom
    module: str
    name: str
    relative: bool


def nodes(source: Source) -> Iterator[ast.AST]:
    """Every node of a file; none where it does not parse."""
    if source.tree is not None:
        yield from ast.walk(source.tree)


def imports(node: ast.AST, path: str) -> Iterator[Import]:
    """What a node imports, if it does, into the file at `path`."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(node, alias.name, (alias.asname or alias.name).split(".")[0], relative=False)
    elif isinstance(node, ast.ImportFrom):
        package = path.split("/")[: -node.level] if node.level else []
        start = ".".join([*package, *([node.module] if node.module else [])])
        for alias in node.names:
            yield Import(node, f"{start}.{alias.name}", alias.asname or alias.name, relative=node.level > 0)


def imported(source: Source) -> frozenset[str]:
    """The names that stand for what is imported, those that are given to it later among them."""
    found = {each.name for node in nodes(source) for each in imports(node, source.path)}
    pairs = [pair for node in nodes(source) for pair in _renamings(node)]
    pairs += _handed_on(source)
    grown = True
    while grown:
        fresh = {name for name, value in pairs if root(value) in found} - found
        grown = bool(fresh)
        found |= fresh
    return frozenset(found)


def root(node: ast.AST) -> str:
    """The name with which `a.b[0].c` begins; empty where it begins with no name."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def dotted(node: ast.AST) -> str:
    """`re.compile` for such an expression, else the empty text."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def last(node: ast.AST) -> str:
    """The last name of `a.b.c`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def shown(node: ast.AST) -> str:
    """An expression or statement as people read it, in one line and not too long."""
    return ast.unparse(node).split("\n")[0][:120] if isinstance(node, (ast.expr, ast.stmt)) else ""


def at(
    source: Source, rule: str, node: ast.AST | int | None, message: str, severity: Severity = Severity.REFUSE
) -> Finding:
    """A finding at a node or line of a file."""
    line = node if isinstance(node, int) else getattr(node, "lineno", None)
    return Finding(rule=rule, severity=severity, path=source.path, line=line, message=message)


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is a text that stands for itself, as docstrings do."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def is_type_checking(test: ast.expr) -> bool:
    """Whether a condition is `TYPE_CHECKING`."""
    return last(test) == "TYPE_CHECKING"


def _renamings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Each name that a node binds, with each value that it may stand for."""
    targets: list[ast.expr]
    match node:
        case ast.Assign(targets=targets, value=value):
            pass
        case (
            ast.AnnAssign(target=target, value=ast.expr() as value)
            | ast.NamedExpr(target=target, value=value)
        ):
            targets = [target]
        case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
            targets = [target]
        case ast.comprehension(target=target, iter=value):
            targets = [target]
        case _:
            return
    names = [each.id for target in targets for each in ast.walk(target) if _is_stored(each)]
    yield from ((name, part) for name in names for part in _plain(value))


def _is_stored(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _plain(value: ast.expr) -> Iterator[ast.expr]:
    """What a value may be the same as, by whatever it is held in; what a call returns is something new."""
    match value:
        case ast.Name() | ast.Attribute() | ast.Subscript():
            yield value
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts) | ast.BoolOp(values=parts):
            yield from (each for part in parts for each in _plain(part))
        case ast.Dict(values=parts):
            yield from (each for part in parts for each in _plain(part))
        case ast.IfExp(body=body, orelse=other):
            yield from _plain(body)
            yield from _plain(other)
        case ast.Starred(value=inner) | ast.NamedExpr(value=inner):
            yield from _plain(inner)
        case _:
            return


def _handed_on(source: Source) -> list[tuple[str, ast.expr]]:
    """Parameters of the file's own functions, with the values that are given to them there."""
    own = {
        node.name: node.args
        for node in nodes(source)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    found: list[tuple[str, ast.expr]] = []
    for node in nodes(source):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in own:
            names = [argument.arg for argument in [*own[node.func.id].posonlyargs, *own[node.func.id].args]]
            found += [
                (name, part) for name, value in zip(names, node.args, strict=False) for part in _plain(value)
            ]
            found += [(word.arg, part) for word in node.keywords if word.arg for part in _plain(word.value)]
    return found
