"""Finding one definition without parsing its file, and proving afterwards that it was the right one.

The whole text is read once only, after the edit. The proof: what stands before and after the definition is the same
text before and after the edit; the definition's own lines were parsed by themselves and are one complete statement; and
the edited text has, at just this place, a statement that the target's name means. So the same place meant the target
before. For functions and classes the interpreter's own table of scopes tells that; it costs half of a tree. Where it
leaves a doubt, the tree of the edited text does. Where that fails, too, the file is parsed before the edit.
"""

import ast
import re
import symtable
import unicodedata
import warnings
from collections.abc import Callable

from selfedit.editing.syntax.document import Document, Place
from selfedit.editing.syntax.outline import Definable, Definition, kind_of, named, split_target
from selfedit.editing.syntax.text import NEWLINE, No, indent_of, is_blank, is_comment, parse

_CLOSING = (")", "]", "}")


def edited(text: str, target: str, edit: Callable[[Document], str | No]) -> str | None:
    """Apply an edit of one definition.

    Args:
        text: The file's text without a byte order mark.
        target: The definition's qualified name, with a position where it has one.
        edit: Gives the edited text of a document in which the definition is found already.

    Returns:
        The new text, proven and parsed; None where the file has to be parsed as a whole.
    """
    name, position = split_target(target)
    document = Document(text)
    definition = _find(document, name)
    place = document.quick_place(definition) if definition else None
    if definition is None or place is None:
        return None
    new = edit(document.pinned(definition))
    if isinstance(new, No) or new == text:
        return None
    if not position and _in_its_scope(document, place, new, name):
        return new
    tree = parse(new, "the result", "unparsable_result")
    if isinstance(tree, No) or not _proven(document, place, Document(new, tree), name, position):
        return None
    return new


def _find(document: Document, name: str) -> Definition | None:
    """The first lines that look like the definition, each part of its name within the one before."""
    at, indent = 0, -1
    *outer, last = name.split(".")
    for part in outer:
        match = _line(part, definitions_only=True).search(document.text, at)
        if match is None or len(match[1]) <= indent:
            return None
        at, indent = match.end(), len(match[1])
    for match in _line(last, definitions_only=False).finditer(document.text, at):
        if len(match[1]) > indent:
            return _read(document, document.lines.line(match.start()), name)
    return None


def _line(name: str, *, definitions_only: bool) -> re.Pattern[str]:
    define = rf"(?:async[ \t]+def|def|class)[ \t]+{re.escape(name)}\b"
    assign = rf"{re.escape(name)}[ \t]*[:=](?!=)"
    return re.compile(rf"^([ \t]*)(?:{define if definitions_only else f'{define}|{assign}'})", re.MULTILINE)


def _read(document: Document, line: int, name: str) -> Definition | None:
    """The definition that begins at a line (or with decorators above it), parsed by itself."""
    lines = document.lines
    indent = indent_of(lines.content(line))
    first = above = line
    while above > 1 and lines.content(above - 1).startswith((f"{indent}@", f"{indent}#")):
        above -= 1
        first = above if lines.content(above).startswith(f"{indent}@") else first
    last = end = line
    while end < len(lines):
        content = lines.content(end + 1)
        if not is_blank(content) and not is_comment(content):
            inner = indent_of(content)
            deeper = inner.startswith(indent) and inner != indent
            if not deeper and not content.lstrip().startswith(_CLOSING):
                break
            last = end + 1
        end += 1
    start, stop = lines.starts[first - 1], lines.stop(last)
    above_it = "if 1:\n" if indent else ""
    tree = parse(above_it + document.text[start:stop], "the lines", "unparsable_file")
    if isinstance(tree, No):
        return None
    body = tree.body[0].body if indent and isinstance(tree.body[0], ast.If) else tree.body
    node = body[0] if len(tree.body) == 1 and len(body) == 1 else None
    if not isinstance(node, Definable):
        return None
    ast.increment_lineno(node, first - 1 - bool(indent))
    if node.end_lineno != last:
        return None
    return Definition(name, kind_of(node), node, (node,), tree, in_function=False, position=1)


def _in_its_scope(document: Document, place: Place, new: str, name: str) -> bool:
    """Whether the interpreter reads the edited text, and finds the target, a function or class, there and only there."""
    before, after = document.text[: place.top], document.text[place.tail :]
    stop = len(new) - len(after)
    if not new.startswith(before) or not new.endswith(after) or stop < place.top:
        return False
    if not new.isascii() and unicodedata.normalize("NFKC", new) != new:
        return False  # the interpreter takes other spellings of a name for the name
    *outer, leaf = name.split(".")
    if _may_be_assigned(leaf, before) or _may_be_assigned(leaf, after):
        return False
    node = _only_statement(
        f"{place.indent and 'if 1:'}\n{new[place.top : stop]}", indented=bool(place.indent)
    )
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or node.name != leaf:
        return False
    line = before.count("\n") + node.lineno - 1
    return "\r" not in new and _lines_of(new, outer, leaf) == [line]


def _may_be_assigned(name: str, text: str) -> bool:
    """Whether a text may hold an assignment to a name; a search that begins with plain letters is the quick one."""
    after_it = re.compile(rf"{re.escape(name)}(?!\w)[\s\\]*(?:[:,)\]#]|=(?!=))")
    found = (match.start() for match in after_it.finditer(text))
    return any(at == 0 or not (text[at - 1].isalnum() or text[at - 1] in "_.") for at in found)


def _only_statement(text: str, *, indented: bool) -> ast.stmt | None:
    tree = parse(text, "the lines", "unparsable_file")
    body = tree.body if isinstance(tree, ast.Module) else []
    if indented:
        body = body[0].body if len(body) == 1 and isinstance(body[0], ast.If) and not body[0].orelse else []
    return body[0] if len(body) == 1 else None


def _lines_of(text: str, outer: list[str], leaf: str) -> list[int]:
    """The lines at which functions and classes of that name begin; none where the text does not compile."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tables = [symtable.symtable(text, "", "exec")]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    for part in outer:
        tables = [one for table in tables for one in table.get_children() if one.get_name() == part]
    inner = (one for table in tables for one in table.get_children())
    return [one.get_lineno() for one in inner if one.get_name() == leaf]


def _proven(document: Document, place: Place, new: Document, name: str, position: str) -> bool:
    """Whether the edited text has the target, and nothing else, where the definition was."""
    before, after = document.text[: place.top], document.text[place.tail :]
    stop = len(new.text) - len(after)
    if not new.text.startswith(before) or not new.text.endswith(after) or stop < place.top:
        return False
    same = list(named(new.tree, name))
    chosen = int(position) if position.isdecimal() else 1
    if not 1 <= chosen <= len(same) or (len(same) > 1 and not position):
        return False
    node = same[chosen - 1].node
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
    begin, end = new.lines.starts[first - 1], new.lines.stop(node.end_lineno or node.lineno)
    around = new.text[place.top : begin] + new.text[end:stop]
    inside = place.top <= begin < end <= stop
    return inside and all(is_blank(line) or is_comment(line) for line in NEWLINE.split(around))
