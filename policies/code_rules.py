"""Rules about what live code does: what it reaches for, hides, switches off or senses. Purely syntactic.

They keep honest code honest and make a cheat visible; the walls that hold are the sandbox and the second process.
"""

import ast
import re
import tokenize
from collections.abc import Iterator

from policies.change import Source, tokens
from policies.decision import Finding, Severity
from policies.file_rules import BY_HAND
from policies.load import Rules

TESTERS = frozenset({"pytest", "_pytest", "unittest", "hypothesis", "pytest_asyncio"})


def suppression_added(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A check that is switched off checks nothing; their number in a file may only fall."""
    if source.is_python and source.text is not None:
        for token in tokens(source.text):
            if token.type == tokenize.COMMENT and (found := _SUPPRESSION.search(token.string)):
                message = f"`# {found[1].lower()}` switches a check off; mend the code instead, or {BY_HAND}"
                yield _at(source, "suppression_added", token.start[0], message)


def dynamic_code(source: Source, _rules: Rules) -> Iterator[Finding]:
    """Code made at run time, and walks to the interpreter's insides, cannot be judged beforehand."""
    imported = _imported(source.tree)
    for node in _nodes(source):
        shown = ast.unparse(node)[:120] if isinstance(node, ast.expr) else ""
        if isinstance(node, ast.Name) and _MAKES_CODE.fullmatch(node.id):
            yield _dynamic(source, node, f"`{node.id}`")
        elif isinstance(node, ast.Attribute) and _INSIDES.fullmatch(node.attr):
            yield _dynamic(source, node, f"`{shown}`")
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and _NAMED_INSIDES.search(node.value)
        ):
            yield _dynamic(source, node, f"the text {shown}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _BY_NAME:
            yield from _by_name(source, node, imported)
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, (ast.Store, ast.Del))
            and _root(node) in imported
        ):
            message = (
                f"`{shown}` is changed, which belongs to what is imported; keep the change in your own code"
            )
            yield _at(source, "dynamic_code", node.lineno, message)


def forbidden_import(source: Source, rules: Rules) -> Iterator[Finding]:
    """Live code gets what it needs handed to it; system, network, processes and the kernel are out of its reach."""
    forbidden = rules.imports.forbidden
    subjects = tuple(zone.replace("/", ".") for zone in rules.zones.live)
    bound: set[str] = set()
    for node in _nodes(source):
        for line, module, name in _imports(node, source.path):
            relative = isinstance(node, ast.ImportFrom) and node.level > 0
            if module.startswith(subjects) and (source.is_test or relative):
                continue  # among live code the import contracts decide
            if _below(module, forbidden) or module.rpartition(".")[2] in _CORE:
                bound.add(name)
                message = f"live code may not import {module}; use what it is handed, or {BY_HAND}"
                yield _at(source, "forbidden_import", line, message)
            elif _below(module, rules.imports.review):
                message = f"it imports {module}, by which code may reach files or the net"
                yield _at(source, "sensitive_import", line, message, Severity.REVIEW)
    imported = _imported(source.tree)
    for node in _nodes(source):
        if isinstance(node, ast.Attribute) and _reaches(node, bound, imported):
            message = (
                f"live code may not use `{ast.unparse(node)[:120]}`; use what it is handed, or {BY_HAND}"
            )
            yield _at(source, "forbidden_import", node.lineno, message)


def import_not_at_top(source: Source, _rules: Rules) -> Iterator[Finding]:
    """An import inside a function fails when somebody uses it, not when the generation is loaded."""
    if source.is_test or source.tree is None:
        return
    top = {id(node) for node in source.tree.body}
    for outer in source.tree.body:
        if isinstance(outer, ast.If) and is_type_checking(outer.test):
            top.update(id(node) for node in outer.body)
    for node in _nodes(source):
        if isinstance(node, (ast.Import, ast.ImportFrom)) and id(node) not in top:
            message = f"`{ast.unparse(node)}` stands inside of a definition; import at the top of the file"
            yield _at(source, "import_not_at_top", node.lineno, message)


def senses_tests(source: Source, _rules: Rules) -> Iterator[Finding]:
    """Code that behaves otherwise while it is tested has not been tested."""
    for node in _nodes(source):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        sensed = _SENSES.search(text) or (not source.is_test and text in TESTERS)
        imports = (
            []
            if source.is_test
            else [module for _, module, _ in _imports(node, source.path) if module.split(".")[0] in TESTERS]
        )
        frame = isinstance(node, ast.Attribute) and node.attr in (
            "_getframe",
            "currentframe",
            "_current_frames",
        )
        if sensed or imports or frame:
            what = ast.unparse(node)[:80] if isinstance(node, (ast.expr, ast.stmt)) else ""
            message = f"`{what}` lets code find out that it is being tested; behave alike everywhere"
            yield _at(source, "test_detection", getattr(node, "lineno", None), message)


