"""Rules about what live code gets hold of: the interpreter's insides, names made at run time, what belongs to others.

Purely syntactic: they keep honest code honest and make a cheat visible. The walls that hold are the sandbox and the
second process.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from policies.change import Source
from policies.decision import Finding, Severity
from policies.load import Rules
from policies.names import (
    EVALUATES,
    STARTS,
    at,
    changed_by,
    imported,
    imports,
    is_core,
    last,
    meant,
    origins,
    renamings,
    root,
    shown,
)


def dynamic_code(source: Source, _rules: Rules) -> Iterator[Finding]:
    """Code made at run time, and walks to the interpreter's insides, cannot be judged beforehand."""
    called = {id(node.func) for node in source.nodes if isinstance(node, ast.Call)}
    foreign = imported(source)
    known = origins(source)
    for node in source.nodes:
        match node:
            case ast.Name() | ast.Attribute() if meant(node, known) in _GETTERS and id(node) not in called:
                yield _dynamic(source, node, f"`{shown(node)}` that is handed on")
            case ast.Name(id=name) if _MAKES_CODE.fullmatch(name):
                yield _dynamic(source, node, f"`{name}`")
            case ast.Name(id=name) if name in _BY_NAME and id(node) not in called:
                yield _dynamic(source, node, f"`{name}` that is handed on")
            case ast.Attribute(attr=name) if _INSIDES.fullmatch(name) or EVALUATES.fullmatch(name):
                yield _dynamic(source, node, f"`{shown(node)}`")
            case ast.Attribute(attr="__dict__") if root(node) in foreign:
                yield _dynamic(source, node, f"`{shown(node)}`")
            case ast.Constant(value=str(text)) if _NAMED_INSIDES.search(text) or _is_inside(text):
                yield _dynamic(source, node, f"the text {shown(node)}")
            case ast.MatchClass(kwd_attrs=names) if any(
                is_core(name) or _INSIDES.fullmatch(name) for name in names
            ):
                yield _dynamic(source, node, f"a pattern that takes {', '.join(names)} out")
            case ast.Assign(value=ast.Name(id="type")) | ast.NamedExpr(value=ast.Name(id="type")):
                yield _dynamic(source, node, f"`{shown(node)}`")
            case ast.Call():
                yield from _by_name(source, node, foreign, known)
            case _:
                pass


def free_template(source: Source, _rules: Rules) -> Iterator[Finding]:
    """A template can name attributes; one that is no text of the code itself may be what somebody typed."""
    for node in source.nodes:
        match node:
            case ast.Call(func=ast.Attribute(attr="format" | "format_map", value=template), args=given) if (
                not _is_own_text(template, plain=not given)
            ):
                message = f"`{shown(node)}` fills in a template that is made at run time, by which it may reach anything"
                yield at(source, "free_template", node, message, Severity.REVIEW)
            case _:
                continue


def changes_others(source: Source, _rules: Rules) -> Iterator[Finding]:
    """What is imported belongs to others, who rely on it; tests above all rely on the code that they import."""
    brought, there = imported(source), _made_there(source)
    for node in source.nodes:
        foreign = brought - there.get(id(node), frozenset())
        what: ast.expr
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()) if root(node) in foreign or _of_class(node):
                what = node
            case ast.Subscript(ctx=ast.Store() | ast.Del()) if root(node) in foreign:
                what = node
            case ast.Call() if (value := changed_by(node)) is not None and _is_table(value, foreign):
                what = node
            case ast.Attribute(attr=name) if name in _OF_ALL_LOGS or (
                name == "register" and root(node) in foreign
            ):
                what = node
            case ast.Attribute(ctx=ast.Store() | ast.Del(), value=ast.Call(func=made)) if (
                root(made) in foreign
            ):
                what = node
            case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[target, *_]) if (
                root(target) in foreign
            ):
                what = node
            case ast.Call(func=ast.Attribute(attr="__setattr__" | "__delattr__"), args=[target, *_]) if (
                root(target) in foreign
            ):
                what = node
            case _:
                continue
        message = f"`{shown(what)}` changes what is imported, and belongs to others; keep the change in your own code"
        yield at(source, "changes_others", what, message)
    yield from _changes_frozen(source)


def _changes_frozen(source: Source) -> Iterator[Finding]:
    """What was made so that nobody changes it is relied on by all who hold it; only what is being made may fill itself in."""
    for node in source.nodes:
        match node:
            case ast.Call(
                func=ast.Attribute(attr="__setattr__" | "__delattr__", value=ast.Name(id="object")),
                args=[target, *_],
            ) if root(target) != "self" and not source.is_test:
                message = f"`{shown(node)}` changes what was made so that nobody changes it"
                yield at(source, "changes_others", node, message, Severity.REVIEW)
            case _:
                continue


def _made_there(source: Source) -> dict[int, frozenset[str]]:
    """For each node of a function's own: the names that stand there for new values alone, whatever they are elsewhere."""
    found: dict[int, frozenset[str]] = {}
    for function in source.nodes:
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        parts = list(_own_scope(function))
        bound = Counter(
            part.id for part in parts if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)
        )
        shared = {
            name for part in parts if isinstance(part, (ast.Global, ast.Nonlocal)) for name in part.names
        }
        shared |= {part.arg for part in parts if isinstance(part, ast.arg)}
        shared |= {name for part in parts for name, _ in renamings(part)}
        shared |= {each.name for part in parts for each in imports(part, source.path)}
        shared |= {str(getattr(part, "name", "")) for part in parts if isinstance(part, _BINDS)}
        plain = Counter(
            target.id
            for part in parts
            if isinstance(part, (ast.Assign, ast.AnnAssign))
            for target in (part.targets if isinstance(part, ast.Assign) else [part.target])
            if isinstance(target, ast.Name)
        )
        new = frozenset(name for name, count in plain.items() if count == bound[name]) - shared
        for part in parts:
            found[id(part)] = found.get(id(part), frozenset()) | new
    return found


