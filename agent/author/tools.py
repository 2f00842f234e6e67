"""The tools of the model author, as a model is told of them, and what their arguments must look like.

The edit language is told as one flat object with an `op`: both vendors and small local servers take that,
where nested `oneOf` with discriminators trips some of them. What comes back is validated by the real models.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, WithJsonSchema

from agent.types import ToolCall, ToolSpec
from selfedit.editing.edits import MAX_EDITS, Edit, MalformedEdits, edits_from, first_fault
from selfedit.types import MAX_PARTS


class BadCall(ValueError):
    """A tool call that cannot be carried out. Its text tells the model what to do better."""


def _models() -> dict[str, type[BaseModel]]:
    """The edit models by `op`."""
    union = get_args(Edit)[0]
    return {get_args(model.model_fields["op"].annotation)[0]: model for model in get_args(union)}


def edit_schema() -> dict[str, Any]:
    """The edit language as one flat JSON schema, generated from its models."""
    lines = []
    properties: dict[str, Any] = {}
    for op, model in _models().items():
        schema = model.model_json_schema()
        needed = [name for name in schema["required"] if name not in ("op", "path")]
        offered = [name for name in schema["properties"] if name not in (*needed, "op", "path")]
        fields = ", ".join(needed + [f"{name}?" for name in offered])
        lines.append(f"{op}({fields}): {' '.join((model.__doc__ or '').split())}")
        for name in (*needed, *offered):
            properties.setdefault(name, {"type": "string"})
    return {
        "type": "object",
        "properties": {
            "op": {"type": "string", "enum": list(_models()), "description": "\n".join(lines)},
            "path": {"type": "string", "description": "the file, relative to the root"},
            **properties,
        },
        "required": ["op", "path"],
    }


_Edits = Annotated[
    Any, WithJsonSchema({"type": "array", "items": edit_schema(), "minItems": 1, "maxItems": MAX_EDITS})
]


class _Arguments(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ListFiles(_Arguments):
    """List every live file with its number of lines."""


class Outline(_Arguments):
    """Show a Python file's imports, classes, functions and constants with their lines."""

    path: str


class ReadFile(_Arguments):
    """Read a live file, or lines `first` to `last` of it (0: to the end). Lines come numbered."""

    path: str
    first: int = Field(default=1, ge=1)
    last: int = Field(default=0, ge=0)


class Search(_Arguments):
    """Find lines of live files that contain a text; `*` stands for anything within the line."""

    text: Annotated[str, Field(min_length=1, max_length=200)]
    under: str = Field(default="", description="only paths that begin so")


class TryEdits(_Arguments):
    """Apply edits to a copy and run the gate on the result. Says what does not apply or pass."""

    edits: _Edits


class Propose(_Arguments):
    """Hand the change over for judging and review. Ends the work. Without edits: those of the last passed trial."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Annotated[str, Field(min_length=1, max_length=8000)]
    edits: _Edits = None


class Split(_Arguments):
    """End the work with a row of smaller goals, where the goal takes more than one change that people can review well.

    Each is asked for by itself, in this order, when the one before is live and kept; it has to make sense without the
    ones after it, and to be understood without this conversation.
    """

    goals: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=1000)]], Field(min_length=2, max_length=MAX_PARTS)
    ]
    reason: Annotated[str, Field(min_length=1, max_length=2000)]


class GiveUp(_Arguments):
    """End the work without a proposal."""

    reason: Annotated[str, Field(min_length=1, max_length=2000)]


_TOOLS: dict[str, type[_Arguments]] = {
    "list_files": ListFiles,
    "outline": Outline,
    "read_file": ReadFile,
    "search": Search,
    "try_edits": TryEdits,
    "propose": Propose,
    "split": Split,
    "give_up": GiveUp,
}

SPECS: tuple[ToolSpec, ...] = tuple(
    ToolSpec(
        name=name,
        description=" ".join((model.__doc__ or "").split()),
        parameters={
            "type": "object",
            "properties": {
                field: {key: value for key, value in schema.items() if key not in ("title", "default")}
                for field, schema in model.model_json_schema()["properties"].items()
            },
            "required": model.model_json_schema().get("required", []),
        },
    )
    for name, model in _TOOLS.items()
)


WHOLE = tuple(spec for spec in SPECS if spec.name != "split")
"""The tools for what has to stay one change: a part of a row, and what is under review."""


def read_call(call: ToolCall, offered: Sequence[ToolSpec] = SPECS) -> _Arguments:
    """A call's arguments, validated.

    Raises:
        BadCall: No such tool is offered, no JSON, or the wrong shape.
    """
    names = [spec.name for spec in offered]
    model = _TOOLS.get(call.name)
    if model is None or call.name not in names:
        raise BadCall(f"There is no tool {call.name!r}; there are {', '.join(names)}.")
    try:
        return model.model_validate(_json(call.arguments or "{}"))
    except ValidationError as error:
        raise BadCall(f"The arguments of {call.name} have the wrong shape: {first_fault(error)}.") from error


def read_edits(value: Any) -> tuple[Edit, ...]:
    """Edits out of a call; a list that came as JSON text, and empty fields that do not belong to an op, are fine.

    Raises:
        BadCall: They are not edits.
    """
    data = _json(value) if isinstance(value, str) else value
    try:
        return edits_from([_tidied(edit) for edit in data] if isinstance(data, list) else data)
    except MalformedEdits as error:
        raise BadCall(f"These are not edits: {error}.") from error


def edits_key(edits: tuple[Edit, ...]) -> str:
    """The same text for the same edits."""
    return _LIST.dump_json(edits).decode()


_LIST: TypeAdapter[tuple[Edit, ...]] = TypeAdapter(tuple[Edit, ...])


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadCall(f"The arguments are no valid JSON ({error}); send the call again.") from error


def _tidied(edit: Any) -> Any:
    """An edit without the empty fields that a flat schema tempts models to fill in."""
    if not isinstance(edit, dict):
        return edit
    model = _models().get(str(edit.get("op")))
    own = model.model_fields if model else {}
    return {
        name: value
        for name, value in edit.items()
        if value not in (None, "") or (value == "" and name in own)
    }
