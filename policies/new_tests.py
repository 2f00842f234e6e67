"""Rules about new tests: they run, they can fail, and what they test is the real thing."""

import ast
import builtins
from collections.abc import Collection, Iterator

from policies.change import Source
from policies.decision import Finding, Severity
from policies.load import Rules
from policies.names import at, imported, imports, last, meant, origins, root, shown, standing_for


def replaces_subject(source: Source, rules: Rules) -> Iterator[Finding]:
    """A test that puts something else in the place of what it tests proves nothing; one that leaves it there lies."""
    if not source.is_test or source.tree is None:
        return
    live = tuple(zone.replace("/", ".") for zone in rules.zones.live)
    subjects = {
        each.name
        for node in source.nodes
        for each in imports(node, source.path)
        if each.module.startswith(live)
    }
    mocks = any(
        each.module.startswith("unittest") for node in source.nodes for each in imports(node, source.path)
    )
    noted = {id(part) for node in source.nodes for note in _annotations(node) for part in ast.walk(note)}
    for node in source.nodes:
        name = last(node)
        lasting = name == "MonkeyPatch" and id(node) not in noted
        if lasting or (mocks and isinstance(node, ast.Attribute) and name in ("start", "stopall")):
            message = f"`{shown(node)}` outlives the test that asked for it; take the `monkeypatch` fixture"
            yield at(source, "replaces_subject", node, message)
        elif isinstance(node, ast.Call) and last(node.func) in _PATCHES and _is_subject(node, subjects, live):
            message = f"`{shown(node)}` puts something else in the place of what is to be tested"
            yield at(source, "replaces_subject", node, message, Severity.REVIEW)


def skipped_test(source: Source, rules: Rules) -> Iterator[Finding]:
    """A new test that does not run, or may fail, proves nothing."""
    if not source.is_test or source.tree is None:
        return
    yield from _not_collected(source, source.tree)
    nothing = {
        target.id
        for statement in source.tree.body
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and _is_nothing(statement.value, set())
        for target in ast.walk(statement)
        if isinstance(target, ast.Name)
    }
    for_subjects, foreign = _handed_to_subjects(source, rules), imported(source)
    for node in ast.walk(source.tree):
        names = {node.attr} if isinstance(node, ast.Attribute) else set()
        if isinstance(node, ast.Attribute) and root(node) and root(node) not in foreign:
            names -= {"skip"}  # a list of songs has it, too
        if isinstance(node, ast.ImportFrom) and node.module in ("pytest", "unittest", "unittest.case"):
            names = {alias.name for alias in node.names}
        elif isinstance(node, ast.Constant):
            names = {str(node.value)} & _IN_WORDS
        empty = isinstance(node, ast.Call) and _is_parametrize(node) and _is_empty(node, nothing)
        phases = isinstance(node, ast.keyword) and node.arg == "phases" and id(node) not in for_subjects
        if names & _LEAVES_OUT or empty or phases:
            what = shown(node) or "phases"
            line = getattr(node, "lineno", None)
            message = f"`{what}` leaves the test out; a new test has to run and to pass"
            yield Finding(rule="skipped_test", path=source.path, line=line, message=message)


def _handed_to_subjects(source: Source, rules: Rules) -> set[int]:
    """The keywords with which a test calls what it tests: those are not about the test."""
    live = tuple(zone.replace("/", ".") for zone in rules.zones.live if zone not in rules.zones.tests)
    known = origins(source)
    calls = [node for node in source.nodes if isinstance(node, ast.Call)]
    return {id(word) for call in calls if meant(call.func, known).startswith(live) for word in call.keywords}


def _not_collected(source: Source, tree: ast.Module) -> Iterator[Finding]:
    """Tests that stand where the runner does not look."""
    *folders, file = source.path.split("/")
    elsewhere = not (file.startswith("test_") or file.endswith("_test.py")) or bool(_SKIPPED & set(folders))
    owners: list[ast.Module | ast.ClassDef] = [tree]
    owners += [each for each in ast.walk(tree) if isinstance(each, ast.ClassDef)]
    seen = {id(each) for owner in owners for each in owner.body}
    for node in ast.walk(tree):
        is_test = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
        if is_test and (elsewhere or id(node) not in seen):
            message = f"`{shown(node)}` stands where the test runner does not find it; put it at the top of a test_*.py"
            yield at(source, "skipped_test", node, message)


