"""Edits inside of a definition: parameters, decorators, docstrings, the value of a constant."""

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

import libcst as cst

from selfedit.editing.edits import AddDecorator, AddParameter, RemoveDecorator, SetConstant, SetDocstring
from selfedit.editing.syntax.document import Document
from selfedit.editing.syntax.outline import Definition
from selfedit.editing.syntax.parameters import with_parameter
from selfedit.editing.syntax.piece import moved_expression
from selfedit.editing.syntax.text import NEWLINE, No, is_blank, is_comment, parse
from selfedit.editing.syntax.tree import Node, block_indent, changed, newline, place_of


def set_constant(document: Document, edit: SetConstant, *, whole: bool = False) -> str | No:
    """Give a module's or class's constant another value."""
    definition = document.find(edit.target, ("constant",))
    if isinstance(definition, No):
        scope = document.find(edit.target.rpartition(".")[0])
        if isinstance(scope, Definition) and scope.kind == "function":
            hint = f"`{scope.name}` is a function, and what it assigns is no constant; use replace_function"
            return No("not_a_constant", hint, (scope.name,))
        return definition
    node = definition.node
    if isinstance(node, ast.Assign) and (len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name)):
        shape = "unpacking" if len(node.targets) == 1 else "a chain of assignments"
        return No(
            "not_a_constant",
            f"`{edit.target}` gets its value from {shape} (line {node.lineno}); only a plain `name = value` can be set",
        )
    line = document.lines.content(node.lineno)
    lead = line[: len(line) - len(line.lstrip())]
    source = moved_expression(edit.value, lead)
    if isinstance(source, No):
        return source
    alone = parse(f"_ = {source}", "the value", "unparsable_source")
    if isinstance(alone, No) or len(alone.body) != 1:
        source = f"({source})"
    try:
        value = cst.parse_expression(source)
    except (cst.ParserSyntaxError, RecursionError):
        return No(
            "unparsable_source",
            "the value is not one expression; give it without a comment or a name before it",
        )

    def change(found: cst.Assign | cst.AnnAssign) -> Node:
        if isinstance(found, cst.AnnAssign) and found.value is None:
            equal = cst.AssignEqual(cst.SimpleWhitespace(" "), cst.SimpleWhitespace(" "))
            return found.with_changes(value=value, equal=equal)
        return found.with_changes(value=value)

    return changed(document, definition, change, whole=whole)


def add_parameter(document: Document, edit: AddParameter, *, whole: bool = False) -> str | No:
    """Add a parameter with a default where no caller can notice it."""
    definition = document.find(edit.target, ("function",))
    if isinstance(definition, No):
        return definition
    source = edit.parameter.strip().rstrip(",")
    tree = parse(f"def _({source}): pass", "the parameter", "unparsable_source")
    if isinstance(tree, No):
        return tree
    wanted = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    if len(tree.body) == 1 and isinstance(tree.body[0], ast.FunctionDef):
        wanted = tree.body[0].args
    names = [arg.arg for arg in (*wanted.posonlyargs, *wanted.args, *wanted.kwonlyargs)]
    if len(names) != 1 or wanted.vararg or wanted.kwarg or wanted.posonlyargs:
        return No(
            "not_one_parameter", "give one plain parameter, as in `limit: int = 10` (or `*, limit: int = 10`)"
        )
    if not wanted.defaults and not any(wanted.kw_defaults):
        return No(
            "needs_default", f"`{names[0]}` needs a default, so that no caller breaks: `{source} = ...`"
        )
    try:
        parsed = cst.parse_module(f"def _({source}): pass").body[0]
    except (cst.ParserSyntaxError, RecursionError):
        return No("unparsable_source", "the parameter cannot be read; write it on one line without a comment")
    parameters = cst.ensure_type(parsed, cst.FunctionDef).params
    keyword_only = bool(parameters.kwonly_params)
    parameter = (parameters.kwonly_params or parameters.params)[0]

    def change(found: cst.FunctionDef) -> Node | No:
        return with_parameter(found, parameter, keyword_only=keyword_only)

    return changed(document, definition, change, whole=whole)


