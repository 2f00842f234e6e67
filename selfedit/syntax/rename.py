"""Rename a symbol, with every reference in live code: all of them or none."""

import ast
import builtins
import keyword
from collections.abc import Mapping
from dataclasses import dataclass

import libcst as cst
from libcst import metadata

from selfedit.edits import RenameSymbol
from selfedit.syntax.document import Definition, Document
from selfedit.syntax.references import Found, Symbol, references
from selfedit.syntax.text import NEWLINE, No, parse
from selfedit.syntax.view import Classes, View, mentions

_MARK = "\ufeff"
_SHOWN = 3


@dataclass(frozen=True)
class Renamed:
    """The files that a renaming changes, and what a reviewer should know of it."""

    files: Mapping[str, str]
    notes: tuple[str, ...] = ()


def rename_symbol(files: Mapping[str, str], edit: RenameSymbol) -> Renamed | No:
    """Give a function, class, constant or member another name.

    References are followed through scopes, imports, re-exports, `__all__`, string annotations, subclasses, and variables
    whose class their annotation or assignment tells. Where one cannot be told (an attribute of an unknown object, a
    `getattr`), the renaming is refused: half a renaming is worse than none. Comments and other strings stay; a note
    names them.

    Args:
        files: Every live Python file.
        edit: The renaming.
    """
    live = {path: text.removeprefix(_MARK) for path, text in files.items()}
    document = Document.read(live[edit.path], edit.path)
    if isinstance(document, No):
        return document
    definitions = _definitions(document, edit)
    if isinstance(definitions, No):
        return definitions
    old = definitions[0].name.rpartition(".")[2]
    problem = _name_problem(old, edit.name, definitions)
    if problem is not None:
        return problem
    read = _views(live, old)
    if isinstance(read, No):
        return read
    views, classes = read
    symbol = _symbol(views[edit.path], definitions, edit.name, classes)
    if isinstance(symbol, No):
        return symbol
    found = {path: references(view, symbol, classes) for path, view in views.items()}
    problem = _unclear(found, symbol) or _clash(views, found, symbol)
    if problem is not None:
        return problem
    return _written(files, live, found, symbol)


def _definitions(document: Document, edit: RenameSymbol) -> list[Definition] | No:
    name, _, position = edit.target.replace(".<locals>.", ".").partition("#")
    same = [definition for definition in document.definitions if definition.name == name]
    if not same:
        missing = document.find(name)
        return missing if isinstance(missing, No) else [missing]
    if position and len(same) > 1:
        return No(
            "ambiguous_target",
            f"all {len(same)} definitions of `{name}` get the name together; leave out `#{position}`",
            (name,),
        )
    return same


def _name_problem(old: str, new: str, definitions: list[Definition]) -> No | None:
    if not new.isidentifier() or keyword.iskeyword(new) or not new.isascii():
        return No("bad_name", f"`{new}` cannot be a name; take letters, digits and `_` that make no keyword")
    if new == old:
        return No("no_change", f"`{old}` has this name already")
    if old.startswith("__") and old.endswith("__"):
        return No("bad_name", f"`{old}` is a name that Python itself looks for; it cannot be renamed")
    if new.startswith("__"):
        return No(
            "bad_name",
            f"`{new}` begins with two underscores, which Python treats in its own way; take another name",
        )
    for definition in definitions:
        for decorator in getattr(definition.node, "decorator_list", ()):
            if "fixture" in ast.unparse(decorator):
                return No(
                    "unclear_reference",
                    f"`{old}` is a fixture, which tests ask for by parameter name; add one of the new name instead",
                )
    return None


def _views(live: Mapping[str, str], old: str) -> tuple[dict[str, View], Classes] | No:
    """The files that spell a name, and the classes of all files."""
    classes = Classes()
    spelled = {path: text for path, text in live.items() if mentions(text, old)}
    for path, text in live.items():
        tree = parse(text, path, "unparsable_file")
        if isinstance(tree, ast.Module):
            classes.add(path, tree)
        elif path in spelled:
            return No(tree.rule, f"{tree.message}; it spells `{old}`, so the renaming cannot be made")
    views = {}
    for path, text in spelled.items():
        view = View.read(path, text, classes)
        if isinstance(view, No):
            return view
        views[path] = view
    return views, classes


def _symbol(view: View, definitions: list[Definition], new: str, classes: Classes) -> Symbol | No:
    first = definitions[0]
    scope_name, _, old = first.name.rpartition(".")
    owners = [one for one in view.document.definitions if one.name == scope_name]
    full = _full_name(view, first)
    if not owners or owners[0].kind == "function":
        others = _other_bindings(view, full, old)
        if others:
            return No(
                "unclear_reference",
                f"`{old}` is also bound by an import at line {others[0]}; rename by hand with replace edits",
            )
        return Symbol(old, new, frozenset({full}))
    owner = full.rpartition(".")[0]
    for base in sorted(classes.ancestors(owner)):
        if old in classes.members.get(base, ()):
            return No(
                "unclear_reference",
                f"`{old}` comes from the base class `{base}`; rename it there",
                (f"{base}.{old}",),
            )
    family = frozenset({owner, *classes.descendants(owner)})
    for name in sorted(family | classes.ancestors(owner)):
        if new in classes.members.get(name, ()):
            return No("name_taken", f"`{name}` has a `{new}` already")
    names = frozenset(f"{name}.{old}" for name in family)
    is_field = any(isinstance(one.node, ast.AnnAssign) for one in definitions)
    return Symbol(old, new, names, owner=owner, family=family, is_field=is_field)


