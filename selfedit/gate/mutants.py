"""Small faults, planted one at a time into changed lines: tests that tell the change from them have tested it.

Few kinds, each telling: a comparison at its boundary, a condition turned round, a step left out, another number.
What no test could or should tell is left alone: docstrings, annotations, logs, the texts of errors and of help.
"""

import ast
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import libcst as cst
from libcst import matchers as m
from libcst.metadata import ByteSpanPositionProvider, CodeSpan, MetadataWrapper

from policies.change import PARSED_BYTES, parse
from selfedit.editing.syntax.text import No
from selfedit.editing.syntax.tree import parse_module

SHOWN = 160
"""Characters of a line that people are shown."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted fault: the bytes from `start` to `end` of a file become `text`.

    Attributes:
        path: The file.
        line: Where the fault is, counted from 1.
        start, end: Offsets in the file's bytes.
        text: What stands there instead.
        was, becomes: The line before and after, for people.
        loaded: Whether that place runs while the file is loaded, instead of when it is called.
    """

    path: str
    line: int
    start: int
    end: int
    text: str
    was: str
    becomes: str
    loaded: bool

    @property
    def what(self) -> str:
        """The difference, as diffs show it."""
        return f"- {self.was}\n+ {self.becomes}"

    def applied(self, source: bytes) -> bytes:
        """The file with the fault."""
        return source[: self.start] + self.text.encode() + source[self.end :]


def mutants(path: str, source: bytes, lines: Collection[int] | None = None) -> tuple[Mutant, ...]:
    """The faults that fit on some lines, the most telling of each line first.

    Args:
        path: Where the file stands.
        source: Its content; what cannot be read as Python has no mutants.
        lines: The lines that matter, counted from 1; None: all.
    """
    try:
        text = source.decode() if len(source) <= PARSED_BYTES else ""
        tree = parse(text)
        module = parse_module(text, tree) if tree is not None else None
        if tree is None or module is None or isinstance(module, No):
            return ()
        wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
        spans = wrapper.resolve(ByteSpanPositionProvider)
        faults = sorted(_faults(wrapper.module, loaded=True), key=lambda fault: fault.rank)
    except (UnicodeDecodeError, RecursionError):
        return ()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    plain = ast.dump(tree)
    found: dict[tuple[int, int, str], Mutant] = {}
    texts: set[int] = set()
    for fault in faults:
        span = spans[fault.node]
        first, last = (bisect_right(starts, at) for at in (span.start, span.start + max(span.length - 1, 0)))
        if lines is not None and not any(first <= line <= last for line in lines):
            continue
        if fault.rank == _TEXT and first in texts:
            continue
        mutant = _planted(path, source, fault, first, span)
        changed = parse(mutant.applied(source).decode())
        if changed is not None and ast.dump(changed) != plain:
            found.setdefault((mutant.start, mutant.end, mutant.text), mutant)
            texts |= {first} if fault.rank == _TEXT else set()
    return tuple(found.values())


