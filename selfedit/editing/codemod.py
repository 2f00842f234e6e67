"""The edit language applied: live files and edits in, changed files or a precise refusal out.

Pure: nothing here reads or writes a file. Everything outside of what an edit names comes out byte for byte. An edit of
one definition is worked out on that definition's lines alone; only where these leave a doubt, the whole file is parsed
with libcst. Either way the new text is parsed again before it is handed back.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from policies.zones import path_problem
from selfedit.editing.edits import (
    AddClass,
    AddDecorator,
    AddFunction,
    AddImport,
    AddParameter,
    AddTest,
    CreateModule,
    DeleteSymbol,
    Edit,
    RemoveDecorator,
    RemoveImport,
    RenameSymbol,
    ReplaceClass,
    ReplaceFunction,
    SetConstant,
    SetDocstring,
    WriteText,
)
from selfedit.editing.syntax.definitions import add_definition, replace_definition
from selfedit.editing.syntax.document import Document, near
from selfedit.editing.syntax.glimpse import edited
from selfedit.editing.syntax.imports import add_import, remove_import
from selfedit.editing.syntax.inner import (
    add_decorator,
    add_parameter,
    remove_decorator,
    set_constant,
    set_docstring,
)
from selfedit.editing.syntax.modules import add_test, create_module, write_text
from selfedit.editing.syntax.removal import delete_symbol
from selfedit.editing.syntax.rename import rename_symbol
from selfedit.editing.syntax.text import No, parse

_CODING = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
MARK = "\ufeff"
"""The byte order mark that some files begin with."""


class Rejection(BaseModel):
    """Why a list of edits does not apply. Nothing of it was applied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int
    """0-based place of the edit in the list; -1 where the list itself is at fault."""
    op: str
    path: str
    rule: str
    """Stable name: `unknown_target`, `ambiguous_target`, `unparsable_source`, `no_change`, ..."""
    message: str
    """One sentence for people and models."""
    suggestions: tuple[str, ...] = ()
    """What may have been meant, best first."""


@dataclass(frozen=True)
class Applied:
    """What all edits together make of the files: only those that differ, with their whole new text."""

    files: dict[str, str]
    notes: tuple[str, ...] = ()
    """What a reviewer should know (a renamed word that a comment still has), one sentence each."""


def apply_edits(
    files: Mapping[str, str], edits: Sequence[Edit], packages: Collection[str] = ()
) -> Applied | Rejection:
    """Apply edits in order, each to the outcome of the ones before it: all of them or none.

    Args:
        files: Text of every live file by path. References to a renamed symbol are followed in all of them.
        edits: The edits.
        packages: Names of this repository's top-level packages that no file speaks of; imports of them are sorted
            as its own.
    """
    now: dict[str, str] = dict(files)
    notes: list[str] = []
    for index, edit in enumerate(edits):
        outcome = _outcome(now, edit, packages)
        if isinstance(outcome, No):
            return Rejection(
                index=index,
                op=edit.op,
                path=edit.path,
                rule=outcome.rule,
                message=outcome.message,
                suggestions=outcome.suggestions,
            )
        now.update(outcome.files)
        notes.extend(outcome.notes)
    return Applied({path: text for path, text in now.items() if files.get(path) != text}, tuple(notes))


def _outcome(files: Mapping[str, str], edit: Edit, packages: Collection[str]) -> Applied | No:
    problem = path_problem(edit.path)
    if problem is not None:
        return No("path_syntax", f"the path {edit.path!r} {problem}; give a plain path relative to the root")
    try:
        if isinstance(edit, RenameSymbol):
            return _renamed(files, edit)
        text = _edited(files, edit, packages)
    except (RecursionError, MemoryError):
        return No(
            "too_deep",
            f"{edit.path} or the source is nested too deeply to be edited; break it into smaller pieces",
        )
    if isinstance(text, No):
        return text
    unwritable = _unwritable(text, edit.path)
    if unwritable is not None:
        return unwritable
    return Applied({edit.path: text})


