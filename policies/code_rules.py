"""Rules about how live code behaves: what it switches off, senses, pretends or ends. Purely syntactic."""

import ast
import re
import tokenize
from collections.abc import Collection, Iterator, Mapping

from policies.change import Source, tokens
from policies.decision import Finding, Severity
from policies.file_rules import BY_HAND
from policies.load import Rules
from policies.names import at, imported, imports, last, meant, origins, own_methods, root, shown

TESTERS = frozenset({"pytest", "_pytest", "unittest", "hypothesis", "pytest_asyncio"})


def suppression_added(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A check that is switched off checks nothing; their number in a file may only fall."""
    if source.is_python and source.text is not None:
        for token in tokens(source.text):
            if token.type == tokenize.COMMENT and (found := _SUPPRESSION.search(token.string)):
                message = f"`# {found[1].lower()}` switches a check off; mend the code instead, or {BY_HAND}"
                yield at(source, "suppression_added", token.start[0], message)
    known = origins(source)
    for node in source.nodes:
        if "no_type_check" in (last(node), meant(node, known).rpartition(".")[2]):
            message = f"`no_type_check` switches the type checker off; mend the types instead, or {BY_HAND}"
            yield at(source, "suppression_added", node, message)


def loosened_types(source: Source, _rules: Rules) -> Iterator[Finding]:
    """Where types are given up, the type checker is silent, so a person has to look."""
    if source.is_python and source.text is not None:
        for token in tokens(source.text):
            if token.type == tokenize.COMMENT and _TYPE_COMMENT.match(token.string):
                message = f"`{token.string[:80]}` is a type in a comment, where nobody looks for it"
                yield at(source, "loosened_types", token.start[0], message, Severity.REVIEW)
    known = origins(source)
    top = {id(node) for node in source.tree.body} if source.tree is not None else set()
    for node in source.nodes:
        if _gives_up(node, known):
            message = f"`{shown(node)}` gives up on types here"
            yield at(source, "loosened_types", node, message, Severity.REVIEW)
        elif (
            isinstance(node, (ast.If, ast.IfExp, ast.While))
            and id(node) not in top
            and _is_for_types(node.test)
        ):
            message = f"`{shown(node)}` shows the type checker one thing and runs another"
            yield at(source, "loosened_types", node, message, Severity.REVIEW)


def senses_tests(source: Source, _rules: Rules) -> Iterator[Finding]:
    """Code that behaves otherwise while it is tested has not been tested."""
    # Where there is no log, handlers are those of the code itself.
    logs = any(module.partition(".")[0] == "logging" for module in origins(source).values())
    looked_round = _LOOKS_ROUND if logs else _LOOKS_ROUND - {"handlers"}
    words = {
        id(each)
        for node in source.nodes
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)) and len(node.elts) > 1
        for each in node.elts
        if isinstance(each, ast.Constant) and each.value == "hypothesis"
    }
    for node in source.nodes:
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        text = "" if id(node) in words else text  # a word like others, in a game for instance
        sensed = _SENSES.search(text) or (not source.is_test and (text in TESTERS or text == "test_"))
        testers = [each for each in imports(node, source.path) if each.module.split(".")[0] in TESTERS]
        looks = isinstance(node, ast.Attribute) and (last(node) in looked_round or _asks_who(node))
        looks = (looks or _catches_warnings(node)) and not source.is_test
        if sensed or looks or (testers and not source.is_test):
            message = f"`{shown(node)}` lets code find out that it is being tested; behave alike everywhere"
            yield at(source, "test_detection", node, message)


def knows_its_place(source: Source, _rules: Rules) -> Iterator[Finding]:
    """Tests load a module under another name than the running bot does, so code that asks for its name can tell."""
    if source.is_test:
        return
    loggers = {
        id(argument)
        for node in source.nodes
        if isinstance(node, ast.Call) and last(node.func) == "getLogger"
        for argument in node.args
    }
    for node in source.nodes:
        asked = last(node)
        if (
            asked in _PLACE and isinstance(node, ast.Name) and id(node) not in loggers
        ) or asked == "__module__":
            message = f"`{asked}` says where this code is loaded, which differs between tests and use; do without it"
            yield at(source, "test_detection", node, message)


def ends_process(source: Source, _rules: Rules) -> Iterator[Finding]:
    """Live code ends its answer, never the process or the loop that it is a guest in."""
    asks = any(last(node) in _GETS_LOOP for node in source.nodes)
    foreign, methods = imported(source), own_methods(source)
    held = {
        each.id
        for node in source.nodes
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr))
        and any(last(part) in _GETS_LOOP for part in ast.walk(node))
        for each in ast.walk(node)
        if isinstance(each, ast.Name)
    }
    for node in source.nodes:
        loops = (
            asks
            and isinstance(node, ast.Attribute)
            and node.attr in ("stop", "close", "call_exception_handler")
        )
        if loops and _may_be_own(node, methods, held):
            message = f"`{shown(node)}` ends what it is asked of, which may be the loop of all"
            yield at(source, "ends_process", node, message, Severity.REVIEW)
            continue
        named = isinstance(node, (ast.Name, ast.Attribute)) and last(node) in _ENDS
        # A game may be quit, too.
        own = isinstance(node, ast.Attribute) and node.attr in ("exit", "quit") and root(node) not in foreign
        if loops or (named and not own):
            message = f"`{shown(node)}` ends more than this answer; return, or raise an error that says what is wrong"
            yield at(source, "ends_process", node, message)
        elif any(last(each) in _NO_ERRORS for each in _raised(node)):
            message = f"`{shown(node)}` makes what passes by all that catches errors; use an Exception"
            yield at(source, "ends_process", node, message)


def _may_be_own(node: ast.AST, methods: Collection[str], held: Collection[str]) -> bool:
    """Whether the file's own classes have such a method, and it is not seen that a loop is asked for it."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr in methods
        and isinstance(node.value, ast.Name)
        and node.value.id not in held
    )


