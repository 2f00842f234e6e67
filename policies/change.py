"""What a policy looks at: the files of a change, each version prepared once for every rule."""

import ast
import bisect
import io
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

PARSED_BYTES = 1_000_000
"""A larger file is refused for its size, so it is not worth parsing."""

SUSPECTS = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What the parser raises for text that is no Python, or that was made to break parsers."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One version of a file, as git holds it: mode (`100644`), size in bytes, content."""

    mode: str
    size: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs; None where it is not there. Renames are a deletion and an addition."""

    path: str
    old: Blob | None
    new: Blob | None


@dataclass(frozen=True)
class Source:
    """One version of one file, read as far as it can be.

    Attributes:
        path: Where it stands.
        blob: What git holds.
        text: Its text; None when it is no UTF-8 text or no regular file.
        tree: Its syntax tree; None when it is no Python or does not parse.
        is_test: Whether it stands in a folder of tests that proposals may add to.
    """

    path: str
    blob: Blob
    text: str | None
    tree: ast.Module | None
    is_test: bool

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of its tree: most rules look at all of them."""
        return () if self.tree is None else tuple(ast.walk(self.tree))

    @property
    def is_python(self) -> bool:
        """Whether its name says Python."""
        return self.path.endswith(".py")


@dataclass(frozen=True, slots=True)
class Pair:
    """Both versions of one changed file."""

    path: str
    old: Source | None
    new: Source | None


def read_pair(change: Change, tests: Sequence[str]) -> Pair:
    """Prepare both versions of a change; `tests` names the folders of live tests."""
    is_test = change.path.startswith(tuple(tests))
    old, new = (
        None if blob is None else read(change.path, blob, is_test=is_test)
        for blob in (change.old, change.new)
    )
    return Pair(change.path, old, new)


def read(path: str, blob: Blob, *, is_test: bool) -> Source:
    """Prepare one version of a file. Never raises: what cannot be read is None."""
    text: str | None = None
    tree: ast.Module | None = None
    if blob.mode.startswith("100"):
        try:
            text = blob.data.decode("utf-8")
        except UnicodeDecodeError:
            text = None
    if text is not None and path.endswith(".py") and blob.size <= PARSED_BYTES:
        tree = parse(text)
    return Source(path, blob, text, tree, is_test)


def parse(text: str) -> ast.Module | None:
    """The syntax tree of a text, or None where it has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an odd escape in a string is the linter's matter
        try:
            return ast.parse(text)
        except SUSPECTS:
            return None


def lines_changed(change: Change) -> int:
    """How many lines a change writes and takes away together, blank ones left out.

    It is about what git's diff counts, and never less than the shortest diff there is: lines that stand in both versions
    in the same order count as kept, the first of several alike with the first. Any text takes about as long as sorting it.
    """
    old, new = _lines(change.old), _lines(change.new)
    while old and new and old[-1] == new[-1]:
        old.pop()
        new.pop()
    start = next((at for at, (mine, other) in enumerate(zip(old, new, strict=False)) if mine != other), None)
    start = min(len(old), len(new)) if start is None else start
    old, new = old[start:], new[start:]
    places: dict[bytes, list[int]] = {}
    for at in reversed(range(len(new))):
        places.setdefault(new[at], []).append(at)
    row: list[int] = []  # its length is that of the longest rising row of places so far
    for line in old:
        if ahead := places.get(line):
            at = ahead.pop()
            position = bisect.bisect_left(row, at)
            row[position : position + 1] = [at]
    return len(old) + len(new) - 2 * len(row)


def _lines(blob: Blob | None) -> list[bytes]:
    return [line for line in blob.data.split(b"\n") if line.strip()] if blob is not None else []


def tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """The tokens of a text, as far as it can be split into some."""
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (tokenize.TokenError, *SUSPECTS):
        return
