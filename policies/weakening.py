"""Rules about tests: what stands stays, what is new means something, and the test runner is left alone."""

import ast
import builtins
from collections import Counter
from collections.abc import Iterator

from policies.change import Pair, Source
from policies.decision import Finding, Severity
from policies.file_rules import BY_HAND
from policies.load import Rules
from policies.names import at, imports, is_text, last, nodes, root, shown

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
        elif source.is_test and (reached := _of_runner(node)):
            yield _machinery(
                source, getattr(node, "lineno", None), f"`{reached}` reaches into the test runner"
            )


def replaces_subject(source: Source, rules: Rules) -> Iterator[Finding]:
    """A test that puts something else in the place of what it tests proves nothing; one that leaves it there lies."""
    if not source.is_test or source.tree is None:
        return
    live = tuple(zone.replace("/", ".") for zone in rules.zones.live)
    subjects = {
        each.name
        for node in nodes(source)
        for each in imports(node, source.path)
        if each.module.startswith(live)
    }
    mocks = any(
        each.module.startswith("unittest") for node in nodes(source) for each in imports(node, source.path)
    )
    noted = {id(part) for node in nodes(source) for note in _annotations(node) for part in ast.walk(note)}
    for node in nodes(source):
        name = last(node)
        lasting = name == "MonkeyPatch" and id(node) not in noted
        if lasting or (mocks and isinstance(node, ast.Attribute) and name in ("start", "stopall")):
            message = f"`{shown(node)}` outlives the test that asked for it; take the `monkeypatch` fixture"
            yield at(source, "replaces_subject", node, message)
        elif isinstance(node, ast.Call) and last(node.func) in _PATCHES and _is_subject(node, subjects, live):
            message = f"`{shown(node)}` puts something else in the place of what is to be tested"
            yield at(source, "replaces_subject", node, message, Severity.REVIEW)


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
    told: set[str] = set()
    for statement in old.body:
        if is_text(statement):
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
            told.update(name for _, name in _bound(statement))
    names = {name for statement in old.body for _, name in _bound(statement)}
    names |= {node.id for node in ast.walk(old) if isinstance(node, ast.Name) and node.id in dir(builtins)}
    asked = {
        argument.arg for node in ast.walk(old) if isinstance(node, _Function) for argument in node.args.args
    }
    for statement in fresh:
        if isinstance(statement, (ast.Import, ast.ImportFrom)) and _bound(statement) & _all_bound(old):
            continue  # an import that grew: the names that were there still mean the same
        for _, name in sorted(_bound(statement)):
            if name not in told and (name in names or name in asked):
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


def _demands(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return not _always_true(node.test)
    if isinstance(node, ast.Call):
        name = last(node.func)
        if name == "raises":
            return not any(last(argument) in _WIDE for argument in node.args)
        return name in ("warns", "fail") or name.lstrip("_").startswith(("assert", "check", "expect"))
    return False


def _always_true(test: ast.expr) -> bool:
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case (
            ast.Tuple(elts=elements)
            | ast.List(elts=elements)
            | ast.Set(elts=elements)
            | ast.Dict(values=elements)
        ):
            return bool(elements)
        case ast.Lambda() | ast.GeneratorExp():
            return True
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="len")), ops=[ast.GtE()], comparators=[ast.Constant(value=0)]
        ):
            return True
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
    if isinstance(node, (ast.With, ast.AsyncWith)):
        calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
        wide = any(
            last(call.func) == "suppress" and any(last(argument) in _WIDE for argument in call.args)
            for call in calls
        )
        return wide and any(isinstance(inner, ast.Assert) for inner in ast.walk(node))
    if not isinstance(node, ast.Try) or not any(
        isinstance(inner, ast.Assert) for part in node.body for inner in ast.walk(part)
    ):
        return False
    for clause in node.handlers:
        caught = (
            [each.id for each in ast.walk(clause.type) if isinstance(each, ast.Name)]
            if clause.type
            else [_WIDE[0]]
        )
        raises = any(
            isinstance(inner, (ast.Raise, ast.Assert)) for part in clause.body for inner in ast.walk(part)
        )
        if not raises and any(name in _WIDE for name in caught):
            return True
    return False


def _is_parametrize(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "parametrize"


def _is_empty(node: ast.Call) -> bool:
    values = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "argvalues")]
    return any(isinstance(value, (ast.List, ast.Tuple)) and not value.elts for value in values)


def _weak(pair: Pair, message: str, line: int | None = None) -> Finding:
    return Finding(rule="weakened_test", path=pair.path, line=line, message=message)


def _of_runner(node: ast.AST) -> str:
    """What reaches from a test into the runner: its session, its settings, or more of it than tests need."""
    if isinstance(node, ast.arg) and node.arg in ("pytestconfig", "pytester", "testdir"):
        return node.arg
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        strange = [each.module for each in imports(node, "") if _is_inner(each.module)]
        return strange[0] if strange else ""
    if not isinstance(node, ast.Attribute):
        return ""
    of_request = root(node) == "request" and node.attr in ("session", "config")
    of_pytest = root(node) == "pytest" and isinstance(node.value, ast.Name) and node.attr not in _OF_PYTEST
    return shown(node) if of_request or of_pytest or node.attr in _STEERS else ""


def _is_inner(module: str) -> bool:
    """Whether a module or name is more of the test libraries than tests need."""
    first, _, rest = module.partition(".")
    known = {"pytest": _OF_PYTEST, "hypothesis": _OF_HYPOTHESIS}.get(first)
    return known is not None and rest.partition(".")[0] not in known | {""}


def _annotations(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.arg(annotation=ast.expr() as note) | ast.AnnAssign(annotation=note):
            yield note
        case ast.FunctionDef(returns=ast.expr() as note) | ast.AsyncFunctionDef(returns=ast.expr() as note):
            yield note
        case _:
            return


def _is_subject(call: ast.Call, subjects: set[str], live: tuple[str, ...]) -> bool:
    target = call.args[0] if call.args else None
    if isinstance(target, ast.Constant):
        return isinstance(target.value, str) and target.value.startswith(live)
    return target is not None and root(target) in subjects


def _machinery(source: Source, line: int | None, message: str) -> Finding:
    return Finding(rule="pytest_machinery", path=source.path, line=line, message=f"{message}; {BY_HAND}")


_RUNNER_NAMES = frozenset(
    {"pytest_plugins", "collect_ignore", "collect_ignore_glob", "__test__", "pytestmark"}
)
_WIDE = ("Exception", "BaseException", "AssertionError")
_PATCHES = frozenset(
    {"setattr", "setitem", "delattr", "delitem", "patch", "object", "dict", "create_autospec"}
)
_STEERS = frozenset({"pluginmanager", "hookimpl", "register_profile", "load_profile"})
_OF_PYTEST = frozenset(
    {
        *("mark", "fixture", "raises", "warns", "approx", "param", "fail", "skip", "xfail", "importorskip"),
        *("MonkeyPatch", "FixtureRequest", "LogCaptureFixture", "CaptureFixture", "TempPathFactory"),
        *("ExceptionInfo", "RaisesGroup", "RaisesExc", "WarningsRecorder"),
    }
)
"""What a test may use of pytest; of these, what leaves a test out is another rule's matter."""
_OF_HYPOTHESIS = frozenset(
    {
        "given",
        "strategies",
        "settings",
        "assume",
        "example",
        "note",
        "event",
        "target",
        "HealthCheck",
        "reject",
    }
)
