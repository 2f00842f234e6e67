"""The edit language: what an author may say about code, as data.

A draft is a list of these. They are applied by `selfedit.editing.codemod`; nothing here touches a file.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

MAX_EDITS = 200
MAX_TEXT = 4_000_000
"""Length of a whole list of edits as JSON."""
MAX_SOURCE = 200_000
"""Characters in one `source` or `text`."""

Path = Annotated[str, Field(min_length=1, max_length=255)]
Target = Annotated[str, Field(min_length=1, max_length=500)]
Source = Annotated[str, Field(min_length=1, max_length=MAX_SOURCE)]


class _Edit(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path


class ReplaceFunction(_Edit):
    """Put a function in another's place; decorators and comments above may be part of `source`."""

    op: Literal["replace_function"]
    target: Target
    source: Source


class ReplaceClass(_Edit):
    """Put a class in another's place."""

    op: Literal["replace_class"]
    target: Target
    source: Source


class AddFunction(_Edit):
    """Add a function to a module, or to a class with `into`; `after` names what it follows."""

    op: Literal["add_function"]
    source: Source
    into: Target | None = None
    after: Target | None = None


class AddClass(_Edit):
    """Add a class to a module, or to a class with `into`; `after` names what it follows."""

    op: Literal["add_class"]
    source: Source
    into: Target | None = None
    after: Target | None = None


class DeleteSymbol(_Edit):
    """Take a function, class or constant away."""

    op: Literal["delete_symbol"]
    target: Target


class RenameSymbol(_Edit):
    """Give a symbol another name; every reference in live code follows."""

    op: Literal["rename_symbol"]
    target: Target
    name: Annotated[str, Field(min_length=1, max_length=200)]


class SetConstant(_Edit):
    """Assign another value, given as the source of an expression."""

    op: Literal["set_constant"]
    target: Target
    value: Source


class SetDocstring(_Edit):
    """Write the docstring of a function, a class or, with an empty target, the module."""

    op: Literal["set_docstring"]
    target: Annotated[str, Field(max_length=500)] = ""
    text: Source


class AddParameter(_Edit):
    """Add a parameter that has a default, so that no caller breaks."""

    op: Literal["add_parameter"]
    target: Target
    parameter: Source


class AddImport(_Edit):
    """Add an import statement at the top of the module."""

    op: Literal["add_import"]
    statement: Source


class RemoveImport(_Edit):
    """Take an import away, or some of the names that it brings in."""

    op: Literal["remove_import"]
    statement: Source


class AddDecorator(_Edit):
    """Put a decorator above a function or class."""

    op: Literal["add_decorator"]
    target: Target
    decorator: Source


class RemoveDecorator(_Edit):
    """Take a decorator away."""

    op: Literal["remove_decorator"]
    target: Target
    decorator: Source


class CreateModule(_Edit):
    """Create a Python file that does not exist yet."""

    op: Literal["create_module"]
    source: Source


class AddTest(_Edit):
    """Add test functions to a test file, which is created when it is not there."""

    op: Literal["add_test"]
    source: Source


class WriteText(_Edit):
    """Write a file that is not Python: a prompt, a table, a list."""

    op: Literal["write_text"]
    text: Annotated[str, Field(max_length=MAX_SOURCE)]


Edit = Annotated[
    ReplaceFunction
    | ReplaceClass
    | AddFunction
    | AddClass
    | DeleteSymbol
    | RenameSymbol
    | SetConstant
    | SetDocstring
    | AddParameter
    | AddImport
    | RemoveImport
    | AddDecorator
    | RemoveDecorator
    | CreateModule
    | AddTest
    | WriteText,
    Field(discriminator="op"),
]

OPS = tuple(kind.model_fields["op"].annotation.__args__[0] for kind in get_args(get_args(Edit)[0]))
"""Every op of the language."""

EditList: TypeAdapter[tuple[Edit, ...]] = TypeAdapter(
    Annotated[tuple[Edit, ...], Field(min_length=1, max_length=MAX_EDITS)]
)


class MalformedEdits(ValueError):
    """The text is not a list of edits. Its message is one sentence that names the first fault."""


def parse_edits(text: str | bytes) -> tuple[Edit, ...]:
    """Read a JSON list of edits.

    Raises:
        MalformedEdits: Not JSON, not a list of edits, too many or too large.
    """
    if len(text) > MAX_TEXT:
        raise MalformedEdits(f"the edits are longer than {MAX_TEXT:,} characters, which is the limit")
    try:
        return EditList.validate_json(text)
    except ValidationError as error:
        raise MalformedEdits(first_fault(error)) from error


def edits_from(data: Any) -> tuple[Edit, ...]:
    """Read edits from values that came out of JSON, as a model's tool call brings them.

    Raises:
        MalformedEdits: As for `parse_edits`.
    """
    try:
        return EditList.validate_python(data)
    except ValidationError as error:
        raise MalformedEdits(first_fault(error)) from error


def first_fault(error: ValidationError) -> str:
    """The first validation fault as one sentence with its place."""
    faults = error.errors(include_url=False, include_input=False)
    # Where an item is wrong, pydantic adds that the rest of the list would be too short.
    faults = [fault for fault in faults if fault["type"] != "too_short"] or faults
    fault = faults[0]
    place = ".".join(str(part) for part in fault["loc"]) or "the whole text"
    more = "" if len(faults) == 1 else f" (and {len(faults) - 1} more)"
    return f"{place}: {_said(fault)}{more}"


def _said(fault: ErrorDetails) -> str:
    known = f"the ops are {', '.join(OPS)}"
    if fault["type"] == "union_tag_invalid":
        return f"there is no op {str(fault['ctx']['tag'])[:60]!r}; {known}"
    if fault["type"] == "union_tag_not_found":
        return f"it has no op; {known}"
    return fault["msg"]
