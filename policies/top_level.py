"""What the names of a file's top level stand for while it is loaded, and what of them only makes values."""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator

from policies.change import Source
from policies.load import Rules
from policies.names import dotted, last, meant, origins, root


class TopLevel:
    """The names of one file: its imports, functions and classes, and which of them may be called without harm."""

    def __init__(self, source: Source, rules: Rules) -> None:
        self._trusted = rules.imports.quiet
        self.origins: dict[str, str] = {}
        self.classes: set[str] = set()
        self.plain_classes: set[str] = set()
        self.functions: set[str] = set()
        self.properties: set[str] = set()
        self.answering: set[str] = set()
        self._holders: set[str] = set()
        self._strategies: set[str] = set()
        self._own: set[str] = set()
        for node in source.tree.body if source.tree else ():
            self._learn(node)
        self.literals = _literals(source) - self.functions - self.classes - self.origins.keys()

    def of_value(self, call: ast.Call) -> bool:
        """Whether it asks a plain value, which another call has made, for another one: `"a b".strip().split()`."""
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr not in OF_LITERALS | _OF_DATES | _OF_STRATEGIES:
            return False
        made = func.value
        if self._is_strategy(call):
            return True
        of_text = isinstance(made, (ast.Constant, ast.JoinedStr))
        return of_text or (
            isinstance(made, ast.Call) and (self.of_value(made) or self.knows(dotted(made.func)))
        )

    def is_function(self, argument: ast.expr) -> bool:
        """Whether it is one of the file's own functions, or chosen among what holds some."""
        if isinstance(argument, ast.Call) and self._is_strategy(argument):
            return any(self.is_function(each) for each in handed(argument))
        if isinstance(argument, ast.Call) and self.only_keeps(argument):
            parts = [part for each in handed(argument) for part in ast.walk(each)]
            return any(
                isinstance(part, ast.Lambda) or last(part) in self.functions | self._holders for part in parts
            )
        chosen = isinstance(argument, (ast.Subscript, ast.IfExp, ast.NamedExpr))
        inner = {node.id for node in ast.walk(argument) if isinstance(node, ast.Name)} if chosen else set()
        return last(argument) in self.functions or bool(inner & (self.functions | self._holders))

    def only_keeps(self, call: ast.Call) -> bool:
        """Whether it keeps the functions that it is handed for later, and calls none while the file is loaded."""
        return self._origin(dotted(call.func)) == "functools.partial" or self._is_strategy(call)

    def knows(self, called: str) -> bool:
        """Whether calling this is known to do nothing but make a value."""
        name = called.partition(".")[0]
        if called in self._strategies:
            return True
        if origin := self._origin(called):
            return any(origin == module or origin.startswith(f"{module}.") for module in self._trusted)
        return _BUILTINS.fullmatch(called) is not None and name not in self._own

    def _origin(self, called: str) -> str:
        name, dot, rest = called.partition(".")
        return f"{self.origins[name]}{dot}{rest}" if name in self.origins else ""

    def _is_strategy(self, value: ast.expr) -> bool:
        """Whether it says how tests draw their values; what it is handed is called while they draw."""
        match value:
            case ast.Call(func=func) if self._origin(dotted(func)).startswith("hypothesis.strategies."):
                return True
            case ast.Call(func=ast.Attribute(attr=attr, value=start)) if attr in _OF_STRATEGIES:
                return self._is_strategy(start)
            case ast.Call(func=ast.Name(id=name)) | ast.Name(id=name):
                return name in self._strategies
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self._is_strategy(left) and self._is_strategy(right)
            case _:
                return False

    def _learn(self, node: ast.stmt) -> None:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    self.origins[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if alias.asname else alias.name.split(".")[0]
                    )
            case ast.ImportFrom(module=module, names=names, level=level):
                for alias in names:
                    self.origins[alias.asname or alias.name] = f"{'.' * level}{module or ''}.{alias.name}"
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self._own.add(name)
                self.functions.add(name)
                if any(self._origin(dotted(each)) == _COMPOSITE for each in node.decorator_list):
                    self._strategies.add(name)
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(
                targets
            ) == len(values):
                for target, value in zip(targets, values, strict=True):
                    self._learn_value({target.id} if isinstance(target, ast.Name) else set(), value)
            case ast.Assign(targets=targets, value=value):
                parts = [part for target in targets for part in ast.walk(target)]
                self._learn_value({part.id for part in parts if isinstance(part, ast.Name)}, value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self._learn_value({name}, value)
            case ast.ClassDef():
                self._learn_class(node)
            case _:
                pass

    def _learn_value(self, bound: set[str], value: ast.expr) -> None:
        self._own.update(bound)
        if self._is_strategy(value):
            self._strategies.update(bound)
        elif isinstance(value, ast.Lambda) or self.is_function(value):
            self.functions.update(bound)
        elif any(isinstance(inner, ast.Lambda) or last(inner) in self.functions for inner in ast.walk(value)):
            self._holders.update(bound)

    def _learn_class(self, node: ast.ClassDef) -> None:
        self._own.add(node.name)
        self.classes.add(node.name)
        self.functions.update(inner.name for inner in node.body if isinstance(inner, ast.FunctionDef))
        self.properties.update(
            inner.name
            for inner in node.body
            if isinstance(inner, ast.FunctionDef) and any(_is_property(each) for each in inner.decorator_list)
        )
        if any(_answers(inner) for inner in node.body):
            self.answering.add(node.name)
        for inner in node.body:
            if isinstance(inner, (ast.Assign, ast.AnnAssign)):
                self._learn(inner)
        if self._is_plain(node):
            self.plain_classes.add(node.name)

    def _is_plain(self, node: ast.ClassDef) -> bool:
        """Whether making one of these, and working with it, runs nothing that stands in this file."""
        bases = [dotted(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases]
        quiet = all(base in self.plain_classes or self.knows(base) for base in bases)
        own = [
            inner.name for inner in node.body if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef))
        ]
        answers = any(name.startswith("__") or name in ("_missing_", "model_post_init") for name in own)
        looked_after = any(
            last(each.func if isinstance(each, ast.Call) else each).endswith(("validator", "serializer"))
            for inner in node.body
            for each in getattr(inner, "decorator_list", ())
        )
        return quiet and not node.keywords and not answers and not looked_after