def _renamed(files: Mapping[str, str], edit: RenameSymbol) -> Applied | No:
    old = files.get(edit.path)
    if old is None:
        return _missing(files, edit.path)
    outcome = rename_symbol({path: text for path, text in files.items() if path.endswith(".py")}, edit)
    if isinstance(outcome, No):
        return outcome
    for path, text in outcome.files.items():
        tree = parse(text.removeprefix(MARK), f"{path} after the edit", "unparsable_result")
        if isinstance(tree, No):
            return tree
        unwritable = _unwritable(text, path)
        if unwritable is not None:
            return unwritable
    return Applied(dict(outcome.files), outcome.notes)


def _edited(files: Mapping[str, str], edit: Edit, packages: Collection[str]) -> str | No:
    old = files.get(edit.path)
    if isinstance(edit, WriteText):
        return write_text(edit, old)
    if isinstance(edit, CreateModule):
        return create_module(edit, exists=old is not None)
    if isinstance(edit, AddTest) and old is None:
        return add_test(edit, None)
    if old is None:
        return _missing(files, edit.path)
    tops = {path.partition("/")[0].removesuffix(".py") for path in files} | {*packages}
    return edit_text(old, edit, tops=tops)


def edit_text(text: str, edit: Edit, *, tops: Collection[str] = (), whole: bool = False) -> str | No:
    """Apply one edit to the text of its file.

    Args:
        text: The file as it is.
        edit: Any edit of an existing Python file but `rename_symbol`, which needs all files.
        tops: Names of the repository's top-level packages, which imports are sorted by.
        whole: Parse the whole file with libcst, and not the definition alone. The outcome is the same; this is
            the long way round, for tests and measurements.
    """
    if not edit.path.endswith(".py"):
        return No("wrong_file_kind", f"{edit.path} is not Python; write_text is the edit for it")
    mark = MARK if text.startswith(MARK) else ""
    change = _ONE_DEFINITION.get(type(edit))
    target = getattr(edit, "target", "")
    if change is not None and target and not whole:
        quick = edited(text.removeprefix(MARK), target, lambda document: change(document, edit))
        if quick is not None:
            return mark + quick
    document = Document.read(text.removeprefix(MARK), edit.path)
    if isinstance(document, No):
        return document
    new = _within(document, edit, tops, whole=whole)
    if isinstance(new, No):
        return new
    if new == document.text:
        return No("no_change", f"{edit.op} leaves {edit.path} as it is; it says already what the edit wants")
    tree = parse(new, f"{edit.path} after the edit", "unparsable_result")
    return tree if isinstance(tree, No) else mark + new


_ONE_DEFINITION: Mapping[type, Callable[..., str | No]] = {
    ReplaceFunction: replace_definition,
    ReplaceClass: replace_definition,
    SetConstant: set_constant,
    SetDocstring: set_docstring,
    AddParameter: add_parameter,
    AddDecorator: add_decorator,
    RemoveDecorator: remove_decorator,
}
_ONE_FILE: Mapping[type, Callable[..., str | No]] = {
    AddFunction: add_definition,
    AddClass: add_definition,
    DeleteSymbol: delete_symbol,
    RemoveImport: remove_import,
}


def _within(document: Document, edit: Edit, tops: Collection[str], *, whole: bool) -> str | No:
    if isinstance(edit, AddImport):
        return add_import(document, edit, tops)
    if isinstance(edit, AddTest):
        return add_test(edit, document)
    if type(edit) in _ONE_DEFINITION:
        return _ONE_DEFINITION[type(edit)](document, edit, whole=whole)
    if type(edit) in _ONE_FILE:
        return _ONE_FILE[type(edit)](document, edit)
    raise ValueError(f"{edit.op} is no edit of one file's text")


def _missing(files: Mapping[str, str], path: str) -> No:
    return No(
        "unknown_path",
        f"there is no file {path}; create_module makes a new one",
        near(path, list(files)),
    )


def _unwritable(text: str, path: str) -> No | None:
    """Why the bytes of a text would not be read as this text again."""
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        return No("not_utf8", f"{path} would hold a character that UTF-8 cannot write (at {error.start:,})")
    named = next((match for line in text.split("\n", 2)[:2] if (match := _CODING.match(line))), None)
    if named is None or not path.endswith(".py"):
        return None
    try:
        if raw.decode(named[1]) == text:
            return None
    except (LookupError, ValueError):
        pass
    return No(
        "wrong_encoding",
        f"{path} says that it is written in {named[1]}; only UTF-8 is, so take that line away",
    )
