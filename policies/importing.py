"""Rules about what live code imports, and what it reaches by way of that."""

import ast
import sys
from collections.abc import Collection, Iterator, Mapping

from policies.change import Source
from policies.decision import Finding, Severity
from policies.file_rules import BY_HAND
from policies.load import Rules
from policies.names import (
    EVALUATES,
    STARTS,
    Import,
    at,
    imported,
    imports,
    is_core,
    is_type_checking,
    meant,
    origins,
    own_methods,
    root,
    shown,
)


def forbidden_import(source: Source, rules: Rules) -> Iterator[Finding]:
    """Live code gets what it needs handed to it; system, network, processes and the kernel are out of its reach."""
    subjects = tuple(zone.replace("/", ".") for zone in rules.zones.live)
    bound: set[str] = set()
    brought = [each for node in source.nodes for each in imports(node, source.path)]
    neighbours = {each.name for each in brought if each.relative or each.module.startswith(subjects)}
    for each in brought:
        among = each.module.startswith(subjects) and (source.is_test or each.relative)
        if among or ("." in each.module and each.module in rules.imports.plain):
            continue  # among live code the import contracts decide
        weight = _weight(each.module, rules)
        if weight is not None and _is_for_plain(each, source, rules):
            message = f"it imports {each.module} for what is plain of it, and other files may get all of it from here"
            yield at(source, "sensitive_import", each.node, message, Severity.REVIEW)
        elif _is_forbidden(each, rules.imports.forbidden) or weight is Severity.REFUSE:
            bound.add(each.name)
            message = f"live code may not import {each.module}; use what it is handed, or {BY_HAND}"
            if each.module.startswith(subjects):
                message = f"live code may not import {each.module} by its whole name; say it relative to this file, as `from .x import y`"
            yield at(source, "forbidden_import", each.node, message)
        elif weight is Severity.REVIEW and not each.module.startswith(subjects) and not each.relative:
            message = f"it imports {each.module}, which live code seldom needs, and by which it may reach files or the net"
            yield at(source, "sensitive_import", each.node, message, Severity.REVIEW)
    yield from _reached(source, rules)
    yield from _used(source, bound, neighbours)


def import_not_at_top(source: Source, _rules: Rules) -> Iterator[Finding]:
    """An import inside a function fails when somebody uses it, not when the generation is loaded."""
    if source.is_test or source.tree is None:
        return
    top = {id(node) for node in source.tree.body}
    for outer in source.tree.body:
        if isinstance(outer, ast.If) and is_type_checking(outer.test):
            top.update(id(node) for node in outer.body)
    for node in source.nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)) and id(node) not in top:
            message = f"`{shown(node)}` stands inside of a definition; import at the top of the file"
            yield at(source, "import_not_at_top", node, message)


def _used(source: Source, bound: set[str], neighbours: set[str]) -> Iterator[Finding]:
    """What no import needs to be looked at for: files, the console, waiting for all, and what starts something."""
    foreign, known, own = imported(source), origins(source), own_methods(source)
    loops = "loop" in (source.text or "") or any(
        isinstance(node, ast.Constant) and "loop" in str(node.value) for node in source.nodes
    )
    for node in source.nodes:
        if _opens(node) and "open" not in foreign:
            yield at(source, "sensitive_import", node, "it opens files", Severity.REVIEW)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "input":
            message = (
                f"`{shown(node)}` waits at the console, and the whole bot with it; use what it is handed"
            )
            yield at(source, "forbidden_import", node, message)
        elif meant(node, known) == "time.sleep" and not source.is_test:
            message = f"`{shown(node)}` holds up the whole bot while it waits; await asyncio.sleep instead"
            yield at(source, "forbidden_import", node, message)
        elif not isinstance(node, ast.Attribute):
            continue
        elif _is_word(node, neighbours, loops=loops, foreign=foreign):
            if node.attr not in own or node.attr != "signal":
                message = f"it uses `{shown(node)}`, by which code may reach beyond its answer"
                yield at(source, "sensitive_import", node, message, Severity.REVIEW)
        elif _reaches(node, bound, foreign, is_test=source.is_test):
            message = f"live code may not use `{shown(node)}`; use what it is handed, or {BY_HAND}"
            yield at(source, "forbidden_import", node, message)


def _opens(node: ast.AST) -> bool:
    """Whether it is the function; a field of that name is none."""
    return isinstance(node, ast.Name) and node.id == "open" and isinstance(node.ctx, ast.Load)


def _is_word(
    node: ast.Attribute, neighbours: Collection[str], *, loops: bool, foreign: Collection[str]
) -> bool:
    """Whether it may be a word like others: without a loop, clubs add readers; other live code has signals of its own."""
    if node.attr in ("add_reader", "add_writer"):
        return not loops and root(node) not in foreign
    return node.attr == "signal" and isinstance(node.value, ast.Name) and node.value.id in neighbours


def _is_for_plain(each: Import, source: Source, rules: Rules) -> bool:
    """Whether a module is imported as a whole of which the file uses nothing but what is plain: `io.StringIO`."""
    if not any(name.startswith(f"{each.module}.") for name in rules.imports.plain):
        return False
    known = origins(source)
    used = [node for node in source.nodes if isinstance(node, ast.Attribute) and root(node) == each.name]
    starts = {id(node.value) for node in used if meant(node, known) in rules.imports.plain}
    return all(
        id(node) in starts for node in source.nodes if isinstance(node, ast.Name) and node.id == each.name
    ) and bool(starts)


