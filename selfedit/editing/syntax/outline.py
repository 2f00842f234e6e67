"""The definitions of a tree by qualified name: what targets mean."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["function", "class", "constant"]
Definable = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True, eq=False)
class Definition:
    """A function, class or constant."""

    name: str
    """Qualified: `Chat.reply`; `outer.inner` for what stands inside of a function."""
    kind: Kind
    node: Definable
    block: tuple[ast.stmt, ...]
    """The statements beside it, itself included."""
    owner: ast.AST
    """What the block belongs to."""
    in_function: bool
    position: int
    """1-based among the definitions of the same name."""


def kind_of(node: Definable) -> Kind:
    """What a statement defines."""
    if isinstance(node, ast.ClassDef):
        return "class"
    return "constant" if isinstance(node, (ast.Assign, ast.AnnAssign)) else "function"


def blocks(node: ast.AST) -> Iterator[tuple[ast.AST, list[ast.stmt]]]:
    """The blocks of statements directly inside of a statement, each with the node that owns it, in source order."""
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        for_name = getattr(node, name, None)
        if not isinstance(for_name, list) or not for_name:
            continue
        if isinstance(for_name[0], ast.stmt):
            yield node, for_name
        elif isinstance(for_name[0], (ast.ExceptHandler, ast.match_case)):
            for inner in for_name:
                yield inner, inner.body


def assigned_names(node: ast.stmt) -> list[str]:
    """The plain names that an assignment gives a value."""
    if isinstance(node, ast.AnnAssign):
        return [node.target.id] if isinstance(node.target, ast.Name) else []
    targets = node.targets if isinstance(node, ast.Assign) else []
    names = (inner for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name))
    return [name.id for name in names if isinstance(name.ctx, ast.Store)]


def split_target(target: str) -> tuple[str, str]:
    """A target's qualified name, and its position where it has one."""
    name, _, position = target.replace(".<locals>.", ".").strip().partition("#")
    return name, position


def every(tree: ast.AST) -> Iterator[Definition]:
    """Every definition, in the order of the source."""
    return _numbered(_walk(tree, "", None, in_function=False))


def named(tree: ast.AST, name: str) -> Iterator[Definition]:
    """The definitions of one qualified name, in the order of the source."""
    return (one for one in _numbered(_walk(tree, "", name, in_function=False)) if one.name == name)


_Walked = tuple[str, Definable, tuple[ast.stmt, ...], ast.AST, bool]


def _numbered(walked: Iterator[_Walked]) -> Iterator[Definition]:
    counts: dict[str, int] = {}
    for name, node, block, owner, in_function in walked:
        counts[name] = counts.get(name, 0) + 1
        yield Definition(name, kind_of(node), node, block, owner, in_function, counts[name])


def _walk(node: ast.AST, prefix: str, wanted: str | None, *, in_function: bool) -> Iterator[_Walked]:
    """Definitions below a node; with `wanted`, none inside of those that this name cannot be in."""
    for owner, block in blocks(node):
        beside = tuple(block)
        for statement in block:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = prefix + statement.name
                yield name, statement, beside, owner, in_function
                if wanted is None or wanted.startswith(f"{name}."):
                    function = not isinstance(statement, ast.ClassDef)
                    yield from _walk(statement, f"{name}.", wanted, in_function=function)
            elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
                if not in_function:
                    for assigned in assigned_names(statement):
                        yield prefix + assigned, statement, beside, owner, in_function
            elif hasattr(statement, "body") or hasattr(statement, "cases"):
                yield from _walk(statement, prefix, wanted, in_function=in_function)


def is_string(node: ast.stmt) -> bool:
    """Whether a statement is a bare string."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def own_docstring(definition: Definition, index: int) -> ast.stmt | None:
    """The bare string that describes the constant above it."""
    following = definition.block[index + 1 : index + 2]
    if definition.kind == "constant" and following and is_string(following[0]):
        return following[0] if following[0].lineno > (definition.node.end_lineno or 0) else None
    return None
