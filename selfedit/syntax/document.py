"""A Python file with its definitions by qualified name, and where each of them stands."""

import ast
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from selfedit.syntax.text import NEWLINE, Lines, No, indent_of, is_blank, is_comment, parse

Kind = Literal["function", "class", "constant"]
Definable = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign
_LISTED = 12


@dataclass(frozen=True, eq=False)
class Definition:
    """A function, class or constant."""

    name: str
    """Qualified: `Chat.reply`; `outer.inner` for what stands inside of a function."""
    kind: Kind
    node: Definable
    block: tuple[ast.stmt, ...]
    """The statements beside it, itself included."""
    owner: ast.AST
    """What the block belongs to."""
    in_function: bool
    position: int
    """1-based among the definitions of the same name."""


@dataclass(frozen=True)
class Place:
    """Offsets of a definition that has its lines to itself."""

    top: int
    """Its own comment lines begin here: the ones directly above, at its indentation."""
    head: int
    """Its first decorator's or its own line begins here, with the indentation."""
    end: int
    """Its last line ends here, without the newline."""
    stop: int
    """The same with the newline."""
    tail: int
    """Past the comment lines that still stand in its block after its last statement."""
    indent: str


class Document:
    """One parsed Python file. Offsets are in `text`, which has no byte order mark."""

    def __init__(self, text: str, tree: ast.Module) -> None:
        self.text = text
        self.tree = tree
        self.lines = Lines(text)

    @classmethod
    def read(cls, text: str, path: str) -> "Document | No":
        """Parse a file.

        Args:
            text: Its text without a byte order mark.
            path: For the message.
        """
        tree = parse(text, path, "unparsable_file")
        return tree if isinstance(tree, No) else cls(text, tree)

    @cached_property
    def newline(self) -> str:
        """The file's first newline."""
        match = NEWLINE.search(self.text)
        return match.group() if match else "\n"

    @cached_property
    def unit(self) -> str:
        """One step of indentation, as the first indented definition has it."""
        for definition in self.definitions:
            body = getattr(definition.node, "body", None)
            if body and body[0].lineno > definition.node.lineno:
                inner = indent_of(self.lines.content(body[0].lineno))
                outer = indent_of(self.lines.content(definition.node.lineno))
                if inner.startswith(outer) and inner != outer:
                    return inner[len(outer) :]
        return "    "

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        """Every definition, in the order of the source."""
        counts: dict[str, int] = {}
        found = []
        for name, node, block, owner, in_function in _walk(self.tree, "", in_function=False):
            counts[name] = counts.get(name, 0) + 1
            found.append(Definition(name, kind_of(node), node, block, owner, in_function, counts[name]))
        return tuple(found)

    def find(
        self, target: str, kinds: Sequence[Kind] = ("function", "class", "constant")
    ) -> "Definition | No":
        """The one definition that a target names.

        `load#2` is the second definition of `load`; `outer.<locals>.inner` is `outer.inner`.
        """
        name, _, ordinal = target.replace(".<locals>.", ".").strip().partition("#")
        same = [definition for definition in self.definitions if definition.name == name]
        if not same:
            return self._unknown(name)
        if ordinal:
            if not ordinal.isdecimal() or not 1 <= int(ordinal) <= len(same):
                count = "one definition" if len(same) == 1 else f"{len(same)} definitions"
                return No(
                    "unknown_target",
                    f"there is no `{target}`; the file has {count} of `{name}`",
                    self._several(same),
                )
            chosen = same[int(ordinal) - 1]
        elif len(same) > 1:
            places = ", ".join(f"line {definition.node.lineno}" for definition in same)
            return No(
                "ambiguous_target",
                f"`{name}` is defined {len(same)} times ({places}); name one by its position, as in `{name}#2`",
                self._several(same),
            )
        else:
            chosen = same[0]
        if chosen.kind not in kinds:
            return No(
                "wrong_kind",
                f"`{target}` is a {chosen.kind}, and this edit is for a {' or a '.join(kinds)}",
                tuple(d.name for d in self.definitions if d.kind in kinds and _close(d.name, name))[:_LISTED],
            )
        return chosen

    def _several(self, same: Sequence[Definition]) -> tuple[str, ...]:
        return tuple(f"{d.name}#{d.position}" for d in same[:_LISTED])

    def _unknown(self, name: str) -> No:
        names = list(dict.fromkeys(definition.name for definition in self.definitions))
        scope, _, last = name.rpartition(".")
        near = difflib.get_close_matches(name, names, n=5, cutoff=0.6)
        near += [other for other in names if other.rpartition(".")[2] == last and other not in near]
        inside = [other for other in names if other.rpartition(".")[0] == (scope if scope in names else "")]
        where = f"`{scope}`" if scope in names else "the file"
        if scope and scope not in names:
            message = f"there is no `{name}`; the file has no `{scope}` either"
        elif inside:
            message = f"there is no `{name}`; {where} has {_listed(inside)}"
        else:
            message = f"there is no `{name}`; {where} defines nothing"
        return No("unknown_target", message, tuple(near) or tuple(inside[:_LISTED]))

    def place(self, begin: int, end: int) -> Place | None:
        """Where a definition stands, from the offsets of its first and past its last token.

        None when it shares a line with other code.
        """
        first, last = self.lines.line(begin), self.lines.line(max(end - 1, begin))
        lead = self.text[self.lines.starts[first - 1] : begin]
        stop = self.lines.stop(last)
        line_end = stop - len(self.text[end:stop]) + len(self.text[end:stop].rstrip("\r\n"))
        rest = self.text[end:line_end].strip(" \t\f;")
        if lead.strip(" \t\f") or (rest and not rest.startswith("#")):
            return None
        above = self.lines.content(first - 1) if first > 1 else ""
        if above.endswith("\\") and not is_comment(above):
            return None
        indent = lead[lead.rfind("\f") + 1 :]
        top = head = begin - len(indent)
        line = first - 1
        if head == self.lines.starts[first - 1]:
            while (
                line >= 1
                and self.lines.content(line).startswith(f"{indent}#")
                and not self._ends_string(line)
            ):
                top = self.lines.starts[line - 1]
                line -= 1
        return Place(top, head, line_end, stop, self._tail(last, stop, indent), indent)

    def tail_of(self, node: ast.stmt) -> int:
        """Past a statement's last line and the comment lines that still stand inside of it."""
        last = node.end_lineno or node.lineno
        return self._tail(last, self.lines.stop(last), indent_of(self.lines.content(node.lineno)))

    def _tail(self, last: int, stop: int, indent: str) -> int:
        tail = stop
        for line in range(last + 1, len(self.lines) + 1):
            content = self.lines.content(line)
            if is_blank(content):
                continue
            lead = indent_of(content)
            if not is_comment(content) or not lead.startswith(indent) or lead == indent:
                break
            tail = self.lines.stop(line)
        return tail

    def _ends_string(self, line: int) -> bool:
        """Whether a line that looks like a comment may be the end of a string that spans lines."""
        content = self.lines.content(line)
        above = self.lines.content(line - 1) if line > 1 else ""
        return '"""' in content or "'''" in content or above.endswith("\\")

    def quick_place(self, definition: Definition) -> Place | None:
        """Where a definition stands by the positions of Python's parser; None when they leave a doubt."""
        node = definition.node
        begin = self.lines.offset(node.lineno, node.col_offset)
        decorators = getattr(node, "decorator_list", [])
        if decorators:
            first = decorators[0]
            at = self.lines.offset(first.lineno, first.col_offset)
            start = self.lines.starts[first.lineno - 1]
            sign = self.text[start:at].rstrip(" \t")
            # A decorator in brackets begins for the parser inside of them.
            if not sign.endswith("@") or sign.strip(" \t\f") != "@":
                return None
            begin = start + len(sign) - 1
        end = self.lines.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)
        return self.place(begin, end)

    def span(self, node: ast.stmt | ast.expr) -> tuple[int, int]:
        """Offsets of a node's first and past its last character."""
        return (
            self.lines.offset(node.lineno, node.col_offset),
            self.lines.offset(node.end_lineno or node.lineno, node.end_col_offset or 0),
        )

    def spliced(self, start: int, stop: int, new: str) -> str:
        """The text with other characters between two offsets."""
        return self.text[:start] + new + self.text[stop:]