def _literals(source: Source) -> set[str]:
    """Names that are bound once in a file, at its top, and to a literal or the read-only view of one."""
    found: set[str] = set()
    known = origins(source)
    for statement in source.tree.body if source.tree is not None else ():
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        match value:
            case ast.Call(func=func, args=[inner], keywords=[]) if meant(func, known) == _READ_ONLY:
                value = inner
            case _:
                pass
        methods = {id(part.func) for part in ast.walk(value) if isinstance(part, ast.Call)}
        if all(
            isinstance(part, _LITERAL)
            or (isinstance(part, ast.Attribute) and id(part) in methods and part.attr in OF_LITERALS)
            for part in ast.walk(value)
        ):
            found.add(name)
    stored = Counter(
        node.id for node in source.nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    )
    return {name for name in found if stored[name] == 1}


def drawn_from(value: ast.expr, literals: Collection[str]) -> Iterator[str]:
    """What a comprehension goes over calls the parts of a literal."""
    for node in ast.walk(value):
        if isinstance(node, ast.comprehension):
            start = node.iter.func if isinstance(node.iter, ast.Call) else node.iter
            if root(start) in literals:
                yield from (each.id for each in ast.walk(node.target) if isinstance(each, ast.Name))


def handed(call: ast.Call) -> list[ast.expr]:
    """All that a call is given."""
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _is_property(decorator: ast.expr) -> bool:
    return last(decorator) in ("property", "cached_property")


def _answers(inner: ast.stmt) -> bool:
    """Whether a method is run by an operator or by being shown."""
    return (
        isinstance(inner, ast.FunctionDef)
        and inner.name.startswith("__")
        and inner.name not in ("__init__", "__post_init__", "__new__", "__hash__", "__eq__")
    )


_LITERAL = (
    *(ast.Constant, ast.Dict, ast.List, ast.Tuple, ast.Set, ast.Load),
    *(ast.Call, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop),
)
"""What a value is made of that holds no name: a call in it is one of a method of such a value."""
_COMPOSITE = "hypothesis.strategies.composite"
_OF_STRATEGIES = frozenset({"map", "filter", "flatmap"})
_OF_DATES = frozenset(
    {
        "total_seconds",
        "timestamp",
        "date",
        "time",
        "isoformat",
        "astimezone",
        "weekday",
        "isoweekday",
        "toordinal",
    }
)
_READ_ONLY = "types.MappingProxyType"
OF_LITERALS = frozenset(
    {
        *(
            "items",
            "keys",
            "values",
            "get",
            "copy",
            "union",
            "split",
            "splitlines",
            "strip",
            "lower",
            "upper",
            "title",
        ),
        *("casefold", "replace", "removeprefix", "removesuffix", "encode", "join", "count", "index"),
    }
)
"""Methods that make a value of a literal and change nothing."""
_BUILTINS = re.compile(
    r"abs|all|any|bool|bytes|chr|classmethod|complex|dict|divmod|enumerate|filter|float|frozenset|int|len|list|map|max|"
    r"min|object|ord|property|range|repr|reversed|round|set|sorted|staticmethod|str|sum|super|tuple|"
    r"type|zip|dict\.fromkeys|str\.maketrans|bytes\.fromhex"
)
