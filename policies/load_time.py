"""The rule about import time: bringing live code to life must do nothing but define names."""

import ast
import re
from collections.abc import Iterator

from policies.change import Source
from policies.code_rules import is_type_checking
from policies.decision import Finding, Severity
from policies.load import Rules

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def module_level_statement(source: Source, rules: Rules) -> Iterator[Finding]:
    """Whatever runs at import runs before anybody judged the outcome, and again at each load."""
    if source.tree is not None:
        reading = _Reading(source, rules)
        for position, statement in enumerate(source.tree.body):
            if position or not _is_text(statement):
                yield from reading.statement(statement)


class _Reading:
    """One file's top level and class bodies, read statement by statement."""

    def __init__(self, source: Source, rules: Rules) -> None:
        self._source = source
        self._trusted = rules.imports.quiet
        self._origins: dict[str, str] = {}
        self._plain_classes: set[str] = set()
        self._own: set[str] = set()
        for node in source.tree.body if source.tree else ():
            self._learn(node)

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
                yield from self._quiet(annotation)
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
        for part in [*arguments.defaults, *arguments.kw_defaults, *notes, node.returns]:
            if part is not None:
                yield from self._quiet(part)
        if node.name in (
            "__init_subclass__",
            "__set_name__",
            "__class_getitem__",
            "__prepare__",
            "__getattr__",
        ):
            yield self._look(node, f"`{node.name}` may run when files are loaded")

    def _class(self, node: ast.ClassDef) -> Iterator[Finding]:
        yield from self._decorators(node)
        for part in [*node.bases, *(keyword.value for keyword in node.keywords)]:
            yield from self._quiet(part)
        for position, inner in enumerate(node.body):
            if position or not _is_text(inner):
                yield from self.statement(inner)

    def _decorators(self, node: _Definition) -> Iterator[Finding]:
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            dotted = _dotted(called)
            if isinstance(decorator, ast.Call):
                for argument in [*decorator.args, *(keyword.value for keyword in decorator.keywords)]:
                    yield from self._quiet(argument)
            if not dotted or not (self._known(dotted) or dotted.endswith((".setter", ".getter", ".deleter"))):
                shown = ast.unparse(decorator)[:80]
                yield self._look(node, f"the decorator `{shown}` runs when the file is loaded")

    def _quiet(self, value: ast.expr) -> Iterator[Finding]:
        """What in an expression does more than make a value."""
        todo: list[ast.AST] = [value]
        while todo:
            node = todo.pop()
            if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom)):
                yield self._no(
                    node, f"`{ast.unparse(node)[:80]}` waits while the file is loaded; put it into a function"
                )
            elif isinstance(node, ast.Call):
                yield from self._call(node)
            todo.extend(ast.iter_child_nodes(node))

    def _call(self, node: ast.Call) -> Iterator[Finding]:
        dotted = _dotted(node.func)
        name = dotted.partition(".")[0]
        of_text = isinstance(node.func, ast.Attribute) and isinstance(
            node.func.value, (ast.Constant, ast.JoinedStr)
        )
        if of_text or self._known(dotted) or dotted in self._plain_classes:
            return
        shown = ast.unparse(node)[:80]
        if dotted and dotted == name and name[:1].isupper() and name in self._origins:
            yield self._look(node, f"`{shown}` runs when the file is loaded")
        else:
            yield self._no(node, f"`{shown}` is called when the file is loaded; call it inside of a function")

    def _known(self, dotted: str) -> bool:
        name, _, rest = dotted.partition(".")
        if name in self._origins:
            origin = f"{self._origins[name]}.{rest}" if rest else self._origins[name]
            return any(origin == module or origin.startswith(f"{module}.") for module in self._trusted)
        return _BUILTINS.fullmatch(dotted) is not None and name not in self._own

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
            case ast.Assign(targets=targets):
                self._own.update(target.id for target in targets if isinstance(target, ast.Name))
            case ast.ClassDef(name=name, body=body, keywords=[]):
                makers = {"__init__", "__new__", "__post_init__", "__init_subclass__"}
                if not any(isinstance(inner, ast.FunctionDef) and inner.name in makers for inner in body):
                    self._plain_classes.add(name)
            case _:
                pass

    def _no(self, node: ast.AST, message: str) -> Finding:
        line = getattr(node, "lineno", None)
        return Finding(rule="module_level_statement", path=self._source.path, line=line, message=message)

    def _look(self, node: ast.AST, message: str) -> Finding:
        line = getattr(node, "lineno", None)
        return Finding(
            rule="runs_at_load", severity=Severity.REVIEW, path=self._source.path, line=line, message=message
        )


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_name(node: ast.expr) -> bool:
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(_is_name(element) for element in node.elts)
    return isinstance(node, ast.Name)


def _dotted(node: ast.expr) -> str:
    """`re.compile` for such an expression, else the empty text."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


_BUILTINS = re.compile(
    r"abs|bool|bytes|chr|classmethod|complex|dict|divmod|enumerate|float|frozenset|int|len|list|max|"
    r"min|object|ord|property|range|repr|reversed|round|set|sorted|staticmethod|str|sum|super|tuple|"
    r"type|zip|dict\.fromkeys|str\.maketrans|bytes\.fromhex"
)
