"""What is known of models, read from `models.toml`, and from `models_config.json` where a setting names one.

A file that does not fit is refused as a whole, with the line at fault: nothing is half read.
"""

import functools
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.types import RECKONED, Prices

Known = Literal["yes", "no", "unknown"]
"""Whether a model takes something. "unknown" is not "no": it is found out by trying."""
Skill = Literal["complex", "code", "safety", "moderation", "cheap"]
_TABLE = Path(__file__).with_name("models.toml")


class CatalogueProblem(ValueError):
    """A file about models that cannot be used. Its text is `file:line: what is wrong`."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(_Strict):
    """What is known of one model.

    Attributes:
        vendor: Who serves it.
        context: Tokens that it takes at once, answer included; 0: not known.
        tools: Whether it calls tools by itself.
        vision: Whether it sees pictures.
        good_at: What it is asked for before others.
        prices: What its tokens cost; zeros where unknown.
        ends: The day on which its vendor takes it away.
        max_iterations: Rounds of tool calls for one question; None: as many as the rules allow.
        default_enabled: It may call tools as it likes; else only where a call is asked for.
        offered: It is asked where it fits better than the vendor's default.
        only_talks: It is too small for anything but talk: nobody has it write code.
    """

    vendor: str = ""
    context: int = Field(default=0, ge=0)
    tools: Known = "unknown"
    vision: Known = "unknown"
    good_at: tuple[Skill, ...] = ()
    prices: Prices = Prices()
    ends: date | None = None
    max_iterations: int | None = Field(default=None, ge=1, le=100)
    default_enabled: bool = True
    offered: bool = False
    only_talks: bool = False

    @property
    def paid(self) -> Prices:
        """What its tokens cost where they are paid for: where nobody knows, it is reckoned with rather too much."""
        return self.prices if self.prices.output else RECKONED


class _Defaults(_Strict):
    openai: str
    anthropic: str


class _Family(_Strict):
    like: tuple[str, ...] = Field(min_length=1)
    tools: Known = "unknown"
    vision: Known = "unknown"
    ends: date | None = None


class Catalogue(_Strict):
    """Everything that the files say."""

    defaults: _Defaults
    models: dict[str, Row]
    families: tuple[_Family, ...] = ()

    def row(self, model: str) -> Row:
        """What is known of a model.

        A dated name (`gpt-6-sol-2026-09-22`) is known as its family, and one that a gateway spells with its vendor
        (`openai/gpt-6-sol`) without that.
        """
        for spelled in (model, model.rpartition("/")[2]):
            if found := [name for name in self.models if _named(spelled, name)]:
                return self.models[max(found, key=len)]
        ends = (one.ends for one in self.families if one.ends and _like(model, one))
        return Row(ends=next(ends, None))

    def guess(self, model: str, what: Literal["tools", "vision"]) -> Known:
        """What a name alone says; the first family that says anything."""
        for family in self.families:
            said: Known = getattr(family, what)
            if said != "unknown" and _like(model, family):
                return said
        return "unknown"

    def offered(self, vendor: str) -> list[str]:
        """The models of a vendor that are asked without being named, its default in front."""
        first = getattr(self.defaults, vendor)
        others = [name for name, row in self.models.items() if row.vendor == vendor and row.offered]
        return [first, *(name for name in others if name != first)]


class _ToolSettings(_Strict):
    max_iterations: int | None = Field(default=None, ge=1, le=100)
    default_enabled: bool = True


class _Entry(BaseModel):
    """One model of `models_config.json`; what else stands there is somebody else's."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    supports_tools: bool | None = None
    supports_vision: bool | None = None
    context_length: int | None = Field(default=None, gt=0)
    tool_settings: _ToolSettings = _ToolSettings()


class _Config(BaseModel):
    models: dict[str, _Entry]


@functools.cache
def builtin() -> Catalogue:
    """The table that comes along, read once."""
    return read_table(_TABLE)


