"""A Python file with its definitions by qualified name, and where each of them stands."""

import ast
import copy
import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from selfedit.editing.syntax.outline import Definition, Kind, every, named, split_target
from selfedit.editing.syntax.text import NEWLINE, Lines, No, indent_of, is_blank, is_comment, parse

_LISTED = 12
_FIRST_STEP = re.compile(
    r"^([ \t]*)(?:async[ \t]+def|def|class)\b[^\r\n]*:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n)\1([ \t]+)[^\s#]",
    re.MULTILINE,
)


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

    def __init__(self, text: str, tree: ast.Module | None = None) -> None:
        self.text = text
        self.lines = Lines(text)
        self._tree = tree
        self._pinned: Definition | None = None

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
    def tree(self) -> ast.Module:
        """The parsed text; empty where it does not parse (`read` says so at once)."""
        if self._tree is None:
            tree = parse(self.text, "the file", "unparsable_file")
            self._tree = tree if isinstance(tree, ast.Module) else ast.Module(body=[], type_ignores=[])
        return self._tree

    def pinned(self, definition: "Definition") -> "Document":
        """The same file, in which whatever is looked for is one definition that was found already."""
        same = copy.copy(self)
        same._pinned = definition  # noqa: SLF001 - its own class
        return same

    @cached_property
    def unit(self) -> str:
        """One step of indentation, as the first definition with a body of lines has it."""
        match = _FIRST_STEP.search(self.text)
        return match[2] if match else "    "

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        """Every definition, in the order of the source."""
        return tuple(every(self.tree))

    def find(
        self, target: str, kinds: Sequence[Kind] = ("function", "class", "constant")
    ) -> "Definition | No":
        """The one definition that a target names.

        `load#2` is the second definition of `load`; `outer.<locals>.inner` is `outer.inner`.
        """
        if self._pinned is not None:
            return (
                self._pinned
                if self._pinned.kind in kinds
                else No("wrong_kind", f"`{target}` is something else")
            )
        name, ordinal = split_target(target)
        same = list(named(self.tree, name))
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


def _close(name: str, other: str) -> bool:
    return bool(difflib.get_close_matches(name, [other], n=1, cutoff=0.5)) or name.startswith(f"{other}.")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_LISTED])
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"


def near(name: str, names: Sequence[str]) -> tuple[str, ...]:
    """Names that may have been meant, best first."""
    return tuple(difflib.get_close_matches(name, names, n=5, cutoff=0.6))
