"""Rules about tests: what stands stays, and the test runner is left alone."""

import ast
import builtins
from collections import Counter
from collections.abc import Iterator

from policies.change import Pair, Source
from policies.decision import Finding
from policies.file_rules import BY_HAND
from policies.load import Rules
from policies.names import changed_by, imports, is_text, last, root, shown

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
    asks = any(_is_request(node) for node in ast.walk(source.tree))
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("pytest_"):
            yield _machinery(source, node.lineno, f"`{node.name}` is a hook into the test runner")
        elif steering := _steering(node):
            line = getattr(node, "lineno", None)
            yield _machinery(source, line, f"`{steering}` tells the test runner what to do")
        elif source.is_test and isinstance(node, _Function) and node.name in _AROUND_TESTS:
            yield _machinery(source, node.lineno, f"`{node.name}` runs around tests that did not ask for it")
        elif source.is_test and _hides_options(node):
            yield _machinery(
                source, getattr(node, "lineno", None), "a fixture whose options are not written out"
            )
        elif source.is_test and isinstance(node, ast.keyword) and node.arg == "autouse":
            yield _machinery(
                source, node.value.lineno, "an `autouse` fixture reaches into tests that did not ask for it"
            )
        elif source.is_test and (reached := _of_runner(node, asks=asks)):
            yield _machinery(
                source, getattr(node, "lineno", None), f"`{reached}` reaches into the test runner"
            )


def _steering(node: ast.AST) -> str:
    """A name bound by whatever means that the runner looks for in modules and classes."""
    bound = (
        [alias.asname or alias.name for alias in node.names]
        if isinstance(node, (ast.Import, ast.ImportFrom))
        else []
    )
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        bound.append(node.id)
    return next(
        (n for n in bound if n in _RUNNER_NAMES or (n.startswith("pytest_") and n != "pytest_asyncio")), ""
    )


def _hides_options(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and last(node.func) == "fixture"
        and any(word.arg is None for word in node.keywords)
    )


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
        known = {name for name in names - told if not hasattr(builtins, name)}
        for changed in (each for node in ast.walk(statement) for each in _touched(node) if each in known):
            message = f"`{changed}` in {pair.path} is changed while tests run, and others there use it; make one of your own"
            yield _weak(pair, message, statement.lineno)
        for name in sorted({name for _, name in _bound(statement)} | set(_fixture_names(statement))):
            if name not in told and (name in names or name in asked):
                message = f"`{name}` in {pair.path} would take the place of what tests there use; choose another name"
                yield _weak(pair, message, statement.lineno)


def _touched(node: ast.AST) -> Iterator[str]:
    """What a node changes, or says that it will, beside binding a name."""
    match node:
        case ast.Global(names=names):
            yield from names
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
            yield root(node)
        case ast.Call():
            changed = changed_by(node)
            yield root(changed) if changed is not None else ""
        case _:
            return


def _fixture_names(statement: ast.stmt) -> Iterator[str]:
    """Names that fixtures are given in words: `@pytest.fixture(name="turn")`."""
    for decorator in getattr(statement, "decorator_list", ()):
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
            if keyword.arg == "name":
                yield str(getattr(keyword.value, "value", ""))


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


def _weak(pair: Pair, message: str, line: int | None = None) -> Finding:
    return Finding(rule="weakened_test", path=pair.path, line=line, message=message)


def _is_request(node: ast.AST) -> bool:
    """Whether a file asks for what the runner tells a test of itself, under whatever name."""
    return (
        (isinstance(node, ast.arg) and node.arg == "request")
        or (isinstance(node, ast.Constant) and node.value == "request")
        or last(node) in ("FixtureRequest", "request")
    )


def _of_runner(node: ast.AST, *, asks: bool) -> str:
    """What reaches from a test into the runner: its session, its settings, or more of it than tests need."""
    if isinstance(node, ast.arg) and node.arg in _INNER_FIXTURES:
        return node.arg
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        strange = [each.module for each in imports(node, "") if _is_inner(each.module)]
        return strange[0] if strange else ""
    if isinstance(node, ast.Call) and last(node.func) == "getfixturevalue":
        asked = node.args[0] if node.args else None
        plain = isinstance(asked, ast.Constant) and asked.value not in _INNER_FIXTURES
        return "" if plain else shown(node)
    if not isinstance(node, ast.Attribute):
        return ""
    of_request = root(node) == "request" and node.attr in ("session", "config", "parent")
    of_pytest = root(node) == "pytest" and isinstance(node.value, ast.Name) and node.attr not in _OF_PYTEST
    steers = node.attr in _STEERS or (asks and node.attr == "node")
    return shown(node) if of_request or of_pytest or steers else ""


def _is_inner(module: str) -> bool:
    """Whether a module or name is more of the test libraries than tests need."""
    first, _, rest = module.partition(".")
    known = {"pytest": _OF_PYTEST, "hypothesis": _OF_HYPOTHESIS}.get(first)
    return known is not None and rest.partition(".")[0] not in known | {""}


def _machinery(source: Source, line: int | None, message: str) -> Finding:
    return Finding(rule="pytest_machinery", path=source.path, line=line, message=f"{message}; {BY_HAND}")


_RUNNER_NAMES = frozenset(
    {"pytest_plugins", "collect_ignore", "collect_ignore_glob", "__test__", "pytestmark"}
)
_INNER_FIXTURES = frozenset({"pytestconfig", "pytester", "testdir"})
_AROUND_TESTS = frozenset(
    f"{when}_{what}" for when in ("setup", "teardown") for what in ("module", "function", "class", "method")
) | {"setUpModule", "tearDownModule", "load_tests"}
_STEERS = frozenset(
    {
        *("listchain", "getparent", "ihook", "_pyfuncitem", "_item", "_request", "_parent_request"),
        *("pluginmanager", "hookimpl", "register_profile", "load_profile"),
    }
)
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