def add_decorator(document: Document, edit: AddDecorator, *, whole: bool = False) -> str | No:
    """Put a decorator above all others of a function or class."""
    found = _decorated(document, edit)
    if isinstance(found, No):
        return found
    definition, expression, present = found
    if ast.dump(expression) in [ast.dump(other) for other in present]:
        return No("already_there", f"`{edit.target}` has the decorator `@{ast.unparse(expression)}` already")
    place = place_of(document, definition, whole=whole)
    lead = "" if isinstance(place, No) else place.indent
    source = moved_expression(_bare(edit.decorator), lead)
    if isinstance(source, No):
        return source
    try:
        parsed = cst.parse_module(f"@{source}\ndef _(): pass\n").body[0]
    except (cst.ParserSyntaxError, RecursionError):
        return No("unparsable_source", "the decorator cannot be read; write it as `@name` or `@name(...)`")
    new = cst.ensure_type(parsed, cst.FunctionDef).decorators[0]
    trailing = new.trailing_whitespace.with_changes(newline=newline(document))
    new = new.with_changes(trailing_whitespace=trailing)

    def change(found: cst.FunctionDef | cst.ClassDef) -> Node:
        return found.with_changes(decorators=(new, *found.decorators))

    return changed(document, definition, change, whole=whole)


def remove_decorator(document: Document, edit: RemoveDecorator, *, whole: bool = False) -> str | No:
    """Take a decorator away that is written just so."""
    found = _decorated(document, edit)
    if isinstance(found, No):
        return found
    definition, expression, present = found
    same = [index for index, other in enumerate(present) if ast.dump(other) == ast.dump(expression)]
    if not same:
        shown = tuple(f"@{ast.unparse(other)}" for other in present)
        has = f"has {', '.join(f'`{text}`' for text in shown)}" if shown else "has no decorator"
        return No(
            "unknown_decorator", f"`{edit.target}` has no `@{ast.unparse(expression)}`; it {has}", shown
        )

    def change(found: cst.FunctionDef | cst.ClassDef) -> Node:
        kept = [decorator for index, decorator in enumerate(found.decorators) if index != same[0]]
        return found.with_changes(decorators=kept)

    return changed(document, definition, change, whole=whole)


def _decorated(
    document: Document, edit: AddDecorator | RemoveDecorator
) -> tuple[Definition, ast.expr, Sequence[ast.expr]] | No:
    """The definition that is meant, the decorator that is spoken of, and those that it has."""
    definition = document.find(edit.target, ("function", "class"))
    if isinstance(definition, No):
        return definition
    expression = _decorator(edit.decorator)
    if isinstance(expression, No):
        return expression
    return definition, expression, _decorators(definition.node)


def _bare(decorator: str) -> str:
    return decorator.strip().removeprefix("@").strip()


def _decorator(source: str) -> ast.expr | No:
    tree = parse(f"@{_bare(source)}\ndef _(): pass", "the decorator", "unparsable_source")
    if isinstance(tree, No):
        return tree
    only = tree.body[0]
    if (
        len(tree.body) != 1
        or not isinstance(only, ast.FunctionDef)
        or len(only.decorator_list) != 1
        or only.name != "_"
    ):
        return No("unparsable_source", "give one decorator, as `@name` or `@name(...)`")
    return only.decorator_list[0]


def _decorators(node: ast.AST) -> Sequence[ast.expr]:
    found: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    return found