def _own_scope(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, but for what stands in functions and classes within."""
    todo: list[ast.AST] = [function]
    while todo:
        node = todo.pop()
        yield node
        if node is function or not isinstance(node, _SCOPES):
            todo.extend(ast.iter_child_nodes(node))


def _dynamic(source: Source, node: ast.AST, what: str) -> Finding:
    message = f"{what} makes or reaches code in a way nobody can judge beforehand; write it out plainly"
    return at(source, "dynamic_code", getattr(node, "lineno", None), message)


def _by_name(
    source: Source, call: ast.Call, foreign: frozenset[str], known: Mapping[str, str]
) -> Iterator[Finding]:
    """Attributes that are reached for by a name which is a value, and classes that are made of values."""
    if isinstance(call.func, ast.Name) and call.func.id == "type" and len(call.args) > 1:
        yield _dynamic(source, call, f"`{shown(call)}`")
    elif meant(call.func, known) in _GETTERS or last(call.func) in ("attrgetter", "methodcaller"):
        # What follows the name of a method is handed to it.
        given = (
            call.args[:1]
            if "methodcaller" in (last(call.func), meant(call.func, known).rpartition(".")[2])
            else call.args
        )
        names = [argument.value if isinstance(argument, ast.Constant) else None for argument in given]
        if any(not isinstance(name, str) or any(map(_is_hidden, name.split("."))) for name in names):
            yield _dynamic(source, call, f"`{shown(call)}`")
    elif isinstance(call.func, ast.Name) and call.func.id in _BY_NAME:
        name = call.args[1] if len(call.args) > 1 else None
        if isinstance(name, ast.Constant) and not _is_hidden(str(name.value)):
            return
        if isinstance(name, ast.Constant):
            yield _dynamic(source, call, f"`{shown(call)}`")
            return
        if call.args and root(call.args[0]) in foreign:
            message = f"`{shown(call)}` reaches into what is imported by a name made at run time; write the name out"
            yield at(source, "dynamic_code", call, message)
        else:
            message = f"`{shown(call)}` reaches for a name made at run time"
            yield at(source, "dynamic_name", call, message, Severity.REVIEW)


def _is_table(node: ast.expr, foreign: frozenset[str]) -> bool:
    """Whether it looks like a table of somebody else's: `words.IRREGULAR`, or such a constant by itself."""
    return root(node) in foreign and (
        isinstance(node, (ast.Attribute, ast.Subscript)) or last(node).isupper()
    )


def _of_class(node: ast.Attribute) -> bool:
    """Whether `type(x).name` or `x.__class__.name` is stored to."""
    made = isinstance(node.value, ast.Call) and last(node.value.func) == "type"
    return made or last(node.value) == "__class__" or node.attr == "__class__"


def _is_own_text(template: ast.expr, *, plain: bool) -> bool:
    """Whether a template is a text or a table of the code itself, or at least a name that is filled in by names."""
    start: ast.expr = template
    while isinstance(start, (ast.Call, ast.Attribute, ast.Subscript)):
        start = start.func if isinstance(start, ast.Call) else start.value
    if isinstance(start, ast.Name):
        return start.id.isupper() or last(template).isupper() or (plain and start is template)
    return isinstance(start, (ast.Constant, ast.JoinedStr))


def _is_inside(name: str) -> bool:
    """Whether a text is the name of something inside of the interpreter, to be reached for by that name."""
    return name != "mro" and _INSIDES.fullmatch(name) is not None


def _is_hidden(name: str) -> bool:
    """What is not to be reached for by its name as a text: insides, what is private, what starts something."""
    return (
        name.startswith("_")
        or "__" in name
        or is_core(name)
        or any(pattern.fullmatch(name) for pattern in (_INSIDES, EVALUATES, STARTS, _MAKES_CODE))
    )


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_BINDS = (ast.MatchAs, ast.MatchStar, ast.ExceptHandler, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAKES_CODE = re.compile(
    r"exec|eval|compile|__import__|globals|locals|vars|breakpoint|__builtins__|__loader__|__spec__"
)
_GETTERS = frozenset({"operator.attrgetter", "operator.methodcaller"})
_OF_ALL_LOGS = frozenset({"addHandler", "removeHandler", "addFilter", "removeFilter", "setLevel"})
_BY_NAME = frozenset({"getattr", "setattr", "delattr"})
_INSIDES = re.compile(
    r"__subclasses__|__globals__|__builtins__|__code__|__closure__|__mro__|mro|__bases__|__base__|"
    r"__getattribute__|__loader__|__spec__|__import__|__func__|f_globals|f_locals|f_builtins|f_back|"
    r"f_code|gi_frame|gi_code|cr_frame|cr_code|ag_frame|tb_frame|tb_next|__reduce__|__reduce_ex__|"
    r"__setstate__|get_stack|print_stack|get_coro|__self__|findCaller|_getframe|currentframe|_current_frames|__wrapped__"
)
_NAMED_INSIDES = re.compile(
    r"(?:\.|(?=\w+(?:\.\w|\[|[^\s{]*\})))"
    r"__(?:subclasses|globals|builtins|code|closure|mro|bases|base|getattribute|loader|import|func)__|\bf_globals\b"
)
"""Such a name within a template, after or before another; elsewhere it is a word that is underlined."""
