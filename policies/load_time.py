"""The rule about import time: bringing live code to life must do nothing but define names."""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator

from policies.change import Source, parse
from policies.decision import Finding, Severity
from policies.load import Rules
from policies.names import dotted, is_text, is_type_checking, last, meant, nodes, origins, root

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def module_level_statement(source: Source, rules: Rules) -> Iterator[Finding]:
    """Whatever runs at import runs before anybody judged the outcome, and again at each load."""
    if source.tree is not None:
        reading = _Reading(source, rules)
        for position, statement in enumerate(source.tree.body):
            if position or not is_text(statement):
                yield from reading.statement(statement)


class _Reading:
    """One file's top level and class bodies, read statement by statement."""

    def __init__(self, source: Source, rules: Rules) -> None:
        self._source = source
        self._trusted = rules.imports.quiet
        self._origins: dict[str, str] = {}
        self._classes: set[str] = set()
        self._plain_classes: set[str] = set()
        self._functions: set[str] = set()
        self._holders: set[str] = set()
        self._own: set[str] = set()
        for node in source.tree.body if source.tree else ():
            self._learn(node)
        self._literals = _literals(source) - self._functions - self._classes - self._origins.keys()

    def statement(self, node: ast.stmt) -> Iterator[Finding]:
        """What is wrong with one statement at the top of a module or class."""
        match node:
            case ast.Import() | ast.ImportFrom() | ast.Pass():
                return
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from self._function(node)
            case ast.ClassDef():
                yield from self._class(node)
            case ast.Assign(targets=targets, value=value) if all(_is_name(target) for target in targets):
                yield from self._quiet(value)
            case ast.AnnAssign(target=ast.Name(), annotation=annotation, value=value):
                yield from self._annotation(annotation)
                if value is not None:
                    yield from self._quiet(value)
            case ast.If(test=test) if is_type_checking(test):
                yield from self._type_checking(node)
            case ast.Expr(value=ast.Constant(value=value)) if value is Ellipsis:
                return
            case _:
                if type(node).__name__ == "TypeAlias":  # Python 3.12's `type` statement is lazy
                    return
                what = ast.unparse(node).split("\n")[0][:80]
                yield self._no(node, f"`{what}` runs when the file is loaded; put it into a function")

    def _type_checking(self, node: ast.If) -> Iterator[Finding]:
        for inner in node.body:
            if not isinstance(inner, (ast.Import, ast.ImportFrom)):
                yield from self.statement(inner)
        if node.orelse:
            yield self._look(
                node, "the else of `if TYPE_CHECKING` is what runs, and the type checker never sees it"
            )

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Finding]:
        yield from self._decorators(node)
        arguments = node.args
        given = [
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            arguments.vararg,
            arguments.kwarg,
        ]
        notes = [argument.annotation for argument in given if argument is not None]
        for part in [*arguments.defaults, *arguments.kw_defaults]:
            if part is not None:
                yield from self._quiet(part)
        for note in [*notes, node.returns]:
            if note is not None:
                yield from self._annotation(note)
        if node.name in (
            "__init_subclass__",
            "__set_name__",
            "__class_getitem__",
            "__prepare__",
            "__mro_entries__",
            "_generate_next_value_",
            "__pydantic_init_subclass__",
            "__get_pydantic_core_schema__",
            "__getattr__",
            "__del__",
        ):
            yield self._look(
                node, f"`{node.name}` may run when files are loaded or let go, with nobody asking for it"
            )

    def _class(self, node: ast.ClassDef) -> Iterator[Finding]:
        yield from self._decorators(node)
        for part in [*node.bases, *(keyword.value for keyword in node.keywords)]:
            yield from self._quiet(part)
        for keyword in node.keywords:
            if keyword.arg == "metaclass" and last(keyword.value) in self._functions:
                yield self._no(
                    keyword.value, f"making the class {node.name} calls `{last(keyword.value)}`; use a class"
                )
        makers = [
            inner for inner in node.body if getattr(inner, "name", "") in ("__new__", "__init__", "__call__")
        ]
        if makers and any(last(base) in _MAKES_AT_ONCE for base in node.bases):
            yield self._look(node, f"making the class {node.name} runs `{getattr(makers[0], 'name', '')}`")
        for position, inner in enumerate(node.body):
            if position or not is_text(inner):
                yield from self.statement(inner)

    def _decorators(self, node: _Definition) -> Iterator[Finding]:
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            name = dotted(called)
            if isinstance(decorator, ast.Call):
                handed = [*decorator.args, *(keyword.value for keyword in decorator.keywords)]
                for argument in handed:
                    yield from self._quiet(argument)
                if any(last(argument) in self._functions for argument in handed):
                    yield self._look(
                        node, f"the decorator `{ast.unparse(decorator)[:80]}` may call what it is handed"
                    )
            if not name or not (self._known(name) or name.endswith((".setter", ".getter", ".deleter"))):
                shown = ast.unparse(decorator)[:80]
                yield self._look(node, f"the decorator `{shown}` runs when the file is loaded")

    def _annotation(self, note: ast.expr) -> Iterator[Finding]:
        """Annotations are values, too, and libraries evaluate even those that are written as texts."""
        yield from self._quiet(note)
        for node in ast.walk(note):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "(" in node.value:
                inner = parse(node.value)
                for each in ast.walk(inner) if inner is not None else ():
                    if isinstance(each, ast.Call):
                        yield self._no(
                            node, f"the annotation `{node.value[:80]}` calls something; name a type"
                        )

    def _quiet(self, value: ast.expr) -> Iterator[Finding]:
        """What in an expression does more than make a value."""
        todo: list[ast.AST] = [value]
        called = {
            id(inner)
            for call in ast.walk(value)
            if isinstance(call, ast.Call)
            for inner in ast.walk(call)
            if isinstance(inner, ast.Lambda)
        }
        literal = self._literals | set(_drawn_from(value, self._literals))
        while todo:
            node = todo.pop()
            if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom)):
                yield self._no(
                    node, f"`{ast.unparse(node)[:80]}` waits while the file is loaded; put it into a function"
                )
            elif isinstance(node, ast.Call):
                yield from self._call(node, literal)
            # A function without a name is a value, where nothing here could call it.
            if isinstance(node, ast.Lambda) and id(node) not in called:
                todo.append(node.args)
            else:
                todo.extend(ast.iter_child_nodes(node))

    def _call(self, node: ast.Call, literal: Collection[str]) -> Iterator[Finding]:
        name = dotted(node.func)
        of_text = isinstance(node.func, ast.Attribute) and isinstance(
            node.func.value, (ast.Constant, ast.JoinedStr)
        )
        of_literal = (last(node.func) in _OF_LITERALS and root(node.func) in literal) or self._of_value(node)
        shown = ast.unparse(node)[:80]
        if of_text or of_literal or self._known(name) or name in self._plain_classes:
            handed = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(self._is_function(argument) for argument in handed):
                yield self._look(
                    node, f"`{shown}` is handed a function that it may call while the file is loaded"
                )
        elif name in self._classes or (name in self._origins and name[:1].isupper()):
            yield self._look(node, f"`{shown}` runs when the file is loaded")
        else:
            yield self._no(node, f"`{shown}` is called when the file is loaded; call it inside of a function")

    def _of_value(self, call: ast.Call) -> bool:
        """Whether it asks a plain value, which another call has made, for another one: `"a b".strip().split()`."""
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr not in {*_OF_LITERALS, "total_seconds"}:
            return False
        made = func.value
        of_text = isinstance(made, (ast.Constant, ast.JoinedStr))
        return of_text or (
            isinstance(made, ast.Call) and (self._of_value(made) or self._known(dotted(made.func)))
        )

    def _is_function(self, argument: ast.expr) -> bool:
        """Whether it is one of the file's own functions, or chosen among what holds some."""
        chosen = isinstance(argument, (ast.Subscript, ast.IfExp, ast.NamedExpr))
        inner = {node.id for node in ast.walk(argument) if isinstance(node, ast.Name)} if chosen else set()
        return last(argument) in self._functions or bool(inner & (self._functions | self._holders))

    def _known(self, called: str) -> bool:
        name, _, rest = called.partition(".")
        if name in self._origins:
            origin = f"{self._origins[name]}.{rest}" if rest else self._origins[name]
            return any(origin == module or origin.startswith(f"{module}.") for module in self._trusted)
        return _BUILTINS.fullmatch(called) is not None and name not in self._own

    def _learn(self, node: ast.stmt) -> None:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    self._origins[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if alias.asname else alias.name.split(".")[0]
                    )
            case ast.ImportFrom(module=module, names=names, level=level):
                for alias in names:
                    self._origins[alias.asname or alias.name] = f"{'.' * level}{module or ''}.{alias.name}"
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self._own.add(name)
                self._functions.add(name)
            case ast.Assign(targets=targets, value=value):
                bound = {target.id for target in targets if isinstance(target, ast.Name)}
                self._own.update(bound)
                if isinstance(value, ast.Lambda):
                    self._functions.update(bound)
                elif any(
                    isinstance(inner, ast.Lambda) or last(inner) in self._functions
                    for inner in ast.walk(value)
                ):
                    self._holders.update(bound)
            case ast.ClassDef(name=name):
                self._own.add(name)
                self._classes.add(name)
                self._functions.update(
                    inner.name for inner in node.body if isinstance(inner, ast.FunctionDef)
                )
                if self._is_plain(node):
                    self._plain_classes.add(name)
            case _:
                pass

    def _is_plain(self, node: ast.ClassDef) -> bool:
        """Whether making one of these, and working with it, runs nothing that stands in this file."""
        bases = [dotted(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases]
        quiet = all(base in self._plain_classes or self._known(base) for base in bases)
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

    def _no(self, node: ast.AST, message: str) -> Finding:
        line = getattr(node, "lineno", None)
        return Finding(rule="module_level_statement", path=self._source.path, line=line, message=message)

    def _look(self, node: ast.AST, message: str) -> Finding:
        line = getattr(node, "lineno", None)
        return Finding(
            rule="runs_at_load", severity=Severity.REVIEW, path=self._source.path, line=line, message=message
        )


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
        if all(isinstance(part, _LITERAL) for part in ast.walk(value)):
            found.add(name)
    stored = Counter(
        node.id for node in nodes(source) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    )
    return {name for name in found if stored[name] == 1}


def _drawn_from(value: ast.expr, literals: Collection[str]) -> Iterator[str]:
    """What a comprehension goes over calls the parts of a literal."""
    for node in ast.walk(value):
        if isinstance(node, ast.comprehension):
            start = node.iter.func if isinstance(node.iter, ast.Call) else node.iter
            if root(start) in literals:
                yield from (each.id for each in ast.walk(node.target) if isinstance(each, ast.Name))


def _is_name(node: ast.expr) -> bool:
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(_is_name(element) for element in node.elts)
    return isinstance(node, ast.Name)


_LITERAL = (ast.Constant, ast.Dict, ast.List, ast.Tuple, ast.Set, ast.Load)
_READ_ONLY = "types.MappingProxyType"
_OF_LITERALS = frozenset(
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
_MAKES_AT_ONCE = frozenset(
    {"type", "ABCMeta", "EnumMeta", "EnumType", "Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"}
)
_BUILTINS = re.compile(
    r"abs|all|any|bool|bytes|chr|classmethod|complex|dict|divmod|enumerate|filter|float|frozenset|int|len|list|map|max|"
    r"min|object|ord|property|range|repr|reversed|round|set|sorted|staticmethod|str|sum|super|tuple|"
    r"type|zip|dict\.fromkeys|str\.maketrans|bytes\.fromhex"
)
