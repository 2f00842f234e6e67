"""Sources that authors hand over, at whatever indentation: reading them and moving them to their place."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from inspect import cleandoc

from selfedit.editing.syntax.text import BLANK, NEWLINE, No, indent_of, is_blank, is_comment, parse

_BLANK_LINES_ABOVE = re.compile(r"\A\ufeff?(?:[ \t\f]*(?:\r\n|\r|\n))+|\A\ufeff")
_BLANK_LINES_BELOW = re.compile(r"(?:(?:\r\n|\r|\n)[ \t\f]*)+\Z")


@dataclass(frozen=True)
class Piece:
    """A source that an author handed over, parsed where it stands."""

    text: str
    """Without blank lines at either end."""
    indent: str
    tree: ast.Module = field(repr=False)
    body: tuple[ast.stmt, ...] = field(repr=False)
    skipped: int = 0
    """Lines of the tree that are not of the text."""

    @property
    def leads_with_comment(self) -> bool:
        """Whether comment lines stand above the code."""
        return is_comment(NEWLINE.split(self.text, maxsplit=1)[0])

    @property
    def ends_with_comment(self) -> bool:
        """Whether the last line is a comment inside of the code's block."""
        last = NEWLINE.split(self.text)[-1]
        return is_comment(last) and len(indent_of(last)) > len(self.indent)


def read_piece(source: str, place: str | None = None, body: str = "") -> Piece | No:
    """Read a source at whatever indentation it stands.

    Args:
        source: One or more statements.
        place: The indentation that it goes to, where known. A source whose first line alone has lost this
            indentation (as `ast.get_source_segment` gives it) gets it back.
        body: The indentation of the body that it replaces, where known.
    """
    trimmed = _BLANK_LINES_BELOW.sub("", _BLANK_LINES_ABOVE.sub("", source))
    head = trimmed[: len(trimmed) - len(trimmed.lstrip(BLANK))]
    trimmed = trimmed[head.rfind("\f") + 1 :]
    read = _read(trimmed)
    if place and trimmed[:1] not in (" ", "\t"):
        padded = _read(place + trimmed)
        if isinstance(padded, Piece) and (isinstance(read, No) or _stands_at(padded, place, body)):
            return padded
    return read


def _read(source: str) -> Piece | No:
    code = next((line for line in NEWLINE.split(source) if not is_blank(line) and not is_comment(line)), "")
    indent = indent_of(code)
    if not indent:
        tree = parse(source, "the source", "unparsable_source")
        return tree if isinstance(tree, No) else Piece(source, "", tree, tuple(tree.body))
    tree = parse(f"if 1:\n{source}", "the source", "unparsable_source", skipped_lines=1)
    if isinstance(tree, No):
        return tree
    block = tree.body[0]
    if len(tree.body) != 1 or not isinstance(block, ast.If) or block.orelse:
        return No("unparsable_source", "the source does not stand at one indentation; indent its parts alike")
    return Piece(source, indent, tree, tuple(block.body), skipped=1)


def _stands_at(piece: Piece, place: str, inside: str) -> bool:
    lines = NEWLINE.split(piece.text)
    for node in piece.body:
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and body[0].lineno > node.lineno:
            line = lines[body[0].lineno - 1 - piece.skipped]
            lead = indent_of(line)
            if lead == place and line.lstrip(BLANK).startswith((")", "]", "}")):
                # The signature ends on this line, and closes where the definition begins.
                return True
            if lead == inside:
                return True
            inner = lead.removeprefix(place)
            # One usual step in from its place; from column 0 it would be a step of double size or more.
            return lead.startswith(place) and inner in ("\t", "  ", "    ") and len(lead) > len(inner)
    return False