def _full_name(view: View, definition: Definition) -> str:
    """The name as libcst's scopes spell it, with `<locals>` after each function."""
    parts = definition.name.split(".")
    spelled = []
    for count in range(1, len(parts)):
        prefix = ".".join(parts[:count])
        function = any(one.name == prefix and one.kind == "function" for one in view.document.definitions)
        spelled += [parts[count - 1], "<locals>"] if function else [parts[count - 1]]
    return ".".join([view.dotted, *spelled, parts[-1]])


def _other_bindings(view: View, full: str, old: str) -> list[int]:
    lines = []
    for node in view.nodes:
        if (
            isinstance(node, cst.Name)
            and node.value == old
            and not view.is_label(node)
            and full in view.meanings(node)
        ):
            lines += [
                view.line(one.node)
                for one in view.scope(node)[old]
                if isinstance(one, metadata.ImportAssignment)
            ]
    return lines


def _unclear(found: Mapping[str, Found], symbol: Symbol) -> No | None:
    places = [(path, line, text) for path, one in found.items() for line, text in one.unclear]
    if not places:
        return None
    shown = ", ".join(f"{path}:{line} `{text}`" for path, line, text in places[:_SHOWN])
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return No(
        "unclear_reference",
        f"it cannot be told whether these mean `{symbol.old}`: {shown}{more}; annotate them, or rename by replace edits",
        tuple(f"{path}:{line}" for path, line, _ in places[:10]),
    )


def _clash(views: Mapping[str, View], found: Mapping[str, Found], symbol: Symbol) -> No | None:
    """Whether the new name means something else already where the old one is used."""
    for path, one in found.items():
        view = views[path]
        for node, scope in one.bare:
            taken = [
                other for other in scope[symbol.new] if not isinstance(other, metadata.BuiltinAssignment)
            ]
            if symbol.owner is not None and isinstance(scope, metadata.ClassScope):
                taken = [other for other in taken if other.scope is scope]
            if taken:
                return No(
                    "name_taken",
                    f"`{symbol.new}` means something else at {path}:{view.line(node)}; take another name",
                )
        binding = {_binding_scope(scope, symbol.old) for _, scope in one.bare} - {None}
        for node in view.nodes if binding else ():
            if not isinstance(node, cst.Name) or node.value != symbol.new or view.is_label(node):
                continue
            scope = view.scope(node)
            if _binding_scope(scope, symbol.new) not in _between(scope, binding) and _reaches(
                scope, binding, symbol
            ):
                return No(
                    "name_taken",
                    f"`{symbol.new}` is used at {path}:{view.line(node)} for something else; take another name",
                )
    if hasattr(builtins, symbol.new) and symbol.owner is None:
        return No("name_taken", f"`{symbol.new}` is one of Python's own names; take another one")
    return None


def _binding_scope(scope: metadata.Scope, name: str) -> metadata.Scope | None:
    return next((one.scope for one in scope[name] if not isinstance(one, metadata.BuiltinAssignment)), None)


def _chain(scope: metadata.Scope) -> list[metadata.Scope]:
    chain = [scope]
    while chain[-1].parent is not chain[-1]:
        chain.append(chain[-1].parent)
    return chain


def _between(scope: metadata.Scope, binding: set[metadata.Scope | None]) -> list[metadata.Scope | None]:
    """The scopes from one outwards that come before the ones that bind the symbol."""
    inner: list[metadata.Scope | None] = []
    for one in _chain(scope):
        if one in binding:
            break
        inner.append(one)
    return inner


def _reaches(scope: metadata.Scope, binding: set[metadata.Scope | None], symbol: Symbol) -> bool:
    """Whether a name looked up in a scope would find the symbol once it has the new name."""
    if symbol.owner is not None:
        return scope in binding and isinstance(scope, metadata.ClassScope)
    return any(one in binding for one in _chain(scope))


def _written(
    files: Mapping[str, str], live: Mapping[str, str], found: Mapping[str, Found], symbol: Symbol
) -> Renamed | No:
    changed, notes = {}, []
    for path, one in found.items():
        text = live[path]
        for offset in sorted(one.offsets, reverse=True):
            if text[offset : offset + len(symbol.old)] != symbol.old:
                return No(
                    "unusual_layout",
                    f"{path} is laid out so unusually that `{symbol.old}` cannot be renamed safely; format it first",
                )
            text = text[:offset] + symbol.new + text[offset + len(symbol.old) :]
        if one.offsets:
            changed[path] = files[path][: len(files[path]) - len(live[path])] + text
        left = _left_in_words(text, symbol.old)
        if left:
            lines = ", ".join(str(line) for line in left[:5])
            notes.append(f"`{symbol.old}` still stands in comments or strings of {path} (line {lines})")
    return Renamed(changed, tuple(notes))


def _left_in_words(text: str, old: str) -> list[int]:
    """Lines whose comments or strings still spell a name."""
    read = Document.read(text, "")
    if isinstance(read, No):
        return []
    strings = {
        number
        for node in ast.walk(read.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and mentions(node.value, old)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    found = []
    for number, line in enumerate(NEWLINE.split(text), 1):
        comment = line.partition("#")[2]
        if mentions(line, old) and (number in strings or mentions(comment, old)):
            found.append(number)
    return found