def kind_of(node: Definable) -> Kind:
    """What a statement defines."""
    if isinstance(node, ast.ClassDef):
        return "class"
    return "constant" if isinstance(node, (ast.Assign, ast.AnnAssign)) else "function"


def blocks(node: ast.AST) -> Iterator[tuple[ast.AST, list[ast.stmt]]]:
    """The blocks of statements directly inside of a statement, each with the node that owns it, in source order."""
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        for_name = getattr(node, name, None)
        if not isinstance(for_name, list) or not for_name:
            continue
        if isinstance(for_name[0], ast.stmt):
            yield node, for_name
        elif isinstance(for_name[0], (ast.ExceptHandler, ast.match_case)):
            for inner in for_name:
                yield inner, inner.body


def assigned_names(node: ast.stmt) -> list[str]:
    """The plain names that an assignment gives a value."""
    if isinstance(node, ast.AnnAssign):
        return [node.target.id] if isinstance(node.target, ast.Name) else []
    targets = node.targets if isinstance(node, ast.Assign) else []
    names = (inner for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name))
    return [name.id for name in names if isinstance(name.ctx, ast.Store)]


_Walked = tuple[str, Definable, tuple[ast.stmt, ...], ast.AST, bool]


def _walk(node: ast.AST, prefix: str, *, in_function: bool) -> Iterator[_Walked]:
    for owner, block in blocks(node):
        beside = tuple(block)
        for statement in block:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield prefix + statement.name, statement, beside, owner, in_function
                function = not isinstance(statement, ast.ClassDef)
                yield from _walk(statement, f"{prefix}{statement.name}.", in_function=function)
            elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
                if not in_function:
                    for name in assigned_names(statement):
                        yield prefix + name, statement, beside, owner, in_function
            else:
                yield from _walk(statement, prefix, in_function=in_function)


def _close(name: str, other: str) -> bool:
    return bool(difflib.get_close_matches(name, [other], n=1, cutoff=0.5)) or name.startswith(f"{other}.")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_LISTED])
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"


def near(name: str, names: Sequence[str]) -> tuple[str, ...]:
    """Names that may have been meant, best first."""
    return tuple(difflib.get_close_matches(name, names, n=5, cutoff=0.6))


def is_string(node: ast.stmt) -> bool:
    """Whether a statement is a bare string."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def own_docstring(definition: Definition, index: int) -> ast.stmt | None:
    """The bare string that describes the constant above it."""
    following = definition.block[index + 1 : index + 2]
    if definition.kind == "constant" and following and is_string(following[0]):
        return following[0] if following[0].lineno > (definition.node.end_lineno or 0) else None
    return None
