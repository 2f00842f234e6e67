"""How a model looks at live code: plain functions over a mapping of path to text, each answering with text.

Searching takes literal text with `*`, not regular expressions: a pattern of a model's making must not be
able to run for ever.
"""

import ast
import difflib
from collections.abc import Iterator, Mapping

MAX_LINES = 600
MAX_HITS = 80
_MAX_LINE = 500


def list_files(files: Mapping[str, str]) -> str:
    """Every file with its number of lines."""
    return (
        "\n".join(f"{path}  ({len(text.splitlines())} lines)" for path, text in sorted(files.items()))
        or "(none)"
    )


def outline(files: Mapping[str, str], path: str) -> str:
    """The definitions of a file: first and last line, qualified name, signature or value."""
    text = files.get(path)
    if text is None:
        return _no_file(files, path)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        return f"{path} is no Python that can be parsed ({error}); read_file shows it."
    return "\n".join(_defined(tree.body, "")) or f"{path} defines nothing."


def read_file(files: Mapping[str, str], path: str, first: int = 1, last: int | None = None) -> str:
    """Numbered lines of a file, at most `MAX_LINES` at once."""
    text = files.get(path)
    if text is None:
        return _no_file(files, path)
    lines = text.splitlines()
    start = max(first, 1)
    end = min(len(lines), last or len(lines), start + MAX_LINES - 1)
    shown = [f"{number:>4}| {lines[number - 1]}" for number in range(start, end + 1)]
    if end < len(lines) and (last is None or last > end):
        shown.append(f"(lines {end + 1} to {len(lines)} follow: ask for first={end + 1})")
    return "\n".join(shown) or f"{path} has {len(lines)} lines; none of them is asked for."


def search(files: Mapping[str, str], text: str, under: str = "") -> str:
    """Lines that contain `text`; case does not matter, and `*` stands for anything within the line."""
    parts = [part.lower() for part in text.split("*") if part]
    if not parts:
        return "There is nothing to search for in that text."
    hits = []
    for path, content in sorted(files.items()):
        if not path.startswith(under):
            continue
        for number, line in enumerate(content.splitlines(), 1):
            if _contains(line.lower(), parts):
                hits.append(f"{path}:{number}: {line.strip()[:_MAX_LINE]}")
            if len(hits) >= MAX_HITS:
                return "\n".join([*hits, f"(only the first {MAX_HITS}; search for something rarer)"])
    return "\n".join(hits) or "No line contains that."


def _contains(line: str, parts: list[str]) -> bool:
    at = 0
    for part in parts:
        found = line.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _defined(body: list[ast.stmt], inside: str) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
                returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
                name = f"{inside}{node.name}({ast.unparse(node.args)}){returns}"
                yield f"{start}-{node.end_lineno}: {kind} {name}"
            case ast.ClassDef():
                start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                bases = ", ".join(ast.unparse(base) for base in node.bases)
                yield f"{start}-{node.end_lineno}: class {inside}{node.name}({bases})"
                yield from _defined(node.body, f"{inside}{node.name}.")
            case ast.Import() | ast.ImportFrom():
                yield f"{node.lineno}: {ast.unparse(node)}"
            case ast.Assign() | ast.AnnAssign():
                yield f"{node.lineno}-{node.end_lineno}: {inside}{ast.unparse(node)[:120]}"
            case _:
                continue


def _no_file(files: Mapping[str, str], path: str) -> str:
    near = difflib.get_close_matches(path, files, n=3, cutoff=0.5)
    return f"There is no live file {path!r}. " + (
        f"Near it: {', '.join(near)}." if near else "list_files shows all."
    )
