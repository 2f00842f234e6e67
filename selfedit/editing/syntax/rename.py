"""Rename a symbol, with every reference in live code: all of them or none."""

import ast
import keyword
from collections.abc import Mapping
from dataclasses import dataclass

import libcst as cst
from libcst import metadata

from selfedit.editing.edits import RenameSymbol
from selfedit.editing.syntax.clashes import Looked, clash, unclear
from selfedit.editing.syntax.document import Document
from selfedit.editing.syntax.outline import Definition, named
from selfedit.editing.syntax.references import Symbol, references
from selfedit.editing.syntax.text import NEWLINE, No, parse
from selfedit.editing.syntax.view import Classes, View, mentions

_MARK = "\ufeff"


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
    looked = _looked_up(live, edit.path, definitions[0].name, edit.name)
    if isinstance(looked, No):
        return looked
    problem = unclear(looked) or clash(looked)
    if problem is not None:
        return problem
    changed = _changed(live, looked)
    if isinstance(changed, No):
        return changed
    if not _turns_back(live, changed, looked, edit.path, definitions[0].name):
        return No(
            "unclear_reference", f"`{old}` is used in a way that cannot be followed; rename by replace edits"
        )
    marked = {
        path: files[path][: len(files[path]) - len(live[path])] + text for path, text in changed.items()
    }
    return Renamed(marked, _notes({path: changed.get(path, live[path]) for path in looked.found}, old))


def _looked_up(live: Mapping[str, str], path: str, target: str, new: str) -> Looked | No:
    read = _views(live, target.rpartition(".")[2])
    if isinstance(read, No):
        return read
    views, classes = read
    definitions = list(named(views[path].document.tree, target)) if path in views else []
    if not definitions:
        return No("unknown_target", f"there is no `{target}`")
    symbol = _symbol(views[path], definitions, new, classes)
    if isinstance(symbol, No):
        return symbol
    return Looked(symbol, views, {at: references(view, symbol, classes) for at, view in views.items()})


def _turns_back(
    live: Mapping[str, str], changed: Mapping[str, str], looked: Looked, path: str, target: str
) -> bool:
    """Whether looking for the new name in the new files finds just the places that were changed.

    A reference that was overlooked would still have the old name; one that was changed wrongly would mean
    something else now.
    """
    old, new = looked.symbol.old, looked.symbol.new
    scope, dot, _ = target.rpartition(".")
    again = _looked_up({**live, **changed}, path, f"{scope}{dot}{new}", old)
    if isinstance(again, No):
        return False
    longer = len(new) - len(old)
    for at in {*looked.found, *again.found}:
        before = sorted(looked.found[at].offsets) if at in looked.found else []
        after = sorted(again.found[at].offsets) if at in again.found else []
        if [offset + number * longer for number, offset in enumerate(before)] != after:
            return False
    return True


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


def _changed(live: Mapping[str, str], looked: Looked) -> dict[str, str] | No:
    old, new = looked.symbol.old, looked.symbol.new
    changed = {}
    for path, one in looked.found.items():
        text = live[path]
        for offset in sorted(one.offsets, reverse=True):
            if text[offset : offset + len(old)] != old:
                return No(
                    "unusual_layout",
                    f"{path} is laid out too unusually to rename `{old}` in it; format it first",
                )
            text = text[:offset] + new + text[offset + len(old) :]
        if one.offsets:
            changed[path] = text
    return changed


def _notes(texts: Mapping[str, str], old: str) -> tuple[str, ...]:
    """Where the old name is left as a mere word."""
    notes = []
    for path, text in texts.items():
        left = _left_in_words(text, old)
        if left:
            lines = ", ".join(str(line) for line in left[:5])
            notes.append(f"`{old}` still stands in comments or strings of {path} (line {lines})")
    return tuple(notes)


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
