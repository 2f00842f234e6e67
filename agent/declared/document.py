"""What a tool made of data may say: one call of the net, described by a small document that is judged before it is kept.

Everything in it is a person's text that other people's models may read, so it is short, plain, and holds no secret.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.chat.redaction import looks_secret
from policies.decision import Decision
from policies.load import Level, WebRules
from policies.urls import Target, read_url

LONGEST = 8_000
"""Characters of a whole document."""
_NAME = r"^[a-z][a-z0-9_]{0,39}$"
_HOLE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_STEP = re.compile(r"([^.\[\]*]+)|\[(\d{1,6})\]|\[\*\]")
_PATH = re.compile(r"(?:[^.\[\]*]+|\[\d{1,6}\]|\[\*\])(?:\.[^.\[\]*]+|\[\d{1,6}\]|\[\*\])*")
_HEADER = re.compile(r"Accept(?:-Language)?|X-[A-Za-z0-9-]{1,40}", re.IGNORECASE)
_SECRET_WORDS = frozenset(
    {
        "apikey", "appid", "auth", "authorization", "bearer", "cookie", "credential", "credentials", "jwt", "key",
        "passwd", "password", "secret", "session", "signature", "sig", "token",
    }
)  # fmt: skip
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_RUN = re.compile(r"[A-Za-z0-9]{16,}")
_NO_SECRETS = (
    "tools that people make hold no keys, since everybody who may use one could read them: leave it out, or ask for a "
    "tool with /improve"
)

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


def read_document(text: str, rules: WebRules, name: str = "") -> Document | Decision:
    """Judge a document, as JSON or TOML.

    Args:
        text: As somebody wrote it.
        rules: Which hosts may be asked.
        name: What the tool is to be called where the document does not say it.

    Returns:
        The document, or the first thing that is wrong with it and what would be right.
    """
    if len(text) > LONGEST:
        return _no(f"the description is longer than {LONGEST:,} characters; say it in fewer")
    try:
        raw = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
        document = Document.model_validate({"name": name, **raw} if name else raw)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in fault["loc"])[:80]
        hints = {
            "extra_forbidden": f"; there are: {', '.join(Document.model_fields)}",
            "string_pattern_mismatch": "; a name has small letters, digits and _, and begins with a letter",
        }
        return _no(f"{where or 'the description'}: {fault['msg']}{hints.get(fault['type'], '')}")
    except (ValueError, RecursionError) as error:
        return _no(f"the description is neither JSON nor TOML: {str(error)[:200]}; /tool template shows one")
    if name and document.name != name:
        return _no(f"it is called {document.name} in the description and {name} before it; say one name")
    faults = (_shape(document), _address(document, rules), _secrets(document), _parameters(document))
    return next((fault for fault in faults if fault is not None), document)


def target_of(document: Document, rules: WebRules) -> Target | Decision:
    """Where a document leads, or why nothing is asked there."""
    return read_url(_HOLE.sub("x", document.url), rules)


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


def _shape(document: Document) -> Decision | None:
    said = [document.description, *document.examples]
    for parameter in document.parameters.values():
        values = (parameter.description, parameter.default, *parameter.choices)
        said += [value for value in values if isinstance(value, str)]
    if not all(text.isprintable() for text in said):
        return _no(
            "descriptions and values are one line of plain text each; take line breaks and invisible characters out"
        )
    if document.body is not None and not document.writes:
        return _no('only a POST has a body; say "method": "POST", or put it into query')
    if document.writes and document.cache_seconds:
        return _no("a POST may change something, so its answers are not kept; leave cache_seconds out")
    if document.writes and document.permission == "everyone":
        return _no('a POST may change something; say "permission": "trusted" or "maintainer"')
    if document.answer and not _PATH.fullmatch(document.answer):
        return _no(f"answer: {document.answer!r} is no path; write it like list[0].name or items[*].title")
    for name, value in document.headers.items():
        if not _HEADER.fullmatch(name):
            return _no(f"headers: {name[:40]!r} cannot be set; Accept, Accept-Language and X-... can")
        if not value.isprintable() or not value.isascii():
            return _no(f"headers: the value of {name} is not plain ASCII text")
    return None


def _address(document: Document, rules: WebRules) -> Decision | None:
    url = document.url
    scheme, _, rest = url.partition("://")
    if "?" in url or "#" in url:
        return _no('url: put what follows the ? into "query", and leave a # out')
    if holes(rest.partition("/")[0]) or holes(scheme):
        return _no("url: its host is fixed; a {parameter} may stand behind the first / only")
    if set(_HOLE.sub("", url)) & set("{}"):
        return _no("url: a brace stands for nothing; write {parameter}")
    target = target_of(document, rules)
    if isinstance(target, Decision):
        return _no(f"url: {target.why}")
    place = f"[{target.host}]" if ":" in target.host else target.host
    if target.scheme != "https" and f"{place}:{target.port}" not in rules.exempt:
        return _no("url: say https://, so that nobody on the way reads or changes the answer")
    return None


def _secrets(document: Document) -> Decision | None:
    for table in (document.query, document.headers, _keys(document.body)):
        for name in table:
            if {word.lower() for word in _WORDS.findall(name)} & _SECRET_WORDS:
                return _no(f"{name[:40]!r} looks like the place of a key; {_NO_SECRETS}")
    for text in document.texts:
        if looks_secret(text) or _looks_drawn(_HOLE.sub(" ", text)):
            return _no(f"there is something in it that looks like a key; {_NO_SECRETS}")
    return None


def _looks_drawn(text: str) -> bool:
    """Whether there is a long run of letters and digits mixed, as in keys."""
    return any(not (run.isdigit() or run.isalpha()) for run in _RUN.findall(text))


def _parameters(document: Document) -> Decision | None:
    used = {hole for text in document.texts for hole in holes(text)}
    if unknown := sorted(used - set(document.parameters)):
        return _no(f"{{{unknown[0]}}} is used but not among the parameters; describe it there")
    if idle := sorted(set(document.parameters) - used):
        return _no(f"the parameter {idle[0]} is used nowhere; write {{{idle[0]}}} where it belongs")
    for name, parameter in document.parameters.items():
        for value in (*parameter.choices, *(() if parameter.default is None else (parameter.default,))):
            if not _fits(value, parameter):
                return _no(f"parameters: {value!r} is no {parameter.type} that {name} may be")
        if parameter.least is not None and parameter.most is not None and parameter.least > parameter.most:
            return _no(f"parameters: nothing lies between the least and the most of {name}")
    return None


def _fits(value: Plain, parameter: Parameter) -> bool:
    kinds: dict[str, tuple[type, ...]] = {
        "text": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    }  # fmt: skip
    if type(value) not in kinds[parameter.type]:
        return False
    if parameter.choices and value not in parameter.choices:
        return False
    if isinstance(value, str):
        return len(value) <= parameter.longest
    low, high = parameter.least, parameter.most
    return (low is None or value >= low) and (high is None or value <= high)


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


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield str(key)
            yield from _keys(each)
    elif isinstance(value, list):
        for each in value:
            yield from _keys(each)


def _no(why: str) -> Decision:
    return Decision.no("made_tool", why)
