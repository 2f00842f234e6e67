"""Schemas of typed functions: every vendor can take them, and nothing that does not fit gets through."""

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from agent.calling.schema import BadSignature, Wrong, signature_of
from agent.tool import Context

KEYWORDS = {
    "type", "properties", "required", "additionalProperties", "description", "items", "enum", "const", "anyOf",
    "oneOf", "default", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength",
    "minItems", "maxItems", "uniqueItems", "pattern", "format", "prefixItems", "multipleOf",
}  # fmt: skip


class Mood(StrEnum):
    """A choice."""

    GOOD = "good"
    BAD = "bad"


class Place(BaseModel):
    """An object in an object."""

    name: str = Field(max_length=20)
    near: list[str] = []


TYPES: list[Any] = [
    str, int, float, bool, Mood, Place, dict[str, list[float]], list[str], list[int], set[str], tuple[int, int], dict[str, int],
    dict[str, Place], list[Place], str | None, int | str, Literal["a", "b"], Literal[1, 2], Place | None,
    list[list[float]], Annotated[str, "said"], Annotated[str, Field(max_length=5)], Annotated[int, Field(ge=1, le=9)],
    Annotated[list[int], Field(max_length=3)], Annotated[str, Field(pattern="^a+$"), "as"], Annotated[float, Field(gt=0)],
    Literal["x"] | None, list[Mood], tuple[str, ...], frozenset[int],
]  # fmt: skip


def taking(kind: Any, default: Any = ...) -> Callable[..., Any]:
    """A tool with one parameter of a type."""

    async def probe(context: Context, given: Any = default) -> str:
        """Probe."""
        return f"{context.caller} {given}"

    probe.__annotations__["given"] = kind
    if default is ...:
        probe.__defaults__ = None
    return probe


def nodes(schema: Any) -> list[dict[str, Any]]:
    """Every schema in a schema."""
    if isinstance(schema, list):
        return [node for each in schema for node in nodes(each)]
    if not isinstance(schema, dict):
        return []
    below = [value for key, value in schema.items() if key not in ("properties", "default", "enum", "const")]
    return [schema, *nodes(below), *nodes(list(schema.get("properties", {}).values()))]


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_every_type_becomes_a_schema_that_vendors_take(kind: Any) -> None:
    """The schema is an object with properties, a list of what is required, nothing else allowed, and no references."""
    schema = signature_of(taking(kind)).parameters
    assert (schema["type"], schema["required"], schema["additionalProperties"]) == (
        "object",
        ["given"],
        False,
    )
    assert list(schema["properties"]) == ["given"]
    assert {keyword for node in nodes(schema) for keyword in node} <= KEYWORDS
    json.dumps(schema, allow_nan=False)


def test_descriptions_come_from_annotations_and_docstring() -> None:
    """What a parameter is for is told to the model, whichever way it was written down; sections are not."""

    async def probe(
        context: Context, one: Annotated[str, "the first"], two: int = 3, *, json: str = ""
    ) -> str:
        """Probe something.

        Over two lines.

        Args:
            context: Not shown.
            one: Told by its annotation.
            two: The second,
                over two lines.
            json: A name that pydantic has as well.

        Returns:
            Not shown.
        """
        return f"{context} {one} {two} {json}"

    signature = signature_of(probe)
    assert signature.description == "Probe something. Over two lines."
    told = {name: field["description"] for name, field in signature.parameters["properties"].items()}
    assert told == {
        "one": "the first",
        "two": "The second, over two lines.",
        "json": "A name that pydantic has as well.",
    }
    assert signature.parameters["required"] == ["one"]
    assert signature.read('{"one": "x"}') == {"one": "x", "two": 3, "json": ""}


async def _no_docstring(context: Context) -> str:
    return context.caller


async def _untyped(context: Context, x) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001 - the fault in question
    """Doc."""
    return f"{context}{x}"


async def _many(context: Context, *x: int) -> str:
    """Doc."""
    return f"{context}{x}"


async def _object(context: Context, x: Callable[[], int]) -> str:
    """Doc."""
    return f"{context}{x}"


async def _nothing() -> str:
    """Doc."""
    return ""


def _plain(context: Context) -> str:
    """Doc."""
    return context.caller


class Tree(BaseModel):
    """Contains itself."""

    below: "list[Tree]" = []


async def _endless(context: Context, x: Tree) -> str:
    """Doc."""
    return f"{context}{x}"


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (_no_docstring, "no docstring"),
        (_untyped, "x has no type"),
        (_many, "a model cannot name"),
        (_object, "no JSON"),
        (_nothing, "context: Context"),
        (_plain, "async def"),
        (_endless, "contains itself"),
    ],
)
def test_a_function_that_no_model_can_use_is_refused(function: Callable[..., Any], says: str) -> None:
    """The reason says what to change."""
    with pytest.raises(BadSignature, match=says):
        signature_of(function)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ('{"name": "x"', ""),
        ("[]", ""),
        ("null", ""),
        ('"text"', ""),
        ("\ud800", ""),
        ("{}", "name"),
        ('{"name": 7, "count": 1}', "name"),
        ('{"name": "x", "count": "1"}', "count"),
        ('{"name": "x", "count": 100}', "count"),
        ('{"name": "x", "count": true}', "count"),
        ('{"name": "x", "share": NaN}', "share"),
        ('{"name": "x", "nmae": "y"}', "nmae"),
        ('{"name": "x", "where": {"name": "a", "near": [1]}}', "where.near.0"),
    ],
)
def test_wrong_arguments_name_the_field(arguments: str, field: str) -> None:
    """Whatever is wrong, the answer says where, so that a model can mend it."""
    wrong = signature_of(_strict).read(arguments)
    assert isinstance(wrong, Wrong)
    assert wrong.field == field
    assert field in wrong.why
    assert wrong.why


async def _strict(
    context: Context,
    name: str,
    count: Annotated[int, Field(ge=1, le=9)] = 1,
    share: float = 0.5,
    where: Place | None = None,
) -> str:
    """Doc."""
    return f"{context}{name}{count}{share}{where}"


_STRICT = signature_of(_strict)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_KEYS = st.sampled_from(["name", "count", "share", "where", "near", "x"])


@settings(max_examples=1000, deadline=None)
@given(st.dictionaries(_KEYS, _VALUES, max_size=4).map(json.dumps) | st.text(max_size=20))
def test_no_malformed_arguments_get_through(arguments: str) -> None:
    """Of a thousand sets, each either fits every type and bound exactly or is answered with what is wrong."""
    read = _STRICT.read(arguments)
    if isinstance(read, Wrong):
        assert read.why
        return
    assert type(read["name"]) is str
    assert type(read["count"]) is int
    assert 1 <= read["count"] <= 9
    assert type(read["share"]) is float
    assert read["share"] - read["share"] == 0
    assert read["where"] is None or isinstance(read["where"], Place)
    assert set(json.loads(arguments or "{}")) <= {"name", "count", "share", "where"}