def lying_value(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A value that equals everything passes every test."""
    for node in _nodes(source):
        if (
            isinstance(node, (ast.FunctionDef, ast.Lambda))
            and (name := getattr(node, "name", "")) in _COMPARES
        ):
            last = node.body[-1] if isinstance(node.body, list) else None
            if (
                isinstance(last, ast.Return)
                and isinstance(last.value, ast.Constant)
                and last.value.value is True
            ):
                message = (
                    f"`{name}` always says True, so comparisons with it mean nothing; compare what matters"
                )
                yield _at(source, "lying_value", node.lineno, message)


def loosened_types(source: Source, _rules: Rules) -> Iterator[Finding]:
    """Where types are given up, the type checker is silent, so a person has to look."""
    for node in _nodes(source):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name == "no_type_check":
            message = f"`no_type_check` switches the type checker off; mend the types instead, or {BY_HAND}"
            yield _at(source, "suppression_added", getattr(node, "lineno", None), message)
        elif name in ("Any", "cast") and isinstance(node, (ast.Name, ast.Attribute)):
            message = f"`{name}` gives up on types here"
            yield _at(source, "loosened_types", node.lineno, message, Severity.REVIEW)


def is_type_checking(test: ast.expr) -> bool:
    """Whether a condition is `TYPE_CHECKING`."""
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"


def _at(
    source: Source, rule: str, line: int | None, message: str, severity: Severity = Severity.REFUSE
) -> Finding:
    return Finding(rule=rule, severity=severity, path=source.path, line=line, message=message)


def _dynamic(source: Source, node: ast.expr, what: str) -> Finding:
    message = f"{what} makes or reaches code in a way nobody can judge beforehand; write it out plainly"
    return _at(source, "dynamic_code", node.lineno, message)


def _by_name(source: Source, call: ast.Call, imported: frozenset[str]) -> Iterator[Finding]:
    name = call.args[1] if len(call.args) > 1 else None
    if isinstance(name, ast.Constant) or (name is None and not call.keywords and not call.args):
        changes = isinstance(call.func, ast.Name) and call.func.id != "getattr"
        if not (changes and call.args and _root(call.args[0]) in imported):
            return
    shown = ast.unparse(call)[:120]
    if call.args and _root(call.args[0]) in imported:
        message = f"`{shown}` reaches into what is imported by a name made at run time; write the name out"
        yield _at(source, "dynamic_code", call.lineno, message)
    else:
        message = f"`{shown}` reaches for a name made at run time"
        yield _at(source, "dynamic_name", call.lineno, message, Severity.REVIEW)


def _nodes(source: Source) -> Iterator[ast.AST]:
    if source.tree is not None:
        yield from ast.walk(source.tree)


def _imports(node: ast.AST, path: str) -> Iterator[tuple[int, str, str]]:
    """Line, module (or module and name), and the name that is bound, of each thing a node imports."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield node.lineno, alias.name, (alias.asname or alias.name).split(".")[0]
    elif isinstance(node, ast.ImportFrom):
        package = path.split("/")[: -node.level] if node.level else []
        start = ".".join([*package, *([node.module] if node.module else [])])
        for alias in node.names:
            yield node.lineno, f"{start}.{alias.name}", alias.asname or alias.name


def _imported(tree: ast.Module | None) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
    return frozenset(found)


def _below(module: str, modules: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in modules)


def _reaches(node: ast.Attribute, bound: set[str], imported: frozenset[str]) -> bool:
    """`os.system` where os is imported, `logging.os` where it is not, and what starts a process."""
    if _STARTS.fullmatch(node.attr):
        return True
    if not isinstance(node.value, ast.Name):
        return False
    return node.value.id in bound or (node.attr in _CORE and node.value.id in imported)


def _root(node: ast.expr) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


_SUPPRESSION = re.compile(
    r"#\s*(noqa|type:\s*ignore|pragma|nosec|nosemgrep|pyright:|mypy:|ruff:|flake8:|pylint:|pytype:|pyre-\w+|ty:\s*ignore"
    r"|fmt:\s*(?:off|skip)|yapf:\s*disable|isort:\s*(?:skip|off))",
    re.IGNORECASE,
)
_MAKES_CODE = re.compile(
    r"exec|eval|compile|__import__|globals|locals|vars|breakpoint|__builtins__|__loader__|__spec__"
)
_CORE = frozenset(
    {
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
        "gc",
    }
)
_BY_NAME = frozenset({"getattr", "setattr", "delattr"})
_INSIDES = re.compile(
    r"__subclasses__|__globals__|__builtins__|__code__|__closure__|__mro__|__bases__|__base__|"
    r"__getattribute__|__loader__|__spec__|__import__|__func__|f_globals|f_locals|f_builtins|f_back|"
    r"f_code|gi_frame|gi_code|cr_frame|cr_code|ag_frame|tb_frame|tb_next|__reduce__|__reduce_ex__|"
    r"__setstate__"
)
_NAMED_INSIDES = re.compile(
    r"__(?:subclasses|globals|builtins|code|closure|mro|bases|base|getattribute|loader|import|func)__|\bf_globals\b"
)
_STARTS = re.compile(
    r"create_subprocess_exec|create_subprocess_shell|subprocess_exec|subprocess_shell|_exit|"
    r"FunctionType|CodeType"
)
_SENSES = re.compile(r"PYTEST_|\.dockerenv|^pytest\b.*\bmodules\b|_pytest\b")
_COMPARES = frozenset(
    {"__eq__", "__contains__", "__instancecheck__", "__subclasscheck__", "__le__", "__ge__"}
)