def read_catalogue(config: str | Path | None) -> Catalogue:
    """The table that comes along, with what a file of one's own says over it.

    Args:
        config: `.json`: `{"MODEL": {"supports_tools": true, "tool_settings": {...}}}`; `.toml`: as `models.toml`.
            Empty: none.

    Raises:
        CatalogueProblem: The file cannot be read, or does not fit; the text names file and line.
    """
    if not config:
        return builtin()
    path = Path(config)
    if path.suffix == ".toml":
        return read_table(path)
    text = _text(path)
    try:
        data = json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise CatalogueProblem(f"{path}:{line}: this is no JSON: {error}") from None
    try:
        read = _Config.model_validate({"models": data})
    except ValidationError as error:
        raise _problem(path, error, lambda loc: _json_line(text, loc[1:])) from None
    rows = dict(builtin().models)
    for name, entry in read.models.items():
        changes: dict[str, Any] = entry.tool_settings.model_dump(exclude_unset=True)
        if entry.supports_tools is not None:
            changes["tools"] = "yes" if entry.supports_tools else "no"
        if entry.supports_vision is not None:
            changes["vision"] = "yes" if entry.supports_vision else "no"
        if entry.context_length is not None:
            changes["context"] = entry.context_length
        rows[name] = builtin().row(name).model_copy(update=changes)
    return builtin().model_copy(update={"models": rows})


def read_table(path: Path) -> Catalogue:
    """A whole table in TOML.

    Raises:
        CatalogueProblem: As for `read_catalogue`.
    """
    text = _text(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found.group(1)) if found else text.count("\n") + 1
        raise CatalogueProblem(f"{path}:{line}: this is no TOML: {error}") from None
    try:
        return Catalogue.model_validate(data)
    except ValidationError as error:
        raise _problem(path, error, lambda loc: _toml_line(text, loc)) from None


def _like(model: str, family: _Family) -> bool:
    return any(fnmatch(model.lower(), pattern) for pattern in family.like)


def _named(model: str, name: str) -> bool:
    return model == name or model.startswith(f"{name}-20")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueProblem(f"{path}:1: the file cannot be read: {error}") from None


def _problem(path: Path, error: ValidationError, line: Any) -> CatalogueProblem:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return CatalogueProblem(f"{path}:{line(first['loc'])}: {where}: {first['msg']}")


def _toml_line(text: str, loc: Sequence[int | str]) -> int:
    """The line that says most of a place: its section's head, or the key itself."""
    best, length = 1, 0
    for number, place in _toml_places(text):
        fits = list(place) == list(loc[: len(place)])
        if fits and len(place) > length:
            best, length = number, len(place)
    return best


def _toml_places(text: str) -> Iterator[tuple[int, tuple[int | str, ...]]]:
    """Each line that names a place, with that place. Keys that span lines are known by their first."""
    section: tuple[int | str, ...] = ()
    tables: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if bare.startswith("["):
            try:
                section = tuple(_path(tomllib.loads(bare)))
            except tomllib.TOMLDecodeError:
                continue  # the middle of a list
            if bare.startswith("[["):
                name = str(section[0])
                tables[name] = tables.get(name, -1) + 1
                section = (name, tables[name])
            yield number, section
        elif found := re.match(r"([\w\"'.-]+)\s*=", bare):
            try:
                yield number, (*section, *_path(tomllib.loads(f"{found.group(1)} = 0")))
            except tomllib.TOMLDecodeError:
                continue  # the middle of a text


def _path(data: Any) -> Iterator[str]:
    """The names that lead into a nest of tables with one entry each."""
    while isinstance(data, Mapping) and data:
        name, data = next(iter(data.items()))
        yield name


def _json_line(text: str, loc: Sequence[int | str]) -> int:
    """The line of the last name of a place, each looked for behind the one before it."""
    at = 0
    for part in loc:
        found = re.compile(re.escape(json.dumps(part)) + r"\s*:").search(text, at)
        if found is None:
            break
        at = found.end()
    return text.count("\n", 0, at) + 1
