"""The JSON schema of a typed function, and the reading of a model's arguments by it.

The schema is an object that every vendor takes: properties, a list of what is required, nothing else allowed, no
references. What a model sends is held to the same types strictly: a number in a string is no number.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticUndefined

LONGEST_ARGUMENTS = 200_000
"""Characters of one call's arguments that are read at all; a whole file of code fits."""
LONGEST_DESCRIPTION = 1000
"""Characters of a description; vendors cut at 1024."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_NOTES = ("title", "discriminator", "$defs")
_PLAIN_DICTS = ("properties", "patternProperties")


class BadSignature(Exception):
    """A function cannot be offered to a model. Its text says what to change."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Arguments that do not fit; `why` is for the model and names the field."""

    field: str
    why: str


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes beside its context, as a model sees it.

    Attributes:
        description: The docstring's text, without its sections.
        parameters: A JSON schema of an object.
    """

    description: str
    parameters: dict[str, Any]
    model: type[BaseModel]
    names: tuple[str, ...]

    def read(self, arguments: str) -> dict[str, Any] | Wrong:
        """Arguments as JSON text turned into the function's keyword arguments, or what is wrong with them."""
        if len(arguments) > LONGEST_ARGUMENTS:
            return Wrong("", f"the arguments are longer than {LONGEST_ARGUMENTS:,} characters; send less")
        try:
            read = self.model.model_validate_json(arguments.strip() or "{}", strict=True, extra="forbid")
        except ValidationError as error:
            return self._wrong(error)
        except ValueError as error:  # halves of characters that no UTF-8 can carry
            return Wrong("", f"the arguments are no JSON text: {error}")
        return {name: getattr(read, f"p_{name}") for name in self.names}

    def _wrong(self, error: ValidationError) -> Wrong:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        if not where:
            return Wrong("", f"the arguments are no JSON object: {fault['msg']}")
        if fault["type"] == "extra_forbidden" and len(fault["loc"]) > 1:
            return Wrong(where, f"{where[:80]}: there is no such field; leave it out")
        if fault["type"] == "extra_forbidden":
            known = ", ".join(self.names) or "none at all"
            return Wrong(where, f"there is no parameter {where[:80]}; there are: {known}")
        return Wrong(where, f"{where[:80]}: {fault['msg']}")


def signature_of(function: Callable[..., Any]) -> Signature:
    """The signature of an asynchronous function whose first parameter is a `Context`.

    Raises:
        BadSignature: It cannot be offered to a model.
    """
    name = getattr(function, "__name__", "it")
    if not inspect.iscoroutinefunction(function):
        raise BadSignature(f"{name} must be a function that begins with `async def`")
    documented = inspect.getdoc(function) or ""
    if not documented:
        raise BadSignature(f"{name} has no docstring; say in it what the tool is for")
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise BadSignature(f"{name} has an annotation that cannot be read: {error}") from None
    taken = list(inspect.signature(function).parameters.values())
    if not taken:
        raise BadSignature(f"{name} must take `context: Context` first")
    told = _told(documented)
    fields: dict[str, tuple[Any, Any]] = {}
    for parameter in taken[1:]:
        _look_at(name, parameter, hints)
        default = PydanticUndefined if parameter.default is parameter.empty else parameter.default
        said = told.get(parameter.name)
        fields[parameter.name] = (_described(hints[parameter.name], said), default)
    return signature_from(name, _summary(documented), fields)


def signature_from(name: str, description: str, taken: Mapping[str, tuple[Any, Any]]) -> Signature:
    """The signature of a tool that takes certain parameters.

    Args:
        name: What the tool is called, for what is said of faults.
        description: What it is for.
        taken: The type of each parameter and its default, or pydantic's mark for "there is none".

    Raises:
        BadSignature: It cannot be offered to a model.
    """
    # A prefix of its own: a parameter may be called as an attribute of the model is.
    fields: dict[str, Any] = {
        f"p_{called}": (kind, Field(default, alias=called)) for called, (kind, default) in taken.items()
    }
    try:
        model = create_model(
            "Arguments",
            __config__=ConfigDict(
                extra="forbid", allow_inf_nan=False, frozen=True, arbitrary_types_allowed=False
            ),
            **fields,
        )
        schema = model.model_json_schema(by_alias=True)
    except (PydanticUserError, TypeError, ValueError) as error:
        first = str(error).split("\n", 1)[0]
        raise BadSignature(f"{name} takes what no JSON can carry: {first}") from None
    parameters = _plain(schema, schema.get("$defs", {}), ())
    parameters.setdefault("properties", {})
    parameters.setdefault("required", [])
    parameters["additionalProperties"] = False
    parameters.pop("description", None)
    return Signature(description, parameters, model, tuple(taken))


def _look_at(name: str, parameter: inspect.Parameter, hints: dict[str, Any]) -> None:
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise BadSignature(f"{name} takes {parameter}, which a model cannot name; give each parameter a name")
    if not _NAME.fullmatch(parameter.name):
        raise BadSignature(f"{name}: {parameter.name!r} is no name for a parameter; use small letters and _")
    if parameter.name not in hints:
        raise BadSignature(f"{name}: the parameter {parameter.name} has no type; annotate it")


def _described(kind: Any, said: str | None) -> Any:
    """A type whose plain text in `Annotated`, or else its line in the docstring, is its description."""
    if get_origin(kind) is Annotated:
        bare, *notes = get_args(kind)
        texts = [note for note in notes if isinstance(note, str)]
        rest = [note for note in notes if not isinstance(note, str)]
        said = texts[0] if texts else said
        for note in rest:
            bare = Annotated[bare, note]
        kind = bare
    return Annotated[kind, Field(description=said[:LONGEST_DESCRIPTION])] if said else kind


def _plain(node: Any, defined: dict[str, Any], open_names: tuple[str, ...]) -> Any:
    """A schema without references and without what only adds noise."""
    if isinstance(node, list):
        return [_plain(each, defined, open_names) for each in node]
    if not isinstance(node, dict):
        return node
    if (reference := node.get("$ref")) is not None:
        called = str(reference).rpartition("/")[2]
        if called in open_names:
            raise BadSignature(f"{called} contains itself; a model cannot be told of that")
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _plain({**defined[called], **beside}, defined, (*open_names, called))
    plain: dict[str, Any] = {}
    for key, value in node.items():
        if key in _NOTES:
            continue
        if key in _PLAIN_DICTS:  # what stands there are names, not keywords
            plain[key] = {called: _plain(each, defined, open_names) for called, each in value.items()}
        elif key in ("default", "const", "enum", "examples"):
            plain[key] = value
        else:
            plain[key] = _plain(value, defined, open_names)
    if plain.get("type") == "object" and "properties" in plain:
        plain.setdefault("additionalProperties", False)
    return plain


_SECTION = re.compile(
    r"^(Args|Arguments|Returns|Raises|Example|Examples|Yields|Note|Notes):\s*$", re.MULTILINE
)


def _summary(documented: str) -> str:
    return " ".join(_SECTION.split(documented, maxsplit=1)[0].split())[:LONGEST_DESCRIPTION]


def _told(documented: str) -> dict[str, str]:
    """What the docstring's `Args:` say of each parameter."""
    parts = _SECTION.split(documented)
    told: dict[str, str] = {}
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        if heading in ("Args", "Arguments"):
            for found in re.finditer(
                r"^ {2,4}(\w+)(?: \([^)]*\))?:((?:.*)(?:\n {5,}.*)*)", body, re.MULTILINE
            ):
                told[found[1]] = " ".join(found[2].split())
    return told
