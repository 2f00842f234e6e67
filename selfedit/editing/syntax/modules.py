"""Edits of whole files: a new module, tests, a text."""

import ast

from selfedit.editing.edits import AddImport, AddTest, CreateModule, WriteText
from selfedit.editing.syntax.definitions import append_to_module
from selfedit.editing.syntax.document import Document
from selfedit.editing.syntax.imports import add_import
from selfedit.editing.syntax.outline import assigned_names
from selfedit.editing.syntax.piece import Piece, moved, read_piece
from selfedit.editing.syntax.text import NEWLINE, No

_PYTHON = (".py", ".pyi", ".pyw", ".pyc", ".pyo", ".pyd", ".so")


def create_module(edit: CreateModule, *, exists: bool) -> str | No:
    """A new Python file's text, at column 0 and with a newline at its end."""
    if not edit.path.endswith(".py"):
        return No(
            "wrong_file_kind",
            f"{edit.path} is no Python file; create_module is for `.py`, write_text for others",
        )
    if exists:
        return No(
            "exists",
            f"{edit.path} exists already; edit its definitions, or choose another path",
            (edit.path,),
        )
    return _new_file(edit.source)


def _new_file(source: str) -> str | No:
    piece = read_piece(source)
    if isinstance(piece, No):
        return piece
    text = moved(piece, "")
    if isinstance(text, No) or not text:
        return text
    newline = NEWLINE.search(text)
    return text + (newline.group() if newline else "\n")


def write_text(edit: WriteText, old: str | None) -> str | No:
    """The text of a file that is not Python."""
    if edit.path.lower().endswith(_PYTHON):
        return No(
            "wrong_file_kind",
            f"{edit.path} is Python; write_text is for other files, create_module makes a new one",
        )
    if old == edit.text:
        return No("no_change", f"{edit.path} holds just this text already")
    return edit.text


def add_test(edit: AddTest, document: Document | None) -> str | No:
    """The text of a test file with further tests at its end; imports that they bring go to the top."""
    *folders, name = edit.path.split("/")
    if (
        "tests" not in folders
        or not name.endswith(".py")
        or not (name.startswith("test_") or name.endswith("_test.py"))
    ):
        return No(
            "wrong_file_kind",
            f"{edit.path} is no test file; a test goes to a `test_*.py` below a folder `tests`",
        )
    piece = read_piece(edit.source)
    if isinstance(piece, No):
        return piece
    problem = _not_tests(piece, fresh=document is None)
    if problem is not None:
        return problem
    if document is None:
        return _new_file(edit.source)
    return _joined(edit, piece, document)


def _not_tests(piece: Piece, *, fresh: bool) -> No | None:
    tests = 0
    for number, node in enumerate(piece.body):
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and fresh and number == 0:
            continue
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            tests += sum(getattr(inner, "name", "").startswith("test") for inner in node.body)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            tests += 1
        elif not _is_fixture(node):
            what = (
                f"`{node.name}`"
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
                else "it"
            )
            return No(
                "not_a_test",
                f"line {node.lineno - piece.skipped} of the source is no test: {what} has to be a function named `test_...`, a "
                "fixture, a class named `Test...`, an import or a constant (add_function and add_class add helpers)",
            )
    return (
        None if tests else No("not_a_test", "the source has no test; a test is a function named `test_...`")
    )


def _is_fixture(node: ast.stmt) -> bool:
    decorators = node.decorator_list if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else []
    bare = [decorator.func if isinstance(decorator, ast.Call) else decorator for decorator in decorators]
    return any(
        (inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")) == "fixture"
        for inner in bare
    )


def _joined(edit: AddTest, piece: Piece, document: Document) -> str | No:
    there = {definition.name for definition in document.definitions}
    for node in piece.body:
        names = assigned_names(node) or [getattr(node, "name", "")]
        for name in names:
            if name in there:
                return No(
                    "exists", f"`{name}` is in {edit.path} already; use another name, or replace it", (name,)
                )
    imports = [node for node in piece.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    rest = _without_imports(piece, imports)
    if isinstance(rest, No):
        return rest
    text = append_to_module(document, rest)
    for node in imports:
        if isinstance(text, No):
            return text
        read = Document.read(text, edit.path)
        if isinstance(read, No):
            return read
        added = add_import(read, AddImport(op="add_import", path=edit.path, statement=ast.unparse(node)))
        text = text if isinstance(added, No) and added.rule == "already_there" else added
    return text


def _without_imports(piece: Piece, imports: list[ast.Import | ast.ImportFrom]) -> Piece | No:
    """The piece without its import statements, which must stand on lines of their own."""
    lines = NEWLINE.split(piece.text)
    gone = {line for node in imports for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    for node in piece.body:
        if node not in imports and gone & set(range(node.lineno, (node.end_lineno or node.lineno) + 1)):
            return No(
                "unusual_layout",
                "an import of the source shares its line with other code; put it on its own line",
            )
    kept = [line for number, line in enumerate(lines, 1) if number + piece.skipped not in gone]
    return read_piece("\n".join(kept)) if imports else piece