def pick(found: Iterable[Mutant], most: int) -> tuple[Mutant, ...]:
    """So many of them, spread over the lines: the first of each line, then the second of each, and so on."""
    turns: Counter[tuple[str, int]] = Counter()
    rounds: dict[int, list[Mutant]] = {}
    for mutant in found:
        place = (mutant.path, mutant.line)
        rounds.setdefault(turns[place], []).append(mutant)
        turns[place] += 1
    chosen: list[Mutant] = []
    for _, each in sorted(rounds.items()):
        room = min(most - len(chosen), len(each))
        chosen += [each[at * len(each) // room] for at in range(room)]
    return tuple(chosen)


@dataclass(frozen=True, slots=True)
class _Fault:
    rank: int
    node: cst.CSTNode
    text: str
    loaded: bool


_SHARP, _STEP, _VALUE, _TEXT = range(4)
"""How telling a fault is: what is compared and decided; what is done; what is given back; what is written."""

_COMPARED: dict[type[cst.CSTNode], str] = {
    cst.LessThan: "<=",
    cst.LessThanEqual: "<",
    cst.GreaterThan: ">=",
    cst.GreaterThanEqual: ">",
    cst.Equal: "!=",
    cst.NotEqual: "==",
    cst.In: "not in",
    cst.NotIn: "in",
    cst.Is: "is not",
    cst.IsNot: "is",
}
_CALCULATED: dict[type[cst.CSTNode], str] = {
    cst.Add: "-",
    cst.Subtract: "+",
    cst.Multiply: "+",
    cst.Divide: "*",
    cst.FloorDivide: "*",
    cst.Modulo: "*",
    cst.Power: "*",
    cst.AddAssign: "-=",
    cst.SubtractAssign: "+=",
    cst.MultiplyAssign: "+=",
    cst.DivideAssign: "*=",
    cst.FloorDivideAssign: "*=",
    cst.ModuloAssign: "*=",
    cst.And: "or",
    cst.Or: "and",
}
_TYPES = m.Name("cast") | m.Name("TypeVar") | m.Name("NewType") | m.Name("Literal")
_LOG: m.MatchIfTrue[str] = m.MatchIfTrue(
    lambda name: name.strip("_").lower() in ("log", "logger", "logging", "warnings")
)
_LOGGED = m.Call(m.Attribute(value=m.Name(_LOG) | m.Attribute(attr=m.Name(_LOG))))
_HELP = m.Arg(keyword=m.Name(m.MatchIfTrue(lambda name: name in ("usage", "summary", "help"))))
_NO_TEST = m.Name("TYPE_CHECKING") | m.Attribute(attr=m.Name("TYPE_CHECKING"))
_MAIN = m.Comparison(left=m.Name("__name__"))
_LEFT_ALONE = (
    *(m.Annotation(), m.Decorator(), m.Import(), m.ImportFrom(), m.Assert()),
    *(m.If(test=_NO_TEST | _MAIN), m.Expr(m.SimpleString() | m.ConcatenatedString()), _LOGGED, _HELP),
    *(m.Call(_TYPES), m.Subscript(_TYPES)),
    m.Assign([m.AssignTarget(m.Name(m.MatchIfTrue(lambda name: name.startswith("__"))))]),
)
_ORDERED = m.LessThan() | m.LessThanEqual() | m.GreaterThan() | m.GreaterThanEqual()
_CLOSED = m.Raise() | m.ComparisonTarget(_ORDERED, m.Integer())
"""What has its own fault, and none inside: `n < 2` is what `n <= 1` becomes in any case."""
_DECIDED = m.Comparison() | m.BooleanOperation() | m.UnaryOperation(m.Not())
_CONSTANT = m.Name("None") | m.Name("True") | m.Name("False") | m.Integer() | m.Float()
_WORDS = m.SimpleString() | m.ConcatenatedString() | m.FormattedString()
_KEPT = m.Attribute() | m.Subscript()
_ONE = m.Name(lpar=[]) | m.Attribute(lpar=[]) | m.Subscript(lpar=[]) | m.Call(lpar=[])
_CALLED = m.Call() | m.Await(m.Call())


def _faults(node: cst.CSTNode, *, loaded: bool) -> Iterator[_Fault]:
    if any(m.matches(node, left) for left in _LEFT_ALONE):
        return
    for kind in (_decided, _calculated, _done, _constant):
        for rank, place, text in kind(node):
            yield _Fault(rank, place, text, loaded)
    inside = {id(node.body)} if isinstance(node, (cst.FunctionDef, cst.Lambda)) else set()
    for child in () if m.matches(node, _CLOSED) else node.children:
        yield from _faults(child, loaded=loaded and id(child) not in inside)


def _decided(node: cst.CSTNode) -> Iterator[tuple[int, cst.CSTNode, str]]:
    """Faults in what is compared and decided: how telling, what is replaced, by what."""
    match node:
        case cst.ComparisonTarget(operator=operator) if type(operator) in _COMPARED:
            yield _SHARP, operator, _COMPARED[type(operator)]
        case cst.UnaryOperation(operator=cst.Not(), expression=expression):
            yield _SHARP, node, _code(expression)
        case cst.BooleanOperation(operator=operator):
            yield _SHARP, operator, _CALCULATED[type(operator)]
        case cst.If(test=test) | cst.While(test=test) | cst.IfExp(test=test) | cst.CompIf(test=test):
            if not m.matches(test, _DECIDED | _CONSTANT):
                code = _code(test)
                yield _SHARP, test, f"not {code}" if m.matches(test, _ONE) else f"not ({code})"
    if isinstance(node, cst.If) and (guard := _guard(node)):
        yield _STEP, guard, "pass"


def _calculated(node: cst.CSTNode) -> Iterator[tuple[int, cst.CSTNode, str]]:
    match node:
        case cst.BinaryOperation(left=left, operator=operator, right=right):
            operands: tuple[cst.CSTNode, ...] = (left, right)
        case cst.AugAssign(operator=operator, value=value):
            operands = (value,)
        case _:
            return
    if type(operator) in _CALCULATED and not any(m.matches(each, _WORDS) for each in operands):
        yield _STEP, operator, _CALCULATED[type(operator)]


def _done(node: cst.CSTNode) -> Iterator[tuple[int, cst.CSTNode, str]]:
    match node:
        case cst.Raise() | cst.Del():
            yield _STEP, node, "pass"
        case cst.Break():
            yield _STEP, node, "continue"
        case cst.Continue():
            yield _STEP, node, "break"
        case cst.Expr(value=value) if m.matches(value, _CALLED) and not m.matches(value, _LOGGED):
            yield _STEP, node, "pass"
        case cst.Assign(targets=[cst.AssignTarget(target=target)]) if m.matches(target, _KEPT):
            yield _STEP, node, "pass"
        case cst.Return(value=value) if value is not None and not m.matches(value, _DECIDED | _CONSTANT):
            yield _VALUE, value, "None"


def _constant(node: cst.CSTNode) -> Iterator[tuple[int, cst.CSTNode, str]]:
    match node:
        case cst.Name(value="True"):
            yield _VALUE, node, "False"
        case cst.Name(value="False"):
            yield _VALUE, node, "True"
        case cst.Integer() | cst.Float():
            yield _VALUE, node, str(node.evaluated_value + 1)
        case cst.SimpleString() if node.evaluated_value:
            yield _TEXT, node, f"{'b' if 'b' in node.prefix else ''}{node.quote}{node.quote}"


def _guard(node: cst.If) -> cst.CSTNode | None:
    """The `return` of an `if` that does nothing else; leaving it out lets everything through."""
    match node:
        case cst.If(
            orelse=None, body=cst.IndentedBlock(body=[cst.SimpleStatementLine(body=[cst.Return() as last])])
        ):
            return last if not m.findall(last, m.Await()) else None
        case _:
            return None


def _code(node: cst.BaseExpression) -> str:
    return cst.Module([]).code_for_node(node)


def _planted(path: str, source: bytes, fault: _Fault, line: int, span: CodeSpan) -> Mutant:
    end = span.start + span.length
    mutant = Mutant(path, line, span.start, end, fault.text, was="", becomes="", loaded=fault.loaded)
    before, after = (data.splitlines()[line - 1].decode() for data in (source, mutant.applied(source)))
    return replace(mutant, was=_shown(before), becomes=_shown(after))


def _shown(line: str) -> str:
    line = line.strip()
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}…"
