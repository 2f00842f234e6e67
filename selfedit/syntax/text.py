"""Source text: parsing it without surprises, positions as offsets, and moving code to another indentation."""

import ast
import io
import re
import tokenize
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from inspect import cleandoc

NEWLINE = re.compile(r"\r\n|\r|\n")
_BLANK_LINES_ABOVE = re.compile(r"\A\ufeff?(?:[ \t\f]*(?:\r\n|\r|\n))+|\A\ufeff")
_BLANK_LINES_BELOW = re.compile(r"(?:(?:\r\n|\r|\n)[ \t\f]*)+\Z")
_BLANK = " \t\f"


@dataclass(frozen=True)
class No:
    """Why an edit does not apply, before it is known which edit of the list it was."""

    rule: str
    message: str
    suggestions: tuple[str, ...] = ()


def parse(text: str, what: str, rule: str, skipped_lines: int = 0) -> ast.Module | No:
    """Parse Python without warnings and without exceptions.

    Args:
        text: The source.
        what: What the text is, for the message (`the source`, `bot/live/chat/reply.py`).
        rule: The rule of the refusal.
        skipped_lines: Lines at the top that the author did not write.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        where = f" at line {max(error.lineno - skipped_lines, 1)}" if error.lineno else ""
        return No(rule, f"{what} does not parse{where}: {error.msg}")
    except (RecursionError, MemoryError):
        return No("too_deep", f"{what} is nested too deeply to be read; break it into smaller pieces")
    except ValueError as error:
        return No(rule, f"{what} does not parse: {error}")


class Lines:
    """Where each physical line of a text begins, as Python's parser counts lines."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(match.end() for match in NEWLINE.finditer(text))]

    def offset(self, line: int, column: int) -> int:
        """Offset of a position of the parser: 1-based line, column in UTF-8 bytes."""
        start = self.starts[line - 1]
        content = self.text[start : self.stop(line)]
        if content.isascii():
            return start + column
        return start + len(content.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "surrogatepass"))

    def line(self, offset: int) -> int:
        """The 1-based line that an offset lies in."""
        return bisect_right(self.starts, offset)

    def stop(self, line: int) -> int:
        """Offset past a line and its newline."""
        return self.starts[line] if line < len(self.starts) else len(self.text)

    def content(self, line: int) -> str:
        """A line without its newline."""
        return self.text[self.starts[line - 1] : self.stop(line)].rstrip("\r\n")

    def __len__(self) -> int:
        return len(self.starts)


def indent_of(line: str) -> str:
    """The white space that a line begins with; what stands before a form feed does not count."""
    lead = line[: len(line) - len(line.lstrip(_BLANK))]
    return lead[lead.rfind("\f") + 1 :]


def is_blank(line: str) -> bool:
    """Whether a line holds nothing but white space."""
    return not line.strip(_BLANK + "\r\n")


def is_comment(line: str) -> bool:
    """Whether a line holds nothing but a comment."""
    return line.lstrip(_BLANK).startswith("#")


def newlines_in(text: str) -> frozenset[str]:
    """The kinds of newline in a text."""
    if "\r" not in text:
        return frozenset("\n" if "\n" in text else "")
    return frozenset(NEWLINE.findall(text))


def with_newlines(source: str, around: str, default: str) -> str:
    """A source with the newlines of the text that it goes into; unchanged where they fit already."""
    there = newlines_in(around)
    if newlines_in(source) <= (there or {default}):
        return source
    wanted = default if default in there or not there else min(there)
    return NEWLINE.sub(lambda _: wanted, source)


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


def read_piece(source: str, place: str | None = None) -> Piece | No:
    """Read a source at whatever indentation it stands.

    Args:
        source: One or more statements.
        place: The indentation that it goes to, where known. A source whose first line alone has lost this
            indentation (as `ast.get_source_segment` gives it) gets it back.
    """
    trimmed = _BLANK_LINES_BELOW.sub("", _BLANK_LINES_ABOVE.sub("", source))
    head = trimmed[: len(trimmed) - len(trimmed.lstrip(_BLANK))]
    trimmed = trimmed[head.rfind("\f") + 1 :]
    read = _read(trimmed)
    if place and trimmed[:1] not in (" ", "\t"):
        padded = _read(place + trimmed)
        if isinstance(padded, Piece) and (isinstance(read, No) or _stands_at(padded, place)):
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


def _stands_at(piece: Piece, place: str) -> bool:
    lines = NEWLINE.split(piece.text)
    for node in piece.body:
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and body[0].lineno > node.lineno:
            lead = indent_of(lines[body[0].lineno - 1 - piece.skipped])
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
    if len(lines) not in held and last.lstrip(_BLANK)[:1] in (")", "]", "}"):
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
            elif name == "STRING" and token.end[0] > token.start[0]:
                if not (_is_docstring(token, docs) and _aligned(token.string, piece.indent)):
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
