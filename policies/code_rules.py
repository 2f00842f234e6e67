"""Rules about how live code behaves: what it switches off, senses, remembers, pretends or ends. Purely syntactic."""

import ast
import re
import tokenize
from collections.abc import Iterator

from policies.change import Source, tokens
from policies.decision import Finding, Severity
from policies.file_rules import BY_HAND
from policies.load import Rules
from policies.names import MUTATORS, at, imported, imports, last, nodes, root, shown

TESTERS = frozenset({"pytest", "_pytest", "unittest", "hypothesis", "pytest_asyncio"})


def suppression_added(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A check that is switched off checks nothing; their number in a file may only fall."""
    if source.is_python and source.text is not None:
        for token in tokens(source.text):
            if token.type == tokenize.COMMENT and (found := _SUPPRESSION.search(token.string)):
                message = f"`# {found[1].lower()}` switches a check off; mend the code instead, or {BY_HAND}"
                yield at(source, "suppression_added", token.start[0], message)
    for node in nodes(source):
        if last(node) == "no_type_check":
            message = f"`no_type_check` switches the type checker off; mend the types instead, or {BY_HAND}"
            yield at(source, "suppression_added", node, message)


def loosened_types(source: Source, _rules: Rules) -> Iterator[Finding]:
    """Where types are given up, the type checker is silent, so a person has to look."""
    for node in nodes(source):
        if last(node) in ("Any", "cast"):
            yield at(
                source, "loosened_types", node, f"`{last(node)}` gives up on types here", Severity.REVIEW
            )


def senses_tests(source: Source, _rules: Rules) -> Iterator[Finding]:
    """Code that behaves otherwise while it is tested has not been tested."""
    for node in nodes(source):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        sensed = _SENSES.search(text) or (not source.is_test and (text in TESTERS or text == "test_"))
        testers = [each for each in imports(node, source.path) if each.module.split(".")[0] in TESTERS]
        looks = last(node) in _LOOKS_ROUND and isinstance(node, ast.Attribute) and not source.is_test
        if sensed or looks or (testers and not source.is_test):
            message = f"`{shown(node)}` lets code find out that it is being tested; behave alike everywhere"
            yield at(source, "test_detection", node, message)


def knows_its_place(source: Source, _rules: Rules) -> Iterator[Finding]:
    """Tests load a module under another name than the running bot does, so code that asks for its name can tell."""
    if source.is_test:
        return
    loggers = {
        id(argument)
        for node in nodes(source)
        if isinstance(node, ast.Call) and last(node.func) == "getLogger"
        for argument in node.args
    }
    for node in nodes(source):
        asked = last(node)
        if (
            asked in _PLACE and isinstance(node, ast.Name) and id(node) not in loggers
        ) or asked == "__module__":
            message = f"`{asked}` says where this code is loaded, which differs between tests and use; do without it"
            yield at(source, "test_detection", node, message)


def ends_process(source: Source, _rules: Rules) -> Iterator[Finding]:
    """Live code ends its answer, never the process or the loop that it is a guest in."""
    asks = any(last(node) in ("get_running_loop", "get_event_loop") for node in nodes(source))
    for node in nodes(source):
        loops = (
            asks
            and isinstance(node, ast.Attribute)
            and node.attr in ("stop", "close", "call_exception_handler")
        )
        if loops or (isinstance(node, (ast.Name, ast.Attribute)) and last(node) in _ENDS):
            message = f"`{shown(node)}` ends more than this answer; return, or raise an error that says what is wrong"
            yield at(source, "ends_process", node, message)


def lying_value(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A value that equals everything passes every test."""
    for node in nodes(source):
        if not isinstance(node, ast.ClassDef):
            continue
        plain = {last(base) for base in node.bases} & _VALUES
        for inner in node.body:
            names = [last(target) for target in inner.targets] if isinstance(inner, ast.Assign) else []
            if any(name in _COMPARES for name in names):
                message = f"`{shown(inner)}` hides how {node.name} compares; write the method out"
                yield at(source, "lying_value", inner, message)
            elif isinstance(inner, ast.FunctionDef) and inner.name in _COMPARES:
                if not _compares(inner):
                    message = f"`{inner.name}` never looks at what it compares with; compare what matters"
                    yield at(source, "lying_value", inner, message)
                elif plain:
                    message = f"{node.name} is a {plain.pop()} that compares in a way of its own"
                    yield at(source, "lying_value", inner, message, Severity.REVIEW)


def unrepeatable(source: Source, _rules: Rules) -> Iterator[Finding]:
    """What depends on the hour or on chance is right while it is tested, and may be otherwise tomorrow."""
    if source.is_test:
        return
    brought = [each for node in nodes(source) for each in imports(node, source.path)]
    chance = {
        each.name
        for each in brought
        if each.module.partition(".")[0] in _CHANCE and each.module not in _NO_CHANCE
    }
    clocks = {
        each.name
        for each in brought
        if each.module.partition(".")[2] in _CLOCKS and each.module != "datetime.time"
    }
    foreign = imported(source)
    hashes = {id(node) for own in nodes(source) if _is_hash(own) for node in ast.walk(own)}
    for node in nodes(source):
        match node:
            case ast.Attribute(attr=name) if name in _CLOCKS and root(node) in foreign:
                clock = True
            case ast.Name(id=name, ctx=ast.Load()) if name in clocks:
                clock = True
            case ast.Attribute(value=ast.Name(id=name), attr=what) if (
                name in chance and what not in _NO_CHANCE
            ):
                clock = False
            case ast.Name(id=name, ctx=ast.Load()) if name in chance - _CHANCE:
                clock = False
            case ast.Call(func=ast.Name(id="hash" | "id")) if id(node) not in hashes:
                clock = False
            case _:
                continue
        if clock:
            message = (
                f"`{shown(node)}` asks for the time, so that tests cannot tell how it behaves on another day"
            )
            yield at(source, "reads_clock", node, message, Severity.REVIEW)
        else:
            message = (
                f"`{shown(node)}` differs from run to run, so that tests cannot tell what else it may do"
            )
            yield at(source, "draws_chance", node, message, Severity.REVIEW)


def keeps_state(source: Source, _rules: Rules) -> Iterator[Finding]:
    """What live code remembers is lost with the next change, and lets it behave otherwise the thousandth time."""
    if source.is_test or source.tree is None:
        return
    own = {name for statement in source.tree.body for name in _bound(statement)}
    seen: set[int] = set()
    for function in (node for node in nodes(source) if isinstance(node, (*_FUNCTIONS, ast.Lambda))):
        local = _local(function)
        for node in ast.walk(function):
            if id(node) not in seen and (remembered := _remembers(node, own - local)):
                seen.add(id(node))
                message = f"`{remembered}` is remembered from one answer to the next, until the code changes"
                yield at(source, "keeps_state", node, message, Severity.REVIEW)


def _is_hash(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "__hash__"


def _compares(method: ast.FunctionDef) -> bool:
    """Whether a comparison looks at what it is given, beyond its kind."""
    given = {argument.arg for argument in method.args.args[1:]}
    kinds = {
        id(call.args[0])
        for call in ast.walk(method)
        if isinstance(call, ast.Call) and last(call.func) == "isinstance" and call.args
    }
    return any(
        isinstance(node, ast.Name) and node.id in given and id(node) not in kinds for node in ast.walk(method)
    )


def _bound(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign() | ast.AnnAssign():
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id
        case _:
            return


def _local(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """Names that mean something of the function's own."""
    arguments = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    shared = {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}
    stored = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return arguments | (stored - shared)


def _remembers(node: ast.AST, own: set[str]) -> str:
    """What a node changes that outlives the call, if it does."""
    match node:
        case ast.Global(names=names):
            return ", ".join(names)
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()) if (
            root(node) in own
        ):
            return root(node)
        case ast.Call(func=ast.Attribute(attr=name, value=value)) if name in MUTATORS and root(value) in own:
            return root(value)
        case ast.Call(func=ast.Name(id="next"), args=[value, *_]) if root(value) in own:
            return root(value)
        case _:
            return ""


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SUPPRESSION = re.compile(
    r"#\s*(noqa|type:\s*ignore|pragma|nosec|nosemgrep|pyright:|mypy:|ruff:|flake8:|pylint:|pytype:|pyre-\w+|ty:\s*ignore"
    r"|fmt:\s*(?:off|skip)|yapf:\s*disable|isort:\s*(?:skip|off))",
    re.IGNORECASE,
)
_SENSES = re.compile(r"PYTEST_|\.dockerenv|^pytest\b.*\bmodules\b|_pytest\b|/proc/|^/sys/")
_LOOKS_ROUND = frozenset({"loggerDict", "handlers", "hasHandlers", "all_tasks"})
_PLACE = frozenset({"__name__", "__package__", "__file__", "__path__"})
_ENDS = frozenset(
    {
        *(
            "SystemExit",
            "KeyboardInterrupt",
            "GeneratorExit",
            "exit",
            "quit",
            "get_event_loop",
            "set_event_loop",
        ),
        *("new_event_loop", "set_event_loop_policy", "run_until_complete", "run_forever"),
    }
)
_COMPARES = frozenset(
    {
        "__eq__",
        "__contains__",
        "__instancecheck__",
        "__subclasscheck__",
        "__lt__",
        "__le__",
        "__gt__",
        "__ge__",
    }
)
_VALUES = frozenset(
    {"int", "float", "str", "bytes", "tuple", "list", "dict", "set", "frozenset", "Decimal", "Fraction"}
)
_CHANCE = frozenset({"random", "secrets", "uuid"})
_NO_CHANCE = frozenset(
    {"UUID", "uuid.UUID", "Random", "random.Random", "compare_digest", "secrets.compare_digest"}
)
_CLOCKS = frozenset(
    {
        *(
            "now",
            "utcnow",
            "today",
            "time",
            "time_ns",
            "monotonic",
            "monotonic_ns",
            "perf_counter",
            "perf_counter_ns",
        ),
        *("localtime", "gmtime", "process_time", "ctime", "strftime"),
        *("tzname", "timezone", "altzone", "daylight"),
    }
)