def moved(piece: Piece, indent: str) -> str | No:
    """The text of a piece at another indentation.

    Code, comments and docstrings move along; the lines of any other string stay as they are, so its value does.
    """
    if piece.indent == indent:
        return piece.text
    held = _string_lines(piece)
    if isinstance(held, No):
        return held
    parts = re.split(r"(\r\n|\r|\n)", piece.text)
    for number in range(0, len(parts), 2):
        if number // 2 + 1 not in held:
            parts[number] = _moved_line(parts[number], piece.indent, indent)
    text = "".join(parts)
    again = _read(text)
    if isinstance(again, No) or _meaning(again) != _meaning(piece):
        return No(
            "unusual_layout",
            "the source cannot be moved to its place without changing it; indent it as its place is",
        )
    return text


def moved_expression(source: str, place: str) -> str | No:
    """An expression with its continuation lines relative to the block it stands in.

    Args:
        source: The expression, its first line without indentation.
        place: The indentation of the statement that it goes into.
    """
    source = source.strip()
    lines = NEWLINE.split(source)
    tree = parse(f"({source}\n)", "the expression", "unparsable_source")
    if isinstance(tree, No):
        return tree
    if len(lines) == 1:
        return source
    held = _string_lines(Piece(f"({source}\n)", "", tree, ()))
    if isinstance(held, No):
        return held
    free = [
        line
        for number, line in enumerate(lines, 1)
        if number > 1 and number not in held and not is_blank(line)
    ]
    last = lines[-1]
    if len(lines) not in held and last.lstrip(BLANK)[:1] in (")", "]", "}"):
        base = indent_of(last)
    else:
        base = place if all(line.startswith(place) for line in free) else ""
    parts = re.split(r"(\r\n|\r|\n)", source)
    for number in range(2, len(parts), 2):
        if number // 2 + 1 not in held:
            parts[number] = _moved_line(parts[number], base, "")
    return "".join(parts)


def _moved_line(line: str, old: str, new: str) -> str:
    if is_blank(line):
        return ""
    if line.startswith(old):
        return new + line[len(old) :]
    shared = 0
    while shared < min(len(line), len(old)) and line[shared] == old[shared]:
        shared += 1
    return new + line[shared:]


def _string_lines(piece: Piece) -> set[int] | No:
    """1-based lines of a piece that begin inside of a string that is no docstring."""
    docs = {
        (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
        for node in _docstrings(piece.tree)
    }
    wrapped = "if 1:\n" if piece.skipped else ""
    # The tokenizer knows no lone carriage return; line numbers stay the same.
    plain = NEWLINE.sub("\n", wrapped + piece.text)
    held: set[int] = set()
    starts: list[int] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(plain).readline):
            name = tokenize.tok_name[token.type]
            if name.endswith("STRING_START"):
                starts.append(token.start[0])
            elif name.endswith("STRING_END"):
                held.update(range(starts.pop() + 1, token.end[0] + 1))
            elif name == "STRING" and not (
                _is_docstring(token, docs) and _aligned(token.string, piece.indent)
            ):
                held.update(range(token.start[0] + 1, token.end[0] + 1))
    except (tokenize.TokenError, SyntaxError, IndexError):
        return No("unusual_layout", "the source cannot be moved to its place; indent it as its place is")
    return {line - piece.skipped for line in held}


def _is_docstring(token: tokenize.TokenInfo, docs: set[tuple[int, int, int | None, int | None]]) -> bool:
    begin = len(token.line[: token.start[1]].encode("utf-8", "surrogatepass"))
    return any(doc[:2] == (token.start[0], begin) and doc[2] == token.end[0] for doc in docs)


def _aligned(literal: str, indent: str) -> bool:
    return all(line.startswith(indent) or is_blank(line) for line in literal.split("\n")[1:])


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                yield first.value


def _meaning(piece: Piece) -> list[str]:
    tree = ast.Module(body=list(piece.body), type_ignores=[])
    kept = [(node, node.value) for node in _docstrings(tree)]
    try:
        for node, value in kept:
            node.value = cleandoc(str(value))
        return [ast.dump(node) for node in piece.body]
    finally:
        for node, value in kept:
            node.value = value
