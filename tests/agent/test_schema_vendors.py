"""Thirty typed tools and those that come along: what vendors document of a tool's schema holds, and what does not fit stays out."""

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from anthropic.types import ToolParam
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionFunctionToolParam
from openai.types.responses import FunctionToolParam
from pydantic import BaseModel, Field, TypeAdapter

from agent.calling.executor import Calls
from agent.calling.schema import LONGEST_DESCRIPTION
from agent.tool import Context
from agent.types import ToolCall
from policies.load import load_rules
from tests.fakes.tools import CONSOLE, box
from tests.fakes.typed_tools import TOOLS, TYPES, Mood

RULES = load_rules()
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What both vendors allow as a tool's name and Anthropic as a property's."""
MOST_DEEP, MOST_PROPERTIES, MOST_CHOICES = 10, 5000, 1000
"""OpenAI's documented bounds of a schema: nesting, properties in all, values of enumerations in all."""
CARRIED = ("string", "number", "integer", "boolean", "object", "array", "null")


def faults_for_openai(name: str, schema: dict[str, Any]) -> Iterator[str]:
    """What OpenAI's guide to function calling says of names and schemas, as far as one can break it."""
    if not NAME.fullmatch(name):
        yield "name"
    if schema.get("type") != "object" or any(word in schema for word in ("anyOf", "oneOf", "enum", "not")):
        yield "the root is no plain object"
    found = list(below(schema, 1))
    if max(deep for deep, _ in found) > MOST_DEEP:
        yield "too deep"
    if sum(len(node.get("properties", ())) for _, node in found) > MOST_PROPERTIES:
        yield "too many properties"
    if sum(len(node.get("enum", ())) for _, node in found) > MOST_CHOICES:
        yield "too many choices"
    for _, node in found:
        if (kind := node.get("type")) is not None and kind not in CARRIED:
            yield f"type {kind}"
        if kind == "object" and "properties" in node and node.get("additionalProperties") is not False:
            yield "an object that is open"
        if not set(node.get("required", ())) <= set(node.get("properties", node.get("required", ()))):
            yield "something required that is not there"
        if kind == "array" and not {"items", "prefixItems"} & set(node):
            yield "a list of nobody knows what"
        if "$ref" in node or "$defs" in node:
            yield "a reference"


def faults_for_anthropic(name: str, schema: dict[str, Any]) -> Iterator[str]:
    """What Anthropic's guide to tools says of names and of `input_schema`."""
    if not NAME.fullmatch(name):
        yield "name"
    if schema.get("type") != "object" or any(word in schema for word in ("anyOf", "oneOf", "allOf")):
        yield "the root is no plain object"
    for _, node in below(schema, 1):
        yield from (f"property {key}" for key in node.get("properties", ()) if not NAME.fullmatch(key))
        if len(node.get("description", "")) > LONGEST_DESCRIPTION:
            yield "a description that is too long"


def below(schema: dict[str, Any], deep: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """A schema and all within it, each with its depth."""
    yield deep, schema
    inner = [*schema.get("properties", {}).values(), *schema.get("prefixItems", ())]
    inner += [
        schema[word] for word in ("items", "additionalProperties") if isinstance(schema.get(word), dict)
    ]
    for each in inner:
        yield from below(each, deep + 1)
    for word in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(word, ()):
            yield from below(each, deep)


@pytest.mark.parametrize("name", TYPES)
def test_each_of_thirty_tools_keeps_both_vendors_rules(name: str) -> None:
    """Names, roots, depth, references and open objects are as the vendors' guides want them."""
    schema = TOOLS[name].parameters
    assert len(TYPES) == 30
    assert list(faults_for_openai(f"take_{name}", schema)) == []
    assert list(faults_for_anthropic(f"take_{name}", schema)) == []


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"anyOf": [{"type": "object"}]}, "the root is no plain object"),
        ({"type": "object", "properties": {"x": {"$ref": "#/x"}}}, "a reference"),
        ({"type": "object", "properties": {"x": {"type": "array"}}}, "a list of nobody knows what"),
        ({"type": "object", "properties": {"x": {"type": "date"}}}, "type date"),
        ({"type": "object", "required": ["y"], "properties": {}}, "something required that is not there"),
    ],
)
def test_the_rules_can_be_broken(schema: dict[str, Any], fault: str) -> None:
    """A schema that a vendor would refuse is found to be one, so that keeping the rules says something."""
    assert fault in faults_for_openai("x", schema)


