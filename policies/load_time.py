"""The rule about import time: bringing live code to life must do nothing but define names."""

import ast
from collections.abc import Collection, Iterator

from policies.change import Source, parse
from policies.decision import Finding, Severity
from policies.load import Rules
from policies.names import dotted, is_text, is_type_checking, last, root
from policies.top_level import OF_LITERALS, TopLevel, drawn_from, handed

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
        self._names = TopLevel(source, rules)

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
            if keyword.arg == "metaclass" and last(keyword.value) in self._names.functions:
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
                given = handed(decorator)
                for argument in given:
                    yield from self._quiet(argument)
                if any(last(argument) in self._names.functions for argument in given):
                    yield self._look(
                        node, f"the decorator `{ast.unparse(decorator)[:80]}` may call what it is handed"
                    )
            if not name or not (self._names.knows(name) or name.endswith((".setter", ".getter", ".deleter"))):
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
            if isinstance(call, ast.Call) and not self._names.only_keeps(call)
            for inner in ast.walk(call)
            if isinstance(inner, ast.Lambda)
        }
        literal = self._names.literals | set(drawn_from(value, self._names.literals))
        while todo:
            node = todo.pop()
            if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom)):
                yield self._no(
                    node, f"`{ast.unparse(node)[:80]}` waits while the file is loaded; put it into a function"
                )
            elif isinstance(node, ast.Call):
                yield from self._call(node, literal)
            elif self._answers(node):
                yield self._look(
                    node, f"`{ast.unparse(node)[:80]}` runs a method of this file while it is loaded"
                )
            # A function without a name is a value, where nothing here could call it.
            if isinstance(node, ast.Lambda) and id(node) not in called:
                todo.append(node.args)
            else:
                todo.extend(ast.iter_child_nodes(node))

    def _answers(self, node: ast.AST) -> bool:
        """Whether an expression without a call runs a property or an operator that stands in this file."""
        match node:
            case ast.Attribute(attr=name, ctx=ast.Load()):
                return name in self._names.properties and not name.isupper()
            case ast.BinOp(left=left, right=right):
                operands = [left, right]
            case ast.UnaryOp(operand=operand) | ast.FormattedValue(value=operand):
                operands = [operand]
            case ast.Compare(left=left, comparators=others):
                operands = [left, *others]
            case _:
                return False
        members = [each for each in operands if isinstance(each, ast.Attribute)]
        return any(root(member) in self._names.answering for member in members)

    def _call(self, node: ast.Call, literal: Collection[str]) -> Iterator[Finding]:
        name = dotted(node.func)
        of_text = isinstance(node.func, ast.Attribute) and isinstance(
            node.func.value, (ast.Constant, ast.JoinedStr)
        )
        of_literal = (last(node.func) in OF_LITERALS and root(node.func) in literal) or self._names.of_value(
            node
        )
        shown = ast.unparse(node)[:80]
        if of_text or of_literal or self._names.knows(name) or name in self._names.plain_classes:
            # What is kept for later is looked at where it is handed on.
            kept = self._names.only_keeps(node)
            if not kept and any(self._names.is_function(argument) for argument in handed(node)):
                yield self._look(
                    node, f"`{shown}` is handed a function that it may call while the file is loaded"
                )
        elif name in self._names.classes or (name in self._names.origins and name[:1].isupper()):
            yield self._look(node, f"`{shown}` runs when the file is loaded")
        elif self._source.is_test:
            # The running bot loads no test, and whatever a test calls runs a moment later anyway.
            yield self._look(node, f"`{shown}` is called while the tests are collected")
        else:
            yield self._no(node, f"`{shown}` is called when the file is loaded; call it inside of a function")

    def _no(self, node: ast.AST, message: str) -> Finding:
        line = getattr(node, "lineno", None)
        return Finding(rule="module_level_statement", path=self._source.path, line=line, message=message)

    def _look(self, node: ast.AST, message: str) -> Finding:
        line = getattr(node, "lineno", None)
        return Finding(
            rule="runs_at_load", severity=Severity.REVIEW, path=self._source.path, line=line, message=message
        )


def _is_name(node: ast.expr) -> bool:
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(_is_name(element) for element in node.elts)
    return isinstance(node, ast.Name)


_MAKES_AT_ONCE = frozenset(
    {"type", "ABCMeta", "EnumMeta", "EnumType", "Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"}
)