def lying_value(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A value that equals everything passes every test."""
    for node in source.nodes:
        if not isinstance(node, ast.ClassDef):
            continue
        plain = {last(base) for base in node.bases} & _VALUES
        for inner in node.body:
            defines = isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef))
            stored = [] if defines else [each for each in ast.walk(inner) if isinstance(each, ast.Name)]
            if any(isinstance(name.ctx, ast.Store) and name.id in _COMPARES for name in stored):
                message = f"`{shown(inner)}` hides how {node.name} compares; write the method out"
                yield at(source, "lying_value", inner, message)
            elif (
                any(isinstance(each, ast.keyword) and _leaves_out(each) for each in ast.walk(inner))
                and not defines
            ):
                message = f"`{shown(inner)}` is left out where two of {node.name} are compared"
                yield at(source, "lying_value", inner, message, Severity.REVIEW)
            elif isinstance(inner, ast.FunctionDef) and inner.name in _COMPARES:
                if not _compares(inner):
                    message = f"`{inner.name}` never looks at what it compares with; compare what matters"
                    yield at(source, "lying_value", inner, message)
                elif plain:
                    message = f"{node.name} is a {plain.pop()} that compares in a way of its own"
                    yield at(source, "lying_value", inner, message, Severity.REVIEW)


def _raised(node: ast.AST) -> list[ast.expr]:
    """What a node derives from, calls or raises."""
    match node:
        case ast.ClassDef(bases=bases):
            return bases
        case ast.Call(func=what) | ast.Raise(exc=ast.expr() as what):
            return [what]
        case _:
            return []


def _leaves_out(keyword: ast.keyword) -> bool:
    return keyword.arg == "compare" and not (
        isinstance(keyword.value, ast.Constant) and keyword.value.value is True
    )


def _asks_who(node: ast.Attribute) -> bool:
    """Whether it asks something it was handed for its full name, which says where that was made; classes may be asked."""
    made = isinstance(node.value, ast.Call) and last(node.value.func) == "type"
    return node.attr == "__qualname__" and not made and last(node.value) not in ("__class__", "self", "cls")


def _catches_warnings(node: ast.AST) -> bool:
    """Whether it catches a warning, which is raised only where warnings are made errors: under test."""
    return (
        isinstance(node, ast.ExceptHandler)
        and node.type is not None
        and any(last(each).endswith("Warning") for each in ast.walk(node.type))
    )


def _gives_up(node: ast.AST, known: Mapping[str, str]) -> bool:
    """Whether it names what fits every type, or a claim about a type; also where an annotation is written as a text."""
    match node:
        case ast.Attribute(attr="cast"):  # a ballot may be cast, too
            return any(module.partition(".")[0] in _OF_TYPES for module in known.values())
        case (
            ast.arg(annotation=ast.Constant(value=str(text)))
            | ast.AnnAssign(annotation=ast.Constant(value=str(text)))
        ):
            return _ANY.search(text) is not None
        case (
            ast.FunctionDef(returns=ast.Constant(value=str(text)))
            | ast.AsyncFunctionDef(returns=ast.Constant(value=str(text)))
        ):
            return _ANY.search(text) is not None
        case _:
            return last(node) in ("Any", "cast") or meant(node, known) in _CLAIMS


def _is_for_types(test: ast.expr) -> bool:
    """Whether a condition is one that the type checker takes for settled."""
    return any(last(node) in ("TYPE_CHECKING", "MYPY", "PY2", "PY3") for node in ast.walk(test))


def _compares(method: ast.FunctionDef) -> bool:
    """Whether a comparison looks at what it is given, beyond its kind."""
    given = {argument.arg for argument in [*method.args.posonlyargs, *method.args.args][1:]}
    kinds = {
        id(call.args[0])
        for call in ast.walk(method)
        if isinstance(call, ast.Call) and last(call.func) == "isinstance" and call.args
    }
    return any(
        isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Load)
        and node.id in given
        and id(node) not in kinds
        for node in ast.walk(method)
    )


_SUPPRESSION = re.compile(
    r"#\s*(noqa|type:\s*ignore|basedpyright:|pyrefly:|nosonar|pragma|nosec|nosemgrep|pyright:|mypy:|ruff:|flake8:|pylint:|pytype:|pyre-\w+|ty:\s*ignore"
    r"|fmt:\s*(?:off|skip)|yapf:\s*disable|isort:\s*(?:skip|off))",
    re.IGNORECASE,
)
_SENSES = re.compile(r"PYTEST_|\.dockerenv|^pytest\b.*\bmodules\b|_pytest\b|/proc/|^/sys/")
_CLAIMS = frozenset(
    {"typing.Any", "typing.cast", "typing.TypeGuard", "typing.TypeIs"}
    | {"typing_extensions.Any", "typing_extensions.TypeGuard", "typing_extensions.TypeIs"}
)
"""What fits every type, and what the type checker believes of a type without a look."""
_TYPE_COMMENT = re.compile(r"#\s*type:\s*(?!ignore\b)\S")
_ANY = re.compile(r"\bAny\b")
_OF_TYPES = frozenset({"typing", "typing_extensions"})
_GETS_LOOP = frozenset({"get_running_loop", "get_event_loop", "get_loop", "_get_loop", "_loop"})
_LOOKS_ROUND = frozenset(
    {
        *(
            "loggerDict",
            "handlers",
            "hasHandlers",
            "all_tasks",
            "getEffectiveLevel",
            "makeRecord",
            "__traceback__",
        ),
        *("get_debug", "get_exception_handler", "get_task_factory", "cache_info"),
    }
)
_PLACE = frozenset({"__name__", "__package__", "__file__", "__path__", "__cached__"})
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
_NO_ERRORS = ("BaseException", "BaseExceptionGroup")
_COMPARES = frozenset(
    {
        "__eq__",
        "__ne__",
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