def set_docstring(document: Document, edit: SetDocstring, *, whole: bool = False) -> str | No:
    """Write the docstring of a function or class; with an empty target the module's."""
    text = _dedented(edit.text)
    if not text:
        return No("empty_docstring", "the docstring's text is empty; say in one sentence what this is for")
    if not edit.target.strip():
        return _module_docstring(document, docstring_literal(text, "", document.newline))
    definition = document.find(edit.target, ("function", "class"))
    if isinstance(definition, No):
        return definition
    place = place_of(document, definition, whole=whole)
    if isinstance(place, No):
        return place
    literal = cst.SimpleString(
        docstring_literal(text, block_indent(document, definition, place), document.newline)
    )
    end = cst.TrailingWhitespace(newline=newline(document))
    gap = cst.EmptyLine(indent=False, newline=newline(document))
    line = cst.SimpleStatementLine(body=[cst.Expr(literal)], trailing_whitespace=end)

    def change(found: cst.FunctionDef | cst.ClassDef) -> Node:
        body: Any = found.body
        if body.body and _is_docstring(body):
            return found.with_deep_changes(_docstring_of(body), value=literal)
        if isinstance(body, cst.SimpleStatementSuite):
            rest = cst.SimpleStatementLine(body=body.body, trailing_whitespace=body.trailing_whitespace)
            if isinstance(found, cst.ClassDef):
                rest = rest.with_changes(leading_lines=[gap])
            block = cst.IndentedBlock(body=[line, rest], header=end, indent=document.unit)
            return found.with_changes(body=block)
        first = body.body[0]
        if isinstance(found, cst.ClassDef) and (not first.leading_lines or first.leading_lines[0].comment):
            first = first.with_changes(leading_lines=[gap, *first.leading_lines])
        return found.with_changes(body=body.with_changes(body=[line, first, *body.body[1:]]))

    return changed(document, definition, change, whole=whole)


def _is_docstring(body: cst.IndentedBlock | cst.SimpleStatementSuite) -> bool:
    expression = _docstring_of(body)
    value = getattr(expression, "value", None)
    if not isinstance(value, (cst.SimpleString, cst.ConcatenatedString)):
        return False
    return isinstance(value.evaluated_value, str)


def _docstring_of(body: cst.IndentedBlock | cst.SimpleStatementSuite) -> Any:
    first: Any = body.body[0]
    if isinstance(first, cst.SimpleStatementLine):
        first = first.body[0]
    return first if isinstance(first, cst.Expr) else None


def _module_docstring(document: Document, literal: str) -> str:
    body, newline = document.tree.body, document.newline
    if body and ast.get_docstring(document.tree, clean=False) is not None and isinstance(body[0], ast.Expr):
        return document.spliced(*document.span(body[0].value), literal)
    lines, above = document.lines, 0
    # The comment block at the very top (shebang, coding, licence) has to stay there.
    while above < len(lines) and is_comment(lines.content(above + 1)):
        above += 1
    at = lines.starts[above] if above < len(lines) else len(document.text)
    before, after = document.text[:at], document.text[at:]
    if before and not before.endswith(("\n", "\r")):
        before += newline
    if not after.strip(" \t\f\r\n"):
        return before + literal + newline + after
    gap = "" if is_blank(NEWLINE.split(after, maxsplit=1)[0]) else newline
    return before + literal + newline + gap + after


def _dedented(text: str) -> str:
    """The text without the indentation that all lines after the first share, and no blank ends."""
    lines = [line.rstrip() for line in NEWLINE.split(text.strip("\ufeff"))]
    leads = [line[: len(line) - len(line.lstrip(" \t"))] for line in lines[1:] if line]
    margin = next((lead for lead in _prefixes(leads) if all(other.startswith(lead) for other in leads)), "")
    return "\n".join([lines[0], *(line[len(margin) :] for line in lines[1:])]).strip("\n").lstrip()


def _prefixes(leads: Sequence[str]) -> Iterator[str]:
    """The beginnings of the shortest of some texts, the longest first."""
    shortest = min(leads, key=len, default="")
    return (shortest[:length] for length in range(len(shortest), -1, -1))


def docstring_literal(text: str, indent: str, newline: str) -> str:
    """A string literal in triple quotes that stands for a text, its further lines at an indentation."""
    odd = any(not (char.isprintable() or char in "\n\t") for char in text)
    single = "\n" not in text
    raw = "\\" in text and '"""' not in text and not odd and not (single and text.endswith(("\\", '"')))
    if not raw:
        special = r'\\|"""|"\Z' if single else r'\\|"""'
        text = re.sub(special, lambda match: "".join(f"\\{char}" for char in match.group()), text)
        text = "".join(char if char.isprintable() or char in "\n\t" else _escaped(char) for char in text)
    lines = text.split("\n")
    inner = [lines[0], *(indent + line if line else "" for line in lines[1:])]
    if len(lines) > 1:
        inner.append(indent)
    return ('r"""' if raw else '"""') + newline.join(inner) + '"""'


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