def _reached(source: Source, rules: Rules) -> Iterator[Finding]:
    """What is reached by way of an imported name, judged as if it were imported itself."""
    known = _given_anew(source)
    for node in source.nodes:
        whole = _whole(node, known)
        listed = {*rules.imports.forbidden, *rules.imports.review}
        named = whole in listed or _short(whole) in listed or _inner(whole)
        weight = _weight(whole, rules) if named else None
        if weight is Severity.REFUSE:
            message = f"live code may not use `{shown(node)}`; use what it is handed, or {BY_HAND}"
            yield at(source, "forbidden_import", node, message)
        elif weight is Severity.REVIEW:
            message = f"it uses `{shown(node)}`, by which code may reach beyond its answer"
            yield at(source, "sensitive_import", node, message, weight)


def _given_anew(source: Source) -> dict[str, str]:
    """What each imported name stands for, and each name that is given one plainly: `lg = logging`."""
    known = origins(source)
    given: list[tuple[str, ast.expr]] = []
    handed: set[str] = set()
    for node in source.nodes:
        for each in imports(node, source.path):
            name = each.module.rpartition(".")[2]
            handed_on = each.relative and isinstance(each.node, ast.ImportFrom) and each.node.module
            if handed_on and name in sys.stdlib_module_names:
                known[each.name] = name  # of a neighbour; `from . import calendar` is the neighbour itself
        match node:
            case ast.arg(arg=name):
                handed.add(name)  # what a function is handed may be anything
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                | ast.NamedExpr(target=ast.Name(id=name), value=value)
            ):
                given.append((name, value))
            case _:
                continue
    for _ in given:
        fresh = {
            name: whole
            for name, value in given
            if name not in known and name not in handed and (whole := meant(value, known))
        }
        if not fresh:
            break
        known |= fresh
    return known


def _whole(node: ast.AST, known: Mapping[str, str]) -> str:
    """What an expression reaches by an imported name: also by a name in a text, or where it is named by the way."""
    match node:
        case ast.Attribute(value=ast.NamedExpr(value=start), attr=name):
            pass
        case ast.Attribute():
            return meant(node, known)
        case ast.Call(func=ast.Name(id="getattr"), args=[start, ast.Constant(value=str(name)), *_]):
            pass
        case ast.Call(func=ast.Call(func=getter, args=[ast.Constant(value=str(name))]), args=[start]) if (
            meant(getter, known) == "operator.attrgetter"
        ):
            pass
        case _:
            return ""
    whole = meant(start, known)
    return f"{whole}.{name}" if whole else ""


def _weight(module: str, rules: Rules) -> Severity | None:
    """How much it weighs that live code gets hold of this."""
    if module in rules.imports.plain:
        return None
    names = [name for name in (module, _inner(module), _short(module)) if name]
    if any(_below(name, rules.imports.forbidden) for name in names):
        return Severity.REFUSE
    plain = (*rules.imports.plain, *rules.imports.quiet)
    looked_at = any(_below(name, rules.imports.review) for name in names) or not all(
        _below(name, plain) for name in (module, _inner(module)) if name
    )
    return Severity.REVIEW if looked_at else None


def _inner(module: str) -> str:
    """`codecs` for `json.codecs`: a module of the standard library that is reached by way of another one."""
    start, _, name = module.rpartition(".")
    first = start.partition(".")[0]
    own = name == start.rpartition(".")[2] or module in _OWN_NAMES
    standard = first in sys.stdlib_module_names and name in sys.stdlib_module_names
    return name if standard and not own else ""


def _short(module: str) -> str:
    """`asyncio.current_task` for `asyncio.tasks.current_task`, which is the same by the name of where it is defined."""
    first, _, rest = module.partition(".")
    return f"{first}.{rest.rpartition('.')[2]}" if "." in rest else ""


def _is_forbidden(each: Import, forbidden: tuple[str, ...]) -> bool:
    first, name = each.module.partition(".")[0], each.module.rpartition(".")[2]
    return (
        (first.startswith("_") and first != "__future__" and not each.relative)
        or _below(each.module, forbidden)
        or is_core(name)
        or name == "*"
        or EVALUATES.fullmatch(name) is not None
        or STARTS.fullmatch(name) is not None
    )


def _below(module: str, modules: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in modules)


def _reaches(node: ast.Attribute, bound: set[str], foreign: frozenset[str], *, is_test: bool) -> bool:
    """`os.system` where os is imported, `logging.os` where it is not, `random._os`, and what starts a process."""
    if STARTS.fullmatch(node.attr):
        return True
    start = root(node)
    inner = node.attr.startswith("_") and not node.attr.startswith("__")
    private = inner and start in foreign and not is_test and node.attr not in _OF_NAMED_TUPLES
    direct = isinstance(node.value, ast.Name) and start in bound
    return direct or private or (is_core(node.attr) and start in foreign)


_OF_NAMED_TUPLES = frozenset({"_replace", "_asdict", "_fields", "_make", "_field_defaults"})
"""What everybody may use although it begins like what is private."""
_OWN_NAMES = frozenset({"collections.abc"})
"""Modules that belong to the one before them although there is another of that name."""
