"""Rules about tests: what stands stays, what is new means something, and the test runner is left alone."""

import ast
from collections import Counter
from collections.abc import Iterator

from policies.change import Pair, Source
from policies.decision import Finding
from policies.file_rules import BY_HAND
from policies.load import Rules

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def weakened_test(pair: Pair, _rules: Rules) -> Iterator[Finding]:
    """What a test demands today it demands tomorrow; a proposal adds tests and never changes one."""
    if pair.old is None or not pair.old.is_test:
        return
    if pair.new is None:
        yield _weak(pair, f"{pair.path} is taken away, and tests may only be added; {BY_HAND}")
    elif not pair.old.is_python:
        yield _weak(pair, f"{pair.path} is what tests compare with, and may not be changed; {BY_HAND}")
    elif pair.old.tree is not None and pair.new.tree is not None:
        yield from _changed(pair, pair.old.tree, pair.new.tree)


def pytest_machinery(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A hook or plugin has its hand in the test runner itself."""
    if source.path.rpartition("/")[2].lower() == "conftest.py":
        yield _machinery(source, None, f"{source.path} would configure the test runner")
    if source.tree is None:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("pytest_"):
            yield _machinery(source, node.lineno, f"`{node.name}` is a hook into the test runner")
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in _RUNNER_NAMES:
            yield _machinery(source, node.lineno, f"`{node.id}` tells the test runner what to do")
        elif source.is_test and isinstance(node, ast.keyword) and node.arg == "autouse":
            yield _machinery(
                source, node.value.lineno, "an `autouse` fixture reaches into tests that did not ask for it"
            )


def skipped_test(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A new test that does not run, or may fail, proves nothing."""
    if not source.is_test or source.tree is None:
        return
    for node in ast.walk(source.tree):
        name = node.attr if isinstance(node, ast.Attribute) else ""
        empty = isinstance(node, ast.Call) and _is_parametrize(node) and _is_empty(node)
        if name in ("skip", "skipif", "xfail", "importorskip", "SkipTest", "skipTest") or empty:
            what = ast.unparse(node)[:80] if isinstance(node, ast.expr) else name
            line = getattr(node, "lineno", None)
            message = f"`{what}` leaves the test out; a new test has to run and to pass"
            yield Finding(rule="skipped_test", path=source.path, line=line, message=message)


def asserts_nothing(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A test that cannot fail is no test."""
    if not source.is_test or source.tree is None:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            if not any(_demands(inner) for inner in ast.walk(node)):
                message = f"`{node.name}` asserts nothing that could be false; say what has to hold"
                yield Finding(rule="asserts_nothing", path=source.path, line=node.lineno, message=message)
            elif any(_swallows(inner) for inner in ast.walk(node)):
                message = f"`{node.name}` catches its own failing assertions; let them through"
                yield Finding(rule="asserts_nothing", path=source.path, line=node.lineno, message=message)


def _changed(pair: Pair, old: ast.Module, new: ast.Module) -> Iterator[Finding]:
    kept = Counter(ast.dump(statement) for statement in new.body)
    fresh = list(new.body)
    for statement in old.body:
        if _is_docstring(statement):
            continue
        dump = ast.dump(statement)
        if kept[dump]:
            kept[dump] -= 1
            fresh.remove(next(each for each in fresh if ast.dump(each) == dump))
        elif not isinstance(statement, (ast.Import, ast.ImportFrom)) or not _bound(statement) <= _all_bound(
            new
        ):
            what = getattr(statement, "name", None) or ast.unparse(statement).split("\n")[0][:60]
            message = f"`{what}` in {pair.path} is changed or gone, and tests may only be added; add a new one, or {BY_HAND}"
            yield _weak(pair, message, statement.lineno)
    names = {name for statement in old.body for _, name in _bound(statement)}
    asked = {
        argument.arg for node in ast.walk(old) if isinstance(node, _Function) for argument in node.args.args
    }
    for statement in fresh:
        if isinstance(statement, (ast.Import, ast.ImportFrom)) and _bound(statement) & _all_bound(old):
            continue  # an import that grew: the names that were there still mean the same
        for _, name in sorted(_bound(statement)):
            if name in names or name in asked:
                message = f"`{name}` in {pair.path} would take the place of what tests there use; choose another name"
                yield _weak(pair, message, statement.lineno)


def _bound(statement: ast.stmt) -> frozenset[tuple[str, str]]:
    """What a statement binds: origin (of an import) and name."""
    match statement:
        case ast.Import(names=names):
            return frozenset((alias.name, alias.asname or alias.name.split(".")[0]) for alias in names)
        case ast.ImportFrom(module=module, level=level, names=names):
            return frozenset(
                (f"{'.' * level}{module or ''}.{alias.name}", alias.asname or alias.name) for alias in names
            )
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return frozenset({("", name)})
        case _:
            stored = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
            return frozenset(("", node.id) for node in stored if not isinstance(node.ctx, ast.Load))


def _all_bound(tree: ast.Module) -> frozenset[tuple[str, str]]:
    return frozenset(pair for statement in tree.body for pair in _bound(statement))


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _demands(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return not _always_true(node.test)
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return name in ("raises", "warns", "fail") or str(name).lstrip("_").startswith(
            ("assert", "check", "expect")
        )
    return False


def _always_true(test: ast.expr) -> bool:
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case ast.Tuple(elts=elements):
            return bool(elements)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(_always_true(value) for value in values)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_always_true(value) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=ast.Constant(value=value)):
            return not value
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is() | ast.LtE() | ast.GtE()], comparators=[right]):
            return ast.dump(left) == ast.dump(right) and not any(
                isinstance(node, ast.Call) for node in ast.walk(left)
            )
        case _:
            return False


def _swallows(node: ast.AST) -> bool:
    if not isinstance(node, ast.Try) or not any(
        isinstance(inner, ast.Assert) for part in node.body for inner in ast.walk(part)
    ):
        return False
    wide = ("Exception", "BaseException", "AssertionError")
    for clause in node.handlers:
        caught = (
            [each.id for each in ast.walk(clause.type) if isinstance(each, ast.Name)]
            if clause.type
            else [wide[0]]
        )
        raises = any(
            isinstance(inner, (ast.Raise, ast.Assert)) for part in clause.body for inner in ast.walk(part)
        )
        if not raises and any(name in wide for name in caught):
            return True
    return False


def _is_parametrize(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "parametrize"


def _is_empty(node: ast.Call) -> bool:
    values = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "argvalues")]
    return any(isinstance(value, (ast.List, ast.Tuple)) and not value.elts for value in values)


def _weak(pair: Pair, message: str, line: int | None = None) -> Finding:
    return Finding(rule="weakened_test", path=pair.path, line=line, message=message)


def _machinery(source: Source, line: int | None, message: str) -> Finding:
    return Finding(rule="pytest_machinery", path=source.path, line=line, message=f"{message}; {BY_HAND}")


_RUNNER_NAMES = frozenset(
    {"pytest_plugins", "collect_ignore", "collect_ignore_glob", "__test__", "pytestmark"}
)
