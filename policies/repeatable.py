"""Rules about what makes one answer differ from the next: the hour, chance, and what was kept from before."""

import ast
from collections.abc import Iterator, Mapping

from policies.change import Source
from policies.decision import Finding, Severity
from policies.load import Rules
from policies.names import (
    MUTATORS,
    at,
    changed_by,
    closed,
    handed_on,
    imported,
    imports,
    last,
    meant,
    origins,
    renamings,
    root,
    shown,
    standing_for,
)
from policies.state import keeps_objects


def unrepeatable(source: Source, _rules: Rules) -> Iterator[Finding]:
    """What depends on the hour or on chance is right while it is tested, and may be otherwise tomorrow."""
    if source.is_test:
        return
    brought = [each for node in source.nodes for each in imports(node, source.path)]
    chance = {
        each.name
        for each in brought
        if each.module.partition(".")[0] in _CHANCE and each.module not in _NO_CHANCE
    }
    clocks = {
        each.name
        for each in brought
        if each.module.partition(".")[2] in _CLOCKS
        and each.module not in ("datetime.time", "datetime.timezone")
    }
    foreign, known = imported(source), origins(source)
    times = standing_for(source, {each.name for each in brought if each.module == "time"})
    hashes = {id(node) for own in source.nodes if _is_hash(own) for node in ast.walk(own)}
    for node in source.nodes:
        match node:
            case ast.Attribute(attr=name) if name in _CLOCKS and (
                root(node) in (times if name in _ALSO_WORDS else foreign)
                or meant(node, known).split(".")[-2:] in _OF_TIME
            ):
                clock = True
            case ast.Name(id=name, ctx=ast.Load()) if name in clocks:
                clock = True
            case ast.Attribute(value=ast.Name(id=name), attr=what) if (
                name in chance and what not in _NO_CHANCE
            ):
                clock = False
            case ast.Name(id=name, ctx=ast.Load()) if name in chance - _CHANCE:
                clock = False
            case ast.Call(func=ast.Attribute(attr="time", value=ast.Call(func=asked))) if (
                last(asked) in _LOOPS
            ):
                clock = True
            case ast.Call(args=given) if last(node.func) in _BY_NAME and any(
                _names_clock(each) for each in given
            ):
                clock = True
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
    used_up = {name for statement in source.tree.body for name in _used_up(statement, origins(source))}
    given = handed_on(source)
    cached = {node.name for node in source.nodes if isinstance(node, _FUNCTIONS) and _is_cached(node)}
    called = {id(node.func) for node in source.nodes if isinstance(node, ast.Call)}
    kept = {node.id for node in source.nodes if isinstance(node, ast.Name) and id(node) not in called}
    seen: set[int] = set()
    for function in (node for node in source.nodes if isinstance(node, (*_FUNCTIONS, ast.Lambda))):
        reached = own - _local(function)
        pairs = [pair for node in ast.walk(function) for pair in renamings(node)]
        pairs += given.get(getattr(function, "name", ""), [])
        start = reached | {name for node in ast.walk(function) for name in _from_cache(node, cached)}
        known = start | closed(start, pairs)
        lasting = getattr(function, "name", "") in kept
        for node in ast.walk(function):
            if lasting and isinstance(node, ast.Nonlocal):
                message = (
                    f"`{', '.join(node.names)}` is remembered for as long as somebody holds this function"
                )
                yield at(source, "keeps_state", node, message, Severity.REVIEW)
            if id(node) not in seen and (remembered := _remembers(node, known, used_up & reached)):
                seen.add(id(node))
                message = f"`{remembered}` is remembered from one answer to the next, until the code changes"
                yield at(source, "keeps_state", node, message, Severity.REVIEW)
    yield from keeps_objects(source, source.tree)


def _is_hash(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "__hash__"


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


def _used_up(statement: ast.stmt, known: Mapping[str, str]) -> Iterator[str]:
    """Names of what goes on from where it was left, whoever asks."""
    match statement:
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            made = isinstance(value, ast.Call) and (
                meant(value.func, known).startswith("itertools.") or last(value.func) in ("iter", "reversed")
            )
            if made or isinstance(value, ast.GeneratorExp):
                yield from _bound(statement)
        case _:
            return


def _remembers(node: ast.AST, own: set[str], used_up: set[str]) -> str:
    """What a node changes that outlives the call, if it does."""
    match node:
        case ast.Global(names=names):
            return ", ".join(names)
        case ast.Name(id=name, ctx=ast.Load()) if name in used_up:
            return name
        case ast.Attribute(attr="call_later" | "call_at" | "call_soon" | "call_soon_threadsafe"):
            return shown(node)
        case ast.Attribute(ctx=ast.Store(), value=ast.Name(id="cls")):
            return shown(node)
        case ast.Call(func=ast.Attribute(attr=name, value=ast.Call(func=ast.Name(id=maker)))) if (
            name in MUTATORS and maker in own
        ):
            return f"{maker}()"
        case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[target, *_]) if root(target) in own:
            return root(target)
        case ast.Call() if (changed := changed_by(node)) is not None and root(changed) in own:
            return root(changed)
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()) if (
            root(node) in own
        ):
            return root(node)
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()) if (
            _maker(node) in own
        ):
            return f"{_maker(node)}()"
        case ast.Call(func=ast.Name(id="next"), args=[value, *_]) if root(value) in own:
            return root(value)
        case _:
            return ""


def _is_cached(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it hands out again what it made before."""
    makers = (each.func if isinstance(each, ast.Call) else each for each in function.decorator_list)
    return any(last(each) in ("cache", "lru_cache") for each in makers)


def _from_cache(node: ast.AST, cached: set[str]) -> Iterator[str]:
    """Names that are given what such a function hands out."""
    match node:
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=maker)))
            | ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(func=ast.Name(id=maker)))
            | ast.NamedExpr(target=ast.Name(id=name), value=ast.Call(func=ast.Name(id=maker)))
        ) if maker in cached:
            yield name
        case _:
            return


def _maker(node: ast.expr) -> str:
    """The function with whose call `f()["a"].b` begins."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _names_clock(node: ast.expr) -> bool:
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and text.rpartition(".")[2] in _CLOCKS - _ALSO_WORDS


_LOOPS = frozenset({"get_running_loop", "get_event_loop", "get_loop"})
_BY_NAME = frozenset({"getattr", "attrgetter", "methodcaller"})
_ALSO_WORDS = frozenset({"time", "timezone", "daylight"})
"""Names of clocks that other things bear as well."""
_OF_TIME = [["time", word] for word in sorted(_ALSO_WORDS)]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


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
        *("localtime", "gmtime", "process_time", "process_time_ns", "ctime", "asctime", "strftime"),
        *("thread_time", "thread_time_ns", "clock_gettime", "clock_gettime_ns"),
        *("tzname", "timezone", "altzone", "daylight"),
    }
)