def asserts_nothing(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A test that cannot fail is no test."""
    if not source.is_test or source.tree is None:
        return
    wide = standing_for(source, _WIDE)
    silent = {each.name for each in source.tree.body if isinstance(each, _Function) and _is_silent(each)}
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            if not any(_demands(inner, wide, silent) for inner in _run(node)):
                message = f"`{node.name}` asserts nothing that could be false; say what has to hold"
                yield Finding(rule="asserts_nothing", path=source.path, line=node.lineno, message=message)
            elif any(_swallows(inner, wide) for inner in ast.walk(node)):
                message = f"`{node.name}` catches its own failing assertions; let them through"
                yield Finding(rule="asserts_nothing", path=source.path, line=node.lineno, message=message)


def _run(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a test that have a chance to run: nothing below `if False`, in loops over nothing, or never called."""
    todo: list[ast.AST] = [function]
    called = {last(node) for node in ast.walk(function) if isinstance(node, (ast.Name, ast.Attribute))}
    while todo:
        node = todo.pop()
        yield node
        left_out: list[ast.stmt] = []
        match node:
            case (
                ast.If(test=ast.Constant(value=value), body=body)
                | ast.While(test=ast.Constant(value=value), body=body)
            ) if not value:
                left_out = body
            case ast.For(iter=values, body=body) if _is_nothing(values, set()):
                left_out = body
            case ast.FunctionDef(name=name, body=body) | ast.AsyncFunctionDef(name=name, body=body) if (
                node is not function and name not in called and not node.decorator_list
            ):
                left_out = body
            case _:
                pass
        todo.extend(each for each in ast.iter_child_nodes(node) if each not in left_out)


def _is_nothing(value: ast.expr | None, nothing: Collection[str]) -> bool:
    """Whether there is nothing in a list, tuple, set, table or range, as far as can be read."""
    match value:
        case (
            ast.List(elts=elements)
            | ast.Tuple(elts=elements)
            | ast.Set(elts=elements)
            | ast.Dict(values=elements)
        ):
            return not elements
        case ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=0)]):
            return True
        case ast.Call(func=ast.Name(id="list" | "tuple" | "set" | "dict" | "sorted"), args=given):
            return all(_is_nothing(each, nothing) for each in given)
        case ast.Name(id=name):
            return name in nothing
        case _:
            return False


def _demands(node: ast.AST, wide: Collection[str], silent: Collection[str]) -> bool:
    if isinstance(node, ast.Assert):
        return not _always_true(node.test)
    if isinstance(node, ast.Call):
        name = last(node.func)
        if name == "raises":
            return not any(last(argument) in wide for argument in node.args)
        if isinstance(node.func, ast.Name) and name in silent:
            return False
        return name in ("warns", "fail") or name.lstrip("_").startswith(("assert", "check", "expect"))
    return False


def _is_silent(helper: ast.AST) -> bool:
    """Whether a helper of a test, whatever it is called, says nothing of what it is given."""
    return all(
        isinstance(node.func, ast.Name) and hasattr(builtins, node.func.id)
        for node in ast.walk(helper)
        if isinstance(node, ast.Call)
    ) and not any(isinstance(node, (ast.Assert, ast.Raise)) for node in ast.walk(helper))


def _never_false(test: ast.expr) -> bool:
    """Whether a condition holds whatever the code under test says, although it is no constant."""
    match test:
        case ast.JoinedStr(values=parts):
            return any(isinstance(part, ast.Constant) for part in parts)
        case ast.IfExp(body=body, orelse=other):
            return _always_true(body) and _always_true(other)
        case ast.Call(func=ast.Name(id="isinstance"), args=[_, ast.Name(id="object")]):
            return True
        case ast.Compare(left=ast.Constant(), comparators=others) if all(
            isinstance(each, ast.Constant) for each in others
        ):
            return True
        case ast.Compare(left=left, comparators=[right]) if "ANY" in (last(left), last(right)):
            return True
        case _:
            return False


def _always_true(test: ast.expr) -> bool:
    if _never_false(test):
        return True
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
        case ast.Compare(
            left=ast.Constant(value=0), ops=[ast.LtE()], comparators=[ast.Call(func=ast.Name(id="len"))]
        ):
            return True
        case ast.Compare(left=ast.Compare(), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return True  # what a comparison says is never None
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


def _swallows(node: ast.AST, wide_names: Collection[str]) -> bool:
    if isinstance(node, (ast.With, ast.AsyncWith)):
        calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
        wide = any(
            last(call.func) in ("suppress", "raises")
            and any(last(part) in wide_names for argument in call.args for part in ast.walk(argument))
            for call in calls
        )
        return wide and any(isinstance(inner, ast.Assert) for inner in ast.walk(node))
    if not isinstance(node, (ast.Try, ast.TryStar)) or not any(
        isinstance(inner, ast.Assert) for part in node.body for inner in ast.walk(part)
    ):
        return False
    if any(
        isinstance(inner, (ast.Return, ast.Break, ast.Continue))
        for part in node.finalbody
        for inner in ast.walk(part)
    ):
        return True
    for clause in node.handlers:
        caught = (
            [each.id for each in ast.walk(clause.type) if isinstance(each, ast.Name)]
            if clause.type
            else [_WIDE[0]]
        )
        raises = any(
            isinstance(inner, (ast.Raise, ast.Assert)) for part in clause.body for inner in ast.walk(part)
        )
        if not raises and any(name in wide_names for name in caught):
            return True
    return False


def _is_parametrize(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "parametrize"


def _is_empty(node: ast.Call, nothing: Collection[str]) -> bool:
    values = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "argvalues")]
    return any(_is_nothing(value, nothing) for value in values)


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
        return isinstance(target.value, str) and target.value.startswith((*live, "builtins."))
    named = isinstance(target, (ast.Name, ast.Attribute, ast.Subscript))
    return target is not None and (root(target) in subjects or not named)


_Function = (ast.FunctionDef, ast.AsyncFunctionDef)
_WIDE = ("Exception", "BaseException", "AssertionError")


_PATCHES = frozenset(
    {"setattr", "setitem", "delattr", "delitem", "patch", "object", "multiple", "dict", "create_autospec"}
)
_LEAVES_OUT = frozenset({"skip", "skipif", "xfail", "importorskip", "SkipTest", "skipTest"})
_IN_WORDS = frozenset({"skipif", "xfail", "importorskip", "skipTest"})
_SKIPPED = frozenset({"build", "dist", "node_modules", "venv", "env", "_darcs", "CVS", "__pycache__"})
"""Folders into which the runner does not look."""
