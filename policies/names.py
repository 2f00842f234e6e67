"""How rules read a syntax tree: what is imported under which name, and where an expression begins."""

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
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
        *("__iadd__", "__iand__", "__imul__", "__ior__", "__isub__", "__ixor__"),
    }
)
"""Methods that change a table, list, set, deque or counter in its place."""
_IN_PLACE = frozenset(
    {
        *(
            "heappush",
            "heappop",
            "heapify",
            "heapreplace",
            "heappushpop",
            "insort",
            "insort_left",
            "insort_right",
        ),
        *("setitem", "delitem", "iadd", "iand", "iconcat", "ior", "isub", "shuffle"),
    }
)
"""Functions that change what they are handed first."""
_TYPES = frozenset({"list", "dict", "set", "bytearray", "deque", "Counter", "defaultdict", "OrderedDict"})


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
    return standing_for(source, {each.name for node in source.nodes for each in imports(node, source.path)})


def origins(source: Source) -> dict[str, str]:
    """What each imported name stands for, in full: `typing.Any` where `from typing import Any as Whatever` stands."""
    found: dict[str, str] = {}
    for node in source.nodes:
        for each in imports(node, source.path):
            whole = isinstance(node, ast.Import) and all(alias.asname != each.name for alias in node.names)
            found[each.name] = each.name if whole else each.module
    return found


def meant(node: ast.AST, known: Mapping[str, str]) -> str:
    """`typing.Any` for whatever expression reaches it by an imported name; empty where it begins with none."""
    first, dot, rest = dotted(node).partition(".")
    return f"{known[first]}{dot}{rest}" if first in known else ""


def standing_for(source: Source, start: Collection[str]) -> frozenset[str]:
    """Some names of a file, and those to which they are given."""
    pairs = [pair for node in source.nodes for pair in renamings(node)]
    pairs += [pair for given in handed_on(source).values() for pair in given]
    return closed(start, pairs)


def closed(start: Collection[str], pairs: Sequence[tuple[str, ast.expr]]) -> frozenset[str]:
    """Some names, and all that stand for them by these pairs of a name and what it is given."""
    found = set(start)
    grown = True
    while grown:
        fresh = {name for name, value in pairs if root(value) in found} - found
        grown = bool(fresh)
        found |= fresh
    return frozenset(found)


def changed_by(call: ast.Call) -> ast.expr | None:
    """What a call changes in its place: `a` for `a.append(1)`, `list.append(a, 1)` and `heappush(a, 1)`."""
    func = call.func
    if call.args and (
        last(func) in _IN_PLACE
        or (isinstance(func, ast.Attribute) and func.attr in MUTATORS and last(func.value) in _TYPES)
    ):
        return call.args[0]
    return func.value if isinstance(func, ast.Attribute) and func.attr in MUTATORS else None


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


def renamings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
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


def handed_on(source: Source) -> dict[str, list[tuple[str, ast.expr]]]:
    """By the name of each of the file's own functions: its parameters, with the values that are given to them there."""
    own = {
        node.name: node.args
        for node in source.nodes
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    whole: dict[str, list[tuple[str, ast.expr]]] = {}
    for node in source.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in own:
            found = whole.setdefault(node.func.id, [])
            names = [argument.arg for argument in [*own[node.func.id].posonlyargs, *own[node.func.id].args]]
            found += [
                (name, part) for name, value in zip(names, node.args, strict=False) for part in _plain(value)
            ]
            found += [(word.arg, part) for word in node.keywords if word.arg for part in _plain(word.value)]
    return whole


def own_methods(source: Source) -> frozenset[str]:
    """The names of the methods that the classes of a file have."""
    return frozenset(
        inner.name
        for node in source.nodes
        if isinstance(node, ast.ClassDef)
        for inner in node.body
        if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef))
    )


def is_core(name: str) -> bool:
    """Whether a name is that of a module which is out of reach wherever it is found."""
    return name.strip("_") in _CORE


_CORE = frozenset(
    {
        *(
            "os",
            "posix",
            "sys",
            "builtins",
            "subprocess",
            "importlib",
            "ctypes",
            "socket",
            "threading",
            "signal",
        ),
        *("gc", "inspect", "pickle", "marshal", "shutil", "runpy", "atexit", "multiprocessing", "traceback"),
    }
)


EVALUATES = re.compile(r"get_type_hints|ForwardRef|evaluate_forward_ref|ImportString|PyObject|dictConfig")
"""What evaluates texts."""


STARTS = re.compile(
    r"create_subprocess_exec|create_subprocess_shell|subprocess_exec|subprocess_shell|_exit|"
    r"open_connection|open_unix_connection|start_server|start_unix_server|create_connection|create_server|"
    r"create_unix_connection|create_unix_server|create_datagram_endpoint|connect_read_pipe|connect_write_pipe|"
    r"getaddrinfo|getnameinfo|sock_\w+|run_in_executor|set_task_factory|set_exception_handler|set_default_executor|"
    r"add_reader|add_writer|add_signal_handler|all_tasks|"
    r"FunctionType|CodeType"
)
"""What starts processes, threads and connections, and what speaks for the whole loop."""