@pytest.mark.parametrize("name", TYPES)
def test_the_sdks_own_types_take_each_tool(name: str) -> None:
    """What goes into a request is of the shape that each SDK declares for it."""
    about = {"name": f"take_{name}", "description": TOOLS[name].description}
    schema = TOOLS[name].parameters
    shapes: list[tuple[Any, dict[str, Any]]] = [
        (FunctionToolParam, {"type": "function", **about, "parameters": schema, "strict": False}),
        (
            ChatCompletionFunctionToolParam,
            {"type": "function", "function": {**about, "parameters": schema}},
        ),
        (ToolParam, {**about, "input_schema": schema}),
    ]
    for kind, value in shapes:
        assert TypeAdapter(kind).validate_python(value)["type" if "type" in value else "name"]


class Order(BaseModel):
    """Something within something."""

    item: Annotated[str, Field(max_length=20)]
    many: Annotated[int, Field(ge=1, le=9)]


RIGHT: dict[str, Any] = {
    "text": "tea",
    "count": 3,
    "share": 0.5,
    "sure": True,
    "mood": "good",
    "order": {"item": "tea", "many": 2},
    "words": ["a", "b"],
}
reached: list[dict[str, Any]] = []


async def everything(
    context: Context,
    *,
    text: Annotated[str, Field(min_length=1, max_length=40)],
    count: Annotated[int, Field(ge=1, le=100)],
    share: float,
    sure: bool,
    mood: Mood,
    order: Order,
    words: Annotated[list[str], Field(max_length=3)],
) -> str:
    """Take one of each."""
    reached.append(
        {"by": context.caller, "given": (text, count, share, sure, mood, order, words)},
    )
    return "taken"


BOX = box(everything)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_WRONG: dict[str, st.SearchStrategy[Any]] = {
    "text": _JSON.filter(lambda value: not isinstance(value, str)) | st.just("") | st.just("x" * 41),
    "count": _JSON.filter(lambda value: type(value) is not int) | st.integers(101) | st.integers(max_value=0),
    "share": _JSON.filter(lambda value: type(value) not in (int, float)),
    "sure": _JSON.filter(lambda value: not isinstance(value, bool)),
    "mood": _JSON.filter(lambda value: value not in ("good", "bad")),
    "order": _JSON.filter(lambda value: not isinstance(value, dict))
    | st.fixed_dictionaries({"item": st.just("tea"), "many": st.integers(10)})
    | st.just({"item": "tea"})
    | st.just({"item": "tea", "many": 1, "nmae": "a field that is not there"})
    | st.just({"item": "x" * 21, "many": 1}),
    "words": _JSON.filter(lambda value: not isinstance(value, list))
    | st.lists(st.integers(), min_size=1, max_size=3)
    | st.just(["a"] * 4),
}


@st.composite
def malformed(draw: st.DrawFn) -> tuple[str, str]:
    """Arguments with one fault, and the field that it is in."""
    field = draw(st.sampled_from(list(RIGHT)))
    how = draw(st.sampled_from(["wrong", "missing", "misspelt", "more"]))
    given_now = dict(RIGHT)
    if how == "wrong":
        given_now[field] = draw(_WRONG[field])
    elif how == "missing":
        del given_now[field]
    else:
        named = draw(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12))
        field = named if named not in RIGHT else f"{named}_"
        given_now[field] = draw(_JSON)
    return json.dumps(given_now), field


async def test_what_fits_reaches_the_tool() -> None:
    """The arguments that the others differ from in one field are taken, so a refusal is for that field."""
    reached.clear()
    called = ToolCall(id="c", name="everything", arguments=json.dumps(RIGHT))
    answered = await Calls(RULES).run(BOX, called, CONSOLE)
    assert (answered.outcome, len(reached)) == ("ok", 1)


@settings(max_examples=1000)
@given(malformed())
async def test_of_a_thousand_malformed_sets_none_reaches_the_tool(case: tuple[str, str]) -> None:
    """Each is answered with the name of the field at fault, and the tool never hears of it."""
    arguments, field = case
    reached.clear()
    called = ToolCall(id="c", name="everything", arguments=arguments)
    answered = await Calls(RULES).run(BOX, called, CONSOLE)
    assert (answered.outcome, reached) == ("wrong", [])
    assert field in answered.text
