"""Thirty tools that differ in what they take."""

from collections.abc import Callable
from datetime import date
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from agent.calling.schema import Signature, signature_of
from agent.tool import Context


class Mood(StrEnum):
    """A choice of words."""

    GOOD = "good"
    BAD = "bad"


class Size(IntEnum):
    """A choice of numbers."""

    SMALL = 1
    LARGE = 2


class Place(BaseModel):
    """An object."""

    name: Annotated[str, Field(max_length=20)]
    near: list[str] = []


class Trip(BaseModel):
    """Objects in an object."""

    stops: Annotated[list[Place], Field(min_length=1, max_length=9)]
    mood: Mood = Mood.GOOD


TYPES: dict[str, Any] = {
    "text": str,
    "whole": int,
    "share": float,
    "flag": bool,
    "mood": Mood,
    "size": Size,
    "day": date,
    "place": Place,
    "trip": Trip,
    "maybe_text": str | None,
    "maybe_place": Place | None,
    "either": int | str,
    "either_place": Place | str,
    "words": list[str],
    "grid": list[list[float]],
    "trips": list[Trip],
    "pair": tuple[int, str],
    "row": tuple[int, ...],
    "tags": set[str],
    "fixed_tags": frozenset[int],
    "counts": dict[str, int],
    "places": dict[str, Place],
    "table": dict[str, list[float]],
    "one_of": Literal["a", "b", 3],
    "one": Literal["only"],
    "short": Annotated[str, Field(min_length=1, max_length=5)],
    "code": Annotated[str, Field(pattern="^[A-Z]{2}[0-9]+$"), "as on the label"],
    "some": Annotated[int, Field(ge=1, le=9), "how many"],
    "ratio": Annotated[float, Field(gt=0, lt=1, multiple_of=0.25)],
    "few": Annotated[list[int], Field(min_length=1, max_length=3)],
}


def taking(name: str, kind: Any) -> Callable[..., Any]:
    """A tool with a parameter of a type, and one more that may be left out."""

    async def probe(context: Context, given: Any, note: str = "") -> str:
        """Probe."""
        return f"{context.caller} {given} {note}"

    probe.__name__ = f"take_{name}"
    probe.__annotations__["given"] = kind
    return probe


TOOLS: dict[str, Signature] = {name: signature_of(taking(name, kind)) for name, kind in TYPES.items()}
