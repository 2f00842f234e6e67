"""Source text: parsing it without surprises, positions as offsets, newlines and blank lines."""

import ast
import gc
import re
import warnings
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

NEWLINE = re.compile(r"\r\n|\r|\n")
_BLANK_RUN = re.compile(r"(?:[ \t]*(?:\r\n|\r|\n))+")
BLANK = " \t\f"


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
            return _parsed(text)
    except SyntaxError as error:
        where = f" at line {max(error.lineno - skipped_lines, 1)}" if error.lineno else ""
        return No(rule, f"{what} does not parse{where}: {error.msg}")
    except (RecursionError, MemoryError):
        return No("too_deep", f"{what} is nested too deeply to be read; break it into smaller pieces")
    except ValueError as error:
        return No(rule, f"{what} does not parse: {error}")


def _parsed(text: str) -> ast.Module:
    # A growing tree sets the collector off again and again, with nothing to collect: a third of the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text)
    finally:
        if collects:
            gc.enable()


class Lines:
    """Where each physical line of a text begins, as Python's parser counts lines."""

    def __init__(self, text: str) -> None:
        self.text = text
        if "\r" in text:
            self.starts = [0, *(match.end() for match in NEWLINE.finditer(text))]
        else:
            lengths = map(len, text.split("\n"))
            self.starts = [start + line for line, start in enumerate(accumulate(lengths, initial=0))][:-1]

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
    lead = line[: len(line) - len(line.lstrip(BLANK))]
    return lead[lead.rfind("\f") + 1 :]


def is_blank(line: str) -> bool:
    """Whether a line holds nothing but white space."""
    return not line.strip(BLANK + "\r\n")


def is_comment(line: str) -> bool:
    """Whether a line holds nothing but a comment."""
    return line.lstrip(BLANK).startswith("#")


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


def blank_start(text: str) -> str:
    """The blank lines that a text begins with."""
    match = _BLANK_RUN.match(text)
    return match.group() if match else ""


def without_blank_end(text: str) -> str:
    """A text of whole lines without the blank ones at its end."""
    stop = len(text)
    for line in reversed(NEWLINE.split(text)[:-1]):
        if line.strip(" \t"):
            break
        begin = len(text[:stop].removesuffix("\n").removesuffix("\r")) if stop else 0
        stop = begin - len(line)
    return text[:stop]


def newline_count(blank: str) -> int:
    """How many lines a text ends."""
    return len(NEWLINE.findall(blank))
