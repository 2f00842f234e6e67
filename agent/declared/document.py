"""What a tool made of data says: one call of the net, described by a small document.

Everything in it is a person's text that other people's models may read.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from policies.load import Level

_NAME = r"^[a-z][a-z0-9_]{0,39}$"
_HOLE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_STEP = re.compile(r"([^.\[\]*]+)|\[(\d{1,6})\]|\[\*\]")

Plain = str | int | float | bool


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Parameter(_Part):
    """One thing that a model says when it uses the tool. Without a default it has to."""

    type: Literal["text", "integer", "number", "boolean"] = "text"
    description: Annotated[str, Field(max_length=300)] = ""
    default: Plain | None = None
    least: float | None = None
    most: float | None = None
    longest: Annotated[int, Field(ge=1, le=4000)] = 500
    """Characters of a text."""
    choices: Annotated[tuple[Plain, ...], Field(max_length=50, strict=False)] = ()


class Document(_Part):
    """A tool as somebody described it. `{parameter}` stands for what a model says.

    Attributes:
        url: Its host is fixed; parameters stand in the path only.
        query: What follows the `?`, by name.
        body: Any JSON, for POST. A text that is nothing but one `{parameter}` becomes that value itself.
        answer: Which part of a JSON answer is handed on: `list[0].name`, `[*]` for each; empty: all of it.
        seconds: How long a call may take.
        cache_seconds: How long an answer stays good.
        calls_a_day: By one person; 0: what the rules allow.
    """

    name: Annotated[str, Field(pattern=_NAME)]
    description: Annotated[str, Field(min_length=10, max_length=500)]
    method: Literal["GET", "POST"] = "GET"
    url: Annotated[str, Field(max_length=1000)]
    parameters: Annotated[dict[Annotated[str, Field(pattern=_NAME)], Parameter], Field(max_length=12)] = {}
    query: Annotated[dict[str, str], Field(max_length=20)] = {}
    headers: Annotated[dict[str, str], Field(max_length=10)] = {}
    body: Any = None
    answer: Annotated[str, Field(max_length=200)] = ""
    seconds: Annotated[float, Field(ge=1, le=15)] = 10.0
    cache_seconds: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    permission: Level = "everyone"
    calls_a_day: Annotated[int, Field(ge=0, le=10_000)] = 0
    examples: Annotated[
        tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=3, strict=False)
    ] = ()

    @property
    def writes(self) -> bool:
        """Whether it may change something where it leads."""
        return self.method == "POST"

    @property
    def said(self) -> Iterator[str]:
        """Every text in it that people and models read."""
        yield self.description
        yield from self.examples
        for parameter in self.parameters.values():
            values = (parameter.description, parameter.default, *parameter.choices)
            yield from (value for value in values if isinstance(value, str))

    @property
    def texts(self) -> Iterator[str]:
        """Every text in it that goes out with a call, names included."""
        yield self.url
        for table in (self.query, self.headers):
            yield from table
            yield from table.values()
        yield from _texts(self.body)


TEMPLATE = """\
{
  "name": "weather_now",
  "description": "Say what the weather is like in a place at this moment.",
  "url": "https://weather.example/v1/{place}/now",
  "query": {"unit": "{unit}"},
  "parameters": {
    "place": {"description": "a town", "longest": 80},
    "unit": {"choices": ["celsius", "fahrenheit"], "default": "celsius"}
  },
  "answer": "current.summary",
  "cache_seconds": 300
}"""


def holes(text: str) -> list[str]:
    """The parameters that a text names."""
    return _HOLE.findall(text)


def filled(text: str, values: dict[str, str]) -> str:
    """A text with values in place of the parameters that it names."""
    return _HOLE.sub(lambda hole: values[hole[1]], text)


def steps(path: str) -> list[str | int | None]:
    """A path into JSON: names, places in lists, None for each of a list."""
    found = [_STEP.fullmatch(step[0]) for step in _STEP.finditer(path)]
    return [
        None if step[0] == "[*]" else int(step[2]) if step[2] else step[1].strip() for step in found if step
    ]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield str(key)
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
